// Evaluates alert rules as Prometheus does, over pages that a forwarder really served:
//
//	alerts RULES.yml < {"start": UNIX, "end": SECONDS, "pages": [{"at": SECONDS, "type": CONTENT-TYPE, "text": PAGE}],
//	                    "queries": [PROMQL]}
//
// A page, read by Prometheus' own parser, stays what the target says until the next one. Prints
// {"fired": [{"alert": NAME, "at": SECONDS, "labels": {…}}], "series": [COUNT]}: when each alert began to fire, and how many series
// each query has at the end.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"time"

	"github.com/prometheus/common/promslog"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/textparse"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/rules"
	"github.com/prometheus/prometheus/tsdb"
)

const step = 15 * time.Second

type scenario struct {
	Start int64  `json:"start"`
	End   int64  `json:"end"`
	Pages []page `json:"pages"`
	// Evaluated at the end.
	Queries []string `json:"queries"`
}

type result struct {
	Fired  []fired `json:"fired"`
	Series []int   `json:"series"`
}

type page struct {
	At   int64  `json:"at"`
	Type string `json:"type"`
	Text string `json:"text"`
}

type fired struct {
	Alert  string            `json:"alert"`
	At     int64             `json:"at"`
	Labels map[string]string `json:"labels"`
}

type sample struct {
	labels labels.Labels
	value  float64
}

func main() {
	if err := run(os.Args[1], os.Stdin, os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(file string, in io.Reader, out io.Writer) error {
	var scenario scenario
	if err := json.NewDecoder(in).Decode(&scenario); err != nil {
		return err
	}
	folder, err := os.MkdirTemp("", "alerts")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	options := tsdb.DefaultOptions()
	options.RetentionDuration = 0
	db, err := tsdb.Open(folder, promslog.NewNopLogger(), nil, options, nil)
	if err != nil {
		return err
	}
	defer db.Close()
	parser := parser.NewParser(parser.Options{})
	engine := promql.NewEngine(promql.EngineOpts{
		Logger: promslog.NewNopLogger(), MaxSamples: 10_000_000, Timeout: time.Minute, Parser: parser,
	})
	manager := rules.NewManager(&rules.ManagerOptions{
		QueryFunc:    rules.EngineQueryFunc(engine, db),
		AppendableV2: db,
		Queryable:    db,
		Context:      context.Background(),
		NotifyFunc:   func(context.Context, string, ...*rules.Alert) {},
		Logger:       promslog.NewNopLogger(),
		Parser:       parser,
	})
	groups, problems := manager.LoadGroups(step, labels.EmptyLabels(), "", nil, false, file)
	if len(problems) > 0 {
		return errors.Join(problems...)
	}
	for _, group := range groups {
		for _, rule := range group.Rules() {
			if alert, ok := rule.(*rules.AlertingRule); ok {
				alert.SetRestored(true)
			}
		}
	}
	all, err := play(scenario, db, groups)
	if err != nil {
		return err
	}
	result := result{Fired: all, Series: []int{}}
	for _, text := range scenario.Queries {
		ctx, end := context.Background(), time.Unix(scenario.Start+scenario.End, 0)
		query, err := engine.NewInstantQuery(ctx, db, nil, text, end)
		if err != nil {
			return fmt.Errorf("%s: %w", text, err)
		}
		vector, err := query.Exec(ctx).Vector()
		if err != nil {
			return fmt.Errorf("%s: %w", text, err)
		}
		result.Series = append(result.Series, len(vector))
		query.Close()
	}
	return json.NewEncoder(out).Encode(result)
}

func play(scenario scenario, db *tsdb.DB, groups map[string]*rules.Group) ([]fired, error) {
	ctx, all, seen := context.Background(), []fired{}, map[string]bool{}
	var target []sample
	pages := scenario.Pages
	for at := int64(0); len(scenario.Pages) > 0 && at <= scenario.End; at += int64(step.Seconds()) {
		for len(pages) > 0 && pages[0].At <= at {
			var err error
			if target, err = parse(pages[0]); err != nil {
				return nil, err
			}
			pages = pages[1:]
		}
		now := time.Unix(scenario.Start+at, 0)
		appender := db.Appender(ctx)
		for _, sample := range target {
			if _, err := appender.Append(0, sample.labels, now.UnixMilli(), sample.value); err != nil {
				return nil, fmt.Errorf("%s: %w", sample.labels, err)
			}
		}
		if err := appender.Commit(); err != nil {
			return nil, err
		}
		for _, group := range groups {
			group.Eval(ctx, now)
			for _, rule := range group.Rules() {
				alert, ok := rule.(*rules.AlertingRule)
				if !ok {
					continue
				}
				if err := alert.LastError(); err != nil {
					return nil, fmt.Errorf("%s: %w", alert.Name(), err)
				}
				for _, active := range alert.ActiveAlerts() {
					key := active.Labels.String()
					if active.State == rules.StateFiring && !seen[key] {
						seen[key] = true
						all = append(all, fired{alert.Name(), at, active.Labels.Map()})
					}
				}
			}
		}
	}
	return all, nil
}

func parse(page page) ([]sample, error) {
	parser, err := textparse.New([]byte(page.Text), page.Type, labels.NewSymbolTable(), textparse.ParserOptions{})
	if err != nil {
		return nil, err
	}
	own := labels.FromStrings("job", "webhook-forwarder", "instance", "forwarder-0")
	samples := []sample{{with(own, labels.FromStrings("__name__", "up")), 1}}
	for {
		entry, err := parser.Next()
		if errors.Is(err, io.EOF) {
			return samples, nil
		}
		if err != nil {
			return nil, err
		}
		if entry == textparse.EntrySeries {
			_, _, value := parser.Series()
			var series labels.Labels
			parser.Labels(&series)
			samples = append(samples, sample{with(own, series), value})
		}
	}
}

func with(own, series labels.Labels) labels.Labels {
	builder := labels.NewBuilder(series)
	own.Range(func(label labels.Label) { builder.Set(label.Name, label.Value) })
	return builder.Labels()
}

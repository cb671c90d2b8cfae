package deploy

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
	"sigs.k8s.io/yaml"
)

const compose = "../../docker/compose.yaml"

// As `docker compose` loads it: against the schema, with every variable that it needs.
func load(t *testing.T, env ...string) (*types.Project, error) {
	t.Helper()
	options, err := cli.NewProjectOptions([]string{compose}, cli.WithEnv(env), cli.WithInterpolation(true), cli.WithResolvedPaths(true))
	if err != nil {
		t.Fatal(err)
	}
	return options.LoadProject(context.Background())
}

func TestComposeIsWhole(t *testing.T) {
	project, err := load(t, "SHOPIFY_WEBHOOKS_KEY=a-secret")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"temporal", "forwarder", "worker", "prometheus", "grafana"} {
		if _, there := project.Services[name]; !there {
			t.Errorf("no %s", name)
		}
	}
	for name, service := range project.Services {
		if service.Build != nil {
			exists(t, service.Build.Context, service.Build.Dockerfile)
		} else if image := service.Image; !strings.Contains(image, ":") || strings.HasSuffix(image, ":latest") {
			t.Errorf("%s: %s is whatever it is today", name, image)
		}
		for _, volume := range service.Volumes {
			exists(t, volume.Source, "")
		}
		for _, port := range service.Ports {
			if port.HostIP != "127.0.0.1" {
				t.Errorf("%s is for everybody: %+v", name, port)
			}
		}
		for other := range service.DependsOn {
			if project.Services[other].HealthCheck == nil {
				t.Errorf("%s waits for the health of %s, which has none", name, other)
			}
		}
	}
}

func TestComposeAsksForTheSecret(t *testing.T) {
	if _, err := load(t); err == nil || !strings.Contains(err.Error(), "the secret that Shopify signs with") {
		t.Errorf("%v", err)
	}
}

func TestTheForwarderTakesWhatComposeSays(t *testing.T) {
	project, err := load(t, "SHOPIFY_WEBHOOKS_KEY=a-secret-of-a-shop-that-is-none")
	if err != nil {
		t.Fatal(err)
	}
	forwarder := project.Services["forwarder"]
	known, err := exec.Command(program("FORWARDER_BIN"), "--help-env-vars").Output()
	if err != nil {
		t.Fatal(err)
	}
	command := exec.Command(program("FORWARDER_BIN"), "check", "--offline")
	for name, value := range forwarder.Environment {
		command.Env = append(command.Env, name+"="+*value)
		if name != "ADMIN_TOKEN" && !strings.Contains(string(known), "  "+name+"\n") {
			t.Errorf("%s does nothing", name)
		}
	}
	if output, err := command.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, output)
	}
	if test := forwarder.HealthCheck.Test; !slices.Equal(test[1:], []string{"/usr/bin/temporal-webhook-forwarder", "health"}) {
		t.Errorf("%v", test)
	}
	if forwarder.StopGracePeriod.String() != "30s" || !forwarder.ReadOnly {
		t.Errorf("%+v", forwarder)
	}
}

func TestPrometheusScrapesTheForwarderAndGrafanaHasTheDashboard(t *testing.T) {
	var prometheus struct {
		RuleFiles     []string `json:"rule_files"`
		ScrapeConfigs []struct {
			StaticConfigs []struct{ Targets []string } `json:"static_configs"`
		} `json:"scrape_configs"`
	}
	read(t, "prometheus.yml", &prometheus)
	if targets := prometheus.ScrapeConfigs[0].StaticConfigs[0].Targets; !slices.Equal(targets, []string{"forwarder:9000"}) {
		t.Errorf("%v", targets)
	}
	project, err := load(t, "SHOPIFY_WEBHOOKS_KEY=a-secret")
	if err != nil {
		t.Fatal(err)
	}
	mounts := map[string]string{}
	for _, name := range []string{"prometheus", "grafana"} {
		for _, volume := range project.Services[name].Volumes {
			mounts[volume.Target] = volume.Source
		}
	}
	for _, file := range prometheus.RuleFiles {
		exists(t, mounts["/etc/prometheus/"+file], "")
	}
	var dashboards struct {
		Providers []struct{ Options struct{ Path string } }
	}
	read(t, "grafana/provisioning/dashboards/webhook-forwarder.yaml", &dashboards)
	exists(t, mounts[dashboards.Providers[0].Options.Path], "webhook-forwarder.json")
	var sources struct{ Datasources []struct{ Type, URL string } }
	read(t, "grafana/provisioning/datasources/prometheus.yaml", &sources)
	if source := sources.Datasources[0]; source.Type != "prometheus" || source.URL != "http://prometheus:9090" {
		t.Errorf("%+v", source)
	}
}

func exists(t *testing.T, folder, file string) {
	t.Helper()
	if _, err := os.Stat(filepath.Join(folder, file)); folder == "" || err != nil {
		t.Errorf("%s: %v", folder, err)
	}
}

func read(t *testing.T, file string, into any) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(filepath.Dir(compose), file))
	if err == nil {
		err = yaml.Unmarshal(text, into)
	}
	if err != nil {
		t.Fatal(err)
	}
}

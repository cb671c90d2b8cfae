//! The metrics page is Prometheus' text format, has what docs/operation.md says, and no word of a caller.

mod closed;
mod openmetrics;

use std::collections::{BTreeMap, BTreeSet};

use reqwest::Method;
use uuid::Uuid;
use webhook_core::outcome::LABELS;

use crate::support::configured::Configured;
use crate::support::delivery::{Delivery, SHOPIFY};
use crate::support::forwarder::{AES, Forwarder, ForwarderConfig};
use crate::support::sender::Sender;
use crate::support::temporal::Temporal;
use crate::support::wait::{PATIENCE, eventually, run};

#[test]
fn after_one_request_there_is_every_metric_of_the_page_and_no_other() {
    run(async {
        let forwarder = Forwarder::start(ForwarderConfig::default()).await;
        Sender::new(&forwarder).send(&Delivery::order()).await;
        // Temporal is asked who polls the task queues when it is there.
        let samples = eventually("the queues are asked about", PATIENCE, async || {
            let samples = scrape(&forwarder).await;
            let is_asked = samples
                .iter()
                .any(|sample| sample.metric == "task_queue_pollers");
            is_asked.then_some(samples)
        });
        let samples = samples.await;
        let mut there = BTreeMap::<_, BTreeSet<String>>::new();
        for sample in &samples {
            let labels = there.entry(sample.metric.clone()).or_default();
            labels.extend(sample.labels.keys().filter(|name| *name != "le").cloned());
        }
        assert_eq!(there, documented());
    });
}

#[test]
fn histograms_count_up_to_their_total() {
    run(async {
        let forwarder = Forwarder::start(ForwarderConfig::default()).await;
        let sender = Sender::new(&forwarder);
        for _ in 0..3 {
            sender.send(&Delivery::order()).await;
        }
        let samples = scrape(&forwarder).await;
        let named = |name: &str| -> Vec<&Sample> {
            let name = format!("webhook_forwarder_request_duration_seconds_{name}");
            samples
                .iter()
                .filter(|sample| sample.name == name)
                .collect()
        };
        let buckets: Vec<_> = named("bucket").iter().map(|sample| sample.value).collect();
        assert!(buckets.len() > 5 && buckets.is_sorted(), "{buckets:?}");
        let last = named("bucket").pop().expect("a bucket");
        assert_eq!((last.labels["le"].as_str(), last.value), ("+Inf", 3.0));
        assert_eq!(named("count")[0].value, 3.0);
        assert!(named("sum")[0].value > 0.0);
    });
}

#[test]
fn requests_that_fit_no_source_count_under_one_label_of_ours() {
    run(async {
        let forwarder = Forwarder::start(ForwarderConfig::default()).await;
        let sender = Sender::new(&forwarder);
        sender.send(&Delivery::order()).await;
        let odd = Method::from_bytes(b"CALLERSWORD").expect("a method");
        for (method, path) in [
            (Method::POST, "/random-path"),
            (Method::GET, "/random-path?callersword"),
            (Method::POST, "/temporal/shopify/callersword"),
            (odd.clone(), SHOPIFY),
            (odd, "/"),
        ] {
            sender.send(&Delivery::bare(method, path)).await;
        }
        let mut counts = BTreeMap::new();
        for sample in scrape(&forwarder).await {
            if let Some(source) = sample.labels.get("source") {
                assert!([SHOPIFY, "none"].contains(&source.as_str()), "{sample:?}");
            }
            let words = format!("{:?}", sample.labels).to_lowercase();
            assert!(!words.contains("callersword"), "{sample:?}");
            if sample.metric == "requests_total" && sample.value > 0.0 {
                let labels = [&sample.labels["source"], &sample.labels["outcome"]];
                counts.insert(labels.map(String::clone).join(" "), sample.value as u32);
            }
        }
        let expected = [
            ("/temporal/shopify started", 1),
            ("/temporal/shopify method_not_allowed", 1),
            ("none not_found", 3),
            ("none method_not_allowed", 1),
        ];
        let expected = expected.map(|(labels, count)| (labels.to_owned(), count));
        assert_eq!(counts, BTreeMap::from(expected));
    });
}

#[test]
fn what_can_be_counted_of_a_source_is_there_at_0_from_the_start_and_after_a_reload() {
    run(async {
        let source = |path: &str, secret: &str| {
            format!(
                "[[source]]\npath = '{path}'\nprovider = 'shopify'\nsecrets = ['env:SHOPIFY_WEBHOOKS_KEY', 'file:FOLDER/{secret}']\n"
            )
        };
        let configured = Configured::new(&source("/one", "old"));
        configured.write("old", "an-old-secret-of-24-bytes");
        configured.write("new", "another-secret-24-bytes-");
        let mut forwarder = Forwarder::start(configured.plain()).await;
        let expected = |secret: &str| -> BTreeSet<String> {
            let key = configured.path(secret);
            let requests = LABELS.iter().map(|it| format!("requests_total {it}"));
            let others = [
                "dead_letters_total unstartable".to_owned(),
                "dead_letters_total too_large".to_owned(),
                "dead_letters_total may_have_been_taken".to_owned(),
                "events_total started".to_owned(),
                "signature_key_used_total env:SHOPIFY_WEBHOOKS_KEY".to_owned(),
                format!("signature_key_used_total file:{}", key.display()),
            ];
            requests.chain(others).collect()
        };
        let at_start = at_0(&forwarder, "/one").await;
        let missing: Vec<_> = expected("old").difference(&at_start).cloned().collect();
        assert!(missing.is_empty(), "{missing:?}");
        let none = at_0(&forwarder, "none").await;
        for outcome in ["not_found", "method_not_allowed", "malformed", "too_slow"] {
            assert!(
                none.contains(&format!("requests_total {outcome}")),
                "{none:?}"
            );
        }
        assert!(at_0(&forwarder, "/two").await.is_empty());

        configured.rewrite(&(source("/one", "old") + &source("/two", "new")));
        forwarder.signal("HUP");
        forwarder.line("the new file is used", |line| {
            line["message"] == "configuration reloaded"
        });
        let after = at_0(&forwarder, "/two").await;
        let missing: Vec<_> = expected("new").difference(&after).cloned().collect();
        assert!(missing.is_empty(), "{missing:?}");
        assert_eq!(
            at_0(&forwarder, "/one").await,
            at_start,
            "nothing more of the one that was there"
        );
    });
}

/// What is counted of this source, all at 0: metric, and labels but the source.
async fn at_0(forwarder: &Forwarder, path: &str) -> BTreeSet<String> {
    let samples = scrape(forwarder).await;
    let of_source = samples.iter().filter(|sample| {
        let source = sample.labels.get("source");
        source.is_some_and(|source| source == path)
    });
    let series = of_source.map(|sample| {
        assert_eq!(sample.value, 0.0, "{sample:?}");
        let labels = sample.labels.iter().filter(|(name, _)| *name != "source");
        let labels: Vec<_> = labels.map(|(_, value)| value.as_str()).collect();
        format!("{} {}", sample.metric, labels.join(" "))
    });
    series.collect()
}

/// Each has a nonce of its own, of which a key may have so many: input and memo values, not events.
#[test]
fn what_a_payload_key_seals_is_counted_under_its_id_from_zero() {
    run(async {
        let forwarder = Forwarder::start(ForwarderConfig {
            aes: Some(AES),
            ..ForwarderConfig::default()
        })
        .await;
        let seals = async || {
            let samples = scrape(&forwarder).await;
            let mut seals = samples
                .into_iter()
                .filter(|sample| sample.metric == "payload_seals_total");
            let one = seals.next().expect("there is one");
            assert!(seals.next().is_none(), "there is one key");
            assert_eq!(one.labels["key"], AES.1);
            one.value as usize
        };
        assert_eq!(seals().await, 0);
        let sender = Sender::new(&forwarder);
        let order = Delivery::order();
        assert_eq!(sender.send(&order).await.outcome(), "200 started");
        let started = Temporal::shared().await.started(&order.id).await;
        let each = 1 + started.memo.len();
        assert!(each > 2, "the memo is sealed value by value");
        assert_eq!(seals().await, each);
        let said = format!("with the default settings is {each} seals");
        assert!(include_str!("../../docs/configuration.md").contains(&said));
        assert!(include_str!("../../SECURITY.md").contains(&format!("Shopify's is {each},")));
        assert_eq!(sender.send(&order).await.outcome(), "200 duplicate");
        assert_eq!(seals().await, 2 * each, "a redelivery is sealed, too");
        let refused = sender.send(&order.signed("another secret")).await;
        assert_eq!(refused.status, 401);
        assert_eq!(seals().await, 2 * each);
    });
}

/// A signal carries its input and nothing else that is sealed.
#[test]
fn a_signal_takes_one_seal_and_with_a_start_as_many_as_a_start() {
    run(async {
        let key = Uuid::new_v4().simple().to_string();
        let route = |topic: &str, action: &str| {
            format!(
                "[[source.route]]\nwhen = 'topic == \"{topic}\"'\naction = '{action}'\nsignal = 'webhook'\nworkflow_id = 'seals:{key}'\n"
            )
        };
        let configured = Configured::new(&format!(
            "[[source]]\npath = '/temporal/shopify'\nprovider = 'shopify'\nsecrets = ['env:SHOPIFY_WEBHOOKS_KEY']\n{}{}",
            route("entity", "signal-with-start"),
            route("signal", "signal"),
        ));
        let forwarder = Forwarder::start(ForwarderConfig {
            aes: Some(AES),
            ..configured.plain()
        })
        .await;
        let seals = async || {
            let samples = scrape(&forwarder).await;
            let seals = samples
                .iter()
                .find(|sample| sample.metric == "payload_seals_total");
            seals.expect("there is one").value as usize
        };
        let sender = Sender::new(&forwarder);
        let event = |topic: &str| Delivery::shopify("{}").with("X-Shopify-Topic", topic);
        let answer = sender.send(&event("entity")).await;
        assert_eq!(answer.outcome(), "200 signalled", "{answer:?}");
        let id = format!("seals:{key}");
        let start = Temporal::shared().await.start_of(&id).await;
        let before = 1 + start.memo.unwrap_or_default().fields.len();
        assert_eq!(seals().await, before);
        for n in 1..=3 {
            let answer = sender.send(&event("signal")).await;
            assert_eq!(answer.outcome(), "200 signalled", "{answer:?}");
            assert_eq!(seals().await, before + n);
        }
    });
}

/// One line of the page.
#[derive(Debug)]
struct Sample {
    /// Without our prefix and without a histogram's `_bucket`, `_sum` and `_count`.
    metric: String,
    name: String,
    labels: BTreeMap<String, String>,
    value: f64,
}

/// Reads the page as strictly as a scraper: every sample has a type, none is there twice.
async fn scrape(forwarder: &Forwarder) -> Vec<Sample> {
    let answer = Sender::plain(&forwarder.admin.to_string())
        .get("/metrics")
        .await;
    assert_eq!(answer.status, 200);
    let kind = answer.header("content-type");
    assert!(kind.starts_with("text/plain; version=0.0.4"), "{kind}");
    assert!(answer.text.ends_with('\n'));
    let mut types = BTreeMap::new();
    let mut seen = BTreeSet::new();
    let mut samples = Vec::new();
    for line in answer.text.lines().filter(|line| !line.is_empty()) {
        if let Some(declared) = line.strip_prefix("# TYPE ") {
            let (name, kind) = declared.split_once(' ').expect("a name and a type");
            let twice = types.insert(name.to_owned(), kind.to_owned());
            assert!(twice.is_none(), "{line}");
        } else if !line.starts_with("# HELP ") {
            let sample = read(line, &types);
            assert!(
                seen.insert((sample.name.clone(), sample.labels.clone())),
                "{line}"
            );
            samples.push(sample);
        }
    }
    samples
}

/// `name{label="value",…} number`
fn read(line: &str, types: &BTreeMap<String, String>) -> Sample {
    let (series, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("{line}"));
    let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
    let labels = labels.strip_suffix('}').unwrap_or_else(|| panic!("{line}"));
    let labels = labels.split_terminator(',').map(|label| {
        let (name, value) = label.split_once("=\"").unwrap_or_else(|| panic!("{line}"));
        let value = value.strip_suffix('"').unwrap_or_else(|| panic!("{line}"));
        (name.to_owned(), value.to_owned())
    });
    let parts = ["_bucket", "_sum", "_count"];
    let whole = parts.iter().find_map(|part| {
        let whole = name.strip_suffix(part)?;
        (types.get(whole)? == "histogram").then_some(whole)
    });
    let metric = whole.unwrap_or(name);
    assert!(types.contains_key(metric), "no type: {line}");
    let ours = metric.strip_prefix("webhook_forwarder_");
    Sample {
        metric: ours.unwrap_or_else(|| panic!("{line}")).to_owned(),
        name: name.to_owned(),
        labels: labels.collect(),
        value: value.parse().unwrap_or_else(|_| panic!("{line}")),
    }
}

/// The table of docs/operation.md: metrics and their labels.
fn documented() -> BTreeMap<String, BTreeSet<String>> {
    let page = include_str!("../../docs/operation.md");
    let (_, table) = page
        .split_once("\n| metric | labels | |\n")
        .expect("a table");
    let rows = table.lines().skip(1).take_while(|row| row.starts_with('|'));
    rows.map(|row| {
        let mut cells = row.split('|').skip(1);
        let mut words = || {
            let quoted = cells.next().expect("a cell").split('`').skip(1).step_by(2);
            quoted.map(str::to_owned).collect::<Vec<_>>()
        };
        let name = words().pop().expect("a metric");
        (name, words().into_iter().collect())
    })
    .collect()
}

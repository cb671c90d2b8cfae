//! The sets of labels are closed, whatever callers write; senders' words are labels only where an operator has
//! listed them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{SystemTime, UNIX_EPOCH};

use futures_util::{StreamExt, stream};
use reqwest::Method;
use uuid::Uuid;

use super::{Sample, scrape};
use crate::support::configured::Configured;
use crate::support::delivery::{Delivery, SIGNATURE};
use crate::support::forwarder::Forwarder;
use crate::support::sender::Sender;
use crate::support::wait::{PATIENCE, run, until};

#[test]
fn ten_thousand_random_paths_topics_tenants_and_headers_make_no_new_series() {
    run(async {
        let configured = Configured::new(DROPPING);
        let forwarder = Forwarder::start(configured.plain()).await;
        let sender = Sender::new(&forwarder);
        let send_all = async |requests: usize| {
            let event = Delivery::shopify("{}");
            stream::iter(0..requests)
                .for_each_concurrent(16, |n| {
                    let (sender, request) = (&sender, random(&event, n));
                    async move {
                        let answer = sender.try_send(&request).await.expect("an answer");
                        assert_ne!(answer.status, 503, "{answer:?}");
                    }
                })
                .await;
        };
        let series = async || -> BTreeSet<_> {
            let samples = scrape(&forwarder).await.into_iter();
            samples.map(|sample| (sample.name, sample.labels)).collect()
        };
        until(
            "Temporal was asked about the task queue",
            PATIENCE,
            async || {
                let series = series().await;
                series
                    .iter()
                    .any(|(name, _)| name.ends_with("task_queue_pollers"))
            },
        )
        .await;
        send_all(200).await;
        let before = series().await;
        send_all(10_000).await;
        let after = series().await;
        let new: Vec<_> = after.difference(&before).collect();
        assert!(new.is_empty(), "{new:?}");
        let values = |label: &str| -> BTreeSet<_> {
            let values = after.iter().filter_map(|(_, labels)| labels.get(label));
            values.map(String::as_str).collect()
        };
        assert_eq!(
            values("topic"),
            ["orders/create", "orders/paid", "other"].into()
        );
        assert_eq!(values("tenant"), ["one.myshopify.com", "other"].into());
        assert_eq!(values("source"), ["/temporal/shopify", "none"].into());
    });
}

#[test]
fn events_are_counted_by_the_topics_and_tenants_that_are_declared_and_all_others_together() {
    run(async {
        let begun = SystemTime::now();
        let configured = Configured::new(DROPPING);
        let forwarder = Forwarder::start(configured.plain()).await;
        assert_eq!(counts(&forwarder).await.values().sum::<f64>(), 0.0);
        let sender = Sender::new(&forwarder);
        for (topic, tenant) in [
            ("orders/create", "one.myshopify.com"),
            ("orders/create", "one.myshopify.com"),
            ("orders/create", "two.myshopify.com"),
            ("orders/paid", "one.myshopify.com"),
            ("other", "one.myshopify.com"),
            ("carts/update", "three.myshopify.com"),
        ] {
            let event = Delivery::shopify("{}")
                .with("X-Shopify-Topic", topic)
                .with("X-Shopify-Shop-Domain", tenant);
            assert_eq!(sender.send(&event).await.outcome(), "200 dropped");
        }
        let forged = Delivery::shopify("{}").with(SIGNATURE, "AAAA");
        assert_eq!(sender.send(&forged).await.status, 401);
        let some: BTreeMap<_, _> = counts(&forwarder)
            .await
            .into_iter()
            .filter(|(_, count)| *count > 0.0)
            .collect();
        let expected = [
            ("dropped orders/create one.myshopify.com", 2.0),
            ("dropped orders/create other", 1.0),
            ("dropped orders/paid one.myshopify.com", 1.0),
            ("dropped other one.myshopify.com", 1.0),
            ("dropped other other", 1.0),
        ];
        let expected = expected.map(|(labels, count)| (labels.to_owned(), count));
        assert_eq!(some, BTreeMap::from(expected));
        let samples = scrape(&forwarder).await;
        let last = samples
            .iter()
            .find(|it| it.metric == "last_event_timestamp_seconds");
        let last = last.expect("there was an event").value;
        let now = |time: SystemTime| {
            time.duration_since(UNIX_EPOCH)
                .expect("later")
                .as_secs_f64()
        };
        assert!(
            last >= now(begun) && last <= now(SystemTime::now()),
            "{last}"
        );
    });
}

/// `events_total`: outcome, topic and tenant.
async fn counts(forwarder: &Forwarder) -> BTreeMap<String, f64> {
    let samples = scrape(forwarder).await.into_iter();
    let events = samples.filter(|sample| sample.metric == "events_total");
    let labels = |labels: &BTreeMap<String, String>| {
        ["outcome", "topic", "tenant"]
            .map(|name| labels[name].clone())
            .join(" ")
    };
    events
        .map(
            |Sample {
                 labels: of, value, ..
             }| (labels(&of), value),
        )
        .collect()
}

/// One of four kinds.
fn random(event: &Delivery, n: usize) -> Delivery {
    let word = Uuid::new_v4().simple().to_string();
    match n % 4 {
        0 => Delivery::bare(Method::POST, &format!("/{word}?{word}={word}")),
        1 => event
            .clone()
            .with_id(&word)
            .with("X-Shopify-Topic", format!("{word}/create"))
            .with("X-Shopify-Shop-Domain", format!("{word}.myshopify.com")),
        2 => event
            .clone()
            .with(SIGNATURE, "AAAA")
            .with("X-Shopify-Topic", &word)
            .with(&format!("X-{word}"), &word)
            .with("User-Agent", &word),
        _ => {
            let method = Method::from_bytes(word.to_uppercase().as_bytes());
            Delivery::bare(method.expect("a token"), "/temporal/shopify")
        }
    }
}

const DROPPING: &str = "[metrics]
topics = ['orders/create', 'orders/paid']
tenants = ['one.myshopify.com']
[[source]]
path = '/temporal/shopify'
provider = 'shopify'
secrets = ['env:SHOPIFY_WEBHOOKS_KEY']
[[source.route]]
when = 'verified'
action = 'drop'
";

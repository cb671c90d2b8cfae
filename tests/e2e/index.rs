//! `[temporal] index`: events are found by attributes of our own, and one that Temporal does not have
//! costs no event. Each test has a server of its own: attributes are registered for all.

use std::collections::BTreeMap;

use crate::support::configured::Configured;
use crate::support::delivery::Delivery;
use crate::support::forwarder::{AES, Forwarder, ForwarderConfig, SECRET};
use crate::support::inspect::json;
use crate::support::run::Run;
use crate::support::sender::Sender;
use crate::support::temporal::Temporal;
use crate::support::wait::{PATIENCE, run, until};

#[test]
fn an_attribute_that_is_not_registered_is_left_out_until_it_is_and_parks_no_event() {
    run(async {
        let temporal = Temporal::start(&[]).await;
        let configured = Configured::new(&indexed(""));
        let forwarder = started(&temporal, &configured).await;
        let sender = Sender::new(&forwarder);

        let order = Delivery::order();
        assert_eq!(sender.send(&order).await.outcome(), "200 started");
        assert!(attributes(&temporal, &order.id).await.is_empty());
        let said = forwarder.line("it says so", |line| line["level"] == "ERROR");
        let why = said["message"].as_str().expect("a text");
        assert!(why.contains("check --register-search-attributes"), "{said}");
        // The second is not even tried with them.
        let order = Delivery::order();
        assert_eq!(sender.send(&order).await.outcome(), "200 started");
        let left_out = "search_attributes_left_out_total{attribute=\"WebhookTopic\"}";
        let metrics = forwarder.metrics().await;
        assert!(metrics.contains(left_out), "{metrics}");

        let table = check(&temporal, &configured, &["--register-search-attributes"]).fine();
        assert!(
            table.contains("WebhookTopic (Keyword)") && table.contains("registered now"),
            "{table}"
        );
        let table = check(&temporal, &configured, &["--register-search-attributes"]).fine();
        assert!(!table.contains("registered now"), "{table}");

        forwarder.line("it is set again", |line| {
            line["attribute"] == "WebhookTenant" && line["level"] == "INFO"
        });
        let order = Delivery::order();
        assert_eq!(sender.send(&order).await.outcome(), "200 started");
        let expected = [
            ("WebhookEventId", order.id.as_str()),
            ("WebhookSource", "/temporal/shopify"),
            ("WebhookTenant", "e2e.myshopify.com"),
            ("WebhookTopic", "orders/create"),
        ];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(attributes(&temporal, &order.id).await, expected.into());
        let query = format!(
            "WebhookTopic = 'orders/create' AND WebhookEventId = '{}'",
            order.id
        );
        until("it is found", PATIENCE, async || {
            temporal.count(&query).await == 1
        })
        .await;
    });
}

/// Which attributes there are is asked when they are first used: what is sent before the answer is refused.
#[test]
fn what_temporal_refuses_for_their_sake_is_sent_again_without_them() {
    run(async {
        let temporal = Temporal::start(&[]).await;
        let configured = Configured::new(&indexed("").replace("index = true", "index = false"));
        let forwarder = started(&temporal, &configured).await;
        configured.rewrite(&indexed(""));
        let reloaded = forwarder.line("a reload", |line| {
            line["message"] == "configuration reloaded"
        });
        assert_eq!(reloaded["changed"], "[temporal] index is on");
        let order = Delivery::order();
        let answer = Sender::new(&forwarder).send(&order).await;
        assert_eq!(answer.outcome(), "200 started");
        assert!(attributes(&temporal, &order.id).await.is_empty());
        let refusal = "no mapping defined for search attribute Webhook";
        forwarder.line("the refusal", |line| {
            line["why"]
                .as_str()
                .is_some_and(|why| why.contains(refusal))
        });
    });
}

#[test]
fn what_is_signalled_and_what_is_parked_is_found_too() {
    run(async {
        let temporal = Temporal::start(&[]).await;
        let configured = Configured::new(&indexed(
            "[[source.route]]
            when = 'topic == \"carts/update\"'
            action = 'signal-with-start'
            workflow_id = 'cart:{body.id}'
            signal = 'cart'
            [[source.route]]
            when = 'topic == \"orders/paid\"'
            workflow_id = '{body.missing}:{event_id}'
            ",
        ));
        check(&temporal, &configured, &["--register-search-attributes"]).fine();
        let forwarder = started(&temporal, &configured).await;
        let sender = Sender::new(&forwarder);
        for (topic, outcome) in [
            ("carts/update", "200 signalled"),
            ("orders/paid", "200 dead_lettered"),
        ] {
            let event = Delivery::shopify(r#"{"id":7}"#).with("X-Shopify-Topic", topic);
            assert_eq!(sender.send(&event).await.outcome(), outcome);
            let query = format!(
                "WebhookTopic = '{topic}' AND WebhookEventId = '{}'",
                event.id
            );
            until(topic, PATIENCE, async || temporal.count(&query).await == 1).await;
        }
    });
}

/// Whatever is encrypted: they are in clear.
async fn attributes(temporal: &Temporal, id: &str) -> BTreeMap<String, String> {
    let start = temporal.start_of(id).await;
    let fields = start.search_attributes.unwrap_or_default().indexed_fields;
    let fields = fields.into_iter();
    fields
        .map(|(name, value)| (name, json(&value).as_str().expect("text").to_owned()))
        .collect()
}

fn check(temporal: &Temporal, configured: &Configured, args: &[&str]) -> Run {
    let address = temporal.address();
    let common = ["check", "--no-tls", "--endpoint", &address];
    let env = [("SHOPIFY_WEBHOOKS_KEY", SECRET)];
    Run::new(&[&common, configured.args(), args].concat(), &env)
}

async fn started(temporal: &Temporal, configured: &Configured) -> Forwarder {
    Forwarder::start(ForwarderConfig {
        endpoint: Some(temporal.address()),
        aes: Some(AES),
        ..configured.plain()
    })
    .await
}

fn indexed(routes: &str) -> String {
    format!(
        "[temporal]
        index = true
        [[source]]
        path = '/temporal/shopify'
        provider = 'shopify'
        secrets = ['env:SHOPIFY_WEBHOOKS_KEY']
        deadline = '1m'
        {routes}"
    )
}

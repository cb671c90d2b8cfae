//! What operators see: health, metrics and logs, and what they must never see.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::Value;

use crate::support::delivery::{Delivery, SHOPIFY, SIGNATURE};
use crate::support::forwarder::{AES, Forwarder, ForwarderConfig};
use crate::support::leaks::{self, CANARY};
use crate::support::sender::Sender;
use crate::support::wait::run;

#[test]
fn health_is_on_both_listeners_and_metrics_on_the_admin_listener_only() {
    run(async {
        let forwarder = Forwarder::start(ForwarderConfig::default()).await;
        let public = Sender::new(&forwarder);
        let admin = Sender::plain(&forwarder.admin.to_string());
        for page in ["/", "/health/live", "/health/ready"] {
            let answer = public.get(page).await;
            assert_eq!(answer.status, 200, "{page}: {answer:?}");
            assert!(!answer.request_id().is_empty(), "{page}: {answer:?}");
            assert_eq!(admin.get(page).await.status, 200, "{page}");
        }
        assert_eq!(admin.get("/metrics").await.status, 200);
        assert_eq!(public.get("/metrics").await.status, 404);
        assert_eq!(admin.get(SHOPIFY).await.status, 404);
    });
}

#[test]
fn metrics_count_every_outcome_with_labels_that_no_caller_chooses() {
    run(async {
        let forwarder = Forwarder::start(ForwarderConfig::default()).await;
        let sender = Sender::new(&forwarder);
        let order = Delivery::order().with("X-Shopify-Topic", "callers/word");
        sender.send(&order).await;
        sender.send(&order).await;
        sender.send(&Delivery::order().without(SIGNATURE)).await;
        sender
            .send(&Delivery::bare(Method::GET, "/callers/word"))
            .await;

        let admin = Sender::plain(&forwarder.admin.to_string());
        let metrics = admin.get("/metrics").await.text;
        for (outcome, count) in [("started", 1), ("duplicate", 1), ("invalid_signature", 1)] {
            let line = format!(
                r#"webhook_forwarder_requests_total{{source="{SHOPIFY}",outcome="{outcome}"}} {count}"#
            );
            assert!(metrics.contains(&line), "{line}\n{metrics}");
        }
        for name in [
            "request_duration_seconds_",
            "temporal_request_duration_seconds_",
            "in_flight ",
            "connections ",
            "signature_key_used_total{",
            "certificate_expiry_timestamp_seconds ",
            "build_info{",
        ] {
            let name = format!("webhook_forwarder_{name}");
            assert!(metrics.contains(&name), "no {name}\n{metrics}");
        }
        assert!(metrics.contains("not_found"), "{metrics}");
        for word in [CANARY, "callers/word", &order.id] {
            assert!(!metrics.contains(word), "{word}\n{metrics}");
        }
    });
}

#[test]
fn each_request_has_one_log_line_with_its_id_and_outcome() {
    run(async {
        let forwarder = Forwarder::start(ForwarderConfig::default()).await;
        let sender = Sender::new(&forwarder);
        let order = Delivery::order();
        let mut ids = BTreeSet::new();
        for outcome in ["started", "duplicate"] {
            let answer = sender.send(&order).await;
            let line = forwarder.request_line(answer.request_id());
            let expected = [
                ("source", SHOPIFY),
                ("topic", "orders/create"),
                ("event_id", &order.id),
                ("outcome", outcome),
                ("workflow_id", &order.id),
            ];
            for (field, value) in expected {
                assert_eq!(line[field], value, "{line}");
            }
            assert!(line["ms"].is_u64(), "{line}");
            ids.insert(answer.request_id().to_owned());
        }
        let answer = sender.send(&Delivery::order().without(SIGNATURE)).await;
        let line = forwarder.request_line(answer.request_id());
        assert_eq!(line["outcome"], "invalid_signature");
        ids.insert(answer.request_id().to_owned());
        for _ in 0..3 {
            sender.get("/health/ready").await;
        }
        sender.send(&order).await;

        let lines = forwarder.log_lines();
        let lines = lines.iter().map(|line| serde_json::from_str::<Value>(line));
        let lines: Vec<_> = lines
            .map(|line| line.expect("every line is JSON"))
            .collect();
        let requests = lines.iter().filter(|line| line["message"] == "request");
        assert!((3..=4).contains(&requests.count()), "{lines:?}");
        assert_eq!(ids.len(), 3, "each request has an id of its own");
    });
}

#[test]
fn not_even_at_debug_level_does_a_log_hold_a_body_a_key_or_a_signature() {
    run(async {
        let mut forwarder = Forwarder::start(ForwarderConfig {
            aes: Some(AES),
            args: &["-d", "--generic-unverified"],
            ..Default::default()
        })
        .await;
        let sender = Sender::new(&forwarder);
        let order = Delivery::order();
        sender.send(&order).await;
        sender.send(&order).await;
        sender.send(&order.clone().with_body(CANARY)).await;
        sender.send(&Delivery::shopify(CANARY)).await;
        sender.send(&order.clone().with(SIGNATURE, CANARY)).await;
        sender
            .send(&order.clone().with("X-Shopify-Other", CANARY))
            .await;
        sender.send(&order.clone().with("Cookie", CANARY)).await;
        // A page is logged at this level alone.
        let page = format!("/health/live?q={CANARY}");
        sender.send(&Delivery::bare(Method::GET, &page)).await;
        let large = format!("[\"{}\"]", CANARY.repeat(200_000));
        sender.send(&Delivery::shopify(large)).await;
        for path in ["/temporal/generic", "/temporal/shopify", "/nowhere"] {
            let with_query = format!("{path}?q={CANARY}");
            for method in [Method::GET, Method::POST] {
                let delivery = Delivery::bare(method, &with_query).with_body(CANARY);
                sender.send(&delivery).await;
            }
        }
        forwarder.signal("TERM");
        forwarder.wait(crate::support::wait::PATIENCE);
        let lines = forwarder.log_lines();
        assert!(lines.iter().any(|line| line.contains("DEBUG")), "{lines:?}");
        assert_eq!(leaks::find(&lines), [""; 0]);
    });
}

#[test]
fn callers_words_cannot_forge_a_log_line() {
    run(async {
        let forwarder = Forwarder::start(ForwarderConfig::default()).await;
        let topic = r#"a","outcome":"forged" \n{"message":"request"}"#;
        let order = Delivery::order().with("X-Shopify-Topic", topic);
        let answer = Sender::new(&forwarder).send(&order).await;
        let line = forwarder.request_line(answer.request_id());
        assert_eq!(line["topic"], topic);
        assert_eq!(line["outcome"], "started");
    });
}

//! The unverified source for anything, which is there only on request.

use reqwest::Method;

use crate::support::delivery::{Delivery, order_body};
use crate::support::event::Envelope;
use crate::support::forwarder::{Forwarder, ForwarderConfig};
use crate::support::sender::Sender;
use crate::support::temporal::Temporal;
use crate::support::wait::run;

#[test]
fn a_post_starts_a_workflow_under_the_id_of_its_header() {
    run(async {
        let temporal = Temporal::shared().await;
        let forwarder = Forwarder::start(generic()).await;
        let warned = forwarder.log_lines();
        assert!(
            warned.iter().any(|line| line.contains("WARN")),
            "{warned:?}"
        );

        for header in ["Webhook-Id", "X-Webhook-Id", "Idempotency-Key"] {
            let event_id = Delivery::order().id;
            let delivery = Delivery::bare(Method::POST, GENERIC)
                .with("Content-Type", "application/json")
                .with(header, &event_id)
                .with_body(order_body());
            let answer = Sender::new(&forwarder).send(&delivery).await;
            assert_eq!(answer.outcome(), "200 started");

            let started = temporal.started(&format!("generic:{event_id}")).await;
            assert_eq!(started.workflow_type, "GenericWebhook");
            assert_eq!(started.task_queue, "generic_webhooks");
            let event = Envelope::read(started.argument().1);
            assert_eq!(event.data().as_bytes(), delivery.body);
            assert_eq!(event.headers["x-webhook-route"], GENERIC);
            assert_eq!(event.headers["x-webhook-method"], "POST");
            assert_eq!(event.headers["x-webhook-verified"], "false");
        }
    });
}

#[test]
fn a_get_carries_its_query() {
    run(async {
        let temporal = Temporal::shared().await;
        let forwarder = Forwarder::start(generic()).await;
        let unique = Delivery::order().id;
        let path = format!("{GENERIC}?a=1&b=x%20y&id={unique}");
        let delivery = Delivery::bare(Method::GET, &path);
        let answer = Sender::new(&forwarder).send(&delivery).await;
        assert_eq!(answer.outcome(), "200 started");

        let workflow_id = answer.json()["workflow_id"].as_str().map(str::to_owned);
        let workflow_id = workflow_id.expect("the answer names it");
        assert!(workflow_id.starts_with("generic:"), "{workflow_id}");
        let started = temporal.started(&workflow_id).await;
        let event = Envelope::read(started.argument().1);
        let expected = format!(r#"{{"a":"1","b":"x y","id":"{unique}"}}"#);
        assert_eq!(event.data(), expected);
        assert_eq!(event.headers["x-webhook-route"], GENERIC);
        assert_eq!(event.headers["x-webhook-method"], "GET");
    });
}

#[test]
fn without_an_id_equal_requests_are_one_event_and_others_are_not() {
    run(async {
        let forwarder = Forwarder::start(generic()).await;
        let sender = Sender::new(&forwarder);
        let first = Delivery::bare(Method::POST, GENERIC).with_body(order_body());
        let other = Delivery::bare(Method::POST, GENERIC).with_body(order_body());
        assert_eq!(sender.send(&first).await.outcome(), "200 started");
        assert_eq!(sender.send(&first).await.outcome(), "200 duplicate");
        assert_eq!(sender.send(&other).await.outcome(), "200 started");
        let queried = Delivery {
            path: format!("{GENERIC}?a=1"),
            ..first
        };
        assert_eq!(sender.send(&queried).await.outcome(), "200 started");
    });
}

fn generic() -> ForwarderConfig {
    ForwarderConfig {
        args: &["--generic-unverified"],
        ..Default::default()
    }
}

const GENERIC: &str = "/temporal/generic";

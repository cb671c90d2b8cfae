//! A real Python worker, with the codec of Temporal's own sample, sees what the sender sent.

use serde_json::{Value, json};

use crate::support::delivery::Delivery;
use crate::support::forwarder::{AES, Forwarder, ForwarderConfig};
use crate::support::history::open;
use crate::support::leaks::CANARY;
use crate::support::sender::Sender;
use crate::support::temporal::Temporal;
use crate::support::wait::run;
use crate::support::worker::PythonWorker;

#[test]
fn a_python_worker_completes_the_workflow_from_the_encrypted_payload_and_sees_the_same_json() {
    run(async {
        let temporal = Temporal::shared().await;
        let forwarder = Forwarder::start(ForwarderConfig {
            aes: Some(AES),
            args: &["--no-global-queue"],
            ..Default::default()
        })
        .await;
        let topic = "worker/encrypted";
        let body = json!({"id": 820982911946154508_u64, "note": CANARY, "ü": ["日本", 1.5, null]});
        let order = Delivery::shopify(body.to_string()).with("X-Shopify-Topic", topic);
        Sender::new(&forwarder).send(&order).await;

        let queue = format!("shopify_webhooks:{topic}");
        let mut worker = PythonWorker::start(&temporal.address(), &queue, Some(AES));
        let result = temporal.result(&order.id, &mut worker).await;
        let seen: Value = serde_json::from_slice(&open(&result, AES.1, AES.0).data).expect("JSON");
        assert_eq!(seen["data"], body);
        assert_eq!(seen["headers"]["x-shopify-topic"], topic);
        assert_eq!(seen["headers"]["x-webhook-verified"], "true");

        let answer = Sender::new(&forwarder).send(&order).await;
        assert_eq!(
            answer.outcome(),
            "200 duplicate",
            "once more, after it closed"
        );
    });
}

#[test]
fn a_python_worker_completes_the_workflow_from_the_plain_payload() {
    run(async {
        let temporal = Temporal::shared().await;
        let forwarder = Forwarder::start(ForwarderConfig {
            args: &["--no-global-queue"],
            ..Default::default()
        })
        .await;
        let order = Delivery::order().with("X-Shopify-Topic", "worker/plain");
        Sender::new(&forwarder).send(&order).await;

        let queue = "shopify_webhooks:worker/plain";
        let mut worker = PythonWorker::start(&temporal.address(), queue, None);
        let result = temporal.result(&order.id, &mut worker).await;
        let seen: Value = serde_json::from_slice(&result.data).expect("JSON");
        let sent: Value = serde_json::from_slice(&order.body).expect("JSON");
        assert_eq!(seen["data"], sent);
    });
}

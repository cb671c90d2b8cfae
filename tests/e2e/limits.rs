//! Events over what Temporal takes: parked compressed and whole if they fit so, else 413 with both
//! sizes. What it takes the namespace says, or the server when it refuses.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use temporal_webhook_forwarder::temporal::payload::from_temporal;
use temporalio_common::protos::temporal::api::common::v1::Payload;
use webhook_core::codec::Codec;

use crate::support::configured::Configured;
use crate::support::delivery::Delivery;
use crate::support::forwarder::{Forwarder, ForwarderConfig};
use crate::support::limits::{Said, saying, silent};
use crate::support::sender::{Answer, Sender};
use crate::support::temporal::Temporal;
use crate::support::wait::{PATIENCE, run, until};

#[test]
fn an_event_over_what_the_namespace_says_is_parked_compressed_and_whole() {
    run(async {
        let stage = Stage::new(100_000, 5_000).await;
        let fits = stage.send(&sized(90_000)).await;
        assert_eq!(fits.outcome(), "200 started");
        for (event, part) in [
            (sized(100_000), "encoded, it has 10"),
            (sized(900_000), "encoded, it has 900"),
            (noted(6_000), "encoded, its memo has 6"),
        ] {
            let answer = stage.send(&event).await;
            assert_eq!(answer.outcome(), "200 dead_lettered", "{answer:?}");
            stage.temporal().await.assert_absent(&event.id).await;
            let reason = stage.reason(&answer, "ERROR");
            let limit = if part.contains("memo") {
                5_000
            } else {
                100_000
            };
            let both = format!(" bytes, and Temporal takes {limit}");
            assert!(
                reason.starts_with(part) && reason.contains(&both),
                "{reason}"
            );

            let id = format!("dead-letter:/temporal/shopify:{}", event.id);
            let started = stage.temporal().await.started(&id).await;
            assert_eq!(started.input[0].metadata["encoding"], b"binary/zlib");
            let letter = inflated(started.input[0].clone());
            assert_eq!(letter["reason"], reason);
            assert_eq!(body(&letter["event"]), event.body);
            assert_eq!(
                stage.send(&event).await.outcome(),
                "200 dead_lettered",
                "again"
            );
        }
        let metrics = stage.metrics().await;
        for (reason, count) in [
            ("too_large", 6),
            ("unstartable", 0),
            ("may_have_been_taken", 0),
        ] {
            let counted = format!(
                "webhook_forwarder_dead_letters_total{{source=\"/temporal/shopify\",reason=\"{reason}\"}} {count}"
            );
            assert!(metrics.contains(&counted), "{metrics}");
        }
    });
}

#[test]
fn what_does_not_fit_compressed_is_413_and_says_both_sizes() {
    run(async {
        let stage = Stage::new(50_000, 5_000).await;
        let event = Delivery::shopify(json!({"noise": noise(100_000)}).to_string());
        let answer = stage.send(&event).await;
        assert_eq!(answer.status, 413, "{answer:?}");
        let id = format!("dead-letter:/temporal/shopify:{}", event.id);
        for id in [&id, &event.id] {
            stage.temporal().await.assert_absent(id).await;
        }
        let line = stage.forwarder.request_line(answer.request_id());
        assert_eq!(line["outcome"], "too_large");
        assert_eq!(line["event_id"], event.id);
        let reason = stage.reason(&answer, "ERROR");
        for part in [
            "encoded, it has 100",
            " bytes, and Temporal takes 50000; as a dead letter, compressed, encoded, it has ",
            ": [large_payloads] stores such events in S3",
        ] {
            assert!(reason.contains(part), "{part}: {reason}");
        }
    });
}

#[test]
fn the_limits_are_the_namespaces_of_now() {
    run(async {
        let stage = Stage::new(50_000, 5_000).await;
        let answer = stage.send(&sized(80_000)).await;
        assert_eq!(answer.outcome(), "200 dead_lettered");
        stage.said.send_replace((150_000, 5_000));
        // Asked anew in the background, without a request for readiness.
        until("the new limit holds", PATIENCE, || async {
            stage.send(&sized(80_000)).await.outcome() == "200 started"
        })
        .await;
    });
}

#[test]
fn a_namespace_that_takes_more_than_a_message_holds_is_held_to_the_message() {
    run(async {
        const MIB: usize = 1 << 20;
        let flags = &[
            "--dynamic-config-value",
            "limit.blobSize.error=16777216",
            "--dynamic-config-value",
            "limit.memoSize.error=16777216",
        ];
        let temporal = Temporal::start(flags).await;
        let stage = Stage::before(temporal, 16 << 20, 16 << 20).await;
        // Over Temporal's default, which holds no more.
        let answer = stage.send(&sized(3 * MIB)).await;
        assert_eq!(answer.outcome(), "200 started", "{answer:?}");
        let answer = stage.send(&sized(4 * MIB)).await;
        assert_eq!(answer.outcome(), "200 dead_lettered", "{answer:?}");
        let reason = stage.reason(&answer, "ERROR");
        let limit = reason
            .split("Temporal takes ")
            .nth(1)
            .and_then(|rest| rest.split(' ').next());
        let limit: usize = limit
            .and_then(|limit| limit.parse().ok())
            .expect("a number");
        assert!((4 * MIB - 3_000..4 * MIB).contains(&limit), "{reason}");

        // To the byte: as much as was said to fit does, beside the same memo.
        let envelope = size(&reason) - sized(4 * MIB).body.len();
        let fits = sized_exactly(limit - envelope);
        assert_eq!(stage.send(&fits).await.outcome(), "200 started");
        let over = sized_exactly(limit - envelope + 1);
        assert_eq!(stage.send(&over).await.outcome(), "200 dead_lettered");
    });
}

#[test]
fn a_server_that_says_no_limits_and_refuses_is_believed() {
    run(async {
        let flags = &[
            "--dynamic-config-value",
            "limit.blobSize.error=30000",
            "--dynamic-config-value",
            "limit.memoSize.error=3000",
            // Below this, Temporal does not look.
            "--dynamic-config-value",
            "limit.blobSize.warn=30000",
            "--dynamic-config-value",
            "limit.memoSize.warn=3000",
        ];
        let temporal = Temporal::start(flags).await;
        let (forwarder, _configured) = forwarder(silent(temporal.address()).await).await;
        let sender = Sender::new(&forwarder);
        for event in [sized(40_000), noted(4_000)] {
            let answer = sender.send(&event).await;
            assert_eq!(answer.outcome(), "200 dead_lettered", "{answer:?}");
            let line = forwarder.request_line(answer.request_id());
            let reason = line["reason"].as_str().unwrap_or_default();
            assert!(reason.contains("exceeds limit"), "{reason}");
            let id = format!("dead-letter:/temporal/shopify:{}", event.id);
            let letter = inflated(temporal.started(&id).await.input.remove(0));
            assert_eq!(body(&letter["event"]), event.body);
        }
        let answer = sender
            .send(&Delivery::shopify(
                json!({"noise": noise(60_000)}).to_string(),
            ))
            .await;
        assert_eq!(answer.status, 413, "{answer:?}");
    });
}

/// A forwarder before a Temporal whose namespace says its limits.
struct Stage {
    own: Option<Temporal>,
    forwarder: Forwarder,
    sender: Sender,
    said: Said,
    _configured: Configured,
}

impl Stage {
    async fn new(payload: i64, memo: i64) -> Self {
        let address = Temporal::shared().await.address();
        Self::at(address, None, payload, memo).await
    }

    async fn before(temporal: Temporal, payload: i64, memo: i64) -> Self {
        Self::at(temporal.address(), Some(temporal), payload, memo).await
    }

    async fn at(address: String, own: Option<Temporal>, payload: i64, memo: i64) -> Self {
        let (address, said) = saying(address, payload, memo).await;
        let (forwarder, configured) = forwarder(address).await;
        let sender = Sender::new(&forwarder);
        Self {
            _configured: configured,
            own,
            forwarder,
            sender,
            said,
        }
    }

    async fn temporal(&self) -> &Temporal {
        match &self.own {
            Some(own) => own,
            None => Temporal::shared().await,
        }
    }

    async fn send(&self, event: &Delivery) -> Answer {
        self.sender.send(event).await
    }

    /// Of the request's line, which has this level.
    fn reason(&self, answer: &Answer, level: &str) -> String {
        let line = self.forwarder.request_line(answer.request_id());
        assert_eq!(line["level"], level, "{line}");
        line["reason"].as_str().unwrap_or_default().to_owned()
    }

    async fn metrics(&self) -> String {
        let admin = Sender::plain(&self.forwarder.admin.to_string());
        admin.get("/metrics").await.text
    }
}

async fn forwarder(endpoint: String) -> (Forwarder, Configured) {
    let configured = Configured::new(ROUTES);
    let forwarder = Forwarder::start(ForwarderConfig {
        endpoint: Some(endpoint),
        ..configured.plain()
    })
    .await;
    // The limits are known once it is ready.
    let sender = Sender::new(&forwarder);
    until("it is ready", PATIENCE, || async {
        sender.get("/health/ready").await.status == 200
    })
    .await;
    (forwarder, configured)
}

/// A body of about so many bytes, which compress well.
/// What is in a dead letter, which is compressed.
fn inflated(letter: Payload) -> Value {
    let letter = Codec::default().decode(from_temporal(letter));
    serde_json::from_slice(&letter.expect("it is compressed").data).expect("JSON")
}

fn sized(size: usize) -> Delivery {
    sized_exactly(size + 11)
}

/// A body of so many bytes.
fn sized_exactly(size: usize) -> Delivery {
    Delivery::shopify(format!(r#"{{"text":"{}"}}"#, "x".repeat(size - 11)))
}

/// An event whose memo has so many bytes.
fn noted(size: usize) -> Delivery {
    let body = json!({ "note": "y".repeat(size) }).to_string();
    Delivery::shopify(body).with("X-Shopify-Topic", "noted")
}

/// Hex digits that nothing compresses to less than their half.
fn noise(size: usize) -> String {
    let mut bytes = vec![0; size / 2];
    aws_lc_rs::rand::fill(&mut bytes).expect("the system gives random numbers");
    hex::encode(bytes)
}

/// The size that a reason names.
fn size(reason: &str) -> usize {
    let size = reason
        .split(" has ")
        .nth(1)
        .and_then(|rest| rest.split(' ').next());
    size.and_then(|size| size.parse().ok()).expect("a number")
}

fn body(event: &Value) -> Vec<u8> {
    match (
        event["body"].as_str(),
        event["body_text"].as_str(),
        event["bodyText"].as_str(),
    ) {
        (_, Some(text), _) | (_, _, Some(text)) => text.into(),
        (Some(base64), None, None) => STANDARD.decode(base64).expect("base64"),
        _ => panic!("no body: {event}"),
    }
}

const ROUTES: &str = r#"
[[source]]
path = "/temporal/shopify"
provider = "shopify"
secrets = ["env:SHOPIFY_WEBHOOKS_KEY"]
body_limit = "8MiB"

[[source.route]]
when = 'topic == "noted"'
memo = { note = "{body.note}" }
"#;

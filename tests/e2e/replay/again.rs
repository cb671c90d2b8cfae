//! Workflows, signals and updates that were there before, sent again; many at a rate.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use serde_json::json;
use uuid::Uuid;

use super::{Stage, every_format, open_letters, source};
use crate::support::delivery::Delivery;
use crate::support::formats::{BODIES, FORMATS};
use crate::support::inspect::json;
use crate::support::sender::Sender;
use crate::support::wait::{PATIENCE, run, until};
use crate::support::worker::PythonWorker;

#[test]
fn a_closed_workflow_is_started_again_in_every_format() {
    run(async {
        for (stage, what) in [
            (Stage::new(&every_format("")).await, "plain"),
            (
                Stage::encrypted(&every_format("compress = 'zlib'")).await,
                "zlib, encrypted",
            ),
        ] {
            let sender = Sender::new(&stage.forwarder);
            let mut ids = Vec::new();
            for format in FORMATS {
                for body in BODIES {
                    let mut event = Delivery::shopify(body.bytes).without("Content-Type");
                    if !body.content_type.is_empty() {
                        event = event.with("Content-Type", body.content_type);
                    }
                    event.path = format!("/{format}");
                    assert_eq!(sender.send(&event).await.outcome(), "200 started");
                    ids.push(format!("{format}:{}", event.id));
                }
            }
            let flags: Vec<_> = ids.iter().flat_map(|id| ["--workflow-id", id]).collect();
            let flags = [&flags[..], &["--rate", "1000"]].concat();
            let running = stage.replay(&flags).fine();
            assert!(
                running.ends_with("42 events: 42 duplicate\n"),
                "{what}: {running}"
            );

            let mut before = HashMap::new();
            for id in &ids {
                let run_id = stage.temporal.run_id(id).await;
                before.insert(id, (run_id, stage.whole(id).await));
                stage.temporal.terminate(id).await;
            }
            let started = stage.replay(&flags).fine();
            assert!(
                started.ends_with("42 events: 42 started\n"),
                "{what}: {started}"
            );
            for id in &ids {
                let (run_id, whole) = &before[id];
                assert_ne!(stage.temporal.run_id(id).await, *run_id, "{what}: {id}");
                assert_eq!(stage.whole(id).await, *whole, "{what}: {id}");
            }
        }
    });
}

#[test]
fn signals_and_updates_are_sent_again() {
    run(async {
        let key = Uuid::new_v4().simple().to_string();
        let queue = format!("entity-{key}");
        let routes = ENTITY.replace("QUEUE", &queue);
        let stage = Stage::new(&routes).await;
        let sender = Sender::new(&stage.forwarder);
        let id = format!("entity:{key}");
        let _worker = PythonWorker::entity(&stage.temporal.address(), &queue);
        let event = |topic: &str, n: u32| {
            let body = json!({"key": key, "n": n}).to_string();
            Delivery::shopify(body).with("X-Shopify-Topic", topic)
        };
        let signals = [event("signal", 1), event("signal", 2)];
        for signal in &signals {
            assert_eq!(sender.send(signal).await.outcome(), "200 signalled");
        }
        let update = event("update", 3);
        sender.send_until_taken(&update).await;
        let by_id = ["--workflow-id", id.as_str()];
        let dry = stage.replay(&["--dry-run", by_id[0], by_id[1]]).fine();
        assert!(
            dry.ends_with("3 events: 2 would signal, 1 would update\n"),
            "{dry}"
        );

        // Running: the entity sees each once more, in the same order.
        let again = stage.replay(&by_id).fine();
        assert!(
            again.ends_with("3 events: 2 signalled, 1 updated\n"),
            "{again}"
        );
        let run_id = stage.temporal.run_id(&id).await;
        let seen = stage.temporal.signals(&id).await;
        let seen: Vec<_> = seen
            .iter()
            .map(|(_, event)| json(event)["data"]["n"].clone())
            .collect();
        assert_eq!(seen, [1, 2, 1, 2]);

        // Closed: another run begins. What the history has twice is done once.
        stage.temporal.terminate(&id).await;
        let first = stage.replay(&["--limit", "1", by_id[0], by_id[1]]).fine();
        assert!(
            first
                .ends_with("1 event: 1 signalled; stopped at --limit, 0 workflows not looked at\n"),
            "{first}"
        );
        assert_ne!(stage.temporal.run_id(&id).await, run_id);
        let run = run_id.as_deref().unwrap_or_default();
        let old = stage.replay(&["--run-id", run, by_id[0], by_id[1]]).fine();
        assert!(
            old.ends_with("6 events: 3 duplicate, 2 signalled, 1 updated\n"),
            "{old}"
        );
    });
}

#[test]
fn many_are_replayed_at_a_rate_and_up_to_a_limit() {
    run(async {
        let stage = Stage::new(&source("summary = 'order {body.number}'")).await;
        let prefix = Uuid::new_v4().simple().to_string();
        for n in 0..30 {
            let event =
                Delivery::shopify(br#"{"id":1}"#.to_vec()).with_id(&format!("{prefix}-{n}"));
            stage.parked(&event).await;
        }
        let letters = format!("dead-letter:/temporal/shopify:{prefix}");
        stage.temporal.runs(&letters, 30).await;
        stage.configured.rewrite(&source(""));
        let query = open_letters(&letters).replace("WorkflowId = ", "WorkflowId STARTS_WITH ");
        let by_query = ["--query", query.as_str()];
        let dry = stage
            .replay(&[&by_query[..], &["--dry-run", "--limit", "5"]].concat())
            .fine();
        let sum = "5 events: 5 would start; stopped at --limit, 25 workflows not looked at\n";
        assert!(dry.ends_with(sum), "{dry}");
        let some = stage
            .replay(&[&by_query[..], &["--limit", "10", "--rate", "100"]].concat())
            .fine();
        let sum = "10 events: 10 started; stopped at --limit, 20 workflows not looked at\n";
        assert!(some.ends_with(sum), "{some}");
        let ids: Vec<_> = some.lines().take(10).collect();
        for (n, line) in ids.iter().enumerate() {
            assert!(
                line.contains(&format!(" {prefix}-{n} ")),
                "the oldest first: {some}"
            );
        }
        until("20 are left", PATIENCE, async || {
            stage.temporal.count(&query).await == 20
        })
        .await;
        let begun = Instant::now();
        let rest = stage
            .replay(&[&by_query[..], &["--rate", "20"]].concat())
            .fine();
        assert!(rest.ends_with("20 events: 20 started\n"), "{rest}");
        assert!(begun.elapsed() >= Duration::from_millis(950), "20 a second");
        until("none is left", PATIENCE, async || {
            stage.temporal.count(&query).await == 0
        })
        .await;
        assert_eq!(
            stage.temporal.runs(&prefix, 30).await.len(),
            30,
            "each once"
        );
    });
}

const ENTITY: &str = r#"
[[source]]
path = "/temporal/shopify"
provider = "shopify"
secrets = ["env:SHOPIFY_WEBHOOKS_KEY"]
task_queue = "QUEUE"
workflow_type = "Entity"

[[source.route]]
when = 'topic == "signal"'
action = "signal-with-start"
workflow_id = "entity:{body.key}"

[[source.route]]
when = 'topic == "update"'
action = "update-with-start"
workflow_id = "entity:{body.key}"
"#;

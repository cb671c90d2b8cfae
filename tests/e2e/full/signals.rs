//! A run that takes no more signals, and one that continues as new in time.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};
use temporalio_common::protos::temporal::api::history::v1::history_event::Attributes;

use super::{Stage, letter};
use crate::support::delivery::Delivery;
use crate::support::forwarder::AES;
use crate::support::history::open;
use crate::support::inspect::{cli, json};
use crate::support::run_folder;
use crate::support::temporal::Temporal;
use crate::support::wait::{PATIENCE, run, until};
use crate::support::worker::{self, PythonWorker};

#[test]
fn an_event_for_a_workflow_with_all_its_signals_is_parked_as_perhaps_taken_and_replayed_once() {
    run(async {
        let temporal = Temporal::start(FIVE_SIGNALS).await;
        let stage = Stage::new(&temporal, true).await;
        let id = format!("entity:{}", stage.key);
        let mut events = Vec::new();
        for topic in ["entity", "entity", "signal", "entity", "signal"] {
            let event = stage.event(topic);
            assert_eq!(stage.send(&event).await.outcome(), "200 signalled");
            events.push(event);
        }
        let run_id = temporal.run_id(&id).await.expect("it runs");

        // A plain signal it knows again. With a start, taken or not, it refuses all alike.
        assert_eq!(stage.send(&events[2]).await.outcome(), "200 signalled");
        let new = stage.event("entity");
        let (taken, taken_too) = (&events[0], &events[1]);
        for event in [taken, taken_too, &new] {
            let answer = stage.send(event).await;
            assert_eq!(answer.outcome(), "200 dead_lettered", "{answer:?}");
            let line = stage.forwarder.request_line(answer.request_id());
            assert_eq!(line["level"], "ERROR");
            let reason = line["reason"].as_str().unwrap_or_default();
            let named = format!("workflow {id:?} takes no more, and may have taken this event");
            assert!(reason.starts_with(&named), "{reason}");
            assert!(reason.contains("continue as new"), "{reason}");
            let started = temporal.started(&letter(event)).await;
            let data = json(&open(&started.input[0], AES.1, AES.0));
            let expected = json!({"workflow_id": id, "run_id": run_id});
            assert_eq!(data["may_have_been_taken"], expected);
            let memo = json(&open(&started.memo["may_have_been_taken"], AES.1, AES.0));
            assert_eq!(memo, expected);
        }
        let counted =
            "dead_letters_total{source=\"/temporal/shopify\",reason=\"may_have_been_taken\"} 3";
        assert!(stage.metrics().await.contains(counted));

        let dry = stage.replay(&["--dry-run"], &[taken, &new]).fine();
        let lines: Vec<_> = dry.lines().collect();
        let closes = format!("would close   {}  {id} has taken it", taken.id);
        assert_eq!(lines[0], closes);
        assert!(lines[1].starts_with("would signal  "), "{dry}");
        assert!(stage.is_open(taken).await);

        let replayed = stage.replay(&[], &[taken, taken_too, &new]);
        let lines: Vec<_> = replayed.stdout.lines().collect();
        for (line, event) in [(lines[0], taken), (lines[1], taken_too)] {
            let expected = format!("duplicate     {}  {id} has taken it", event.id);
            assert_eq!(line, expected);
            assert!(!stage.is_open(event).await, "it is closed");
        }
        let failed = format!(
            "failed        {}: workflow {id:?} takes no more",
            letter(&new)
        );
        assert!(lines[2].starts_with(&failed), "{replayed:?}");
        assert!(stage.is_open(&new).await);
        assert_eq!(temporal.signals(&id).await.len(), 5, "and not twice");

        // Another run takes what was not taken, and still not what was.
        let late = &events[3];
        assert_eq!(stage.send(late).await.outcome(), "200 dead_lettered");
        temporal.terminate(&id).await;
        let replayed = stage.replay(&[], &[late, &new]).fine();
        let lines: Vec<_> = replayed.lines().collect();
        let expected = format!("duplicate     {}  {id} has taken it", late.id);
        assert_eq!(lines[0], expected);
        assert!(lines[1].starts_with("signalled "), "{replayed}");
        let signals = temporal.signals(&id).await;
        assert_eq!(signals.len(), 1);
        let signal = json(&open(&signals[0].1, AES.1, AES.0));
        assert_eq!(signal["headers"]["x-shopify-webhook-id"], new.id);
        assert!(!stage.is_open(&new).await);
    });
}

#[test]
fn an_event_that_the_run_before_has_taken_is_not_replayed() {
    run(async {
        let temporal = Temporal::shared().await;
        let stage = Stage::new(temporal, false).await;
        let id = format!("entity:{}", stage.key);
        cli(
            temporal,
            &[
                "start",
                "--type",
                "Entity",
                "--task-queue",
                "q",
                "--cron",
                "@every 1s",
                "--run-timeout",
                "1s",
            ],
            &id,
            None,
        );
        let (taken, new) = (stage.event("signal"), stage.event("signal"));
        assert_eq!(stage.send(&taken).await.outcome(), "200 signalled");
        let first = temporal.run_id(&id).await.expect("it runs");
        until("it goes on in another run", PATIENCE, async || {
            temporal.run_id(&id).await.is_some_and(|run| run != first)
        })
        .await;
        let run_id = temporal.run_id(&id).await.expect("it runs");
        temporal.terminate(&id).await;

        // As if Temporal had refused it just before.
        let named = json!({"workflow_id": id, "run_id": run_id});
        for event in [&taken, &new] {
            let odd = event.clone().with("X-Shopify-Topic", "odd");
            let answer = stage.send(&odd).await;
            assert_eq!(answer.outcome(), "200 dead_lettered", "{answer:?}");
            let started = temporal.started(&letter(event)).await;
            let mut data = json(&started.input[0]);
            data["may_have_been_taken"] = named.clone();
            let input = data.to_string().replace("\"odd\"", "\"entity\"");
            temporal.terminate(&letter(event)).await;
            let start = [
                "start",
                "--type",
                "WebhookDeadLetter",
                "--task-queue",
                "q",
                "--id-reuse-policy",
                "AllowDuplicate",
            ];
            cli(temporal, &start, &letter(event), Some(input));
        }
        let replayed = stage.replay(&[], &[&taken, &new]).fine();
        let lines: Vec<_> = replayed.lines().collect();
        let expected = format!("duplicate     {}  {id} has taken it", taken.id);
        assert_eq!(lines[0], expected, "{replayed}");
        assert!(lines[1].starts_with("signalled "), "{replayed}");
        assert_eq!(temporal.signals(&id).await.len(), 1);
    });
}

#[test]
fn a_signal_of_an_earlier_version_which_has_no_key_is_known_by_its_content() {
    run(async {
        let temporal = Temporal::start(FIVE_SIGNALS).await;
        let stage = Stage::new(&temporal, false).await;
        let id = format!("entity:{}", stage.key);
        let (taken, new) = (stage.event("entity"), stage.event("entity"));
        cli(
            &temporal,
            &["start", "--type", "Entity", "--task-queue", "q"],
            &id,
            None,
        );
        for n in 0..5 {
            let event = if n == 3 {
                &taken
            } else {
                &stage.event("entity")
            };
            cli(
                &temporal,
                &["signal", "--name", "webhook"],
                &id,
                Some(envelope(event)),
            );
        }
        for event in [&taken, &new] {
            assert_eq!(stage.send(event).await.outcome(), "200 dead_lettered");
        }
        temporal.terminate(&id).await;
        let replayed = stage.replay(&[], &[&taken, &new]).fine();
        let lines: Vec<_> = replayed.lines().collect();
        assert!(lines[0].ends_with("has taken it"), "{replayed}");
        assert!(lines[1].starts_with("signalled "), "{replayed}");
        assert_eq!(temporal.signals(&id).await.len(), 1);
    });
}

/// More signals than a run takes, each right after the other.
#[test]
fn the_cart_of_the_documentation_continues_as_new_in_time() {
    run(async {
        let flags = &[
            "--dynamic-config-value",
            "history.maximumSignalsPerExecution=100",
            "--dynamic-config-value",
            "limit.historyCount.suggestContinueAsNew=12",
        ];
        let temporal = Temporal::start(flags).await;
        let stage = Stage::new(&temporal, false).await;
        let page = include_str!("../../../docs/routes.md");
        let (_, cart) = page
            .split_once("```python\n@workflow.defn(name=\"Cart\")")
            .expect("a cart");
        let (cart, _) = cart.split_once("```").expect("it ends");
        let file = run_folder().join("cart.py");
        let text = CART_WORKER.replace("CART", &format!("@workflow.defn(name=\"Cart\"){cart}"));
        fs::write(&file, text).expect("the folder is writable");
        let mut command = Command::new(worker::python());
        let _worker =
            PythonWorker::spawn(command.arg(file), &temporal.address(), &stage.queue(), &[]);
        let id = format!("entity:{}", stage.key);
        let first = stage.event("cart");
        assert_eq!(stage.send(&first).await.outcome(), "200 signalled");
        until("the worker is up", PATIENCE, async || {
            let is_done = |event: &Attributes| {
                matches!(event, Attributes::WorkflowTaskCompletedEventAttributes(_))
            };
            temporal.history(&id).await.iter().any(is_done)
        })
        .await;
        for n in 0..150 {
            let answer = stage.send(&stage.event("cart")).await;
            assert_eq!(answer.outcome(), "200 signalled", "{n}: {answer:?}");
        }
        assert!(temporal.runs(&id, 2).await.len() >= 2);
    });
}

/// As a worker gets it.
fn envelope(event: &Delivery) -> String {
    let body: Value = serde_json::from_slice(&event.body).expect("JSON");
    let headers = json!({
        "content-type": "application/json",
        "x-shopify-topic": event.header("X-Shopify-Topic"),
        "x-shopify-webhook-id": event.id,
        "x-webhook-route": "/temporal/shopify",
        "x-webhook-method": "POST",
        "x-webhook-verified": "true",
    });
    json!({"headers": headers, "data": body}).to_string()
}

const CART_WORKER: &str = r#"import asyncio
import sys
from datetime import timedelta

from temporalio import workflow
from temporalio.client import Client
from temporalio.envconfig import ClientConfig
from temporalio.worker import Worker

CART

async def main(task_queue: str) -> None:
    client = await Client.connect(**ClientConfig.load_client_connect_config())
    async with Worker(client, task_queue=task_queue, workflows=[Cart]):
        await asyncio.Event().wait()

if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
"#;

const FIVE_SIGNALS: &[&str] = &[
    "--dynamic-config-value",
    "history.maximumSignalsPerExecution=5",
];

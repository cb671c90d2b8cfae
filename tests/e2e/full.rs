//! Workflows that take no more: Temporal's limits of signals and updates, and closed runs under
//! `reject-duplicate`. What was taken before is not done twice, what was not is parked.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};
use temporalio_common::protos::temporal::api::history::v1::history_event::Attributes;
use uuid::Uuid;

use crate::support::configured::Configured;
use crate::support::delivery::Delivery;
use crate::support::forwarder::{AES, Forwarder, ForwarderConfig, SECRET};
use crate::support::history::open;
use crate::support::inspect::{cli, json};
use crate::support::run::Run;
use crate::support::run_folder;
use crate::support::sender::{Answer, Sender};
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

#[test]
fn a_closed_workflow_that_may_not_start_again_has_taken_it_or_not() {
    run(async {
        let temporal = Temporal::shared().await;
        let stage = Stage::new(temporal, false).await;
        let _worker = PythonWorker::entity(&temporal.address(), &stage.queue());
        let id = format!("entity:{}", stage.key);
        let first = stage.event("update-once");
        let updated = stage.sender.send_until_taken(&first).await;
        assert_eq!(updated.json(), json!({"seen": [first.id]}));
        let mut slow = stage.event("update-accepted");
        slow = slow.with_body(json!({"key": stage.key, "mode": "slow", "seconds": 60}).to_string());
        let slow = slow.signed(SECRET);
        assert_eq!(stage.send(&slow).await.outcome(), "200 updated");
        let signals = [stage.event("once"), stage.event("once")];
        for event in &signals {
            assert_eq!(stage.send(event).await.outcome(), "200 signalled");
        }
        let run_id = temporal.run_id(&id).await.expect("it runs");
        temporal.terminate(&id).await;

        let answer = stage.send(&first).await;
        assert_eq!(
            answer.json(),
            json!({"seen": [first.id]}),
            "Temporal has its result"
        );
        for event in [&slow, &signals[0], &signals[1]] {
            let answer = stage.send(event).await;
            assert_eq!(answer.outcome(), "200 duplicate", "{answer:?}");
            assert_eq!(answer.run_id(), run_id);
        }
        for topic in ["once", "update-once"] {
            let new = stage.event(topic);
            let answer = stage.send(&new).await;
            assert_eq!(answer.outcome(), "200 dead_lettered", "{answer:?}");
            let line = stage.forwarder.request_line(answer.request_id());
            let expected =
                format!("workflow {id:?} is closed, and no other of its id may be started");
            assert_eq!(line["reason"], expected);
            let data = json(&temporal.started(&letter(&new)).await.input[0]);
            assert_eq!(data["may_have_been_taken"], Value::Null, "it was not");
        }
        assert_eq!(temporal.run_id(&id).await, Some(run_id), "no other run");
    });
}

/// The one that started the workflow is its first signal: its request id is that of the start, too.
#[test]
fn the_signal_that_started_a_closed_workflow_is_a_duplicate() {
    run(async {
        let temporal = Temporal::shared().await;
        let stage = Stage::new(temporal, true).await;
        let event = stage.event("once");
        assert_eq!(stage.send(&event).await.outcome(), "200 signalled");
        temporal.terminate(&format!("entity:{}", stage.key)).await;
        let again = stage.send(&event).await;
        assert_eq!(again.outcome(), "200 duplicate", "{again:?}");
        let new = stage.event("once");
        assert_eq!(stage.send(&new).await.outcome(), "200 dead_lettered");
    });
}

#[test]
fn an_update_for_a_workflow_with_all_its_updates_is_parked() {
    run(async {
        let flags = &["--dynamic-config-value", "history.maxTotalUpdates=2"];
        let temporal = Temporal::start(flags).await;
        let stage = Stage::new(&temporal, false).await;
        let _worker = PythonWorker::entity(&temporal.address(), &stage.queue());
        let id = format!("entity:{}", stage.key);
        let first = stage.event("update");
        stage.sender.send_until_taken(&first).await;
        let second = stage.event("update");
        assert_eq!(stage.send(&second).await.status, 200);
        let third = stage.event("update");
        let answer = stage.send(&third).await;
        assert_eq!(answer.outcome(), "200 dead_lettered", "{answer:?}");
        let line = stage.forwarder.request_line(answer.request_id());
        let reason = line["reason"].as_str().unwrap_or_default();
        assert!(
            reason.contains(&format!("workflow {id:?} takes no more")),
            "{reason}"
        );
        assert!(reason.contains("continue as new"), "{reason}");
        assert_eq!(
            stage.send(&first).await.json(),
            json!({"seen": [first.id]}),
            "again"
        );
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
        let page = include_str!("../../docs/routes.md");
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

/// A forwarder with a route for each case, and an entity of this test's own.
struct Stage<'a> {
    temporal: &'a Temporal,
    configured: Configured,
    forwarder: Forwarder,
    sender: Sender,
    is_encrypted: bool,
    key: String,
}

impl<'a> Stage<'a> {
    async fn new(temporal: &'a Temporal, is_encrypted: bool) -> Self {
        let key = Uuid::new_v4().simple().to_string();
        let configured = Configured::new(&ROUTES.replace("QUEUE", &format!("full-{key}")));
        let forwarder = Forwarder::start(ForwarderConfig {
            endpoint: Some(temporal.address()),
            aes: is_encrypted.then_some(AES),
            ..configured.plain()
        })
        .await;
        Self {
            temporal,
            configured,
            sender: Sender::new(&forwarder),
            forwarder,
            is_encrypted,
            key,
        }
    }

    fn queue(&self) -> String {
        format!("full-{}", self.key)
    }

    fn event(&self, topic: &str) -> Delivery {
        let body = json!({"key": self.key}).to_string();
        Delivery::shopify(body).with("X-Shopify-Topic", topic)
    }

    async fn send(&self, event: &Delivery) -> Answer {
        self.sender.send(event).await
    }

    async fn metrics(&self) -> String {
        let admin = Sender::plain(&self.forwarder.admin.to_string());
        admin.get("/metrics").await.text
    }

    /// Of the dead letters of these events.
    fn replay(&self, flags: &[&str], events: &[&Delivery]) -> Run {
        let address = self.temporal.address();
        let letters: Vec<_> = events.iter().map(|event| letter(event)).collect();
        let letters: Vec<_> = letters
            .iter()
            .flat_map(|id| ["--workflow-id", id])
            .collect();
        let common = ["replay", "--endpoint", &address];
        let args = [&common[..], self.configured.args(), flags, &letters].concat();
        let keys = [("AES_KEY", AES.0), ("AES_KEY_ID", AES.1)];
        let keys = if self.is_encrypted { &keys[..] } else { &[] };
        Run::new(&args, &[&[("SHOPIFY_WEBHOOKS_KEY", SECRET)], keys].concat())
    }

    async fn is_open(&self, event: &Delivery) -> bool {
        let description = self.temporal.description(&letter(event)).await;
        let info = description.workflow_execution_info;
        info.expect("it is there").close_time.is_none()
    }
}

fn letter(event: &Delivery) -> String {
    format!("dead-letter:/temporal/shopify:{}", event.id)
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

const ROUTES: &str = r#"
[[source]]
path = "/temporal/shopify"
provider = "shopify"
secrets = ["env:SHOPIFY_WEBHOOKS_KEY"]
task_queue = "QUEUE"
workflow_type = "Entity"
workflow_id = "entity:{body.key}"

[[source.route]]
when = 'topic == "entity"'
action = "signal-with-start"

[[source.route]]
when = 'topic == "cart"'
action = "signal-with-start"
workflow_type = "Cart"

[[source.route]]
when = 'topic == "signal"'
action = "signal"

[[source.route]]
when = 'topic == "odd"'
summary = "{body.missing}"

[[source.route]]
when = 'topic == "once"'
action = "signal-with-start"
reuse_policy = "reject-duplicate"

[[source.route]]
when = 'topic == "update"'
action = "update-with-start"
respond = "result"

[[source.route]]
when = 'topic == "update-once"'
action = "update-with-start"
respond = "result"
reuse_policy = "reject-duplicate"

[[source.route]]
when = 'topic == "update-accepted"'
action = "update-with-start"
reuse_policy = "reject-duplicate"
"#;

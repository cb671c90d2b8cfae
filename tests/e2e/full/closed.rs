//! Closed runs that may not start again, and runs that take no more updates.

use serde_json::{Value, json};

use super::{Stage, letter};
use crate::support::forwarder::SECRET;
use crate::support::inspect::json;
use crate::support::temporal::Temporal;
use crate::support::wait::run;
use crate::support::worker::PythonWorker;

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

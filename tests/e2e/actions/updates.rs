//! Updates: their result is the answer, and without a worker 503.

use serde_json::json;

use super::Stage;
use crate::support::wait::run;
use crate::support::worker::PythonWorker;

#[test]
fn the_result_of_an_update_is_the_answer_over_tls() {
    run(async {
        let stage = Stage::new().await;
        let _worker = PythonWorker::entity(&stage.temporal.address(), &stage.queue());
        let id = format!("entity:{}", stage.key);

        let first = stage.event("update", json!({"mode": "plain"}));
        // Python takes a moment to come up: until then nobody accepts the update.
        let answer = stage.sender.send_until_taken(&first).await;
        assert_eq!(answer.json(), json!({"seen": [first.id]}), "new");
        let run_id = stage.temporal.run_id(&id).await;
        // Temporal knows the update: the same result, and the workflow does not see it again.
        let again = stage.send(&first).await;
        assert_eq!(
            (again.status, again.json()),
            (200, json!({"seen": [first.id]}))
        );

        let second = stage.event("update", json!({"mode": "parts"}));
        let answer = stage.send(&second).await;
        assert_eq!(answer.status, 201, "running: {}", answer.text);
        assert_eq!(answer.json(), json!({"seen": [first.id, second.id]}));
        assert_eq!(answer.header("x-worker"), "yes");
        assert_eq!(stage.temporal.run_id(&id).await, run_id);

        let accepted = stage.event("update-accepted", json!({"mode": "slow", "seconds": 1}));
        assert_eq!(stage.send(&accepted).await.outcome(), "200 updated");
        for mode in ["fail", "reject"] {
            let bad = stage.event("update", json!({"mode": mode}));
            let answer = stage.send(&bad).await;
            assert_eq!(answer.status, 503, "{mode}: {}", answer.text);
        }
        for (topic, status) in [("update-late", 503), ("update-late-accepted", 202)] {
            let late = stage.event(topic, json!({"mode": "slow", "seconds": 20}));
            let answer = stage.send(&late).await;
            assert_eq!(answer.status, status, "{topic}: {}", answer.text);
        }

        stage.temporal.terminate(&id).await;
        let after = stage.event("update", json!({"mode": "plain"}));
        let answer = stage.send(&after).await;
        assert_eq!(
            (answer.status, answer.json()),
            (200, json!({"seen": [after.id]})),
            "closed"
        );
        assert_ne!(stage.temporal.run_id(&id).await, run_id, "another run");
    });
}

#[test]
fn an_update_that_no_worker_accepts_is_503() {
    run(async {
        let stage = Stage::new().await;
        for topic in ["update-late", "update-late-accepted"] {
            let answer = stage.send(&stage.event(topic, json!({}))).await;
            assert_eq!(answer.status, 503, "{topic}: {}", answer.text);
            let line = stage.forwarder.request_line(answer.request_id());
            let reason = line["reason"].as_str().unwrap_or_default();
            let named = format!(
                "no worker accepted update `webhook` on {} within ",
                stage.queue()
            );
            let time = reason
                .strip_prefix(&named)
                .and_then(|rest| rest.strip_suffix(" s"));
            let time: f64 = time.and_then(|time| time.parse().ok()).unwrap_or_default();
            assert!((3.0..4.0).contains(&time), "{reason}");
        }
    });
}

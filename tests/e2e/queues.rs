//! Nobody listens: a task queue on which events wait for a worker is said, counted, and said again when one
//! comes.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::configured::Configured;
use crate::support::delivery::Delivery;
use crate::support::forwarder::Forwarder;
use crate::support::sender::Sender;
use crate::support::temporal::Temporal;
use crate::support::wait::{PATIENCE, eventually, run, until};
use crate::support::worker::PythonWorker;

#[test]
fn a_queue_without_a_worker_is_said_once_and_so_is_the_worker_that_comes() {
    run(async {
        let queue = format!("nobody-{}", Uuid::new_v4().simple());
        let configured = Configured::new(&format!(
            "[metrics]\ntask_queue_interval = '1s'\n[[source]]\npath = '/temporal/shopify'\nprovider = 'shopify'\nsecrets = ['env:SHOPIFY_WEBHOOKS_KEY']\ntask_queue = '{queue}'\n[[source.route]]\nwhen = 'topic == \"a\"'\ntask_queue = '{{topic}}-{queue}'\n"
        ));
        let forwarder = Forwarder::start(configured.plain()).await;
        let gauge = async |name: &str| -> Option<f64> {
            let page = forwarder.metrics().await;
            let series = format!("webhook_forwarder_{name}{{task_queue=\"{queue}\"}} ");
            let value = page.lines().find_map(|line| line.strip_prefix(&series));
            value.map(|value| value.parse().expect("a number"))
        };
        until("nobody polls", PATIENCE, async || {
            gauge("task_queue_pollers").await == Some(0.0)
        })
        .await;
        assert_eq!(gauge("task_queue_backlog_age_seconds").await, Some(0.0));
        let said = |message: &str| {
            let lines = forwarder.log_lines();
            let lines = lines.iter().filter(|line| line.contains(message));
            lines.filter(|line| line.contains(&queue)).count()
        };
        assert_eq!(said("nobody polls"), 0, "nothing waits yet");

        let answer = Sender::new(&forwarder).send(&Delivery::order()).await;
        assert_eq!(answer.outcome(), "200 started");
        let line = forwarder.line("it waits", |line| {
            line["task_queue"] == queue.as_str() && line["level"] == "WARN"
        });
        assert!(line["backlog"].as_u64() >= Some(1), "{line}");
        let age = eventually("it grows older", PATIENCE, async || {
            gauge("task_queue_backlog_age_seconds")
                .await
                .filter(|age| *age > 2.0)
        });
        age.await;
        assert_eq!(said("nobody polls"), 1);

        let sources = Sender::plain(&forwarder.admin.to_string())
            .get("/sources")
            .await;
        let sources: Value = serde_json::from_str(&sources.text).expect("JSON");
        let shown = &sources["task_queues"][0];
        assert_eq!(shown["name"], queue.as_str(), "{sources}");
        assert_eq!(
            (&shown["pollers"], &shown["deserted"]),
            (&json!(0), &json!(true))
        );
        assert!(shown["backlog"].as_u64() >= Some(1), "{shown}");

        let worker = PythonWorker::start(&Temporal::shared().await.address(), &queue, None);
        forwarder.line("there is a worker", |line| {
            line["task_queue"] == queue.as_str()
                && line["level"] == "INFO"
                && line["pollers"].as_u64() >= Some(1)
        });
        assert!(gauge("task_queue_pollers").await >= Some(1.0));
        assert_eq!(said("nobody polls"), 1);
        // Only names that stand in the configuration are asked about.
        let page = forwarder.metrics().await;
        assert!(!page.contains(&format!("-{queue}")), "{page}");
        drop(worker);
    });
}

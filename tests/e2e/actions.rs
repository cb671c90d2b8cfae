//! What Temporal is asked to do with an event: every action, with a workflow that is new, runs, or is
//! closed.

mod updates;

use serde_json::{Value, json};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::support::configured::Configured;
use crate::support::delivery::Delivery;
use crate::support::forwarder::{Forwarder, ForwarderConfig};
use crate::support::inspect::json;
use crate::support::sender::{Answer, Sender};
use crate::support::temporal::Temporal;
use crate::support::wait::run;

#[test]
fn a_start_is_one_workflow_whether_it_runs_or_is_closed() {
    run(async {
        let stage = Stage::new().await;
        let order = stage.event("start", json!({}));
        let id = format!("act:{}", order.id);
        assert_eq!(stage.send(&order).await.outcome(), "200 started");
        assert_eq!(stage.send(&order).await.outcome(), "200 duplicate");
        let run_id = stage.temporal.run_id(&id).await;
        stage.temporal.terminate(&id).await;
        assert_eq!(stage.send(&order).await.outcome(), "200 duplicate");
        assert_eq!(stage.temporal.run_id(&id).await, run_id);

        // A closed one is started again if the route says so.
        let again = stage.event("start-failed-again", json!({}));
        let id = format!("act:{}", again.id);
        assert_eq!(stage.send(&again).await.outcome(), "200 started");
        stage.temporal.terminate(&id).await;
        assert_eq!(stage.send(&again).await.outcome(), "200 started");
        assert_eq!(
            stage.send(&again).await.outcome(),
            "200 duplicate",
            "it runs"
        );
        assert_eq!(stage.temporal.runs(&id, 2).await.len(), 2);

        // A running one is replaced if the route says so.
        let other = stage.event("start-terminate", json!({}));
        let id = format!("act:{}", other.id);
        assert_eq!(stage.send(&other).await.outcome(), "200 started");
        assert_eq!(stage.send(&other).await.outcome(), "200 started");
        assert_eq!(stage.temporal.runs(&id, 2).await.len(), 2);
    });
}

#[test]
fn a_signal_with_start_starts_a_workflow_that_does_not_run() {
    run(async {
        let stage = Stage::new().await;
        let id = format!("entity:{}", stage.key);
        let first = stage.event("signal-with-start", json!({"n": 1}));
        let answer = stage.send(&first).await;
        assert_eq!(answer.outcome(), "200 signalled", "new");
        assert_eq!(answer.json()["workflow_id"], id);
        let run_id = stage.temporal.run_id(&id).await;
        let started = stage.temporal.start_of(&id).await;
        assert_eq!(started.workflow_type.expect("a type").name, "Entity");
        assert_eq!(started.input, None, "the event is the signal's");

        let second = stage.event("signal-with-start", json!({"n": 2}));
        assert_eq!(
            stage.send(&second).await.outcome(),
            "200 signalled",
            "running"
        );
        for again in [&first, &second, &first] {
            assert_eq!(stage.send(again).await.outcome(), "200 signalled", "again");
        }
        let signals = stage.temporal.signals(&id).await;
        let seen: Vec<_> = signals
            .iter()
            .map(|(_, event)| json(event)["data"]["n"].clone())
            .collect();
        assert_eq!(seen, [json!(1), json!(2)], "each once, in order");
        assert!(signals.iter().all(|(name, _)| name == "webhook"));
        assert_eq!(stage.temporal.run_id(&id).await, run_id);

        stage.temporal.terminate(&id).await;
        let third = stage.event("signal-with-start", json!({"n": 3}));
        assert_eq!(
            stage.send(&third).await.outcome(),
            "200 signalled",
            "closed"
        );
        assert_ne!(stage.temporal.run_id(&id).await, run_id, "another run");
        assert_eq!(stage.temporal.signals(&id).await.len(), 1);
    });
}

#[test]
fn a_signal_needs_a_workflow_that_runs() {
    run(async {
        let stage = Stage::new().await;
        let id = format!("entity:{}", stage.key);
        let expected = [
            ("signal", "503"),
            ("signal-or-drop", "200 dropped"),
            ("signal-or-park", "200 dead_lettered"),
        ];
        for (topic, outcome) in expected {
            let event = stage.event(topic, json!({}));
            assert_eq!(stage.send(&event).await.outcome(), outcome, "new, {topic}");
        }
        stage.temporal.assert_absent(&id).await;

        stage
            .send(&stage.event("signal-with-start", json!({"n": 0})))
            .await;
        let signal = stage.event("signal", json!({"n": 1}));
        assert_eq!(
            stage.send(&signal).await.outcome(),
            "200 signalled",
            "running"
        );
        assert_eq!(
            stage.send(&signal).await.outcome(),
            "200 signalled",
            "again"
        );
        let signals = stage.temporal.signals(&id).await;
        let (name, event) = &signals[1];
        assert_eq!((signals.len(), name.as_str()), (2, "paid"), "{signals:?}");
        assert_eq!(json(event)["data"]["n"], 1);

        stage.temporal.terminate(&id).await;
        for (topic, outcome) in expected {
            let event = stage.event(topic, json!({}));
            assert_eq!(
                stage.send(&event).await.outcome(),
                outcome,
                "closed, {topic}"
            );
        }
    });
}

#[test]
fn a_dropped_event_reaches_no_workflow() {
    run(async {
        let stage = Stage::new().await;
        let id = format!("entity:{}", stage.key);
        let answer = stage.send(&stage.event("drop", json!({}))).await;
        assert_eq!(answer.outcome(), "200 dropped", "new");
        stage.temporal.assert_absent(&id).await;
        stage
            .send(&stage.event("signal-with-start", json!({})))
            .await;
        for state in ["running", "closed"] {
            let answer = stage.send(&stage.event("drop", json!({}))).await;
            assert_eq!(answer.outcome(), "200 dropped", "{state}");
            assert_eq!(answer.json(), json!({"status": "dropped"}));
            assert_eq!(stage.temporal.signals(&id).await.len(), 1, "{state}");
            if state == "running" {
                stage.temporal.terminate(&id).await;
            }
        }
    });
}

/// 20 entities, 15 events each, in order, through two replicas, every other one more than once.
#[test]
fn each_entity_sees_each_of_its_signals_once_and_in_order() {
    run(async {
        let stage = Stage::new().await;
        let second = Forwarder::start(stage.config.plain()).await;
        let senders = [stage.sender.clone(), Sender::new(&second)];
        let mut entities = JoinSet::new();
        for entity in 0..ENTITIES {
            let (senders, key) = (senders.clone(), format!("{}-{entity}", stage.key));
            let events: Vec<_> = (0..SIGNALS)
                .map(|n| event(&key, "signal-with-start", json!({"n": n})))
                .collect();
            entities.spawn(async move {
                for (n, event) in events.iter().enumerate() {
                    let answer = senders[n % 2].send(event).await;
                    assert_eq!(answer.outcome(), "200 signalled");
                    if n % 2 == 0 {
                        let earlier = &events[n / 2];
                        let (again, earlier) =
                            tokio::join!(senders[1].send(event), senders[0].send(earlier));
                        assert_eq!(again.outcome(), "200 signalled");
                        assert_eq!(earlier.outcome(), "200 signalled");
                    }
                }
                (key, events)
            });
        }
        let sent = entities.join_all().await;
        assert_eq!(sent.len() * SIGNALS, 300);
        for (key, events) in sent {
            let signals = stage.temporal.signals(&format!("entity:{key}")).await;
            let seen: Vec<_> = signals
                .iter()
                .map(|(_, event)| json(event)["headers"]["x-shopify-webhook-id"].clone())
                .collect();
            let expected: Vec<_> = events.iter().map(|event| json!(event.id)).collect();
            assert_eq!(seen, expected, "{key}");
        }
    });
}

/// A forwarder with a route for each case, and an entity of this test's own.
struct Stage {
    temporal: &'static Temporal,
    config: Configured,
    sender: Sender,
    forwarder: Forwarder,
    key: String,
}

impl Stage {
    async fn new() -> Self {
        let key = Uuid::new_v4().simple().to_string();
        let config = Configured::new(&ROUTES.replace("QUEUE", &format!("entity-{key}")));
        let forwarder = Forwarder::start(ForwarderConfig {
            args: config.args(),
            ..ForwarderConfig::default()
        })
        .await;
        Self {
            temporal: Temporal::shared().await,
            sender: Sender::new(&forwarder),
            config,
            forwarder,
            key,
        }
    }

    fn queue(&self) -> String {
        format!("entity-{}", self.key)
    }

    fn event(&self, topic: &str, body: Value) -> Delivery {
        event(&self.key, topic, body)
    }

    async fn send(&self, event: &Delivery) -> Answer {
        self.sender.send(event).await
    }
}

fn event(key: &str, topic: &str, mut body: Value) -> Delivery {
    body["key"] = json!(key);
    Delivery::shopify(body.to_string()).with("X-Shopify-Topic", topic)
}

const ENTITIES: usize = 20;

const SIGNALS: usize = 15;

const ROUTES: &str = r#"
[[source]]
path = "/temporal/shopify"
provider = "shopify"
secrets = ["env:SHOPIFY_WEBHOOKS_KEY"]
task_queue = "QUEUE"
workflow_type = "Entity"

[[source.route]]
when = 'topic == "start"'
workflow_id = "act:{event_id}"

[[source.route]]
when = 'topic == "start-failed-again"'
workflow_id = "act:{event_id}"
reuse_policy = "allow-duplicate-failed-only"

[[source.route]]
when = 'topic == "start-terminate"'
workflow_id = "act:{event_id}"
conflict_policy = "terminate-existing"

[[source.route]]
when = 'topic == "signal-with-start"'
action = "signal-with-start"
workflow_id = "entity:{body.key}"

[[source.route]]
when = 'topic == "signal"'
action = "signal"
workflow_id = "entity:{body.key}"
signal = "paid"

[[source.route]]
when = 'topic == "signal-or-drop"'
action = "signal"
workflow_id = "entity:{body.key}"
on_missing = "drop"

[[source.route]]
when = 'topic == "signal-or-park"'
action = "signal"
workflow_id = "entity:{body.key}"
on_missing = "dead_letter"

[[source.route]]
when = 'topic == "update"'
action = "update-with-start"
workflow_id = "entity:{body.key}"
respond = "result"

[[source.route]]
when = 'topic == "update-accepted"'
action = "update-with-start"
workflow_id = "entity:{body.key}"

[[source.route]]
when = 'topic == "update-late"'
action = "update-with-start"
workflow_id = "entity:{body.key}"
respond = "result"

[[source.route]]
when = 'topic == "update-late-accepted"'
action = "update-with-start"
workflow_id = "entity:{body.key}"
respond = "result"
on_late = "accept"

[[source.route]]
when = 'topic == "drop"'
action = "drop"
"#;

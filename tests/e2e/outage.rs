//! Temporal away, slow, mute, overloaded or refusing: 503 in time, and recovery without a restart.

use tokio::task::JoinSet;

use crate::support::delivery::Delivery;
use crate::support::forwarder::{Forwarder, ForwarderConfig};
use crate::support::proxy::ChaosProxy;
use crate::support::sender::{DEADLINE, Sender};
use crate::support::temporal::Temporal;
use crate::support::wait::{PATIENCE, run, until};

#[test]
fn it_starts_without_temporal_answers_503_and_recovers_without_a_restart() {
    run(async {
        let temporal = Temporal::shared().await;
        let mut proxy = ChaosProxy::refusing(temporal.address());
        let mut forwarder = Forwarder::without_temporal(&proxy).await;
        let sender = Sender::new(&forwarder);
        let order = Delivery::order();
        unavailable(&forwarder, &sender, &order).await;
        assert_eq!(sender.get("/health/live").await.status, 200);
        assert_eq!(sender.get("/health/ready").await.status, 503);
        temporal.assert_absent(&order.id).await;

        proxy.pass().await;
        ready(&sender).await;
        assert_eq!(sender.send(&order).await.outcome(), "200 started");
        assert!(forwarder.is_running());
    });
}

#[test]
fn when_temporal_goes_away_it_answers_503_and_recovers_without_a_restart() {
    run(async {
        let (mut proxy, forwarder) = Forwarder::behind_proxy().await;
        let sender = Sender::new(&forwarder);
        proxy.refuse().await;
        let order = Delivery::order();
        unavailable(&forwarder, &sender, &order).await;
        not_ready(&sender).await;
        assert_eq!(sender.get("/health/live").await.status, 200);

        proxy.pass().await;
        ready(&sender).await;
        assert_eq!(sender.send(&order).await.outcome(), "200 started");
    });
}

#[test]
fn the_log_says_once_that_temporal_went_and_once_that_it_is_back_without_a_webhook() {
    run(async {
        let (mut proxy, forwarder) = Forwarder::behind_proxy().await;
        let (lost, back) = (
            "the connection to Temporal is lost",
            "connected to Temporal again",
        );
        let count = |what: &str| {
            let lines = forwarder.log_lines();
            lines.iter().filter(|line| line.contains(what)).count()
        };
        for round in 1..=2 {
            match round {
                1 => proxy.refuse().await,
                _ => proxy.black_hole().await,
            }
            until("its loss is said", PATIENCE, async || count(lost) == round).await;
            let before = asked_in_vain(&forwarder).await;
            until("it has asked again", PATIENCE, async || {
                asked_in_vain(&forwarder).await > before
            })
            .await;
            assert_eq!((count(lost), count(back)), (round, round - 1), "once");
            proxy.pass().await;
            // The connection that lost bytes is mute: the next question comes on another.
            until("its return is said", PATIENCE, async || {
                count(back) == round
            })
            .await;
        }
        let line = forwarder.line("the loss", |line| line["message"] == lost);
        assert_eq!(
            (&line["level"], &line["address"]),
            (&"WARN".into(), &proxy.address().into())
        );
        let line = forwarder.line("the return", |line| line["message"] == back);
        assert_eq!(
            (&line["level"], &line["address"]),
            (&"INFO".into(), &proxy.address().into())
        );
        assert_eq!((count(lost), count(back)), (2, 2));
        assert_eq!(count("\"request\""), 0, "and no webhook came");
    });
}

#[test]
fn a_request_that_temporal_was_away_for_says_so_and_where() {
    run(async {
        let mut proxy = ChaosProxy::refusing(Temporal::shared().await.address());
        let forwarder = Forwarder::without_temporal(&proxy).await;
        let sender = Sender::new(&forwarder);
        let reason = async || {
            let answer = sender.send(&Delivery::order()).await;
            assert_eq!(answer.status, 503, "{answer:?}");
            assert!(!answer.text.contains("127.0.0.1"), "{answer:?}");
            let line = forwarder.request_line(answer.request_id());
            line["reason"].as_str().unwrap_or_default().to_owned()
        };
        let refused = format!(
            "Temporal at {} cannot be reached: Connection refused",
            proxy.address()
        );
        forwarder.line("the first try", |line| {
            line["message"] == "no connection to Temporal, trying again"
        });
        let said = reason().await;
        assert!(said.starts_with(&refused), "never connected: {said}");
        proxy.pass().await;
        ready(&sender).await;
        proxy.refuse().await;
        let said = reason().await;
        assert!(said.starts_with(&refused), "gone: {said}");
        proxy.pass().await;
        ready(&sender).await;
        proxy.black_hole().await;
        let late = format!("Temporal at {} did not answer in time", proxy.address());
        assert_eq!(reason().await, late);
    });
}

#[test]
fn when_temporal_never_answers_it_answers_503_within_the_promise_and_recovers() {
    run(async {
        let temporal = Temporal::shared().await;
        let (mut proxy, forwarder) = Forwarder::behind_proxy().await;
        let sender = Sender::new(&forwarder);
        assert_eq!(
            sender.send(&Delivery::order()).await.outcome(),
            "200 started"
        );

        proxy.black_hole().await;
        let order = Delivery::order();
        tokio::join!(unavailable(&forwarder, &sender, &order), not_ready(&sender));
        temporal.assert_absent(&order.id).await;

        // The connection that lost bytes stays mute for ever: a new one is needed.
        proxy.pass().await;
        let answer = sender.send_until_taken(&order).await;
        assert_eq!(answer.outcome(), "200 started");
        ready(&sender).await;
    });
}

#[test]
fn it_starts_in_front_of_a_mute_temporal_and_recovers() {
    run(async {
        let mut proxy = ChaosProxy::start(Temporal::shared().await.address()).await;
        proxy.black_hole().await;
        let forwarder = Forwarder::without_temporal(&proxy).await;
        let sender = Sender::new(&forwarder);
        let order = Delivery::order();
        unavailable(&forwarder, &sender, &order).await;
        assert_eq!(sender.get("/health/ready").await.status, 503);
        proxy.pass().await;
        let answer = sender.send_until_taken(&order).await;
        assert_eq!(answer.outcome(), "200 started");
    });
}

#[test]
fn when_temporal_is_slower_than_the_sender_waits_the_late_start_counts_once() {
    run(async {
        let temporal = Temporal::shared().await;
        let (mut proxy, forwarder) = Forwarder::behind_proxy().await;
        let sender = Sender::new(&forwarder);
        proxy.hold().await;
        let order = Delivery::order();
        unavailable(&forwarder, &sender, &order).await;

        proxy.pass().await;
        let answer = sender.send_until_taken(&order).await;
        assert_eq!(temporal.run_id(&order.id).await, Some(answer.run_id()));
        assert_eq!(temporal.runs(&order.id, 1).await.len(), 1);
        assert_eq!(sender.send(&order).await.outcome(), "200 duplicate");
    });
}

#[test]
fn a_reset_connection_to_temporal_costs_no_delivery() {
    run(async {
        let (proxy, forwarder) = Forwarder::behind_proxy().await;
        let sender = Sender::new(&forwarder);
        for _ in 0..5 {
            proxy.cut();
            let answer = sender.send(&Delivery::order()).await;
            assert_eq!(answer.outcome(), "200 started");
        }
    });
}

#[test]
fn when_temporal_is_overloaded_it_answers_503_in_time_and_each_event_lands_once() {
    run(async {
        let limit = &["--dynamic-config-value", "frontend.namespaceRPS=8"];
        let temporal = Temporal::start(limit).await;
        let forwarder = Forwarder::start(ForwarderConfig {
            endpoint: Some(temporal.address()),
            ..Default::default()
        })
        .await;
        let sender = Sender::new(&forwarder);
        let mut events = JoinSet::new();
        for _ in 0..40 {
            let (sender, order) = (sender.clone(), Delivery::order());
            events.spawn(async move {
                let first = sender.send(&order).await;
                assert!(matches!(first.status, 200 | 503), "{first:?}");
                sender.send_until_taken(&order).await;
                first.status
            });
        }
        let first = events.join_all().await;
        forwarder.all_in_time(DEADLINE);
        assert!(first.contains(&503), "it was not overloaded: {first:?}");
        assert!(first.contains(&200), "nothing got through: {first:?}");
    });
}

#[test]
fn a_namespace_that_does_not_exist_is_503_refused_and_not_ready() {
    run(async {
        let temporal = Temporal::shared().await;
        let forwarder = Forwarder::start(ForwarderConfig {
            env: &[("TEMPORAL_NAMESPACE", "nowhere")],
            ..Default::default()
        })
        .await;
        let sender = Sender::new(&forwarder);
        let order = Delivery::order();
        let answer = sender.send(&order).await;
        assert_eq!(answer.status, 503, "{answer:?}");
        assert!(
            !answer.text.contains("nowhere"),
            "the caller learns nothing"
        );
        let line = forwarder.in_time(&answer, DEADLINE);
        assert_eq!(line["outcome"], "refused");
        assert_eq!(line["level"], "ERROR");
        assert_eq!(sender.get("/health/ready").await.status, 503);
        temporal.assert_absent(&order.id).await;
    });
}

async fn unavailable(forwarder: &Forwarder, sender: &Sender, order: &Delivery) {
    let answer = sender.send(order).await;
    assert_eq!(answer.status, 503, "{answer:?}");
    forwarder.in_time(&answer, DEADLINE);
}

/// How often Temporal was asked whether it is there, and did not say so.
async fn asked_in_vain(forwarder: &Forwarder) -> u32 {
    let page = forwarder.metrics().await;
    let lines = page.lines().filter(|line| {
        line.starts_with("webhook_forwarder_temporal_request_duration_seconds_count{")
            && line.contains("operation=\"DescribeNamespace\"")
            && !line.contains("code=\"OK\"")
    });
    let counts = lines.filter_map(|line| line.rsplit(' ').next()?.parse::<u32>().ok());
    counts.sum()
}

async fn ready(sender: &Sender) {
    until("it is ready", PATIENCE, || async {
        sender.get("/health/ready").await.status == 200
    })
    .await;
}

async fn not_ready(sender: &Sender) {
    until("it is not ready", PATIENCE, || async {
        sender.get("/health/ready").await.status == 503
    })
    .await;
}

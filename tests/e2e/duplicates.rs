//! One event id is one workflow, however often, however concurrently, through whichever replica.

use tokio::task::JoinSet;

use crate::support::delivery::{Delivery, order_body};
use crate::support::event::Envelope;
use crate::support::forwarder::{Forwarder, ForwarderConfig, SECRET};
use crate::support::proxy::ChaosProxy;
use crate::support::sender::{DEADLINE, Sender};
use crate::support::temporal::Temporal;
use crate::support::wait::{PATIENCE, run, until};

#[test]
fn of_200_parallel_copies_over_two_forwarders_one_starts_and_199_are_duplicates() {
    run(async {
        let temporal = Temporal::shared().await;
        let first = Forwarder::start(ForwarderConfig::patient()).await;
        let second = Forwarder::start(ForwarderConfig::patient()).await;
        let senders = [Sender::new(&first), Sender::new(&second)];
        let order = Delivery::order();

        let mut copies = JoinSet::new();
        for copy in 0..200 {
            let (sender, order) = (senders[copy % 2].clone(), order.clone());
            // A Temporal that has too much to do with one workflow says so (503), and senders repeat it.
            copies.spawn(async move { sender.send_until_taken(&order).await });
        }
        let answers = copies.join_all().await;
        let count = |outcome| answers.iter().filter(|a| a.outcome() == outcome).count();
        assert_eq!((count("200 started"), count("200 duplicate")), (1, 199));
        let run_id = temporal.run_id(&order.id).await.expect("it is there");
        for answer in &answers {
            assert_eq!(answer.run_id(), run_id, "all name the one run");
        }
        assert_eq!(temporal.runs(&order.id, 1).await.len(), 1);

        temporal.terminate(&order.id).await;
        for sender in &senders {
            let answer = sender.send(&order).await;
            assert_eq!(answer.outcome(), "200 duplicate", "after it closed");
            assert_eq!(answer.json()["workflow_id"], order.id);
        }
        assert_eq!(temporal.run_id(&order.id).await, Some(run_id));
        assert_eq!(temporal.runs(&order.id, 1).await.len(), 1);
    });
}

#[test]
fn another_body_under_the_same_id_changes_nothing() {
    run(async {
        let temporal = Temporal::shared().await;
        let forwarder = Forwarder::start(ForwarderConfig::default()).await;
        let sender = Sender::new(&forwarder);
        let first = Delivery::order();
        sender.send(&first).await;
        let second = first.clone().with_body(order_body()).signed(SECRET);
        assert_eq!(sender.send(&second).await.outcome(), "200 duplicate");
        let started = temporal.started(&first.id).await;
        let event = Envelope::read(started.argument().1);
        assert_eq!(event.data().as_bytes(), first.body);
    });
}

#[test]
fn after_temporals_reply_was_lost_the_redelivery_is_a_duplicate() {
    run(async {
        let temporal = Temporal::shared().await;
        let (mut proxy, forwarder) = Forwarder::behind_proxy().await;
        let (sender, order) = (Sender::new(&forwarder), Delivery::order());

        proxy.swallow_answers().await;
        let first = tokio::spawn({
            let (sender, order) = (sender.clone(), order.clone());
            async move { sender.send(&order).await }
        });
        until("Temporal has it", PATIENCE, || async {
            temporal.run_id(&order.id).await.is_some()
        })
        .await;
        proxy.refuse().await;
        let first = first.await.expect("it does not panic");
        assert_eq!(first.status, 503, "{first:?}");
        forwarder.in_time(&first, DEADLINE);

        proxy.pass().await;
        let second = sender.send_until_taken(&order).await;
        assert_eq!(second.outcome(), "200 duplicate");
        assert_eq!(temporal.run_id(&order.id).await, Some(second.run_id()));
        assert_eq!(temporal.runs(&order.id, 1).await.len(), 1);
    });
}

#[test]
fn a_reply_lost_on_a_broken_connection_is_asked_for_again_within_the_delivery() {
    run(async {
        let temporal = Temporal::shared().await;
        let (mut proxy, forwarder) = Forwarder::behind_proxy().await;
        let (sender, order) = (Sender::new(&forwarder), Delivery::order());

        proxy.swallow_answers().await;
        let sending = tokio::spawn({
            let (sender, order) = (sender.clone(), order.clone());
            async move { sender.send(&order).await }
        });
        until("Temporal has it", PATIENCE, || async {
            temporal.run_id(&order.id).await.is_some()
        })
        .await;
        proxy.pass().await;
        proxy.cut();
        let answer = sending.await.expect("it does not panic");
        assert_eq!(
            answer.outcome(),
            "200 started",
            "the same request is one start"
        );
        assert_eq!(sender.send(&order).await.outcome(), "200 duplicate");
        assert_eq!(temporal.runs(&order.id, 1).await.len(), 1);
    });
}

#[test]
fn after_our_reply_was_lost_the_redelivery_is_a_duplicate() {
    run(async {
        let temporal = Temporal::shared().await;
        let forwarder = Forwarder::start(ForwarderConfig::default()).await;
        let mut proxy = ChaosProxy::start(forwarder.public.to_string()).await;
        let far = Sender::over(
            &proxy.address(),
            &tokio_rustls::rustls::version::TLS13,
            "http/1.1",
        );
        let warm_up = far.send(&Delivery::order()).await;
        assert_eq!(warm_up.outcome(), "200 started");

        let order = Delivery::order();
        proxy.swallow_answers().await;
        let first = tokio::spawn({
            let order = order.clone();
            async move { far.try_send(&order).await }
        });
        until("Temporal has it", PATIENCE, || async {
            temporal.run_id(&order.id).await.is_some()
        })
        .await;
        proxy.refuse().await;
        let first = first.await.expect("it does not panic");
        assert!(first.is_err(), "the sender saw no answer: {first:?}");

        let again = Sender::new(&forwarder).send(&order).await;
        assert_eq!(again.outcome(), "200 duplicate");
    });
}

//! A connection to Temporal that freezes: it stays open, and nothing comes or goes on it any more.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::sleep;
use uuid::Uuid;

use crate::support::delivery::Delivery;
use crate::support::forwarder::Forwarder;
use crate::support::sender::{DEADLINE, Sender};
use crate::support::temporal::Temporal;
use crate::support::wait::{PATIENCE, run, until};

#[test]
fn one_of_two_connections_freezes_mid_traffic_and_every_answer_is_200_in_time() {
    run(freezes_under_traffic(1));
}

#[test]
fn all_connections_freeze_mid_traffic_and_every_answer_is_200_in_time() {
    run(freezes_under_traffic(2));
}

#[test]
fn a_frozen_connection_costs_a_lone_event_nothing_but_time() {
    run(async {
        let (proxy, forwarder) = Forwarder::behind_proxy().await;
        let sender = Sender::new(&forwarder);
        proxy.freeze_first(2 * EACH);
        let order = Delivery::order();
        let answer = sender.send(&order).await;
        assert_eq!(answer.outcome(), "200 started", "{answer:?}");
        forwarder.in_time(&answer, DEADLINE);
        assert_eq!(sender.send(&order).await.outcome(), "200 duplicate");
        assert_eq!(sender.get("/health/ready").await.status, 200);
    });
}

/// Senders at work, `count` connections freeze under them, and they go on for a while.
async fn freezes_under_traffic(count: usize) {
    let (proxy, forwarder) = Forwarder::behind_proxy().await;
    let prefix = format!("frozen-{}-", Uuid::new_v4().simple());
    let (is_over, taken) = (Arc::new(AtomicBool::new(false)), Arc::default());
    let mut senders = JoinSet::new();
    for number in 0..SENDERS {
        let (sender, is_over) = (Sender::new(&forwarder), Arc::clone(&is_over));
        let (prefix, taken) = (format!("{prefix}{number}-"), Arc::clone(&taken));
        senders.spawn(async move {
            while !is_over.load(Ordering::Relaxed) {
                let number = AtomicUsize::fetch_add(&taken, 1, Ordering::Relaxed);
                let order = Delivery::order().with_id(&format!("{prefix}{number}"));
                let answer = sender.send(&order).await;
                if answer.outcome() != "200 started" {
                    return Err(answer);
                }
                sleep(PAUSE).await;
            }
            Ok(())
        });
    }
    let more = async |what| {
        let before = taken.load(Ordering::Relaxed);
        until(what, PATIENCE, async || {
            taken.load(Ordering::Relaxed) > before + 10 * SENDERS
        })
        .await;
    };
    more("traffic flows").await;
    proxy.freeze_first(count * EACH);
    until("what froze is replaced", PATIENCE, async || {
        let lines = forwarder.log_lines();
        lines.iter().filter(|line| line.contains(REPLACED)).count() == count
    })
    .await;
    more("traffic flows again").await;
    is_over.store(true, Ordering::Relaxed);
    let all: Result<Vec<()>, _> = senders.join_all().await.into_iter().collect();
    all.expect("every answer is 200, in time");
    forwarder.all_in_time(DEADLINE);
    let count = taken.load(Ordering::Relaxed);
    let runs = Temporal::shared().await.runs(&prefix, count).await;
    let distinct: BTreeSet<_> = runs.iter().collect();
    assert_eq!((runs.len(), distinct.len()), (count, count));
}

/// TCP connections: the official client's, and the one for unary calls.
const EACH: usize = 2;
const SENDERS: usize = 6;
/// So that one page of Temporal's holds what comes in the meantime.
const PAUSE: Duration = Duration::from_millis(50);
const REPLACED: &str = "a connection to Temporal was frozen, and another is in its place";

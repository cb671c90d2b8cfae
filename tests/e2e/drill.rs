//! Kill drills: whatever dies, no acknowledged event is missing and no event is there twice.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::support::delivery::Delivery;
use crate::support::forwarder::{Forwarder, ForwarderConfig};
use crate::support::sender::{DEADLINE, Sender};
use crate::support::temporal::Temporal;
use crate::support::wait::{PATIENCE, run, until};

#[test]
fn temporal_killed_under_500_events_loses_no_acked_event_and_doubles_none() {
    run(async {
        let mut temporal = Temporal::start(&[]).await;
        let forwarder = Forwarder::start(ForwarderConfig {
            endpoint: Some(temporal.address()),
            ..Default::default()
        })
        .await;
        let sender = Sender::new(&forwarder);
        let prefix = format!("kill-temporal-{}-", Uuid::new_v4().simple());
        let ledger = Ledger::default();
        let unavailable = Arc::new(AtomicUsize::new(0));

        let mut events = JoinSet::new();
        let at_a_time = Arc::new(Semaphore::new(32));
        for number in 0..500 {
            let order = Delivery::order().with_id(&format!("{prefix}{number}"));
            let (sender, ledger) = (sender.clone(), ledger.clone());
            let (unavailable, at_a_time) = (unavailable.clone(), at_a_time.clone());
            events.spawn(async move {
                let _turn = at_a_time.acquire().await.expect("it is never closed");
                until("the event is acknowledged", PATIENCE * 3, || async {
                    let answer = sender.send(&order).await;
                    match answer.status {
                        200 => ledger.note(&order.id, answer.run_id()),
                        503 => drop(unavailable.fetch_add(1, Ordering::Relaxed)),
                        _ => panic!("{answer:?}"),
                    }
                    answer.status == 200
                })
                .await;
            });
        }
        until("half is acknowledged", PATIENCE, || async {
            ledger.len() > 150
        })
        .await;
        temporal.kill();
        until("it is felt", PATIENCE, || async {
            unavailable.load(Ordering::Relaxed) > 0
        })
        .await;
        assert!(ledger.len() < 500, "the kill came too late");
        temporal.restart().await;
        events.join_all().await;
        forwarder.all_in_time(DEADLINE);
        ledger.check(&temporal, &prefix, 500).await;
    });
}

#[test]
fn a_forwarder_killed_under_load_loses_no_acked_event_and_retries_land_once() {
    run(async {
        let temporal = Temporal::shared().await;
        let mut first = Forwarder::start(ForwarderConfig::patient()).await;
        let sender = Sender::new(&first);
        let prefix = format!("kill-forwarder-{}-", Uuid::new_v4().simple());
        let orders: Vec<_> = (0..300)
            .map(|number| Delivery::order().with_id(&format!("{prefix}{number}")))
            .collect();
        let ledger = Ledger::default();
        let mut events = JoinSet::new();
        let at_a_time = Arc::new(Semaphore::new(32));
        for order in orders.clone() {
            let (sender, ledger) = (sender.clone(), ledger.clone());
            let at_a_time = at_a_time.clone();
            events.spawn(async move {
                let _turn = at_a_time.acquire().await.expect("it is never closed");
                if let Ok(answer) = sender.try_send(&order).await {
                    assert_eq!(answer.outcome(), "200 started");
                    ledger.note(&order.id, answer.run_id());
                }
            });
        }
        until("some are acknowledged", PATIENCE, || async {
            ledger.len() > 100
        })
        .await;
        first.kill();
        events.join_all().await;
        assert!(ledger.len() < 300, "the kill came too late");
        for (id, run_id) in ledger.entries() {
            assert_eq!(temporal.run_id(&id).await, Some(run_id), "acked, so there");
        }

        let second = Forwarder::start(ForwarderConfig::patient()).await;
        let sender = Sender::new(&second);
        for order in &orders {
            let answer = sender.send(order).await;
            assert_eq!(answer.status, 200, "{answer:?}");
            if ledger.has(&order.id) {
                assert_eq!(answer.outcome(), "200 duplicate");
            }
            ledger.note(&order.id, answer.run_id());
        }
        ledger.check(temporal, &prefix, 300).await;
    });
}

/// What the senders believe: each acknowledged event and the run that holds it.
#[derive(Debug, Clone, Default)]
struct Ledger(Arc<Mutex<BTreeMap<String, String>>>);

impl Ledger {
    fn note(&self, id: &str, run_id: String) {
        let mut ledger = self.0.lock().expect("no holder panics");
        let before = ledger.insert(id.to_owned(), run_id.clone());
        assert!(
            before.is_none_or(|before| before == run_id),
            "{id} has two runs"
        );
    }

    fn has(&self, id: &str) -> bool {
        self.0.lock().expect("no holder panics").contains_key(id)
    }

    fn len(&self) -> usize {
        self.0.lock().expect("no holder panics").len()
    }

    fn entries(&self) -> BTreeMap<String, String> {
        self.0.lock().expect("no holder panics").clone()
    }

    /// Temporal has exactly these events, each once, each in the run that was acknowledged.
    async fn check(&self, temporal: &Temporal, prefix: &str, count: usize) {
        let acked = self.entries();
        assert_eq!(acked.len(), count);
        for (id, run_id) in &acked {
            assert_eq!(temporal.run_id(id).await.as_ref(), Some(run_id), "{id}");
        }
        let runs = temporal.runs(prefix, count).await;
        let distinct: BTreeSet<_> = runs.iter().collect();
        assert_eq!((runs.len(), distinct.len()), (count, count));
    }
}

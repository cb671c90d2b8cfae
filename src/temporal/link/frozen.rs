//! Connections that freeze: they stay open, and nothing comes on them any more. HTTP/2's own pings
//! find that out, too, but after 15 s.

use std::pin::pin;
use std::time::Duration;

use temporalio_common::protos::temporal::api::workflowservice::v1::GetSystemInfoRequest;
use tokio::time::{Instant, sleep, timeout};
use tonic::IntoRequest;

use super::Line;
use crate::temporal::pool::Pool;

/// Who answers at the other end, if anybody does.
pub(super) trait Peer: Send + Sync {
    /// Until anything comes on this connection.
    fn answers(&self) -> impl Future<Output = ()> + Send;
}

impl Peer for Line {
    async fn answers(&self) {
        let request = GetSystemInfoRequest::default().into_request();
        let mut service = self.official.workflow_service();
        let wire = async {
            if let Some(wire) = &self.wire {
                wire.answers().await;
            }
        };
        // Either may be what is frozen. An error is an answer, too.
        drop(tokio::join!(service.get_system_info(request), wire));
    }
}

/// Keeps a connection in this slot, and puts another in its place when it is frozen, for ever.
pub(super) async fn keep<C, F>(pool: &Pool<C>, slot: usize, dial: impl Fn() -> F, address: &str)
where
    C: Peer,
    F: Future<Output = Result<C, String>>,
{
    loop {
        match pool.at(slot) {
            None => {
                if let Ok(connection) = dial().await {
                    pool.put(slot, connection);
                    continue;
                }
            }
            Some(connection) => {
                connection.suspected().await;
                if let Some(other) = instead_of(&**connection, &dial).await {
                    pool.put(slot, other);
                    tracing::warn!(
                        address,
                        "a connection to Temporal was frozen, and another is in its place"
                    );
                }
            }
        }
        sleep(PAUSE).await;
    }
}

/// Another connection, if this one is frozen: Temporal does not answer on it, and does so on a new
/// one, which is asked later and gets no more time. A Temporal that is slow is slow on both.
async fn instead_of<C, F>(connection: &C, dial: impl Fn() -> F) -> Option<C>
where
    C: Peer,
    F: Future<Output = Result<C, String>>,
{
    let mut answers = pin!(connection.answers());
    if timeout(PATIENCE, &mut answers).await.is_ok() {
        return None;
    }
    let begun = Instant::now();
    let other = tokio::select! {
        biased;
        () = &mut answers => return None,
        other = dial() => other.ok()?,
    };
    let as_long = begun.elapsed();
    timeout(as_long, answers).await.is_err().then_some(other)
}

/// For an answer, before another connection is made: Temporal has to look nothing up for it.
const PATIENCE: Duration = Duration::from_millis(250);
/// Between two looks at one connection: a false alarm costs a connection each.
const PAUSE: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// Answers after so many milliseconds, or never.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    struct Fake(Option<u64>);

    impl Peer for Fake {
        async fn answers(&self) {
            match self.0 {
                Some(wait) => sleep(Duration::from_millis(wait)).await,
                None => std::future::pending().await,
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_is_frozen_if_a_new_one_answers_and_it_does_not() {
        let [quick, slow, mute] = [Some(1), Some(900), None];
        for (suspected, dialled, is_frozen, dials) in [
            (quick, Some(5), false, 0),
            // Temporal is slow, on whatever connection.
            (slow, slow, false, 1),
            (slow, Some(450), false, 1),
            (mute, Some(5), true, 1),
            (mute, slow, true, 1),
            (mute, mute, false, 1),
        ] {
            let made = AtomicUsize::new(0);
            let dial = async || {
                made.fetch_add(1, Ordering::Relaxed);
                match dialled {
                    Some(wait) => sleep(Duration::from_millis(wait)).await,
                    None => return Err("no answer in time".to_owned()),
                }
                Ok(Fake(Some(0)))
            };
            let suspected = Fake(suspected);
            let other = instead_of(&suspected, dial);
            let other = timeout(Duration::from_secs(60), other).await;
            let what = format!("{suspected:?} {dialled:?}");
            assert_eq!(
                other.is_ok_and(|other| other.is_some()),
                is_frozen,
                "{what}"
            );
            assert_eq!(made.load(Ordering::Relaxed), dials, "{what}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_slot_is_filled_and_what_is_frozen_in_it_replaced_once_a_call_suspects_it() {
        let pool: Pool<Fake> = Pool::new(1, 0);
        let dials = AtomicUsize::new(0);
        let dial = async || match dials.fetch_add(1, Ordering::Relaxed) {
            0 => Err("refused".to_owned()),
            1 => Ok(Fake(None)),
            _ => Ok(Fake(Some(0))),
        };
        let drill = async {
            while pool.at(0).is_none() {
                sleep(Duration::from_millis(100)).await;
            }
            let lease = pool.lease(None).expect("it was made at the second try");
            assert_eq!(*lease, Fake(None));
            sleep(Duration::from_secs(3600)).await;
            assert_eq!(dials.load(Ordering::Relaxed), 2, "nobody suspects it");
            lease.is_late();
            lease.given_up().await;
            assert_eq!(*pool.lease(None).expect("another"), Fake(Some(0)));
        };
        tokio::select! {
            () = keep(&pool, 0, dial, "temporal:7233") => {}
            () = drill => {}
        }
    }
}

//! Long bodies take turns: a few at a time are checked, looked into and encoded.

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::task::block_in_place;
use tokio::time::{Instant, timeout_at};
use webhook_core::outcome::Reject;

/// The places for long bodies.
#[derive(Debug)]
pub struct Turns(Semaphore);

/// A place, until it is dropped; short bodies need none.
#[derive(Debug)]
pub struct Turn<'a>(#[expect(dead_code, reason = "held, not read")] Option<SemaphorePermit<'a>>);

impl Default for Turns {
    fn default() -> Self {
        Self(Semaphore::new(PLACES as usize))
    }
}

impl Turns {
    /// A long body takes a processor while its signature is checked, and a multiple of its bytes, which
    /// the memory budget does not count, while an expression looks into it and while it is encoded: so
    /// a few at a time, and a large one alone.
    ///
    /// # Errors
    /// [`Reject::Unavailable`] if there is none by `deadline`.
    pub async fn take(&self, size: usize, deadline: Instant) -> Result<Turn<'_>, Reject> {
        if size <= LONG {
            return Ok(Turn(None));
        }
        let places = if size <= LARGE { 1 } else { PLACES };
        let late = || Reject::Unavailable("too many long bodies to look into".to_owned());
        let turn = timeout_at(deadline, self.0.acquire_many(places)).await;
        let turn = turn.map_err(|_| late())?.map_err(|_| late())?;
        Ok(Turn(Some(turn)))
    }
}

/// Works on so many bytes: if they are long, other requests of this thread go on elsewhere.
pub fn work_on<R>(size: usize, work: impl FnOnce() -> R) -> R {
    if size > LONG {
        block_in_place(work)
    } else {
        work()
    }
}

/// Long bodies at a time.
const PLACES: u32 = 4;
/// Bytes whose reading takes longer than a request should hold up others.
const LONG: usize = 64 * 1024;
/// Bytes of a body that is read alone.
const LARGE: usize = 2 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::FutureExt;

    use super::*;

    fn now() -> Instant {
        Instant::now() + Duration::from_millis(20)
    }

    #[tokio::test]
    async fn four_long_bodies_at_a_time_and_any_number_of_short_ones() {
        let turns = Turns::default();
        let mut held = Vec::new();
        for _ in 0..PLACES {
            held.push(turns.take(LONG + 1, now()).await.expect("a place"));
        }
        let full = turns.take(LONG + 1, now()).await.expect_err("no place");
        assert_eq!(full.row().label, "unavailable");
        for _ in 0..100 {
            drop(turns.take(LONG, now()).await.expect("needs no place"));
        }
        held.pop();
        drop(turns.take(LONG + 1, now()).await.expect("a place again"));
    }

    #[tokio::test]
    async fn a_large_body_is_alone() {
        let turns = Turns::default();
        let large = turns.take(LARGE + 1, now()).await.expect("all places");
        turns.take(LONG + 1, now()).await.expect_err("no place");
        drop(large);
        let long = turns.take(LONG + 1, now()).await.expect("a place");
        let waiting = turns.take(LARGE + 1, now() + Duration::from_secs(5));
        tokio::pin!(waiting);
        assert!(waiting.as_mut().now_or_never().is_none());
        drop(long);
        waiting.await.expect("all places");
    }
}

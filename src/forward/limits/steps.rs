//! Work on long bodies: off the threads that serve, a few at a time, its memory counted, until the deadline.

use std::panic::resume_unwind;
use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout_at};
use webhook_core::outcome::Reject;

use super::memory::Memory;

/// The places for long bodies.
#[derive(Debug)]
pub struct Steps {
    places: Arc<Semaphore>,
    count: u32,
    memory: Memory,
}

/// Whether so many bytes are worked on apart: their reading takes longer than a request should hold up the
/// others of its thread.
pub const fn is_long(size: usize) -> bool {
    size > LONG
}

impl Steps {
    /// So many places, whose memory is a part of this.
    pub fn new(count: usize, memory: Memory) -> Self {
        Self {
            places: Arc::new(Semaphore::new(count)),
            count: u32::try_from(count).unwrap_or(u32::MAX),
            memory,
        }
    }

    /// Works on so many bytes: at once if they are short; else in a step of its own.
    ///
    /// # Errors
    /// Those of [`Steps::apart`].
    pub async fn run<R: Send + 'static>(
        &self,
        size: usize,
        deadline: Instant,
        work: impl FnOnce() -> R + Send + 'static,
    ) -> Result<R, Reject> {
        if is_long(size) {
            self.apart(size, deadline, work).await
        } else {
            Ok(work())
        }
    }

    /// Works on so many bytes on a thread of its own, large ones alone. Place and memory come back when
    /// the work has ended, whoever still waits for it.
    ///
    /// # Errors
    /// [`Reject::Unavailable`] if there is no place, or no result, by `deadline`, or no memory.
    pub async fn apart<R: Send + 'static>(
        &self,
        size: usize,
        deadline: Instant,
        work: impl FnOnce() -> R + Send + 'static,
    ) -> Result<R, Reject> {
        let places = if size <= LARGE { 1 } else { self.count };
        let place = Arc::clone(&self.places).acquire_many_owned(places);
        let full = || Reject::Unavailable("too many long bodies to look into".to_owned());
        let place = timeout_at(deadline, place).await;
        let place = place.ok().and_then(Result::ok).ok_or_else(full)?;
        let share = self.memory.take(self.weight(size))?;
        let working = spawn_blocking(move || {
            let _held = (place, share);
            // It may have waited for its thread.
            (Instant::now() < deadline).then(work)
        });
        let late = || Reject::Unavailable("the body took too long to look into".to_owned());
        match timeout_at(deadline, working).await {
            Ok(Ok(result)) => result.ok_or_else(late),
            Ok(Err(error)) => match error.try_into_panic() {
                Ok(panic) => resume_unwind(panic),
                Err(_) => Err(late()),
            },
            Err(_) => Err(late()),
        }
    }

    /// A body that is larger than the rest of memory is still looked into, alone.
    fn weight(&self, size: usize) -> usize {
        size.saturating_mul(MULTIPLE).min(self.memory.size() / 2)
    }
}

/// Bytes whose reading takes longer than a request should hold up others.
const LONG: usize = 64 * 1024;
/// Bytes of a body that is looked into alone.
const LARGE: usize = 2 * 1024 * 1024;
/// Of a body's bytes, what a step takes besides it at its peak.
const MULTIPLE: usize = 8;

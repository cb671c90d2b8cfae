//! Work on long bodies: off the threads that serve, a few at a time, its memory counted, until the deadline.

use std::panic::resume_unwind;
use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout_at};
use webhook_core::outcome::Reject;
use webhook_core::request::Received;

use super::memory::Memory;

/// The places for long bodies.
#[derive(Debug)]
pub struct Steps {
    places: Arc<Semaphore>,
    count: u32,
    memory: Memory,
}

/// What is worked on.
#[derive(Debug, Clone, Copy)]
pub struct Effort {
    is_long: bool,
    /// Bytes that it takes at its peak, besides the body.
    memory: usize,
}

impl Effort {
    /// Of a body of so many bytes.
    pub const fn of(size: usize) -> Self {
        Self {
            is_long: size > LONG,
            memory: size.saturating_mul(MULTIPLE),
        }
    }

    /// Of a request that is read, too: a form may be all fields.
    pub fn of_request(received: &Received) -> Self {
        let size = received.body.len();
        let effort = Self::of(size);
        if !(effort.is_long && received.is_form()) {
            return effort;
        }
        Self {
            memory: size.saturating_mul(FORM_MULTIPLE),
            ..effort
        }
    }

    /// Whether it is worked on apart: it takes longer than a request should hold up the others of its
    /// thread.
    pub const fn is_long(self) -> bool {
        self.is_long
    }
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

    /// Places that are taken.
    pub fn held(&self) -> usize {
        self.count as usize - self.places.available_permits()
    }

    /// Works on a body: at once if it is short; else in a step of its own.
    ///
    /// # Errors
    /// Those of [`Steps::apart`].
    pub async fn run<R: Send + 'static>(
        &self,
        effort: Effort,
        deadline: Instant,
        work: impl FnOnce() -> R + Send + 'static,
    ) -> Result<R, Reject> {
        if effort.is_long {
            self.apart(effort, deadline, work).await
        } else {
            Ok(work())
        }
    }

    /// Works on a thread of its own, alone if it takes much. Place and memory come back when
    /// the work has ended, whoever still waits for it.
    ///
    /// # Errors
    /// [`Reject::Unavailable`] if there is no place, or no result, by `deadline`, or no memory.
    pub async fn apart<R: Send + 'static>(
        &self,
        effort: Effort,
        deadline: Instant,
        work: impl FnOnce() -> R + Send + 'static,
    ) -> Result<R, Reject> {
        let places = if effort.memory <= LARGE {
            1
        } else {
            self.count
        };
        let place = Arc::clone(&self.places).acquire_many_owned(places);
        let full = || Reject::Unavailable("too many long bodies to look into".to_owned());
        let Ok(Ok(place)) = timeout_at(deadline, place).await else {
            return Err(full());
        };
        // What takes more than the rest of memory is still worked on, alone.
        let share = self
            .memory
            .take(effort.memory.min(self.memory.size() / 2))?;
        let working = spawn_blocking(move || {
            // In this order they are free again: whoever gets the place finds the memory.
            let _held = (share, place);
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
}

/// Bytes whose reading takes longer than a request should hold up others: half a millisecond, or what it costs
/// several times over to do it on another thread.
const LONG: usize = 128 * 1024;
/// Bytes over which a step is alone: those of an ordinary body of 2 MiB.
const LARGE: usize = 2 * 1024 * 1024 * MULTIPLE;
/// Of a body's bytes, what a step takes at its peak. Seen of bodies of 4 MiB, sealed, in whatever format: 3
/// to 5.5; 11 if an expression looks into ordinary JSON; 4.5 for a dead letter. Bodies that are made for it
/// take more: 24 for JSON of nothing but small numbers that is looked into (an expression looks at no more
/// than 500,000 values: 24 MB), 29 for a text of control characters.
const MULTIPLE: usize = 12;
/// The same of a form: seen 10, and 51 of one of nothing but short fields (`a=&a=&`).
const FORM_MULTIPLE: usize = 52;

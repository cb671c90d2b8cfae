//! Permits for calls of one class: so many in flight, a part of them for one source.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};
use tokio::time::{Instant, timeout_at};
use webhook_core::outcome::Reject;

/// Calls in flight of one class.
#[derive(Debug)]
pub struct CallLimit {
    /// What they are called in a reason.
    name: &'static str,
    all: Semaphore,
    size: usize,
    per_source: usize,
    /// By path. Sources come from the configuration.
    sources: Mutex<HashMap<String, Arc<Semaphore>>>,
}

/// One call may be in flight, until this is dropped.
#[derive(Debug)]
pub struct CallPermit<'a> {
    _of_source: OwnedSemaphorePermit,
    _of_all: SemaphorePermit<'a>,
}

impl CallLimit {
    /// So many, and so many of one source.
    pub fn new(name: &'static str, size: usize, per_source: usize) -> Self {
        Self {
            name,
            all: Semaphore::new(size),
            size,
            per_source,
            sources: Mutex::default(),
        }
    }

    /// Waits for a permit for a call of the source at this path, while there is time for the call. It
    /// waits among its own first: who has much to send holds up no other source.
    ///
    /// # Errors
    /// [`Reject::Unavailable`] if there is none in time.
    pub async fn acquire(&self, source: &str, deadline: Instant) -> Result<CallPermit<'_>, Reject> {
        check_time(deadline)?;
        let latest = deadline - LEAST_TIME;
        let full = |of| Reject::Unavailable(format!("too many {}{of} in flight", self.name));
        let of_source = timeout_at(latest, self.of(source).acquire_owned()).await;
        let Ok(Ok(of_source)) = of_source else {
            return Err(full(" of this source"));
        };
        let Ok(Ok(of_all)) = timeout_at(latest, self.all.acquire()).await else {
            return Err(full(""));
        };
        Ok(CallPermit {
            _of_source: of_source,
            _of_all: of_all,
        })
    }

    /// Permits that are out, of all and of each source.
    pub fn held(&self) -> usize {
        let sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        let of_sources = sources
            .values()
            .map(|source| self.per_source - source.available_permits());
        self.size - self.all.available_permits() + of_sources.sum::<usize>()
    }

    fn of(&self, source: &str) -> Arc<Semaphore> {
        let mut sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = sources.get(source) {
            return Arc::clone(known);
        }
        let new = Arc::new(Semaphore::new(self.per_source));
        sources.insert(source.to_owned(), Arc::clone(&new));
        new
    }
}

/// Whether a call still makes sense: what Temporal takes after our answer is started, and asked for again.
///
/// # Errors
/// [`Reject::Unavailable`]
pub fn check_time(deadline: Instant) -> Result<(), Reject> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left >= LEAST_TIME {
        return Ok(());
    }
    Err(Reject::Unavailable(format!(
        "{} ms before the deadline: too late for a call to Temporal, which gets at least {}",
        left.as_millis(),
        LEAST_TIME.as_millis()
    )))
}

/// Of a call, until the deadline. A start takes some 10 ms on a healthy Temporal, and 300 on one that is
/// just failing over or busy.
pub const LEAST_TIME: Duration = Duration::from_millis(300);

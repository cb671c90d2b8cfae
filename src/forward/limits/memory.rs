//! The budget of bytes: whoever wants to hold some takes a share first, and gives it back by dropping it.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use webhook_core::outcome::Reject;

/// Bytes that may be held, by all together.
#[derive(Debug, Clone)]
pub struct Memory {
    left: Arc<Semaphore>,
    size: usize,
}

/// Bytes that are held.
#[derive(Debug, Default)]
pub struct Share(Option<OwnedSemaphorePermit>);

impl Memory {
    /// So many bytes.
    pub fn new(size: usize) -> Self {
        Self {
            left: Arc::new(Semaphore::new(size)),
            size,
        }
    }

    /// Whether or not they are in use.
    pub const fn size(&self) -> usize {
        self.size
    }

    /// Bytes that are in use.
    pub fn held(&self) -> usize {
        self.size - self.left.available_permits()
    }

    /// So many bytes, now or not at all: whoever waited would hold what it has already.
    ///
    /// # Errors
    /// [`Reject::Unavailable`]
    pub fn take(&self, bytes: usize) -> Result<Share, Reject> {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        let taken = Arc::clone(&self.left).try_acquire_many_owned(bytes);
        let full = |_| Reject::Unavailable("too many bodies in memory".to_owned());
        Ok(Share(Some(taken.map_err(full)?)))
    }
}

impl Share {
    /// And these, too.
    pub fn add(&mut self, more: Self) {
        match (&mut self.0, more.0) {
            (Some(held), Some(more)) => held.merge(more),
            (held, more) => *held = held.take().or(more),
        }
    }
}

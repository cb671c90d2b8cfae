//! Every limit of what is forwarded at a time: its name, its size, and why it is of this size.

pub mod blocks;
pub mod calls;
pub mod memory;
pub mod rates;
mod recent;
pub mod steps;

use self::blocks::Blocks;
use self::calls::CallLimit;
use self::memory::Memory;
use self::steps::Steps;

/// How much of everything there is.
#[derive(Debug, Clone)]
pub struct Sizes {
    /// Bytes of all bodies, of what long ones take while they are looked into and encoded, and of all
    /// encoded calls. Over it: 503 at once. 10,000 connections times the body limit would be more than
    /// a machine has; this is a small one's.
    pub memory: usize,
    /// Long bodies looked into at a time. Each takes a processor while its signature is checked and
    /// while it is encoded; whoever is over it waits, until its deadline.
    pub steps: usize,
    /// Starts and signals in flight: calls that Temporal answers in milliseconds. Over it they wait. More
    /// in flight makes a Temporal that is slow no faster.
    pub starts: usize,
    /// Of these for one source. Half: whatever one source does, the others have as much, and 256 in
    /// flight at 10 ms each are more than a Temporal takes.
    pub starts_per_source: usize,
    /// Calls in flight that wait for somebody else: a worker (updates), S3 (large payloads). They may take
    /// as long as their deadline, so they are none of the starts.
    pub waiting_calls: usize,
    /// Of these for one source: half, as above.
    pub waiting_calls_per_source: usize,
    /// Addresses that have shown a verify token. The one whose time is over first makes room.
    pub authorised: usize,
    /// Buckets of a source's `rate_limit`: clients, tenants or whatever its key says. About 250 bytes each. The
    /// one that was not used longest makes room.
    pub buckets: usize,
    /// Addresses that have signed well, and as many that have signed badly, for `[server] block`. Likewise.
    pub addresses: usize,
}

impl Default for Sizes {
    fn default() -> Self {
        Self {
            memory: 256 * 1024 * 1024,
            steps: 4,
            starts: 512,
            starts_per_source: 256,
            waiting_calls: 1024,
            waiting_calls_per_source: 512,
            authorised: 10_000,
            buckets: 10_000,
            addresses: 10_000,
        }
    }
}

/// What has to be had before something is done.
#[derive(Debug)]
pub struct Limits {
    /// Bytes.
    pub memory: Memory,
    /// Long bodies.
    pub steps: Steps,
    /// Starts and signals.
    pub starts: CallLimit,
    /// Updates, and what goes to S3 before.
    pub waiting_calls: CallLimit,
    /// Addresses that sign badly.
    pub blocks: Blocks,
}

impl Limits {
    /// Of these sizes, all unused.
    pub fn new(sizes: &Sizes) -> Self {
        let memory = Memory::new(sizes.memory);
        Self {
            steps: Steps::new(sizes.steps, memory.clone()),
            memory,
            blocks: Blocks::new(sizes.addresses),
            starts: CallLimit::new("starts", sizes.starts, sizes.starts_per_source),
            waiting_calls: CallLimit::new(
                "waiting calls",
                sizes.waiting_calls,
                sizes.waiting_calls_per_source,
            ),
        }
    }

    /// What is held now: nothing of anything, when no request is in flight.
    pub fn held(&self) -> Held {
        Held {
            memory: self.memory.held(),
            steps: self.steps.held(),
            calls: self.starts.held() + self.waiting_calls.held(),
        }
    }
}

/// How much of the limits is in use.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Held {
    /// Bytes.
    pub memory: usize,
    /// Places for long bodies.
    pub steps: usize,
    /// Permits for calls, of whatever class, those of sources among them.
    pub calls: usize,
}

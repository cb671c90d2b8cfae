//! How many connections a listener holds, and how long each may take for what.

use std::time::Duration;

use crate::config::Config;

/// Of one listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Open at a time.
    pub connections: usize,
    /// Of them, those of one peer: an IPv4 address, a /64 of IPv6. `None`: all.
    pub connections_per_peer: Option<usize>,
    /// For the TLS handshake.
    pub handshake: Duration,
    /// For a request's head, from its first byte; for the first one, from the connection.
    pub head: Duration,
    /// To do nothing between two requests.
    pub idle: Duration,
    /// To take nothing of an answer.
    pub stall: Duration,
    /// For all, to be answered once the process stops.
    pub drain: Duration,
}

impl Limits {
    /// Those of the listener for webhooks.
    pub const fn public(config: &Config) -> Self {
        Self {
            connections: 10_000,
            connections_per_peer: config.max_connections_per_peer,
            idle: config.idle_timeout,
            drain: config.drain_timeout,
            ..DEFAULT
        }
    }

    /// Those of a listener for the operator's own tools.
    pub const fn operator(drain: Duration) -> Self {
        Self { drain, ..DEFAULT }
    }

    /// Not more than there are file descriptors for, and some left for everything else.
    pub(super) fn connections(&self) -> usize {
        let files = rlimit::increase_nofile_limit(u64::MAX).unwrap_or(1024);
        usize::try_from(files / 5 * 4).map_or(self.connections, |most| most.min(self.connections))
    }

    /// For a silent client to take our goodbye.
    pub(super) fn goodbye(&self) -> Duration {
        GOODBYE.min(self.drain / 4)
    }
}

const DEFAULT: Limits = Limits {
    connections: 256,
    connections_per_peer: None,
    handshake: Duration::from_secs(10),
    head: Duration::from_secs(10),
    idle: Duration::from_secs(75),
    stall: Duration::from_secs(60),
    drain: Duration::from_secs(5),
};
const GOODBYE: Duration = Duration::from_secs(2);

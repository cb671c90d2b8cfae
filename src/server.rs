//! The public listener: accepts connections under limits, serves them, and drains.

mod activity;
pub mod connection;
pub mod refused;

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use self::connection::Terms;
use self::refused::Refusals;
use crate::config::Config;
use crate::forward::Forwarder;
use crate::temporal::Temporal;
use crate::tls::Certificate;

/// How long connections may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// To be answered once the process stops.
    pub drain: Duration,
    /// To do nothing between two requests.
    pub idle: Duration,
}

impl Timeouts {
    /// Those of the configuration.
    pub const fn of(config: &Config) -> Self {
        Self {
            drain: config.drain_timeout,
            idle: config.idle_timeout,
        }
    }
}

/// Serves until `shutdown`, then: not ready, listener closed, requests in flight answered for up
/// to `timeouts.drain`.
pub async fn run<T: Temporal>(
    listener: TcpListener,
    certificate: Option<Arc<Certificate>>,
    forwarder: Arc<Forwarder<T>>,
    timeouts: Timeouts,
    shutdown: impl Future<Output = ()>,
) {
    let (stop, stopped) = watch::channel(false);
    let mut connections = JoinSet::new();
    let permits = Arc::new(Semaphore::new(max_connections()));
    let terms = Arc::new(Terms {
        forwarder: Arc::clone(&forwarder),
        idle_timeout: timeouts.idle,
        refusals: Refusals::new(),
    });
    let serve = |connections: &mut JoinSet<()>, stream: TcpStream, peer: SocketAddr| {
        let Ok(permit) = Arc::clone(&permits).try_acquire_owned() else {
            tracing::debug!("too many connections");
            return;
        };
        let tls = certificate
            .as_ref()
            .map(|certificate| certificate.current());
        let (terms, stopped) = (Arc::clone(&terms), stopped.clone());
        connections.spawn(async move {
            connection::serve(stream, peer.ip(), tls, terms, stopped).await;
            drop(permit);
        });
    };
    tokio::pin!(shutdown);
    let mut complained: Option<Instant> = None;
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = connections.join_next() => continue,
            () = &mut shutdown => break,
        };
        match accepted {
            Ok((stream, peer)) => serve(&mut connections, stream, peer),
            Err(error) => {
                // Most often: out of file descriptors. Whoever is connected can still finish.
                if complained.is_none_or(|at| at.elapsed() > Duration::from_secs(1)) {
                    tracing::warn!(%error, "cannot accept connections");
                    complained = Some(Instant::now());
                }
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    forwarder.pages.drain();
    // Who has connected already is served: the kernel has said yes in our name.
    while let Some(Ok((stream, peer))) = listener.accept().now_or_never() {
        serve(&mut connections, stream, peer);
    }
    drop(listener);
    let _ = stop.send(true);
    let open = connections.len();
    tracing::info!(
        connections = open,
        "stopping: no new connections, answering what is in flight"
    );
    let all = async { while connections.join_next().await.is_some() {} };
    if timeout(timeouts.drain, all).await.is_err() {
        tracing::warn!(
            connections = connections.len(),
            "stopped before every connection was done"
        );
    }
}

/// As many connections as there are file descriptors for, and some left for everything else.
fn max_connections() -> usize {
    let files = rlimit::increase_nofile_limit(u64::MAX).unwrap_or(1024);
    usize::try_from(files / 5 * 4).map_or(MAX_CONNECTIONS, |share| share.min(MAX_CONNECTIONS))
}

const MAX_CONNECTIONS: usize = 10_000;
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

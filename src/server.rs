//! The public listener: accepts connections under limits, serves them, and drains.

pub mod connection;
pub mod intake;
pub mod tls;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use self::tls::Certificate;
use crate::forward::Forwarder;
use crate::temporal::Temporal;

/// Serves until `shutdown`, then: not ready, listener closed, requests in flight answered for up
/// to `drain_timeout`.
pub async fn run<T: Temporal>(
    listener: TcpListener,
    certificate: Option<Arc<Certificate>>,
    forwarder: Arc<Forwarder<T>>,
    drain_timeout: Duration,
    shutdown: impl Future<Output = ()>,
) {
    let (stop, stopped) = watch::channel(false);
    let mut connections = JoinSet::new();
    tokio::pin!(shutdown);
    let permits = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = connections.join_next() => continue,
            () = &mut shutdown => break,
        };
        let (stream, peer) = match accepted {
            Ok((stream, peer)) => (stream, peer.ip()),
            Err(error) => {
                // Most often: out of file descriptors. Whoever is connected can still finish.
                tracing::warn!(%error, "cannot accept a connection");
                sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let Ok(permit) = Arc::clone(&permits).try_acquire_owned() else {
            tracing::debug!("too many connections");
            continue;
        };
        let serve = connection::serve(
            stream,
            peer,
            certificate
                .as_ref()
                .map(|certificate| certificate.current()),
            Arc::clone(&forwarder),
            stopped.clone(),
        );
        connections.spawn(async move {
            serve.await;
            drop(permit);
        });
    }
    forwarder.pages.drain();
    drop(listener);
    let _ = stop.send(true);
    let open = connections.len();
    tracing::info!(
        connections = open,
        "stopping: no new connections, answering what is in flight"
    );
    let all = async { while connections.join_next().await.is_some() {} };
    if timeout(drain_timeout, all).await.is_err() {
        tracing::warn!(
            connections = connections.len(),
            "stopped before every connection was done"
        );
    }
}

const MAX_CONNECTIONS: usize = 10_000;
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

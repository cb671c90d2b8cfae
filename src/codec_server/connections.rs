//! The codec server's connections: HTTP/1.1, with or without TLS, under a few limits.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

use super::Peer;
use crate::server::connection::handshake;
use crate::server::refused::Refusals;
use crate::tls::Certificate;

/// Serves until `shutdown`, then answers what is in flight.
pub async fn run(
    listener: TcpListener,
    certificate: Option<Arc<Certificate>>,
    router: Router,
    shutdown: impl Future<Output = ()>,
) {
    let refusals = Refusals::new();
    let (stop, stopped) = watch::channel(false);
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut connections = JoinSet::new();
    let mut shutdown = pin!(shutdown);
    loop {
        let next = async {
            // Over the limit they wait in the kernel's queue.
            let place = Arc::clone(&places).acquire_owned().await;
            (place.expect("never closed"), listener.accept().await)
        };
        let (place, accepted) = tokio::select! {
            next = next => next,
            Some(_) = connections.join_next() => continue,
            () = &mut shutdown => break,
        };
        match accepted {
            Ok((stream, peer)) => {
                let tls = certificate.as_ref().map(|tls| tls.current());
                let (router, stopped) = (router.clone(), stopped.clone());
                let refusals = refusals.clone();
                connections.spawn(async move {
                    connection(stream, peer, tls, router, refusals, stopped).await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept connections");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    let _ = stop.send(true);
    let all = async { while connections.join_next().await.is_some() {} };
    if timeout(DRAIN, all).await.is_err() {
        tracing::warn!("stopped before every connection was done");
    }
}

/// One connection to its end.
async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    tls: Option<TlsAcceptor>,
    router: Router,
    refusals: Refusals,
    stopped: watch::Receiver<bool>,
) {
    let _ = stream.set_nodelay(true);
    let router = router.layer(Extension(Peer(peer)));
    match tls {
        None => serve(stream, router, stopped).await,
        // A caller that does not trust the certificate learns nothing else of it, and nor does its
        // browser's page.
        Some(tls) => {
            if let Some(stream) = handshake(stream, tls, &refusals, peer.ip()).await {
                serve(stream, router, stopped).await;
            }
        }
    }
}

async fn serve<S>(stream: S, router: Router, mut stopped: watch::Receiver<bool>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        // Also ends connections on which nothing is asked.
        .header_read_timeout(HEAD)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = &mut connection => ended,
        () = async { drop(stopped.wait_for(|stopped| *stopped).await) } => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "connection ended");
    }
}

const MAX_CONNECTIONS: usize = 256;
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
const HEAD: Duration = Duration::from_secs(30);
const DRAIN: Duration = Duration::from_secs(5);

//! The codec server's connections: HTTP/1.1, with or without TLS, under a few limits.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

use super::Peer;
use crate::server::tls::Certificate;

/// Serves until `shutdown`, then answers what is in flight.
pub async fn run(
    listener: TcpListener,
    certificate: Option<Arc<Certificate>>,
    router: Router,
    shutdown: impl Future<Output = ()>,
) {
    let failures = Arc::new(Failures::default());
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
                let tls = certificate.as_ref().map(|tls| http1_only(&tls.current()));
                let (router, stopped) = (router.clone(), stopped.clone());
                let failures = Arc::clone(&failures);
                connections.spawn(async move {
                    if let Err(problem) = connection(stream, peer, tls, router, stopped).await {
                        failures.tell(peer, &problem);
                    }
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

/// One connection; an error if its TLS handshake failed.
async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    tls: Option<TlsAcceptor>,
    router: Router,
    stopped: watch::Receiver<bool>,
) -> Result<(), String> {
    let _ = stream.set_nodelay(true);
    let router = router.layer(Extension(Peer(peer)));
    match tls {
        None => serve(stream, router, stopped).await,
        Some(tls) => match timeout(HANDSHAKE, tls.accept(stream)).await {
            Ok(Ok(stream)) => serve(stream, router, stopped).await,
            Ok(Err(error)) => return Err(error.to_string()),
            Err(_) => return Err("too slow".to_owned()),
        },
    }
    Ok(())
}

/// TLS handshakes that failed: a caller that does not trust the certificate learns nothing else
/// of it, and nor does its browser's page. At most one line a minute.
#[derive(Default)]
struct Failures(Mutex<Option<Instant>>);

impl Failures {
    fn tell(&self, peer: SocketAddr, problem: &str) {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if last.is_some_and(|last| last.elapsed() < QUIET) {
            tracing::debug!(%peer, problem, "TLS handshake failed");
            return;
        }
        *last = Some(Instant::now());
        tracing::warn!(%peer, problem, "TLS handshake failed");
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

/// The same certificate, without HTTP/2: browsers and Temporal's CLI do without.
fn http1_only(acceptor: &TlsAcceptor) -> TlsAcceptor {
    let mut config = ServerConfig::clone(acceptor.config());
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    TlsAcceptor::from(Arc::new(config))
}

const MAX_CONNECTIONS: usize = 256;
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
const HANDSHAKE: Duration = Duration::from_secs(10);
const HEAD: Duration = Duration::from_secs(30);
/// Between two lines about TLS handshakes.
const QUIET: Duration = Duration::from_secs(60);
const DRAIN: Duration = Duration::from_secs(5);

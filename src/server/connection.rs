//! One connection: TLS handshake, HTTP/1.1 or HTTP/2 by ALPN, a deadline on each phase, a
//! watchdog against silence.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use uuid::Uuid;
use webhook_core::outcome::Reject;

use super::activity::{Activity, Busy, watched};
use super::refused::{self, OPENING, Refusals};
use crate::forward::Forwarder;
use crate::forward::answer::{Answer, identify, problem};
use crate::forward::report;
use crate::telemetry::{CONNECTIONS, Gauge};
use crate::temporal::Temporal;
use crate::tls::H2;

/// What all connections have in common.
pub struct Terms<T> {
    /// Answers the requests.
    pub forwarder: Arc<Forwarder<T>>,
    /// For how long a connection may do nothing between two requests.
    pub idle_timeout: Duration,
    /// What never becomes a request.
    pub refusals: Refusals,
}

/// Serves one connection to its end.
pub(super) async fn serve<T: Temporal>(
    stream: TcpStream,
    peer: IpAddr,
    tls: Option<TlsAcceptor>,
    terms: Arc<Terms<T>>,
    stopped: watch::Receiver<bool>,
) {
    let _open = Gauge::enter(CONNECTIONS);
    let _ = stream.set_nodelay(true);
    let Some(tls) = tls else {
        return http1(stream, peer, terms, stopped).await;
    };
    let mut stopping = stopped.clone();
    let stream = tokio::select! {
        stream = handshake(stream, tls, &terms.refusals, peer) => stream,
        // Nothing was asked yet.
        () = async { drop(stopping.wait_for(|stopped| *stopped).await); sleep(GOODBYE).await } => return,
    };
    match stream {
        Some(stream) if stream.get_ref().1.alpn_protocol() == Some(H2) => {
            http2(stream, peer, terms, stopped).await;
        }
        Some(stream) => http1(stream, peer, terms, stopped).await,
        None => {}
    }
}

/// The TLS handshake, within 10 s; `None`: it failed. How it ended is noted.
pub async fn handshake(
    stream: TcpStream,
    tls: TlsAcceptor,
    refusals: &Refusals,
    peer: IpAddr,
) -> Option<TlsStream<TcpStream>> {
    let kind = match timeout(HANDSHAKE, open(stream, tls)).await {
        Ok(Ok(stream)) => {
            refusals.note(&refused::OK, peer);
            return Some(stream);
        }
        Ok(Err(None)) => {
            tracing::debug!("a connection ended before its first byte");
            return None;
        }
        Ok(Err(Some((opening, error)))) => {
            tracing::debug!(%error, "TLS handshake failed");
            refused::handshake(&opening, &error)
        }
        Err(_) => &refused::TIMEOUT,
    };
    refusals.note(kind, peer);
    None
}

/// An error comes with the client's first bytes; `None`: there were none.
async fn open(
    stream: TcpStream,
    tls: TlsAcceptor,
) -> Result<TlsStream<TcpStream>, Option<(Vec<u8>, io::Error)>> {
    let mut opening = [0; OPENING];
    let count = stream.peek(&mut opening).await.unwrap_or_default();
    if count == 0 {
        return Err(None);
    }
    let opened = tls.accept(stream).await;
    opened.map_err(|error| Some((opening[..count].to_vec(), error)))
}

async fn http1<S, T>(stream: S, peer: IpAddr, terms: Arc<Terms<T>>, stopped: watch::Receiver<bool>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    T: Temporal,
{
    let (io, activity) = watched(stream, true, terms.idle_timeout);
    let busy = || Busy::enter(&activity);
    let service =
        service_fn(|request| respond(request, Arc::clone(&terms.forwarder), busy(), peer));
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        // the watchdog's business: hyper's timer would also end idle connections
        .header_read_timeout(None)
        .max_headers(MAX_HEADERS)
        .max_buf_size(MAX_HEAD)
        // A client that has said all it has to say still gets its answer.
        .half_close(true)
        .serve_connection(io, service);
    let end = drive(
        &mut connection,
        |c| c.graceful_shutdown(),
        &activity,
        stopped,
    )
    .await;
    match end {
        End::Over => {}
        End::Failed(error) => {
            if let Some(kind) = refused::http1(&activity.opening(), &error) {
                terms.refusals.note(kind, peer);
            }
        }
        End::HeadTooSlow => {
            tracing::debug!("a request's head did not arrive");
            report::count(&Reject::HeadTooSlow);
            let mut stream = connection.into_parts().io.into_inner().stream;
            let farewell = async {
                let _ = stream.write_all(HEAD_TOO_SLOW).await;
                let _ = stream.shutdown().await;
            };
            let _ = timeout(GOODBYE, farewell).await;
        }
    }
}

async fn http2<S, T>(stream: S, peer: IpAddr, terms: Arc<Terms<T>>, stopped: watch::Receiver<bool>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    T: Temporal,
{
    let (io, activity) = watched(stream, false, terms.idle_timeout);
    let busy = || Busy::enter(&activity);
    let service =
        service_fn(|request| respond(request, Arc::clone(&terms.forwarder), busy(), peer));
    let mut connection = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .max_concurrent_streams(100)
        .initial_stream_window_size(256 * 1024)
        .initial_connection_window_size(1024 * 1024)
        .max_header_list_size(MAX_HEAD as u32)
        .max_local_error_reset_streams(Some(200))
        .keep_alive_interval(Some(Duration::from_secs(20)))
        .keep_alive_timeout(Duration::from_secs(10))
        .serve_connection(io, service);
    let end = drive(
        &mut connection,
        |c| c.graceful_shutdown(),
        &activity,
        stopped,
    )
    .await;
    if let End::Failed(error) = end
        && let Some(kind) = refused::http2(&error)
    {
        terms.refusals.note(kind, peer);
    }
}

/// Each request runs as a task of its own: a client that leaves does not leave a start without
/// its log line, and a panic ends one request, not the connection.
async fn respond<T: Temporal>(
    request: Request<Incoming>,
    forwarder: Arc<Forwarder<T>>,
    busy: Busy,
    peer: IpAddr,
) -> Result<Answer, Infallible> {
    let first_byte = busy.first_byte;
    let request_id = Uuid::new_v4().simple().to_string();
    let id = request_id.clone();
    let task = tokio::spawn(async move { forwarder.answer(request, &id, first_byte, peer).await });
    let answer = task.await.unwrap_or_else(|_| {
        tracing::error!(request_id, "a request's task panicked");
        let reject = Reject::Internal("panic");
        report::count(&reject);
        let mut answer = problem(&reject, &request_id);
        identify(&mut answer, &request_id);
        answer
    });
    drop(busy);
    Ok(answer)
}

/// How a connection ended.
enum End {
    Over,
    Failed(hyper::Error),
    /// HTTP/1: a request began and its head did not come to an end.
    HeadTooSlow,
}

/// Runs the connection until it ends, the process stops, or the watchdog has had enough.
async fn drive<C>(
    connection: &mut C,
    shut_down: impl Fn(Pin<&mut C>),
    activity: &Activity,
    mut stopped: watch::Receiver<bool>,
) -> End
where
    C: Future<Output = hyper::Result<()>> + Unpin,
{
    let stop = async { drop(stopped.wait_for(|stopped| *stopped).await) };
    let watchdog = async { while activity.patience().await {} };
    tokio::select! {
        result = &mut *connection => return ended(result),
        () = stop => {
            shut_down(Pin::new(&mut *connection));
            let unfinished = async {
                sleep(GOODBYE).await;
                while !activity.is_idle() {
                    sleep(POLL).await;
                }
            };
            tokio::select! {
                result = &mut *connection => return ended(result),
                // A head that nobody finishes does not hold up the end.
                () = unfinished => return End::Over,
            }
        }
        () = watchdog => {}
    }
    if activity.head_begun().is_some() {
        return End::HeadTooSlow;
    }
    tracing::debug!("closing a silent connection");
    shut_down(Pin::new(connection));
    let result = timeout(GOODBYE, connection).await;
    result.map_or(End::Over, ended)
}

fn ended(result: hyper::Result<()>) -> End {
    match result {
        Ok(()) => End::Over,
        Err(error) => {
            tracing::debug!(%error, "connection ended");
            End::Failed(error)
        }
    }
}

const HANDSHAKE: Duration = Duration::from_secs(10);
/// For a silent client to take our goodbye.
const GOODBYE: Duration = Duration::from_secs(2);
const HEAD_TOO_SLOW: &[u8] =
    b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
const POLL: Duration = Duration::from_millis(50);
const MAX_HEAD: usize = 32 * 1024;
const MAX_HEADERS: usize = 100;

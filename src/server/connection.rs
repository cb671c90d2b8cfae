//! One connection: TLS handshake, HTTP/1.1 or HTTP/2 by ALPN, a deadline on each phase, a
//! watchdog against silence.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};
use tokio_rustls::TlsAcceptor;
use uuid::Uuid;

use super::tls::H2;
use crate::answer::{Answer, identify, problem};
use crate::core::outcome::Reject;
use crate::forward::Forwarder;
use crate::report;
use crate::telemetry::{CONNECTIONS, Gauge};
use crate::temporal::Temporal;

/// Serves one connection to its end.
pub(super) async fn serve<T: Temporal>(
    stream: TcpStream,
    peer: IpAddr,
    tls: Option<TlsAcceptor>,
    forwarder: Arc<Forwarder<T>>,
    stopped: watch::Receiver<bool>,
) {
    let _open = Gauge::enter(CONNECTIONS);
    let _ = stream.set_nodelay(true);
    let Some(tls) = tls else {
        return http1(stream, peer, forwarder, stopped).await;
    };
    let mut stopping = stopped.clone();
    let handshake = tokio::select! {
        handshake = timeout(HANDSHAKE, tls.accept(stream)) => handshake,
        // Nothing was asked yet.
        () = async { drop(stopping.wait_for(|stopped| *stopped).await); sleep(GOODBYE).await } => return,
    };
    match handshake {
        Ok(Ok(stream)) if stream.get_ref().1.alpn_protocol() == Some(H2) => {
            http2(stream, peer, forwarder, stopped).await;
        }
        Ok(Ok(stream)) => http1(stream, peer, forwarder, stopped).await,
        Ok(Err(error)) => tracing::debug!(%error, "TLS handshake failed"),
        Err(_) => tracing::debug!("TLS handshake too slow"),
    }
}

async fn http1<S, T>(
    stream: S,
    peer: IpAddr,
    forwarder: Arc<Forwarder<T>>,
    stopped: watch::Receiver<bool>,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    T: Temporal,
{
    let (io, activity) = watched(stream, true);
    let busy = || Busy::enter(&activity);
    let service = service_fn(|request| respond(request, Arc::clone(&forwarder), busy(), peer));
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
    if end == End::HeadTooSlow {
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

async fn http2<S, T>(
    stream: S,
    peer: IpAddr,
    forwarder: Arc<Forwarder<T>>,
    stopped: watch::Receiver<bool>,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    T: Temporal,
{
    let (io, activity) = watched(stream, false);
    let busy = || Busy::enter(&activity);
    let service = service_fn(|request| respond(request, Arc::clone(&forwarder), busy(), peer));
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
    drive(
        &mut connection,
        |c| c.graceful_shutdown(),
        &activity,
        stopped,
    )
    .await;
}

/// The stream for hyper, and what the watchdog gets to see of it.
fn watched<S>(stream: S, heads_begin_with_bytes: bool) -> (TokioIo<Watched<S>>, Arc<Activity>) {
    let activity = Arc::new(Activity::new(heads_begin_with_bytes));
    let watched = Watched {
        stream,
        activity: Arc::clone(&activity),
    };
    (TokioIo::new(watched), activity)
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
#[derive(PartialEq, Eq)]
enum End {
    Over,
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
    if let Err(error) = result {
        tracing::debug!(%error, "connection ended");
    }
    End::Over
}

/// What the watchdog knows of a connection.
struct Activity {
    /// HTTP/1: bytes without a request are an unfinished head. In HTTP/2 they may be pings.
    heads_begin_with_bytes: bool,
    state: Mutex<State>,
}

struct State {
    /// When the first byte since the last request began to be handled was read.
    first_byte: Option<Instant>,
    in_flight: usize,
    /// When the last request was done, or the connection was made.
    idle_since: Instant,
    any_request: bool,
}

impl Activity {
    fn new(heads_begin_with_bytes: bool) -> Self {
        Self {
            heads_begin_with_bytes,
            state: Mutex::new(State {
                first_byte: None,
                in_flight: 0,
                idle_since: Instant::now(),
                any_request: false,
            }),
        }
    }

    fn with<R>(&self, change: impl FnOnce(&mut State) -> R) -> R {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn is_idle(&self) -> bool {
        self.with(|state| state.in_flight == 0)
    }

    /// When the head that is being read began.
    fn head_begun(&self) -> Option<Instant> {
        let begun = self.with(|state| state.first_byte);
        begun.filter(|_| self.heads_begin_with_bytes)
    }

    /// Waits until the connection may have been silent too long; `false` if it was.
    async fn patience(&self) -> bool {
        let until = self.with(|state| {
            if state.in_flight > 0 {
                return None;
            }
            let allowed = if state.any_request { IDLE } else { HEAD };
            let idle = state.idle_since + allowed;
            let head = state.first_byte.filter(|_| self.heads_begin_with_bytes);
            Some(head.map_or(idle, |first| first + HEAD))
        });
        match until {
            Some(until) if until <= Instant::now() => return false,
            Some(until) => sleep((until - Instant::now()).min(HEAD)).await,
            None => sleep(HEAD).await,
        }
        true
    }
}

/// A request being handled.
struct Busy {
    activity: Arc<Activity>,
    first_byte: Instant,
}

impl Busy {
    fn enter(activity: &Arc<Activity>) -> Self {
        let first_byte = activity.with(|state| {
            state.in_flight += 1;
            state.any_request = true;
            state.first_byte.take()
        });
        let first_byte = first_byte.filter(|_| activity.heads_begin_with_bytes);
        Self {
            activity: Arc::clone(activity),
            first_byte: first_byte.unwrap_or_else(Instant::now),
        }
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.activity.with(|state| {
            state.in_flight -= 1;
            state.idle_since = Instant::now();
            // the body's bytes
            state.first_byte = None;
        });
    }
}

/// A stream that notes when bytes come.
struct Watched<S> {
    stream: S,
    activity: Arc<Activity>,
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let result = Pin::new(&mut self.stream).poll_read(cx, buf);
        // Line ends between requests are no beginning of a head (RFC 9112, section 2.2).
        if buf.filled()[before..]
            .iter()
            .any(|byte| !b"\r\n".contains(byte))
        {
            self.activity.with(|state| {
                state.first_byte.get_or_insert_with(Instant::now);
            });
        }
        result
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

const HANDSHAKE: Duration = Duration::from_secs(10);
/// For a request's head, from its first byte; for the first request, from the connection.
const HEAD: Duration = Duration::from_secs(10);
/// Between requests.
const IDLE: Duration = Duration::from_secs(60);
/// For a silent client to take our goodbye.
const GOODBYE: Duration = Duration::from_secs(2);
const HEAD_TOO_SLOW: &[u8] =
    b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
const POLL: Duration = Duration::from_millis(50);
const MAX_HEAD: usize = 32 * 1024;
const MAX_HEADERS: usize = 100;

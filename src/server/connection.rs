//! One connection: TLS handshake, HTTP/1.1 or HTTP/2 by ALPN, a deadline on each phase, and an end
//! that cuts no answer.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response, Version};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::{self, service_fn};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use webhook_core::client_certificate::ClientCertificate;
use webhook_core::outcome::Reject;

use super::activity::{Activity, Handled, Overdue, watched};
use super::handshake::handshake;
use super::hardened::harden;
use super::outgoing::Outgoing;
use super::seats::{Seat, Share};
use super::service::{Arrival, Service};
use super::{Terms, proxy, refused};
use crate::forward::report;
use crate::telemetry::{CONNECTIONS, Gauge};
use crate::tls::{ACME, H2};

/// A connection that was accepted.
pub(super) struct Connection<V> {
    pub(super) peer: SocketAddr,
    /// The peer is a trusted proxy, and says first whose connection it is.
    pub(super) speaks_proxy: bool,
    pub(super) seat: Seat,
    pub(super) terms: Arc<Terms<V>>,
    /// What its client has shown in the handshake.
    pub(super) certificate: Option<Arc<ClientCertificate>>,
    pub(super) stopped: watch::Receiver<bool>,
}

impl<V: Service> Connection<V> {
    /// Serves it to its end.
    pub(super) async fn serve(mut self, mut stream: TcpStream) {
        let is_counted = self.terms.refusals.is_some();
        let _open = is_counted.then(|| Gauge::enter(&metrics::gauge!(CONNECTIONS)));
        let _ = stream.set_nodelay(true);
        if self.speaks_proxy && !Box::pin(self.find_client(&mut stream)).await {
            return;
        }
        let tls = self.terms.certificate.as_ref();
        let Some(tls) = tls.map(|certificate| certificate.current()) else {
            return self.http1(stream).await;
        };
        let (stream, kind) = tokio::select! {
            result = handshake(stream, tls, self.terms.limits.handshake) => result,
            () = self.given_up() => return,
        };
        if let Some(kind) = kind {
            self.terms.note(kind, self.peer);
        }
        let Some((stream, certificate)) = stream else {
            return;
        };
        if stream.get_ref().1.alpn_protocol() == Some(ACME) {
            // It has seen what it came for.
            return;
        }
        self.certificate = certificate;
        if stream.get_ref().1.alpn_protocol() == Some(H2) {
            self.http2(stream).await;
        } else {
            self.http1(stream).await;
        }
    }

    /// From here on the peer is the client. `false`: it is not to be served.
    async fn find_client(&mut self, stream: &mut TcpStream) -> bool {
        let (client, kind) = tokio::select! {
            result = proxy::client(stream, self.peer, self.terms.limits.handshake) => result,
            () = self.given_up() => return false,
        };
        if let Some(kind) = kind {
            self.terms.note(kind, self.peer);
        }
        let Some(client) = client else {
            return false;
        };
        if client == self.peer {
            return true;
        }
        self.peer = client;
        match self.seat.belongs_to(client.ip()) {
            Share::Free => true,
            Share::InPlaceOfIdle => {
                self.terms.note(&refused::EVICTED, client);
                true
            }
            Share::Full => {
                self.terms.note(&refused::SHARE, client);
                false
            }
        }
    }

    /// Before anything was asked: another connection has got the seat, or the process stops.
    async fn given_up(&self) {
        tokio::select! {
            () = self.seat.evicted() => {}
            () = async { self.stopped().await; sleep(self.terms.limits.goodbye()).await } => {}
        }
    }

    pub(super) async fn http1<S>(self, stream: S)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let activity = Activity::new(true, self.terms.limits, self.seat);
        let (io, stream) = watched(stream, &activity);
        let answering = answering(&activity, &self.terms, self.peer, self.certificate);
        let mut connection = http1::Builder::new()
            .timer(TokioTimer::new())
            // the watchdog's business: hyper's timer would also end idle connections
            .header_read_timeout(None)
            .max_headers(MAX_HEADERS)
            .max_buf_size(MAX_HEAD)
            // A client that has said all it has to say still gets its answer.
            .half_close(true)
            .serve_connection(io, answering);
        let goodbye = self.terms.limits.goodbye();
        let shut_down = |c: Pin<&mut _>| http1::Connection::graceful_shutdown(c);
        let end = drive(&mut connection, shut_down, &activity, self.stopped, goodbye).await;
        drop(connection);
        let (Ok(mut stream), false) = (stream.await, matches!(end, End::Abandoned)) else {
            return;
        };
        match end {
            End::Failed(error) => {
                if let Some(kind) = refused::http1(&activity.opening(), &error) {
                    self.terms.note(kind, self.peer);
                }
            }
            End::HeadTooSlow => {
                tracing::debug!("a request's head did not arrive");
                if self.terms.refusals.is_some() {
                    report::count(&Reject::HeadTooSlow);
                }
                let _ = timeout(goodbye, stream.write_all(HEAD_TOO_SLOW)).await;
            }
            End::Over | End::Abandoned => {}
        }
        linger(stream, &activity, goodbye).await;
    }

    pub(super) async fn http2<S>(self, stream: S)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let activity = Activity::new(false, self.terms.limits, self.seat);
        let (io, stream) = watched(stream, &activity);
        let answering = answering(&activity, &self.terms, self.peer, self.certificate);
        let mut connection = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .max_concurrent_streams(100)
            .initial_stream_window_size(256 * 1024)
            .initial_connection_window_size(1024 * 1024)
            .max_header_list_size(MAX_HEAD as u32)
            .max_local_error_reset_streams(Some(200))
            .keep_alive_interval(Some(Duration::from_secs(20)))
            .keep_alive_timeout(Duration::from_secs(10))
            .serve_connection(io, answering);
        let goodbye = self.terms.limits.goodbye();
        let shut_down = |c: Pin<&mut _>| http2::Connection::graceful_shutdown(c);
        let end = drive(&mut connection, shut_down, &activity, self.stopped, goodbye).await;
        drop(connection);
        let (Ok(stream), false) = (stream.await, matches!(end, End::Abandoned)) else {
            return;
        };
        if let End::Failed(error) = end
            && let Some(kind) = refused::http2(&error)
        {
            self.terms.note(kind, self.peer);
        }
        linger(stream, &activity, goodbye).await;
    }

    async fn stopped(&self) {
        let _ = self.stopped.clone().wait_for(|stopped| *stopped).await;
    }
}

/// Answers the requests of a connection.
fn answering<V: Service>(
    activity: &Arc<Activity>,
    terms: &Arc<Terms<V>>,
    peer: SocketAddr,
    certificate: Option<Arc<ClientCertificate>>,
) -> impl service::Service<
    Request<Incoming>,
    Response = Response<Outgoing<V::Body>>,
    Error = Infallible,
    Future: Send + 'static,
> + use<V> {
    let (activity, terms) = (Arc::clone(activity), Arc::clone(terms));
    service_fn(move |request| {
        let handled = Handled::begin(&activity);
        let arrival = Arrival {
            peer,
            first_byte: handled.first_byte,
            certificate: certificate.clone(),
        };
        respond(request, Arc::clone(&terms), handled, arrival)
    })
}

async fn respond<V: Service>(
    request: Request<Incoming>,
    terms: Arc<Terms<V>>,
    handled: Handled,
    arrival: Arrival,
) -> Result<Response<Outgoing<V::Body>>, Infallible> {
    let is_http2 = request.version() == Version::HTTP_2;
    let mut answer = terms.service.call(request, arrival).await;
    harden(answer.headers_mut());
    let unsent = handled.answered();
    Ok(answer.map(|body| Outgoing::new(body, is_http2, unsent)))
}

/// How a connection ended.
enum End {
    Over,
    Failed(hyper::Error),
    /// HTTP/1: a request began and its head did not come to an end.
    HeadTooSlow,
    /// Its client takes nothing, or another connection has got its seat: no time for it.
    Abandoned,
}

/// Runs the connection until it ends, the process stops, another one gets its seat, or something
/// on it has been going on for too long.
async fn drive<C>(
    connection: &mut C,
    shut_down: impl Fn(Pin<&mut C>),
    activity: &Activity,
    mut stopped: watch::Receiver<bool>,
    goodbye: Duration,
) -> End
where
    C: Future<Output = hyper::Result<()>> + Unpin,
{
    let stop = async { drop(stopped.wait_for(|stopped| *stopped).await) };
    // Whoever has just connected is about to ask; hyper would close at once.
    let stop = async {
        stop.await;
        let _ = timeout(goodbye, activity.has_begun()).await;
    };
    let (is_evicted, goodbye) = tokio::select! {
        biased;
        result = &mut *connection => return ended(result),
        () = stop => (false, goodbye),
        () = activity.evicted() => (true, EVICTION),
        overdue = activity.overdue() => match overdue {
            Overdue::Head => return End::HeadTooSlow,
            Overdue::Stalled => return End::Abandoned,
            Overdue::Idle => (false, goodbye),
        },
    };
    shut_down(Pin::new(&mut *connection));
    let end = tokio::select! {
        biased;
        result = &mut *connection => ended(result),
        // A head that nobody finishes does not hold up the end.
        () = activity.finished(goodbye) => End::Over,
    };
    if is_evicted { End::Abandoned } else { end }
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

/// Says that nothing more comes, and reads on until the client has gone: to close a socket on what
/// the client still says would take from it what it has not read yet.
async fn linger<S>(mut stream: S, activity: &Activity, silence: Duration)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let gone = async {
        if !matches!(timeout(silence, stream.shutdown()).await, Ok(Ok(()))) {
            return;
        }
        let mut scrap = [0; 1024];
        while let Ok(Ok(1..)) = timeout(silence, stream.read(&mut scrap)).await {}
    };
    tokio::select! {
        _ = timeout(LINGER, gone) => {}
        () = activity.evicted() => {}
    }
}

/// For a client to be told that its idle connection is given to another.
const EVICTION: Duration = Duration::from_millis(250);
const HEAD_TOO_SLOW: &[u8] =
    b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n\r\n";
/// For a client to read the rest of an answer.
const LINGER: Duration = Duration::from_secs(30);
const MAX_HEAD: usize = 32 * 1024;
const MAX_HEADERS: usize = 100;

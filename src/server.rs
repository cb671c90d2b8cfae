//! The one loop of all listeners: accepts connections under limits, serves them, and drains.

mod activity;
pub mod bearer;
mod connection;
mod handshake;
mod hardened;
mod limits;
mod outgoing;
pub mod proxy;
pub mod refused;
mod seats;
pub mod service;

#[cfg(test)]
mod tests;

use std::future::Future;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use self::connection::Connection;
pub use self::limits::Limits;
use self::proxy::Trusted;
use self::refused::{EVICTED, FULL, Refusals, SHARE};
use self::seats::{Admission, Seats};
use self::service::Service;
use crate::tls::Certificate;

/// A bound socket, and what becomes of its connections.
pub struct Listener<S> {
    /// Its name in the log.
    pub name: &'static str,
    /// Bound.
    pub socket: TcpListener,
    /// `None`: plain HTTP/1.1.
    pub certificate: Option<Arc<Certificate>>,
    /// How many, how long.
    pub limits: Limits,
    /// Whose connections are others'; `None`: nobody's.
    pub proxies: Option<Arc<Trusted>>,
    /// Counts and logs connections that bring no request; `None`: nobody does.
    pub refusals: Option<Refusals>,
    /// Answers the requests.
    pub service: S,
}

/// What all connections of a listener have in common.
struct Terms<S> {
    certificate: Option<Arc<Certificate>>,
    limits: Limits,
    proxies: Option<Arc<Trusted>>,
    refusals: Option<Refusals>,
    service: S,
}

impl<S> Terms<S> {
    fn note(&self, kind: &'static refused::Kind, peer: SocketAddr) {
        if let Some(refusals) = &self.refusals {
            refusals.note(kind, peer.ip());
        }
    }
}

impl<S: Service> Listener<S> {
    /// Serves until `shutdown`, then: whoever has connected is accepted, the socket closed,
    /// requests in flight answered for up to the drain timeout.
    pub async fn run(self, shutdown: impl Future<Output = ()>) {
        let (name, socket, drain) = (self.name, self.socket, self.limits.drain);
        let mut open = Open {
            seats: Seats::new(self.limits.connections(), self.limits.connections_per_peer),
            connections: JoinSet::new(),
            stopped: watch::Sender::new(false),
            terms: Arc::new(Terms {
                certificate: self.certificate,
                limits: self.limits,
                proxies: self.proxies,
                refusals: self.refusals,
                service: self.service,
            }),
        };
        open.accept(&socket, shutdown).await;
        open.accept_backlog(&socket).await;
        drop(socket);
        open.stopped.send_replace(true);
        tracing::info!(
            listener = name,
            connections = open.connections.len(),
            "stopping: no new connections, answering what is in flight"
        );
        if timeout(drain, open.ended()).await.is_err() {
            tracing::warn!(
                listener = name,
                connections = open.connections.len(),
                "stopped before every connection was done"
            );
        }
    }
}

/// A socket that listens on the first of these addresses that can be had.
///
/// # Errors
/// The last one's.
pub fn bind(addresses: &[SocketAddr]) -> io::Result<TcpListener> {
    let mut last = ErrorKind::AddrNotAvailable.into();
    for address in addresses {
        match listen(*address) {
            Ok(socket) => return Ok(socket),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4(),
        SocketAddr::V6(_) => TcpSocket::new_v6(),
    }?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(QUEUE)
}

/// The connections of a listener.
struct Open<S> {
    terms: Arc<Terms<S>>,
    seats: Arc<Seats>,
    connections: JoinSet<()>,
    stopped: watch::Sender<bool>,
}

impl<S: Service> Open<S> {
    async fn accept(&mut self, socket: &TcpListener, shutdown: impl Future<Output = ()>) {
        let mut shutdown = pin!(shutdown);
        let mut complained: Option<Instant> = None;
        loop {
            let accepted = tokio::select! {
                accepted = socket.accept() => accepted,
                Some(_) = self.connections.join_next() => continue,
                () = &mut shutdown => return,
            };
            match accepted {
                Ok((stream, peer)) => self.serve(stream, peer),
                Err(error) if is_of_the_client(&error) => {}
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
    }

    /// Who has connected already is served: the kernel has said yes in our name.
    async fn accept_backlog(&mut self, socket: &TcpListener) {
        let last = Instant::now() + BACKLOG;
        loop {
            // A moment for the runtime: it may not know yet who has connected.
            let next = last.min(Instant::now() + BACKLOG_PAUSE);
            match timeout_at(next, socket.accept()).await {
                Ok(Ok((stream, peer))) => self.serve(stream, peer),
                Ok(Err(error)) if is_of_the_client(&error) => {}
                Ok(Err(_)) | Err(_) => return,
            }
        }
    }

    fn serve(&mut self, stream: TcpStream, peer: SocketAddr) {
        let proxies = self.terms.proxies.as_ref();
        let proxies = proxies.and_then(|proxies| proxies.of(peer));
        let own = proxies.is_none().then(|| peer.ip());
        let seat = match self.seats.admit(own) {
            Admission::Free(seat) => seat,
            Admission::InPlaceOfIdle(seat) => {
                self.terms.note(&EVICTED, peer);
                seat
            }
            Admission::Full => return self.terms.note(&FULL, peer),
            Admission::ShareIsFull => return self.terms.note(&SHARE, peer),
        };
        let connection = Connection {
            peer,
            speaks_proxy: proxies.is_some_and(|proxies| proxies.protocol),
            seat,
            terms: Arc::clone(&self.terms),
            certificate: None,
            stopped: self.stopped.subscribe(),
        };
        self.connections.spawn(connection.serve(stream));
    }

    async fn ended(&mut self) {
        while self.connections.join_next().await.is_some() {}
    }
}

/// It went away while it waited to be accepted.
fn is_of_the_client(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset | ErrorKind::ConnectionRefused
    )
}

/// Connections that wait to be accepted. The 128 of tokio are few when all come at once.
const QUEUE: u32 = 1024;
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// For accepting who has connected before the end, in all and one after another.
const BACKLOG: Duration = Duration::from_secs(1);
const BACKLOG_PAUSE: Duration = Duration::from_millis(10);

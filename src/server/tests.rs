//! Connections over pipes on paused time, and listeners with real sockets.

mod deadlines;
mod end;
mod sockets;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use h2::client::SendRequest;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use super::connection::Connection;
use super::seats::{Admission, Seats};
use super::service::{Arrival, Service};
use super::{Limits, Terms};

/// A connection that is served, without a socket.
struct Served {
    client: DuplexStream,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Served {
    fn http1(service: impl Service) -> Self {
        Self::new(service, false)
    }

    async fn http2(service: impl Service, window: u32) -> (SendRequest<Bytes>, Self) {
        let mut served = Self::new(service, true);
        let mut client = h2::client::Builder::new();
        let client = client.initial_window_size(window).handshake(served.pipe());
        let (client, connection) = client.await.expect("HTTP/2");
        tokio::spawn(connection);
        (client, served)
    }

    /// The client's end, for whoever speaks by himself.
    fn pipe(&mut self) -> DuplexStream {
        std::mem::replace(&mut self.client, duplex(1).0)
    }

    fn new(service: impl Service, is_http2: bool) -> Self {
        let (client, server) = duplex(PIPE);
        let peer = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
        let Admission::Free(seat) = Seats::new(1, None).admit(Some(peer.ip())) else {
            panic!("there is room");
        };
        let stop = watch::Sender::new(false);
        let connection = Connection {
            peer,
            speaks_proxy: false,
            seat,
            terms: Arc::new(Terms {
                certificate: None,
                limits: LIMITS,
                proxies: None,
                refusals: None,
                service,
            }),
            certificate: None,
            stopped: stop.subscribe(),
        };
        let task = tokio::spawn(async move {
            if is_http2 {
                connection.http2(server).await;
            } else {
                connection.http1(server).await;
            }
        });
        Self { client, stop, task }
    }

    async fn write(&mut self, bytes: &[u8]) {
        self.client.write_all(bytes).await.expect("it is open");
    }

    /// What comes in one piece: a short answer.
    async fn read(&mut self) -> String {
        let mut answer = vec![0; 4096];
        let length = self.client.read(&mut answer).await.expect("it is open");
        String::from_utf8_lossy(&answer[..length]).into_owned()
    }

    /// What comes until the server closes, and when that is.
    async fn read_to_end(&mut self) -> (String, Instant) {
        let mut answer = Vec::new();
        let read = self.client.read_to_end(&mut answer).await;
        read.expect("it is closed in order");
        (
            String::from_utf8_lossy(&answer).into_owned(),
            Instant::now(),
        )
    }
}

/// Answers how many milliseconds ago a request's first byte came, once its body is there.
async fn age(request: Request<Incoming>, arrival: Arrival) -> Response<Full<Bytes>> {
    request.into_body().collect().await.expect("a body");
    let age = arrival.first_byte.elapsed().as_millis();
    Response::new(Full::from(age.to_string()))
}

/// Answers after so many seconds.
fn after(seconds: u64) -> impl Service {
    move |_: Request<Incoming>, _: Arrival| async move {
        sleep(Duration::from_secs(seconds)).await;
        Response::new(Full::from("late"))
    }
}

/// Answers with so many bytes.
fn large(size: usize) -> impl Service {
    move |_: Request<Incoming>, _: Arrival| async move { Response::new(Full::from(vec![b'x'; size])) }
}

fn request(path: &str) -> Request<()> {
    let request = Request::get(format!("http://localhost{path}"));
    request.body(()).expect("a request")
}

const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const PIPE: usize = 16 * 1024;
const LIMITS: Limits = Limits {
    connections: 10,
    connections_per_peer: None,
    handshake: Duration::from_secs(10),
    head: Duration::from_secs(10),
    idle: Duration::from_secs(75),
    stall: Duration::from_secs(60),
    drain: Duration::from_secs(20),
};

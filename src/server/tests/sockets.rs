//! Listeners with real sockets: over the limit, a peer over its share, the kernel's queue.

use std::net::Ipv6Addr;

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{Notify, oneshot};
use tokio::time::timeout;

use super::*;
use crate::server::Listener;

#[tokio::test]
async fn over_the_limit_the_one_that_is_idle_longest_makes_room() {
    let open = Opened::new(Limits {
        connections: 3,
        ..LIMITS
    })
    .await;
    let mut clients = Vec::new();
    for _ in 0..3 {
        clients.push(open.connect(1).await);
    }
    for index in [1, 0, 2] {
        assert!(asks(&mut clients[index]).await);
    }
    let mut busy = clients.remove(1);
    busy.write_all(b"GET /wait HTTP/1.1\r\nHost: a\r\n\r\n")
        .await
        .expect("it is open");
    open.waiting.notified().await;
    // Of three one is busy, one was idle before the other.
    let mut fourth = open.connect(1).await;
    assert!(asks(&mut fourth).await, "it is let in");
    assert!(
        !asks(&mut clients[0]).await,
        "the oldest idle one is closed"
    );
    assert!(asks(&mut clients[1]).await, "the other is not");
    open.go_on.notify_waiters();
    assert!(is_answered(&mut busy).await, "nor is the busy one");
}

#[tokio::test]
async fn busy_connections_make_no_room() {
    let open = Opened::new(Limits {
        connections: 2,
        ..LIMITS
    })
    .await;
    let mut busy = [open.connect(1).await, open.connect(1).await];
    busy[0]
        .write_all(b"GET /wait HTTP/1.1\r\nHost: a\r\n\r\n")
        .await
        .expect("it is open");
    open.waiting.notified().await;
    // Half a head is the beginning of a request.
    busy[1].write_all(&GET[..10]).await.expect("it is open");
    sleep(Duration::from_millis(100)).await;
    assert!(!asks(&mut open.connect(1).await).await, "there is no room");
    busy[1].write_all(&GET[10..]).await.expect("it is open");
    assert!(is_answered(&mut busy[1]).await);
    open.go_on.notify_waiters();
    assert!(is_answered(&mut busy[0]).await);
    assert!(
        asks(&mut open.connect(1).await).await,
        "there is room again"
    );
}

#[tokio::test]
async fn a_peer_holds_its_share_and_no_more() {
    let open = Opened::new(Limits {
        connections_per_peer: Some(1),
        ..LIMITS
    })
    .await;
    let mut other = open.connect(2).await;
    let mut first = open.connect(1).await;
    assert!(asks(&mut first).await);
    let mut second = open.connect(1).await;
    assert!(asks(&mut second).await, "in place of its own idle one");
    assert!(!asks(&mut first).await);
    assert!(asks(&mut other).await, "another peer has its own share");
    second
        .write_all(b"GET /wait HTTP/1.1\r\nHost: a\r\n\r\n")
        .await
        .expect("it is open");
    open.waiting.notified().await;
    assert!(
        !asks(&mut open.connect(1).await).await,
        "its share is in use"
    );
    open.go_on.notify_waiters();
    assert!(is_answered(&mut second).await);
}

/// More than tokio accepts in one go.
#[tokio::test]
async fn who_is_in_the_kernels_queue_at_the_end_is_served() {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket
        .bind((Ipv4Addr::LOCALHOST, 0).into())
        .expect("a free port");
    let listener = socket.listen(1024).expect("it listens");
    let address = listener.local_addr().expect("an address");
    let mut clients = Vec::new();
    for _ in 0..300 {
        let mut client = TcpStream::connect(address).await.expect("it listens");
        client.write_all(GET).await.expect("it is open");
        clients.push(client);
    }
    let limits = Limits {
        connections: 1000,
        ..LIMITS
    };
    let running = tokio::spawn(listening(listener, limits, age).run(std::future::ready(())));
    for (index, client) in clients.iter_mut().enumerate() {
        assert!(is_answered(client).await, "{index}");
    }
    drop(clients);
    running.await.expect("it does not panic");
    assert!(TcpStream::connect(address).await.is_err(), "it is closed");
}

#[tokio::test]
async fn a_reader_that_takes_nothing_does_not_hold_up_the_end() {
    let socket = TcpListener::bind((Ipv6Addr::LOCALHOST, 0))
        .await
        .expect("a free port");
    let address = socket.local_addr().expect("an address");
    let (stop, stopped) = oneshot::channel::<()>();
    let limits = Limits {
        drain: Duration::from_millis(300),
        ..LIMITS
    };
    let listener = listening(socket, limits, large(64 * 1024 * 1024));
    let running = tokio::spawn(listener.run(async { drop(stopped.await) }));
    let mut client = TcpStream::connect(address).await.expect("it listens");
    client.write_all(GET).await.expect("it is open");
    client.readable().await.expect("an answer begins");
    drop(stop);
    let ended = timeout(Duration::from_secs(10), running).await;
    ended.expect("it ends").expect("it does not panic");
}

/// A listener whose `/wait` is answered when the test says so.
struct Opened {
    address: SocketAddr,
    waiting: Arc<Notify>,
    go_on: Arc<Notify>,
}

impl Opened {
    async fn new(limits: Limits) -> Self {
        let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .expect("a free port");
        let opened = Self {
            address: socket.local_addr().expect("an address"),
            waiting: Arc::new(Notify::new()),
            go_on: Arc::new(Notify::new()),
        };
        let (waiting, go_on) = (Arc::clone(&opened.waiting), Arc::clone(&opened.go_on));
        let service = move |request: Request<Incoming>, _: Arrival| {
            let (waiting, go_on) = (Arc::clone(&waiting), Arc::clone(&go_on));
            async move {
                if request.uri().path() == "/wait" {
                    let go_on = go_on.notified();
                    waiting.notify_one();
                    go_on.await;
                }
                Response::new(Full::from("an answer"))
            }
        };
        tokio::spawn(listening(socket, limits, service).run(std::future::pending()));
        opened
    }

    /// From the address 127.0.0.N.
    async fn connect(&self, from: u8) -> TcpStream {
        let socket = TcpSocket::new_v4().expect("a socket");
        let from = IpAddr::from([127, 0, 0, from]);
        socket.bind((from, 0).into()).expect("a free port");
        socket.connect(self.address).await.expect("it listens")
    }
}

fn listening<S: Service>(socket: TcpListener, limits: Limits, service: S) -> Listener<S> {
    Listener {
        name: "test",
        socket,
        certificate: None,
        limits,
        proxies: None,
        refusals: None,
        service,
    }
}

/// Whether a request is answered; if not, the connection is closed.
async fn asks(client: &mut TcpStream) -> bool {
    client.write_all(GET).await.is_ok() && is_answered(client).await
}

async fn is_answered(client: &mut TcpStream) -> bool {
    let mut answer = [0; 1024];
    let read = timeout(Duration::from_secs(10), client.read(&mut answer)).await;
    match read.expect("an answer or an end") {
        Ok(0) | Err(_) => false,
        Ok(length) => {
            assert!(answer[..length].starts_with(b"HTTP/1.1 200 "));
            true
        }
    }
}

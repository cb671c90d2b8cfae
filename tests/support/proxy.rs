//! A TCP proxy that breaks the network on purpose.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::sleep;

/// Forwards to `target` until told otherwise.
#[derive(Debug)]
pub(crate) struct ChaosProxy {
    address: SocketAddr,
    target: String,
    door: Door,
    mode: watch::Sender<Mode>,
    /// Connections of an older epoch are cut.
    epoch: watch::Sender<u64>,
    /// Connections up to this number, from 1 in the order in which they came, are mute for ever.
    frozen: watch::Sender<usize>,
    /// Connections so far.
    came: Arc<AtomicUsize>,
    /// The numbers of those that are open.
    open: Open,
}

type Open = Arc<Mutex<BTreeSet<usize>>>;

#[derive(Debug)]
enum Door {
    Open(JoinHandle<()>),
    /// Bound and not listening: the system refuses connections and nobody else gets the port.
    Shut(TcpSocket),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Pass,
    Hold,
    BlackHole,
    SwallowAnswers,
    Delay(Duration),
    /// Bytes in a second, of each connection in each direction.
    Throttle(usize),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    Requests,
    Answers,
}

impl ChaosProxy {
    /// A proxy that refuses connections until [`ChaosProxy::pass`].
    pub(crate) fn refusing(target: String) -> Self {
        let socket = bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
        Self {
            address: socket.local_addr().expect("it is bound"),
            target,
            door: Door::Shut(socket),
            mode: watch::Sender::new(Mode::Pass),
            epoch: watch::Sender::new(0),
            frozen: watch::Sender::new(0),
            came: Arc::default(),
            open: Arc::default(),
        }
    }

    pub(crate) async fn start(target: String) -> Self {
        let mut proxy = Self::refusing(target);
        proxy.pass().await;
        proxy
    }

    pub(crate) fn address(&self) -> String {
        self.address.to_string()
    }

    /// Back to normal. Connections whose bytes were lost stay mute for ever.
    pub(crate) async fn pass(&mut self) {
        self.set(Mode::Pass).await;
    }

    /// Stops reading on both sides; nothing is lost and `pass` lets it all go on.
    pub(crate) async fn hold(&mut self) {
        self.set(Mode::Hold).await;
    }

    /// Takes connections and bytes and never answers.
    pub(crate) async fn black_hole(&mut self) {
        self.set(Mode::BlackHole).await;
    }

    /// Requests arrive, answers are lost.
    pub(crate) async fn swallow_answers(&mut self) {
        self.set(Mode::SwallowAnswers).await;
    }

    /// Whatever comes goes on so much later, in both directions; what is on its way when that ends
    /// arrives at once.
    pub(crate) async fn delay(&mut self, by: Duration) {
        self.set(Mode::Delay(by)).await;
    }

    /// So many bytes in a second, of each connection in each direction.
    pub(crate) async fn throttle(&mut self, bytes: usize) {
        self.set(Mode::Throttle(bytes)).await;
    }

    /// The first connections that ever came stay open and lose all bytes from now on, as if their
    /// peer's machine had gone; others are not touched.
    pub(crate) fn freeze_first(&self, count: usize) {
        let came = self.came.load(Ordering::Relaxed);
        self.frozen.send_replace(count.min(came));
    }

    /// As [`Self::freeze_first`], of the one that has been open longest and is not frozen yet.
    pub(crate) fn freeze_next(&self) {
        let open = self.open.lock().expect("no holder panics");
        let frozen = *self.frozen.borrow();
        if let Some(next) = open.range(frozen + 1..).next() {
            self.frozen.send_replace(*next);
        }
    }

    /// Cuts all connections; new ones are welcome.
    pub(crate) fn cut(&self) {
        self.epoch.send_modify(|epoch| *epoch += 1);
    }

    /// Cuts all connections and refuses new ones.
    pub(crate) async fn refuse(&mut self) {
        if let Door::Open(accepting) = &mut self.door {
            accepting.abort();
            accepting.await.ok();
            self.door = Door::Shut(bind(self.address));
        }
        self.cut();
    }

    async fn set(&mut self, mode: Mode) {
        self.mode.send_replace(mode);
        if let Door::Shut(_) = self.door {
            let parked = Door::Open(tokio::spawn(async {}));
            let Door::Shut(socket) = std::mem::replace(&mut self.door, parked) else {
                unreachable!("it was shut a line ago");
            };
            let listener = socket.listen(1024).expect("a bound socket can listen");
            let (mode, epoch) = (self.mode.subscribe(), self.epoch.subscribe());
            let weather = Weather {
                number: 0,
                mode,
                frozen: self.frozen.subscribe(),
            };
            let count = (Arc::clone(&self.came), Arc::clone(&self.open));
            let accepting = accept(listener, self.target.clone(), weather, count, epoch);
            self.door = Door::Open(tokio::spawn(accepting));
        }
    }
}

impl Drop for ChaosProxy {
    fn drop(&mut self) {
        self.cut();
        if let Door::Open(accepting) = &self.door {
            accepting.abort();
        }
    }
}

fn bind(address: SocketAddr) -> TcpSocket {
    let socket = TcpSocket::new_v4().expect("a socket can be made");
    socket.set_reuseaddr(true).expect("the option is known");
    socket.bind(address).expect("the port is ours");
    socket
}

async fn accept(
    listener: TcpListener,
    target: String,
    weather: Weather,
    (came, open): (Arc<AtomicUsize>, Open),
    epoch: watch::Receiver<u64>,
) {
    while let Ok((client, _)) = listener.accept().await {
        let number = came.fetch_add(1, Ordering::Relaxed) + 1;
        let (target, mut epoch) = (target.clone(), epoch.clone());
        epoch.mark_unchanged();
        let weather = Weather {
            number,
            ..weather.clone()
        };
        open.lock().expect("no holder panics").insert(number);
        let open = Arc::clone(&open);
        tokio::spawn(async move {
            tokio::select! {
                () = connect(client, target, weather) => {}
                _ = epoch.changed() => {}
            }
            open.lock().expect("no holder panics").remove(&number);
        });
    }
}

/// What becomes of the bytes of one connection.
#[derive(Debug, Clone)]
struct Weather {
    number: usize,
    mode: watch::Receiver<Mode>,
    frozen: watch::Receiver<usize>,
}

impl Weather {
    fn is_frozen(&self) -> bool {
        self.number <= *self.frozen.borrow()
    }
}

async fn connect(client: TcpStream, target: String, weather: Weather) {
    // The target may be restarting: a client must see a closed connection, not a mute one.
    let Ok(server) = TcpStream::connect(target).await else {
        return;
    };
    client.set_nodelay(true).ok();
    server.set_nodelay(true).ok();
    let (client_read, client_write) = client.into_split();
    let (server_read, server_write) = server.into_split();
    tokio::join!(
        copy(
            client_read,
            server_write,
            weather.clone(),
            Direction::Requests
        ),
        copy(server_read, client_write, weather, Direction::Answers),
    );
}

async fn copy(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut weather: Weather,
    direction: Direction,
) {
    let mut mute = false;
    let mut bytes = vec![0; 64 * 1024];
    loop {
        let mode = &mut weather.mode;
        if mode.wait_for(|mode| *mode != Mode::Hold).await.is_err() {
            return;
        }
        let now = *mode.borrow();
        let most = match now {
            Mode::Throttle(bytes) => (bytes / TICKS).max(1),
            _ => bytes.len(),
        };
        let changed = async {
            let changed = mode.wait_for(|mode| *mode != now).await;
            changed.map(drop).ok()
        };
        let read = tokio::select! {
            biased;
            Some(()) = changed => continue,
            read = from.read(&mut bytes[..most]) => read,
        };
        mute |= weather.is_frozen();
        let Ok(count @ 1..) = read else {
            break;
        };
        let now = *weather.mode.borrow();
        mute |= match now {
            Mode::Pass | Mode::Hold | Mode::Delay(_) | Mode::Throttle(_) => false,
            Mode::BlackHole => true,
            Mode::SwallowAnswers => direction == Direction::Answers,
        };
        let wait = match now {
            Mode::Delay(by) => by,
            Mode::Throttle(_) => SECOND / u32::try_from(TICKS).expect("few"),
            _ => Duration::ZERO,
        };
        if !wait.is_zero() {
            tokio::select! {
                () = sleep(wait) => {}
                _ = weather.mode.wait_for(|mode| *mode != now) => {}
            }
        }
        if !mute && to.write_all(&bytes[..count]).await.is_err() {
            break;
        }
    }
    if weather.is_frozen() {
        // Nobody learns of the end, either.
        std::future::pending::<()>().await;
    }
    to.shutdown().await.ok();
}

const SECOND: Duration = Duration::from_secs(1);
/// Pieces in a second of a connection that is throttled.
const TICKS: usize = 20;

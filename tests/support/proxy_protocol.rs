//! A balancer that passes TCP on and says in the PROXY protocol whose connection it is.

use std::net::{IpAddr, SocketAddr};

use tokio::io::{AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinHandle;

/// Passes on until it is dropped.
#[derive(Debug)]
pub(crate) struct Balancer {
    pub(crate) address: String,
    accepting: JoinHandle<()>,
}

impl Balancer {
    /// Before `target`, to which it connects from its own address.
    pub(crate) async fn start(
        own: &'static str,
        target: SocketAddr,
        header: fn(SocketAddr) -> Vec<u8>,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("it is bound").to_string();
        let accepting = tokio::spawn(async move {
            while let Ok((mut client, peer)) = listener.accept().await {
                tokio::spawn(async move {
                    let mut server = connect_from(own, target).await;
                    server.write_all(&header(peer)).await.expect("it reads");
                    copy_bidirectional(&mut client, &mut server).await.ok();
                });
            }
        });
        Self { address, accepting }
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// A connection from this address of the machine.
pub(crate) async fn connect_from(own: &str, target: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().expect("a socket");
    let own = SocketAddr::new(own.parse().expect("an address"), 0);
    socket.bind(own).expect("it is this machine's");
    socket.connect(target).await.expect("it listens")
}

/// The line of version 1.
pub(crate) fn version_1(client: SocketAddr) -> Vec<u8> {
    format!(
        "PROXY TCP4 {} 127.0.0.1 {} 443\r\n",
        client.ip(),
        client.port()
    )
    .into_bytes()
}

/// The bytes of version 2, with something that is said besides.
pub(crate) fn version_2(client: SocketAddr) -> Vec<u8> {
    let IpAddr::V4(address) = client.ip() else {
        panic!("an address of IPv4");
    };
    let besides = [0xEA, 0, 3, 1, 2, 3];
    let mut header = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0".to_vec();
    header.push(12 + besides.len() as u8);
    header.extend(address.octets());
    header.extend([127, 0, 0, 1]);
    header.extend(client.port().to_be_bytes());
    header.extend(443_u16.to_be_bytes());
    header.extend(besides);
    header
}

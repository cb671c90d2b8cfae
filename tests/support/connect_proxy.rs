//! An HTTP CONNECT proxy, as it stands between a closed network and the world.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// A proxy that remembers where it was asked to connect to. Dropping it closes its door.
#[derive(Debug)]
pub(crate) struct ConnectProxy {
    address: SocketAddr,
    tunnels: Arc<Mutex<Vec<String>>>,
    accepting: JoinHandle<()>,
}

impl ConnectProxy {
    /// For everybody, or for `user:password` only.
    pub(crate) async fn start(credentials: Option<&str>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let listener = listener.expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        let tunnels = Arc::new(Mutex::new(Vec::new()));
        let wanted = credentials.map(|text| format!("Basic {}", STANDARD.encode(text)));
        let seen = Arc::clone(&tunnels);
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(tunnel(stream, wanted.clone(), Arc::clone(&seen)));
            }
        });
        Self {
            address,
            tunnels,
            accepting,
        }
    }

    pub(crate) fn address(&self) -> String {
        self.address.to_string()
    }

    /// The targets of the tunnels so far.
    pub(crate) fn tunnels(&self) -> Vec<String> {
        self.tunnels.lock().expect("no holder panics").clone()
    }
}

impl Drop for ConnectProxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn tunnel(
    stream: TcpStream,
    wanted: Option<String>,
    tunnels: Arc<Mutex<Vec<String>>>,
) -> Option<()> {
    let mut stream = BufReader::new(stream);
    let (mut target, mut shown) = (String::new(), None);
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await.ok()?;
        match line.trim_end() {
            "" => break,
            line if target.is_empty() => {
                let rest = line.strip_prefix("CONNECT ")?;
                target = rest.split(' ').next()?.to_owned();
            }
            line => {
                let (name, value) = line.split_once(':')?;
                if name.eq_ignore_ascii_case("proxy-authorization") {
                    shown = Some(value.trim().to_owned());
                }
            }
        }
    }
    if wanted.is_some() && wanted != shown {
        let refusal = b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n";
        return stream.write_all(refusal).await.ok();
    }
    let mut upstream = TcpStream::connect(&target).await.ok()?;
    tunnels.lock().expect("no holder panics").push(target);
    stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.ok()?;
    copy_bidirectional(&mut stream, &mut upstream).await.ok()?;
    Some(())
}

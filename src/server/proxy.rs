//! The PROXY protocol: a trusted proxy says, before anything else on a connection, whose it is.

pub mod header;

use std::net::SocketAddr;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::time::timeout;
use webhook_core::client::Proxies;

use self::header::Header;
use super::refused::{self, Kind};

/// Who is a proxy of the listener's; replaced by a reload, for the connections from then on.
#[derive(Debug, Default)]
pub struct Trusted(RwLock<Option<Arc<Proxies>>>);

impl Trusted {
    /// These, or nobody.
    pub fn new(proxies: Option<Arc<Proxies>>) -> Self {
        Self(RwLock::new(proxies))
    }

    /// From now on these.
    pub fn replace(&self, proxies: Option<Arc<Proxies>>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = proxies;
    }

    /// Those that this peer is one of.
    pub(super) fn of(&self, peer: SocketAddr) -> Option<Arc<Proxies>> {
        let proxies = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let proxies = proxies.as_ref()?;
        proxies.trusts(peer.ip()).then(|| Arc::clone(proxies))
    }
}

/// Whose connection it is, by its header, of which nothing is left in the stream; the peer's own if it says so.
/// `None`: nobody is to be served. The kind says how it ended, if anything was said.
pub(super) async fn client(
    stream: &mut TcpStream,
    peer: SocketAddr,
    limit: Duration,
) -> (Option<SocketAddr>, Option<&'static Kind>) {
    match timeout(limit, read(stream)).await {
        Ok(Ok(said)) => (Some(said.unwrap_or(peer)), Some(&refused::PROXY_OK)),
        // A balancer that looks whether the port is open.
        Ok(Err(Fault::Silent)) => (None, None),
        Ok(Err(Fault::Header(header::Fault::Missing))) => (None, Some(&refused::PROXY_MISSING)),
        Ok(Err(Fault::Header(header::Fault::Malformed))) => (None, Some(&refused::PROXY_MALFORMED)),
        Ok(Err(Fault::Closed)) => (None, Some(&refused::PROXY_CLOSED)),
        Err(_) => (None, Some(&refused::PROXY_TIMEOUT)),
    }
}

/// Why there is no header.
#[derive(Debug, PartialEq, Eq)]
enum Fault {
    /// The connection ended before its first byte.
    Silent,
    /// It ended within the header.
    Closed,
    Header(header::Fault),
}

/// `None`: the proxy speaks for itself, or for nobody that has an address.
async fn read(stream: &mut TcpStream) -> Result<Option<SocketAddr>, Fault> {
    let mut bytes = Vec::new();
    let mut seen = [0; WINDOW];
    loop {
        let begun = bytes.len();
        // Only looked at: what is behind the header is the client's.
        let Ok(count @ 1..) = stream.peek(&mut seen).await else {
            return Err(if begun == 0 {
                Fault::Silent
            } else {
                Fault::Closed
            });
        };
        bytes.extend_from_slice(&seen[..count]);
        let (end, client) = match header::read(&bytes).map_err(Fault::Header)? {
            Header::Begun => (bytes.len(), None),
            Header::Whole { length, client } => (length, Some(client)),
        };
        let taken = stream.read_exact(&mut seen[..end - begun]).await;
        taken.map_err(|_| Fault::Closed)?;
        if let Some(client) = client {
            return Ok(client);
        }
    }
}

/// Bytes that are looked at at once: all of most headers.
const WINDOW: usize = 128;

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::{Index, select};
    use proxy_header::{ProxiedAddress, ProxyHeader};
    use tokio::io::AsyncWriteExt;
    use tokio::net::TcpListener;

    use super::header::Fault::{Malformed, Missing};
    use super::*;

    /// What is read of these bytes, and what is left for who comes after.
    async fn read_of(pieces: &[&[u8]]) -> (Result<Option<SocketAddr>, Fault>, Vec<u8>) {
        let socket = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let to = socket.local_addr().expect("an address");
        let pieces: Vec<_> = pieces.iter().map(|piece| piece.to_vec()).collect();
        let sender = tokio::spawn(async move {
            let mut stream = TcpStream::connect(to).await.expect("it listens");
            stream.set_nodelay(true).expect("it can");
            for piece in pieces {
                // It may be refused by now.
                if stream.write_all(&piece).await.is_err() {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        });
        let (mut stream, _) = socket.accept().await.expect("it connects");
        let result = read(&mut stream).await;
        let mut rest = Vec::new();
        if result.is_ok() {
            stream.read_to_end(&mut rest).await.expect("it ends");
        }
        drop(stream);
        sender.await.expect("no panic");
        (result, rest)
    }

    fn v2(command: u8, family: u8, block: &[u8]) -> Vec<u8> {
        let length = u16::try_from(block.len()).expect("short").to_be_bytes();
        [V2.as_slice(), &[command, family], &length, block].concat()
    }

    const V2: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
    const IPV4: &[u8] = &[203, 0, 113, 5, 10, 0, 0, 1, 0x12, 0x34, 1, 187];

    #[tokio::test]
    async fn both_versions_say_whose_connection_it_is() {
        let ipv6 = ProxyHeader::with_address(ProxiedAddress::stream(
            "[2001:db8::5]:4660".parse().expect("an address"),
            "[2001:db8::1]:443".parse().expect("an address"),
        ));
        let mut buffer = [0; 200];
        let length = ipv6.encode_to_slice_v2(&mut buffer).expect("it fits");
        let with_more = [IPV4, &[0xEA, 0, 3, 1, 2, 3]].concat();
        for (bytes, expected) in [
            (
                b"PROXY TCP4 203.0.113.5 10.0.0.1 4660 443\r\n".to_vec(),
                Some("203.0.113.5:4660"),
            ),
            (
                b"PROXY TCP6 2001:db8::5 2001:db8::1 4660 443\r\n".to_vec(),
                Some("[2001:db8::5]:4660"),
            ),
            (b"PROXY UNKNOWN\r\n".to_vec(), None),
            (b"PROXY UNKNOWN ffff:: ::1 1 2\r\n".to_vec(), None),
            (v2(0x21, 0x11, IPV4), Some("203.0.113.5:4660")),
            (v2(0x21, 0x11, &with_more), Some("203.0.113.5:4660")),
            (buffer[..length].to_vec(), Some("[2001:db8::5]:4660")),
            // a health check of its own, whatever else it says
            (v2(0x20, 0x00, &[]), None),
            (v2(0x20, 0x11, &[]), None),
            (v2(0x20, 0x11, IPV4), None),
            (v2(0x21, 0x00, &[]), None),
        ] {
            let expected = Ok(expected.map(|text| text.parse().expect("an address")));
            let whole = [&bytes, b"GET / HTTP/1.1\r\n".as_slice()].concat();
            let (said, rest) = read_of(&[&whole]).await;
            assert_eq!(said, expected, "{bytes:?}");
            assert_eq!(rest, b"GET / HTTP/1.1\r\n", "{bytes:?}");
            // byte by byte
            let pieces: Vec<_> = bytes.chunks(1).chain([b"rest".as_slice()]).collect();
            assert_eq!(
                read_of(&pieces).await,
                (expected, b"rest".to_vec()),
                "{bytes:?}"
            );
        }
    }

    #[tokio::test]
    async fn much_may_be_said_besides() {
        let longest = v2(0x21, 0x11, &[IPV4, &[0; 4096 - 12]].concat());
        let (said, rest) = read_of(&[&longest, b"rest"]).await;
        assert_eq!(said, Ok("203.0.113.5:4660".parse().ok()));
        assert_eq!(rest, b"rest");
    }

    #[tokio::test]
    async fn anything_else_is_refused() {
        let long = [b"PROXY TCP4 ".as_slice(), &[b'1'; 200]].concat();
        for (bytes, expected) in [
            (
                b"GET / HTTP/1.1\r\nHost: a\r\n\r\n".to_vec(),
                Fault::Header(Missing),
            ),
            (
                b"POST / HTTP/1.1\r\nHost: a\r\n\r\n".to_vec(),
                Fault::Header(Missing),
            ),
            (
                vec![22, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3, 1, 2, 3],
                Fault::Header(Missing),
            ),
            (
                b"PROXY TCP4 203.0.113.5 10.0.0.1 4660\r\n".to_vec(),
                Fault::Header(Malformed),
            ),
            (
                b"PROXY TCP4 203.0.113.500 10.0.0.1 4660 443\r\n".to_vec(),
                Fault::Header(Malformed),
            ),
            (
                b"PROXY TCP4 2001:db8::5 2001:db8::1 4660 443\r\n".to_vec(),
                Fault::Header(Malformed),
            ),
            (
                b"PROXY UDP4 203.0.113.5 10.0.0.1 4660 443\r\n".to_vec(),
                Fault::Header(Malformed),
            ),
            (
                b"PROXY TCP4 203.0.113.5 10.0.0.1 4660 443\n".to_vec(),
                Fault::Header(Malformed),
            ),
            (long, Fault::Header(Malformed)),
            (v2(0x31, 0x11, IPV4), Fault::Header(Malformed)),
            (v2(0x22, 0x11, IPV4), Fault::Header(Malformed)),
            (v2(0x21, 0x41, IPV4), Fault::Header(Malformed)),
            (v2(0x21, 0x11, &IPV4[..8]), Fault::Header(Malformed)),
            (v2(0x21, 0x11, &[0; 4097]), Fault::Header(Malformed)),
            (v2(0x21, 0x11, IPV4)[..20].to_vec(), Fault::Closed),
            (b"PROXY TCP4 203.0".to_vec(), Fault::Closed),
            (b"PRO".to_vec(), Fault::Closed),
            (Vec::new(), Fault::Silent),
        ] {
            assert_eq!(read_of(&[&bytes]).await.0, Err(expected), "{bytes:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn the_stream_says_what_its_bytes_say(
            begins in select(vec![b"PROXY TCP4 203.0.113.5 10.0.0.1 4660 443\r\n".to_vec(), b"PROXY ".to_vec(), v2(0x21, 0x11, IPV4), v2(0x20, 0, &[0; 300]), V2.to_vec(), Vec::new()]),
            noise in vec(any::<u8>(), 0..300),
            cuts in vec(any::<Index>(), 0..4),
        ) {
            let bytes = [begins, noise].concat();
            let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let pieces: Vec<_> = cuts.windows(2).map(|cut| &bytes[cut[0]..cut[1]]).collect();
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let (said, rest) = runtime.expect("a runtime").block_on(read_of(&pieces));
            let (expected, left) = match header::read(&bytes) {
                Ok(Header::Whole { length, client }) => (Ok(client), &bytes[length..]),
                Ok(Header::Begun) if bytes.is_empty() => (Err(Fault::Silent), &[][..]),
                Ok(Header::Begun) => (Err(Fault::Closed), &[][..]),
                Err(fault) => (Err(Fault::Header(fault)), &[][..]),
            };
            prop_assert_eq!(said, expected);
            prop_assert_eq!(rest, left);
        }
    }
}

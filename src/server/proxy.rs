//! The PROXY protocol: a trusted proxy says, before anything else on a connection, whose it is.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use proxy_header::{ParseConfig, ProxyHeader};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::time::timeout;
use webhook_core::client::Proxies;

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
    match timeout(limit, header(stream)).await {
        Ok(Ok(said)) => (Some(said.unwrap_or(peer)), Some(&refused::PROXY_OK)),
        // A balancer that looks whether the port is open.
        Ok(Err(Fault::Silent)) => (None, None),
        Ok(Err(Fault::Missing)) => (None, Some(&refused::PROXY_MISSING)),
        Ok(Err(Fault::Malformed)) => (None, Some(&refused::PROXY_MALFORMED)),
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
    /// It begins with something else.
    Missing,
    Malformed,
}

impl From<io::Error> for Fault {
    fn from(_: io::Error) -> Self {
        Self::Closed
    }
}

/// `None`: the proxy speaks for itself, or for nobody that has an address.
async fn header(stream: &mut TcpStream) -> Result<Option<SocketAddr>, Fault> {
    let mut header = vec![0; V2.len()];
    match stream.read(&mut header[..1]).await {
        Ok(1..) => {}
        Ok(0) | Err(_) => return Err(Fault::Silent),
    }
    if ![V1[0], V2[0]].contains(&header[0]) {
        return Err(Fault::Missing);
    }
    // The shortest header of either version is longer.
    stream.read_exact(&mut header[1..]).await?;
    if header == V2 {
        if let Command::Local = rest_of_v2(stream, &mut header).await? {
            return Ok(None);
        }
    } else if header.starts_with(V1) {
        rest_of_v1(stream, &mut header).await?;
    } else {
        return Err(Fault::Missing);
    }
    let config = ParseConfig {
        include_tlvs: false,
        allow_v1: true,
        allow_v2: true,
    };
    match ProxyHeader::parse(&header, config) {
        Ok((said, length)) if length == header.len() => {
            Ok(said.proxied_address().map(|address| address.source))
        }
        Ok(_) | Err(_) => Err(Fault::Malformed),
    }
}

enum Command {
    /// The proxy's own connection, whatever else stands in the header.
    Local,
    Proxied,
}

async fn rest_of_v2(stream: &mut TcpStream, header: &mut Vec<u8>) -> Result<Command, Fault> {
    header.resize(V2.len() + 4, 0);
    stream.read_exact(&mut header[V2.len()..]).await?;
    let [command, _family, high, low] = header[V2.len()..] else {
        return Err(Fault::Malformed);
    };
    let length = usize::from(u16::from_be_bytes([high, low]));
    if length > LONGEST_V2 {
        return Err(Fault::Malformed);
    }
    let begun = header.len();
    header.resize(begun + length, 0);
    stream.read_exact(&mut header[begun..]).await?;
    match command {
        0x20 => Ok(Command::Local),
        0x21 => Ok(Command::Proxied),
        _ => Err(Fault::Malformed),
    }
}

/// Up to the line's end and not a byte further: behind it is the client's.
async fn rest_of_v1(stream: &mut TcpStream, header: &mut Vec<u8>) -> Result<(), Fault> {
    let mut seen = [0; LONGEST_V1];
    while !header.ends_with(b"\n") {
        let room = LONGEST_V1 - header.len();
        if room == 0 {
            return Err(Fault::Malformed);
        }
        let count = stream.peek(&mut seen[..room]).await?;
        if count == 0 {
            return Err(Fault::Closed);
        }
        let end = seen[..count].iter().position(|&byte| byte == b'\n');
        let begun = header.len();
        header.resize(begun + end.map_or(count, |end| end + 1), 0);
        stream.read_exact(&mut header[begun..]).await?;
    }
    Ok(())
}

const V1: &[u8] = b"PROXY ";
const V2: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
/// Bytes of a line, by the specification.
const LONGEST_V1: usize = 107;
/// Bytes of addresses and what is said besides: a client's certificate is named there at most.
const LONGEST_V2: usize = 4096;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proxy_header::ProxiedAddress;
    use tokio::io::AsyncWriteExt;
    use tokio::net::TcpListener;

    use super::*;

    /// What is read of these bytes, and what is left for who comes after.
    async fn read(pieces: &[&[u8]]) -> (Result<Option<SocketAddr>, Fault>, Vec<u8>) {
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
        let result = header(&mut stream).await;
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
        [V2, &[command, family], &length, block].concat()
    }

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
            let (said, rest) = read(&[&whole]).await;
            assert_eq!(said, expected, "{bytes:?}");
            assert_eq!(rest, b"GET / HTTP/1.1\r\n", "{bytes:?}");
            // byte by byte
            let pieces: Vec<_> = bytes.chunks(1).chain([b"rest".as_slice()]).collect();
            assert_eq!(
                read(&pieces).await,
                (expected, b"rest".to_vec()),
                "{bytes:?}"
            );
        }
    }

    #[tokio::test]
    async fn anything_else_is_refused() {
        let long = [b"PROXY TCP4 ".as_slice(), &[b'1'; 200]].concat();
        for (bytes, expected) in [
            (
                b"GET / HTTP/1.1\r\nHost: a\r\n\r\n".to_vec(),
                Fault::Missing,
            ),
            (
                b"POST / HTTP/1.1\r\nHost: a\r\n\r\n".to_vec(),
                Fault::Missing,
            ),
            (
                vec![22, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3, 1, 2, 3],
                Fault::Missing,
            ),
            (
                b"PROXY TCP4 203.0.113.5 10.0.0.1 4660\r\n".to_vec(),
                Fault::Malformed,
            ),
            (
                b"PROXY TCP4 203.0.113.500 10.0.0.1 4660 443\r\n".to_vec(),
                Fault::Malformed,
            ),
            (
                b"PROXY TCP4 2001:db8::5 2001:db8::1 4660 443\r\n".to_vec(),
                Fault::Malformed,
            ),
            (
                b"PROXY UDP4 203.0.113.5 10.0.0.1 4660 443\r\n".to_vec(),
                Fault::Malformed,
            ),
            (
                b"PROXY TCP4 203.0.113.5 10.0.0.1 4660 443\n".to_vec(),
                Fault::Malformed,
            ),
            (long, Fault::Malformed),
            (v2(0x31, 0x11, IPV4), Fault::Malformed),
            (v2(0x22, 0x11, IPV4), Fault::Malformed),
            (v2(0x21, 0x41, IPV4), Fault::Malformed),
            (v2(0x21, 0x11, &IPV4[..8]), Fault::Malformed),
            (v2(0x21, 0x11, &[0; LONGEST_V2 + 1]), Fault::Malformed),
            (v2(0x21, 0x11, IPV4)[..20].to_vec(), Fault::Closed),
            (b"PROXY TCP4 203.0".to_vec(), Fault::Closed),
            (b"PRO".to_vec(), Fault::Closed),
            (Vec::new(), Fault::Silent),
        ] {
            assert_eq!(read(&[&bytes]).await.0, Err(expected), "{bytes:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn no_header_breaks_the_reader(begins in 0..3_usize, noise in prop::collection::vec(any::<u8>(), 0..300)) {
            let bytes = [[V1, V2, b""][begins], &noise].concat();
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let (said, _) = runtime.expect("a runtime").block_on(read(&[&bytes]));
            prop_assert!(begins != 2 || said.is_err() || noise.starts_with(&V2[..1]));
        }
    }
}

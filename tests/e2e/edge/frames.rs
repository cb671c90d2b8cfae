//! HTTP/2 frame by frame, as no library sends it.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;

use crate::support::delivery::SHOPIFY;
use crate::support::forwarder::Forwarder;
use crate::support::raw;
use crate::support::wait::PATIENCE;

/// A connection after the preface.
pub(super) struct Frames {
    read: ReadHalf<TlsStream<TcpStream>>,
    write: WriteHalf<TlsStream<TcpStream>>,
    /// Bytes that came and are not looked at yet.
    came: Vec<u8>,
}

/// What the server thinks of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// GOAWAY, with this code, and the last stream that it heard.
    GoAway {
        code: u32,
        last: u32,
    },
    Closed,
}

impl Frames {
    /// With these settings besides the preface.
    pub(super) async fn open(forwarder: &Forwarder, settings: &[u8]) -> Self {
        let stream = raw::connect_tls(forwarder, "h2").await;
        let (read, write) = tokio::io::split(stream);
        let mut frames = Self {
            read,
            write,
            came: Vec::new(),
        };
        let preface = [
            &b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..],
            &frame(SETTINGS, 0, 0, settings),
        ];
        frames
            .write
            .write_all(&preface.concat())
            .await
            .expect("it reads");
        frames
    }

    /// Sends what `make` makes of numbers from 0, until the server ends it; how many that took. Looks at what it says
    /// now and then, as a client would that can send no faster than it is read.
    pub(super) async fn flood(
        &mut self,
        most: u32,
        make: impl Fn(u32) -> Vec<u8>,
    ) -> (Option<End>, u32) {
        for number in 0..most {
            if self.write.write_all(&make(number)).await.is_err() {
                return (self.end(PATIENCE).await.or(Some(End::Closed)), number);
            }
            if number % 20 == 19
                && let Some(end) = self.end(Duration::from_millis(2)).await
            {
                return (Some(end), number);
            }
        }
        (self.end(Duration::from_secs(1)).await, most)
    }

    /// GOAWAY or the end, if either comes in time.
    async fn end(&mut self, bound: Duration) -> Option<End> {
        loop {
            if let Some((kind, payload)) = self.next_frame() {
                if kind == GOAWAY {
                    let number = |at: usize| {
                        let bytes = payload[at..at + 4].try_into().expect("four bytes");
                        u32::from_be_bytes(bytes)
                    };
                    let (last, code) = (number(0), number(4));
                    return Some(End::GoAway { code, last });
                }
                continue;
            }
            let mut bytes = [0; 16 * 1024];
            match timeout(bound, self.read.read(&mut bytes)).await {
                Err(_) => return None,
                Ok(Ok(count @ 1..)) => self.came.extend_from_slice(&bytes[..count]),
                Ok(_) => return Some(End::Closed),
            }
        }
    }

    fn next_frame(&mut self) -> Option<(u8, Vec<u8>)> {
        let length = self.came.get(..3)?;
        let length =
            usize::from(length[0]) << 16 | usize::from(length[1]) << 8 | usize::from(length[2]);
        let payload = self.came.get(9..9 + length)?.to_vec();
        let kind = self.came[3];
        self.came.drain(..9 + length);
        Some((kind, payload))
    }
}

/// One frame.
pub(super) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a frame");
    let head = [
        &length.to_be_bytes()[1..],
        &[kind, flags],
        &stream.to_be_bytes(),
    ];
    [&head.concat(), payload].concat()
}

/// The head of a webhook with a signature, which is false.
pub(super) fn webhook() -> Vec<u8> {
    let mut block = vec![0x83, 0x87];
    text(&mut block, 0x04, SHOPIFY);
    text(&mut block, 0x01, "localhost");
    block.push(0x00);
    string(&mut block, "x-shopify-hmac-sha256");
    string(&mut block, "AAAA");
    block
}

/// A literal header with an indexed name.
fn text(block: &mut Vec<u8>, index: u8, value: &str) {
    block.push(index);
    string(block, value);
}

/// Of up to 126 bytes, as it stands.
pub(super) fn string(block: &mut Vec<u8>, text: &str) {
    block.push(u8::try_from(text.len()).expect("short"));
    block.extend_from_slice(text.as_bytes());
}

/// The number of the client's stream, from 0.
pub(super) const fn stream(number: u32) -> u32 {
    2 * number + 1
}

pub(super) const DATA: u8 = 0;
pub(super) const HEADERS: u8 = 1;
pub(super) const PRIORITY: u8 = 2;
pub(super) const RST_STREAM: u8 = 3;
pub(super) const SETTINGS: u8 = 4;
pub(super) const PING: u8 = 6;
const GOAWAY: u8 = 7;
pub(super) const WINDOW_UPDATE: u8 = 8;
pub(super) const CONTINUATION: u8 = 9;
pub(super) const END_STREAM: u8 = 1;
pub(super) const END_HEADERS: u8 = 4;

//! From HTTP to [`Received`]: what hyper leaves to the application, and the whole body under its
//! limits.

use std::error::Error;
use std::io;
use std::time::{Duration, SystemTime};

use bytes::{Bytes, BytesMut};
use http::Version;
use http::header::{CONTENT_ENCODING, EXPECT, HOST, TRANSFER_ENCODING};
use http::request::Parts;
use http_body_util::BodyExt;
use hyper::body::Body;
use tokio::time::{Instant, timeout_at};
use webhook_core::outcome::Reject;
use webhook_core::request::Received;
use webhook_core::shown::shown;

use crate::forward::limits::memory::{Memory, Share};

/// A request's body as it comes: hyper's `Incoming`.
pub trait RawBody: Body<Data = Bytes, Error: Error + Send + Sync> + Send + Unpin {}

impl<B: Body<Data = Bytes, Error: Error + Send + Sync> + Send + Unpin> RawBody for B {}

/// Refuses broken HTTP: anything but exactly one Host, a transfer coding other than `chunked`.
pub fn check_head(parts: &Parts) -> Result<(), Reject> {
    if !has_one_host(parts) {
        return Err(Reject::Malformed("not exactly one Host"));
    }
    let mut codings = parts.headers.get_all(TRANSFER_ENCODING).iter();
    let first_is_chunked = codings
        .next()
        .is_none_or(|coding| coding.as_bytes().eq_ignore_ascii_case(b"chunked"));
    if !first_is_chunked || codings.next().is_some() {
        return Err(Reject::Malformed("a Transfer-Encoding other than chunked"));
    }
    Ok(())
}

/// Refuses content codings, since nothing is inflated here. `identity` is none, and the name of a
/// character set says what the Content-Type should: some senders write it.
pub fn check_coding(parts: &Parts) -> Result<(), Reject> {
    let headers = parts.headers.get_all(CONTENT_ENCODING).iter();
    let codings = headers.flat_map(|value| value.as_bytes().split(|&byte| byte == b','));
    let mut others = codings.filter(|coding| !changes_nothing(coding));
    match others.next() {
        None => Ok(()),
        Some(coding) => Err(Reject::UnsupportedType(format!(
            "the Content-Encoding {:?}: expected none, identity or the name of a character set",
            shown(coding.trim_ascii())
        ))),
    }
}

fn changes_nothing(coding: &[u8]) -> bool {
    let lower_case = String::from_utf8_lossy(coding).to_ascii_lowercase();
    let coding = lower_case.trim().trim_matches('"');
    let is_charset = |beginning: &&str| {
        let rest = coding.strip_prefix(*beginning);
        rest.is_some_and(|rest| {
            rest.bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"-_:".contains(&b))
        })
    };
    ["", "identity"].contains(&coding) || CHARSETS.iter().any(is_charset)
}

fn has_one_host(parts: &Parts) -> bool {
    let mut hosts = parts.headers.get_all(HOST).iter();
    let authority = parts.uri.authority().map(|authority| authority.as_str());
    match (hosts.next(), hosts.next(), authority) {
        (Some(host), None, Some(authority)) => host.as_bytes() == authority.as_bytes(),
        (Some(host), None, None) => !host.is_empty(),
        (None, _, Some(_)) => parts.version >= Version::HTTP_2,
        (None, _, None) => parts.version < Version::HTTP_11,
        (Some(_), Some(_), _) => false,
    }
}

/// The whole body, raw; and its share of `memory`, which counts the bytes of all bodies.
///
/// # Errors
/// [`Reject::TooLarge`] over `limit` bytes, [`Reject::TooSlow`] after `deadline` or if the body
/// breaks off, [`Reject::Unavailable`] if memory is full, [`Reject::Malformed`] for broken chunks.
pub async fn receive(
    parts: &Parts,
    body: &mut impl RawBody,
    limit: usize,
    deadline: Instant,
    memory: &Memory,
) -> Result<(Received, Share), Reject> {
    let at = SystemTime::now();
    let said = body.size_hint().exact();
    if body.size_hint().lower() > limit as u64 {
        return Err(over(limit, said));
    }
    let foreseen = usize::try_from(said.unwrap_or_default()).unwrap_or(usize::MAX);
    let mut bytes = BytesMut::with_capacity(foreseen.min(FORESEEN));
    let mut share = Share::default();
    while let Some(frame) = timeout_at(deadline, body.frame())
        .await
        .map_err(|_| Reject::TooSlow("the body did not arrive in time"))?
    {
        let frame = frame.map_err(|error| unread(&error))?;
        let Ok(data) = frame.into_data() else {
            continue;
        };
        if bytes.len() + data.len() > limit {
            return Err(over(limit, said));
        }
        share.add(memory.take(data.len())?);
        bytes.extend_from_slice(&data);
    }
    // hyper takes a stream that was reset without an error for one that has ended.
    if parts.version == Version::HTTP_2 && !body.is_end_stream() {
        return Err(Reject::TooSlow(BROKE_OFF));
    }
    let received = Received {
        method: parts.method.clone(),
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().map(str::to_owned),
        headers: parts.headers.clone(),
        body: bytes.freeze(),
        at,
    };
    Ok((received, share))
}

fn over(limit: usize, said: Option<u64>) -> Reject {
    let size = match said {
        Some(bytes) => format!("has {bytes} bytes by its Content-Length"),
        None => "came without a Content-Length".to_owned(),
    };
    Reject::TooLarge(format!(
        "the body {size} and is over the source's body_limit of {limit} bytes"
    ))
}

/// What a body means that cannot be read to its end: it broke off, and whole it may be an event; or
/// what came is no HTTP, and will be none again.
fn unread(error: &impl Error) -> Reject {
    let kind = error
        .source()
        .and_then(|cause| cause.downcast_ref::<io::Error>())
        .map(io::Error::kind);
    match kind {
        Some(io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData) => {
            Reject::Malformed("the body's chunks are broken")
        }
        _ => Reject::TooSlow(BROKE_OFF),
    }
}

/// Reads on for a moment after an early answer, so that the client is still there when the
/// answer comes. `false`: there is more, and an HTTP/1 connection is good for nothing.
pub async fn discard(parts: &Parts, mut body: impl RawBody, latest: Instant) -> bool {
    if body.is_end_stream() {
        return true;
    }
    if parts.headers.contains_key(EXPECT) {
        // Reading would ask the client for the body.
        return false;
    }
    let until = latest.min(Instant::now() + DISCARD_TIME);
    let mut bytes = 0;
    while bytes <= DISCARD_BYTES {
        match timeout_at(until, body.frame()).await {
            Ok(None) => return true,
            Ok(Some(Ok(frame))) => bytes += frame.data_ref().map_or(0, Bytes::len),
            Ok(Some(Err(_))) | Err(_) => return false,
        }
    }
    false
}

/// How the names of character sets begin.
const CHARSETS: [&str; 16] = [
    "ascii",
    "big5",
    "cp125",
    "euc-",
    "gb18030",
    "gb2312",
    "gbk",
    "iso-2022-",
    "iso-8859-",
    "iso8859-",
    "koi8-",
    "latin",
    "shift_jis",
    "us-ascii",
    "utf",
    "windows-",
];
/// Room that is made for a body before it has come: no memory is in use until then.
const FORESEEN: usize = 128 * 1024;
const BROKE_OFF: &str = "the body broke off";
const DISCARD_BYTES: usize = 8 * 1024 * 1024;
const DISCARD_TIME: Duration = Duration::from_millis(500);

//! Bytes as lines and a body.

use std::time::SystemTime;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method};
use webhook_core::request::Received;

/// So many lines, and what comes after them.
pub(crate) fn lines<const N: usize>(mut data: &[u8]) -> ([String; N], &[u8]) {
    let lines = std::array::from_fn(|_| {
        let end = data.iter().position(|byte| *byte == b'\n');
        let (line, rest) = match end {
            Some(end) => (&data[..end], &data[end + 1..]),
            None => (data, &[][..]),
        };
        data = rest;
        String::from_utf8_lossy(line).into_owned()
    });
    (lines, data)
}

/// A request with this query, this content type and this body.
pub(crate) fn received(query: &str, content_type: &str, body: &[u8]) -> Received {
    let mut headers = HeaderMap::new();
    if let Ok(value) = HeaderValue::from_str(content_type) {
        headers.insert("content-type", value);
    }
    headers.insert("x-a", HeaderValue::from_static("a value"));
    Received {
        method: Method::POST,
        path: "/temporal/test".to_owned(),
        query: (!query.is_empty()).then(|| query.to_owned()),
        headers,
        body: Bytes::copy_from_slice(body),
        at: SystemTime::UNIX_EPOCH,
    }
}

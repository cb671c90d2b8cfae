//! A webhook as received, and what is read of it.

pub(crate) mod json;
pub mod multipart;
mod parsed;

use std::borrow::Cow;
use std::fmt;
use std::time::SystemTime;

use aws_lc_rs::digest;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, Method};

pub use self::parsed::Parsed;
use super::form;

/// One request to a source, its body complete and untouched.
pub struct Received {
    /// `GET`, `POST`, …
    pub method: Method,
    /// The source's path.
    pub path: String,
    /// The raw query, without the `?`.
    pub query: Option<String>,
    /// All headers, names in lower case.
    pub headers: HeaderMap,
    /// The raw body, byte for byte.
    pub body: Bytes,
    /// When the request arrived, by this machine's clock.
    pub at: SystemTime,
}

impl Received {
    /// The header's value if the header is there exactly once and is printable ASCII.
    pub fn single_header(&self, name: &HeaderName) -> Option<&str> {
        let mut values = self.headers.get_all(name).iter();
        match (values.next(), values.next()) {
            (Some(value), None) => value.to_str().ok(),
            _ => None,
        }
    }

    /// The media type: `type/subtype` in lower case, without parameters; `None` without a
    /// `Content-Type`.
    pub fn media_type(&self) -> Option<String> {
        media_type(&self.headers)
    }

    /// The fields of a form: of a GET's query, of a urlencoded body, or the text fields of a
    /// multipart body; none for anything else.
    pub fn fields(&self) -> Vec<form::Field<'_>> {
        if self.method == Method::GET {
            return self.query_fields();
        }
        match self.media_type().as_deref() {
            Some(FORM) => form::fields(&self.body).collect(),
            Some(MULTIPART) => multipart::text_fields(self),
            _ => Vec::new(),
        }
    }

    /// The fields that the event is made of: as [`Self::fields`], and the query of what has no body.
    pub fn event_fields(&self) -> Vec<form::Field<'_>> {
        if self.is_query() {
            self.query_fields()
        } else {
            self.fields()
        }
    }

    /// Whether the event is the query: of a GET, and of what has a query and no body.
    pub fn is_query(&self) -> bool {
        self.method == Method::GET || self.body.is_empty() && !self.query_fields().is_empty()
    }

    /// The parameters of the URL.
    pub fn query_fields(&self) -> Vec<form::Field<'_>> {
        form::fields(self.query.as_deref().unwrap_or_default().as_bytes()).collect()
    }

    /// The body as text, without a byte-order mark; `None` if it is not UTF-8.
    pub(crate) fn body_text(&self) -> Option<&str> {
        str::from_utf8(&self.body).ok().map(without_bom)
    }

    /// Whether the body is a form by its type.
    pub fn is_form(&self) -> bool {
        matches!(self.media_type().as_deref(), Some(FORM | MULTIPART))
    }
}

/// Without the byte-order mark, which breaks the JSON readers of several SDKs.
pub(crate) fn without_bom(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

/// As [`Received::media_type`], of a request that is not read to its end.
pub fn media_type(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(CONTENT_TYPE)?;
    let text = String::from_utf8_lossy(value.as_bytes());
    let essence = text.split(';').next().unwrap_or_default();
    Some(essence.trim().to_ascii_lowercase())
}

/// Neither the body nor a header's value: both may hold what no log may hold.
impl fmt::Debug for Received {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Received")
            .field("method", &self.method)
            .field("body_bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// The hex SHA-256 of method, path, query and body, each after its length.
pub(crate) fn request_sha256(received: &Received) -> String {
    let mut context = digest::Context::new(&digest::SHA256);
    let query = received.query.as_deref().unwrap_or_default();
    for part in [
        received.method.as_str().as_bytes(),
        received.path.as_bytes(),
        query.as_bytes(),
        &received.body,
    ] {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part);
    }
    hex::encode(context.finish())
}

/// The hex SHA-256 of the body.
pub(crate) fn body_sha256(received: &Received) -> String {
    hex::encode(digest::digest(&digest::SHA256, &received.body))
}

/// Bytes of a header or a form as text: UTF-8 if they are that, else Latin-1, which every byte is.
pub fn text(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => bytes.iter().copied().map(char::from).collect(),
    }
}

/// `application/x-www-form-urlencoded`
pub const FORM: &str = "application/x-www-form-urlencoded";
/// `multipart/form-data`
pub const MULTIPART: &str = "multipart/form-data";

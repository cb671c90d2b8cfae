//! A webhook as received, and the proof that its signature held: [`Received`] -> [`Verified`].

use std::borrow::Cow;
use std::fmt;
use std::time::SystemTime;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, Method};

use super::provider::locator::Locator;
use super::{form, multipart};

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
        let value = self.headers.get(CONTENT_TYPE)?;
        let text = String::from_utf8_lossy(value.as_bytes());
        let essence = text.split(';').next().unwrap_or_default();
        Some(essence.trim().to_ascii_lowercase())
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

    /// The parameters of the URL.
    pub fn query_fields(&self) -> Vec<form::Field<'_>> {
        form::fields(self.query.as_deref().unwrap_or_default().as_bytes()).collect()
    }

    /// The JSON that the request carries: its body, or the field `payload` of a form (GitHub,
    /// Slack).
    pub fn json_text(&self) -> Option<Cow<'_, str>> {
        if matches!(self.media_type().as_deref(), Some(FORM | MULTIPART)) {
            let fields = self.fields().into_iter();
            let mut payloads = fields.filter(|(name, _)| **name == *b"payload");
            let first = payloads.next().filter(|_| payloads.next().is_none());
            return String::from_utf8(first?.1.into_owned())
                .ok()
                .map(Cow::Owned);
        }
        let text = std::str::from_utf8(&self.body).ok()?;
        Some(Cow::Borrowed(text.strip_prefix('\u{feff}').unwrap_or(text)))
    }
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

/// A request whose sender is proven, or which the operator accepts unproven. Only
/// [`verify`](super::verify::verify) and [`Verified::danger_unverified`] make one.
#[derive(Debug)]
pub struct Verified {
    received: Received,
    proof: Proof,
    signed: Vec<Locator>,
}

/// Why a request was let through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// The signature matched the source's secret of this index.
    Secret(usize),
    /// The signature matched a key that was fetched from the sender's host.
    FetchedKey,
    /// The sender's address was authorised by a handshake.
    Address,
    /// The operator switched verification off for the source.
    Unverified,
}

impl Verified {
    /// For [`verify`](super::verify::verify) alone: the signature matched what `proof` says;
    /// `signed` are places whose values it covers, besides the body.
    pub(in crate::core) const fn by_signature(
        received: Received,
        proof: Proof,
        signed: Vec<Locator>,
    ) -> Self {
        Self {
            received,
            proof,
            signed,
        }
    }

    /// The request's address was authorised by a handshake with the verify token. Weak: whoever
    /// shares the address shares the authority.
    pub const fn by_address(received: Received) -> Self {
        Self {
            received,
            proof: Proof::Address,
            signed: Vec::new(),
        }
    }

    /// Lets a request through without any proof: the operator asked for it by name.
    pub const fn danger_unverified(received: Received) -> Self {
        Self {
            received,
            proof: Proof::Unverified,
            signed: Vec::new(),
        }
    }

    /// The request itself.
    pub const fn received(&self) -> &Received {
        &self.received
    }

    /// Whether the signature covers the value in this place by itself, as headers are covered.
    pub fn signs(&self, place: &Locator) -> bool {
        self.signed.contains(place)
    }

    /// What proved it.
    pub const fn proof(&self) -> Proof {
        self.proof
    }
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

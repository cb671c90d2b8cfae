//! A webhook as received, and the proof that its signature held: [`Received`] -> [`Verified`].

use std::borrow::Cow;
use std::fmt;
use std::time::SystemTime;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, Method};

use super::provider::locator::Locator;
use super::verify::signed::Coverage;
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

    /// The JSON that the request carries: its body, or the field `payload` of a form (GitHub,
    /// Slack).
    pub fn json_text(&self) -> Option<Cow<'_, str>> {
        if self.is_form() {
            return self.json_field("payload");
        }
        let text = std::str::from_utf8(&self.body).ok()?;
        Some(Cow::Borrowed(text.strip_prefix('\u{feff}').unwrap_or(text)))
    }

    /// The text of this field of a form, if it is there once.
    pub fn json_field(&self, name: &str) -> Option<Cow<'_, str>> {
        let fields = self.fields().into_iter();
        let mut named = fields.filter(|(key, _)| **key == *name.as_bytes());
        let (_, value) = named.next().filter(|_| named.next().is_none())?;
        String::from_utf8(value.into_owned()).ok().map(Cow::Owned)
    }

    /// Whether the body is a form by its type.
    pub fn is_form(&self) -> bool {
        matches!(self.media_type().as_deref(), Some(FORM | MULTIPART))
    }
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

/// A request whose sender is proven, or which the operator accepts unproven. Only
/// [`verify`](super::verify::verify), [`Verified::by_address`] and [`Verified::danger_unverified`]
/// make one.
#[derive(Debug)]
pub struct Verified {
    received: Received,
    proof: Proof,
    coverage: Coverage,
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
    /// For [`verify`](super::verify::verify) alone: the signature matched what `proof` says, and
    /// covers so much.
    pub(crate) const fn by_signature(received: Received, proof: Proof, coverage: Coverage) -> Self {
        Self {
            received,
            proof,
            coverage,
        }
    }

    /// The request's address was authorised by a handshake with the verify token. Weak: whoever
    /// shares the address shares the authority.
    pub const fn by_address(received: Received) -> Self {
        Self {
            received,
            proof: Proof::Address,
            coverage: Coverage::Nothing,
        }
    }

    /// Lets a request through without any proof: the operator asked for it by name.
    pub const fn danger_unverified(received: Received) -> Self {
        Self {
            received,
            proof: Proof::Unverified,
            coverage: Coverage::Nothing,
        }
    }

    /// The request itself.
    pub const fn received(&self) -> &Received {
        &self.received
    }

    /// What the proof covers.
    pub(crate) const fn coverage(&self) -> &Coverage {
        &self.coverage
    }

    /// Whether the signature covers what stands in this place, by itself or with all around it.
    pub fn signs(&self, place: &Locator) -> bool {
        self.coverage.covers(place, self.received.is_query())
    }

    /// Whether the signature covers this place by itself, as the sender's words name it.
    pub fn names(&self, place: &Locator) -> bool {
        self.coverage.names(place)
    }

    /// Whether an event may be the query: it is signed, or nothing is.
    pub fn admits_query(&self) -> bool {
        self.coverage.admits_query()
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

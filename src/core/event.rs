//! [`Verified`] -> [`Event`]: what a webhook says, in the provider's words: id, topic, tenant, the
//! headers it keeps, its data.

use std::borrow::Cow;
use std::time::SystemTime;

use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, Method};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::multipart;
use super::outcome::Reject;
use super::provider::Provider;
use super::provider::locator::{Found, Locator};
use super::request::{FORM, MULTIPART, Proof, Received, Verified, text};

/// A verified webhook: the only thing a workflow can be started from.
#[derive(Debug, PartialEq, Eq)]
pub struct Event {
    /// The same for every delivery of the event: 1 to 200 printable ASCII characters.
    pub id: String,
    /// What happened (`orders/create`), if the sender says: any text but an empty one.
    pub topic: Option<String>,
    /// Whose it is (a shop's domain), if the sender says: likewise.
    pub tenant: Option<String>,
    /// The headers for the worker: lower-case names in the order received, then our own three.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub data: Data,
    /// What is wrong with the body, if it cannot be read as what it should be; `data` is its bytes.
    pub broken: Option<&'static str>,
    /// When the delivery arrived.
    pub received_at: SystemTime,
    /// The sender's name in the catalogue (`shopify`).
    pub provider: String,
    /// The source's path.
    pub source: String,
    /// What proved the sender: the setting of the secret, `fetched-key`, `address`; empty: nothing.
    pub verified_by: String,
    /// `GET`, `POST`, …
    pub method: Method,
    /// The raw query, without the `?`; may be empty.
    pub query: String,
    /// The media type of the body as known or as the sender says.
    pub content_type: Option<String>,
    /// The raw body, byte for byte; shares its memory with the request.
    pub body: Bytes,
}

/// A body, in the form that the worker gets it.
#[derive(Debug, PartialEq, Eq)]
pub enum Data {
    /// Well-formed JSON, exactly as sent.
    Json(Bytes),
    /// Text.
    Text(String),
    /// A form's or a query's fields: a string each, or an array of strings if repeated.
    Fields(Map<String, Value>),
    /// Anything else.
    Binary(Bytes),
}

impl Event {
    /// Reads the event out of a verified request to the source at path `source`; `verified_by`
    /// says what its proof is.
    ///
    /// # Errors
    /// [`Reject::Malformed`]: no id, more than one, an empty body. Topic and tenant refuse nothing.
    pub fn new(
        verified: &Verified,
        provider: &Provider,
        source: &str,
        verified_by: &str,
    ) -> Result<Self, Reject> {
        let received = verified.received();
        let id = match Locator::first_label(&id_places(verified, provider), received) {
            Found::One(text) => event_id(text),
            Found::Missing => return Err(Reject::Malformed("the request has no event id")),
            Found::Ambiguous => return Err(Reject::Malformed("the event id is not one text")),
        };
        not_empty(received)?;
        let content = Content::read(received, provider);
        Ok(Self {
            id,
            topic: Locator::first_label(&provider.topic, received).one(),
            tenant: Locator::first_label(&provider.tenant, received).one(),
            headers: kept_headers(verified, provider, source),
            broken: content.broken,
            data: content.data,
            received_at: received.at,
            provider: provider.name.clone(),
            source: source.to_owned(),
            verified_by: verified_by.to_owned(),
            method: received.method.clone(),
            query: received.query.clone().unwrap_or_default(),
            content_type: content.content_type,
            body: received.body.clone(),
        })
    }

    /// What the sender sent, byte for byte: the body, or the query of a GET.
    pub fn raw(&self) -> &[u8] {
        match self.method {
            Method::GET => self.query.as_bytes(),
            _ => &self.body,
        }
    }

    /// The same for every delivery of the event, and of no other.
    pub fn key(&self) -> String {
        format!("{}:{}", self.source, self.id)
    }

    /// The headers without our own.
    pub fn sent_headers(&self) -> impl Iterator<Item = &(String, String)> {
        let headers = self.headers.iter();
        headers.filter(|(name, _)| !is_own(name))
    }

    /// Whether anything proved the sender.
    pub const fn is_verified(&self) -> bool {
        !self.verified_by.is_empty()
    }
}

/// What the body of a request to this provider's source says.
pub(in crate::core) struct Content {
    /// See [`Event::data`].
    pub(in crate::core) data: Data,
    /// See [`Event::broken`].
    pub(in crate::core) broken: Option<&'static str>,
    /// See [`Event::content_type`].
    pub(in crate::core) content_type: Option<String>,
}

impl Content {
    pub(in crate::core) fn read(received: &Received, provider: &Provider) -> Self {
        let known_type = provider.content_type.as_deref();
        let data = data(received, known_type);
        Self {
            broken: data.as_ref().err().copied(),
            data: data.unwrap_or_else(|_| Data::Binary(received.body.clone())),
            content_type: content_type(received, known_type),
        }
    }
}

/// Whether a header of this name is ours, whoever sent it.
pub(in crate::core) fn is_own(name: &str) -> bool {
    OWN_HEADERS.contains(&name)
}

/// The headers that are ours.
pub(in crate::core) fn own_headers(
    source: &str,
    method: &Method,
    is_verified: bool,
) -> [(String, String); 3] {
    let verified = if is_verified { "true" } else { "false" };
    let values = [source, method.as_str(), verified];
    let mut values = values.into_iter().map(str::to_owned);
    OWN_HEADERS.map(|name| (name.to_owned(), values.next().unwrap_or_default()))
}

/// The hex SHA-256 of method, path, query and body, each after its length.
pub(in crate::core) fn request_sha256(received: &Received) -> String {
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
pub(in crate::core) fn body_sha256(received: &Received) -> String {
    hex::encode(digest::digest(&digest::SHA256, &received.body))
}

/// A place that the signature covers goes first: in any other, whoever has seen a delivery could
/// give it a new id and send it again.
fn id_places(verified: &Verified, provider: &Provider) -> Vec<Locator> {
    let places = provider.id.iter().cloned();
    let (mut signed, others): (Vec<_>, Vec<_>) = places.partition(|place| verified.signs(place));
    signed.extend(others);
    signed
}

/// The id in a form that every name can hold: what is too long or not printable ASCII is replaced by
/// its hex SHA-256.
pub(in crate::core) fn event_id(text: String) -> String {
    if is_id(&text) {
        text
    } else {
        hex::encode(digest::digest(&digest::SHA256, text.as_bytes()))
    }
}

/// Whether this is the id of an [`Event`].
pub(in crate::core) fn is_id(text: &str) -> bool {
    (1..=MAX_ID).contains(&text.len()) && text.bytes().all(|b| (b' '..=b'~').contains(&b))
}

/// A label for people, cut if it is longer than so many characters. Expressions and workers get it
/// whole.
pub fn short(label: &str, characters: usize) -> Cow<'_, str> {
    match label.char_indices().nth(characters) {
        Some((end, _)) => Cow::Owned(format!("{}…", &label[..end])),
        None => Cow::Borrowed(label),
    }
}

fn kept_headers(verified: &Verified, provider: &Provider, source: &str) -> Vec<(String, String)> {
    let received = verified.received();
    let mut kept = Vec::new();
    for name in received.headers.keys() {
        let ours = is_own(name.as_str());
        let token = provider
            .schemes
            .iter()
            .any(|scheme| scheme.is_token_in(name));
        if !ours && !token && provider.keeps(name.as_str()) {
            kept.push((name.as_str().to_owned(), joined(&received.headers, name)));
        }
    }
    let is_verified = match verified.proof() {
        Proof::Secret(_) | Proof::FetchedKey | Proof::Address => true,
        Proof::Unverified => false,
    };
    kept.extend(own_headers(source, &received.method, is_verified));
    kept
}

/// Repeated headers are joined as RFC 9110 section 5.3 does.
fn joined(headers: &HeaderMap, name: &http::HeaderName) -> String {
    let values: Vec<_> = headers
        .get_all(name)
        .iter()
        .map(|value| text(value.as_bytes()))
        .collect();
    values.join(", ")
}

fn not_empty(received: &Received) -> Result<(), Reject> {
    match received.method {
        Method::GET if received.fields().is_empty() => Err(Reject::Malformed("the query is empty")),
        Method::GET => Ok(()),
        _ if received.body.is_empty() => Err(Reject::Malformed("the body is empty")),
        _ => Ok(()),
    }
}

/// `known_type` goes before what the request says.
///
/// # Errors
/// What is wrong with a body that is not what it is said to be.
fn data(received: &Received, known_type: Option<&str>) -> Result<Data, &'static str> {
    if received.method == Method::GET {
        return Ok(Data::Fields(fields(received)));
    }
    let body = &received.body;
    Ok(match kind_of(received, known_type) {
        Some(Kind::Json) => Data::Json(json_value(body).ok_or(BROKEN_JSON)?),
        Some(Kind::Form) => Data::Fields(fields(received)),
        Some(Kind::Multipart) => Data::Fields(parts(received).ok_or("broken multipart form")?),
        Some(Kind::Text) => match std::str::from_utf8(body) {
            Ok(text) => Data::Text(text.to_owned()),
            Err(_) => Data::Binary(body.clone()),
        },
        Some(Kind::Other) => Data::Binary(body.clone()),
        // A sender that names no type: JSON if it is JSON.
        None => json_value(body).map_or_else(|| Data::Binary(body.clone()), Data::Json),
    })
}

/// With its parameters; `None` if there is none that could be one.
fn content_type(received: &Received, known_type: Option<&str>) -> Option<String> {
    let said = || received.single_header(&CONTENT_TYPE);
    let text = known_type.or_else(said)?.trim();
    text.contains('/').then(|| text.to_owned())
}

/// The bytes of the JSON value if `body` is well-formed: without a byte-order mark, which breaks
/// the readers of several SDKs, and without the white space around it. Does not recurse, so depth
/// costs nothing.
fn json_value(body: &Bytes) -> Option<Bytes> {
    let text = std::str::from_utf8(body).ok()?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let raw: &RawValue = serde_json::from_str(text).ok()?;
    Some(body.slice_ref(raw.get().as_bytes()))
}

fn fields(received: &Received) -> Map<String, Value> {
    let mut fields = Map::new();
    for (name, value) in received.fields() {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        add(&mut fields, text(&name), Value::String(text(&value)));
    }
    fields
}

/// Text fields as strings, files as `{"filename", "content_type", "data_base64"}`.
fn parts(received: &Received) -> Option<Map<String, Value>> {
    let mut fields = Map::new();
    for part in multipart::parts(received)? {
        let text = std::str::from_utf8(&part.bytes)
            .ok()
            .filter(|_| part.filename.is_none());
        let value = match text {
            Some(text) => Value::String(text.to_owned()),
            None => json!({
                "filename": part.filename,
                "content_type": part.content_type,
                "data_base64": STANDARD.encode(&part.bytes),
            }),
        };
        add(&mut fields, part.name, value);
    }
    Some(fields)
}

/// A name that comes again makes an array.
fn add(fields: &mut Map<String, Value>, name: String, value: Value) {
    match fields.get_mut(&name) {
        None => drop(fields.insert(name, value)),
        Some(Value::Array(values)) => values.push(value),
        Some(first) => *first = Value::Array(vec![first.take(), value]),
    }
}

/// What a media type says of a body.
pub(in crate::core) enum Kind {
    Json,
    Form,
    Multipart,
    Text,
    Other,
}

/// `None` if neither the provider's entry nor the request says what the body is.
pub(in crate::core) fn kind_of(received: &Received, known_type: Option<&str>) -> Option<Kind> {
    let said = received.media_type();
    known_type.or(said.as_deref()).map(kind)
}

fn kind(essence: &str) -> Kind {
    match essence {
        "application/json" | "text/json" => Kind::Json,
        FORM => Kind::Form,
        MULTIPART => Kind::Multipart,
        "application/xml" => Kind::Text,
        text if text.ends_with("+json") => Kind::Json,
        text if text.ends_with("+xml") || text.starts_with("text/") => Kind::Text,
        _ => Kind::Other,
    }
}

/// Characters of an event's id.
const MAX_ID: usize = 200;
const BROKEN_JSON: &str = "the body is no well-formed JSON in UTF-8";

/// Set by us, whatever the caller sent: source path, method, whether the signature was checked.
/// Always there, and always ours.
pub const OWN_HEADERS: [&str; 3] = ["x-webhook-route", "x-webhook-method", "x-webhook-verified"];

#[cfg(test)]
pub(in crate::core) mod tests;

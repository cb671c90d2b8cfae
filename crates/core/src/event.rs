//! [`Verified`] -> [`Event`]: what a webhook says, in the provider's words: id, topic, tenant, the
//! headers it keeps, its data.

mod content;
mod token;

use core::net::IpAddr;
use std::borrow::Cow;
use std::time::SystemTime;

use aws_lc_rs::digest;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method};

pub use self::content::Data;
pub(crate) use self::content::{Content, Kind, Object, kind_of};
use super::form;
use super::outcome::Reject;
use super::provider::Provider;
use super::provider::locator::{Locator, Lookup};
use super::request::{Parsed, text};
use super::verified::{Proof, Verified};
use super::verify::signed::Coverage;

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
    /// What its sender may not have meant, for the log.
    pub hint: Option<&'static str>,
    /// When the delivery arrived.
    pub received_at: SystemTime,
    /// The sender's name in the catalogue (`shopify`).
    pub provider: String,
    /// The source's path.
    pub source: String,
    /// What proved the sender: the setting of the secret, `fetched-key`, `address`,
    /// `client-certificate`; empty: nothing.
    pub verified_by: String,
    /// `GET`, `POST`, …
    pub method: Method,
    /// The raw query, without the `?` and without the source's own token; may be empty.
    pub query: String,
    /// The media type of the body as known or as the sender says.
    pub content_type: Option<String>,
    /// The raw body, byte for byte, without a token that is a field of its form; shares its memory with
    /// the request.
    pub body: Bytes,
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
        not_empty(verified, provider)?;
        let parsed = Parsed::of(received);
        let id = match Locator::first_id(id_places(verified, provider), &parsed) {
            Lookup::One(text) => event_id(text),
            Lookup::Missing => return Err(Reject::Malformed("the request has no event id")),
            Lookup::Ambiguous => return Err(Reject::Malformed("the event id is not one text")),
        };
        let topic = Locator::first_label(&provider.topic, &parsed).one();
        let tenant = Locator::first_label(&provider.tenant, &parsed).one();
        let content = Content::read(&parsed, provider);
        Ok(Self {
            id,
            topic,
            tenant,
            headers: kept_headers(verified, provider, source),
            broken: content.broken,
            hint: content.hint,
            data: content.data,
            received_at: received.at,
            provider: provider.name.clone(),
            source: source.to_owned(),
            verified_by: verified_by.to_owned(),
            method: received.method.clone(),
            query: content.query,
            content_type: content.content_type,
            body: content.body,
        })
    }

    /// What the sender sent, byte for byte: the body, or the query of what has none.
    pub fn raw(&self) -> Bytes {
        if self.is_query() {
            Bytes::copy_from_slice(self.query.as_bytes())
        } else {
            self.body.clone()
        }
    }

    /// Whether the event is its query.
    pub fn is_query(&self) -> bool {
        self.method == Method::GET || self.body.is_empty()
    }

    /// The same for every delivery of the event, and of no other.
    pub fn key(&self) -> String {
        format!("{}:{}", self.source, self.id)
    }

    /// The headers without our own three.
    pub fn sent_headers(&self) -> impl Iterator<Item = &(String, String)> {
        let headers = self.headers.iter();
        headers.filter(|(name, _)| !OWN_HEADERS.contains(&name.as_str()))
    }

    /// Marks it as one that the operator sent, to try.
    pub fn mark_as_test(&mut self) {
        self.headers
            .push((TEST_HEADER.to_owned(), "true".to_owned()));
    }

    /// Says whom it came from.
    pub fn name_client(&mut self, address: IpAddr) {
        let address = address.to_canonical().to_string();
        self.headers.push((CLIENT_HEADER.to_owned(), address));
    }

    /// Says whose certificate its client has shown.
    pub fn name_certificate(&mut self, holder: &str) {
        self.headers
            .push((CLIENT_CERTIFICATE_HEADER.to_owned(), holder.to_owned()));
    }

    /// Whether anything proved the sender.
    pub const fn is_verified(&self) -> bool {
        !self.verified_by.is_empty()
    }
}

/// Whether a header of this name is ours, whoever sent it.
pub fn is_own(name: &str) -> bool {
    OWN_HEADERS.contains(&name)
        || [TEST_HEADER, CLIENT_HEADER, CLIENT_CERTIFICATE_HEADER].contains(&name)
}

/// The headers that are ours.
pub(crate) fn own_headers(
    source: &str,
    method: &Method,
    is_verified: bool,
) -> [(String, String); 3] {
    let verified = if is_verified { "true" } else { "false" };
    let mut values = [source, method.as_str(), verified]
        .into_iter()
        .map(str::to_owned);
    OWN_HEADERS.map(|name| (name.to_owned(), values.next().unwrap_or_default()))
}

/// The places of the id in the order in which they count: as the entry has them, with one exception.
/// A place that the signature names by itself (`{header:webhook-id}`, `{form:token}`) goes before the
/// first one that is not covered: there, whoever has seen a delivery could give it a new id and send
/// it again.
///
/// What is merely covered with all around it, a member of a signed body or a hash of it, moves nothing:
/// that it is genuine does not make it the delivery's id. Zendesk's `json id` may be a ticket's number,
/// the same for every event of the ticket, and would swallow them behind the unsigned invocation id.
/// Nor does it have to give way: it cannot be replaced. Where such a place is the better id, its entry
/// says so by its order (Twilio).
pub(crate) fn id_places<'p>(verified: &Verified, provider: &'p Provider) -> Vec<&'p Locator> {
    let received = verified.received();
    // Without a body, its hash is the same for all.
    let without_body = received.body.is_empty() && received.method != Method::GET;
    let places = provider
        .id
        .iter()
        .filter(|place| !(without_body && place.needs_body()));
    in_order(places, verified.coverage(), received.is_query())
}

/// The places of an id in the order in which they count if the signature covers so much: see
/// `id_places`.
pub fn in_order<'p>(
    places: impl Iterator<Item = &'p Locator>,
    coverage: &Coverage,
    is_query: bool,
) -> Vec<&'p Locator> {
    let mut places: Vec<_> = places.collect();
    let unsigned = places
        .iter()
        .position(|place| !coverage.covers(place, is_query));
    let rest = places.split_off(unsigned.unwrap_or(places.len()));
    let (named, others): (Vec<_>, Vec<_>) =
        rest.into_iter().partition(|place| coverage.names(place));
    places.extend(named);
    places.extend(others);
    places
}

/// The id in a form that every name can hold: what is too long or not printable ASCII is replaced by
/// its hex SHA-256.
pub(crate) fn event_id(text: String) -> String {
    if is_id(&text) {
        text
    } else {
        hex::encode(digest::digest(&digest::SHA256, text.as_bytes()))
    }
}

/// Whether this is the id of an [`Event`].
pub(crate) fn is_id(text: &str) -> bool {
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
        Proof::Secret(_) | Proof::FetchedKey | Proof::Address | Proof::ClientCertificate => true,
        Proof::Unverified => false,
    };
    kept.extend(own_headers(source, &received.method, is_verified));
    kept
}

/// Repeated headers are joined as RFC 9110 section 5.3 does.
fn joined(headers: &HeaderMap, name: &http::HeaderName) -> String {
    let mut values = headers.get_all(name).iter();
    let text = |value: &HeaderValue| text(value.as_bytes()).into_owned();
    let first = values.next().map(text).unwrap_or_default();
    values.fold(first, |joined, value| joined + ", " + &text(value))
}

/// The query of what has no body is the event, if it is signed or nothing is: then it is as good as a
/// body. A token in it is no event.
fn not_empty(verified: &Verified, provider: &Provider) -> Result<(), Reject> {
    let received = verified.received();
    let query = token::query(received, provider);
    let has_query = form::fields(query.as_bytes()).next().is_some();
    Err(Reject::Malformed(match received.method {
        Method::GET if has_query => return Ok(()),
        Method::GET => "the query is empty",
        _ if !received.body.is_empty() => return Ok(()),
        _ if !has_query => "the body is empty",
        _ if !verified.admits_query() => "the body is empty, and the query is not signed",
        _ => return Ok(()),
    }))
}

/// Characters of an event's id.
const MAX_ID: usize = 200;

/// Set by us, whatever the caller sent: source path, method, whether the signature was checked.
/// Always there, and always ours.
pub const OWN_HEADERS: [&str; 3] = ["x-webhook-route", "x-webhook-method", "x-webhook-verified"];

/// Set by us as well, of what the operator sends to try: no sender can.
pub const TEST_HEADER: &str = "x-webhook-test";

/// Set by us where proxies are trusted: the address of whoever asked them. No sender can.
pub const CLIENT_HEADER: &str = "x-webhook-client";

/// Set by us as well, where a client has shown a good certificate: whose it is.
pub const CLIENT_CERTIFICATE_HEADER: &str = "x-webhook-client-certificate";

#[cfg(test)]
pub(crate) mod tests;

//! Places in a request, as a provider's file names them: where a signature, an id, a topic is.

use std::fmt;
use std::time::{Duration, SystemTime};

use aws_lc_rs::digest;
use http::{HeaderName, HeaderValue};
use serde::Deserialize;

use crate::form::Field;
use crate::request::json::Node;
use crate::request::{Parsed, Received, body_sha256, request_sha256, text};
use crate::similar::did_you_mean;

/// One place.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum Locator {
    /// `header NAME`: a header's value.
    Header(HeaderName),
    /// `query NAME`: a parameter of the URL.
    Query(String),
    /// `json PATH`: a string, number or truth value in a JSON body, or in the JSON of a form's field;
    /// keys and array indices, separated by dots.
    Json(Vec<String>),
    /// `form NAME`: a field of a form, in the body or (of what has none) in the query.
    Form(String),
    /// `body-sha256`: the hex SHA-256 of the body.
    BodySha256,
    /// `request-sha256`: the hex SHA-256 of method, path, query and body.
    RequestSha256,
    /// `received-at`: when the request arrived, in Unix milliseconds; for senders whose repetitions
    /// cannot be told from new events.
    ReceivedAt,
    /// `A + B`: the first has to be there, what is there of the others follows after dots.
    Joined(Vec<Self>),
}

/// What a [`Locator`] finds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lookup {
    /// Nothing is there.
    Missing,
    /// It is there more than once, or is no text: nothing to rely on.
    Ambiguous,
    /// The one value.
    One(String),
}

impl Locator {
    /// Looks there, strictly: for what a signature is made of.
    pub fn find(&self, received: &Received) -> Lookup {
        self.lookup(&Parsed::of(received), Decoding::Strict)
    }

    /// Looks there for an event's id, topic or tenant: what is empty is nothing, and a header or a
    /// field may be any text.
    pub fn label(&self, received: &Received) -> Lookup {
        self.label_in(&Parsed::of(received))
    }

    /// Looks there for an event's id: as a label, and a string of JSON that is no text (half of a
    /// surrogate pair is in it) is the hash of its JSON.
    pub fn id(&self, received: &Received) -> Lookup {
        self.id_in(&Parsed::of(received))
    }

    fn label_in(&self, parsed: &Parsed<'_>) -> Lookup {
        self.lookup(parsed, Decoding::Label).non_empty()
    }

    fn id_in(&self, parsed: &Parsed<'_>) -> Lookup {
        self.lookup(parsed, Decoding::Id).non_empty()
    }

    /// The first of `places` where anything is.
    pub fn find_first(places: &[Self], received: &Received) -> Lookup {
        let found = places.iter().map(|place| place.find(received));
        first(found)
    }

    /// The first of `places` where an id is.
    pub fn first_id<'p>(places: impl IntoIterator<Item = &'p Self>, parsed: &Parsed<'_>) -> Lookup {
        let found = places.into_iter().map(|place| place.id_in(parsed));
        first(found)
    }

    /// The first of `places` where a label is.
    pub fn first_label<'p>(
        places: impl IntoIterator<Item = &'p Self>,
        parsed: &Parsed<'_>,
    ) -> Lookup {
        let found = places.into_iter().map(|place| place.label_in(parsed));
        first(found)
    }

    /// Whether a request without a body has nothing there, or what all such requests have.
    pub fn needs_body(&self) -> bool {
        match self {
            Self::Json(_) | Self::BodySha256 => true,
            Self::Joined(parts) => parts.iter().any(Self::needs_body),
            _ => false,
        }
    }

    fn lookup(&self, parsed: &Parsed<'_>, decoding: Decoding) -> Lookup {
        let received = parsed.received();
        match self {
            Self::Header(name) => decoding.header(received, name),
            Self::Query(name) => decoding.field(parsed.query_fields(), name),
            Self::Form(name) => match decoding {
                Decoding::Strict => decoding.field(parsed.fields(), name),
                Decoding::Label | Decoding::Id => decoding.field(parsed.event_fields(), name),
            },
            Self::Json(path) => json_in(parsed, path, decoding),
            Self::BodySha256 => Lookup::One(body_sha256(received)),
            Self::RequestSha256 => Lookup::One(request_sha256(received)),
            Self::ReceivedAt => Lookup::One(milliseconds(received.at)),
            Self::Joined(parts) => join(parts.iter().map(|part| match decoding {
                Decoding::Strict => part.lookup(parsed, decoding),
                Decoding::Label | Decoding::Id => part.lookup(parsed, decoding).non_empty(),
            })),
        }
    }

    /// The places that it is joined of; mostly itself alone.
    pub fn parts(&self) -> &[Self] {
        match self {
            Self::Joined(parts) => parts,
            one => std::slice::from_ref(one),
        }
    }
}

impl Lookup {
    /// The one value.
    pub fn one(self) -> Option<String> {
        match self {
            Self::One(text) => Some(text),
            Self::Missing | Self::Ambiguous => None,
        }
    }
}

impl Lookup {
    /// An empty label is none.
    fn non_empty(self) -> Self {
        match self {
            Self::One(text) if text.is_empty() => Self::Missing,
            found => found,
        }
    }
}

/// Which bytes are a value.
#[derive(Clone, Copy)]
enum Decoding {
    /// A header's printable ASCII, a field's UTF-8.
    Strict,
    /// Any, see [`text`].
    Label,
    /// Any, and JSON that is no text.
    Id,
}

impl Decoding {
    fn header(self, received: &Received, name: &HeaderName) -> Lookup {
        let values = received.headers.get_all(name).iter();
        let is_ascii = |value: &[u8]| value.iter().all(|b| matches!(b, b' '..=b'~' | b'\t'));
        self.single(values.map(HeaderValue::as_bytes), is_ascii)
    }

    fn field(self, fields: &[Field<'_>], name: &str) -> Lookup {
        let values = fields.iter().filter(|(key, _)| **key == *name.as_bytes());
        let is_utf8 = |value: &[u8]| std::str::from_utf8(value).is_ok();
        self.single(values.map(|(_, value)| &**value), is_utf8)
    }

    fn single<'b>(
        self,
        mut values: impl Iterator<Item = &'b [u8]>,
        is_strict: impl Fn(&[u8]) -> bool,
    ) -> Lookup {
        match (values.next(), values.next(), self) {
            (None, ..) => Lookup::Missing,
            (Some(value), None, Self::Strict) if !is_strict(value) => Lookup::Ambiguous,
            (Some(value), None, _) => Lookup::One(text(value).into_owned()),
            (Some(_), Some(_), _) => Lookup::Ambiguous,
        }
    }
}

fn first(found: impl Iterator<Item = Lookup>) -> Lookup {
    let mut present = found.filter(|found| *found != Lookup::Missing);
    present.next().unwrap_or(Lookup::Missing)
}

fn join(parts: impl Iterator<Item = Lookup>) -> Lookup {
    let mut whole = String::new();
    for (index, part) in parts.enumerate() {
        match part {
            Lookup::One(text) if index == 0 => whole = text,
            Lookup::One(text) => {
                whole.push('.');
                whole.push_str(&text);
            }
            Lookup::Missing if index > 0 => {}
            nothing => return nothing,
        }
    }
    Lookup::One(whole)
}

/// In a form, the path begins in the JSON of the field that its first key names, or else in that of
/// the field `payload`.
fn json_in(parsed: &Parsed<'_>, path: &[String], decoding: Decoding) -> Lookup {
    if !parsed.received().is_form() {
        return parsed
            .json()
            .map_or(Lookup::Missing, |json| walk(json, path, decoding));
    }
    if let [field, rest @ ..] = path
        && !rest.is_empty()
        && let Some(text) = parsed.json_field(field)
    {
        match json(text, rest, decoding) {
            Lookup::Missing => {}
            found => return found,
        }
    }
    let text = parsed.json_field("payload");
    text.map_or(Lookup::Missing, |text| json(text, path, decoding))
}

fn json(text: &str, path: &[String], decoding: Decoding) -> Lookup {
    Node::parse(text).map_or(Lookup::Missing, |json| walk(&json, path, decoding))
}

/// Steps down the path without recursion and without reading numbers: ids keep every digit.
fn walk(json: &Node<'_>, path: &[String], decoding: Decoding) -> Lookup {
    let mut value = json;
    for key in path {
        match value.named(key).as_slice() {
            [next] => value = next,
            [] => return Lookup::Missing,
            _ => return Lookup::Ambiguous,
        }
    }
    let text = value.text();
    match text.as_bytes() {
        [b'"', ..] => match (serde_json::from_str(text), decoding) {
            (Ok(text), _) => Lookup::One(text),
            (Err(_), Decoding::Id) => Lookup::One(sha256(text)),
            (Err(_), Decoding::Strict | Decoding::Label) => Lookup::Ambiguous,
        },
        [b'{' | b'[' | b'n', ..] => Lookup::Missing,
        _ => Lookup::One(text.to_owned()),
    }
}

fn sha256(text: &str) -> String {
    hex::encode(digest::digest(&digest::SHA256, text.as_bytes()))
}

fn milliseconds(at: SystemTime) -> String {
    let since = at.duration_since(SystemTime::UNIX_EPOCH);
    since.unwrap_or(Duration::ZERO).as_millis().to_string()
}

impl fmt::Display for Locator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header(name) => write!(f, "header {name}"),
            Self::Query(name) => write!(f, "query {name}"),
            Self::Json(path) => write!(f, "json {}", path.join(".")),
            Self::Form(name) => write!(f, "form {name}"),
            Self::BodySha256 => f.write_str("body-sha256"),
            Self::RequestSha256 => f.write_str("request-sha256"),
            Self::ReceivedAt => f.write_str("received-at"),
            Self::Joined(parts) => {
                let parts: Vec<_> = parts.iter().map(ToString::to_string).collect();
                f.write_str(&parts.join(" + "))
            }
        }
    }
}

impl TryFrom<String> for Locator {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let mut parts = text
            .split(" + ")
            .map(part)
            .collect::<Option<Vec<_>>>()
            .filter(|parts| !parts.is_empty())
            .ok_or_else(|| {
                let word = text.split(' ').next().unwrap_or_default();
                let suggestion = did_you_mean(word, WORDS);
                format!("{text:?}{suggestion}: expected {VOCABULARY}")
            })?;
        Ok(if parts.len() == 1 {
            parts.remove(0)
        } else {
            Self::Joined(parts)
        })
    }
}

fn part(text: &str) -> Option<Locator> {
    match text.trim().split_once(' ') {
        None if text.trim() == "body-sha256" => Some(Locator::BodySha256),
        None if text.trim() == "request-sha256" => Some(Locator::RequestSha256),
        None if text.trim() == "received-at" => Some(Locator::ReceivedAt),
        None => None,
        Some(("header", name)) => name.parse().ok().map(Locator::Header),
        Some(("query", name)) => Some(Locator::Query(name.to_owned())),
        Some(("form", name)) => Some(Locator::Form(name.to_owned())),
        Some(("json", path)) => Some(Locator::Json(path.split('.').map(str::to_owned).collect())),
        Some(_) => None,
    }
}

/// The first word of each place.
const WORDS: [&str; 7] = [
    "header",
    "query",
    "json",
    "form",
    "body-sha256",
    "request-sha256",
    "received-at",
];
const VOCABULARY: &str = "\"header NAME\", \"query NAME\", \"json PATH\", \"form NAME\", \"body-sha256\", \"request-sha256\" or \"received-at\", or several joined by \" + \"";

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str, path: &str) -> Lookup {
        let path: Vec<_> = path.split('.').map(str::to_owned).collect();
        json(text, &path, Decoding::Id)
    }

    #[test]
    fn half_a_surrogate_is_no_text_and_still_an_id() {
        let text = r#"{"\udc00":0,"id":"a\ud800","other":"a\ud801","pair":"\ud83d\ude00"}"#;
        let hash = |text: &str| Lookup::One(sha256(text));
        assert_eq!(at(text, "id"), hash(r#""a\ud800""#));
        assert_eq!(at(text, "other"), hash(r#""a\ud801""#));
        assert_eq!(at(text, "pair"), Lookup::One("😀".into()));
        for decoding in [Decoding::Strict, Decoding::Label] {
            let other = json(text, &["id".to_owned()], decoding);
            assert_eq!(other, Lookup::Ambiguous);
        }
    }

    #[test]
    fn json_is_stepped_through_and_ids_keep_every_digit() {
        let text = r#"{"a":[{"id":12345678901234567890}],"b":"\u00e9","n":null}"#;
        assert_eq!(
            at(text, "a.0.id"),
            Lookup::One("12345678901234567890".into())
        );
        assert_eq!(at(text, "b"), Lookup::One("é".into()));
        for path in ["a", "a.1.id", "a.x", "n", "b.c", "c"] {
            assert_eq!(at(text, path), Lookup::Missing, "{path}");
        }
        assert_eq!(at("{", "a"), Lookup::Missing);
    }

    #[test]
    fn a_repeated_key_is_ambiguous() {
        let text = r#"{"a":1,"a":{"id":2},"b":{"id":3,"\u0069d":4},"id":5}"#;
        assert_eq!(at(text, "a"), Lookup::Ambiguous);
        assert_eq!(at(text, "a.id"), Lookup::Ambiguous);
        assert_eq!(at(text, "b.id"), Lookup::Ambiguous);
        assert_eq!(at(text, "id"), Lookup::One("5".into()));
    }
}

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
pub enum Found {
    /// Nothing is there.
    Missing,
    /// It is there more than once, or is no text: nothing to rely on.
    Ambiguous,
    /// The one value.
    One(String),
}

impl Locator {
    /// Looks there, strictly: for what a signature is made of.
    pub fn find(&self, received: &Received) -> Found {
        self.find_in(&Parsed::of(received), Reading::Strict)
    }

    /// Looks there for an event's id, topic or tenant: what is empty is nothing, and a header or a
    /// field may be any text.
    pub fn label(&self, received: &Received) -> Found {
        self.label_in(&Parsed::of(received))
    }

    /// Looks there for an event's id: as a label, and a string of JSON that is no text (half of a
    /// surrogate pair is in it) is the hash of its JSON.
    pub fn id(&self, received: &Received) -> Found {
        self.id_in(&Parsed::of(received))
    }

    fn label_in(&self, parsed: &Parsed<'_>) -> Found {
        self.find_in(parsed, Reading::Label).unless_empty()
    }

    fn id_in(&self, parsed: &Parsed<'_>) -> Found {
        self.find_in(parsed, Reading::Id).unless_empty()
    }

    /// The first of `places` where anything is.
    pub fn find_first(places: &[Self], received: &Received) -> Found {
        let found = places.iter().map(|place| place.find(received));
        first(found)
    }

    /// The first of `places` where an id is.
    pub fn first_id<'p>(places: impl IntoIterator<Item = &'p Self>, parsed: &Parsed<'_>) -> Found {
        let found = places.into_iter().map(|place| place.id_in(parsed));
        first(found)
    }

    /// The first of `places` where a label is.
    pub fn first_label<'p>(
        places: impl IntoIterator<Item = &'p Self>,
        parsed: &Parsed<'_>,
    ) -> Found {
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

    fn find_in(&self, parsed: &Parsed<'_>, reading: Reading) -> Found {
        let received = parsed.received();
        match self {
            Self::Header(name) => reading.header(received, name),
            Self::Query(name) => reading.field(parsed.query_fields(), name),
            Self::Form(name) => match reading {
                Reading::Strict => reading.field(parsed.fields(), name),
                Reading::Label | Reading::Id => reading.field(parsed.event_fields(), name),
            },
            Self::Json(path) => json_in(parsed, path, reading),
            Self::BodySha256 => Found::One(body_sha256(received)),
            Self::RequestSha256 => Found::One(request_sha256(received)),
            Self::ReceivedAt => Found::One(milliseconds(received.at)),
            Self::Joined(parts) => joined(parts.iter().map(|part| match reading {
                Reading::Strict => part.find_in(parsed, reading),
                Reading::Label | Reading::Id => part.find_in(parsed, reading).unless_empty(),
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

impl Found {
    /// The one value.
    pub fn one(self) -> Option<String> {
        match self {
            Self::One(text) => Some(text),
            Self::Missing | Self::Ambiguous => None,
        }
    }
}

impl Found {
    /// An empty label is none.
    fn unless_empty(self) -> Self {
        match self {
            Self::One(text) if text.is_empty() => Self::Missing,
            found => found,
        }
    }
}

/// Which bytes are a value.
#[derive(Clone, Copy)]
enum Reading {
    /// A header's printable ASCII, a field's UTF-8.
    Strict,
    /// Any, see [`text`].
    Label,
    /// Any, and JSON that is no text.
    Id,
}

impl Reading {
    fn header(self, received: &Received, name: &HeaderName) -> Found {
        let values = received.headers.get_all(name).iter();
        let is_ascii = |value: &[u8]| value.iter().all(|b| matches!(b, b' '..=b'~' | b'\t'));
        self.only(values.map(HeaderValue::as_bytes), is_ascii)
    }

    fn field(self, fields: &[Field<'_>], name: &str) -> Found {
        let values = fields.iter().filter(|(key, _)| **key == *name.as_bytes());
        let is_utf8 = |value: &[u8]| std::str::from_utf8(value).is_ok();
        self.only(values.map(|(_, value)| &**value), is_utf8)
    }

    fn only<'b>(
        self,
        mut values: impl Iterator<Item = &'b [u8]>,
        is_strict: impl Fn(&[u8]) -> bool,
    ) -> Found {
        match (values.next(), values.next(), self) {
            (None, ..) => Found::Missing,
            (Some(value), None, Self::Strict) if !is_strict(value) => Found::Ambiguous,
            (Some(value), None, _) => Found::One(text(value).into_owned()),
            (Some(_), Some(_), _) => Found::Ambiguous,
        }
    }
}

fn first(found: impl Iterator<Item = Found>) -> Found {
    let mut present = found.filter(|found| *found != Found::Missing);
    present.next().unwrap_or(Found::Missing)
}

fn joined(parts: impl Iterator<Item = Found>) -> Found {
    let mut whole = String::new();
    for (index, part) in parts.enumerate() {
        match part {
            Found::One(text) if index == 0 => whole = text,
            Found::One(text) => {
                whole.push('.');
                whole.push_str(&text);
            }
            Found::Missing if index > 0 => {}
            nothing => return nothing,
        }
    }
    Found::One(whole)
}

/// In a form, the path begins in the JSON of the field that its first key names, or else in that of
/// the field `payload`.
fn json_in(parsed: &Parsed<'_>, path: &[String], reading: Reading) -> Found {
    if !parsed.received().is_form() {
        return parsed
            .json()
            .map_or(Found::Missing, |json| walk(json, path, reading));
    }
    if let [field, rest @ ..] = path
        && !rest.is_empty()
        && let Some(text) = parsed.json_field(field)
    {
        match json(text, rest, reading) {
            Found::Missing => {}
            found => return found,
        }
    }
    let text = parsed.json_field("payload");
    text.map_or(Found::Missing, |text| json(text, path, reading))
}

fn json(text: &str, path: &[String], reading: Reading) -> Found {
    Node::parse(text).map_or(Found::Missing, |json| walk(&json, path, reading))
}

/// Steps down the path without recursion and without reading numbers: ids keep every digit.
fn walk(json: &Node<'_>, path: &[String], reading: Reading) -> Found {
    let mut value = json;
    for key in path {
        match value.named(key).as_slice() {
            [next] => value = next,
            [] => return Found::Missing,
            _ => return Found::Ambiguous,
        }
    }
    let text = value.text();
    match text.as_bytes() {
        [b'"', ..] => match (serde_json::from_str(text), reading) {
            (Ok(text), _) => Found::One(text),
            (Err(_), Reading::Id) => Found::One(sha256(text)),
            (Err(_), Reading::Strict | Reading::Label) => Found::Ambiguous,
        },
        [b'{' | b'[' | b'n', ..] => Found::Missing,
        _ => Found::One(text.to_owned()),
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

    fn at(text: &str, path: &str) -> Found {
        let path: Vec<_> = path.split('.').map(str::to_owned).collect();
        json(text, &path, Reading::Id)
    }

    #[test]
    fn half_a_surrogate_is_no_text_and_still_an_id() {
        let text = r#"{"\udc00":0,"id":"a\ud800","other":"a\ud801","pair":"\ud83d\ude00"}"#;
        let hash = |text: &str| Found::One(sha256(text));
        assert_eq!(at(text, "id"), hash(r#""a\ud800""#));
        assert_eq!(at(text, "other"), hash(r#""a\ud801""#));
        assert_eq!(at(text, "pair"), Found::One("😀".into()));
        for reading in [Reading::Strict, Reading::Label] {
            let other = json(text, &["id".to_owned()], reading);
            assert_eq!(other, Found::Ambiguous);
        }
    }

    #[test]
    fn json_is_stepped_through_and_ids_keep_every_digit() {
        let text = r#"{"a":[{"id":12345678901234567890}],"b":"\u00e9","n":null}"#;
        assert_eq!(
            at(text, "a.0.id"),
            Found::One("12345678901234567890".into())
        );
        assert_eq!(at(text, "b"), Found::One("é".into()));
        for path in ["a", "a.1.id", "a.x", "n", "b.c", "c"] {
            assert_eq!(at(text, path), Found::Missing, "{path}");
        }
        assert_eq!(at("{", "a"), Found::Missing);
    }

    #[test]
    fn a_repeated_key_is_ambiguous() {
        let text = r#"{"a":1,"a":{"id":2},"b":{"id":3,"\u0069d":4},"id":5}"#;
        assert_eq!(at(text, "a"), Found::Ambiguous);
        assert_eq!(at(text, "a.id"), Found::Ambiguous);
        assert_eq!(at(text, "b.id"), Found::Ambiguous);
        assert_eq!(at(text, "id"), Found::One("5".into()));
    }
}

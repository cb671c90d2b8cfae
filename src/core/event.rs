//! [`Verified`] -> [`Event`]: what a webhook says, in the provider's words: id, topic, tenant, the
//! headers it keeps, its data.

use std::time::SystemTime;

use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, Method};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::multipart;
use super::outcome::Reject;
use super::provider::Provider;
use super::provider::locator::{Found, Locator};
use super::request::{FORM, MULTIPART, Proof, Received, Verified};

/// A verified webhook: the only thing a workflow can be started from.
#[derive(Debug)]
pub struct Event {
    /// The same for every delivery of the event: 1 to 200 printable ASCII characters.
    pub id: String,
    /// What happened (`orders/create`), if the sender says.
    pub topic: Option<String>,
    /// Whose it is (a shop's domain), if the sender says.
    pub tenant: Option<String>,
    /// The headers for the worker: lower-case names in the order received, then our own three.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub data: Data,
    /// When the delivery arrived.
    pub received_at: SystemTime,
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
    /// Reads the event out of a verified request.
    ///
    /// # Errors
    /// [`Reject::Malformed`]: no id, a label that is not 1-200 printable ASCII characters, an
    /// empty body, broken JSON.
    pub fn new(verified: &Verified, provider: &Provider, source: &str) -> Result<Self, Reject> {
        let received = verified.received();
        let id = label(&id_places(verified, provider), received, "the event id")?
            .ok_or(Reject::Malformed("the request has no event id"))?;
        Ok(Self {
            id,
            topic: label(&provider.topic, received, "the topic")?,
            tenant: label(&provider.tenant, received, "the tenant")?,
            headers: kept_headers(verified, provider, source),
            data: data(received, provider.content_type.as_deref())?,
            received_at: received.at,
        })
    }
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

fn label(
    places: &[Locator],
    received: &Received,
    what: &'static str,
) -> Result<Option<String>, Reject> {
    match Locator::find_first(places, received) {
        Found::Missing => Ok(None),
        Found::One(text) if is_label(&text) => Ok(Some(text)),
        Found::One(_) | Found::Ambiguous => Err(Reject::Malformed(match what {
            "the event id" => "the event id is not one value of 1-200 printable ASCII characters",
            "the topic" => "the topic is not one value of 1-200 printable ASCII characters",
            _ => "the tenant is not one value of 1-200 printable ASCII characters",
        })),
    }
}

fn is_label(text: &str) -> bool {
    (1..=MAX_LABEL).contains(&text.len()) && text.bytes().all(|b| (b' '..=b'~').contains(&b))
}

fn kept_headers(verified: &Verified, provider: &Provider, source: &str) -> Vec<(String, String)> {
    let received = verified.received();
    let mut kept = Vec::new();
    for name in received.headers.keys() {
        let ours = OWN_HEADERS.contains(&name.as_str());
        let token = provider
            .schemes
            .iter()
            .any(|scheme| scheme.is_token_in(name));
        if !ours
            && !token
            && provider
                .keep_headers
                .iter()
                .any(|p| p.covers(name.as_str()))
        {
            kept.push((name.as_str().to_owned(), joined(&received.headers, name)));
        }
    }
    let verified = match verified.proof() {
        Proof::Secret(_) | Proof::FetchedKey | Proof::Address => "true",
        Proof::Unverified => "false",
    };
    let own = [source, received.method.as_str(), verified];
    kept.extend(
        OWN_HEADERS
            .iter()
            .zip(own)
            .map(|(name, value)| ((*name).to_owned(), value.to_owned())),
    );
    kept
}

/// Repeated headers are joined as RFC 9110 section 5.3 does.
fn joined(headers: &HeaderMap, name: &http::HeaderName) -> String {
    let values: Vec<_> = headers
        .get_all(name)
        .iter()
        .map(|value| String::from_utf8_lossy(value.as_bytes()))
        .collect();
    values.join(", ")
}

/// `known_type` goes before what the request says.
fn data(received: &Received, known_type: Option<&str>) -> Result<Data, Reject> {
    if received.method == Method::GET {
        return match fields(received) {
            fields if fields.is_empty() => Err(Reject::Malformed("the query is empty")),
            fields => Ok(Data::Fields(fields)),
        };
    }
    let body = &received.body;
    if body.is_empty() {
        return Err(Reject::Malformed("the body is empty"));
    }
    let said = received.media_type();
    Ok(match known_type.or(said.as_deref()).map(kind) {
        Some(Kind::Json) => Data::Json(json_value(body).ok_or(Reject::Malformed("broken JSON"))?),
        Some(Kind::Form) => Data::Fields(fields(received)),
        Some(Kind::Multipart) => {
            Data::Fields(parts(received).ok_or(Reject::Malformed("broken multipart form"))?)
        }
        Some(Kind::Text) => match std::str::from_utf8(body) {
            Ok(text) => Data::Text(text.to_owned()),
            Err(_) => Data::Binary(body.clone()),
        },
        Some(Kind::Other) => Data::Binary(body.clone()),
        // A sender that names no type: JSON if it is JSON.
        None => json_value(body).map_or_else(|| Data::Binary(body.clone()), Data::Json),
    })
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
        add(
            &mut fields,
            name.into_owned(),
            Value::String(value.into_owned()),
        );
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

enum Kind {
    Json,
    Form,
    Multipart,
    Text,
    Other,
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

const MAX_LABEL: usize = 200;

/// Set by us, whatever the caller sent: source path, method, whether the signature was checked.
const OWN_HEADERS: [&str; 3] = ["x-webhook-route", "x-webhook-method", "x-webhook-verified"];

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::HeaderValue;

    use super::*;
    use crate::core::provider::catalogue;

    fn received(headers: &[(&'static str, &[u8])], body: &[u8]) -> Received {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            let value = HeaderValue::from_bytes(value).expect("a header value");
            map.append(*name, value);
        }
        Received {
            method: Method::POST,
            path: String::new(),
            query: None,
            headers: map,
            body: Bytes::copy_from_slice(body),
            at: SystemTime::UNIX_EPOCH,
        }
    }

    fn event(headers: &[(&'static str, &[u8])], body: &[u8]) -> Result<Event, Reject> {
        let shopify = catalogue::find("shopify").expect("in the catalogue");
        let verified = Verified::danger_unverified(received(headers, body));
        Event::new(&verified, shopify, "/temporal/shopify")
    }

    fn data_of(content_type: &'static [u8], body: &[u8]) -> Result<Data, Reject> {
        let headers: &[(_, &[u8])] = &[
            ("x-shopify-webhook-id", b"1"),
            ("content-type", content_type),
        ];
        event(headers, body).map(|event| event.data)
    }

    #[test]
    fn json_is_taken_as_sent() {
        let deep = ["[".repeat(100_000), "]".repeat(100_000)].concat();
        for body in [
            r#"{"b":12345678901234567890.10,"a":1,"a":2}"#,
            r#""\ud800""#,
            "1e999999",
            &deep,
        ] {
            let padded = format!("\u{feff} {body}\r\n");
            let data = data_of(b"application/json; charset=utf-8", padded.as_bytes());
            assert_eq!(
                data,
                Ok(Data::Json(Bytes::copy_from_slice(body.as_bytes())))
            );
        }
    }

    #[test]
    fn broken_json_is_malformed() {
        for body in [
            &b"{"[..],
            b"{\"a\":\"\xff\"}",
            b"{}{}",
            b"[1,]",
            b"\xef\xbb\xbf",
        ] {
            assert_eq!(
                data_of(b"application/vnd.api+json", body),
                Err(Reject::Malformed("broken JSON"))
            );
        }
    }

    #[test]
    fn other_types_have_their_own_form() {
        let data = data_of(b"application/x-www-form-urlencoded", b"a=1&b=x+y&a=2");
        let fields = serde_json::json!({"a": ["1", "2"], "b": "x y"});
        assert_eq!(
            data.map(Some),
            Ok(fields.as_object().cloned().map(Data::Fields))
        );
        assert_eq!(data_of(b"text/plain", b"hi"), Ok(Data::Text("hi".into())));
        assert_eq!(
            data_of(b"text/plain", b"\xff"),
            Ok(Data::Binary(Bytes::from_static(b"\xff")))
        );
        assert_eq!(
            data_of(b"application/octet-stream", b"{}"),
            Ok(Data::Binary(Bytes::from_static(b"{}")))
        );
    }

    #[test]
    fn a_known_type_goes_before_what_the_sender_says() {
        let sns = catalogue::find("sns").expect("in the catalogue");
        let headers: &[(_, &[u8])] = &[("content-type", b"text/plain; charset=UTF-8")];
        let body = br#"{"MessageId":"1","Type":"Notification"}"#;
        let verified = Verified::danger_unverified(received(headers, body));
        let event = Event::new(&verified, sns, "/temporal/sns").expect("an event");
        assert_eq!(event.data, Data::Json(Bytes::from_static(body)));
    }

    #[test]
    fn the_same_bytes_later_are_another_event_where_the_time_is_in_the_id() {
        let dropbox = catalogue::find("dropbox").expect("in the catalogue");
        let id = |seconds| {
            let at = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
            let received = Received {
                at,
                ..received(&[], b"{}")
            };
            let verified = Verified::danger_unverified(received);
            let event = Event::new(&verified, dropbox, "/temporal/dropbox");
            event.expect("an event").id
        };
        assert_eq!(id(1), id(1));
        assert_ne!(id(1), id(2));
        assert!(id(1).ends_with(".1000"));
    }

    #[test]
    fn an_event_needs_an_id_of_printable_ascii() {
        for id in [&b""[..], b"\xc3\xa9", &[b'a'; 201], b"a\tb"] {
            assert!(
                event(&[("x-shopify-webhook-id", id)], b"{}").is_err(),
                "{id:?}"
            );
        }
        assert!(event(&[], b"{}").is_err());
        let twice: &[(_, &[u8])] = &[
            ("x-shopify-webhook-id", b"1"),
            ("x-shopify-webhook-id", b"2"),
        ];
        assert!(event(twice, b"{}").is_err());
        assert!(event(&[("x-shopify-webhook-id", &[b'a'; 200])], b"{}").is_ok());
        assert!(event(&[("x-shopify-webhook-id", b"1")], b"").is_err());
    }

    #[test]
    fn only_kept_headers_reach_the_worker_and_ours_cannot_be_forged() {
        let headers: &[(_, &[u8])] = &[
            ("x-shopify-webhook-id", b"1"),
            ("authorization", b"Bearer x"),
            ("cookie", b"x"),
            ("x-webhook-verified", b"true"),
            ("x-shopify-topic", b"orders/create"),
            ("content-type", b"application/json"),
        ];
        let event = event(headers, b"{}").expect("an event");
        let mut names: Vec<_> = event
            .headers
            .iter()
            .map(|(n, v)| format!("{n}={v}"))
            .collect();
        names.sort();
        assert_eq!(
            names,
            [
                "content-type=application/json",
                "x-shopify-topic=orders/create",
                "x-shopify-webhook-id=1",
                "x-webhook-method=POST",
                "x-webhook-route=/temporal/shopify",
                "x-webhook-verified=false",
            ]
        );
        assert_eq!(event.topic.as_deref(), Some("orders/create"));
    }

    #[test]
    fn a_token_does_not_reach_the_worker() {
        let headers: &[(_, &[u8])] = &[
            ("x-gitlab-token", b"hush"),
            ("x-gitlab-event", b"Push Hook"),
            ("idempotency-key", b"1"),
        ];
        let gitlab = catalogue::find("gitlab").expect("in the catalogue");
        let verified = Verified::danger_unverified(received(headers, b"{}"));
        let event = Event::new(&verified, gitlab, "/temporal/gitlab").expect("an event");
        let shown = format!("{:?}", event.headers);
        assert!(
            shown.contains("Push Hook") && !shown.contains("hush"),
            "{shown}"
        );
    }

    #[test]
    fn the_same_request_has_the_same_hash_and_parts_cannot_move() {
        let a = Received {
            query: Some("ab".into()),
            ..received(&[], b"c")
        };
        let b = Received {
            query: Some("a".into()),
            ..received(&[], b"bc")
        };
        assert_eq!(request_sha256(&a), request_sha256(&a));
        assert_ne!(request_sha256(&a), request_sha256(&b));
    }
}

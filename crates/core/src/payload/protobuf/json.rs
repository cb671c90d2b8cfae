//! `webhook.forwarder.v1.WebhookEvent` in proto3 JSON: the body as text where it is text.

use std::borrow::Cow;
use std::collections::BTreeMap;

use bytes::Bytes;
use prost_types::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Content, WebhookEvent};
use crate::payload::json::{ROOM, push};

/// The message in proto3 JSON: every field, names in camelCase. A body that is UTF-8 stands there
/// as `bodyText`, any other in base64 as `body`.
pub fn to_json(event: &WebhookEvent) -> Vec<u8> {
    let mut out = Vec::with_capacity(ROOM + event.body().len() / 3 * 4);
    push(&mut out, &Json::from(event));
    out
}

/// Reads what [`to_json`] or another writer of proto3 JSON wrote. The body is its bytes then,
/// however it was written.
///
/// # Errors
/// The place of the first mistake; never what stands there.
pub fn from_json(json: &[u8]) -> Result<WebhookEvent, NotAnEvent> {
    let read = serde_json::from_slice::<Json<'_>>(json).map_err(|error| NotAnEvent::At {
        line: error.line(),
        column: error.column(),
    })?;
    if read.body.is_some() && read.body_text.is_some() {
        return Err(NotAnEvent::TwoBodies);
    }
    Ok(read.into())
}

/// Why something is no event: the reader's own words might quote the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAnEvent {
    /// It is something else from here on.
    #[error(
        "line {line}, column {column}: expected a webhook.forwarder.v1.WebhookEvent in proto3 JSON"
    )]
    At {
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
    },
    /// One of the two would be lost.
    #[error("expected a webhook.forwarder.v1.WebhookEvent with body or bodyText, not both")]
    TwoBodies,
}

/// The message with the names and forms of proto3 JSON. Its readers take a field's own name, too.
#[derive(Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
struct Json<'a> {
    id: Cow<'a, str>,
    topic: Cow<'a, str>,
    tenant: Cow<'a, str>,
    provider: Cow<'a, str>,
    source: Cow<'a, str>,
    #[serde(with = "timestamp", alias = "received_at")]
    received_at: Option<Timestamp>,
    #[serde(alias = "verified_by")]
    verified_by: Cow<'a, str>,
    method: Cow<'a, str>,
    query: Cow<'a, str>,
    headers: Cow<'a, BTreeMap<String, String>>,
    #[serde(with = "base64", skip_serializing_if = "Option::is_none")]
    body: Option<Cow<'a, [u8]>>,
    #[serde(alias = "body_text", skip_serializing_if = "Option::is_none")]
    body_text: Option<Cow<'a, str>>,
}

impl<'a> From<&'a WebhookEvent> for Json<'a> {
    fn from(event: &'a WebhookEvent) -> Self {
        let body = event.body();
        let text = as_text(body);
        Self {
            id: event.id.as_str().into(),
            topic: event.topic.as_str().into(),
            tenant: event.tenant.as_str().into(),
            provider: event.provider.as_str().into(),
            source: event.source.as_str().into(),
            received_at: event.received_at,
            verified_by: event.verified_by.as_str().into(),
            method: event.method.as_str().into(),
            query: event.query.as_str().into(),
            headers: Cow::Borrowed(&event.headers),
            body: text.is_none().then_some(body.into()),
            body_text: text.map(Into::into),
        }
    }
}

impl From<Json<'_>> for WebhookEvent {
    fn from(json: Json<'_>) -> Self {
        let bytes = json.body.map(|body| Bytes::from(body.into_owned()));
        let text = json.body_text.map(|text| Bytes::from(text.into_owned()));
        Self {
            id: json.id.into_owned(),
            topic: json.topic.into_owned(),
            tenant: json.tenant.into_owned(),
            provider: json.provider.into_owned(),
            source: json.source.into_owned(),
            received_at: json.received_at,
            verified_by: json.verified_by.into_owned(),
            method: json.method.into_owned(),
            query: json.query.into_owned(),
            headers: json.headers.into_owned(),
            content: bytes.or(text).map(Content::Body),
        }
    }
}

/// The body as text, if it is UTF-8, and does not miss Temporal's limit by what JSON escapes.
fn as_text(body: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(body).ok()?;
    let escaped = || body.iter().copied().map(escaped_len).sum::<usize>();
    let fits = body.len() <= TEXT_LIMIT / MAX_ESCAPE
        || escaped() <= TEXT_LIMIT.max(body.len().div_ceil(3) * 4);
    fits.then_some(text)
}

/// How many bytes this one is in a JSON string.
const fn escaped_len(byte: u8) -> usize {
    match byte {
        b'"' | b'\\' | b'\n' | b'\r' | b'\t' | 0x08 | 0x0c => 2,
        ..0x20 => MAX_ESCAPE,
        _ => 1,
    }
}

/// Bytes over which a text must not be longer than base64.
const TEXT_LIMIT: usize = 1024 * 1024;
/// `\u0000`.
const MAX_ESCAPE: usize = 6;

/// Bytes in proto3 JSON.
mod base64 {
    use std::borrow::Cow;

    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::base64::{Base64, decode_base64};

    pub(super) fn serialize<S: Serializer>(
        bytes: &Option<Cow<'_, [u8]>>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        bytes.as_deref().map(Base64).serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<Cow<'static, [u8]>>, D::Error> {
        let text = Cow::<str>::deserialize(from)?;
        let bytes = decode_base64(text.as_bytes()).ok_or_else(|| D::Error::custom("no base64"))?;
        Ok(Some(bytes.into()))
    }
}

/// A time in proto3 JSON: RFC 3339.
mod timestamp {
    use prost_types::Timestamp;
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(
        at: &Option<Timestamp>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        match at {
            Some(at) => to.collect_str(at),
            None => to.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<Timestamp>, D::Error> {
        let text = Option::<String>::deserialize(from)?;
        let parsed = text.map(|text| text.parse());
        parsed.transpose().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Event;
    use crate::event::tests::sample;
    use crate::payload::protobuf::webhook_event;

    fn written(body: impl Into<Bytes>) -> String {
        let event = Event {
            tenant: None,
            verified_by: String::new(),
            headers: vec![("a".into(), "b".into())],
            body: body.into(),
            ..sample()
        };
        let message = webhook_event(&event);
        let json = to_json(&message);
        assert_eq!(from_json(&json), Ok(message), "and back");
        String::from_utf8(json).expect("UTF-8")
    }

    #[test]
    fn json_is_spelled_as_proto3_demands() {
        for (body, expected) in [
            (
                sample().body,
                r#""bodyText":"{\"id\":820982911946154508,\"total\":409.90}"}"#,
            ),
            (Bytes::from_static(b"\x00\xff"), r#""body":"AP8="}"#),
        ] {
            let before = concat!(
                r#"{"id":"b54557e4","topic":"orders/create","tenant":"","provider":"shopify","#,
                r#""source":"/temporal/shopify","receivedAt":"2026-11-23T14:14:21.500Z","#,
                r#""verifiedBy":"","method":"POST","query":"","headers":{"a":"b"},"#,
            );
            assert_eq!(written(body), [before, expected].concat());
        }
    }

    #[test]
    fn text_stands_there_as_text_and_what_is_none_in_base64() {
        let texts = [
            "",
            "a=1&b=%20",
            "\u{feff}{\"a\": \"ü\"}\r\n",
            "日本 🫖 \u{2028}\u{7f}\u{0}",
        ];
        for text in texts {
            let json: serde_json::Value = serde_json::from_str(&written(text)).expect("JSON");
            assert_eq!((&json["bodyText"], json.get("body")), (&text.into(), None));
        }
        // Latin-1, half a character, a surrogate, an overlong form.
        let others: [&[u8]; 4] = [b"J\xf6rg", b"a\xe2\x82", b"\xed\xa0\x80", b"\xc0\x80"];
        for bytes in others {
            let json: serde_json::Value = serde_json::from_str(&written(bytes)).expect("JSON");
            assert!(json["body"].is_string() && json.get("bodyText").is_none());
        }
    }

    #[test]
    fn what_json_would_make_too_large_stays_base64() {
        let limit = 2 * 1024 * 1024;
        for (byte, length, is_text) in [
            ('x', 1_900_000, true),
            ('"', 500_000, true),
            ('"', 1_400_000, false),
            ('\0', TEXT_LIMIT / MAX_ESCAPE, true),
            ('\0', TEXT_LIMIT / MAX_ESCAPE + 1, false),
        ] {
            let json = written(String::from(byte).repeat(length));
            assert_eq!(json.contains("\"bodyText\""), is_text, "{length} {byte:?}");
            assert!(json.len() < limit, "{length} {byte:?}: {}", json.len());
        }
    }

    #[test]
    fn json_of_other_writers_is_read() {
        for body in [r#""body":"_w""#, r#""body":"/w==""#] {
            let json = format!(r#"{{"id":"1","received_at":"1970-01-01T00:00:01Z",{body}}}"#);
            let expected = WebhookEvent {
                id: "1".into(),
                received_at: Some(Timestamp {
                    seconds: 1,
                    nanos: 0,
                }),
                content: Some(Content::Body(Bytes::from_static(b"\xff"))),
                ..WebhookEvent::default()
            };
            assert_eq!(from_json(json.as_bytes()), Ok(expected));
        }
        // As this program wrote every body before.
        let base64 = from_json(br#"{"body":"eyJhIjoxfQ=="}"#).expect("an event");
        for text in [
            r#"{"bodyText":"{\"a\":1}"}"#,
            r#"{"body_text":"\u007b\"a\":1}"}"#,
        ] {
            assert_eq!(from_json(text.as_bytes()).as_ref(), Ok(&base64));
        }
        assert_eq!(from_json(b"{}"), Ok(WebhookEvent::default()));
    }

    #[test]
    fn a_mistake_has_a_place_and_quotes_nothing() {
        for json in [
            "{\n\"id\": \"1\",\n\"headers\": \"hush\"}",
            "{\n\n\"data\": \"hush\"}",
            "{\n\n\"body\": \"*hush*\"}",
            "{\n\n\"bodyText\": [\"hush\"]}",
            "{\n\n\"receivedAt\": \"hush\"}",
        ] {
            let error = from_json(json.as_bytes())
                .expect_err("a mistake")
                .to_string();
            assert!(error.starts_with("line 3, column "), "{error}");
            assert!(!error.contains("hush"), "{error}");
        }
        let two = from_json(br#"{"body":"","bodyText":"hush"}"#);
        assert_eq!(two, Err(NotAnEvent::TwoBodies));
    }
}

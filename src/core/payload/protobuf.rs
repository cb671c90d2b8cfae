//! The typed envelope, `webhook.forwarder.v1.WebhookEvent`: the whole request, as protobuf and as
//! proto3 JSON.

pub use self::generated::WebhookEvent;
use super::json::{ROOM, push};
use crate::core::event::Event;

/// The event as a message: with the secret, a worker can verify it again.
pub fn webhook_event(event: &Event) -> WebhookEvent {
    WebhookEvent {
        id: event.id.clone(),
        topic: event.topic.clone().unwrap_or_default(),
        tenant: event.tenant.clone().unwrap_or_default(),
        provider: event.provider.clone(),
        source: event.source.clone(),
        received_at: Some(event.received_at.into()),
        verified_by: event.verified_by.clone(),
        method: event.method.to_string(),
        query: event.query.clone(),
        headers: event.sent_headers().cloned().collect(),
        body: event.body.clone(),
    }
}

/// The message in proto3 JSON: every field, names in camelCase, the body in base64.
pub fn to_json(event: &WebhookEvent) -> Vec<u8> {
    let mut out = Vec::with_capacity(ROOM + event.body.len() / 3 * 4);
    push(&mut out, event);
    out
}

/// Reads what [`to_json`] or another writer of proto3 JSON wrote.
///
/// # Errors
/// The place of the first mistake; never what stands there.
pub fn from_json(json: &[u8]) -> Result<WebhookEvent, NotAnEvent> {
    serde_json::from_slice(json).map_err(|error| NotAnEvent {
        line: error.line(),
        column: error.column(),
    })
}

/// Why something is no event: the reader's own words might quote the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "line {line}, column {column}: expected a webhook.forwarder.v1.WebhookEvent in proto3 JSON"
)]
pub struct NotAnEvent {
    line: usize,
    column: usize,
}

mod generated {
    include!(concat!(env!("OUT_DIR"), "/webhook.forwarder.v1.rs"));
}

/// Bytes in proto3 JSON.
mod base64 {
    use bytes::Bytes;
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::super::json::Base64;
    use crate::core::verify::key::decode_base64;

    pub(super) fn serialize<S: Serializer>(bytes: &Bytes, to: S) -> Result<S::Ok, S::Error> {
        Base64(bytes).serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Bytes, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(from)?;
        let bytes = decode_base64(text.as_bytes());
        bytes
            .map(Bytes::from)
            .ok_or_else(|| D::Error::custom("no base64"))
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
    use bytes::Bytes;
    use prost::Message;

    use super::*;
    use crate::core::event::tests::sample;

    #[test]
    fn the_message_is_lossless() {
        let body = Bytes::from_static(b"\xef\xbb\xbf {\"a\":1}\r\n\xff\x00");
        let event = Event {
            body: body.clone(),
            query: "a=%20&b".into(),
            ..sample()
        };
        let message = webhook_event(&event);
        assert_eq!(message.body.as_ptr(), body.as_ptr(), "not a copy");
        let bytes = message.encode_to_vec();
        assert_eq!(WebhookEvent::decode(&*bytes), Ok(message.clone()));
        assert_eq!(from_json(&to_json(&message)), Ok(message.clone()));

        assert_eq!(message.body, body);
        assert_eq!(
            (message.method.as_str(), message.query.as_str()),
            ("POST", "a=%20&b")
        );
        let at = message.received_at.expect("a time");
        assert_eq!((at.seconds, at.nanos), (1_795_443_261, 500_000_000));
        // What we add to the headers has fields of its own.
        let ours = message
            .headers
            .keys()
            .filter(|name| name.starts_with("x-webhook-"));
        assert_eq!((message.headers.len(), ours.count()), (5, 0));
    }

    #[test]
    fn json_is_spelled_as_proto3_demands() {
        let event = Event {
            tenant: None,
            verified_by: String::new(),
            headers: vec![("a".into(), "b".into())],
            ..sample()
        };
        let text = String::from_utf8(to_json(&webhook_event(&event)));
        let expected = concat!(
            r#"{"id":"b54557e4","topic":"orders/create","tenant":"","provider":"shopify","#,
            r#""source":"/temporal/shopify","receivedAt":"2026-11-23T14:14:21.500Z","#,
            r#""verifiedBy":"","method":"POST","query":"","headers":{"a":"b"},"#,
            r#""body":"eyJpZCI6ODIwOTgyOTExOTQ2MTU0NTA4LCJ0b3RhbCI6NDA5LjkwfQ=="}"#
        );
        assert_eq!(text.as_deref(), Ok(expected));
    }

    #[test]
    fn json_of_other_writers_is_read() {
        let read = from_json(br#"{"id":"1","received_at":"1970-01-01T00:00:01Z","body":"_w"}"#);
        let expected = WebhookEvent {
            id: "1".into(),
            received_at: Some(prost_types::Timestamp {
                seconds: 1,
                nanos: 0,
            }),
            body: Bytes::from_static(b"\xff"),
            ..WebhookEvent::default()
        };
        assert_eq!(read, Ok(expected));
    }

    #[test]
    fn a_mistake_has_a_place_and_quotes_nothing() {
        for json in [
            "{\n\"id\": \"1\",\n\"headers\": \"hush\"}",
            "{\n\n\"data\": \"hush\"}",
            "{\n\n\"body\": \"*hush*\"}",
            "{\n\n\"receivedAt\": \"hush\"}",
        ] {
            let error = from_json(json.as_bytes())
                .expect_err("a mistake")
                .to_string();
            assert!(error.starts_with("line 3, column "), "{error}");
            assert!(!error.contains("hush"), "{error}");
        }
    }
}

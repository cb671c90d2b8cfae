//! `{"headers": {…}, "data": …}`, and the data of an event as a member of any JSON object.

use serde::{Serialize, Serializer};

use crate::base64::Base64;
use crate::event::{Data, Event};

/// The default format.
pub(super) fn envelope(event: &Event) -> Vec<u8> {
    let mut out = Vec::with_capacity(ROOM + size_hint(event));
    out.extend_from_slice(b"{\"headers\":");
    push(&mut out, &Headers(event));
    out.push(b',');
    push_data(&mut out, &event.data);
    out.push(b'}');
    out
}

/// As [`headers`](super::headers), written at once.
struct Headers<'a>(&'a Event);

impl Serialize for Headers<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let headers = self.0.headers.iter();
        serializer.collect_map(headers.map(|(name, value)| (name, value)))
    }
}

/// JSON as a JSON string.
pub(super) fn string(json: &[u8]) -> Vec<u8> {
    // A quote in nine bytes: most JSON grows by less.
    let mut out = Vec::with_capacity(json.len() / 8 * 9 + ROOM);
    push(&mut out, &String::from_utf8_lossy(json));
    out
}

/// A member: `"data":…`, a JSON body as it was sent, or `"data_base64":"…"`.
pub(super) fn push_data(out: &mut Vec<u8>, data: &Data) {
    out.extend_from_slice(match data {
        Data::Binary(_) => b"\"data_base64\":".as_slice(),
        _ => b"\"data\":",
    });
    match data {
        Data::Json(json) | Data::Fields(json) => out.extend_from_slice(json),
        Data::Text(text) => push(out, text),
        Data::Binary(bytes) => push(out, &Base64(bytes)),
    }
}

/// Appends a value that always serializes.
pub(super) fn push(out: &mut Vec<u8>, value: &(impl Serialize + ?Sized)) {
    serde_json::to_writer(out, value).expect("strings and maps of them always serialize");
}

/// How much its data may need, so that a large event is seldom moved while it grows.
pub(super) const fn size_hint(event: &Event) -> usize {
    match &event.data {
        Data::Json(json) | Data::Fields(json) => json.len(),
        Data::Binary(bytes) => bytes.len() / 3 * 4,
        Data::Text(text) => text.len() / 8 * 9,
    }
}

/// For headers or attributes, and what JSON needs besides.
pub(super) const ROOM: usize = 1024;

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use bytes::Bytes;
    use serde_json::{Value, json};

    use super::*;
    use crate::event::tests::sample;

    fn encoded(data: Data) -> String {
        let event = Event {
            headers: vec![("x-a".into(), "say \"hi\"\u{7}".into())],
            data,
            ..sample()
        };
        String::from_utf8(envelope(&event)).expect("UTF-8")
    }

    #[test]
    fn json_keeps_every_digit() {
        let body = Bytes::from_static(br#"{"n":12345678901234567890.10}"#);
        let once = encoded(Data::Json(body));
        assert_eq!(
            once,
            r#"{"headers":{"x-a":"say \"hi\"\u0007"},"data":{"n":12345678901234567890.10}}"#
        );
        let twice = string(once.as_bytes());
        let inner: String = serde_json::from_slice(&twice).expect("a JSON string");
        assert_eq!(inner, once);
    }

    #[test]
    fn every_kind_of_body_is_valid_json() {
        let fields = json!({"a": ["1", "2"]});
        let object = fields.to_string().into();
        let long: Vec<u8> = (0..10_000).map(|n| (n % 251) as u8).collect();
        let long_text = STANDARD.encode(&long);
        for (data, key, expected) in [
            (Data::Text("a\"\n".into()), "data", json!("a\"\n")),
            (
                Data::Binary(Bytes::from_static(b"\xff\x00")),
                "data_base64",
                json!("/wA="),
            ),
            (Data::Binary(long.into()), "data_base64", json!(long_text)),
            (Data::Fields(object), "data", fields),
        ] {
            let value: Value = serde_json::from_str(&encoded(data)).expect("JSON");
            assert_eq!(value[key], expected);
        }
    }
}

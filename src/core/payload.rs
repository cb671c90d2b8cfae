//! An event as a Temporal payload: the worker's one argument, and the workflow's memo.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use temporalio_common::protos::temporal::api::common::v1::Payload;

use super::event::{Data, Event};

/// The forms in which a worker can get an event.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// `{"headers": {…}, "data": …}`
    #[default]
    Json,
    /// The same text once more encoded, as a JSON string
    JsonString,
}

/// Encodes the event. A JSON body stands in the result byte for byte as it was sent.
pub fn encode(format: Format, event: &Event) -> Payload {
    let envelope = envelope(event);
    json_plain(match format {
        Format::Json => envelope,
        Format::JsonString => string(&String::from_utf8_lossy(&envelope)),
    })
}

/// A JSON string as a payload.
pub fn text(text: &str) -> Payload {
    json_plain(string(text))
}

/// A JSON value as a payload.
pub fn value(value: &Value) -> Payload {
    json_plain(json(value))
}

fn envelope(event: &Event) -> Vec<u8> {
    let mut out = Vec::with_capacity(1024 + size_hint(&event.data));
    out.extend_from_slice(b"{\"headers\":{");
    for (index, (name, value)) in event.headers.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        out.extend(string(name));
        out.push(b':');
        out.extend(string(value));
    }
    out.extend_from_slice(match event.data {
        Data::Binary(_) => b"},\"data_base64\":".as_slice(),
        _ => b"},\"data\":",
    });
    match &event.data {
        Data::Json(bytes) => out.extend_from_slice(bytes),
        Data::Text(text) => out.extend(string(text)),
        Data::Fields(fields) => out.extend(json(fields)),
        Data::Binary(bytes) => out.extend(string(&STANDARD.encode(bytes))),
    }
    out.push(b'}');
    out
}

const fn size_hint(data: &Data) -> usize {
    match data {
        Data::Json(bytes) => bytes.len(),
        Data::Binary(bytes) => bytes.len() / 3 * 4,
        Data::Text(text) => text.len(),
        Data::Fields(_) => 0,
    }
}

fn string(text: &str) -> Vec<u8> {
    json(text)
}

fn json(value: &(impl Serialize + ?Sized)) -> Vec<u8> {
    serde_json::to_vec(value).expect("strings and maps of them always serialize")
}

/// Exactly `json/plain`: any other spelling is read by no SDK.
fn json_plain(data: Vec<u8>) -> Payload {
    Payload {
        metadata: [("encoding".to_owned(), b"json/plain".to_vec())].into(),
        data,
        external_payloads: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::core::event::tests::sample;

    fn event(data: Data) -> Event {
        Event {
            headers: vec![("x-a".into(), "say \"hi\"\u{7}".into())],
            data,
            ..sample()
        }
    }

    fn encoded(format: Format, data: Data) -> String {
        let payload = encode(format, &event(data));
        assert_eq!(payload.metadata["encoding"], b"json/plain");
        String::from_utf8(payload.data).expect("UTF-8")
    }

    #[test]
    fn json_keeps_every_digit() {
        let body = Bytes::from_static(br#"{"n":12345678901234567890.10}"#);
        assert_eq!(
            encoded(Format::Json, Data::Json(body.clone())),
            r#"{"headers":{"x-a":"say \"hi\"\u0007"},"data":{"n":12345678901234567890.10}}"#
        );
        let twice = encoded(Format::JsonString, Data::Json(body.clone()));
        let inner: String = serde_json::from_str(&twice).expect("a JSON string");
        assert_eq!(inner, encoded(Format::Json, Data::Json(body)));
    }

    #[test]
    fn every_kind_of_body_is_valid_json() {
        let fields = serde_json::json!({"a": ["1", "2"]});
        for (data, key, expected) in [
            (
                Data::Text("a\"\n".into()),
                "data",
                serde_json::json!("a\"\n"),
            ),
            (
                Data::Binary(Bytes::from_static(b"\xff\x00")),
                "data_base64",
                serde_json::json!("/wA="),
            ),
            (
                Data::Fields(fields.as_object().cloned().expect("an object")),
                "data",
                fields,
            ),
        ] {
            let text = encoded(Format::Json, data);
            let value: Value = serde_json::from_str(&text).expect("JSON");
            assert_eq!(value[key], expected);
        }
    }
}

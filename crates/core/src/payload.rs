//! An event as a Temporal payload: the worker's one argument, and the workflow's memo.

mod cloudevents;
mod json;
pub mod protobuf;

use prost::Message;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use self::protobuf::webhook_event;
use super::event::Event;
use super::proto::{MESSAGE_TYPE, Payload};

/// The forms in which a worker can get an event.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// JSON: `{"headers": {…}, "data": …}`
    #[default]
    Json,
    /// The same text once more encoded, as a JSON string
    JsonString,
    /// CloudEvents 1.0 in JSON; the headers are in the memo
    #[serde(rename = "cloudevents")]
    CloudEvents,
    /// The body's bytes as sent; the headers are in the memo
    Raw,
    /// The whole request as a message `webhook.forwarder.v1.WebhookEvent`
    Protobuf,
    /// The same message in JSON, the body as text if it is UTF-8
    JsonProtobuf,
}

impl Format {
    /// Each of them.
    pub const ALL: [Self; 6] = [
        Self::Json,
        Self::JsonString,
        Self::CloudEvents,
        Self::Raw,
        Self::Protobuf,
        Self::JsonProtobuf,
    ];

    /// Its name in files and on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::JsonString => "json-string",
            Self::CloudEvents => "cloudevents",
            Self::Raw => "raw",
            Self::Protobuf => "protobuf",
            Self::JsonProtobuf => "json-protobuf",
        }
    }

    /// Whether the payload has no place for the headers: the memo has.
    pub const fn leaves_headers_out(self) -> bool {
        matches!(self, Self::CloudEvents | Self::Raw)
    }
}

/// Encodes the event. A JSON body stands in every JSON but `json-protobuf` byte for byte as it was
/// sent.
pub fn encode(format: Format, event: &Event) -> Payload {
    match format {
        Format::Json => Payload::new(JSON, json::envelope(event)),
        Format::JsonString => Payload::new(JSON, json::string(&json::envelope(event))),
        Format::CloudEvents => Payload::new(JSON, cloudevents::structured(event)),
        Format::Raw => Payload::new(b"binary/plain", event.raw()),
        Format::Protobuf => typed(b"binary/protobuf", webhook_event(event).encode_to_vec()),
        Format::JsonProtobuf => typed(b"json/protobuf", protobuf::to_json(&webhook_event(event))),
    }
}

/// The event's headers as an object.
pub fn headers(event: &Event) -> Map<String, Value> {
    let headers = event.headers.iter();
    headers
        .map(|(name, value)| (name.clone(), value.as_str().into()))
        .collect()
}

/// A JSON string as a payload.
pub fn text(text: &str) -> Payload {
    value(&text.into())
}

/// A JSON value as a payload.
pub fn value(value: &Value) -> Payload {
    // What most are: a short text in its quotes.
    let length = value.as_str().map_or(0, |text| text.len() + 2);
    let mut data = Vec::with_capacity(length);
    json::push(&mut data, value);
    Payload::new(JSON, data)
}

/// Anything as JSON, as a payload.
pub fn serialized(value: &impl Serialize) -> Payload {
    let data = serde_json::to_vec(value).expect("plain data always serialize");
    Payload::new(JSON, data)
}

/// A message, which SDKs find by its name.
fn typed(encoding: &'static [u8], data: Vec<u8>) -> Payload {
    Payload::new(encoding, data).with(MESSAGE_TYPE, protobuf::NAME)
}

/// Exactly this: any other spelling is read by no SDK.
const JSON: &[u8] = b"json/plain";

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::event::Data;
    use crate::event::tests::sample;

    #[test]
    fn each_format_has_the_metadata_that_sdks_look_for() {
        let name = Some("webhook.forwarder.v1.WebhookEvent");
        for format in Format::ALL {
            let (encoding, message) = match format {
                Format::Json | Format::JsonString | Format::CloudEvents => ("json/plain", None),
                Format::Raw => ("binary/plain", None),
                Format::Protobuf => ("binary/protobuf", name),
                Format::JsonProtobuf => ("json/protobuf", name),
            };
            let payload = encode(format, &sample());
            assert_eq!(payload.encoding(), encoding.as_bytes());
            let found = payload.get("messageType").map(|name| &**name);
            assert_eq!(found, message.map(str::as_bytes));
            assert_eq!(payload.metadata.len(), 1 + usize::from(message.is_some()));
        }
    }

    #[test]
    fn the_file_and_the_flag_have_the_same_words() {
        for format in Format::ALL {
            let word = serde_json::to_value(format).expect("a word");
            assert_eq!(word, format.name());
        }
    }

    #[test]
    fn raw_is_the_body_or_the_query_of_a_get() {
        let raw = |event: &Event| encode(Format::Raw, event).data;
        let body = b"\xef\xbb\xbf {\"a\":1}\r\n\xff\x00";
        let event = Event {
            data: Data::Text(String::new()),
            body: Bytes::from_static(body),
            query: "not=this".into(),
            ..sample()
        };
        assert_eq!(raw(&event), &body[..]);
        let get = Event {
            method: http::Method::GET,
            query: "a=%20b&a=+".into(),
            body: Bytes::new(),
            ..sample()
        };
        assert_eq!(raw(&get), "a=%20b&a=+");
    }

    #[test]
    fn the_documentation_shows_what_workers_get() {
        let shown: Vec<Value> = include_str!("../../../docs/payloads.md")
            .split("```json\n")
            .skip(1)
            .map(|block| block.split("```").next().unwrap_or_default())
            .map(|json| serde_json::from_str(json).expect("JSON"))
            .collect();
        let real = |format| serde_json::from_slice(&encode(format, &sample()).data);
        for expected in [
            real(Format::Json),
            real(Format::JsonString),
            real(Format::CloudEvents),
            real(Format::JsonProtobuf),
            Ok(headers(&sample()).into()),
        ] {
            let expected: Value = expected.expect("JSON");
            assert!(shown.contains(&expected), "{expected:#}");
        }
        assert_eq!(shown.len(), 5);
    }
}

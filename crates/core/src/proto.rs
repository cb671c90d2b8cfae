//! Temporal's `Payload`, as protobuf and as proto3 JSON: `temporal.api.common.v1.Payload`, of which Temporal's own
//! Rust types would bring a runtime, and copy each value.

use ::bytes::{Buf, BufMut, Bytes};
use prost::encoding::{
    DecodeContext, WireType, bytes, encode_key, encode_varint, message, skip_field,
};
use prost::{DecodeError, Message};
use serde::{Deserialize, Serialize};

/// Some bytes, and what they are.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Payload {
    /// How the data are encoded, and what else its reader needs. In the order of their names: the same
    /// payload is the same bytes.
    #[serde(with = "base64_map", skip_serializing_if = "Vec::is_empty")]
    pub metadata: Vec<Metadata>,
    /// The content.
    #[serde(with = "base64", skip_serializing_if = "Bytes::is_empty")]
    pub data: Bytes,
    /// What lies in external storage, if the data are a reference to it.
    #[serde(alias = "external_payloads", skip_serializing_if = "Vec::is_empty")]
    pub external_payloads: Vec<ExternalPayloadDetails>,
}

/// An entry of a payload's metadata. What is known when the program is built needs no memory.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Metadata {
    /// Text.
    #[prost(bytes = "bytes", tag = "1")]
    pub name: Bytes,
    /// What it says.
    #[prost(bytes = "bytes", tag = "2")]
    pub value: Bytes,
}

/// `temporal.api.common.v1.Payload.ExternalPayloadDetails`.
#[derive(Clone, Copy, PartialEq, Eq, Message, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct ExternalPayloadDetails {
    /// Bytes.
    #[prost(int64, tag = "1")]
    #[serde(alias = "size_bytes", with = "int64", skip_serializing_if = "is_zero")]
    pub size_bytes: i64,
}

/// By hand for the data: prost takes a share of them for each time that they are written, which costs more than
/// to write a short payload.
impl Message for Payload {
    fn encode_raw(&self, buffer: &mut impl BufMut) {
        message::encode_repeated(METADATA, &self.metadata, buffer);
        if !self.data.is_empty() {
            encode_key(DATA, WireType::LengthDelimited, buffer);
            encode_varint(self.data.len() as u64, buffer);
            buffer.put_slice(&self.data);
        }
        message::encode_repeated(EXTERNAL, &self.external_payloads, buffer);
    }

    fn merge_field(
        &mut self,
        tag: u32,
        wire_type: WireType,
        buffer: &mut impl Buf,
        context: DecodeContext,
    ) -> Result<(), DecodeError> {
        match tag {
            METADATA => message::merge_repeated(wire_type, &mut self.metadata, buffer, context),
            DATA => bytes::merge(wire_type, &mut self.data, buffer, context),
            EXTERNAL => {
                let external = &mut self.external_payloads;
                message::merge_repeated(wire_type, external, buffer, context)
            }
            _ => skip_field(wire_type, tag, buffer, context),
        }
    }

    fn encoded_len(&self) -> usize {
        let data = if self.data.is_empty() {
            0
        } else {
            bytes::encoded_len(DATA, &self.data)
        };
        message::encoded_len_repeated(METADATA, &self.metadata)
            + data
            + message::encoded_len_repeated(EXTERNAL, &self.external_payloads)
    }

    fn clear(&mut self) {
        *self = Self::default();
    }
}

const METADATA: u32 = 1;
const DATA: u32 = 2;
const EXTERNAL: u32 = 3;

impl Payload {
    /// A payload of this encoding.
    pub fn new(encoding: &'static [u8], data: impl Into<Bytes>) -> Self {
        Self {
            data: data.into(),
            ..Self::default()
        }
        .with(ENCODING, encoding)
    }

    /// The same with this entry among its metadata.
    pub fn with(mut self, name: impl Into<Bytes>, value: impl Into<Bytes>) -> Self {
        let (name, value) = (name.into(), value.into());
        let entry = Metadata { name, value };
        let found = self
            .metadata
            .binary_search_by(|known| known.name.cmp(&entry.name));
        match found {
            Ok(at) => self.metadata[at] = entry,
            Err(at) => self.metadata.insert(at, entry),
        }
        self
    }

    /// What is said under this name; of more, the last.
    pub fn get(&self, name: &str) -> Option<&Bytes> {
        let mut entries = self.metadata.iter().rev();
        let found = entries.find(|entry| *entry.name == *name.as_bytes());
        found.map(|entry| &entry.value)
    }

    /// How the data are encoded; empty if that is not said.
    pub fn encoding(&self) -> &[u8] {
        self.metadata_value(ENCODING)
    }

    /// The type of the message that the data are; empty if they are none.
    pub fn message_type(&self) -> &[u8] {
        self.metadata_value(MESSAGE_TYPE)
    }

    fn metadata_value(&self, name: &str) -> &[u8] {
        self.get(name).map_or(&[], |value| value)
    }
}

/// Bytes as proto3 JSON has them: written in base64, read in either alphabet, padded or not.
mod base64 {
    use bytes::Bytes;
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::base64::{Base64, decode_base64};

    pub(super) fn serialize<S: Serializer>(bytes: &Bytes, to: S) -> Result<S::Ok, S::Error> {
        Base64(bytes).serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Bytes, D::Error> {
        let text = String::deserialize(from)?;
        let bytes = decode_base64(text.as_bytes()).ok_or_else(|| D::Error::custom("no base64"))?;
        Ok(bytes.into())
    }
}

/// A map of them.
mod base64_map {
    use std::collections::BTreeMap;

    use bytes::Bytes;
    use serde::{Deserialize, Deserializer, Serializer};

    use super::Metadata;
    use crate::base64::Base64;

    #[derive(Deserialize)]
    struct Value(#[serde(with = "super::base64")] Bytes);

    pub(super) fn serialize<S: Serializer>(
        metadata: &[Metadata],
        to: S,
    ) -> Result<S::Ok, S::Error> {
        let entries = metadata.iter();
        to.collect_map(entries.map(|it| (String::from_utf8_lossy(&it.name), Base64(&it.value))))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Vec<Metadata>, D::Error> {
        let map = BTreeMap::<String, Value>::deserialize(from)?;
        let entry = |(name, Value(value)): (String, Value)| Metadata {
            name: name.into(),
            value,
        };
        Ok(map.into_iter().map(entry).collect())
    }
}

/// 64 bits as proto3 JSON has them: written as a string, read as one or as a number.
mod int64 {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Number(i64),
        Text(String),
    }

    pub(super) fn serialize<S: Serializer>(number: &i64, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(number)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<i64, D::Error> {
        match Written::deserialize(from)? {
            Written::Number(number) => Ok(number),
            Written::Text(text) => text.parse().map_err(D::Error::custom),
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants it so")]
const fn is_zero(number: &i64) -> bool {
    *number == 0
}

/// The metadata that says how the data are encoded.
const ENCODING: &str = "encoding";
/// The metadata that says which message the data are.
pub(crate) const MESSAGE_TYPE: &str = "messageType";

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn whole() -> Payload {
        Payload {
            external_payloads: vec![ExternalPayloadDetails { size_bytes: 33 }],
            ..Payload::new(b"binary/plain", &b"\xfb\xff"[..]).with(MESSAGE_TYPE, "a.B")
        }
    }

    #[test]
    fn the_bytes_are_those_of_the_protocol_in_the_order_of_the_names() {
        // What Python's google.protobuf writes with SerializeToString(deterministic=True).
        let python = "0a180a08656e636f64696e67120c62696e6172792f706c61696e0a120a0b6d657373616765547970651203612e421202fbff1a020821";
        assert_eq!(hex::encode(whole().encode_to_vec()), python);
        let bytes = Bytes::from(whole().encode_to_vec());
        let read = Payload::decode(bytes.clone()).expect("a payload");
        assert_eq!(read, whole());
        let within = bytes.as_ptr_range();
        assert!(within.contains(&read.data.as_ptr()), "not a copy");
    }

    #[test]
    fn what_its_metadata_are_needs_no_memory_of_its_own() {
        let encoding = b"binary/plain";
        let payload = Payload::new(encoding, Bytes::new());
        assert_eq!(payload.encoding().as_ptr(), encoding.as_ptr());
        assert_eq!(Payload::default().encoding(), b"");
        assert_eq!(whole().message_type(), b"a.B");
    }

    #[test]
    fn the_json_is_proto3_json() {
        let json = json!({
            "metadata": {"encoding": "YmluYXJ5L3BsYWlu", "messageType": "YS5C"},
            "data": "+/8=",
            "externalPayloads": [{"sizeBytes": "33"}],
        });
        assert_eq!(serde_json::to_value(whole()).expect("JSON"), json);
        let read = |text: &str| serde_json::from_str::<Payload>(text).ok();
        assert_eq!(read(&json.to_string()), Some(whole()));
        let other = r#"{"external_payloads":[{"size_bytes":33}],"data":"-_8","metadata":{"messageType":"YS5C","encoding":"YmluYXJ5L3BsYWlu"}}"#;
        assert_eq!(read(other), Some(whole()));
        assert_eq!(read("{}"), Some(Payload::default()));
        assert_eq!(
            serde_json::to_string(&Payload::default()).ok().as_deref(),
            Some("{}")
        );
        for broken in [
            r#"{"data":"YQ==","data":"YQ=="}"#,
            r#"{"data":"a"}"#,
            r#"{"data":[97]}"#,
            r#"{"later":1}"#,
            r#"{"metadata":{"encoding":1}}"#,
            r#"{"externalPayloads":[{"sizeBytes":"x"}]}"#,
            r#"{"externalPayloads":[{"sizeBytes":1.5}]}"#,
            r#"{"externalPayloads":[{"later":1}]}"#,
        ] {
            assert_eq!(read(broken), None, "{broken}");
        }
    }
}

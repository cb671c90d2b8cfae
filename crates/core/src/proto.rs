//! Temporal's `Payload`, as protobuf and as proto3 JSON: `temporal.api.common.v1.Payload`, of which Temporal's own
//! Rust types would bring a runtime, and copy each value.

use std::collections::BTreeMap;

use bytes::Bytes;
use prost::Message;
use serde::{Deserialize, Serialize};

/// Some bytes, and what they are. Ordered metadata: the same payload is the same bytes.
#[derive(Clone, PartialEq, Eq, Message, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Payload {
    /// How the data are encoded, and what else its reader needs.
    #[prost(btree_map = "string, bytes", tag = "1")]
    #[serde(with = "base64_map", skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, Bytes>,
    /// The content.
    #[prost(bytes = "bytes", tag = "2")]
    #[serde(with = "base64", skip_serializing_if = "Bytes::is_empty")]
    pub data: Bytes,
    /// What lies in external storage, if the data are a reference to it.
    #[prost(message, repeated, tag = "3")]
    #[serde(alias = "external_payloads", skip_serializing_if = "Vec::is_empty")]
    pub external_payloads: Vec<ExternalPayloadDetails>,
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
    pub fn with(mut self, name: &str, value: impl Into<Bytes>) -> Self {
        self.metadata.insert(name.to_owned(), value.into());
        self
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
        self.metadata.get(name).map_or(&[], |value| value)
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

    use crate::base64::Base64;

    #[derive(Deserialize)]
    struct Value(#[serde(with = "super::base64")] Bytes);

    pub(super) fn serialize<S: Serializer>(
        map: &BTreeMap<String, Bytes>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        to.collect_map(map.iter().map(|(name, value)| (name, Base64(value))))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<BTreeMap<String, Bytes>, D::Error> {
        let map = BTreeMap::<String, Value>::deserialize(from)?;
        Ok(map
            .into_iter()
            .map(|(name, value)| (name, value.0))
            .collect())
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

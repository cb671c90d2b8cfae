//! What the worker gets, read without losing a byte.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// The workflow's argument in the default format.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Envelope {
    pub(crate) headers: BTreeMap<String, String>,
    #[serde(default, deserialize_with = "some")]
    data: Option<Box<RawValue>>,
    data_base64: Option<String>,
}

impl Envelope {
    pub(crate) fn read(json: &[u8]) -> Self {
        serde_json::from_slice(json)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(json)))
    }

    /// `data` exactly as it stands there.
    pub(crate) fn data(&self) -> &str {
        assert_eq!(self.data_base64, None, "either or");
        self.data.as_ref().expect("data").get()
    }

    pub(crate) fn data_base64(&self) -> &str {
        assert!(self.data.is_none(), "either or");
        self.data_base64.as_deref().expect("data_base64")
    }
}

/// JSON's `null` is data, too.
fn some<'de, D: Deserializer<'de>>(data: D) -> Result<Option<Box<RawValue>>, D::Error> {
    Deserialize::deserialize(data).map(Some)
}

//! What happens to a payload between its format and Temporal: plain -> zlib -> encrypted; and the
//! way back, in whatever order. Exactly the forms of Temporal's own codecs, so that a worker in
//! any language reads them with the SDK's or the sample's code:
//!
//! - zlib: metadata `encoding: binary/zlib`, data = zlib(serialized payload);
//! - encrypted: metadata `encoding: binary/encrypted` and `encryption-key-id`, data = 12-byte
//!   nonce || AES-GCM(serialized payload), no associated data.

pub mod key;
pub mod remote;
mod zlib;

use bytes::Bytes;
use prost::Message;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use self::key::{KEY_ID, Key, NONCE, SEALED};
use super::proto::Payload;

/// Encodes with the first of its keys, decodes with any; without keys it encrypts nothing.
#[derive(Debug, Clone, Default)]
pub struct Codec {
    keys: Vec<Key>,
}

/// Whether a payload is made smaller.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Compression {
    /// It is left as it is.
    #[default]
    None,
    /// As by Temporal's zlib codec for Go: only if that makes it smaller.
    Zlib,
}

/// Why a payload cannot be decoded. None of the texts has anything of what is in it.
#[derive(Debug, Clone, Error, PartialEq, Eq)]
pub enum CodecError {
    /// It does not say which key.
    #[error("the payload is encrypted, but its metadata has no encryption-key-id")]
    NoKeyId,
    /// None of the keys has the id.
    #[error("the payload is encrypted with key {0:?}, and there is no key of that id")]
    UnknownKey(String),
    /// It was changed, or the key of that id has other bytes.
    #[error("the payload does not decrypt with key {0:?}")]
    Broken(String),
    /// The compressed data are damaged.
    #[error("the payload says binary/zlib, but is no zlib stream")]
    NotZlib,
    /// What was encrypted or compressed was not a payload.
    #[error("what is inside the payload is no payload")]
    NoPayload,
    /// More than a bomb gets.
    #[error("the payload is larger than 64 MiB when it is inflated")]
    TooLarge,
    /// More layers than anybody makes.
    #[error("the payload is encrypted or compressed more than 4 times over")]
    TooDeep,
}

impl CodecError {
    /// Whether it is somebody else's: encrypted with a key that was never ours.
    pub const fn is_unknown_key(&self) -> bool {
        matches!(self, Self::NoKeyId | Self::UnknownKey(_))
    }
}

impl Codec {
    /// A codec with these keys, each of another id; the first encrypts.
    pub const fn new(keys: Vec<Key>) -> Self {
        Self { keys }
    }

    /// All keys, the one that encrypts first.
    pub fn keys(&self) -> &[Key] {
        &self.keys
    }

    /// Plain -> zlib -> encrypted. The nonce must be random; it is drawn only if there is a key.
    pub fn encode(
        &self,
        payload: Payload,
        compression: Compression,
        nonce: impl FnOnce() -> [u8; NONCE],
    ) -> Payload {
        let payload = match compression {
            Compression::None => payload,
            Compression::Zlib => compress(payload),
        };
        match self.keys.first() {
            Some(key) => key.seal(&payload, nonce()),
            None => payload,
        }
    }

    /// Undoes encryption and compression, in whatever order; any other payload is returned as it
    /// is.
    ///
    /// # Errors
    /// See [`CodecError`].
    pub fn decode(&self, payload: Payload) -> Result<Payload, CodecError> {
        let inner = self.decode_layers(&payload, &mut { INFLATED_LIMIT })?;
        Ok(inner.unwrap_or(payload))
    }

    /// Each of them decoded, or as it came with what is wrong. They share one limit of inflated
    /// bytes: after one that exceeds it none is inflated.
    pub fn decode_each(&self, payloads: Vec<Payload>) -> Vec<(Payload, Option<CodecError>)> {
        let mut budget = INFLATED_LIMIT;
        let each =
            payloads
                .into_iter()
                .map(|payload| match self.decode_layers(&payload, &mut budget) {
                    Ok(inner) => (inner.unwrap_or(payload), None),
                    Err(error) => {
                        if error == CodecError::TooLarge {
                            budget = 0;
                        }
                        (payload, Some(error))
                    }
                });
        each.collect()
    }

    /// What is inside all layers; `None` if there is none.
    fn decode_layers(
        &self,
        payload: &Payload,
        budget: &mut usize,
    ) -> Result<Option<Payload>, CodecError> {
        let Some(mut inner) = self.decode_layer(payload, budget)? else {
            return Ok(None);
        };
        for _ in 1..MAX_LAYERS {
            match self.decode_layer(&inner, budget)? {
                Some(next) => inner = next,
                None => return Ok(Some(inner)),
            }
        }
        match inner.encoding() {
            SEALED | ZLIB => Err(CodecError::TooDeep),
            _ => Ok(Some(inner)),
        }
    }

    /// Undoes one layer; `None` if there is none.
    fn decode_layer(
        &self,
        payload: &Payload,
        budget: &mut usize,
    ) -> Result<Option<Payload>, CodecError> {
        let bytes = match payload.encoding() {
            SEALED => self.decrypt(payload)?,
            ZLIB => {
                let bytes = zlib::inflate(&payload.data, *budget)?;
                *budget -= bytes.len();
                bytes
            }
            _ => return Ok(None),
        };
        let inner = Payload::decode(Bytes::from(bytes)).map_err(|_| CodecError::NoPayload)?;
        Ok(Some(inner))
    }

    fn decrypt(&self, payload: &Payload) -> Result<Vec<u8>, CodecError> {
        let id = payload.get(KEY_ID).ok_or(CodecError::NoKeyId)?;
        let shown = || {
            let id = String::from_utf8_lossy(id);
            id.chars().take(MAX_SHOWN_ID).collect::<String>()
        };
        let mut keys = self.keys.iter();
        let key = keys
            .find(|key| key.id().as_bytes() == id)
            .ok_or_else(|| CodecError::UnknownKey(shown()))?;
        key.open(&payload.data)
            .ok_or_else(|| CodecError::Broken(shown()))
    }
}

fn compress(payload: Payload) -> Payload {
    let plain = payload.encode_to_vec();
    let data = zlib::deflate(&plain);
    if data.len() >= plain.len() {
        return payload;
    }
    Payload::new(ZLIB, data)
}

const ZLIB: &[u8] = b"binary/zlib";
/// Encrypted, compressed, and both once more.
const MAX_LAYERS: usize = 4;
/// More than the largest body of a source, in bytes.
const INFLATED_LIMIT: usize = 64 * 1024 * 1024;
/// Of an unknown id, in characters: somebody else chose it.
const MAX_SHOWN_ID: usize = 64;

#[cfg(test)]
mod tests;

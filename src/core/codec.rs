//! Payload encryption exactly as Temporal's sample codecs do it, so that a worker in any language
//! reads it with the sample's code: metadata `encoding: binary/encrypted` and
//! `encryption-key-id`, data = 12-byte nonce || AES-GCM(serialized payload), no associated data.

use aes_gcm::aead::consts::U12;
use aes_gcm::aead::{Aead, KeyInit};
use aes_gcm::aes::Aes192;
use aes_gcm::{Aes128Gcm, Aes256Gcm, AesGcm, Nonce};
use prost::Message;
use temporalio_common::protos::temporal::api::common::v1::Payload;
use thiserror::Error;

use super::config::secret::Secret;

/// A payload key: 16, 24 or 32 bytes, and the id under which workers know it.
#[derive(Debug, Clone)]
pub struct Key {
    id: String,
    bytes: Secret,
}

/// What is wrong with a key, or with a payload to open.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum CodecError {
    /// The key's text is not hex.
    #[error("not hex: expected 32, 48 or 64 digits 0-9 a-f (16, 24 or 32 bytes)")]
    NotHex,
    /// The key has another length.
    #[error("{0} bytes long: expected 16, 24 or 32 bytes (32, 48 or 64 hex digits)")]
    Length(usize),
    /// The key's id is empty.
    #[error("the key's id is empty")]
    NoId,
    /// The payload is not sealed.
    #[error("the payload is not encrypted")]
    NotSealed,
    /// The payload was sealed with a key of another id.
    #[error("the payload was encrypted with key {0:?}")]
    OtherKey(String),
    /// The payload was changed, or the key of this id has other bytes.
    #[error("the payload does not decrypt with this key")]
    Broken,
}

impl Key {
    /// A key from its hex digits.
    pub fn from_hex(id: &str, digits: &str) -> Result<Self, CodecError> {
        let bytes = hex::decode(digits).map_err(|_| CodecError::NotHex)?;
        let length = bytes.len();
        match (length, Secret::new(bytes)) {
            (16 | 24 | 32, Some(_)) if id.is_empty() => Err(CodecError::NoId),
            (16 | 24 | 32, Some(bytes)) => Ok(Self {
                id: id.to_owned(),
                bytes,
            }),
            _ => Err(CodecError::Length(length)),
        }
    }

    /// The id under which workers know it.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Encrypts a payload. The nonce must be random and never used again with this key.
    pub fn seal(&self, payload: &Payload, nonce: [u8; 12]) -> Payload {
        let plain = payload.encode_to_vec();
        let sealed = self
            .with_cipher(|cipher| cipher.encrypt(&nonce, &plain))
            .expect("a payload is far below the 64 GiB that AES-GCM can take");
        Payload {
            metadata: [
                ("encoding".to_owned(), SEALED.to_vec()),
                (KEY_ID.to_owned(), self.id.clone().into_bytes()),
            ]
            .into(),
            data: [&nonce[..], &sealed].concat(),
            external_payloads: Vec::new(),
        }
    }

    /// Decrypts a payload that [`Key::seal`], or any of Temporal's sample codecs, made.
    pub fn open(&self, sealed: &Payload) -> Result<Payload, CodecError> {
        if sealed.metadata.get("encoding").map(Vec::as_slice) != Some(SEALED) {
            return Err(CodecError::NotSealed);
        }
        match sealed.metadata.get(KEY_ID) {
            Some(id) if id == self.id.as_bytes() => {}
            other => {
                let id = other.map(|id| String::from_utf8_lossy(id).into_owned());
                return Err(CodecError::OtherKey(id.unwrap_or_default()));
            }
        }
        let (nonce, data) = sealed.data.split_first_chunk().ok_or(CodecError::Broken)?;
        let plain = self
            .with_cipher(|cipher| cipher.decrypt(nonce, data))
            .ok_or(CodecError::Broken)?;
        Payload::decode(plain.as_slice()).map_err(|_| CodecError::Broken)
    }

    fn with_cipher<R>(&self, use_it: impl FnOnce(&dyn Cipher) -> Option<R>) -> Option<R> {
        let key = self.bytes.reveal();
        match key.len() {
            16 => use_it(&Aes128Gcm::new_from_slice(key).ok()?),
            24 => use_it(&AesGcm::<Aes192, U12>::new_from_slice(key).ok()?),
            _ => use_it(&Aes256Gcm::new_from_slice(key).ok()?),
        }
    }
}

/// AES-GCM with a 12-byte nonce, of any key length.
trait Cipher {
    fn encrypt(&self, nonce: &[u8; 12], plain: &[u8]) -> Option<Vec<u8>>;
    fn decrypt(&self, nonce: &[u8; 12], sealed: &[u8]) -> Option<Vec<u8>>;
}

impl<C: Aead<NonceSize = U12>> Cipher for C {
    fn encrypt(&self, nonce: &[u8; 12], plain: &[u8]) -> Option<Vec<u8>> {
        Aead::encrypt(self, &Nonce::from(*nonce), plain).ok()
    }

    fn decrypt(&self, nonce: &[u8; 12], sealed: &[u8]) -> Option<Vec<u8>> {
        Aead::decrypt(self, &Nonce::from(*nonce), sealed).ok()
    }
}

const SEALED: &[u8] = b"binary/encrypted";
const KEY_ID: &str = "encryption-key-id";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::payload;

    #[test]
    fn what_is_sealed_opens_with_every_key_length() {
        let payload = payload::text("hello");
        for bytes in [16, 24, 32] {
            let key = Key::from_hex("k", &"0a".repeat(bytes)).expect("a key");
            let sealed = key.seal(&payload, [7; 12]);
            assert_eq!(sealed.metadata["encoding"], SEALED);
            assert_eq!(sealed.metadata["encryption-key-id"], b"k");
            assert_eq!(sealed.data[..12], [7; 12]);
            assert_eq!(sealed.data.len(), 12 + payload.encoded_len() + 16);
            assert_eq!(key.open(&sealed), Ok(payload.clone()));
        }
    }

    #[test]
    fn the_form_is_that_of_an_independent_implementation() {
        // Python's cryptography: AESGCM(bytes(16)).encrypt(bytes(12), Payload(...), None)
        let key = Key::from_hex("k", &"00".repeat(16)).expect("a key");
        let sealed = key.seal(&payload::text("a"), [0; 12]);
        assert_eq!(hex::encode(&sealed.data[12..]), PYTHON);
    }

    const PYTHON: &str = "099ed0c605d8c0fd9741acde63b8940b98fb85db252a304de5feab9eb6bc223c56413d2fa515c8c5f061074938";

    #[test]
    fn a_changed_byte_another_key_and_plain_payloads_are_refused() {
        let key = Key::from_hex("k", &"0a".repeat(32)).expect("a key");
        let mut sealed = key.seal(&payload::text("hello"), [7; 12]);
        let same_id = Key::from_hex("k", &"0b".repeat(32)).expect("a key");
        assert_eq!(same_id.open(&sealed), Err(CodecError::Broken));
        let other_id = Key::from_hex("j", &"0a".repeat(32)).expect("a key");
        assert_eq!(
            other_id.open(&sealed),
            Err(CodecError::OtherKey("k".into()))
        );
        sealed.data[13] ^= 1;
        assert_eq!(key.open(&sealed), Err(CodecError::Broken));
        sealed.data.truncate(5);
        assert_eq!(key.open(&sealed), Err(CodecError::Broken));
        assert_eq!(key.open(&payload::text("x")), Err(CodecError::NotSealed));
    }

    #[test]
    fn keys_say_what_they_accept() {
        assert_eq!(Key::from_hex("k", "zz").map(drop), Err(CodecError::NotHex));
        assert_eq!(
            Key::from_hex("k", "00").map(drop),
            Err(CodecError::Length(1))
        );
        assert_eq!(Key::from_hex("k", "").map(drop), Err(CodecError::Length(0)));
        let shown = format!("{:?}", Key::from_hex("k", &"ab".repeat(16)));
        assert!(!shown.contains("ab") && !shown.contains("171"), "{shown}");
    }
}

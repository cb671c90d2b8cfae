//! A payload key: AES-GCM in the form of Temporal's sample codecs.

use aes_gcm::aead::consts::U12;
use aes_gcm::aead::{Aead, KeyInit};
use aes_gcm::aes::Aes192;
use aes_gcm::{Aes128Gcm, Aes256Gcm, AesGcm, Nonce};
use bytes::Bytes;
use prost::Message;
use thiserror::Error;

use crate::proto::Payload;
use crate::secret::Secret;

/// A payload key: 16, 24 or 32 bytes, and the id under which workers know it.
#[derive(Debug, Clone)]
pub struct Key {
    /// Text; shared with the metadata of what it seals.
    id: Bytes,
    bytes: Secret,
}

/// What is wrong with a key.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum KeyError {
    /// The key's text is not hex.
    #[error("not hex: expected 32, 48 or 64 digits 0-9 a-f (16, 24 or 32 bytes)")]
    NotHex,
    /// The key has another length.
    #[error("{0} bytes long: expected 16, 24 or 32 bytes (32, 48 or 64 hex digits)")]
    Length(usize),
    /// The key's id is empty.
    #[error("the key's id is empty")]
    NoId,
}

impl Key {
    /// A key from its hex digits.
    ///
    /// # Errors
    /// See [`KeyError`].
    pub fn from_hex(id: &str, digits: &str) -> Result<Self, KeyError> {
        let bytes = hex::decode(digits).map_err(|_| KeyError::NotHex)?;
        let length = bytes.len();
        match (length, Secret::new(bytes)) {
            (16 | 24 | 32, Some(_)) if id.is_empty() => Err(KeyError::NoId),
            (16 | 24 | 32, Some(bytes)) => Ok(Self {
                id: Bytes::copy_from_slice(id.as_bytes()),
                bytes,
            }),
            _ => Err(KeyError::Length(length)),
        }
    }

    /// The id under which workers know it.
    pub fn id(&self) -> &str {
        str::from_utf8(&self.id).expect("it is made of text")
    }

    /// Its bytes.
    pub const fn secret(&self) -> &Secret {
        &self.bytes
    }

    /// Encrypts a payload. The nonce must be random and never used again with this key.
    pub fn seal(&self, payload: &Payload, nonce: [u8; 12]) -> Payload {
        let plain = payload.encode_to_vec();
        let sealed = self
            .with_cipher(|cipher| cipher.encrypt(&nonce, &plain))
            .expect("a payload is far below the 64 GiB that AES-GCM can take");
        Payload::new(SEALED, [&nonce[..], &sealed].concat()).with(KEY_ID, self.id.clone())
    }

    /// Decrypts a sealed payload's data; `None` if it was changed or sealed with other bytes.
    pub(super) fn open(&self, data: &[u8]) -> Option<Vec<u8>> {
        let (nonce, sealed) = data.split_first_chunk()?;
        self.with_cipher(|cipher| cipher.decrypt(nonce, sealed))
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

/// The encoding of an encrypted payload.
pub(super) const SEALED: &[u8] = b"binary/encrypted";
/// The metadata that names its key.
pub(super) const KEY_ID: &str = "encryption-key-id";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload;

    #[test]
    fn what_is_sealed_opens_with_every_key_length() {
        let payload = payload::text("hello");
        for bytes in [16, 24, 32] {
            let key = Key::from_hex("k", &"0a".repeat(bytes)).expect("a key");
            let sealed = key.seal(&payload, [7; 12]);
            assert_eq!(sealed.metadata["encoding"], SEALED);
            assert_eq!(sealed.metadata["encryption-key-id"], "k");
            assert_eq!(sealed.data[..12], [7; 12]);
            assert_eq!(sealed.data.len(), 12 + payload.encoded_len() + 16);
            assert_eq!(key.open(&sealed.data), Some(payload.encode_to_vec()));
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
    fn keys_say_what_they_accept() {
        assert_eq!(Key::from_hex("k", "zz").map(drop), Err(KeyError::NotHex));
        assert_eq!(Key::from_hex("k", "00").map(drop), Err(KeyError::Length(1)));
        assert_eq!(Key::from_hex("k", "").map(drop), Err(KeyError::Length(0)));
        let no_id = Key::from_hex("", &"ab".repeat(16));
        assert_eq!(no_id.map(drop), Err(KeyError::NoId));
        let shown = format!("{:?}", Key::from_hex("k", &"ab".repeat(16)));
        assert!(!shown.contains("ab") && !shown.contains("171"), "{shown}");
    }
}

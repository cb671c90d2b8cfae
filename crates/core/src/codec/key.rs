//! A payload key: AES-GCM in the form of Temporal's sample codecs.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::aead::{AES_128_GCM, AES_192_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use bytes::Bytes;
use prost::Message;
use thiserror::Error;

use crate::proto::Payload;
use crate::secret::Secret;

/// A payload key: 16, 24 or 32 bytes, and the id under which workers know it.
#[derive(Clone)]
pub struct Key {
    /// Text; shared with the metadata of what it seals.
    id: Bytes,
    bytes: Secret,
    /// Made of the bytes once: its key schedule takes as long as a short payload.
    cipher: Arc<LessSafeKey>,
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
        let Some((bytes, cipher)) = Secret::new(bytes).and_then(with_cipher) else {
            return Err(KeyError::Length(length));
        };
        if id.is_empty() {
            return Err(KeyError::NoId);
        }
        Ok(Self {
            id: Bytes::copy_from_slice(id.as_bytes()),
            bytes,
            cipher,
        })
    }

    /// The id under which workers know it.
    pub fn id(&self) -> &str {
        str::from_utf8(&self.id).expect("it is made of text")
    }

    /// Its bytes.
    pub const fn secret(&self) -> &Secret {
        &self.bytes
    }

    /// Encrypts a payload, in the one buffer that it is written to. The nonce must be random and never
    /// used again with this key.
    pub fn seal(&self, payload: &Payload, nonce: [u8; NONCE]) -> Payload {
        let mut data = Vec::with_capacity(NONCE + payload.encoded_len() + TAG);
        data.extend_from_slice(&nonce);
        payload.encode_raw(&mut data);
        let nonce = Nonce::assume_unique_for_key(nonce);
        let tag = self
            .cipher
            .seal_in_place_separate_tag(nonce, Aad::empty(), &mut data[NONCE..])
            .expect("a payload is far below the 64 GiB that AES-GCM can take");
        data.extend_from_slice(tag.as_ref());
        Payload::new(SEALED, data).with(KEY_ID, self.id.clone())
    }

    /// Decrypts a sealed payload's data; `None` if it was changed or sealed with other bytes.
    pub(super) fn open(&self, data: &[u8]) -> Option<Vec<u8>> {
        let (nonce, sealed) = data.split_first_chunk()?;
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let mut opened = sealed.to_vec();
        let plain = self.cipher.open_in_place(nonce, Aad::empty(), &mut opened);
        let length = plain.ok()?.len();
        opened.truncate(length);
        Some(opened)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// `None`: they are none of a key's length.
fn with_cipher(bytes: Secret) -> Option<(Secret, Arc<LessSafeKey>)> {
    let key = bytes.reveal();
    let algorithm = match key.len() {
        16 => &AES_128_GCM,
        24 => &AES_192_GCM,
        32 => &AES_256_GCM,
        _ => return None,
    };
    let cipher = LessSafeKey::new(UnboundKey::new(algorithm, key).ok()?);
    Some((bytes, Arc::new(cipher)))
}

/// Bytes of a nonce.
pub const NONCE: usize = 12;
/// Bytes of a tag.
const TAG: usize = 16;
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
            assert_eq!(*sealed.get("encoding").expect("it says so"), SEALED);
            assert_eq!(*sealed.get("encryption-key-id").expect("it says so"), "k");
            assert_eq!(sealed.data[..12], [7; 12]);
            assert_eq!(sealed.data.len(), 12 + payload.encoded_len() + 16);
            assert_eq!(key.open(&sealed.data), Some(payload.encode_to_vec()));
        }
    }

    #[test]
    fn the_form_is_that_of_an_independent_implementation() {
        // Python's cryptography: AESGCM(bytes(length)).encrypt(bytes(12), Payload(...), None)
        for (length, python) in PYTHON {
            let key = Key::from_hex("k", &"00".repeat(length)).expect("a key");
            let sealed = key.seal(&payload::text("a"), [0; 12]);
            assert_eq!(hex::encode(&sealed.data[12..]), python, "{length}");
        }
    }

    const PYTHON: [(usize, &str); 3] = [
        (
            16,
            "099ed0c605d8c0fd9741acde63b8940b98fb85db252a304de5feab9eb6bc223c56413d2fa515c8c5f061074938",
        ),
        (
            24,
            "92f12e74629e9d2e784f102496ba9c73455abc960e548709ccefef4e19f1ddddebf9f1192a29124cc7c7781c1b",
        ),
        (
            32,
            "c4b14a35280e08016327abb4a8f9f76b1d0e2cba5bc7431ac3a1d7ef5719e436b1ee02222d972cbee234dfc65d",
        ),
    ];

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

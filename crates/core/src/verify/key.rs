//! Secrets as keys: what the operator gave, decoded once, and the check itself in constant time.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::{hmac, signature};
use serde::Deserialize;
use x509_parser::prelude::FromDer;

use super::signed::Rendered;
use crate::base64::decode_base64;
use crate::provider::scheme::{Algorithm, SecretForm};
use crate::secret::Secret;

/// What checks a signature.
#[derive(Debug, Clone)]
pub enum Key {
    /// Shared with the sender: HMAC keys and tokens.
    Shared(Secret),
    /// The sender's public key, DER or raw.
    Public(Vec<u8>),
    /// The sender's public keys by their id.
    Set(Vec<(String, RsaKey)>),
}

/// An RSA public key of a JSON Web Key Set: modulus and exponent, big endian.
#[derive(Debug, Clone)]
pub struct RsaKey {
    n: Vec<u8>,
    e: Vec<u8>,
}

impl Key {
    /// The key that a secret's text stands for under a scheme.
    ///
    /// # Errors
    /// What was expected.
    pub fn new(form: SecretForm, secret: &Secret) -> Result<Self, &'static str> {
        match form {
            SecretForm::Text => Ok(Self::Shared(secret.clone())),
            SecretForm::Base64 => {
                let text = secret.reveal();
                // A public key's text may read as base64, and then everybody would know the key.
                let foreign = ASYMMETRIC.iter().any(|prefix| text.starts_with(prefix));
                let text = text.strip_prefix(b"whsec_").unwrap_or(text);
                let bytes = decode_base64(text).and_then(Secret::new);
                bytes
                    .filter(|_| !foreign)
                    .map(Self::Shared)
                    .ok_or("expected base64, as in whsec_…")
            }
            SecretForm::Hex => hex::decode(secret.reveal())
                .ok()
                .filter(|bytes| bytes.len() == ED25519_BYTES)
                .map(Self::Public)
                .ok_or("expected 64 hex digits: the sender's Ed25519 public key"),
            SecretForm::Whpk => secret
                .reveal()
                .strip_prefix(b"whpk_")
                .and_then(decode_base64)
                .filter(|bytes| bytes.len() == ED25519_BYTES)
                .map(Self::Public)
                .ok_or("expected whpk_ and the base64 of an Ed25519 public key"),
            SecretForm::Pem => public_key(secret.reveal())
                .map(Self::Public)
                .ok_or("expected a public key or certificate: PEM, or base64 of its DER"),
            SecretForm::Jwks => jwks(secret.reveal())
                .map(Self::Set)
                .ok_or("expected a JSON Web Key Set with RSA keys"),
        }
    }

    /// Whether this is the key of that id, as far as keys have ids.
    pub fn has(&self, key_id: Option<&str>) -> bool {
        match self {
            Self::Shared(_) | Self::Public(_) => true,
            Self::Set(keys) => keys.iter().any(|(id, _)| Some(id.as_str()) == key_id),
        }
    }

    /// Whether one of `claimed` is the signature of `signed` (for a token: the secret itself). A
    /// shared key reads `signed` once, however many signatures are claimed.
    pub fn verifies(
        &self,
        algorithm: Algorithm,
        key_id: Option<&str>,
        signed: &Rendered<'_>,
        claimed: &[Vec<u8>],
    ) -> bool {
        let any = |check: &dyn Fn(&[u8], &[u8]) -> bool| {
            let signed = signed.whole();
            claimed.iter().any(|claimed| check(&signed, claimed))
        };
        match self {
            Self::Shared(secret) => shared(algorithm, secret.reveal(), signed, claimed),
            Self::Public(key) => any(&|signed, claimed| public(algorithm, key, signed, claimed)),
            Self::Set(keys) => keys
                .iter()
                .filter(|(id, _)| Some(id.as_str()) == key_id)
                .any(|(_, key)| any(&|signed, claimed| key.verifies(signed, claimed))),
        }
    }

    /// The signature that a sender who shares this key would send; `None` for a public key.
    pub fn sign(&self, algorithm: Algorithm, signed: &[u8]) -> Option<Vec<u8>> {
        let Self::Shared(secret) = self else {
            return None;
        };
        let hmac = |algorithm| {
            hmac::sign(&hmac::Key::new(algorithm, secret.reveal()), signed)
                .as_ref()
                .to_vec()
        };
        Some(match algorithm {
            Algorithm::HmacSha1 => hmac(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY),
            Algorithm::HmacSha256 => hmac(hmac::HMAC_SHA256),
            Algorithm::HmacSha512 => hmac(hmac::HMAC_SHA512),
            Algorithm::Token => secret.reveal().to_vec(),
            Algorithm::RsaSha1
            | Algorithm::RsaSha256
            | Algorithm::EcdsaP256Sha256
            | Algorithm::Ed25519 => return None,
        })
    }
}

impl RsaKey {
    fn verifies(&self, signed: &[u8], claimed: &[u8]) -> bool {
        signature::RsaPublicKeyComponents {
            n: &self.n,
            e: &self.e,
        }
        .verify(&signature::RSA_PKCS1_2048_8192_SHA256, signed, claimed)
        .is_ok()
    }
}

/// One MAC, compared with each claim: it takes the same time wherever the first difference is, and
/// whichever claim is right.
fn shared(algorithm: Algorithm, secret: &[u8], signed: &Rendered<'_>, claimed: &[Vec<u8>]) -> bool {
    let is_claimed = |actual: &[u8]| {
        let is = |claim: &Vec<u8>| verify_slices_are_equal(actual, claim).is_ok();
        claimed.iter().fold(false, |any, claim| any | is(claim))
    };
    let hmac = |algorithm| {
        #[cfg(test)]
        MACS.with(|made| made.set(made.get() + 1));
        let mut context = hmac::Context::with_key(&hmac::Key::new(algorithm, secret));
        signed.parts().for_each(|part| context.update(part));
        is_claimed(context.sign().as_ref())
    };
    match algorithm {
        Algorithm::HmacSha1 => hmac(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY),
        Algorithm::HmacSha256 => hmac(hmac::HMAC_SHA256),
        Algorithm::HmacSha512 => hmac(hmac::HMAC_SHA512),
        Algorithm::Token => is_claimed(secret),
        Algorithm::RsaSha1
        | Algorithm::RsaSha256
        | Algorithm::EcdsaP256Sha256
        | Algorithm::Ed25519 => false,
    }
}

fn public(algorithm: Algorithm, key: &[u8], signed: &[u8], claimed: &[u8]) -> bool {
    let check: &'static dyn signature::VerificationAlgorithm = match algorithm {
        Algorithm::RsaSha1 => &signature::RSA_PKCS1_1024_8192_SHA1_FOR_LEGACY_USE_ONLY,
        Algorithm::RsaSha256 => &signature::RSA_PKCS1_2048_8192_SHA256,
        Algorithm::EcdsaP256Sha256 => &signature::ECDSA_P256_SHA256_ASN1,
        Algorithm::Ed25519 => &signature::ED25519,
        Algorithm::HmacSha1 | Algorithm::HmacSha256 | Algorithm::HmacSha512 | Algorithm::Token => {
            return false;
        }
    };
    signature::UnparsedPublicKey::new(check, key)
        .verify(signed, claimed)
        .is_ok()
}

/// The key of a PEM public key or certificate, or of the same as bare base64.
pub fn public_key(text: &[u8]) -> Option<Vec<u8>> {
    let der = match x509_parser::pem::parse_x509_pem(text) {
        Ok((_, pem)) => pem.contents,
        Err(_) => decode_base64(text.trim_ascii())?,
    };
    if let Ok((_, certificate)) = x509_parser::parse_x509_certificate(&der) {
        return Some(certificate.public_key().raw.to_vec());
    }
    let (_, info) = x509_parser::x509::SubjectPublicKeyInfo::from_der(&der).ok()?;
    Some(info.raw.to_vec())
}

fn jwks(text: &[u8]) -> Option<Vec<(String, RsaKey)>> {
    let set: JwkSet = serde_json::from_slice(text).ok()?;
    let keys = set
        .keys
        .into_iter()
        .filter(|key| key.kty == "RSA")
        .map(|key| {
            let (n, e) = (
                decode_base64(key.n.as_bytes())?,
                decode_base64(key.e.as_bytes())?,
            );
            Some((key.kid, RsaKey { n, e }))
        });
    keys.collect::<Option<Vec<_>>>()
        .filter(|keys| !keys.is_empty())
}

#[derive(Deserialize)]
struct JwkSet {
    keys: Vec<Jwk>,
}

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    #[serde(default)]
    kid: String,
    #[serde(default)]
    n: String,
    #[serde(default)]
    e: String,
}

/// How Standard Webhooks mark public and private keys.
const ASYMMETRIC: [&[u8]; 2] = [b"whpk_", b"whsk_"];
const ED25519_BYTES: usize = 32;

#[cfg(test)]
thread_local! {
    /// How many MACs were made: each reads the whole body.
    pub(super) static MACS: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

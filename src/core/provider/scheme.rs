//! How a sender signs, in the words of its file: where the signature is, what is signed, how.

use std::time::Duration;

use serde::Deserialize;

use super::locator::Locator;
use crate::core::verify::signed::Signed;

/// One way in which a sender signs; a sender may have several.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scheme {
    /// Where the signature is: the first that is there counts.
    #[serde(rename = "in")]
    pub locations: Vec<Locator>,
    /// How it is written there.
    #[serde(default)]
    pub format: Format,
    /// With the format `plain`: stands before the signature, as in `sha256=…`.
    #[serde(default)]
    pub prefix: String,
    /// What computes it.
    #[serde(default)]
    pub algorithm: Algorithm,
    /// How its bytes are written.
    #[serde(default)]
    pub encoding: Encoding,
    /// What is signed.
    #[serde(default)]
    pub signed: Signed,
    /// The place of the body's hex SHA-256, if only that is signed.
    pub body_sha256: Option<Locator>,
    /// When it was signed, if the sender says.
    pub timestamp: Option<Timestamp>,
    /// How a secret's text becomes a key.
    #[serde(default)]
    pub secret: SecretForm,
    /// Where the request names the key, if there is a set of them.
    pub key_id: Option<Locator>,
}

/// How signatures are written in their place.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// The signature alone, after the prefix.
    #[default]
    Plain,
    /// `t=…,v1=…,v1=…`: the values of a key.
    Kv {
        /// Between the pairs.
        separator: char,
        /// The signatures' key.
        key: String,
    },
    /// `v1,… v1,…`: what follows a tag.
    List {
        /// Before the comma.
        tag: String,
    },
}

/// What computes a signature.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Algorithm {
    /// HMAC with SHA-1.
    HmacSha1,
    /// HMAC with SHA-256.
    #[default]
    HmacSha256,
    /// HMAC with SHA-512.
    HmacSha512,
    /// RSA PKCS#1 v1.5 with SHA-1: only for what signs in no other way.
    RsaSha1,
    /// RSA PKCS#1 v1.5 with SHA-256.
    RsaSha256,
    /// ECDSA on P-256 with SHA-256, DER.
    EcdsaP256Sha256,
    /// Ed25519.
    Ed25519,
    /// No signature: the secret itself.
    Token,
}

/// How a signature's bytes are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Encoding {
    /// Either case.
    #[default]
    Hex,
    /// Either alphabet, padding optional.
    Base64,
    /// As it stands; for tokens.
    Text,
}

/// When a request was signed.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Timestamp {
    /// Where: a place, or `kv KEY` of the signature itself.
    #[serde(rename = "in")]
    pub location: TimestampLocation,
    /// How it is written.
    #[serde(default)]
    pub unit: Unit,
    /// How far from our clock it may be, either way.
    #[serde(with = "super::duration", default = "tolerance")]
    pub tolerance: Duration,
}

/// Where a timestamp is.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum TimestampLocation {
    /// `kv KEY`: in the signature itself.
    Kv(String),
    /// Anywhere else.
    At(Locator),
}

/// How a timestamp is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unit {
    /// Unix seconds.
    #[default]
    S,
    /// Unix milliseconds.
    Ms,
    /// RFC 3339.
    Rfc3339,
}

/// How a secret's text becomes a key.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SecretForm {
    /// Its bytes.
    #[default]
    Text,
    /// `whsec_` (optional) and base64.
    Base64,
    /// Hex: an Ed25519 public key.
    Hex,
    /// `whpk_` and base64: an Ed25519 public key.
    Whpk,
    /// A public key or certificate, PEM or bare base64 DER.
    Pem,
    /// A JSON Web Key Set; `key_id` of the request chooses.
    Jwks,
}

impl TryFrom<String> for TimestampLocation {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.strip_prefix("kv ") {
            Some(key) => Ok(Self::Kv(key.to_owned())),
            None => Locator::try_from(text).map(Self::At),
        }
    }
}

fn tolerance() -> Duration {
    Duration::from_secs(300)
}

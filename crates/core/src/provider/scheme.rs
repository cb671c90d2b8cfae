//! How a sender signs, in the words of its file: where the signature is, what is signed, how.

use std::fmt;
use std::time::Duration;

use http::HeaderName;
use serde::Deserialize;

use super::key_url::KeyUrl;
use super::locator::Locator;
use crate::verify::signed::{Coverage, Signed};

/// One way in which a sender signs; a sender may have several.
#[derive(Debug, Clone)]
pub struct Scheme {
    /// Where the signature is: the first that is there counts.
    pub locations: Vec<Locator>,
    /// How it is written there.
    pub format: Format,
    /// With the format `plain`: stands before the signature, as in `sha256=…`.
    pub prefix: String,
    /// What computes it.
    pub algorithm: Algorithm,
    /// How its bytes are written.
    pub encoding: Encoding,
    /// What is signed.
    pub signed: Signed,
    /// The place of the body's hex SHA-256, if only that is signed.
    pub body_sha256: Option<Locator>,
    /// When it was signed, if the sender says.
    pub timestamp: Option<Timestamp>,
    /// How a secret's text becomes a key.
    pub secret: SecretForm,
    /// Where the request names the key, if there is a set of them.
    pub key_id: Option<Locator>,
    /// Where the key can be fetched, if the source allows it.
    pub key_url: Option<KeyUrl>,
}

impl Scheme {
    /// Whether the secret itself is sent in this header.
    pub fn is_token_in(&self, name: &HeaderName) -> bool {
        self.is_token_at(|place| matches!(place, Locator::Header(header) if header == name))
    }

    /// Whether the secret itself is sent in this parameter of the URL.
    pub fn is_token_in_query(&self, name: &[u8]) -> bool {
        self.is_token_at(|place| matches!(place, Locator::Query(key) if key.as_bytes() == name))
    }

    /// Whether the secret itself is sent in this field of a form.
    pub fn is_token_in_form(&self, name: &[u8]) -> bool {
        self.is_token_at(|place| matches!(place, Locator::Form(key) if key.as_bytes() == name))
    }

    fn is_token_at(&self, here: impl Fn(&Locator) -> bool) -> bool {
        let mut places = self.locations.iter().flat_map(Locator::parts);
        self.algorithm == Algorithm::Token && places.any(here)
    }

    /// What is covered if it holds.
    pub fn coverage(&self) -> Coverage {
        match self.algorithm {
            Algorithm::Token => Coverage::Nothing,
            _ => Coverage::Signed {
                template: self.signed.clone(),
                body_hash: self.body_sha256.is_some(),
            },
        }
    }

    /// What would make a scheme fail open, or never hold.
    pub fn problems(&self) -> Vec<(&'static str, &'static str)> {
        let mut problems = Vec::new();
        if let Some(timestamp) = &self.timestamp {
            let signed = match &timestamp.location {
                _ if self.signed.covers_timestamp() => true,
                TimestampLocation::At(place) => self.signed.covers(place),
                TimestampLocation::Kv(_) => false,
            };
            let is_token = self.algorithm == Algorithm::Token;
            if !signed && !is_token && !timestamp.tolerance.is_zero() {
                problems.push((
                    "timestamp",
                    "is checked but not signed: put {ts} into signed",
                ));
            }
        } else if self.signed.covers_timestamp() {
            problems.push((
                "signed",
                "has {ts}, but there is no timestamp: add [source.provider.signature.timestamp]",
            ));
        }
        if self.algorithm == Algorithm::Token {
            if self.timestamp.is_some() {
                problems.push(("timestamp", "a token signs none: leave it out"));
            }
        } else if self.signed.is_constant() {
            problems.push((
                "signed",
                "has nothing of the request in it: expected one such as \"{body}\"",
            ));
        }
        let forms: &[SecretForm] = match self.algorithm {
            Algorithm::RsaSha1 | Algorithm::EcdsaP256Sha256 => &[SecretForm::Pem],
            Algorithm::RsaSha256 => &[SecretForm::Pem, SecretForm::Jwks],
            Algorithm::Ed25519 => &[SecretForm::Hex, SecretForm::Whpk],
            _ => &[SecretForm::Text, SecretForm::Base64],
        };
        if !forms.contains(&self.secret) {
            problems.push(("secret", "does not fit the algorithm: rsa-sha256 takes pem or jwks, rsa-sha1 and ecdsa-p256-sha256 pem, ed25519 hex or whpk, the others text or base64"));
        }
        if self.secret == SecretForm::Jwks && self.key_id.is_none() {
            problems.push((
                "key_id",
                "missing: jwks needs the place of the key's id, such as \"header X-Key-Id\"",
            ));
        }
        if self.format != Format::Plain && !self.prefix.is_empty() {
            problems.push(("prefix", "goes with the format plain only"));
        }
        problems
    }
}

/// How signatures are written in their place.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum Format {
    /// `plain`: the signature alone, after the prefix.
    #[default]
    Plain,
    /// `kv , v1`: the values of a key, as in `t=…,v1=…,v1=…`.
    Kv {
        /// Between the pairs.
        separator: char,
        /// The signatures' key.
        key: String,
    },
    /// `list v1`: what follows a tag, as in `v1,… v1,…`.
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

impl Algorithm {
    /// Whether the sender keeps a private key to itself, and we have the public one.
    pub const fn is_public(self) -> bool {
        matches!(
            self,
            Self::RsaSha1 | Self::RsaSha256 | Self::EcdsaP256Sha256 | Self::Ed25519
        )
    }
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
#[derive(Debug, Clone)]
pub struct Timestamp {
    /// Where: a place, or `kv KEY` of the signature itself.
    pub location: TimestampLocation,
    /// How it is written.
    pub unit: Unit,
    /// How far from our clock it may be, either way.
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
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Deserialize)]
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

impl SecretForm {
    /// Whether what it stands for is known to everybody: such a text must never become a key that
    /// is shared, or everybody could sign.
    pub const fn is_public(self) -> bool {
        matches!(self, Self::Hex | Self::Whpk | Self::Pem | Self::Jwks)
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::HmacSha1 => "hmac-sha1",
            Self::HmacSha256 => "hmac-sha256",
            Self::HmacSha512 => "hmac-sha512",
            Self::RsaSha1 => "rsa-sha1",
            Self::RsaSha256 => "rsa-sha256",
            Self::EcdsaP256Sha256 => "ecdsa-p256-sha256",
            Self::Ed25519 => "ed25519",
            Self::Token => "token",
        })
    }
}

impl TryFrom<String> for Format {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.split(' ').collect::<Vec<_>>().as_slice() {
            ["plain"] => Ok(Self::Plain),
            ["kv", separator, key] if separator.chars().count() == 1 && !key.is_empty() => {
                Ok(Self::Kv {
                    separator: separator.chars().next().unwrap_or(','),
                    key: (*key).to_owned(),
                })
            }
            ["list", tag] if !tag.is_empty() => Ok(Self::List {
                tag: (*tag).to_owned(),
            }),
            _ => Err(format!(
                "{text:?}: expected \"plain\", \"kv SEPARATOR KEY\" or \"list TAG\""
            )),
        }
    }
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

//! The configuration file as the person wrote it (TOML). Strict: an unknown key is a mistake.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Deserializer, de::Error};

use super::secret::Secret;
use crate::core::payload::Format;
use crate::core::route::Template;

/// The whole file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct File {
    /// `[server]`
    pub server: Server,
    /// `[admin]`
    pub admin: Option<Admin>,
    /// `[temporal]`
    pub temporal: Temporal,
    /// `[encryption]`
    pub encryption: Option<Encryption>,
    /// `[[source]]`
    pub source: Vec<Source>,
}

/// `[server]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Server {
    /// `"ADDRESS:PORT"`
    pub listen: Option<String>,
    /// `[server.tls]`
    pub tls: Tls,
    /// How long a stop waits for requests in flight.
    #[serde(deserialize_with = "optional_duration")]
    pub drain_timeout: Option<Duration>,
}

/// `[server.tls]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Tls {
    /// Certificate chain, PEM.
    pub cert: Option<PathBuf>,
    /// Private key, PEM.
    pub key: Option<PathBuf>,
}

/// `[admin]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Admin {
    /// `"ADDRESS:PORT"`
    pub listen: String,
}

/// `[temporal]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Temporal {
    /// `"HOST:PORT"`
    pub address: Option<String>,
    /// The namespace.
    pub namespace: Option<String>,
}

/// `[encryption]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Encryption {
    /// The first one encrypts.
    pub keys: Vec<EncryptionKey>,
}

/// One of `[encryption] keys`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EncryptionKey {
    /// The name under which workers know it.
    pub id: String,
    /// Hex digits.
    pub key: SecretRef,
}

/// `[[source]]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// The path senders post to.
    pub path: String,
    /// A name from the catalogue.
    pub provider: String,
    /// Any of them verifies.
    #[serde(default)]
    pub secrets: Vec<SecretRef>,
    /// Switches verification off.
    #[serde(default)]
    pub danger_accept_unverified: bool,
    /// Overrides the provider's.
    pub task_queue: Option<Template>,
    /// Overrides the provider's.
    pub workflow_type: Option<Template>,
    /// Overrides the provider's.
    pub workflow_id: Option<Template>,
    /// What the worker gets.
    pub format: Option<Format>,
    /// Largest body, `"2MiB"`.
    #[serde(default, deserialize_with = "optional_size")]
    pub body_limit: Option<usize>,
    /// Overrides the provider's.
    #[serde(default, deserialize_with = "optional_duration")]
    pub deadline: Option<Duration>,
}

/// A secret: `env:NAME`, `file:PATH`, or the text itself.
#[derive(Debug, Clone, Deserialize)]
#[serde(from = "String")]
pub enum SecretRef {
    /// An environment variable.
    Env(String),
    /// A file; one trailing newline is not part of the secret.
    File(PathBuf),
    /// The secret itself: works, with a warning.
    Literal(Option<Secret>),
}

impl From<String> for SecretRef {
    fn from(text: String) -> Self {
        match text.split_once(':') {
            Some(("env", name)) => Self::Env(name.to_owned()),
            Some(("file", path)) => Self::File(path.into()),
            _ => Self::Literal(Secret::new(text.into_bytes())),
        }
    }
}

fn optional_duration<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
    crate::core::provider::duration::deserialize(from).map(Some)
}

/// `"512KiB"`, `"2MiB"` or a number of bytes.
fn optional_size<'de, D: Deserializer<'de>>(from: D) -> Result<Option<usize>, D::Error> {
    let text = String::deserialize(from)?;
    let (digits, unit) = text.split_at(
        text.find(|c: char| !c.is_ascii_digit())
            .unwrap_or(text.len()),
    );
    let factor = match unit.trim() {
        "" | "B" => Some(1),
        "KiB" => Some(1 << 10),
        "MiB" => Some(1 << 20),
        _ => None,
    };
    factor
        .zip(digits.parse::<usize>().ok())
        .and_then(|(factor, digits)| digits.checked_mul(factor))
        .map(Some)
        .ok_or_else(|| {
            D::Error::custom(format!(
                "{text:?} is no size such as \"512KiB\" or \"2MiB\""
            ))
        })
}

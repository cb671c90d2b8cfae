//! `[admin]` of the configuration file as the person wrote it.

use serde::Deserialize;

use super::Address;
use crate::config::reader::{Reader, Section};
use crate::config::secret::SecretRef;

/// `[admin]`
#[derive(Debug, Default)]
pub struct Admin {
    /// `"ADDRESS:PORT"`
    pub listen: Option<String>,
    /// What a caller has to show, and its name for mistakes.
    pub token: Option<(String, SecretRef)>,
    /// Names under which the listener is reached, besides those that are its own anyway.
    pub hosts: Vec<Host>,
}

/// A name as a `Host` header has it, without a port.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Host(pub String);

impl TryFrom<String> for Host {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b".-_".contains(&b);
        let bare = text.trim_end_matches('.');
        if bare.is_empty() || !text.bytes().all(plain) {
            return Err(format!(
                "{text:?}: expected a host name without scheme, port and path, such as \"forwarder.internal\""
            ));
        }
        Ok(Self(bare.to_ascii_lowercase()))
    }
}

impl Admin {
    pub(super) fn read<'t>(r: &mut Reader<'t>, mut section: Section<'t>) -> Self {
        let place = r.place(section.at("token"), &section.full("token"));
        let admin = Self {
            listen: section
                .require(r, "listen", "one such as \"127.0.0.1:9000\"")
                .map(|Address(text)| text),
            token: section.take_secret(r, "token").map(|token| (place, token)),
            hosts: section.take_list(r, "hosts").unwrap_or_default(),
        };
        section.finish(r);
        admin
    }
}

//! Where a sender publishes its public keys, and which URLs are its own.

use serde::Deserialize;

use super::locator::Locator;
use crate::core::config::reader::{Reader, Section};
use crate::core::request::Received;

/// Where a public key can be fetched.
#[derive(Debug, Clone)]
pub struct KeyUrl {
    /// The request names the URL here; or it is fixed.
    location: KeyUrlLocation,
    /// The hosts that may have it; `*` stands for one label.
    hosts: Vec<String>,
    /// What the URL's path ends in.
    suffix: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(from = "String")]
enum KeyUrlLocation {
    Fixed(String),
    Named(Locator),
}

impl From<String> for KeyUrlLocation {
    fn from(text: String) -> Self {
        Locator::try_from(text.clone()).map_or(Self::Fixed(text), Self::Named)
    }
}

impl KeyUrl {
    /// Reads a `key_url` table.
    pub(super) fn read<'t>(r: &mut Reader<'t>, mut s: Section<'t>) -> Option<Self> {
        let location = s.require(
            r,
            "in",
            "an https URL, or its place in the request, such as \"json SigningCertURL\"",
        );
        let hosts = s.require_list(
            r,
            "hosts",
            "the hosts that may have it, such as [\"keys.example.com\"]",
        );
        let suffix = s.take(r, "suffix").unwrap_or_default();
        s.finish(r);
        Some(Self {
            location: location?,
            hosts: hosts?,
            suffix,
        })
    }

    /// The URL that a request's key is at.
    pub fn find(&self, received: &Received) -> Option<String> {
        match &self.location {
            KeyUrlLocation::Fixed(url) => Some(url.clone()),
            KeyUrlLocation::Named(place) => place.find(received).one(),
        }
    }

    /// Whether a URL is one of the provider's: https, no user, no port, one of the hosts.
    pub fn accepts(&self, url: &str) -> bool {
        let Some(rest) = url.strip_prefix("https://") else {
            return false;
        };
        let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let plain = path
            .bytes()
            .all(|b| b.is_ascii_graphic() && !b"?#\\@%".contains(&b));
        plain
            && path.ends_with(&self.suffix)
            && self.hosts.iter().any(|pattern| is_host(host, pattern))
    }
}

/// `sns.*.amazonaws.com`: `*` stands for exactly one label. A port in the pattern counts, too.
fn is_host(host: &str, pattern: &str) -> bool {
    let (labels, wanted): (Vec<_>, Vec<_>) =
        (host.split('.').collect(), pattern.split('.').collect());
    let is_label = |label: &str| {
        !label.is_empty()
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    labels.len() == wanted.len()
        && labels.iter().zip(wanted).all(|(label, wanted)| {
            if wanted == "*" {
                is_label(label)
            } else {
                label.eq_ignore_ascii_case(wanted)
            }
        })
}

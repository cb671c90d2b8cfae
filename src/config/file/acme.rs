//! `[server.tls] acme` as the person wrote it: a certificate that an authority issues by itself.

use std::path::PathBuf;

use serde::Deserialize;

use crate::config::reader::{Reader, Section};

/// The table.
#[derive(Debug)]
pub struct Acme {
    /// Its name, for mistakes.
    pub place: String,
    /// `domains`: the names to be certified.
    pub domains: Vec<Domain>,
    /// `email`: whom the authority may write to.
    pub email: Option<Email>,
    /// `cache`: the folder with account and certificate.
    pub cache: PathBuf,
    /// `staging`: Let's Encrypt's authority for tries.
    pub staging: bool,
    /// `directory`: another authority.
    pub directory: Option<Directory>,
    /// `directory_ca`: who signs that authority's own certificate, PEM, and its name for mistakes.
    pub directory_ca: Option<(String, PathBuf)>,
}

impl Acme {
    pub(super) fn read<'t>(r: &mut Reader<'t>, mut s: Section<'t>) -> Option<Self> {
        let place = r.place(s.start(), s.place());
        let domains = s.require_list(
            r,
            "domains",
            "the names to be certified, such as [\"hooks.example.com\"]",
        );
        let cache = s.require(
            r,
            "cache",
            "a folder for account and certificate, such as \"/var/lib/temporal-webhook-forwarder\"",
        );
        let (at, full) = (s.at("staging"), s.full("staging"));
        let acme = Self {
            domains: domains.unwrap_or_default(),
            email: s.take(r, "email"),
            cache: cache.clone().unwrap_or_default(),
            staging: s.take(r, "staging").unwrap_or_default(),
            directory: s.take(r, "directory"),
            directory_ca: {
                let place = r.place(s.at("directory_ca"), &s.full("directory_ca"));
                let path = s.take(r, "directory_ca");
                path.map(|path| (place, path))
            },
            place,
        };
        if acme.staging && acme.directory.is_some() {
            r.mistake(at, &full, STAGING);
        }
        s.finish(r);
        cache
            .map(|_: PathBuf| acme)
            .filter(|acme| !acme.domains.is_empty())
    }
}

/// A host name that can be proven, in lower case.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "String")]
pub struct Domain(pub String);

impl TryFrom<String> for Domain {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let name = text.to_ascii_lowercase();
        if name.starts_with("*.") {
            return Err(format!("{text:?}: {WILDCARD}"));
        }
        let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
        let label = |label: &str| {
            (1..=63).contains(&label.len())
                && label.bytes().all(plain)
                && !label.starts_with('-')
                && !label.ends_with('-')
        };
        let is_name = name.len() <= 253 && name.split('.').all(label);
        let is_address = name
            .split('.')
            .all(|label| label.bytes().all(|b| b.is_ascii_digit()));
        match is_name && !is_address {
            true => Ok(Self(name)),
            false => Err(format!("{text:?}: {DOMAIN}")),
        }
    }
}

/// An e-mail address.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "String")]
pub struct Email(pub String);

impl TryFrom<String> for Email {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let parts = text.split_once('@');
        let is_one = parts.is_some_and(|(name, host)| !name.is_empty() && host.contains('.'))
            && text
                .bytes()
                .all(|b| b.is_ascii_graphic() && !b",;<>:".contains(&b));
        match is_one {
            true => Ok(Self(text)),
            false => Err(format!(
                "{text:?}: expected one e-mail address, such as \"ops@example.com\""
            )),
        }
    }
}

/// The URL of an authority.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "String")]
pub struct Directory(pub String);

impl TryFrom<String> for Directory {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        let rest = text.strip_prefix("https://").unwrap_or_default();
        let is_url = rest.contains('/') && !rest.starts_with('/');
        match is_url && text.bytes().all(|b| b.is_ascii_graphic()) && !text.contains('@') {
            true => Ok(Self(text)),
            false => Err(DIRECTORY),
        }
    }
}

const STAGING: &str = "true beside directory: expected one of them: staging is an authority of its own, Let's Encrypt's for tries";
const WILDCARD: &str = "no wildcard can be proven by TLS-ALPN-01: expected each name by itself, or a certificate from elsewhere in a file";
const DOMAIN: &str = "expected a host name, such as \"hooks.example.com\"";
const DIRECTORY: &str = "expected the URL of an ACME directory, such as \"https://acme-v02.api.letsencrypt.org/directory\"";

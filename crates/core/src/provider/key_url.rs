//! Where a sender publishes its public keys, and which URLs are its own.

use serde::Deserialize;

use super::locator::Locator;
use crate::request::Received;

/// Where a public key can be fetched.
#[derive(Debug, Clone)]
pub struct KeyUrl {
    /// The request names the URL here; or it is fixed.
    pub location: KeyUrlLocation,
    /// The hosts that may have it; `{region}` stands for one of AWS, `*` for any label.
    pub hosts: Vec<String>,
    /// The URL's path; `*` stands for anything in one segment.
    pub path: Option<String>,
    /// What the URL's path ends in.
    pub suffix: String,
}

/// Where the URL itself is.
#[derive(Debug, Clone, Deserialize)]
#[serde(from = "String")]
pub enum KeyUrlLocation {
    /// It is always this one.
    Fixed(String),
    /// The request has it here.
    Named(Locator),
}

impl From<String> for KeyUrlLocation {
    fn from(text: String) -> Self {
        Locator::try_from(text.clone()).map_or(Self::Fixed(text), Self::Named)
    }
}

impl KeyUrl {
    /// The URL that a request's key is at.
    pub fn find(&self, received: &Received) -> Option<String> {
        match &self.location {
            KeyUrlLocation::Fixed(url) => Some(url.clone()),
            KeyUrlLocation::Named(place) => place.find(received).one(),
        }
    }

    /// Whether it is at the same URL for every request.
    pub const fn is_fixed(&self) -> bool {
        matches!(self.location, KeyUrlLocation::Fixed(_))
    }

    /// Whether a URL is one of the provider's: at most 512 bytes, https, no user, no port, one of the
    /// hosts.
    pub fn accepts(&self, url: &str) -> bool {
        if url.len() > LONGEST {
            return false;
        }
        let Some(rest) = url.strip_prefix("https://") else {
            return false;
        };
        let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let plain = path
            .bytes()
            .all(|b| b.is_ascii_graphic() && !b"?#\\@%".contains(&b));
        plain
            && path.ends_with(&self.suffix)
            && self.path.as_ref().is_none_or(|like| is_path(path, like))
            && self.hosts.iter().any(|pattern| is_host(host, pattern))
    }
}

/// `sns.{region}.amazonaws.com`: label by label. A port in the pattern counts, too.
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
        && labels
            .iter()
            .zip(wanted)
            .all(|(label, wanted)| match wanted {
                "*" => is_label(label),
                "{region}" => is_region(label),
                _ => label.eq_ignore_ascii_case(wanted),
            })
}

/// `us-gov-west-1`: letters, words, a number. Whatever else stands there is another service of AWS, such as
/// S3, where the label before it may be anybody's bucket.
fn is_region(label: &str) -> bool {
    let is_word = |word: &&str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase());
    let parts: Vec<&str> = label.split('-').collect();
    match parts.as_slice() {
        [area, words @ .., number] if !words.is_empty() => {
            (2..=3).contains(&area.len())
                && is_word(area)
                && words.iter().all(is_word)
                && !number.is_empty()
                && number.bytes().all(|b| b.is_ascii_digit())
        }
        _ => false,
    }
}

/// `/Service-*.pem`: segment by segment, with at most one `*` in each.
fn is_path(path: &str, pattern: &str) -> bool {
    let (segments, wanted): (Vec<_>, Vec<_>) =
        (path.split('/').collect(), pattern.split('/').collect());
    let is_like = |segment: &str, wanted: &str| match wanted.split_once('*') {
        None => segment == wanted,
        Some((start, end)) => segment
            .strip_prefix(start)
            .and_then(|rest| rest.strip_suffix(end))
            .is_some_and(|name| !name.is_empty() && !name.starts_with('.')),
    };
    let mut pairs = segments.iter().zip(&wanted);
    segments.len() == wanted.len() && pairs.all(|(segment, wanted)| is_like(segment, wanted))
}

/// Bytes of a key's URL: it may get into a log, before anything is proven.
const LONGEST: usize = 512;

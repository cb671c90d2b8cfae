//! The words in which a sender is described, and the catalogue of senders (`providers/*.toml`,
//! compiled in).

use std::sync::LazyLock;
use std::time::Duration;

use http::{HeaderName, Method};
use serde::Deserialize;

use super::event::request_sha256;
use super::request::Received;
use super::route::Template;

/// How one sender signs and labels its webhooks.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provider {
    /// The name in configurations, on the command line and in the path of the default source.
    pub name: String,
    /// The name for people.
    pub title: String,
    /// Where the event's id is: the first that is there. The same for every redelivery.
    pub id: Vec<Locator>,
    /// Where the event's topic is; no event needs one.
    #[serde(default)]
    pub topic: Vec<Locator>,
    /// Where the event's tenant (shop, account) is; no event needs one.
    #[serde(default)]
    pub tenant: Vec<Locator>,
    /// The headers that the worker gets to see.
    pub keep_headers: Vec<HeaderPattern>,
    /// Default task queue.
    pub task_queue: Template,
    /// Default workflow type.
    pub workflow_type: Template,
    /// Default workflow id.
    pub workflow_id: Template,
    /// The answer is given this long after the request's first byte at the latest: shorter than
    /// what the sender waits.
    #[serde(with = "duration")]
    pub deadline: Duration,
    /// How long the sender repeats a delivery: Temporal must remember the workflow for longer.
    #[serde(with = "duration")]
    pub retry_window: Duration,
    /// The methods that carry events.
    #[serde(default = "post_only", with = "methods")]
    pub methods: Vec<Method>,
    /// How it signs; `None`: it does not, so a source needs the operator's explicit consent.
    pub signature: Option<Signature>,
    /// What `send` sends.
    pub sample: Sample,
}

/// How a sender signs a request.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signature {
    /// Where the signature is: the first that is there counts.
    #[serde(rename = "in")]
    pub locations: Vec<Locator>,
    /// What computes it.
    pub algorithm: Algorithm,
    /// How its bytes are written.
    pub encoding: Encoding,
}

/// What computes a signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Algorithm {
    /// HMAC with SHA-256, keyed by the secret's bytes.
    HmacSha256,
}

/// How a signature's bytes are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Encoding {
    /// Either alphabet, padding optional.
    Base64,
}

/// A realistic request of the sender's, for `send`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sample {
    /// The topic it is about.
    pub topic: Option<String>,
    /// The tenant it comes from.
    pub tenant: Option<String>,
    /// Further headers.
    #[serde(default)]
    pub headers: std::collections::BTreeMap<String, String>,
    /// The body, JSON.
    pub body: String,
}

/// A place in a request: `header NAME` or `request-sha256`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum Locator {
    /// A header's value.
    Header(HeaderName),
    /// The hex SHA-256 of method, query and body.
    RequestSha256,
}

/// What a [`Locator`] finds.
#[derive(Debug, PartialEq, Eq)]
pub enum Found {
    /// Nothing is there.
    Missing,
    /// It is there more than once, or its bytes are no printable ASCII: nothing to rely on.
    Ambiguous,
    /// The one value.
    One(String),
}

impl Locator {
    /// Looks there.
    pub fn find(&self, received: &Received) -> Found {
        match self {
            Self::Header(name) if !received.headers.contains_key(name) => Found::Missing,
            Self::Header(name) => received
                .single_header(name)
                .map_or(Found::Ambiguous, |value| Found::One(value.to_owned())),
            Self::RequestSha256 => Found::One(request_sha256(received)),
        }
    }

    /// The first of `places` where anything is.
    pub fn find_first(places: &[Self], received: &Received) -> Found {
        places
            .iter()
            .map(|place| place.find(received))
            .find(|found| *found != Found::Missing)
            .unwrap_or(Found::Missing)
    }
}

impl TryFrom<String> for Locator {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text == "request-sha256" {
            return Ok(Self::RequestSha256);
        }
        let wrong = || format!("{text:?}: expected \"header NAME\" or \"request-sha256\"");
        let name = text.strip_prefix("header ").ok_or_else(wrong)?;
        name.trim().parse().map(Self::Header).map_err(|_| wrong())
    }
}

/// A header's name, or the beginning of one followed by `*`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "String")]
pub struct HeaderPattern(String);

impl HeaderPattern {
    /// Whether the pattern covers the (lower-case) name.
    pub fn covers(&self, name: &str) -> bool {
        match self.0.strip_suffix('*') {
            Some(beginning) => name.starts_with(beginning),
            None => name == self.0,
        }
    }
}

impl From<String> for HeaderPattern {
    fn from(text: String) -> Self {
        Self(text.to_ascii_lowercase())
    }
}

/// The catalogue's entry of this name.
pub fn find(name: &str) -> Option<&'static Provider> {
    all().iter().find(|provider| provider.name == name)
}

/// The whole catalogue, in alphabetical order.
pub fn all() -> &'static [Provider] {
    static CATALOGUE: LazyLock<Vec<Provider>> = LazyLock::new(|| {
        FILES
            .iter()
            .map(|text| toml::from_str(text).expect("a compiled-in catalogue entry is valid"))
            .collect()
    });
    &CATALOGUE
}

/// The names of the catalogue, for messages.
pub fn names() -> String {
    let names: Vec<_> = all().iter().map(|p| p.name.as_str()).collect();
    names.join(", ")
}

fn post_only() -> Vec<Method> {
    vec![Method::POST]
}

/// Durations as people write them: `"4s"`, `"2h 30m"`.
pub(in crate::core) mod duration {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, de::Error};

    pub(in crate::core) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Duration, D::Error> {
        let text = String::deserialize(from)?;
        humantime::parse_duration(&text)
            .map_err(|_| D::Error::custom(format!("{text:?} is no duration such as \"4s\"")))
    }
}

mod methods {
    use http::Method;
    use serde::{Deserialize, Deserializer, de::Error};

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Method>, D::Error> {
        Vec::<String>::deserialize(from)?
            .iter()
            .map(|name| match name.as_str() {
                "GET" => Ok(Method::GET),
                "POST" => Ok(Method::POST),
                other => Err(D::Error::custom(format!(
                    "{other:?}: expected \"GET\" or \"POST\""
                ))),
            })
            .collect()
    }
}

/// In alphabetical order.
const FILES: &[&str] = &[
    include_str!("../../providers/generic.toml"),
    include_str!("../../providers/shopify.toml"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalogue_loads_and_is_sorted() {
        let names: Vec<_> = all().iter().map(|p| p.name.as_str()).collect();
        assert!(names.is_sorted() && names.contains(&"shopify"), "{names:?}");
        for provider in all() {
            assert!(!provider.id.is_empty(), "{}", provider.name);
            assert!(!provider.methods.is_empty(), "{}", provider.name);
            assert!(
                provider
                    .signature
                    .as_ref()
                    .is_none_or(|s| !s.locations.is_empty()),
                "{}",
                provider.name
            );
        }
    }

    #[test]
    fn no_entry_shows_credentials_to_the_worker() {
        for provider in all() {
            for name in ["authorization", "cookie", "proxy-authorization"] {
                assert!(
                    !provider.keep_headers.iter().any(|p| p.covers(name)),
                    "{} keeps {name}",
                    provider.name
                );
            }
        }
    }

    #[test]
    fn locators_name_what_they_accept() {
        let error = Locator::try_from("json id".to_owned()).expect_err("not in the vocabulary");
        assert_eq!(
            error,
            "\"json id\": expected \"header NAME\" or \"request-sha256\""
        );
    }
}

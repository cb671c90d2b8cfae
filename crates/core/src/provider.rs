//! What a sender is: how it signs, labels and repeats its webhooks.

pub mod key_url;
pub mod locator;
pub mod repeats;
pub mod scheme;
#[cfg(test)]
pub(crate) mod senders;
pub mod values;

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use http::{Method, StatusCode};
use serde::Deserialize;

use self::locator::Locator;
use self::repeats::Repeats;
use self::scheme::Scheme;
use super::expression::template::Template;
use super::handshake::Handshake;

/// How one sender signs and labels its webhooks.
#[derive(Debug, Clone)]
pub struct Provider {
    /// The name in configurations, on the command line and in the path of the default source.
    pub name: String,
    /// The name for people.
    pub title: String,
    /// Its documentation.
    pub docs: Option<String>,
    /// What an operator should know: weaknesses, what is not confirmed.
    pub note: Option<String>,
    /// Where the event's id is: the first that is there. The same for every redelivery.
    pub id: Vec<Locator>,
    /// Where the event's topic is; no event needs one.
    pub topic: Vec<Locator>,
    /// Where the event's tenant (shop, account) is; no event needs one.
    pub tenant: Vec<Locator>,
    /// The headers that the worker gets to see.
    pub keep_headers: Vec<HeaderPattern>,
    /// Default task queue.
    pub task_queue: Template,
    /// Default workflow type.
    pub workflow_type: Template,
    /// Default workflow id.
    pub workflow_id: Template,
    /// Among whose events an id is unique.
    pub id_scope: IdScope,
    /// The answer is given this long after the request's first byte at the latest: shorter than
    /// what the sender waits.
    pub deadline: Duration,
    /// Whether and how long the sender repeats a delivery: Temporal must remember the workflow for
    /// longer.
    pub repeats: Repeats,
    /// The methods that carry events.
    pub methods: Vec<Method>,
    /// How it signs; none: it does not, so a source needs the operator's explicit consent.
    pub schemes: Vec<Scheme>,
    /// What it asks before or among the events.
    pub handshake: Option<Handshake>,
    /// The status that it takes for success.
    pub success_status: StatusCode,
    /// What it wants to read on success, if not how the event ended.
    pub success_body: Option<String>,
    /// What its bodies are, if it calls them something else.
    pub content_type: Option<String>,
    /// The fields of its forms that are JSON.
    pub json_fields: Vec<String>,
    /// What `send` sends.
    pub sample: Sample,
    /// Others, by name, for `send --sample`.
    pub samples: BTreeMap<String, Sample>,
}

/// A realistic request of the sender's, for `send`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sample {
    /// The id, if it is not a header's: it stands in the body.
    pub topic: Option<String>,
    /// The tenant it comes from.
    pub tenant: Option<String>,
    /// Further headers.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// Appended to the URL.
    pub query: Option<String>,
    /// `{id}` stands for the event's id, `{ts}` for the time in the provider's unit.
    #[serde(default)]
    pub body: String,
}

/// Among whose events an event's id is unique.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IdScope {
    /// Among those of one sender: it may give the same id to several sources, one event's.
    #[default]
    Sender,
    /// Among all that it sends to anybody: no two subscriptions, so no two sources, get the same.
    Subscription,
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

impl fmt::Display for HeaderPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<String> for HeaderPattern {
    fn from(text: String) -> Self {
        Self(text.to_ascii_lowercase())
    }
}

impl Provider {
    /// Whether workers and expressions see the header of this (lower-case) name.
    pub fn keeps(&self, name: &str) -> bool {
        let mut patterns = self.keep_headers.iter();
        !CREDENTIALS.contains(&name) && patterns.any(|pattern| pattern.covers(name))
    }
}

/// Headers with credentials: no expression, no worker and no dead letter gets them, whatever
/// `keep_headers` says.
pub const CREDENTIALS: [&str; 4] = [
    "authorization",
    "cookie",
    "proxy-authorization",
    "set-cookie",
];

/// Task queue and workflow type of the sender `in-house.v2`: `in_house_v2_webhooks`,
/// `InHouseV2Webhook`; without a name `webhooks`, `Webhook`.
pub fn default_names(name: &str) -> (String, String) {
    let mut words: Vec<_> = name
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .collect();
    // `acme-webhooks` says it already.
    words.pop_if(|word| ["webhook", "webhooks"].contains(&word.to_ascii_lowercase().as_str()));
    let queue = words.iter().map(|word| word.to_ascii_lowercase() + "_");
    let capital = |word: &&str| word[..1].to_ascii_uppercase() + &word[1..];
    (
        queue.collect::<String>() + "webhooks",
        words.iter().map(capital).collect::<String>() + "Webhook",
    )
}

#[cfg(test)]
mod tests {
    use super::default_names;

    #[test]
    fn queue_and_type_are_named_after_the_sender() {
        for (name, queue, workflow_type) in [
            ("", "webhooks", "Webhook"),
            ("inhouse", "inhouse_webhooks", "InhouseWebhook"),
            ("in-house.v2", "in_house_v2_webhooks", "InHouseV2Webhook"),
            ("InHouse", "inhouse_webhooks", "InHouseWebhook"),
            ("acme-webhooks", "acme_webhooks", "AcmeWebhook"),
            ("4you {x}", "4you_x_webhooks", "4youXWebhook"),
            ("Büro", "b_ro_webhooks", "BRoWebhook"),
            ("--", "webhooks", "Webhook"),
        ] {
            let expected = (queue.to_owned(), workflow_type.to_owned());
            assert_eq!(default_names(name), expected, "{name}");
        }
    }
}

//! What a workflow is started with besides names, attributes and payload: made of the [table](super::keys)
//! of a route's keys.

use std::ops::RangeInclusive;
use std::time::Duration;

use serde::{Deserialize, Serialize, Serializer};

use super::expression::scope::Scope;
use super::expression::template::Template;
use super::provider::values::Span;

macro_rules! options {
    (
        settings { $($settings:tt)* }
        values { $($(#[$value_doc:meta])* $value:ident: $type:ty as $value_reading:ident, for $value_actions:expr;)* }
        labels { $($(#[$label_doc:meta])* $label:ident: Template as template, for $label_actions:expr;)* }
        tables { $($tables:tt)* }
        texts { $($(#[$text_doc:meta])* $text:ident: Template as template, for $text_actions:expr;)* }
        verb { $($verb:tt)* }
    ) => {
        /// Timeouts, policies, priority, and texts for people; what is `None` Temporal decides. Labels and
        /// texts are templates first, texts then, and texts encoded payloads at last.
        #[derive(Debug, Clone, Default, PartialEq, Serialize)]
        pub struct Options<Label = String, Text = Label> {
            $($(#[$value_doc])* #[serde(skip_serializing_if = "Option::is_none")] pub $value: Option<$type>,)*
            $($(#[$label_doc])* #[serde(skip_serializing_if = "Option::is_none")] pub $label: Option<Label>,)*
            $($(#[$text_doc])* #[serde(skip_serializing_if = "Option::is_none")] pub $text: Option<Text>,)*
        }

        impl Options<Template> {
            /// Its templates filled in.
            ///
            /// # Errors
            /// The key whose template has no value, and why.
            pub fn fill(&self, scope: &mut Scope<'_>) -> Result<Options, String> {
                Ok(Options {
                    $($value: self.$value.clone(),)*
                    $($label: fill(stringify!($label), self.$label.as_ref(), |it| it.key(scope))?,)*
                    $($text: fill(stringify!($text), self.$text.as_ref(), |it| it.text(scope))?,)*
                })
            }
        }

        impl Options {
            /// Its texts encoded.
            pub fn encode<P>(self, mut encode: impl FnMut(String) -> Option<P>) -> Options<String, P> {
                Options {
                    $($value: self.$value,)*
                    $($label: self.$label,)*
                    $($text: self.$text.and_then(&mut encode),)*
                }
            }
        }
    };
}
crate::route_keys!(options);

fn fill(
    key: &str,
    template: Option<&Template>,
    fill: impl FnMut(&Template) -> Result<String, String>,
) -> Result<Option<String>, String> {
    let text = template.map(fill).transpose();
    text.map_err(|problem| format!("{key}: {problem}"))
}

impl<Label, Text> Options<Label, Text> {
    /// Whether no workflow is ever started while one of its id is known.
    pub fn starts_once(&self) -> bool {
        self.conflict_policy != Some(ConflictPolicy::TerminateExisting)
            && matches!(self.reuse_policy, None | Some(ReusePolicy::RejectDuplicate))
    }
}

/// Whether a workflow may be started whose id a closed one has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReusePolicy {
    /// Never.
    RejectDuplicate,
    /// Always.
    AllowDuplicate,
    /// If it failed, was cancelled or terminated, or timed out.
    AllowDuplicateFailedOnly,
}

/// What happens to a running workflow whose id is to be started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ConflictPolicy {
    /// It goes on: the event is a duplicate.
    UseExisting,
    /// The same.
    Fail,
    /// It is terminated, and another one started.
    TerminateExisting,
}

/// A span that Temporal takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "Span")]
pub struct Timeout(pub Duration);

impl TryFrom<Span> for Timeout {
    type Error = &'static str;

    fn try_from(Span(span): Span) -> Result<Self, &'static str> {
        let fits = TIMEOUTS.contains(&span);
        fits.then_some(Self(span))
            .ok_or("expected \"1ms\" to \"100years\"")
    }
}

impl Serialize for Timeout {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&humantime::format_duration(self.0))
    }
}

/// 1 (first) to 5 (last).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "i64")]
pub struct Priority(pub i32);

impl TryFrom<i64> for Priority {
    type Error = String;

    fn try_from(number: i64) -> Result<Self, String> {
        match number {
            1..=5 => Ok(Self(number as i32)),
            _ => Err(format!("{number}: expected 1 (first) to 5 (last)")),
        }
    }
}

/// A share: 1 is normal.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "f64")]
pub struct Weight(pub f32);

impl TryFrom<f64> for Weight {
    type Error = String;

    fn try_from(number: f64) -> Result<Self, String> {
        match number {
            0.001..=1000.0 => Ok(Self(number as f32)),
            _ => Err(format!("{number}: expected 0.001 to 1000")),
        }
    }
}

/// Temporal's retry policy of a whole workflow; what is `None` Temporal decides.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Retry {
    /// Before the second attempt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub initial_interval: Option<Timeout>,
    /// How much longer each pause is than the one before; at least 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backoff_coefficient: Option<f64>,
    /// Between any two attempts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub maximum_interval: Option<Timeout>,
    /// Including the first; `None`: no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub maximum_attempts: Option<i32>,
    /// Types of failures after which there is no other attempt.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub non_retryable: Vec<String>,
}

/// On which version of the workers a workflow runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Versioning {
    /// Moves to the current version at each task.
    AutoUpgrade,
    /// Stays on this one.
    Pinned {
        /// The worker deployment's name.
        deployment: String,
        /// The build's id in it.
        build_id: String,
    },
}

const TIMEOUTS: RangeInclusive<Duration> =
    Duration::from_millis(1)..=Duration::from_secs(100 * 366 * 24 * 60 * 60);

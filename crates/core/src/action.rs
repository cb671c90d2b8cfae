//! What Temporal can be asked to do with an event, in the words of the configuration.

use std::time::Duration;

use serde::{Deserialize, Serialize, Serializer};

/// What becomes of an event.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Starts a workflow.
    #[default]
    Start,
    /// Signals a workflow, and starts it first if it does not run.
    SignalWithStart,
    /// Signals a workflow that runs.
    Signal,
    /// Sends a workflow an update, and starts it first if it does not run.
    UpdateWithStart,
    /// Nothing: it is acknowledged and forgotten.
    Drop,
}

impl Action {
    /// The configuration's word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::SignalWithStart => "signal-with-start",
            Self::Signal => "signal",
            Self::UpdateWithStart => "update-with-start",
            Self::Drop => "drop",
        }
    }

    /// Whether it may start a workflow.
    pub const fn starts(self) -> bool {
        matches!(
            self,
            Self::Start | Self::SignalWithStart | Self::UpdateWithStart
        )
    }
}

/// What becomes of a signal whose workflow does not run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnMissing {
    /// 503: the sender tries again.
    #[default]
    Retry,
    /// It is parked.
    #[serde(alias = "dead-letter")]
    DeadLetter,
    /// It is acknowledged and forgotten.
    Drop,
}

/// What an update is answered with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Respond {
    /// 200 as soon as the workflow has accepted it.
    #[default]
    Accepted,
    /// The worker's result.
    Result,
}

/// What an update is answered with when its result does not come in time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnLate {
    /// 503: the sender tries again, and may find the result.
    #[default]
    Retry,
    /// 202, if the workflow has accepted it.
    Accept,
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

/// Temporal's retry policy of a whole workflow; what is `None` Temporal decides.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Retry {
    /// Before the second attempt.
    #[serde(serialize_with = "span", skip_serializing_if = "Option::is_none")]
    pub initial_interval: Option<Duration>,
    /// How much longer each pause is than the one before; at least 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backoff_coefficient: Option<f64>,
    /// Between any two attempts.
    #[serde(serialize_with = "span", skip_serializing_if = "Option::is_none")]
    pub maximum_interval: Option<Duration>,
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

impl Options {
    /// Whether no workflow is ever started while one of its id is known.
    pub fn starts_once(&self) -> bool {
        !matches!(
            self.conflict_policy,
            Some(ConflictPolicy::TerminateExisting)
        ) && matches!(self.reuse_policy, None | Some(ReusePolicy::RejectDuplicate))
    }
}

/// What a start says besides names and payloads; what is `None` Temporal decides.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Options {
    /// Default: reject-duplicate for `start`, allow-duplicate with signals and updates.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reuse_policy: Option<ReusePolicy>,
    /// Default: use-existing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conflict_policy: Option<ConflictPolicy>,
    /// All runs and retries together.
    #[serde(serialize_with = "span", skip_serializing_if = "Option::is_none")]
    pub execution_timeout: Option<Duration>,
    /// One run.
    #[serde(serialize_with = "span", skip_serializing_if = "Option::is_none")]
    pub run_timeout: Option<Duration>,
    /// One workflow task.
    #[serde(serialize_with = "span", skip_serializing_if = "Option::is_none")]
    pub task_timeout: Option<Duration>,
    /// Before the first workflow task.
    #[serde(serialize_with = "span", skip_serializing_if = "Option::is_none")]
    pub start_delay: Option<Duration>,
    /// `None`: a failed workflow is not started again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry: Option<Retry>,
    /// 1 (first) to 5 (last).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<i32>,
    /// A key's share among the keys of a task queue; 1 is normal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fairness_weight: Option<f32>,
    /// `None`: as the workers' deployment says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub versioning_override: Option<Versioning>,
}

impl Action {
    /// Whether a redelivery would be another workflow if the workflow's id did not name the event.
    pub const fn is_per_event(self) -> bool {
        matches!(self, Self::Start)
    }
}

fn span<S: Serializer>(span: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    match span {
        Some(span) => serializer.collect_str(&humantime::format_duration(*span)),
        None => serializer.serialize_none(),
    }
}

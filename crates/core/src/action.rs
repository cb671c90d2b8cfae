//! What Temporal can be asked to do with an event, in the words of the configuration.

use serde::{Deserialize, Serialize};

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
    pub const fn name(self) -> &'static str {
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

    /// Whether a redelivery would be another workflow if the workflow's id did not name the event.
    pub const fn is_per_event(self) -> bool {
        matches!(self, Self::Start)
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

/// What becomes of events that can never be as configured.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged, expecting = "expected true, false or a task queue's name")]
pub enum DeadLetters {
    /// Whether they are parked; otherwise they are refused.
    Switch(bool),
    /// They are, on this task queue.
    Queue(String),
}

//! One event as its workflow's memo tells of it: what it is, never what is in it.

use std::borrow::Cow;
use std::time::SystemTime;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Serialize, Serializer};
use serde_json::Value;
use webhook_core::codec::Codec;
use webhook_core::event::short;
use webhook_core::route::MEMO_LABEL;

use super::cursor::Position;
use crate::temporal::connect::Settings;
use crate::temporal::visibility::Info;

/// Where people look at workflows.
#[derive(Debug, Clone, Default)]
pub struct Place {
    /// Where Temporal's web interface is, if somebody said so.
    pub ui: Option<String>,
    /// The namespace.
    pub namespace: String,
}

/// An event, and the run that has it.
#[derive(Debug, Clone, Serialize)]
pub struct Item {
    /// The workflow's id.
    pub workflow_id: String,
    /// The run's.
    pub run_id: String,
    /// The workflow's type.
    pub workflow_type: String,
    /// As Temporal names it.
    pub status: &'static str,
    /// When it was started.
    #[serde(serialize_with = "rfc3339")]
    pub start_time: SystemTime,
    /// When it ended; `None`: it runs.
    #[serde(serialize_with = "rfc3339_or_null")]
    pub close_time: Option<SystemTime>,
    /// Where its tasks wait.
    pub task_queue: String,
    /// The path of its source.
    pub source: Option<String>,
    /// The sender's name in the catalogue.
    pub provider: Option<String>,
    /// What happened.
    pub topic: Option<String>,
    /// Whose it is.
    pub tenant: Option<String>,
    /// The event's own id.
    pub event_id: Option<String>,
    /// When it arrived.
    pub received_at: Option<String>,
    /// Of a dead letter: why it could not start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Of a dead letter: the route that was meant for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub route: Option<String>,
    /// Why its memo says nothing: a key that is not here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unreadable: Option<String>,
    /// Its page in Temporal's web interface.
    pub link: Option<String>,
}

impl Item {
    /// `None`: it was not started by us.
    pub fn of(info: &Info, codec: &Codec, place: &Place) -> Option<Self> {
        let mut unreadable = None;
        let mut text = |name: &str| {
            let payload = info.memo.get(name)?.clone();
            match codec.decode(payload) {
                Ok(payload) => match serde_json::from_slice(&payload.data) {
                    Ok(Value::String(text)) => Some(text),
                    _ => None,
                },
                Err(error) => {
                    unreadable = Some(error.to_string());
                    None
                }
            }
        };
        let known = NAMES.map(&mut text);
        if !info.memo.contains_key("source") || !info.memo.contains_key("event_id") {
            return None;
        }
        let [
            source,
            provider,
            topic,
            tenant,
            event_id,
            received_at,
            reason,
            route,
        ] = known;
        let execution = &info.execution;
        Some(Self {
            link: place.link(&execution.workflow_id, &execution.run_id),
            workflow_id: execution.workflow_id.clone(),
            run_id: execution.run_id.clone(),
            workflow_type: info.workflow_type.clone(),
            status: info.status,
            start_time: info.started,
            close_time: info.closed,
            task_queue: info.task_queue.clone(),
            source,
            provider,
            topic,
            tenant,
            event_id,
            received_at,
            reason,
            route,
            unreadable,
        })
    }

    /// Where it stands in the order of all.
    pub fn position(&self) -> Position {
        Position {
            started: self.start_time,
            run_id: self.run_id.clone(),
        }
    }

    /// Whether it begins with the text, or its memo has it; the text is in lower case.
    pub fn says(&self, text: &str) -> bool {
        let begins = |name: &str| name.to_lowercase().starts_with(text);
        let memo = [&self.source, &self.topic, &self.tenant, &self.event_id];
        begins(&self.workflow_id)
            || begins(&self.workflow_type)
            || (memo.into_iter().flatten()).any(|value| value.to_lowercase().contains(text))
    }
}

impl Place {
    /// Of this connection's namespace.
    pub fn of(settings: &Settings) -> Self {
        Self {
            ui: settings.ui.clone(),
            namespace: settings.namespace.clone(),
        }
    }

    /// A run's page, if there is one.
    pub fn link(&self, workflow_id: &str, run_id: &str) -> Option<String> {
        let ui = self.ui.as_deref()?.trim_end_matches('/');
        let [namespace, id, run] = [&self.namespace, workflow_id, run_id].map(segment);
        Some(format!(
            "{ui}/namespaces/{namespace}/workflows/{id}/{run}/history"
        ))
    }
}

/// A topic or a tenant as the memo has it.
pub fn label(text: &str) -> Cow<'_, str> {
    short(text, MEMO_LABEL)
}

fn segment(text: &str) -> String {
    utf8_percent_encode(text, ESCAPED).to_string()
}

/// With all that stores keep of it.
///
/// # Errors
/// The serializer's.
pub fn rfc3339<S: Serializer>(time: &SystemTime, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&humantime::format_rfc3339_micros(*time))
}

/// The same of what may not be there.
///
/// # Errors
/// The serializer's.
pub fn rfc3339_or_null<S: Serializer>(
    time: &Option<SystemTime>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match time {
        Some(time) => rfc3339(time, serializer),
        None => serializer.serialize_none(),
    }
}

/// All but what a segment of a URL's path may have.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');
/// What is read of a memo, in the order in which it is taken.
const NAMES: [&str; 8] = [
    "source",
    "provider",
    "topic",
    "tenant",
    "event_id",
    "received_at",
    "reason",
    "route",
];

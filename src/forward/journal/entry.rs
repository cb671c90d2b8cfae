//! One request of which something is to be said: how it ended, why, and what to do. Never a body, a
//! signature or a secret.

use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use serde_json::{Map, Value, json};
use webhook_core::event::{Event, short};
use webhook_core::outcome::{Outcome, Reject};
use webhook_core::shown::readable;

use super::capture::Captured;
use super::explain::{Explained, explain, parked};
use crate::forward::answer::Completion;
use crate::forward::context::RequestContext;
use crate::forward::report::{claimed, outcome};

/// How a request ended.
#[derive(Debug)]
pub struct Entry {
    /// Of its place in the journal, from 1.
    pub number: u64,
    /// When it had ended.
    pub at: SystemTime,
    /// The path of its source; `None`: no source has that.
    pub source: Option<String>,
    /// The metric's label.
    pub outcome: &'static str,
    /// Whether it is an event that is taken care of.
    pub kind: Kind,
    /// Why, and what to do.
    pub explained: Option<Explained>,
    /// Whether its sender was asked to send it again.
    pub again: bool,
    /// What it says, if its sender is proven.
    pub event: Option<Labels>,
    /// What its head says, if its sender is not.
    pub claimed: Vec<(&'static str, String)>,
    /// The workflow that holds it: its id and its run's.
    pub workflow: Option<(String, String)>,
    /// The route that it took, if the source has any.
    pub route: Option<String>,
    /// The setting of the secret that proved its sender.
    pub verified_by: Option<String>,
    /// From its first byte to its answer.
    pub took: Duration,
    /// Of that, for Temporal.
    pub temporal: Option<Duration>,
    /// Bytes of its body.
    pub bytes: Option<usize>,
    /// Names it in the log.
    pub request_id: String,
    /// Whence it came.
    pub peer: IpAddr,
    /// Whether the operator sent it, to try.
    pub is_test: bool,
    /// What was kept of it, if the source says so.
    pub captured: Option<Captured>,
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// An event that is in Temporal, or dropped.
    Taken,
    /// No event, and answered.
    Handshake,
    /// Not taken.
    Refused,
}

/// What a proven sender says, cut.
#[derive(Debug)]
pub struct Labels {
    id: String,
    topic: Option<String>,
    tenant: Option<String>,
}

impl Entry {
    /// `None` of a page.
    pub(super) fn new(
        context: &RequestContext<'_>,
        result: &Result<Completion, Reject>,
    ) -> Option<Self> {
        let event = context.event.as_deref();
        let source = context.source.map(|(source, _)| source);
        let outcome = outcome(result)?;
        let (kind, explained) = match result {
            Ok(Completion::Page(_) | Completion::Handshake(_)) => (Kind::Handshake, None),
            Ok(Completion::Event(_)) => {
                let cause = context.parked.as_ref();
                let hint = event.and_then(|event| event.hint);
                let explained = cause.map(parked).or_else(|| hint.map(Explained::hint));
                (Kind::Taken, explained)
            }
            Err(reject) => (Kind::Refused, Some(explain(context, reject))),
        };
        let workflow = match result {
            Ok(Completion::Event(outcome)) => workflow(outcome),
            _ => None,
        };
        let captured = source
            .filter(|_| kind == Kind::Refused)
            .and_then(|source| Captured::of(source.capture.as_ref()?, context));
        Some(Self {
            number: 0,
            at: SystemTime::now(),
            source: source.map(|source| source.path.clone()),
            outcome,
            kind,
            explained,
            again: matches!(result, Err(reject) if reject.row().fault.send_again()),
            event: event.map(Labels::of),
            claimed: match (source, event, kind) {
                (Some(source), None, Kind::Refused) => [
                    ("topic", claimed(&source.provider.topic, context.parts)),
                    ("tenant", claimed(&source.provider.tenant, context.parts)),
                    ("event_id", claimed(&source.provider.id, context.parts)),
                ]
                .into_iter()
                .filter_map(|(name, value)| Some((name, value?)))
                .collect(),
                _ => Vec::new(),
            },
            workflow,
            route: context.route.map(str::to_owned),
            verified_by: event
                .map(|event| event.verified_by.clone())
                .filter(|name| !name.is_empty()),
            took: context.first_byte.elapsed(),
            temporal: context.temporal_took,
            bytes: context.body_bytes,
            request_id: context.id.to_owned(),
            peer: context.peer.to_canonical(),
            is_test: context.is_test,
            captured,
        })
    }

    /// For the operator's eyes.
    pub fn json(&self) -> Value {
        let mut json = Map::new();
        let mut put = |name: &str, value: Value| {
            if !value.is_null() {
                json.insert(name.to_owned(), value);
            }
        };
        put("number", json!(self.number));
        put("time", json!(time(self.at)));
        put("source", json!(self.source));
        put("outcome", json!(self.outcome));
        put("kind", json!(self.kind.name()));
        if let Some(explained) = &self.explained {
            put("reason", json!(explained.reason));
            put("advice", json!(explained.advice));
        }
        if self.kind == Kind::Refused {
            put("sent_again", json!(self.again));
            put("peer", json!(self.peer));
        }
        if let Some(labels) = &self.event {
            put("event_id", json!(labels.id));
            put("topic", json!(labels.topic));
            put("tenant", json!(labels.tenant));
        }
        if !self.claimed.is_empty() {
            let claimed = self.claimed.iter();
            let claimed = claimed.map(|(name, value)| ((*name).to_owned(), json!(value)));
            put("claimed", Value::Object(claimed.collect()));
        }
        if let Some((workflow_id, run_id)) = &self.workflow {
            put("workflow_id", json!(workflow_id));
            put(
                "run_id",
                Some(run_id)
                    .filter(|id| !id.is_empty())
                    .map_or(Value::Null, |id| json!(id)),
            );
        }
        put("route", json!(self.route));
        put("secret", json!(self.verified_by));
        put("ms", json!(milliseconds(self.took)));
        put("temporal_ms", json!(self.temporal.map(milliseconds)));
        put("bytes", json!(self.bytes));
        put("request_id", json!(self.request_id));
        put(
            "test",
            if self.is_test {
                json!(true)
            } else {
                Value::Null
            },
        );
        put(
            "captured",
            self.captured.as_ref().map_or(Value::Null, Captured::json),
        );
        Value::Object(json)
    }
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Taken => "taken",
            Self::Handshake => "handshake",
            Self::Refused => "refused",
        }
    }
}

impl Labels {
    fn of(event: &Event) -> Self {
        let label = |text: &str| readable(&short(text, LONGEST)).into_owned();
        Self {
            id: event.id.clone(),
            topic: event.topic.as_deref().map(label),
            tenant: event.tenant.as_deref().map(label),
        }
    }
}

fn workflow(outcome: &Outcome) -> Option<(String, String)> {
    let execution = outcome.execution()?;
    Some((execution.workflow_id.clone(), execution.run_id.clone()))
}

/// As RFC 3339 has it.
pub fn time(at: SystemTime) -> String {
    humantime::format_rfc3339_millis(at).to_string()
}

fn milliseconds(took: Duration) -> f64 {
    (took.as_secs_f64() * 10_000.0).round() / 10.0
}

/// Characters of a label.
const LONGEST: usize = 200;

//! The metrics of each source, looked up once: a lookup by name and labels costs as much as a short step of an
//! event.

mod events;

use std::sync::OnceLock;
use std::time::{Duration, UNIX_EPOCH};

use metrics::{Counter, Gauge};
use webhook_core::event::Event;
use webhook_core::outcome::LABELS;
use webhook_core::source::{NamedSecret, Source, Verification};
use webhook_core::verified::Proof;

use self::events::EventCounters;
pub use self::events::Labels;
use crate::forward::flood::Flood;
use crate::telemetry::timing::Timing;
use crate::telemetry::{BLOCKED, KEY_USED, LAST_EVENT, REQUEST_DURATION, REQUESTS};

/// Of one source. What was counted before, under the same labels, goes on.
pub struct SourceMetrics {
    path: String,
    outcomes: Vec<OutcomeMetrics>,
    /// One for each secret, in their order.
    secrets: Vec<Counter>,
    /// Addresses that were blocked; `None`: none ever is.
    blocked: Option<Counter>,
    /// Of its refusals.
    pub flood: Flood,
    events: EventCounters,
    /// Made when it is needed: at 0 it would say that the last event is old.
    last_event: OnceLock<Gauge>,
}

struct OutcomeMetrics {
    label: &'static str,
    requests: Counter,
    /// Made when it is needed: an empty one would be shown with all its buckets.
    duration: OnceLock<Timing>,
}

impl SourceMetrics {
    /// Their counters begin at 0: the first that is counted is an increase, too.
    pub fn new(source: &Source, labels: &Labels) -> Self {
        let path = &source.path;
        let outcome = |label: &&'static str| OutcomeMetrics {
            label,
            requests: metrics::counter!(REQUESTS, "source" => path.clone(), "outcome" => *label),
            duration: OnceLock::new(),
        };
        let secrets = match &source.verification {
            Verification::Signature { secrets, .. } => secrets.as_slice(),
            _ => &[],
        };
        let secret = |secret: &NamedSecret| metrics::counter!(KEY_USED, "source" => path.clone(), "key" => secret.name.clone());
        Self {
            outcomes: LABELS.iter().map(outcome).collect(),
            secrets: secrets.iter().map(secret).collect(),
            blocked: (source.block.as_ref())
                .map(|_| metrics::counter!(BLOCKED, "source" => path.clone())),
            flood: Flood::new(path),
            events: EventCounters::new(source, labels),
            last_event: OnceLock::new(),
            path: path.clone(),
        }
    }

    /// A request has been answered; this was its event, if its sender was proven; and its trace, if it has one.
    pub fn count(
        &self,
        outcome: &'static str,
        elapsed: Duration,
        event: Option<&Event>,
        trace: Option<[u8; 16]>,
    ) {
        let Some(index) = LABELS.iter().position(|label| *label == outcome) else {
            return;
        };
        let metrics = &self.outcomes[index];
        metrics.requests.increment(1);
        let duration = metrics.duration.get_or_init(|| {
            let labels = [("source", self.path.as_str()), ("outcome", metrics.label)];
            Timing::new(REQUEST_DURATION, &labels)
        });
        duration.record(elapsed, trace);
        if let Some(event) = event {
            self.events.count(index, event);
            let last_event = self
                .last_event
                .get_or_init(|| metrics::gauge!(LAST_EVENT, "source" => self.path.clone()));
            let at = event.received_at.duration_since(UNIX_EPOCH);
            last_event.set(at.unwrap_or_default().as_secs_f64());
        }
    }

    /// One more address is blocked.
    pub fn count_blocked(&self) {
        if let Some(blocked) = &self.blocked {
            blocked.increment(1);
        }
    }

    /// The secret that the signature was made with, if it was one.
    pub fn count_secret(&self, proof: Proof) {
        if let Proof::Secret(index) = proof {
            self.secrets[index].increment(1);
        }
    }
}

//! The metrics of each source, looked up once: a lookup by name and labels costs as much as a short step of an
//! event.

use std::sync::OnceLock;
use std::time::Duration;

use metrics::{Counter, Histogram};
use webhook_core::outcome::LABELS;
use webhook_core::source::{NamedSecret, Source, Verification};
use webhook_core::verified::Proof;

use crate::telemetry::{KEY_USED, REQUEST_DURATION, REQUESTS};

/// Of one source. What was counted before, under the same labels, goes on.
pub struct SourceMetrics {
    path: String,
    outcomes: Vec<OutcomeMetrics>,
    /// One for each secret, in their order.
    secrets: Vec<Counter>,
}

struct OutcomeMetrics {
    label: &'static str,
    requests: Counter,
    /// Made when it is needed: an empty one would be shown with all its buckets.
    duration: OnceLock<Histogram>,
}

impl SourceMetrics {
    /// Their counters begin at 0: the first that is counted is an increase, too.
    pub fn new(source: &Source) -> Self {
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
            path: path.clone(),
        }
    }

    /// A request has been answered.
    pub fn count(&self, outcome: &'static str, elapsed: Duration) {
        let mut outcomes = self.outcomes.iter();
        if let Some(metrics) = outcomes.find(|metrics| metrics.label == outcome) {
            metrics.requests.increment(1);
            let duration = metrics.duration.get_or_init(|| {
                metrics::histogram!(REQUEST_DURATION, "source" => self.path.clone(), "outcome" => outcome)
            });
            duration.record(elapsed.as_secs_f64());
        }
    }

    /// The secret that the signature was made with, if it was one.
    pub fn count_secret(&self, proof: Proof) {
        if let Proof::Secret(index) = proof {
            self.secrets[index].increment(1);
        }
    }
}

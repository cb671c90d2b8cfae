//! A histogram of durations that is looked up once, and the traces that its buckets can name: one request
//! each, the last that took so long.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use metrics::{Histogram, Label};

/// The histogram, and its exemplars if there are any.
pub struct Timing {
    histogram: Histogram,
    series: String,
    exemplars: OnceLock<Arc<Exemplars>>,
}

impl Timing {
    /// Of this metric, with these labels.
    pub fn new(metric: &'static str, labels: &[(&'static str, &str)]) -> Self {
        let all = labels.iter();
        let own = all.map(|(name, value)| Label::new(*name, (*value).to_owned()));
        let written = labels
            .iter()
            .map(|(name, value)| format!("{name}={value:?}"));
        let written: Vec<_> = written.collect();
        Self {
            histogram: metrics::histogram!(metric, own.collect::<Vec<_>>()),
            series: format!("{metric}_bucket{{{}", written.join(",")),
            exemplars: OnceLock::new(),
        }
    }

    /// Notes one duration; of a request that is traced, its trace.
    pub fn record(&self, elapsed: Duration, trace: Option<[u8; 16]>) {
        let seconds = elapsed.as_secs_f64();
        self.histogram.record(seconds);
        if let Some(trace) = trace {
            self.exemplars
                .get_or_init(|| of(&self.series))
                .note(seconds, trace);
        }
    }
}

/// The last of each bucket.
#[derive(Debug, Default)]
pub struct Exemplars(Mutex<[Option<Exemplar>; BUCKETS.len() + 1]>);

/// A request that took so long, and its trace.
#[derive(Debug, Clone, Copy)]
pub struct Exemplar {
    trace: [u8; 16],
    seconds: f64,
    at: SystemTime,
}

impl Exemplars {
    fn note(&self, seconds: f64, trace: [u8; 16]) {
        let bucket = BUCKETS.partition_point(|bound| *bound < seconds);
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all[bucket] = Some(Exemplar {
            trace,
            seconds,
            at: SystemTime::now(),
        });
    }

    /// That of the bucket up to `bound`, as the page writes it.
    pub fn of_bucket(&self, bound: &str) -> Option<Exemplar> {
        let bound = bound.parse().ok();
        let bucket = BUCKETS.iter().position(|it| Some(*it) == bound);
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all[bucket.unwrap_or(BUCKETS.len())]
    }
}

impl fmt::Display for Exemplar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self.at.duration_since(UNIX_EPOCH).unwrap_or_default();
        let (trace, seconds) = (hex::encode(self.trace), self.seconds);
        let at = at.as_secs_f64();
        write!(f, "{{trace_id=\"{trace}\"}} {seconds} {at:.3}")
    }
}

/// All that there are, by the series before `,le=`.
pub fn exemplars() -> BTreeMap<String, Arc<Exemplars>> {
    ALL.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

/// Those of the series go on after a reload.
fn of(series: &str) -> Arc<Exemplars> {
    let mut all = ALL.lock().unwrap_or_else(PoisonError::into_inner);
    Arc::clone(all.entry(series.to_owned()).or_default())
}

static ALL: Mutex<BTreeMap<String, Arc<Exemplars>>> = Mutex::new(BTreeMap::new());

/// Around the deadlines that senders set: 2.5 s and 4 s are bounds of their own.
pub(super) const BUCKETS: [f64; 12] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 2.5, 4.0, 5.0,
];

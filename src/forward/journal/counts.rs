//! What is counted of requests: by outcome, how long they took, and of a source when and with which secret.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde_json::{Map, Value, json};
use tokio::time::Instant;
use webhook_core::outcome::LABELS;

use super::entry::{Entry, Kind, time};
use super::gaps::Gaps;
use super::windows::{ONE_MINUTE, Window, Windows};

/// How often each outcome came.
#[derive(Debug, Clone)]
pub struct Counts([u64; LABELS.len()]);

impl Default for Counts {
    fn default() -> Self {
        Self([0; LABELS.len()])
    }
}

impl Counts {
    /// One more.
    pub fn add(&mut self, outcome: &str) {
        if let Some(index) = LABELS.iter().position(|label| *label == outcome) {
            self.0[index] += 1;
        }
    }

    /// Those of another, too.
    pub fn join(&mut self, other: &Self) {
        for (own, other) in self.0.iter_mut().zip(other.0) {
            *own += other;
        }
    }

    /// All of them.
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    /// Those that came.
    pub fn json(&self) -> Value {
        let came = LABELS.iter().zip(self.0).filter(|(_, count)| *count > 0);
        let came = came.map(|(label, count)| ((*label).to_owned(), json!(count)));
        Value::Object(came.collect::<Map<_, _>>())
    }
}

/// How long something took, in buckets that are fine enough for a plot.
#[derive(Debug, Clone, Default)]
pub struct Durations([u32; BOUNDS.len() + 1]);

impl Durations {
    fn add(&mut self, took: Duration) {
        let milliseconds = took.as_secs_f64() * 1000.0;
        let bucket = BOUNDS.iter().position(|bound| milliseconds <= *bound);
        let bucket = &mut self.0[bucket.unwrap_or(BOUNDS.len())];
        *bucket = bucket.saturating_add(1);
    }

    /// The time within which this share was done, in milliseconds.
    fn quantile(&self, share: f64) -> Option<f64> {
        let total: u64 = self.0.iter().map(|count| u64::from(*count)).sum();
        let wanted = (total as f64 * share).max(1.0);
        let mut before = 0.0;
        for (index, count) in self.0.iter().enumerate() {
            let count = f64::from(*count);
            if count > 0.0 && before + count >= wanted {
                let low = index.checked_sub(1).map_or(0.0, |below| BOUNDS[below]);
                let high = BOUNDS.get(index).copied().unwrap_or(2.0 * low);
                return Some(low + (high - low) * (wanted - before) / count);
            }
            before += count;
        }
        None
    }

    fn json(&self) -> Value {
        let rounded = |share| self.quantile(share).map(|it| (it * 10.0).round() / 10.0);
        match rounded(0.5) {
            Some(half) => json!([half, rounded(0.95), rounded(0.99)]),
            None => Value::Null,
        }
    }
}

/// What came in some time.
#[derive(Debug, Clone, Default)]
pub struct Traffic {
    /// How it ended.
    pub outcomes: Counts,
    took: Durations,
    temporal: Durations,
}

impl Traffic {
    pub(super) fn add(&mut self, entry: &Entry) {
        self.outcomes.add(entry.outcome);
        self.took.add(entry.took);
        if let Some(took) = entry.temporal {
            self.temporal.add(took);
        }
    }

    pub(super) fn json(&self) -> Value {
        let (ms, temporal_ms) = (self.took.json(), self.temporal.json());
        json!({ "outcomes": self.outcomes.json(), "ms": ms, "temporal_ms": temporal_ms })
    }
}

/// What came in the last minute, hour and day: in all, and by outcome.
pub(super) fn rates<T: Default + Clone>(
    windows: &mut Windows<T>,
    now: Instant,
    counts: impl Fn(&T) -> &Counts,
) -> Value {
    let mut sum = |window| {
        let mut sum = Counts::default();
        for slot in windows.slots(now, window) {
            sum.join(counts(slot));
        }
        json!({ "total": sum.total(), "outcomes": sum.json() })
    };
    let (minute, hour, day) = (sum(Window::Minute), sum(Window::Hour), sum(Window::Day));
    json!({ "minute": minute, "hour": hour, "day": day })
}

/// What is to be drawn, slot for slot.
pub(super) fn series(windows: &mut Windows<Traffic>, now: Instant) -> Value {
    let mut series = |window: Window| {
        let slots = windows.slots(now, window);
        let slots: Vec<_> = slots.into_iter().map(Traffic::json).collect();
        json!({ "seconds": window.slot(), "slots": slots })
    };
    let minutes = series(Window::FiveMinutes);
    json!({ "minutes": minutes, "hour": series(Window::Hour), "day": series(Window::Day) })
}

/// What is known of one source since the start.
pub struct SourceCounts {
    totals: Counts,
    windows: Windows<Counts>,
    last_event: Option<SystemTime>,
    last_refusal: Option<SystemTime>,
    /// The setting of the secret that matched last, and when.
    secret: Option<(String, SystemTime)>,
    gaps: Gaps,
    /// Refusals of which more was kept.
    captured: VecDeque<Arc<Entry>>,
}

impl SourceCounts {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            totals: Counts::default(),
            windows: Windows::new(now, ONE_MINUTE),
            last_event: None,
            last_refusal: None,
            secret: None,
            gaps: Gaps::default(),
            captured: VecDeque::new(),
        }
    }

    pub(super) fn add(&mut self, entry: &Entry, now: Instant) {
        self.totals.add(entry.outcome);
        self.windows.at(now, |counts| counts.add(entry.outcome));
        match entry.kind {
            Kind::Taken => {
                self.last_event = Some(entry.at);
                self.gaps.add(now);
            }
            Kind::Refused => self.last_refusal = Some(entry.at),
            Kind::Handshake => {}
        }
        if let Some(name) = &entry.verified_by {
            match &mut self.secret {
                Some((last, at)) if last == name => *at = entry.at,
                secret => *secret = Some((name.clone(), entry.at)),
            }
        }
    }

    pub(super) fn capture(&mut self, entry: &Arc<Entry>, most: usize) {
        self.captured.push_back(Arc::clone(entry));
        while self.captured.len() > most {
            self.captured.pop_front();
        }
    }

    pub(super) fn captured(&self) -> impl Iterator<Item = &Arc<Entry>> {
        self.captured.iter()
    }

    /// How often what came, when it came last, and what is odd about that.
    pub fn json(&mut self, now: Instant) -> Value {
        let usual = self.gaps.usual();
        let secret = self.secret.as_ref();
        json!({
            "total": self.totals.total(),
            "outcomes": self.totals.json(),
            "rates": rates(&mut self.windows, now, |counts| counts),
            "last_event": self.last_event.map(time),
            "last_refusal": self.last_refusal.map(time),
            "usual_gap_seconds": usual.map(|gap| gap.as_secs_f64().round()),
            "silent_for_gaps": self.gaps.silent_for(now).map(|times| (times * 10.0).round() / 10.0),
            "last_secret": secret.map(|(name, at)| json!({ "name": name, "at": time(*at) })),
        })
    }
}

/// In milliseconds.
const BOUNDS: [f64; 23] = [
    1.0, 2.0, 3.0, 5.0, 7.0, 10.0, 15.0, 20.0, 30.0, 50.0, 70.0, 100.0, 150.0, 200.0, 300.0, 500.0,
    700.0, 1000.0, 1500.0, 2000.0, 3000.0, 4000.0, 5000.0,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_within_their_bucket() {
        let mut durations = Durations::default();
        assert_eq!(durations.json(), Value::Null);
        for milliseconds in 1..=100 {
            durations.add(Duration::from_millis(milliseconds));
        }
        for (share, least, most) in [(0.5, 49.0, 51.0), (0.95, 90.0, 100.0), (0.99, 95.0, 100.0)] {
            let found = durations.quantile(share).expect("there are some");
            assert!((least..=most).contains(&found), "{share}: {found}");
        }
        let mut slow = Durations::default();
        slow.add(Duration::from_secs(60));
        assert_eq!(slow.quantile(0.5), Some(10_000.0));
    }
}

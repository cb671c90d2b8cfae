//! `[metrics]`: which words of senders may be labels, and how often task queues are asked about.

use std::collections::HashSet;
use std::ops::RangeInclusive;
use std::time::Duration;

use serde::Deserialize;
use webhook_core::provider::values::Span;

use crate::config::reader::{Reader, Section};

/// `[metrics]`
#[derive(Debug, Clone)]
pub struct Metrics {
    /// The topics that get a label of their own; none: there is no such label.
    pub topics: Vec<String>,
    /// The same of tenants.
    pub tenants: Vec<String>,
    /// How often each task queue is asked who polls it.
    pub task_queue_interval: Duration,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            topics: Vec::new(),
            tenants: Vec::new(),
            task_queue_interval: Duration::from_secs(60),
        }
    }
}

impl Metrics {
    pub(super) fn read<'t>(r: &mut Reader<'t>, root: &mut Section<'t>) -> Self {
        let default = Self::default();
        let Some(mut section) = root.table(r, "metrics") else {
            return default;
        };
        let (start, place) = (section.start(), section.place().to_owned());
        let interval = section.take(r, "task_queue_interval");
        let metrics = Self {
            topics: labels(r, &mut section, "topics"),
            tenants: labels(r, &mut section, "tenants"),
            task_queue_interval: interval
                .map_or(default.task_queue_interval, |Interval(span)| span),
        };
        let series = (metrics.topics.len() + 1) * (metrics.tenants.len() + 1);
        if series > MAX_SERIES {
            let problem = format!(
                "topics times tenants, each with one more for `{OTHER}`, are {series} labels: expected no more than {MAX_SERIES}, of each source and outcome"
            );
            r.mistake(start, &place, &problem);
        }
        section.finish(r);
        metrics
    }
}

/// Every label once, and none that is ours.
fn labels<'t>(r: &mut Reader<'t>, section: &mut Section<'t>, key: &'static str) -> Vec<String> {
    let (at, full) = (section.at(key), section.full(key));
    let listed: Vec<String> = section.take_list(r, key).unwrap_or_default();
    let mut seen = HashSet::new();
    for label in &listed {
        let length = label.chars().count();
        if label == OTHER || !(1..=MAX_LABEL).contains(&length) {
            let problem = format!(
                "{label:?}: expected a text of 1 to {MAX_LABEL} characters, and not {OTHER:?}, which counts all that are not listed"
            );
            r.mistake(at, &full, &problem);
        } else if !seen.insert(label) {
            r.mistake(at, &full, &format!("{label:?} is there twice"));
        }
    }
    listed
}

/// Between two questions about a task queue.
#[derive(Debug, Deserialize)]
#[serde(try_from = "Span")]
struct Interval(Duration);

impl TryFrom<Span> for Interval {
    type Error = &'static str;

    fn try_from(Span(span): Span) -> Result<Self, &'static str> {
        let fits = INTERVALS.contains(&span);
        fits.then_some(Self(span))
            .ok_or("expected \"1s\" to \"1h\"")
    }
}

/// What is not listed.
pub const OTHER: &str = "other";
const MAX_SERIES: usize = 1000;
const MAX_LABEL: usize = 200;
const INTERVALS: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(3600);

//! What a `[[source]]` and its `[[source.route]]` can say about events, as the person wrote it.

use std::ops::RangeInclusive;
use std::time::Duration;

use serde::Deserialize;
use webhook_core::action::{
    Action, ConflictPolicy, OnLate, OnMissing, Respond, Retry, ReusePolicy, Versioning,
};
use webhook_core::codec::Compression;
use webhook_core::expression::Expression;
use webhook_core::expression::template::Template;
use webhook_core::payload::Format;
use webhook_core::provider::words::Span;

use crate::config::reader::{Places, Reader, Section};

/// `[[source.route]]`
#[derive(Debug, Clone)]
pub struct Route {
    /// Its keys' names, for mistakes.
    pub places: Places,
    /// `None` if the file has none that can be one.
    pub when: Option<Expression>,
    /// What it says otherwise than its source.
    pub says: Says,
}

/// Everything that a route may say otherwise than its source, and a source than its provider.
#[derive(Debug, Default, Clone)]
pub struct Says {
    /// What becomes of the event.
    pub action: Option<Action>,
    /// The workflow's type.
    pub workflow_type: Option<Template>,
    /// The workflow's id.
    pub workflow_id: Option<Template>,
    /// The workflow's task queue.
    pub task_queue: Option<Template>,
    /// The signal's name.
    pub signal: Option<Template>,
    /// The update's name.
    pub update: Option<Template>,
    /// What an update is answered with.
    pub respond: Option<Respond>,
    /// And if it takes too long.
    pub on_late: Option<OnLate>,
    /// What becomes of a signal without a workflow.
    pub on_missing: Option<OnMissing>,
    /// Whether a closed workflow's id may be used again.
    pub reuse_policy: Option<ReusePolicy>,
    /// What happens to a running workflow of the id.
    pub conflict_policy: Option<ConflictPolicy>,
    /// All runs and retries together.
    pub execution_timeout: Option<Duration>,
    /// One run.
    pub run_timeout: Option<Duration>,
    /// One workflow task.
    pub task_timeout: Option<Duration>,
    /// Before the first workflow task.
    pub start_delay: Option<Duration>,
    /// The workflow's retry policy.
    pub retry: Option<Retry>,
    /// 1 (first) to 5 (last).
    pub priority: Option<i32>,
    /// Whose share of the task queue it takes.
    pub fairness_key: Option<Template>,
    /// How large that share is.
    pub fairness_weight: Option<f32>,
    /// On which version of the workers it runs.
    pub versioning_override: Option<Versioning>,
    /// By name.
    pub search_attributes: Option<Vec<(String, Template)>>,
    /// By name.
    pub memo: Option<Vec<(String, Template)>>,
    /// One line for people.
    pub summary: Option<Template>,
    /// More lines.
    pub details: Option<Template>,
    /// What the worker gets.
    pub format: Option<Format>,
    /// Whether that is made smaller.
    pub compress: Option<Compression>,
    /// Where its dead letters go.
    pub dead_letter: Option<DeadLetter>,
}

/// `true`, `false`, or a task queue.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged, expecting = "expected true, false or a task queue's name")]
pub enum DeadLetter {
    /// Whether there are any.
    Switch(bool),
    /// Yes, on this task queue.
    Queue(String),
}

impl Route {
    pub(super) fn read<'t>(r: &mut Reader<'t>, mut s: Section<'t>) -> Self {
        let places = r.places(&s);
        let when = s.require(
            r,
            "when",
            "a condition such as 'topic == \"orders/create\"'",
        );
        let route = Self {
            places,
            when: when.map(|Condition(expression)| expression),
            says: Says::read(r, &mut s),
        };
        s.finish(r);
        route
    }
}

impl Says {
    pub(super) fn read<'t>(r: &mut Reader<'t>, s: &mut Section<'t>) -> Self {
        let mut span = |key| s.take(r, key).map(|Positive(span)| span);
        let timeouts = [
            "execution_timeout",
            "run_timeout",
            "task_timeout",
            "start_delay",
        ];
        let [execution_timeout, run_timeout, task_timeout, start_delay] = timeouts.map(&mut span);
        Self {
            execution_timeout,
            run_timeout,
            task_timeout,
            start_delay,
            action: s.take(r, "action"),
            workflow_type: s.take(r, "workflow_type"),
            workflow_id: s.take(r, "workflow_id"),
            task_queue: s.take(r, "task_queue"),
            signal: s.take(r, "signal"),
            update: s.take(r, "update"),
            respond: s.take(r, "respond"),
            on_late: s.take(r, "on_late"),
            on_missing: s.take(r, "on_missing"),
            reuse_policy: s.take(r, "reuse_policy"),
            conflict_policy: s.take(r, "conflict_policy"),
            retry: retry(r, s),
            priority: s.take(r, "priority").map(|Priority(priority)| priority),
            fairness_key: s.take(r, "fairness_key"),
            fairness_weight: s.take(r, "fairness_weight").map(|Weight(weight)| weight),
            versioning_override: versioning(r, s),
            search_attributes: s.table_of(r, "search_attributes", by_key),
            memo: s.table_of(r, "memo", by_key),
            summary: s.take(r, "summary"),
            details: s.take(r, "details"),
            format: s.take(r, "format"),
            compress: s.take(r, "compress"),
            dead_letter: s.take(r, "dead_letter"),
        }
    }

    /// Its templates that make a text, with their keys.
    pub fn texts(&self) -> impl Iterator<Item = (&'static str, &Template)> {
        let texts = [
            ("workflow_type", &self.workflow_type),
            ("workflow_id", &self.workflow_id),
            ("task_queue", &self.task_queue),
            ("signal", &self.signal),
            ("update", &self.update),
            ("fairness_key", &self.fairness_key),
            ("summary", &self.summary),
            ("details", &self.details),
        ];
        let there = texts.into_iter();
        there.filter_map(|(key, template)| Some((key, template.as_ref()?)))
    }

    /// Its templates that make a value, with their keys and names.
    pub fn values(&self) -> impl Iterator<Item = (&'static str, &str, &Template)> {
        let tables = [
            ("search_attributes", &self.search_attributes),
            ("memo", &self.memo),
        ];
        tables.into_iter().flat_map(|(key, entries)| {
            let entries = entries.iter().flatten();
            entries.map(move |(name, template)| (key, name.as_str(), template))
        })
    }

    /// This, and where it says nothing, `base`.
    pub fn or(self, base: &Self) -> Self {
        macro_rules! either {
            ($($key:ident)*) => {
                Self { $($key: self.$key.or_else(|| base.$key.clone())),* }
            };
        }
        either! {
            action workflow_type workflow_id task_queue signal update respond on_late on_missing
            reuse_policy conflict_policy execution_timeout run_timeout task_timeout start_delay retry
            priority fairness_key fairness_weight versioning_override search_attributes memo summary
            details format compress dead_letter
        }
    }
}

fn by_key<'t>(r: &mut Reader<'t>, section: Section<'t>) -> Vec<(String, Template)> {
    section.take_by_key(r)
}

fn retry<'t>(r: &mut Reader<'t>, s: &mut Section<'t>) -> Option<Retry> {
    let mut s = s.table(r, "retry")?;
    let (at, place) = (s.at("maximum_interval"), s.full("maximum_interval"));
    let retry = Retry {
        initial_interval: s.take(r, "initial_interval").map(|Positive(span)| span),
        backoff_coefficient: s
            .take(r, "backoff_coefficient")
            .map(|Backoff(factor)| factor),
        maximum_interval: s.take(r, "maximum_interval").map(|Positive(span)| span),
        maximum_attempts: s.take(r, "maximum_attempts").map(|Attempts(number)| number),
        non_retryable: s.take(r, "non_retryable").unwrap_or_default(),
    };
    s.finish(r);
    // Temporal refuses the start.
    let initial = retry.initial_interval.unwrap_or(TEMPORALS_INTERVAL);
    if retry
        .maximum_interval
        .is_some_and(|maximum| maximum < initial)
    {
        let problem = format!(
            "shorter than initial_interval, {:?}",
            humantime::format_duration(initial).to_string()
        );
        r.mistake(at, &place, &problem);
    }
    Some(retry)
}

/// `"auto-upgrade"`, or a table with `deployment` and `build_id`.
fn versioning<'t>(r: &mut Reader<'t>, s: &mut Section<'t>) -> Option<Versioning> {
    const KEY: &str = "versioning_override";
    if !s.has_table(KEY) {
        return s.take(r, KEY).map(|_: AutoUpgrade| Versioning::AutoUpgrade);
    }
    let mut table = s.table(r, KEY)?;
    let deployment = table.require(r, "deployment", "the worker deployment's name");
    let build_id = table.require(r, "build_id", "the build's id");
    table.finish(r);
    Some(Versioning::Pinned {
        deployment: deployment.map(|Named(name)| name)?,
        build_id: build_id.map(|Named(name)| name)?,
    })
}

/// The one word.
#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "expected \"auto-upgrade\" or { deployment = \"…\", build_id = \"…\" }"
)]
enum AutoUpgrade {
    Word(AutoUpgradeWord),
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum AutoUpgradeWord {
    AutoUpgrade,
}

/// A text that is not empty.
#[derive(Deserialize)]
#[serde(try_from = "String")]
struct Named(String);

impl TryFrom<String> for Named {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        if text.is_empty() {
            return Err("must not be empty");
        }
        Ok(Self(text))
    }
}

#[derive(Deserialize)]
#[serde(try_from = "String")]
struct Condition(Expression);

impl TryFrom<String> for Condition {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Expression::condition(&text).map(Self)
    }
}

#[derive(Deserialize)]
#[serde(try_from = "Span")]
struct Positive(Duration);

impl TryFrom<Span> for Positive {
    type Error = &'static str;

    fn try_from(Span(span): Span) -> Result<Self, &'static str> {
        let fits = SPANS.contains(&span);
        fits.then_some(Self(span))
            .ok_or("expected \"1ms\" to \"100years\"")
    }
}

#[derive(Deserialize)]
#[serde(try_from = "i64")]
struct Priority(i32);

impl TryFrom<i64> for Priority {
    type Error = String;

    fn try_from(number: i64) -> Result<Self, String> {
        match number {
            1..=5 => Ok(Self(number as i32)),
            _ => Err(format!("{number}: expected 1 (first) to 5 (last)")),
        }
    }
}

#[derive(Deserialize)]
#[serde(try_from = "f64")]
struct Weight(f32);

impl TryFrom<f64> for Weight {
    type Error = String;

    fn try_from(number: f64) -> Result<Self, String> {
        match number {
            0.001..=1000.0 => Ok(Self(number as f32)),
            _ => Err(format!("{number}: expected 0.001 to 1000")),
        }
    }
}

#[derive(Deserialize)]
#[serde(try_from = "f64")]
struct Backoff(f64);

impl TryFrom<f64> for Backoff {
    type Error = String;

    fn try_from(number: f64) -> Result<Self, String> {
        match number {
            1.0..=1000.0 => Ok(Self(number)),
            _ => Err(format!("{number}: expected 1 to 1000")),
        }
    }
}

#[derive(Deserialize)]
#[serde(try_from = "i64")]
struct Attempts(i32);

impl TryFrom<i64> for Attempts {
    type Error = String;

    fn try_from(number: i64) -> Result<Self, String> {
        match i32::try_from(number) {
            Ok(attempts @ 1..) => Ok(Self(attempts)),
            _ => Err(format!(
                "{number}: expected 1 to {}, or leave it out for no limit",
                i32::MAX
            )),
        }
    }
}

/// Temporal's default of `initial_interval`.
const TEMPORALS_INTERVAL: Duration = Duration::from_secs(1);
const SPANS: RangeInclusive<Duration> =
    Duration::from_millis(1)..=Duration::from_secs(100 * 366 * 24 * 60 * 60);

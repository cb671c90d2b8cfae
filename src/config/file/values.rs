//! How the values of a route's keys read: the functions that the [table](webhook_core::keys) names.

use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use webhook_core::expression::Expression;
use webhook_core::expression::template::Template;
use webhook_core::options::{Retry, Timeout, Versioning};

use crate::config::reader::{Reader, Section};

/// What its type takes.
pub(super) fn value<'t, T: DeserializeOwned>(
    r: &mut Reader<'t>,
    s: &mut Section<'t>,
    key: &'static str,
) -> Option<T> {
    s.take(r, key)
}

/// A text with holes.
pub(super) fn template<'t>(
    r: &mut Reader<'t>,
    s: &mut Section<'t>,
    key: &'static str,
) -> Option<Template> {
    s.take(r, key)
}

/// A table of them, whatever its keys.
pub(super) fn templates<'t>(
    r: &mut Reader<'t>,
    s: &mut Section<'t>,
    key: &'static str,
) -> Option<Vec<(String, Template)>> {
    s.table_of(r, key, |r, table| table.take_by_key(r))
}

/// A table with a key for each part.
pub(super) fn retry<'t>(
    r: &mut Reader<'t>,
    s: &mut Section<'t>,
    key: &'static str,
) -> Option<Retry> {
    let mut s = s.table(r, key)?;
    let (at, place) = (s.at("maximum_interval"), s.full("maximum_interval"));
    let retry = Retry {
        initial_interval: s.take(r, "initial_interval"),
        backoff_coefficient: s
            .take(r, "backoff_coefficient")
            .map(|Backoff(factor)| factor),
        maximum_interval: s.take(r, "maximum_interval"),
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
            humantime::format_duration(initial.0).to_string()
        );
        r.mistake(at, &place, &problem);
    }
    Some(retry)
}

/// `"auto-upgrade"`, or a table with `deployment` and `build_id`.
pub(super) fn versioning<'t>(
    r: &mut Reader<'t>,
    s: &mut Section<'t>,
    key: &'static str,
) -> Option<Versioning> {
    if !s.has_table(key) {
        return s.take(r, key).map(|_: AutoUpgrade| Versioning::AutoUpgrade);
    }
    let mut table = s.table(r, key)?;
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

/// An expression that is true or false.
#[derive(Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Condition(pub(super) Expression);

impl TryFrom<String> for Condition {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Expression::condition(&text).map(Self)
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
const TEMPORALS_INTERVAL: Timeout = Timeout(Duration::from_secs(1));

//! How durations, sizes, methods and statuses are written in files.

use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use http::{Method, StatusCode};
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer};

/// `"4s"`, `"2h 30m"`.
#[derive(Debug, Clone, Copy)]
pub struct Span(pub Duration);

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = deserializer.deserialize_str(Text("a duration such as \"4s\""))?;
        Self::try_from(text).map_err(Error::custom)
    }
}

impl TryFrom<String> for Span {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        humantime::parse_duration(&text)
            .map(Self)
            .map_err(|_| format!("{text:?} is no duration such as \"4s\""))
    }
}

/// In words, in the largest unit that it is a multiple of: `3 days`, `36 hours`, `2500 ms`.
pub fn format_duration(span: Duration) -> String {
    let seconds = span.as_secs();
    let (count, unit) = match seconds {
        _ if span.subsec_nanos() > 0 || seconds == 0 => return format!("{} ms", span.as_millis()),
        _ if seconds.is_multiple_of(86_400) => (seconds / 86_400, "day"),
        _ if seconds.is_multiple_of(3600) => (seconds / 3600, "hour"),
        _ if seconds.is_multiple_of(60) => (seconds / 60, "minute"),
        _ => (seconds, "second"),
    };
    let s = if count == 1 { "" } else { "s" };
    format!("{count} {unit}{s}")
}

/// How long a source may take to answer: `"500ms"` to `"60s"`.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(try_from = "Span")]
pub struct Deadline(pub Duration);

impl TryFrom<Span> for Deadline {
    type Error = &'static str;

    fn try_from(Span(span): Span) -> Result<Self, &'static str> {
        let fits = DEADLINES.contains(&span);
        fits.then_some(Self(span))
            .ok_or("expected \"500ms\" to \"60s\"")
    }
}

/// How far a timestamp may be from our clock: `"0s"` (not checked) to `"30days"`.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(try_from = "Span")]
pub struct Tolerance(pub Duration);

impl TryFrom<Span> for Tolerance {
    type Error = &'static str;

    fn try_from(Span(span): Span) -> Result<Self, &'static str> {
        (span <= MAX_TOLERANCE)
            .then_some(Self(span))
            .ok_or("expected \"0s\", which does not check it, to \"30days\"")
    }
}

/// How long a connection may be idle: `"1s"` to `"1h"`.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(try_from = "Span")]
pub struct IdleTimeout(pub Duration);

impl IdleTimeout {
    /// Longer than the 60 s for which balancers keep a connection: else they send into one that is being closed.
    pub const DEFAULT: Duration = Duration::from_secs(75);

    /// From a flag's text.
    ///
    /// # Errors
    /// What would be accepted.
    pub fn parse(text: &str) -> Result<Duration, String> {
        let Self(span) = Span::try_from(text.to_owned())?.try_into()?;
        Ok(span)
    }
}

impl TryFrom<Span> for IdleTimeout {
    type Error = &'static str;

    fn try_from(Span(span): Span) -> Result<Self, &'static str> {
        let range = Duration::from_secs(1)..=Duration::from_secs(3600);
        let is_in = range.contains(&span).then_some(Self(span));
        is_in.ok_or("expected \"1s\" to \"1h\"")
    }
}

/// How many connections one peer may hold: 1 to 10,000.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(try_from = "i64")]
pub struct ConnectionsPerPeer(pub usize);

impl ConnectionsPerPeer {
    /// From a flag's text.
    ///
    /// # Errors
    /// What would be accepted.
    pub fn parse(text: &str) -> Result<usize, &'static str> {
        let number = text.parse().map_err(|_| CONNECTIONS)?;
        let Self(connections) = i64::try_into(number)?;
        Ok(connections)
    }
}

impl TryFrom<i64> for ConnectionsPerPeer {
    type Error = &'static str;

    fn try_from(number: i64) -> Result<Self, &'static str> {
        let connections = usize::try_from(number)
            .ok()
            .filter(|connections| (1..=10_000).contains(connections));
        connections.map(Self).ok_or(CONNECTIONS)
    }
}

/// `"512KiB"`, `"2MiB"`, `"1000"`: bytes.
#[derive(Debug, Clone, Copy)]
pub struct Size(pub usize);

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = deserializer.deserialize_str(Text("a size such as \"512KiB\" or \"2MiB\""))?;
        Self::try_from(text).map_err(Error::custom)
    }
}

impl TryFrom<String> for Size {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let end = text
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(text.len());
        let (digits, unit) = text.split_at(end);
        let factor = match unit.trim() {
            "" | "B" => Some(1),
            "KiB" => Some(1 << 10),
            "MiB" => Some(1 << 20),
            _ => None,
        };
        factor
            .zip(digits.parse::<usize>().ok())
            .and_then(|(factor, digits)| digits.checked_mul(factor))
            .map(Self)
            .ok_or_else(|| format!("{text:?} is no size such as \"512KiB\" or \"2MiB\""))
    }
}

/// `["GET", "POST"]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "Vec<String>")]
pub struct Methods(pub Vec<Method>);

impl TryFrom<Vec<String>> for Methods {
    type Error = String;

    fn try_from(names: Vec<String>) -> Result<Self, String> {
        let methods = names
            .iter()
            .map(|name| match name.as_str() {
                "GET" => Ok(Method::GET),
                "POST" => Ok(Method::POST),
                "PUT" => Ok(Method::PUT),
                other => Err(format!("{other:?}: expected \"GET\", \"POST\" or \"PUT\"")),
            })
            .collect::<Result<Vec<_>, _>>()?;
        if methods.is_empty() {
            return Err("expected at least one method".to_owned());
        }
        Ok(Self(methods))
    }
}

/// `200` to `299`.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(try_from = "i64")]
pub struct Success(pub StatusCode);

impl TryFrom<i64> for Success {
    type Error = String;

    fn try_from(number: i64) -> Result<Self, String> {
        u16::try_from(number)
            .ok()
            .and_then(|number| StatusCode::from_u16(number).ok())
            .filter(StatusCode::is_success)
            .map(Self)
            .ok_or_else(|| format!("{number}: expected 200 to 299"))
    }
}

/// A text; anything else is refused with what it should say.
struct Text(&'static str);

impl Visitor<'_> for Text {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }

    fn visit_str<E>(self, text: &str) -> Result<String, E> {
        Ok(text.to_owned())
    }
}

const DEADLINES: RangeInclusive<Duration> = Duration::from_millis(500)..=Duration::from_secs(60);
const CONNECTIONS: &str = "expected 1 to 10000";
const MAX_TOLERANCE: Duration = Duration::from_secs(30 * 24 * 60 * 60);

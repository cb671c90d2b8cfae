//! Whether and how long a sender repeats a delivery by itself, and after which answers.

use std::fmt;
use std::time::Duration;

use http::StatusCode;
use serde::Deserialize;

use super::values::{Span, format_duration};

/// `"never"`, `"unknown"`, `"4h"`, `{ for = "4h", on = ["5xx", "429"] }`; without `on` as `"4h"`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Written")]
pub enum Repeats {
    /// What is not taken at the first try is lost, unless a person sends it again.
    Never,
    /// It does not say.
    #[default]
    Unknown,
    /// It goes on trying.
    For {
        /// From the first try to the last.
        span: Duration,
        /// After what; empty: its documentation names no codes.
        on: Vec<Failure>,
    },
}

/// What a sender may repeat a delivery after.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum Failure {
    /// `"no-answer"`: no connection, or none in time.
    NoAnswer,
    /// `"503"`
    Status(u16),
    /// `"5xx"`
    Class(u16),
}

impl Repeats {
    /// How long it goes on; `None` if it never does, or does not say.
    pub const fn span(&self) -> Option<Duration> {
        match self {
            Self::For { span, .. } => Some(*span),
            Self::Never | Self::Unknown => None,
        }
    }

    /// Whether it repeats what was answered so; `None` if it names no codes.
    pub fn repeats(&self, status: StatusCode) -> Option<bool> {
        match self {
            Self::For { on, .. } if !on.is_empty() => Some(on.iter().any(|it| it.covers(status))),
            Self::For { .. } | Self::Unknown => None,
            Self::Never => Some(false),
        }
    }

    /// Whether it repeats anything that was answered at all, as far as is known.
    pub fn after_an_answer(&self) -> bool {
        match self {
            Self::For { on, .. } => on.is_empty() || on.iter().any(|it| *it != Failure::NoAnswer),
            Self::Unknown => true,
            Self::Never => false,
        }
    }
}

impl Failure {
    fn covers(self, status: StatusCode) -> bool {
        match self {
            Self::NoAnswer => false,
            Self::Status(code) => status.as_u16() == code,
            Self::Class(class) => status.as_u16() / 100 == class,
        }
    }
}

/// For tables: `never`, `not known`, `4 hours`, `4 hours, after 5xx, 429`.
impl fmt::Display for Repeats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Never => f.write_str("never"),
            Self::Unknown => f.write_str("not known"),
            Self::For { span, on } => {
                f.write_str(&format_duration(*span))?;
                for (index, failure) in on.iter().enumerate() {
                    let before = if index == 0 { ", after" } else { "," };
                    write!(f, "{before} {failure}")?;
                }
                Ok(())
            }
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoAnswer => f.write_str("no answer"),
            Self::Status(code) => write!(f, "{code}"),
            Self::Class(class) => write!(f, "{class}xx"),
        }
    }
}

/// As it stands in the file.
#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "expected \"never\", \"unknown\", a duration such as \"4h\", or { for = \"4h\", on = [\"5xx\", \"429\"] }"
)]
enum Written {
    Word(String),
    Table(Table),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    r#for: Span,
    #[serde(default)]
    on: Vec<Failure>,
}

impl TryFrom<Written> for Repeats {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        let (span, on) = match written {
            Written::Word(word) if word == "never" => return Ok(Self::Never),
            Written::Word(word) if word == "unknown" => return Ok(Self::Unknown),
            Written::Word(word) => (
                Span::try_from(word).map_err(|problem| format!("{problem}, {OR_WORDS}"))?,
                Vec::new(),
            ),
            Written::Table(table) => (table.r#for, table.on),
        };
        if !SPANS.contains(&span.0) {
            return Err(format!("expected \"1s\" to \"365days\", {OR_WORDS}"));
        }
        Ok(Self::For { span: span.0, on })
    }
}

impl TryFrom<String> for Failure {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let number = |digits: &str| digits.parse::<u16>().ok();
        match text.as_str() {
            "no-answer" => Some(Self::NoAnswer),
            "3xx" => Some(Self::Class(3)),
            "4xx" => Some(Self::Class(4)),
            "5xx" => Some(Self::Class(5)),
            code => number(code)
                .filter(|code| (300..=599).contains(code))
                .map(Self::Status),
        }
        .ok_or_else(|| {
            format!("{text:?}: expected a status such as \"503\", \"5xx\" or \"no-answer\"")
        })
    }
}

const OR_WORDS: &str = "or the words \"never\", \"unknown\"";
const SPANS: std::ops::RangeInclusive<Duration> =
    Duration::from_secs(1)..=Duration::from_secs(365 * 86_400);

#[cfg(test)]
mod tests {
    use super::*;

    fn read(value: &str) -> Result<Repeats, String> {
        serde_json::from_str(value).map_err(|error| error.to_string())
    }

    #[test]
    fn every_form_is_read_and_said() {
        for (written, said) in [
            (r#""never""#, "never"),
            (r#""unknown""#, "not known"),
            (r#""4h""#, "4 hours"),
            (r#""24h""#, "1 day"),
            (r#""1500ms""#, "1500 ms"),
            (r#"{ "for": "4h" }"#, "4 hours"),
            (r#"{ "for": "4h", "on": [] }"#, "4 hours"),
            (
                r#"{ "for": "3d", "on": ["5xx", "429", "no-answer"] }"#,
                "3 days, after 5xx, 429, no answer",
            ),
        ] {
            assert_eq!(read(written).expect(written).to_string(), said);
        }
    }

    #[test]
    fn what_is_none_of_them_is_refused_with_what_would_be() {
        for (written, says) in [
            (r#""sometimes""#, "duration"),
            (r#""0s""#, "\"1s\" to \"365days\""),
            (r#""10000 years""#, "\"1s\" to \"365days\""),
            ("4", "expected \"never\""),
            (r#"{ "on": ["5xx"] }"#, "expected \"never\""),
            (r#"{ "for": "4h", "on": ["2xx"] }"#, "expected"),
        ] {
            let problem = read(written).expect_err(written);
            assert!(problem.contains(says), r#"{written}: {problem}"#);
        }
    }

    #[test]
    fn codes_are_looked_up() {
        let list = read(r#"{ "for": "1h", "on": ["5xx", "429", "no-answer"] }"#).expect("a table");
        let of = |repeats: &Repeats, code| {
            repeats.repeats(StatusCode::from_u16(code).expect("a status"))
        };
        assert_eq!(
            [503, 500, 429, 408].map(|code| of(&list, code)),
            [true, true, true, false].map(Some)
        );
        assert!(list.after_an_answer());
        let mute = read(r#"{ "for": "1h", "on": ["no-answer"] }"#).expect("a table");
        assert_eq!(of(&mute, 503), Some(false));
        assert!(!mute.after_an_answer());
        assert_eq!(of(&read(r#""4h""#).expect("a duration"), 400), None);
        assert_eq!(of(&Repeats::Never, 503), Some(false));
    }
}

//! What somebody wants to see: the same parameters for the admin listener and the command line.

use std::fmt;
use std::time::SystemTime;

use super::cursor::Cursor;
use crate::temporal::visibility::STATUSES;

/// Which events, and which of them first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    /// How many, at most.
    pub limit: usize,
    /// Where the page before ended.
    pub cursor: Option<Cursor>,
    /// How many are left out first.
    pub offset: usize,
    /// A source's name or path.
    pub source: Option<String>,
    /// What happened.
    pub topic: Option<String>,
    /// Whose it is.
    pub tenant: Option<String>,
    /// Started then or later.
    pub since: Option<SystemTime>,
    /// Started then or earlier.
    pub until: Option<SystemTime>,
    /// One of [`STATUSES`].
    pub status: Option<&'static str>,
    /// The beginning of an id or a type, or what stands in a memo.
    pub text: Option<String>,
    /// In Temporal's own language.
    pub query: Option<String>,
    /// Only those that could not start.
    pub dead_letters: bool,
}

impl Default for Filter {
    fn default() -> Self {
        Self {
            limit: DEFAULT_LIMIT,
            cursor: None,
            offset: 0,
            source: None,
            topic: None,
            tenant: None,
            since: None,
            until: None,
            status: None,
            text: None,
            query: None,
            dead_letters: false,
        }
    }
}

/// A parameter that cannot be what it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong {
    /// Its name.
    pub parameter: String,
    /// What is wrong with it and what would be accepted.
    pub problem: String,
}

impl Wrong {
    /// What is wrong with the parameter.
    pub fn new(parameter: &str, problem: impl Into<String>) -> Self {
        Self {
            parameter: parameter.to_owned(),
            problem: problem.into(),
        }
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.parameter, self.problem)
    }
}

impl Filter {
    /// Those that wait for a person.
    pub fn open_dead_letters() -> Self {
        Self {
            dead_letters: true,
            status: Some("Running"),
            ..Self::default()
        }
    }

    /// With parameters as a query has them; `now` is what "an hour ago" is counted from.
    ///
    /// # Errors
    /// The first that is wrong.
    pub fn with<N: AsRef<str>, T: AsRef<str>>(
        self,
        parameters: impl IntoIterator<Item = (N, T)>,
        now: SystemTime,
    ) -> Result<Self, Wrong> {
        let mut filter = self;
        let mut seen = Vec::new();
        for (name, value) in parameters {
            let name = name.as_ref().to_owned();
            filter.set(&name, value.as_ref(), now)?;
            if seen.contains(&name) {
                return Err(Wrong::new(&name, "given twice: expected it once"));
            }
            seen.push(name);
        }
        filter.check()?;
        Ok(filter)
    }

    fn set(&mut self, name: &str, value: &str, now: SystemTime) -> Result<(), Wrong> {
        let wrong = |problem: String| Wrong::new(name, problem);
        let text = || match value.trim() {
            "" => Err(wrong("empty: leave it out, or say what it is".to_owned())),
            text => Ok(Some(text.to_owned())),
        };
        match name {
            "limit" => self.limit = number(value, 1, MAX_LIMIT).map_err(wrong)?,
            "offset" => self.offset = number(value, 0, MAX_OFFSET).map_err(wrong)?,
            "cursor" => {
                let problem = || wrong("expected `next` of the page before, as it was".to_owned());
                self.cursor = Some(Cursor::decode(value).ok_or_else(problem)?);
            }
            "source" => self.source = text()?,
            "topic" => self.topic = text()?,
            "tenant" => self.tenant = text()?,
            "since" => self.since = Some(time(value, now).map_err(wrong)?),
            "until" => self.until = Some(time(value, now).map_err(wrong)?),
            "status" => self.status = Some(status(value).map_err(wrong)?),
            "q" => self.text = text()?,
            "query" => {
                self.query = text()?;
                self.query
                    .as_deref()
                    .map_or(Ok(()), closed)
                    .map_err(wrong)?;
            }
            _ => {
                let names = NAMES.join(", ");
                return Err(wrong(format!("unknown: expected one of {names}")));
            }
        }
        Ok(())
    }

    fn check(&self) -> Result<(), Wrong> {
        if self.cursor.is_some() && self.offset > 0 {
            let why = "goes with no cursor, which says by itself where to go on: give one of them";
            return Err(Wrong::new("offset", why));
        }
        if let (Some(since), Some(until)) = (self.since, self.until)
            && since > until
        {
            let [since, until] = [since, until].map(humantime::format_rfc3339_seconds);
            let why = format!("{until} is before since, {since}: no event is between them");
            return Err(Wrong::new("until", why));
        }
        Ok(())
    }
}

fn number(text: &str, least: usize, most: usize) -> Result<usize, String> {
    let number = text.parse().ok().filter(|n| (least..=most).contains(n));
    number.ok_or_else(|| format!("{text:?}: expected a number from {least} to {most}"))
}

/// A moment, or how long ago it was.
fn time(text: &str, now: SystemTime) -> Result<SystemTime, String> {
    if let Ok(ago) = humantime::parse_duration(text) {
        // Nothing is older, and times before it cannot be written.
        let then = now.checked_sub(ago);
        return Ok(then.map_or(SystemTime::UNIX_EPOCH, |then| {
            then.max(SystemTime::UNIX_EPOCH)
        }));
    }
    // A `+` that nobody encoded is a space.
    humantime::parse_rfc3339_weak(text).map_err(|_| {
        format!("{text:?}: expected how long ago (1h, 30m, 7d) or a time in UTC (2026-11-26T08:00:00Z, 2026-11-26 08:00:00)")
    })
}

/// Whether the condition ends where it ends: ours stand beside it in parentheses, and hold whatever it says.
fn closed(query: &str) -> Result<(), String> {
    let (mut open, mut quote) = (0_usize, None);
    for character in query.chars() {
        match (character, quote) {
            (_, Some(end)) if character == end => quote = None,
            (_, Some(_)) => {}
            ('\'' | '"' | '`', None) => quote = Some(character),
            ('(', None) => open += 1,
            (')', None) => {
                let Some(left) = open.checked_sub(1) else {
                    return Err("a `)` without its `(`".to_owned());
                };
                open = left;
            }
            _ => {}
        }
    }
    match (open, quote) {
        (0, None) => Ok(()),
        (_, Some(quote)) => Err(format!("a {quote} without its end")),
        (_, None) => Err("a `(` without its `)`".to_owned()),
    }
}

fn status(text: &str) -> Result<&'static str, String> {
    let plain = |text: &str| text.replace(['-', '_', ' '], "").to_lowercase();
    let named = STATUSES.into_iter().find(|name| plain(name) == plain(text));
    named.ok_or_else(|| format!("{text:?}: expected one of {}", STATUSES.join(", ")))
}

/// The parameters.
pub const NAMES: [&str; 11] = [
    "limit", "cursor", "offset", "source", "topic", "tenant", "since", "until", "status", "q",
    "query",
];
/// Events a page.
pub const DEFAULT_LIMIT: usize = 50;
/// Events a page, at most.
pub const MAX_LIMIT: usize = 100;
/// Further on, a cursor costs less, and shows nothing twice.
pub const MAX_OFFSET: usize = 1000;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn of(parameters: &[(&str, &str)]) -> Result<Filter, String> {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        let filter = Filter::default();
        filter
            .with(parameters.iter().copied(), now)
            .map_err(|wrong| wrong.to_string())
    }

    #[test]
    fn each_parameter_is_read() {
        let filter = of(&[
            ("limit", "100"),
            ("source", "shop"),
            ("topic", "orders/create"),
            ("tenant", "a.myshopify.com"),
            ("since", "1h"),
            ("until", "2027-01-15T08:00:00Z"),
            ("status", "timed-out"),
            ("q", " 1001 "),
            ("query", "OrderName = '#1001'"),
        ]);
        let filter = filter.expect("all are good");
        assert_eq!((filter.limit, filter.status), (100, Some("TimedOut")));
        assert_eq!(filter.text.as_deref(), Some("1001"));
        let since = filter.since.map(humantime::format_rfc3339_seconds);
        assert_eq!(since.expect("a time").to_string(), "2027-01-15T07:00:00Z");
        assert_eq!(of(&[]), Ok(Filter::default()));
    }

    #[test]
    fn what_is_wrong_is_named_with_what_would_be_accepted() {
        for (parameters, named) in [
            (
                &[("limit", "0")][..],
                "limit: \"0\": expected a number from 1 to 100",
            ),
            (&[("limit", "101")], "limit: \"101\""),
            (
                &[("offset", "1001")],
                "offset: \"1001\": expected a number from 0 to 1000",
            ),
            (&[("cursor", "x")], "cursor: expected `next`"),
            (
                &[("since", "yesterday")],
                "since: \"yesterday\": expected how long ago",
            ),
            (
                &[("query", "WorkflowType = 'A') OR (WorkflowType != 'z'")],
                "query: a `)` without its `(`",
            ),
            (&[("query", "(A = 1")], "query: a `(` without its `)`"),
            (&[("query", "A = 'it")], "query: a ' without its end"),
            (
                &[("status", "done")],
                "status: \"done\": expected one of Running, Completed",
            ),
            (&[("q", "")], "q: empty"),
            (
                &[("topics", "a")],
                "topics: unknown: expected one of limit, cursor",
            ),
            (&[("topic", "a"), ("topic", "b")], "topic: given twice"),
            (
                &[("cursor", "cS4wLjEuYQ"), ("offset", "1")],
                "offset: goes with no cursor",
            ),
            (
                &[("since", "1h"), ("until", "2h")],
                "until: 2027-01-15T06:00:00Z is before since",
            ),
        ] {
            let wrong = of(parameters).expect_err("it is wrong");
            assert!(wrong.starts_with(named), "{wrong} is not {named}");
        }
    }

    #[test]
    fn however_long_ago_is_a_time_that_can_be_written() {
        for ago in ["30000d", "300000w", "18446744073709551615s"] {
            for name in ["since", "until"] {
                let filter = of(&[(name, ago)]).expect("a filter");
                let time = filter.since.or(filter.until);
                assert_eq!(time, Some(SystemTime::UNIX_EPOCH), "{name} {ago}");
            }
        }
    }

    #[test]
    fn parentheses_in_quotes_are_text() {
        for query in ["OrderName = '(#1001'", "(A = ')' OR B = \"(\")", "`A` = 1"] {
            of(&[("query", query)]).expect("a filter");
        }
    }
}

//! Where a page ended: a place in the order of all events that stays where it is while others arrive.

use std::cmp::Ordering;
use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// A place in the order of events, the newest first: before it are those that are greater.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// When the workflow was started.
    pub started: SystemTime,
    /// Which of those that were started at once.
    pub run_id: String,
}

/// Where to go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    /// The last that was shown.
    pub at: Position,
    /// What is older is of no interest: "an hour ago" stays where it was.
    pub floor: Option<SystemTime>,
    /// How it was looked for.
    pub mode: Mode,
}

/// How a text is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// By Temporal.
    Query,
    /// In memos.
    Memo,
}

impl Position {
    /// Before all that was started then or earlier.
    pub fn after(time: SystemTime) -> Self {
        Self::before(time + Duration::from_nanos(1))
    }

    /// Behind all that was started then or later.
    pub const fn before(time: SystemTime) -> Self {
        Self {
            started: time,
            run_id: String::new(),
        }
    }
}

impl Ord for Position {
    fn cmp(&self, other: &Self) -> Ordering {
        let by_time = self.started.cmp(&other.started);
        by_time.then_with(|| self.run_id.cmp(&other.run_id))
    }
}

impl PartialOrd for Position {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Cursor {
    /// As it is given to who asks.
    pub fn encode(&self) -> String {
        let mode = match self.mode {
            Mode::Query => "q",
            Mode::Memo => "m",
        };
        let floor = self.floor.map_or(0, nanos);
        let (at, run_id) = (nanos(self.at.started), &self.at.run_id);
        URL_SAFE_NO_PAD.encode(format!("{mode}.{floor}.{at}.{run_id}"))
    }

    /// `None`: it is none of ours.
    pub fn decode(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let text = String::from_utf8(bytes).ok()?;
        let mut parts = text.splitn(4, '.');
        let mode = match parts.next()? {
            "q" => Mode::Query,
            "m" => Mode::Memo,
            _ => return None,
        };
        let mut time = || -> Option<_> {
            let nanos = Duration::from_nanos(parts.next()?.parse().ok()?);
            SystemTime::UNIX_EPOCH.checked_add(nanos)
        };
        let (floor, started) = (time()?, time()?);
        Some(Self {
            at: Position {
                started,
                run_id: parts.next()?.to_owned(),
            },
            floor: (floor > SystemTime::UNIX_EPOCH).then_some(floor),
            mode,
        })
    }
}

fn nanos(time: SystemTime) -> u64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| since.as_nanos().try_into().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_is_decoded_and_anything_else_is_none() {
        let at = Position {
            started: SystemTime::UNIX_EPOCH + Duration::new(1_800_000_000, 123_456_789),
            run_id: "01a2193b-5dd6-7584-892f-caae5099c33b".to_owned(),
        };
        for (floor, mode) in [(None, Mode::Query), (Some(at.started), Mode::Memo)] {
            let at = at.clone();
            let cursor = Cursor { at, floor, mode };
            assert_eq!(Cursor::decode(&cursor.encode()), Some(cursor));
        }
        for text in ["", "x", "cS4w", "🦀", "eC4wLjEuYQ", "cS5hLjEuYQ"] {
            assert_eq!(Cursor::decode(text), None, "{text}");
        }
    }
}

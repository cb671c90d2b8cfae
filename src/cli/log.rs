//! How much is logged, and in which form.

use clap::ValueEnum;
use tracing::level_filters::LevelFilter;
use webhook_core::similar::did_you_mean;

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people
    Text,
    /// One JSON object a line
    Json,
}

/// Which of our own lines are written: by room of the program, the rest by one level for all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogFilter {
    /// For rooms that are not named below.
    pub rest: Option<LevelFilter>,
    /// Names of [`ROOMS`].
    pub rooms: Vec<(&'static str, LevelFilter)>,
}

impl LogFilter {
    /// From a flag's text: `info,forward=warn,temporal=debug`.
    ///
    /// # Errors
    /// What is wrong with it, and what would be accepted.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut filter = Self::default();
        for part in text.split(',').map(str::trim) {
            match part.split_once('=') {
                None => filter.rest = Some(level(part)?),
                Some((name, text)) => {
                    let room = ROOMS.iter().find(|room| **room == name.trim());
                    let room = room.ok_or_else(|| unknown(name.trim()))?;
                    filter.rooms.push((room, level(text.trim())?));
                }
            }
        }
        Ok(filter)
    }
}

fn level(text: &str) -> Result<LevelFilter, String> {
    let found = LEVELS.iter().find(|(name, _)| *name == text);
    found.map(|(_, level)| *level).ok_or_else(|| {
        let names = LEVELS.map(|(name, _)| name).join(", ");
        let meant = did_you_mean(text, LEVELS.iter().map(|(name, _)| *name));
        format!("{text:?} is no level{meant}, expected one of: {names}")
    })
}

fn unknown(name: &str) -> String {
    let meant = did_you_mean(name, ROOMS);
    format!(
        "{name:?} is no part of the program{meant}, expected one of: {}. Libraries cannot be named: they log headers, which hold signatures",
        ROOMS.join(", ")
    )
}

const LEVELS: [(&str, LevelFilter); 5] = [
    ("off", LevelFilter::OFF),
    ("error", LevelFilter::ERROR),
    ("warn", LevelFilter::WARN),
    ("info", LevelFilter::INFO),
    ("debug", LevelFilter::DEBUG),
];
/// The rooms of the program that log.
pub const ROOMS: [&str; 9] = [
    "admin",
    "codec_server",
    "commands",
    "expiry",
    "forward",
    "reload",
    "server",
    "telemetry",
    "temporal",
];

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn levels_and_rooms_are_read_and_nothing_else() {
        let filter = LogFilter::parse("warn, forward=debug,temporal=off").expect("fine");
        assert_eq!(filter.rest, Some(LevelFilter::WARN));
        let rooms = [
            ("forward", LevelFilter::DEBUG),
            ("temporal", LevelFilter::OFF),
        ];
        assert_eq!(filter.rooms, rooms);
        for (text, says) in [
            (
                "",
                "\"\" is no level, expected one of: off, error, warn, info, debug",
            ),
            ("trace", "\"trace\" is no level"),
            ("wran", "did you mean `warn`?"),
            ("hyper=debug", "\"hyper\" is no part of the program"),
            ("hyper=debug", "Libraries cannot be named"),
            ("forwrad=debug", "did you mean `forward`?"),
            ("forward=loud", "\"loud\" is no level"),
        ] {
            let error = LogFilter::parse(text).expect_err(text);
            assert!(error.contains(says), "{text}: {error}");
        }
    }

    #[test]
    fn every_room_is_one_of_the_program() {
        let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        for room in ROOMS {
            assert!(src.join(format!("{room}.rs")).is_file(), "{room}");
        }
    }
}

//! Logging to standard error, set up.

use std::io::{self, IsTerminal};

use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use super::writer::{self, Written};
use crate::cli::log::{LogFilter, LogFormat};

/// Sets up logging to standard error: text on a terminal and JSON elsewhere, unless told otherwise. There is no
/// way to make the libraries below log their details: HTTP and gRPC traces would show what no log may hold.
/// What is logged is written for as long as the result lives.
///
/// # Errors
/// If there can be no thread that writes.
pub fn init_logs(
    format: Option<LogFormat>,
    filter: Option<&LogFilter>,
    debug: bool,
) -> io::Result<Written> {
    let is_terminal = io::stderr().is_terminal();
    let (lines, written) = writer::start(io::stderr(), MOST)?;
    let layer = fmt::layer()
        .with_writer(lines)
        .with_target(false)
        .log_internal_errors(false);
    let usual = if is_terminal {
        LogFormat::Text
    } else {
        LogFormat::Json
    };
    let layer = match format.unwrap_or(usual) {
        LogFormat::Text => layer.with_ansi(is_terminal).boxed(),
        LogFormat::Json => layer
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .boxed(),
    };
    // A second call (in tests) changes nothing.
    let _ = tracing_subscriber::registry()
        .with(layer.with_filter(targets(filter, debug)))
        .try_init();
    Ok(written)
}

fn targets(filter: Option<&LogFilter>, debug: bool) -> Targets {
    let usual = if debug {
        LevelFilter::DEBUG
    } else {
        LevelFilter::INFO
    };
    let rest = filter.and_then(|filter| filter.rest).unwrap_or(usual);
    let rooms = filter.into_iter().flat_map(|filter| &filter.rooms);
    let rooms = rooms.map(|(room, level)| (format!("{OWN}::{room}"), *level));
    Targets::new()
        .with_default(LevelFilter::WARN)
        // Reports each retry inside one delivery: our own line says how the delivery ended.
        .with_target("temporalio_client", LevelFilter::OFF)
        .with_target(OWN, rest)
        .with_targets(rooms)
}

const OWN: &str = env!("CARGO_CRATE_NAME");
/// Bytes of lines that wait to be written: some ten thousand lines.
const MOST: usize = 4 * 1024 * 1024;

//! A list of events: a table for people, JSON for programs.

use std::borrow::Cow;
use std::fmt::Write;
use std::io::{IsTerminal, stdout};
use std::time::{Duration, SystemTime};

use webhook_core::event::short;
use webhook_core::shown::readable;

use crate::cli::events::{FormArgs, ListArgs};
use crate::commands::connected::Connected;
use crate::commands::{Failure, say};
use crate::events::cursor::Cursor;
use crate::events::filter::{Filter, MAX_LIMIT, Wrong};
use crate::events::item::Item;
use crate::events::{By, Error, Page};

/// Lists what the filter and the flags let through.
///
/// # Errors
/// A flag that is wrong; what Temporal says.
pub(in crate::commands) async fn run(
    connected: &Connected,
    args: &ListArgs,
    default: Filter,
) -> Result<(), Failure> {
    let now = SystemTime::now();
    let mut filter = default.with(args.parameters(), now)?;
    if args.all {
        filter.limit = MAX_LIMIT;
    }
    let (events, is_json) = (connected.events(), is_json(&args.form));
    let mut is_first = true;
    loop {
        let page = events.page(&filter, now).await?;
        match (is_json, args.all) {
            (true, false) => say(serde_json::to_string_pretty(&page)?)?,
            (true, true) => {
                for item in &page.items {
                    say(serde_json::to_string(item)?)?;
                }
            }
            (false, _) => {
                if !(page.items.is_empty() && is_first && page.next.is_none()) {
                    say(table(&page.items, is_first, filter.dead_letters, now).trim_end())?;
                }
            }
        }
        is_first = false;
        let next = page.next.as_deref().and_then(Cursor::decode);
        let is_last = !args.all || next.is_none();
        if is_last && !is_json {
            say(summary(&page, args.all))?;
        }
        match next.filter(|_| args.all) {
            Some(next) => filter.cursor = Some(next),
            None => return Ok(()),
        }
    }
}

/// Whether somebody asked for JSON, or reads no table.
pub(in crate::commands) fn is_json(form: &FormArgs) -> bool {
    form.json || !form.table && !stdout().is_terminal()
}

/// For a terminal: whoever starts workflows chooses their ids. What turns the direction of a text round, or is
/// not seen, makes one look like another.
pub(in crate::commands) fn plain(text: &str) -> Cow<'_, str> {
    readable(text)
}

/// How long ago it was: `3m`, `2h`, `5d`.
pub(in crate::commands) fn age(of: SystemTime, now: SystemTime) -> String {
    let seconds = now.duration_since(of).unwrap_or(Duration::ZERO).as_secs();
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m", seconds / 60),
        3600..172_800 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}

fn table(items: &[Item], with_head: bool, is_letters: bool, now: SystemTime) -> String {
    let mut rows: Vec<Vec<String>> = Vec::new();
    if with_head {
        let head = match is_letters {
            true => ["AGE", "SOURCE", "TOPIC", "EVENT ID", "REASON"].as_slice(),
            false => &[
                "STARTED",
                "STATUS",
                "SOURCE",
                "TOPIC",
                "TENANT",
                "WORKFLOW ID",
            ],
        };
        rows.push(head.iter().map(|&text| text.to_owned()).collect());
    }
    rows.extend(items.iter().map(|item| {
        let text = |label: &Option<String>| cell(label.as_deref().unwrap_or("-"));
        if is_letters {
            return vec![
                age(item.start_time, now),
                text(&item.source),
                text(&item.topic),
                text(&item.event_id),
                plain(item.reason.as_deref().unwrap_or("-")).into_owned(),
            ];
        }
        let is_letter = item.reason.is_some() && item.route.is_some();
        vec![
            humantime::format_rfc3339_seconds(item.start_time).to_string(),
            (if is_letter {
                "dead letter"
            } else {
                item.status
            })
            .to_owned(),
            text(&item.source),
            text(&item.topic),
            text(&item.tenant),
            plain(&item.workflow_id).into_owned(),
        ]
    }));
    aligned(&rows)
}

fn cell(label: &str) -> String {
    plain(&short(label, LONGEST)).into_owned()
}

/// Columns as wide as their widest cell; the last as it is.
fn aligned(rows: &[Vec<String>]) -> String {
    let columns = rows.first().map_or(0, Vec::len);
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.max().unwrap_or_default()
    };
    let widths: Vec<_> = (0..columns).map(width).collect();
    let mut text = String::new();
    for row in rows {
        for (column, cell) in row.iter().enumerate() {
            let width = if column + 1 < columns {
                widths[column] + 2
            } else {
                0
            };
            let _ = write!(text, "{cell:<width$}");
        }
        text.push('\n');
    }
    text
}

/// How many there are, how that is known, and how to go on.
fn summary(page: &Page, all: bool) -> String {
    let looked = &page.looked;
    let mut text = match page.total {
        Some(0) => "none".to_owned(),
        Some(total) => format!("{total} in all"),
        None => "there may be more".to_owned(),
    };
    if looked.by == By::Memo && !all {
        let (read, of) = (looked.looked_at, looked.of);
        text += &format!("; looked at the memos of {read} of {of} workflows");
        if !looked.complete {
            text += ", and stopped there";
        }
    }
    if let Some(next) = &page.next {
        text += &format!("; the next page: --cursor {next}");
    }
    text
}

impl From<Wrong> for Failure {
    fn from(wrong: Wrong) -> Self {
        let Wrong { parameter, problem } = wrong;
        let dashes = if parameter.len() == 1 { "-" } else { "--" };
        Self::Usage(format!("{dashes}{parameter}: {problem}"))
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::Wrong(wrong) => wrong.into(),
            Error::Temporal(_) => Self::Other(anyhow::anyhow!("{error}")),
        }
    }
}

/// Characters of a label.
const LONGEST: usize = 40;

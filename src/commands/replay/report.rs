//! One line for each event, and their sum; a bar on a terminal.

use std::collections::BTreeMap;

use indicatif::{ProgressBar, ProgressStyle};

use crate::commands::{Failure, say};

/// What became of one event.
#[derive(Debug)]
pub(super) struct Line {
    word: &'static str,
    id: String,
    rest: String,
}

impl Line {
    pub(super) fn new(word: &'static str, id: impl Into<String>, rest: &str) -> Self {
        Self {
            word,
            id: id.into(),
            rest: rest.to_owned(),
        }
    }

    /// Something that a person should know of it.
    pub(super) fn note(&mut self, note: &str) {
        self.rest.push_str(&format!(" ({note})"));
    }
}

/// What was said so far.
pub(super) struct Report {
    bar: ProgressBar,
    /// By word.
    counts: BTreeMap<&'static str, u64>,
    is_cut: bool,
}

impl Report {
    /// For so many workflows.
    pub(super) fn new(workflows: usize) -> Result<Self, Failure> {
        // Draws on a terminal only.
        let bar = ProgressBar::new(workflows as u64);
        bar.set_style(ProgressStyle::with_template(
            "{bar:30} {pos}/{len} workflows  {eta} left",
        )?);
        Ok(Self {
            bar,
            counts: BTreeMap::new(),
            is_cut: false,
        })
    }

    pub(super) fn line(&mut self, line: &Line) -> Result<(), Failure> {
        let Line { word, id, rest } = line;
        *self.counts.entry(word).or_default() += 1;
        // Whoever starts workflows chooses their ids, and what is here goes to a terminal.
        let gap = if id.ends_with(':') { " " } else { "  " };
        let text = format!("{word:<12}  {id}{gap}{rest}").replace(char::is_control, "\u{fffd}");
        Ok(self.bar.suspend(|| say(text.trim_end()))?)
    }

    /// The event of the workflow `id` is where it was.
    pub(super) fn failed(&mut self, id: &str, why: &str) -> Result<(), Failure> {
        let line = Line::new(FAILED, format!("{id}:"), why);
        self.line(&line)
    }

    pub(super) fn workflow_done(&self) {
        self.bar.inc(1);
    }

    /// A workflow was left in the middle of its events.
    pub(super) const fn cut(&mut self) {
        self.is_cut = true;
    }

    /// How many lines there are.
    pub(super) fn events(&self) -> u64 {
        self.counts.values().sum()
    }

    /// The sum; so many workflows were not looked at.
    pub(super) fn summary(&self, left: usize) -> Result<(), Failure> {
        self.bar.finish_and_clear();
        let counts: Vec<_> = (self.counts.iter())
            .map(|(word, count)| format!("{count} {word}"))
            .collect();
        let events = self.events();
        let s = if events == 1 { "" } else { "s" };
        let mut text = format!("{events} event{s}: {}", counts.join(", "));
        if left > 0 || self.is_cut {
            text.push_str(&format!(
                "; stopped at --limit, {left} workflows not looked at"
            ));
        }
        say(text)?;
        match self.counts.get(FAILED) {
            Some(_) => Err(Failure::Reported(1)),
            None => Ok(()),
        }
    }
}

const FAILED: &str = "failed";

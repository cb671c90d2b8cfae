//! What senders were told, held against what Temporal has: the invariants of ARCHITECTURE.md, one to one.

use std::collections::BTreeSet;

use super::model::{Fact, Fate, What};
use super::replica::Heard;
use super::sender::Event;

#[derive(Debug, Default)]
pub(crate) struct Ledger {
    /// Which invariant, and how.
    pub(crate) broken: Vec<String>,
    pub(crate) counts: Counts,
    acked: BTreeSet<String>,
    /// Events that were sent whole, to a forwarder with nothing wrong around it, and how often.
    in_calm: Vec<String>,
}

/// What is counted, since nobody can promise that it is nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) events: usize,
    pub(crate) tries: usize,
    pub(crate) acked: usize,
    pub(crate) dropped: usize,
    /// Acknowledged, and then taken back by a fail-over.
    pub(crate) rolled_back: usize,
    /// Acknowledged, done, and over the namespace's retention.
    pub(crate) forgotten: usize,
    /// Started again, for it was rolled back or forgotten when it came again.
    pub(crate) again: usize,
    /// Not taken, and the sender does not repeat.
    pub(crate) not_repeated: usize,
    /// Not taken, and the sender's time was over before the trouble was.
    pub(crate) given_up: usize,
}

impl Counts {
    pub(crate) fn add(&mut self, other: Self) {
        self.events += other.events;
        self.tries += other.tries;
        self.acked += other.acked;
        self.dropped += other.dropped;
        self.rolled_back += other.rolled_back;
        self.forgotten += other.forgotten;
        self.again += other.again;
        self.not_repeated += other.not_repeated;
        self.given_up += other.given_up;
    }
}

impl Ledger {
    /// One try: what was heard, and what Temporal has had of the event until now.
    pub(crate) fn note(
        &mut self,
        event: &Event,
        heard: Option<&Heard>,
        in_calm: bool,
        facts: &[Fact],
    ) {
        self.counts.tries += 1;
        let mark = &event.mark;
        if in_calm {
            self.in_calm.push(mark.clone());
        }
        let Some(heard) = heard else { return };
        let deadline = event.provider().deadline;
        if heard.after > deadline {
            let after = heard.after;
            self.wrong(
                "an answer within the deadline",
                format!("{mark} after {after:?}"),
            );
        }
        match heard.status {
            200..=299 => {
                let stored = !facts.is_empty() || event.is_dropped();
                if !stored {
                    let says = &heard.says;
                    let how = format!("{mark} was answered {} {says}", heard.status);
                    self.wrong("no 2xx without Temporal's word", how);
                }
                self.acked.insert(mark.clone());
            }
            503 if heard.asks_again => {}
            status => {
                let how = format!("{mark} was answered {status} {}", heard.says);
                self.wrong("503 asks to send again", how);
            }
        }
    }

    /// In the end.
    pub(crate) fn close(&mut self, event: &Event, facts: &[Fact]) {
        let mark = &event.mark;
        let counts = &mut self.counts;
        counts.events += 1;
        let is_kept = facts.iter().any(|fact| fact.fate == Fate::Kept);
        let is_rolled_back = facts
            .last()
            .is_some_and(|fact| fact.fate == Fate::RolledBack);
        counts.again += facts.len().saturating_sub(1);
        if facts.iter().any(|fact| fact.what == What::Parked) && !event.may_be_parked() {
            self.wrong("only what can never start is parked", mark.clone());
        }
        let counts = &mut self.counts;
        if self.acked.contains(mark) {
            counts.acked += 1;
            match () {
                () if is_kept => {}
                () if event.is_dropped() => counts.dropped += 1,
                () if is_rolled_back => counts.rolled_back += 1,
                () if !facts.is_empty() => counts.forgotten += 1,
                // That was said when it was acknowledged.
                () => {}
            }
            return;
        }
        let tries = self.in_calm.iter().filter(|sent| *sent == mark).count();
        if !event.is_promised() {
            counts.not_repeated += 1;
        } else if tries < event.tries_that_suffice() {
            counts.given_up += 1;
        } else {
            let how = format!("{mark} was sent {tries} times when nothing was wrong");
            self.wrong("what is repeated long enough gets home", how);
        }
    }

    fn wrong(&mut self, invariant: &str, how: String) {
        self.broken.push(format!("{invariant}: {how}"));
    }
}

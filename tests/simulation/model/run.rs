//! One run of a workflow, as far as it matters to who starts, signals and updates it.

use tokio::time::Instant;

use super::What;

#[derive(Debug, Clone)]
pub(super) struct Run {
    pub(super) run_id: String,
    pub(super) workflow_type: String,
    /// Of the start.
    pub(super) request_id: String,
    /// The event's it was started for, and whether it is its dead letter.
    pub(super) mark: Option<String>,
    pub(super) is_letter: bool,
    /// When it is over; `None`: never.
    pub(super) closes: Option<Instant>,
    pub(super) signals: Vec<Signal>,
    pub(super) updates: Vec<Update>,
}

#[derive(Debug, Clone)]
pub(super) struct Signal {
    pub(super) request_id: String,
    pub(super) mark: Option<String>,
}

#[derive(Debug, Clone)]
pub(super) struct Update {
    pub(super) id: String,
    pub(super) mark: Option<String>,
    /// `None`: nobody ever does.
    pub(super) accepted: Option<Instant>,
    pub(super) completed: Option<Instant>,
    /// It was accepted, and that is written down.
    pub(super) is_noted: bool,
}

impl Run {
    pub(super) fn new(run_id: String, workflow_type: String, request_id: String) -> Self {
        Self {
            run_id,
            workflow_type,
            request_id,
            mark: None,
            is_letter: false,
            closes: None,
            signals: Vec::new(),
            updates: Vec::new(),
        }
    }

    pub(super) fn is_closed(&self, now: Instant) -> bool {
        self.closes.is_some_and(|at| at <= now)
    }

    pub(super) fn holds(&self, what: What, mark: &str) -> bool {
        let is = |it: &Option<String>| it.as_deref() == Some(mark);
        match what {
            What::Started => is(&self.mark) && !self.is_letter,
            What::Parked => is(&self.mark) && self.is_letter,
            What::Signalled => self.signals.iter().any(|signal| is(&signal.mark)),
            What::Updated => {
                (self.updates.iter()).any(|update| update.is_noted && is(&update.mark))
            }
        }
    }
}

impl Update {
    /// Accepted, and not yet written down: a closed run accepts nothing.
    pub(super) fn is_due(&self, now: Instant, closes: Option<Instant>) -> bool {
        let before = |at: Instant| at <= now && closes.is_none_or(|closes| at < closes);
        !self.is_noted && self.accepted.is_some_and(before)
    }
}

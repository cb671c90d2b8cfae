//! Dead letters whose event a workflow may have taken before: its history is looked through first.

use serde_json::Map;
use webhook_core::outcome::Execution;

use super::report::Line;
use super::{Replay, source_of};
use crate::temporal::history::Argument;
use crate::temporal::status;

/// For an event that this run has taken.
pub(super) fn line(run: &Execution, event_id: String, is_dry: bool) -> Line {
    let word = if is_dry { "would close" } else { "duplicate" };
    Line::new(word, event_id, &format!("{} has taken it", run.workflow_id))
}

impl Replay<'_> {
    /// Whether the run, or one before it, has taken the event of this key: between Temporal's refusal
    /// and the question which run it was, the workflow may have continued as new.
    ///
    /// # Errors
    /// That it cannot be told.
    pub(super) async fn has_taken(&self, run: &Execution, key: &str) -> Result<bool, String> {
        let mut run = run.clone();
        for is_named in [true].into_iter().chain([false; RUNS_BEFORE]) {
            let input = match self.temporal.run_input(&run, "").await {
                Ok(input) => input,
                // Temporal keeps earlier runs less long.
                Err(error) if !is_named && status::is_missing(&error) => return Ok(false),
                Err(error) => {
                    return Err(format!(
                        "{} may have taken it, and its history cannot be read: {}",
                        run.workflow_id,
                        status::text(&error)
                    ));
                }
            };
            if self.contains_event(input.arguments, key).await {
                return Ok(true);
            }
            if input.previous_run_id.is_empty() {
                return Ok(false);
            }
            run.run_id = input.previous_run_id;
        }
        Ok(false)
    }

    async fn contains_event(&self, arguments: Vec<Argument>, key: &str) -> bool {
        for argument in arguments {
            let is_same = match &argument.event_key {
                Some(known) => known == key,
                None => self.is_event(argument, key).await,
            };
            if is_same {
                return true;
            }
        }
        false
    }

    /// Whether a signal that came without a key, as those of earlier versions did, is the event's.
    async fn is_event(&self, argument: Argument, key: &str) -> bool {
        if argument.is_of_start {
            return false;
        }
        let Ok(found) = self.stored_event(argument, &Ok(Map::new()), false).await else {
            return false;
        };
        let event =
            source_of(&self.settings, &found).and_then(|source| found.event(&source.provider).ok());
        event.is_some_and(|replayed| replayed.event.key() == key)
    }
}

/// How many runs before the one that a dead letter names are looked through: a workflow that continues
/// as new does so every few thousand events.
const RUNS_BEFORE: usize = 10;

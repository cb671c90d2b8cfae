//! Floods of refusals: of each source and outcome so many lines in ten seconds, and then one that says how many
//! more there were.

use webhook_core::outcome::LABELS;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Of one source, or of the requests that fit none.
pub struct Flood {
    source: String,
    /// Refusals since the last interval's end, by outcome.
    counts: [AtomicU64; LABELS.len()],
}

impl Flood {
    /// Nothing was refused yet. `source` is the name that lines have for it.
    pub fn new(source: &str) -> Self {
        Self {
            source: source.to_owned(),
            counts: [const { AtomicU64::new(0) }; LABELS.len()],
        }
    }

    /// Whether one more refusal gets a line of its own.
    pub fn has_room(&self, outcome: &'static str) -> bool {
        let index = LABELS.iter().position(|label| *label == outcome);
        index.is_none_or(|index| self.counts[index].fetch_add(1, Ordering::Relaxed) < LINES)
    }

    /// At the end of each interval: a line for each outcome of which some got none.
    pub fn say_what_was_left_out(&self) {
        for (outcome, count) in LABELS.iter().zip(&self.counts) {
            let count = count.swap(0, Ordering::Relaxed).saturating_sub(LINES);
            if count > 0 {
                let (source, seconds) = (&*self.source, INTERVAL.as_secs());
                tracing::warn!(
                    source,
                    outcome,
                    count,
                    seconds,
                    "more requests were refused than are logged one by one"
                );
            }
        }
    }
}

/// A reload replaces it: nothing is silent.
impl Drop for Flood {
    fn drop(&mut self) {
        self.say_what_was_left_out();
    }
}

/// How often it is said.
pub const INTERVAL: Duration = Duration::from_secs(10);
/// Lines of one kind in each.
const LINES: u64 = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_of_each_kind_get_a_line_and_again_in_the_next_interval() {
        let flood = Flood::new("/orders");
        for _ in 0..2 {
            let lines = |outcome| (0..1000).filter(|_| flood.has_room(outcome)).count();
            assert_eq!(lines("invalid_signature"), 100);
            assert_eq!(lines("forbidden"), 100, "each kind has its own");
            flood.say_what_was_left_out();
        }
    }
}

//! Counts of the last minutes, of the last hour and of the last day, each in slots that are forgotten whole.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::counts::{Counts, Traffic};

/// Three rings of slots: of five seconds, of a minute, of an hour.
pub struct Windows<T> {
    start: Instant,
    fives: Ring<T>,
    minutes: Ring<T>,
    hours: Ring<T>,
}

struct Ring<T> {
    width: Duration,
    slots: Vec<T>,
    /// The number of the newest slot, counted from the start.
    newest: u64,
}

impl<T: Default + Clone> Windows<T> {
    /// With so many slots of five seconds.
    pub fn new(start: Instant, fives: usize) -> Self {
        Self {
            start,
            fives: Ring::new(FIVE, fives),
            minutes: Ring::new(MINUTE, 60),
            hours: Ring::new(HOUR, 24),
        }
    }

    /// Changes the newest slot of each.
    pub fn at(&mut self, now: Instant, mut change: impl FnMut(&mut T)) {
        let since = now.duration_since(self.start);
        for ring in [&mut self.fives, &mut self.minutes, &mut self.hours] {
            change(ring.current(since));
        }
    }

    /// What came in the last minute, hour and day: in all, and by outcome.
    pub fn sums(&mut self, now: Instant, counts: impl Fn(&T) -> &Counts) -> Value {
        let since = now.duration_since(self.start);
        let sum = |ring: &mut Ring<T>, slots: usize| {
            let mut sum = Counts::default();
            for slot in ring.slots(since).rev().take(slots) {
                sum.join(counts(slot));
            }
            json!({ "total": sum.total(), "outcomes": sum.json() })
        };
        json!({
            "minute": sum(&mut self.fives, 12),
            "hour": sum(&mut self.minutes, 60),
            "day": sum(&mut self.hours, 24),
        })
    }
}

impl Windows<Traffic> {
    /// Slot for slot, the oldest first; what is older than the process is left out.
    pub fn series(&mut self, now: Instant) -> Value {
        let since = now.duration_since(self.start);
        let series = |ring: &mut Ring<Traffic>| {
            let slots = usize::try_from(since.as_secs() / ring.width.as_secs() + 1);
            let slots = slots.unwrap_or(usize::MAX).min(ring.slots.len());
            let skipped = ring.slots.len() - slots;
            let shown: Vec<_> = ring.slots(since).skip(skipped).map(Traffic::json).collect();
            json!({ "seconds": ring.width.as_secs(), "slots": shown })
        };
        json!({
            "minutes": series(&mut self.fives),
            "hour": series(&mut self.minutes),
            "day": series(&mut self.hours),
        })
    }
}

impl<T: Default + Clone> Ring<T> {
    fn new(width: Duration, slots: usize) -> Self {
        Self {
            width,
            slots: vec![T::default(); slots],
            newest: 0,
        }
    }

    fn current(&mut self, since: Duration) -> &mut T {
        let slot = self.advance(since);
        &mut self.slots[slot]
    }

    /// From the oldest to the newest.
    fn slots(&mut self, since: Duration) -> impl DoubleEndedIterator<Item = &T> {
        let newest = self.advance(since);
        let (new, old) = self.slots.split_at(newest + 1);
        old.iter().chain(new)
    }

    /// Empties what is over; the index of the newest slot.
    fn advance(&mut self, since: Duration) -> usize {
        let (number, length) = (
            since.as_secs() / self.width.as_secs(),
            self.slots.len() as u64,
        );
        let over = number.saturating_sub(self.newest).min(length);
        for step in 0..over {
            self.slots[((number - step) % length) as usize] = T::default();
        }
        self.newest = self.newest.max(number);
        (self.newest % length) as usize
    }
}

/// Slots of five seconds, of what is drawn.
pub const FIVE_MINUTES: usize = 60;
/// Slots of five seconds, of what is only summed up.
pub const ONE_MINUTE: usize = 12;
const FIVE: Duration = Duration::from_secs(5);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_over_is_forgotten_slot_for_slot() {
        let start = Instant::now();
        let mut windows: Windows<Counts> = Windows::new(start, ONE_MINUTE);
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        let sums = |windows: &mut Windows<Counts>, seconds: u64| {
            let sums = windows.sums(at(seconds), |counts| counts);
            ["minute", "hour", "day"].map(|window| sums[window]["total"].as_u64().unwrap_or(99))
        };
        windows.at(at(0), |counts| counts.add("started"));
        windows.at(at(59), |counts| counts.add("started"));
        assert_eq!(sums(&mut windows, 59), [2, 2, 2]);
        assert_eq!(sums(&mut windows, 60), [1, 2, 2]);
        assert_eq!(sums(&mut windows, 114), [1, 2, 2]);
        assert_eq!(sums(&mut windows, 115), [0, 2, 2]);
        assert_eq!(sums(&mut windows, 3599), [0, 2, 2]);
        assert_eq!(sums(&mut windows, 3600), [0, 0, 2]);
        assert_eq!(sums(&mut windows, 86_399), [0, 0, 2]);
        assert_eq!(sums(&mut windows, 86_400), [0, 0, 0]);
        windows.at(at(1_000_000), |counts| counts.add("started"));
        assert_eq!(sums(&mut windows, 1_000_000), [1, 1, 1]);
        // A clock does not go back, but locks are taken in any order.
        windows.at(at(999_999), |counts| counts.add("started"));
        assert_eq!(sums(&mut windows, 1_000_000), [2, 2, 2]);
    }
}

//! Counts of the last minutes, of the last hour and of the last day, each in slots that are forgotten whole.

use std::time::Duration;

use tokio::time::Instant;

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

    /// Slot for slot, the oldest first; what is older than the process is left out.
    pub fn slots(&mut self, now: Instant, window: Window) -> Vec<&T> {
        let since = now.duration_since(self.start);
        let ring = match window {
            Window::Minute | Window::FiveMinutes => &mut self.fives,
            Window::Hour => &mut self.minutes,
            Window::Day => &mut self.hours,
        };
        let wanted = (window.span().as_secs() / ring.width.as_secs()) as usize;
        let known = usize::try_from(since.as_secs() / ring.width.as_secs() + 1);
        let shown = known.unwrap_or(wanted).min(wanted).min(ring.slots.len());
        let skipped = ring.slots.len() - shown;
        ring.slots(since).skip(skipped).collect()
    }
}

/// How far back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Window {
    /// In slots of five seconds.
    Minute,
    /// Likewise.
    FiveMinutes,
    /// In slots of a minute.
    Hour,
    /// In slots of an hour.
    Day,
}

impl Window {
    const fn span(self) -> Duration {
        match self {
            Self::Minute => MINUTE,
            Self::FiveMinutes => Duration::from_secs(300),
            Self::Hour => HOUR,
            Self::Day => Duration::from_secs(24 * 3600),
        }
    }

    /// Seconds of a slot.
    pub const fn slot(self) -> u64 {
        match self {
            Self::Minute | Self::FiveMinutes => FIVE.as_secs(),
            Self::Hour => MINUTE.as_secs(),
            Self::Day => HOUR.as_secs(),
        }
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
        let mut windows: Windows<u32> = Windows::new(start, ONE_MINUTE);
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        let sums = |windows: &mut Windows<u32>, seconds: u64| {
            [Window::Minute, Window::Hour, Window::Day]
                .map(|window| windows.slots(at(seconds), window).into_iter().sum::<u32>())
        };
        let add =
            |windows: &mut Windows<u32>, seconds| windows.at(at(seconds), |count| *count += 1);
        add(&mut windows, 0);
        add(&mut windows, 59);
        assert_eq!(sums(&mut windows, 59), [2, 2, 2]);
        assert_eq!(sums(&mut windows, 60), [1, 2, 2]);
        assert_eq!(sums(&mut windows, 114), [1, 2, 2]);
        assert_eq!(sums(&mut windows, 115), [0, 2, 2]);
        assert_eq!(sums(&mut windows, 3599), [0, 2, 2]);
        assert_eq!(sums(&mut windows, 3600), [0, 0, 2]);
        assert_eq!(sums(&mut windows, 86_399), [0, 0, 2]);
        assert_eq!(sums(&mut windows, 86_400), [0, 0, 0]);
        add(&mut windows, 1_000_000);
        assert_eq!(sums(&mut windows, 1_000_000), [1, 1, 1]);
        // A clock does not go back, but locks are taken in any order.
        add(&mut windows, 999_999);
        assert_eq!(sums(&mut windows, 1_000_000), [2, 2, 2]);
        let young: Windows<u32> = Windows::new(start, FIVE_MINUTES);
        let mut young = young;
        let shown = [Window::FiveMinutes, Window::Hour, Window::Day];
        let shown = shown.map(|window| young.slots(at(61), window).len());
        assert_eq!(shown, [13, 2, 1], "nothing before the start");
    }
}

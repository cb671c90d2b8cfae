//! How long a source is usually silent between two events, so that it can be said when it is silent for
//! longer.

use std::time::Duration;

use tokio::time::Instant;

/// The mean gap as somebody finds it who looks at any time: gaps weigh by their length, so a burst of a
/// hundred does not make a silence of an hour look odd. What is a day old counts for a third.
#[derive(Debug, Clone, Default)]
pub struct Gaps {
    last: Option<Instant>,
    /// The weighted sum of gaps, in seconds, and of their squares.
    sum: f64,
    squares: f64,
    count: u64,
}

impl Gaps {
    /// An event came.
    pub fn add(&mut self, now: Instant) {
        let last = self.last.replace(now);
        let Some(gap) = last.map(|last| now.saturating_duration_since(last).as_secs_f64()) else {
            return;
        };
        let fades = (-gap / MEMORY.as_secs_f64()).exp();
        self.sum = self.sum * fades + gap;
        self.squares = self.squares * fades + gap * gap;
        self.count += 1;
    }

    /// The usual one, once there were enough.
    pub fn usual(&self) -> Option<Duration> {
        let is_known = self.count >= ENOUGH && self.sum > 0.0;
        is_known.then(|| Duration::from_secs_f64(self.squares / self.sum))
    }

    /// How many usual gaps it is silent for now, if that is odd.
    pub fn silent_for(&self, now: Instant) -> Option<f64> {
        let silence = now.saturating_duration_since(self.last?);
        let usual = self.usual()?;
        let is_odd = silence > usual.mul_f64(ODD) && silence > SHORT;
        is_odd.then(|| silence.as_secs_f64() / usual.as_secs_f64())
    }
}

const MEMORY: Duration = Duration::from_secs(24 * 3600);
/// Gaps before anything is usual.
const ENOUGH: u64 = 4;
const ODD: f64 = 3.0;
/// Nobody is called silent after less.
const SHORT: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    fn gaps(seconds: &[u64]) -> (Gaps, Instant) {
        let mut now = Instant::now();
        let mut gaps = Gaps::default();
        gaps.add(now);
        for gap in seconds {
            now += Duration::from_secs(*gap);
            gaps.add(now);
        }
        (gaps, now)
    }

    #[test]
    fn a_source_is_silent_after_three_of_its_usual_gaps() {
        let (gaps, now) = gaps(&[600; 20]);
        assert_eq!(gaps.usual().map(|gap| gap.as_secs()), Some(600));
        let after = |seconds| gaps.silent_for(now + Duration::from_secs(seconds));
        assert_eq!(after(1800), None);
        assert!(after(1801).is_some_and(|times| times > 3.0 && times < 3.01));
    }

    #[test]
    fn a_burst_does_not_make_the_usual_silence_odd() {
        let hourly_bursts = [[3600].as_slice(), &[0; 99]].concat().repeat(10);
        let (gaps, now) = gaps(&hourly_bursts);
        assert!(gaps.usual().is_some_and(|gap| gap.as_secs() > 3500));
        assert_eq!(gaps.silent_for(now + Duration::from_secs(3 * 3500)), None);
    }

    #[test]
    fn nothing_is_odd_before_anything_is_usual_nor_within_a_minute() {
        let (few, now) = gaps(&[1, 1, 1]);
        assert_eq!(few.silent_for(now + Duration::from_secs(9999)), None);
        let (quick, now) = gaps(&[1; 50]);
        assert_eq!(quick.silent_for(now + Duration::from_secs(60)), None);
        assert!(quick.silent_for(now + Duration::from_secs(61)).is_some());
    }
}

//! Everything that is drawn, from one seed: SplitMix64.

use std::time::Duration;

/// A sequence that its seed decides.
#[derive(Debug, Clone)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) const fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Another sequence, which this one decides.
    pub(crate) const fn fork(&mut self) -> Self {
        Self::new(self.draw())
    }

    pub(crate) const fn below(&mut self, end: usize) -> usize {
        (self.draw() % end as u64) as usize
    }

    /// So many times in a thousand.
    pub(crate) const fn chance(&mut self, per_mille: u32) -> bool {
        self.draw() % 1000 < per_mille as u64
    }

    pub(crate) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    /// In whole milliseconds, as timers count.
    pub(crate) fn between(&mut self, least: Duration, most: Duration) -> Duration {
        let room = most.saturating_sub(least).as_millis() as usize;
        least + Duration::from_millis(self.below(room + 1) as u64)
    }

    /// Each order of magnitude as often.
    pub(crate) fn spread(&mut self, least: Duration, most: Duration) -> Duration {
        let part = (self.draw() >> 11) as f64 / (1_u64 << 53) as f64;
        let factor = (most.as_secs_f64() / least.as_secs_f64()).powf(part);
        Duration::from_millis((least.as_millis() as f64 * factor) as u64)
    }
}

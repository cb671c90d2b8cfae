//! Events in the order of their start, the newest first, from a store that gives them in another: slices
//! of time that are short enough to be read whole, sorted here.

use std::collections::HashSet;
use std::time::{Duration, SystemTime};

use tonic::Status;

use super::cursor::Position;
use super::query::between;
use crate::temporal::visibility::{Info, PAGE, Visibility};

/// On the way from a place in that order to what is older.
pub struct Walk<'a, V> {
    store: &'a V,
    condition: String,
    floor: SystemTime,
    at: Position,
    /// Nothing is younger, but for clocks that differ.
    now: SystemTime,
    span: Duration,
    looked_at: usize,
    is_over: bool,
}

impl<'a, V: Visibility> Walk<'a, V> {
    /// Of what the condition finds, from `at` down to `floor`.
    pub const fn new(
        store: &'a V,
        condition: String,
        floor: SystemTime,
        at: Position,
        now: SystemTime,
    ) -> Self {
        Self {
            store,
            condition,
            floor,
            at,
            now,
            span: FIRST_SPAN,
            looked_at: 0,
            is_over: false,
        }
    }

    /// The next ones: about as many as are wanted if there are so many, maybe more, maybe fewer; `None`:
    /// there are none.
    ///
    /// # Errors
    /// What Temporal says.
    pub async fn next(&mut self, wanted: usize) -> Result<Option<Vec<Info>>, Status> {
        while !self.is_over {
            let from = self.lower_end(wanted.min(SLICE)).await?;
            let slice = self.read(from).await?;
            self.looked_at += slice.len();
            self.at = Position::before(from);
            self.is_over = from <= self.floor;
            if !slice.is_empty() {
                return Ok(Some(slice));
            }
        }
        Ok(None)
    }

    /// How many workflows were read.
    pub const fn looked_at(&self) -> usize {
        self.looked_at
    }

    /// Whether all were.
    pub const fn is_over(&self) -> bool {
        self.is_over
    }

    /// All that is before it was read.
    pub fn position(&self) -> Position {
        self.at.clone()
    }

    /// From when on there are not too many to be read at once, and enough if there are.
    async fn lower_end(&mut self, wanted: usize) -> Result<SystemTime, Status> {
        if self.count(self.floor).await? <= SLICE {
            return Ok(self.floor);
        }
        let mut fitting = None;
        loop {
            let from = self.before(self.span);
            let count = self.count(from).await?;
            if count > SLICE {
                if let Some(fitting) = fitting {
                    return Ok(fitting);
                }
                if self.span <= SHORTEST_SPAN {
                    return Ok(from);
                }
                let share = (SLICE / 2) as f64 / count as f64;
                self.span = self.span.mul_f64(share).max(SHORTEST_SPAN);
            } else if count >= wanted || from <= self.floor {
                return Ok(from);
            } else {
                fitting = Some(from);
                self.span = self.span.saturating_mul(GROWTH).min(LONGEST_SPAN);
            }
        }
    }

    /// So long before where it stands: on a whole millisecond, which no store cuts.
    fn before(&self, span: Duration) -> SystemTime {
        let from = self.at.started.min(self.now).checked_sub(span);
        let from = from.unwrap_or(self.floor).max(self.floor);
        let since = from.duration_since(SystemTime::UNIX_EPOCH);
        let nanos = since.unwrap_or_default().subsec_nanos() % 1_000_000;
        (from - Duration::from_nanos(nanos.into())).max(self.floor)
    }

    async fn count(&self, from: SystemTime) -> Result<usize, Status> {
        let count = self.store.count(&self.query(from)).await?;
        Ok(usize::try_from(count).unwrap_or(usize::MAX))
    }

    /// All that was started since then, once each, in order.
    async fn read(&self, from: SystemTime) -> Result<Vec<Info>, Status> {
        let query = self.query(from);
        // One that ends while pages are read comes again among those that have ended.
        let mut seen = HashSet::new();
        let mut slice = Vec::new();
        let mut page = Vec::new();
        loop {
            let listed = self.store.list(&query, PAGE, page).await?;
            for info in listed.workflows {
                let at = position(&info);
                let is_in = at < self.at && at.started >= from;
                if is_in && seen.insert(info.execution.run_id.clone()) {
                    slice.push(info);
                }
            }
            page = listed.next_page;
            if page.is_empty() {
                break;
            }
        }
        slice.sort_by_cached_key(|info| std::cmp::Reverse(position(info)));
        Ok(slice)
    }

    /// A little beyond where it stands: stores cut what is less than a microsecond.
    fn query(&self, from: SystemTime) -> String {
        between(&self.condition, from, self.at.started + SLACK)
    }
}

fn position(info: &Info) -> Position {
    Position {
        started: info.started,
        run_id: info.execution.run_id.clone(),
    }
}

/// Workflows that are read at once, at most: a page of Temporal's.
const SLICE: usize = PAGE as usize;
const FIRST_SPAN: Duration = Duration::from_secs(60);
const SHORTEST_SPAN: Duration = Duration::from_millis(1);
/// Further than all time.
const LONGEST_SPAN: Duration = Duration::from_secs(200 * 365 * 24 * 3600);
const GROWTH: u32 = 8;
const SLACK: Duration = Duration::from_millis(1);

#[cfg(test)]
mod tests;

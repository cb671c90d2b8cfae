//! What happened lately, for the admin listener: a bounded memory of events and refusals in full words, and
//! running counts since the start. Without an admin listener there is none, and nothing is noted.

pub mod capture;
pub mod counts;
pub mod entry;
pub mod explain;
pub mod gaps;
pub mod windows;

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use tokio::sync::watch;
use tokio::time::Instant;
use webhook_core::outcome::Reject;

use self::counts::{Counts, SourceCounts, Traffic};
use self::entry::{Entry, Kind};
use self::windows::Windows;
use crate::forward::answer::Completion;
use crate::forward::context::RequestContext;

/// The memory of one process.
pub struct Journal {
    began: SystemTime,
    state: Mutex<State>,
    /// The number of the last entry.
    newest: watch::Sender<u64>,
}

struct State {
    /// The number of the last entry.
    last: u64,
    taken: Kept,
    refused: Kept,
    /// Requests to no source: whoever scans for paths pushes out nothing else.
    strays: Kept,
    traffic: Windows<Traffic>,
    totals: Counts,
    sources: HashMap<String, SourceCounts>,
}

/// The last entries of a kind.
struct Kept {
    entries: VecDeque<Arc<Entry>>,
    most: usize,
}

/// Entries that came after another.
pub struct News {
    /// In their order.
    pub entries: Vec<Arc<Entry>>,
    /// So many more there were.
    pub skipped: u64,
    /// The number of the last one.
    pub last: u64,
}

impl Journal {
    /// Nothing happened yet.
    pub fn new() -> Self {
        Self {
            began: SystemTime::now(),
            state: Mutex::new(State {
                last: 0,
                taken: Kept::new(TAKEN),
                refused: Kept::new(REFUSED),
                strays: Kept::new(STRAYS),
                traffic: Windows::new(Instant::now(), windows::FIVE_MINUTES),
                totals: Counts::default(),
                sources: HashMap::new(),
            }),
            newest: watch::Sender::new(0),
        }
    }

    /// A request has been answered so. Pages are not noted.
    pub fn note(&self, context: &RequestContext<'_>, result: &Result<Completion, Reject>) {
        if let Some(entry) = Entry::new(context, result) {
            let capture = context
                .source
                .and_then(|(source, _)| source.capture.as_ref());
            self.add(entry, capture.map_or(0, |capture| capture.last));
        }
    }

    fn add(&self, mut entry: Entry, captured: usize) {
        let now = Instant::now();
        let last = {
            let mut state = self.state();
            let state = &mut *state;
            state.last += 1;
            entry.number = state.last;
            let entry = Arc::new(entry);
            // What a test sends is no traffic.
            if !entry.is_test {
                state.totals.add(entry.outcome);
                state.traffic.at(now, |traffic| traffic.add(&entry));
                if let Some(path) = &entry.source {
                    source(&mut state.sources, path, now).add(&entry, now);
                }
            }
            if let (Some(path), Some(_)) = (&entry.source, &entry.captured) {
                source(&mut state.sources, path, now).capture(&entry, captured);
            }
            let kept = match (entry.kind, &entry.source) {
                (Kind::Taken | Kind::Handshake, _) => &mut state.taken,
                (Kind::Refused, Some(_)) => &mut state.refused,
                (Kind::Refused, None) => &mut state.strays,
            };
            kept.push(entry);
            state.last
        };
        if self.newest.receiver_count() > 0 {
            // Two may come here in the wrong order.
            self.newest.send_if_modified(|newest| {
                let is_newer = last > *newest;
                *newest = last.max(*newest);
                is_newer
            });
        }
    }

    /// Tells of each new entry by its number.
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.newest.subscribe()
    }

    /// The last entries after the one of this number, so many at most.
    pub fn after(&self, number: u64, most: usize) -> News {
        let state = self.state();
        let mut entries: Vec<_> = [&state.taken, &state.refused, &state.strays]
            .into_iter()
            .flat_map(|kept| kept.entries.iter().rev())
            .filter(|entry| entry.number > number)
            .cloned()
            .collect();
        entries.sort_by_key(|entry| entry.number);
        let left_out = entries.len().saturating_sub(most);
        entries.drain(..left_out);
        News {
            skipped: (state.last - number.min(state.last)) - entries.len() as u64,
            entries,
            last: state.last,
        }
    }

    /// The entry of the request of this id, if it is not forgotten.
    pub fn find(&self, request_id: &str) -> Option<Arc<Entry>> {
        let state = self.state();
        let mut entries = [&state.taken, &state.refused, &state.strays]
            .into_iter()
            .flat_map(|kept| kept.entries.iter().rev());
        entries
            .find(|entry| entry.request_id == request_id)
            .cloned()
    }

    /// The last refusals that are wanted, the newest first, and of each captured one what was kept.
    pub fn refusals(&self, most: usize, is_wanted: impl Fn(&Entry) -> bool) -> Vec<Arc<Entry>> {
        let state = self.state();
        let captured = (state.sources.values()).flat_map(SourceCounts::captured);
        let mut entries: Vec<_> = (state.refused.entries.iter())
            .chain(&state.strays.entries)
            .chain(captured)
            .filter(|entry| is_wanted(entry))
            .cloned()
            .collect();
        drop(state);
        entries.sort_by_key(|entry| std::cmp::Reverse(entry.number));
        entries.dedup_by_key(|entry| entry.number);
        entries.truncate(most);
        entries
    }

    /// What is counted, as JSON: since when, in all, by outcome, how fast.
    pub fn totals(&self) -> serde_json::Value {
        let now = Instant::now();
        let mut state = self.state();
        let state = &mut *state;
        serde_json::json!({
            "since": entry::time(self.began),
            "total": state.totals.total(),
            "outcomes": state.totals.json(),
            "rates": counts::rates(&mut state.traffic, now, |traffic| &traffic.outcomes),
        })
    }

    /// What is to be drawn, as JSON: by window, slot for slot.
    pub fn series(&self) -> serde_json::Value {
        let now = Instant::now();
        let mut state = self.state();
        counts::series(&mut state.traffic, now)
    }

    /// What is known of the source at this path.
    pub fn source<R>(&self, path: &str, read: impl FnOnce(&mut SourceCounts) -> R) -> Option<R> {
        self.state().sources.get_mut(path).map(read)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn source<'s>(
    sources: &'s mut HashMap<String, SourceCounts>,
    path: &str,
    now: Instant,
) -> &'s mut SourceCounts {
    // Twice looked up once, rather than a name made each time.
    if !sources.contains_key(path) {
        sources.insert(path.to_owned(), SourceCounts::new(now));
    }
    sources.get_mut(path).expect("it was just put there")
}

impl Default for Journal {
    fn default() -> Self {
        Self::new()
    }
}

impl Kept {
    const fn new(most: usize) -> Self {
        Self {
            entries: VecDeque::new(),
            most,
        }
    }

    fn push(&mut self, entry: Arc<Entry>) {
        if self.entries.len() >= self.most {
            self.entries.pop_front();
        }
        self.entries.push_back(entry);
    }
}

/// Of what Temporal holds, it has the rest.
const TAKEN: usize = 1000;
const REFUSED: usize = 500;
const STRAYS: usize = 100;

#[cfg(test)]
mod tests;

//! The keys that are known, what could not be fetched, and what is being fetched.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use reqwest::Url;
use tokio::sync::watch;
use tokio::time::Instant;
use webhook_core::provider::scheme::SecretForm;
use webhook_core::shown::shown;
use webhook_core::verify::key::Key;

/// What a key is known by: where it is, and how its text is read.
pub(super) type Id = (Url, SecretForm);

/// What there is of each URL.
#[derive(Debug, Default)]
pub(super) struct Table(HashMap<Id, Entry>);

#[derive(Debug, Default)]
struct Entry {
    /// Stays whatever fails after it.
    good: Option<Good>,
    failed: Option<(Instant, String)>,
    flight: Option<Flight>,
}

#[derive(Debug)]
struct Good {
    key: Arc<Key>,
    fetched: Instant,
    used: Instant,
}

/// A fetch: over when its sender is dropped.
pub(super) type Flight = watch::Receiver<()>;

/// What a request that names a key may do.
pub(super) enum State {
    /// Go on with this.
    Answer(Result<Arc<Key>, String>),
    /// Wait for the fetch; not too long, if there is a key that is only old.
    Flight(Flight, Option<Arc<Key>>),
    /// Fetch it; or again, if there was a key before.
    Missing { again: bool },
}

impl Table {
    /// What there is for a request that names this key of a set.
    pub(super) fn state(&mut self, id: &Id, key_id: Option<&str>) -> State {
        let Some(entry) = self.0.get_mut(id) else {
            return State::Missing { again: false };
        };
        let failed = entry.failed.as_ref();
        let failed = failed.filter(|(at, _)| at.elapsed() < FAILED);
        let good = entry.good.as_mut();
        let again = good.is_some();
        let mut old = None;
        if let Some(good) = good {
            // A request that names none is refused by any set, whatever is published.
            let has = key_id.is_none() || good.key.has(key_id);
            // The sender may have published another one meanwhile.
            let lasts = if has { FRESH } else { FAILED };
            if good.fetched.elapsed() < lasts || (has && failed.is_some()) {
                good.used = Instant::now();
                let key = has.then(|| Arc::clone(&good.key));
                return State::Answer(key.ok_or_else(|| NOT_IN_SET.to_owned()));
            }
            old = has.then(|| Arc::clone(&good.key));
        }
        if let Some((_, problem)) = failed {
            return State::Answer(Err(problem.clone()));
        }
        let flight = entry.flight.as_ref();
        match flight.filter(|flight| is_under_way(flight)) {
            Some(flight) => State::Flight(flight.clone(), old),
            None => State::Missing { again },
        }
    }

    /// A fetch begins; `false` if one is under way.
    pub(super) fn begin(&mut self, id: &Id, flight: Flight) -> bool {
        let entry = self.0.entry(id.clone()).or_default();
        let is_free = !entry.flight.as_ref().is_some_and(is_under_way);
        if is_free {
            entry.flight = Some(flight);
        }
        is_free
    }

    /// A fetch is over. A failure says so, and takes no key away.
    pub(super) fn end(&mut self, id: Id, fetched: Result<Arc<Key>, String>) {
        let url = id.0.to_string();
        let entry = self.0.entry(id).or_default();
        entry.flight = None;
        let now = Instant::now();
        match fetched {
            Ok(key) => {
                entry.failed = None;
                entry.good = Some(Good {
                    key,
                    fetched: now,
                    used: now,
                });
            }
            Err(problem) => {
                if entry.good.is_some() {
                    let (url, problem) = (shown(url), shown(&problem));
                    tracing::warn!(
                        url,
                        problem,
                        "a key cannot be fetched anew: the old one stays"
                    );
                }
                entry.failed = Some((now, problem));
            }
        }
        self.make_room();
    }

    /// Keys make room for keys, failures for failures.
    fn make_room(&mut self) {
        self.shrink(|entry| entry.good.as_ref().map(|good| good.used));
        self.shrink(|entry| match (&entry.good, &entry.failed) {
            (None, Some((at, _))) => Some(*at),
            _ => None,
        });
    }

    fn shrink(&mut self, since: impl Fn(&Entry) -> Option<Instant>) {
        let counted = |(id, entry): (&Id, &Entry)| since(entry).map(|at| (at, id.clone()));
        let mut ids: Vec<_> = self.0.iter().filter_map(counted).collect();
        let surplus = ids.len().saturating_sub(MAX_ENTRIES);
        ids.sort_by_key(|(at, _)| *at);
        for (_, id) in ids.into_iter().take(surplus) {
            self.0.remove(&id);
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

/// A fetch that panicked is not.
fn is_under_way(flight: &Flight) -> bool {
    flight.has_changed().is_ok()
}

/// How long a key is used before it is fetched again.
pub(super) const FRESH: Duration = Duration::from_secs(3600);
/// How long a failure is remembered, and how often a set is asked for a key that it has not: a flood
/// of bad URLs is no flood of fetches.
pub(super) const FAILED: Duration = Duration::from_secs(10);
/// The sender may have signed with a key that its set shows in a moment: not yet is no refusal.
const NOT_IN_SET: &str = "the set has no key of this id yet";
/// Keys, and failures besides.
pub(super) const MAX_ENTRIES: usize = 64;

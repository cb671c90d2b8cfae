//! The connections that calls are spread over: which one a call takes, and what is known of each.

use std::ops::Deref;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::Notify;

/// A slot for each connection, empty until there is one.
#[derive(Debug)]
pub struct Pool<C> {
    slots: RwLock<Vec<Option<Arc<Pooled<C>>>>>,
    /// Where the next call begins to look.
    next: AtomicUsize,
    random: AtomicU64,
}

/// A connection in its slot, and what its calls have seen of it.
#[derive(Debug)]
pub struct Pooled<C> {
    connection: C,
    in_flight: AtomicUsize,
    /// Answers so far.
    heard: AtomicUsize,
    suspected: Notify,
    is_given_up: AtomicBool,
    given_up: Notify,
}

/// A call's hold on a connection.
#[derive(Debug)]
pub struct Lease<C> {
    pooled: Arc<Pooled<C>>,
    heard_before: usize,
}

impl<C> Pool<C> {
    /// No connection yet. What is random is drawn from the seed on.
    pub fn new(size: usize, seed: u64) -> Self {
        Self {
            slots: RwLock::new((0..size).map(|_| None).collect()),
            next: AtomicUsize::new(0),
            random: AtomicU64::new(seed),
        }
    }

    /// Another random number each time, from 0 to 1: SplitMix64.
    pub fn random(&self) -> f32 {
        let drawn = self.random.fetch_add(GOLDEN, Ordering::Relaxed);
        let mixed = (drawn ^ (drawn >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let [random, ..] = mixed.to_be_bytes();
        f32::from(random) / 255.0
    }

    /// The connection with the fewest calls in flight; of equals, one after the other. A connection
    /// that is slow, or answers no more, gets the fewer calls the longer it holds those that it has,
    /// before anybody knows why. Not `but`, if there is another.
    pub fn lease(&self, but: Option<&Lease<C>>) -> Option<Lease<C>> {
        let other = but.and_then(|lease| self.another(lease));
        other.or_else(|| self.idlest(None))
    }

    /// The same, and only if there is another than this.
    pub fn another(&self, than: &Lease<C>) -> Option<Lease<C>> {
        self.idlest(Some(&than.pooled))
    }

    fn idlest(&self, but: Option<&Arc<Pooled<C>>>) -> Option<Lease<C>> {
        let slots = self.slots.read().unwrap_or_else(PoisonError::into_inner);
        let next = self.next.fetch_add(1, Ordering::Relaxed) % slots.len().max(1);
        let in_turn = slots[next..].iter().chain(&slots[..next]).flatten();
        let is_other = |pooled: &&Arc<Pooled<C>>| but.is_none_or(|but| !Arc::ptr_eq(but, pooled));
        let idlest = in_turn
            .filter(is_other)
            .min_by_key(|pooled| pooled.in_flight.load(Ordering::Relaxed))?;
        Some(Lease::of(idlest))
    }

    /// How many slots there are.
    pub fn size(&self) -> usize {
        let slots = self.slots.read().unwrap_or_else(PoisonError::into_inner);
        slots.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        let slots = self.slots.read().unwrap_or_else(PoisonError::into_inner);
        slots.iter().flatten().next().is_none()
    }

    /// What is in the slot.
    pub fn at(&self, slot: usize) -> Option<Arc<Pooled<C>>> {
        let slots = self.slots.read().unwrap_or_else(PoisonError::into_inner);
        slots.get(slot)?.clone()
    }

    /// All there are.
    pub fn all(&self) -> Vec<Arc<Pooled<C>>> {
        let slots = self.slots.read().unwrap_or_else(PoisonError::into_inner);
        slots.iter().flatten().cloned().collect()
    }

    /// Starts anew with this one connection and room for `size`. Calls go on on those before.
    pub fn begin(&self, connection: C, size: usize) {
        let mut slots = self.slots.write().unwrap_or_else(PoisonError::into_inner);
        *slots = (0..size).map(|_| None).collect();
        slots[0] = Some(Arc::new(Pooled::new(connection)));
    }

    /// Puts a connection into a slot. If there was one, it is given up: its calls are told.
    pub fn put(&self, slot: usize, connection: C) {
        let mut slots = self.slots.write().unwrap_or_else(PoisonError::into_inner);
        let before = slots[slot].replace(Arc::new(Pooled::new(connection)));
        drop(slots);
        if let Some(before) = before {
            before.is_given_up.store(true, Ordering::Release);
            before.given_up.notify_waiters();
        }
    }
}

impl<C> Pooled<C> {
    fn new(connection: C) -> Self {
        Self {
            connection,
            in_flight: AtomicUsize::new(0),
            heard: AtomicUsize::new(0),
            suspected: Notify::new(),
            is_given_up: AtomicBool::new(false),
            given_up: Notify::new(),
        }
    }

    /// Until a call on it waits longer than it should, and nothing else came on it, either.
    pub async fn suspected(&self) {
        self.suspected.notified().await;
    }
}

impl<C> Deref for Pooled<C> {
    type Target = C;

    fn deref(&self) -> &C {
        &self.connection
    }
}

impl<C> Lease<C> {
    fn of(pooled: &Arc<Pooled<C>>) -> Self {
        pooled.in_flight.fetch_add(1, Ordering::Relaxed);
        Self {
            pooled: Arc::clone(pooled),
            heard_before: pooled.heard.load(Ordering::Relaxed),
        }
    }

    /// An answer came on it.
    pub fn heard(&self) {
        self.pooled.heard.fetch_add(1, Ordering::Relaxed);
    }

    /// The answer is late: if no other call's came in the meantime, somebody has to look.
    pub fn is_late(&self) {
        if self.pooled.heard.load(Ordering::Relaxed) == self.heard_before {
            self.pooled.suspected.notify_one();
        }
    }

    /// Until another connection is in its place, since nothing will come on this one.
    pub async fn given_up(&self) {
        // From here on it is told, whenever it is polled first.
        let told = self.pooled.given_up.notified();
        if !self.pooled.is_given_up.load(Ordering::Acquire) {
            told.await;
        }
    }
}

impl<C> Deref for Lease<C> {
    type Target = C;

    fn deref(&self) -> &C {
        &self.pooled.connection
    }
}

impl<C> Drop for Lease<C> {
    fn drop(&mut self) {
        self.pooled.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The golden ratio's, in 64 bits.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

#[cfg(test)]
mod tests {
    use super::*;

    fn of_two() -> Pool<char> {
        let pool = Pool::new(2, 0);
        pool.put(0, 'a');
        pool.put(1, 'b');
        pool
    }

    #[test]
    fn a_call_takes_the_connection_with_the_fewest_in_flight_and_equals_take_turns() {
        let pool = of_two();
        let mut seen: Vec<char> = (0..4).map(|_| *pool.lease(None).expect("one")).collect();
        assert_eq!(seen[..2], seen[2..], "in turns");
        seen.dedup();
        assert_eq!(seen.len(), 4, "{seen:?}");

        let stuck = pool.lease(None).expect("one");
        for _ in 0..4 {
            assert_ne!(*pool.lease(None).expect("the other"), *stuck);
        }
        let other = pool.another(&stuck).expect("the other");
        assert_ne!(*other, *stuck);
        drop((stuck, other));
        let loads = pool.all();
        assert!(
            loads
                .iter()
                .all(|pooled| pooled.in_flight.load(Ordering::Relaxed) == 0),
            "every hold comes back: {loads:?}"
        );
    }

    #[test]
    fn what_is_random_is_spread_and_begins_with_the_seed() {
        let draw = |seed| {
            let pool: Pool<()> = Pool::new(0, seed);
            (0..1000).map(|_| pool.random()).collect::<Vec<_>>()
        };
        let drawn = draw(7);
        assert_eq!(drawn, draw(7));
        assert_ne!(drawn, draw(8));
        let mean = drawn.iter().sum::<f32>() / 1000.0;
        assert!((0.45..0.55).contains(&mean), "{mean}");
    }

    #[test]
    fn the_only_connection_is_better_than_none() {
        let pool = Pool::new(2, 0);
        assert!(pool.lease(None).is_none());
        pool.put(1, 'b');
        let lease = pool.lease(None).expect("one");
        assert!(pool.another(&lease).is_none());
        assert_eq!(*pool.lease(Some(&lease)).expect("the same"), 'b');
    }

    #[tokio::test]
    async fn a_connection_that_is_silent_is_suspected_and_its_calls_hear_of_another_in_its_place() {
        let pool = of_two();
        let (one, other) = (pool.lease(None), pool.lease(None));
        let (one, other) = (one.expect("one"), other.expect("the other"));
        other.heard();
        other.is_late();
        one.is_late();
        let at = |lease: &Lease<char>| {
            (0..2).find(|slot| pool.at(*slot).is_some_and(|c| **c == **lease))
        };
        let (slot, quiet) = (at(&one).expect("its slot"), at(&other).expect("its slot"));
        pool.at(slot).expect("it is there").suspected().await;
        let quiet = pool.at(quiet).expect("it is there");
        tokio::select! {
            biased;
            () = quiet.suspected() => panic!("it has answered"),
            () = one.given_up() => panic!("it is in its place"),
            () = std::future::ready(()) => {}
        }
        pool.put(slot, 'c');
        one.given_up().await;
        assert!(pool.all().iter().any(|pooled| ***pooled == 'c'));
    }
}

//! A seat for each open connection. When all are taken, the connection that has been idle longest
//! makes room for a new one; one with a request in flight never does.

use std::collections::{BTreeSet, HashMap};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::time::Instant;

/// The seats of a listener.
pub(super) struct Seats {
    limit: usize,
    limit_per_peer: Option<usize>,
    opened: Instant,
    taken: Mutex<Taken>,
}

#[derive(Default)]
struct Taken {
    next: u64,
    seats: HashMap<u64, Occupant>,
    peers: HashMap<IpAddr, usize>,
    /// Since when, and which; the oldest first.
    idle: BTreeSet<(Instant, u64)>,
    idle_by_peer: BTreeSet<(IpAddr, Instant, u64)>,
}

struct Occupant {
    peer: IpAddr,
    idle_since: Option<Instant>,
    evict: Arc<Notify>,
}

/// Whether a new connection is taken.
pub(super) enum Admission {
    /// There was room.
    Free(Seat),
    /// The one that was idle longest is being closed for it.
    InPlaceOfIdle(Seat),
    /// No: every connection has a request in flight.
    Full,
    /// No: the same of all connections that its peer may hold.
    ShareIsFull,
}

/// An open connection's; free when dropped.
pub(super) struct Seat {
    seats: Arc<Seats>,
    id: u64,
    evict: Arc<Notify>,
}

impl Seats {
    pub(super) fn new(limit: usize, limit_per_peer: Option<usize>) -> Arc<Self> {
        Arc::new(Self {
            limit,
            limit_per_peer,
            opened: Instant::now(),
            taken: Mutex::default(),
        })
    }

    pub(super) fn admit(self: &Arc<Self>, peer: IpAddr) -> Admission {
        let peer = network(peer);
        let mut taken = self.lock();
        let held = taken.peers.get(&peer).copied().unwrap_or_default();
        let share_is_full = self.limit_per_peer.is_some_and(|limit| held >= limit);
        let is_full = taken.seats.len() >= self.limit;
        if share_is_full && !taken.evict_of(peer, self.opened) {
            return Admission::ShareIsFull;
        }
        if is_full && !share_is_full && !taken.evict() {
            return Admission::Full;
        }
        let (id, evict) = taken.seat(peer);
        drop(taken);
        let seat = Seat {
            seats: Arc::clone(self),
            id,
            evict,
        };
        if is_full || share_is_full {
            Admission::InPlaceOfIdle(seat)
        } else {
            Admission::Free(seat)
        }
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taken {
    fn seat(&mut self, peer: IpAddr) -> (u64, Arc<Notify>) {
        let (id, evict) = (self.next, Arc::new(Notify::new()));
        self.next += 1;
        let occupant = Occupant {
            peer,
            idle_since: None,
            evict: Arc::clone(&evict),
        };
        self.seats.insert(id, occupant);
        *self.peers.entry(peer).or_default() += 1;
        // A connection that has not brought a request yet is idle.
        self.set_idle(id, Some(Instant::now()));
        (id, evict)
    }

    fn evict(&mut self) -> bool {
        let oldest = self.idle.first().map(|(_, id)| *id);
        self.close(oldest)
    }

    fn evict_of(&mut self, peer: IpAddr, opened: Instant) -> bool {
        let mut idle = self.idle_by_peer.range((peer, opened, 0)..);
        let oldest = idle.next().filter(|(of, ..)| *of == peer);
        self.close(oldest.map(|(.., id)| *id))
    }

    fn close(&mut self, id: Option<u64>) -> bool {
        let occupant = id.and_then(|id| self.free(id));
        occupant
            .map(|occupant| occupant.evict.notify_one())
            .is_some()
    }

    fn free(&mut self, id: u64) -> Option<Occupant> {
        self.set_idle(id, None);
        let occupant = self.seats.remove(&id)?;
        if let Some(held) = self.peers.get_mut(&occupant.peer) {
            *held -= 1;
            if *held == 0 {
                self.peers.remove(&occupant.peer);
            }
        }
        Some(occupant)
    }

    fn set_idle(&mut self, id: u64, since: Option<Instant>) {
        let Some(occupant) = self.seats.get_mut(&id) else {
            return;
        };
        let peer = occupant.peer;
        if let Some(before) = std::mem::replace(&mut occupant.idle_since, since) {
            self.idle.remove(&(before, id));
            self.idle_by_peer.remove(&(peer, before, id));
        }
        if let Some(since) = since {
            self.idle.insert((since, id));
            self.idle_by_peer.insert((peer, since, id));
        }
    }
}

impl Seat {
    /// Since when its connection has no request in flight; `None`: it has one.
    pub(super) fn set_idle(&self, since: Option<Instant>) {
        self.seats.lock().set_idle(self.id, since);
    }

    /// Waits until another connection has got the seat.
    pub(super) async fn evicted(&self) {
        self.evict.notified().await;
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.seats.lock().free(self.id);
    }
}

/// Whoever has an address of IPv6 has the whole /64.
fn network(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(address) => {
            let bits = address.to_bits() >> 64 << 64;
            IpAddr::V6(Ipv6Addr::from_bits(bits))
        }
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::FutureExt;
    use tokio::time::advance;

    use super::*;

    fn seat(seats: &Arc<Seats>, peer: &str) -> Seat {
        match seats.admit(peer.parse().expect("an address")) {
            Admission::Free(seat) => seat,
            _ => panic!("there is room"),
        }
    }

    fn in_place_of_idle(seats: &Arc<Seats>, peer: &str) -> Seat {
        match seats.admit(peer.parse().expect("an address")) {
            Admission::InPlaceOfIdle(seat) => seat,
            _ => panic!("one is idle"),
        }
    }

    fn is_evicted(seat: &Seat) -> bool {
        seat.evicted().now_or_never().is_some()
    }

    #[tokio::test(start_paused = true)]
    async fn the_one_that_is_idle_longest_makes_room() {
        let seats = Seats::new(3, None);
        let taken: Vec<_> = (0..3).map(|_| seat(&seats, "192.0.2.1")).collect();
        for index in [1, 0, 2] {
            advance(Duration::from_secs(1)).await;
            taken[index].set_idle(Some(Instant::now()));
        }
        let mut newcomers = Vec::new();
        for index in [1, 0, 2] {
            assert!(!is_evicted(&taken[index]), "{index}");
            let new = in_place_of_idle(&seats, "192.0.2.2");
            new.set_idle(None);
            newcomers.push(new);
            assert!(is_evicted(&taken[index]), "{index}");
        }
        let full = seats.admit("192.0.2.2".parse().expect("an address"));
        assert!(matches!(full, Admission::Full), "all are busy");
    }

    #[tokio::test(start_paused = true)]
    async fn a_busy_one_is_never_closed_and_one_that_ends_makes_room() {
        let seats = Seats::new(1, None);
        let busy = seat(&seats, "192.0.2.1");
        busy.set_idle(None);
        let other = "192.0.2.2".parse().expect("an address");
        assert!(matches!(seats.admit(other), Admission::Full));
        assert!(!is_evicted(&busy));
        drop(busy);
        drop(seat(&seats, "192.0.2.2"));
        assert!(seats.lock().peers.is_empty(), "nothing is left behind");
        assert!(
            seats.lock().idle_by_peer.is_empty(),
            "nothing is left behind"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn one_peer_holds_its_share_and_takes_nobody_elses() {
        let seats = Seats::new(100, Some(2));
        let other = seat(&seats, "192.0.2.9");
        advance(Duration::from_secs(1)).await;
        let first = seat(&seats, "192.0.2.1");
        advance(Duration::from_secs(1)).await;
        let second = seat(&seats, "::ffff:192.0.2.1");
        let third = in_place_of_idle(&seats, "192.0.2.1");
        assert!(is_evicted(&first) && !is_evicted(&second) && !is_evicted(&other));
        second.set_idle(None);
        third.set_idle(None);
        let peer = "192.0.2.1".parse().expect("an address");
        assert!(matches!(seats.admit(peer), Admission::ShareIsFull));
        drop(first);
        assert!(matches!(seats.admit(peer), Admission::ShareIsFull));
        drop(third);
        drop(seat(&seats, "192.0.2.1"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_network_of_ipv6_is_one_peer() {
        let seats = Seats::new(100, Some(1));
        let _other = seat(&seats, "2001:db8:0:2::1");
        let first = seat(&seats, "2001:db8:0:1::1");
        let _second = in_place_of_idle(&seats, "2001:db8:0:1:ffff::2");
        assert!(is_evicted(&first));
    }
}

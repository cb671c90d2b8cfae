//! A seat for each open connection. When all are taken, the connection that has been idle longest
//! makes room for a new one; one with a request in flight never does.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::time::Instant;
use webhook_core::client::network;

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
    /// `None`: a trusted proxy's, which has no share: whose it is, nobody has said.
    peer: Option<IpAddr>,
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

/// Whether a peer may hold one connection more.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Share {
    Free,
    /// Its own that was idle longest is being closed for it.
    InPlaceOfIdle,
    Full,
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

    /// `None`: the peer is a trusted proxy, which has no share of its own.
    pub(super) fn admit(self: &Arc<Self>, peer: Option<IpAddr>) -> Admission {
        let peer = peer.map(network);
        let mut taken = self.lock();
        let share_is_full = peer.is_some_and(|peer| self.is_share_full(&taken, peer));
        let is_full = taken.seats.len() >= self.limit;
        if share_is_full && !peer.is_some_and(|peer| taken.evict_of(peer, self.opened)) {
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

    fn is_share_full(&self, taken: &Taken, peer: IpAddr) -> bool {
        let held = taken.peers.get(&peer).copied().unwrap_or_default();
        self.limit_per_peer.is_some_and(|limit| held >= limit)
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taken {
    fn seat(&mut self, peer: Option<IpAddr>) -> (u64, Arc<Notify>) {
        let (id, evict) = (self.next, Arc::new(Notify::new()));
        self.next += 1;
        let occupant = Occupant {
            peer: None,
            idle_since: None,
            evict: Arc::clone(&evict),
        };
        self.seats.insert(id, occupant);
        if let Some(peer) = peer {
            self.give(id, peer);
        }
        // A connection that has not brought a request yet is idle.
        self.set_idle(id, Some(Instant::now()));
        (id, evict)
    }

    /// The seat is of this peer's share.
    fn give(&mut self, id: u64, peer: IpAddr) {
        let Some(occupant) = self.seats.get_mut(&id) else {
            return;
        };
        occupant.peer = Some(peer);
        *self.peers.entry(peer).or_default() += 1;
        if let Some(since) = occupant.idle_since {
            self.idle_by_peer.insert((peer, since, id));
        }
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
        if let Some(peer) = occupant.peer
            && let Some(held) = self.peers.get_mut(&peer)
        {
            *held -= 1;
            if *held == 0 {
                self.peers.remove(&peer);
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
            if let Some(peer) = peer {
                self.idle_by_peer.remove(&(peer, before, id));
            }
        }
        if let Some(since) = since {
            self.idle.insert((since, id));
            if let Some(peer) = peer {
                self.idle_by_peer.insert((peer, since, id));
            }
        }
    }
}

impl Seat {
    /// Since when its connection has no request in flight; `None`: it has one.
    pub(super) fn set_idle(&self, since: Option<Instant>) {
        self.seats.lock().set_idle(self.id, since);
    }

    /// A trusted proxy has said whose connection it is: it counts for that one's share.
    pub(super) fn belongs_to(&self, client: IpAddr) -> Share {
        let (seats, client) = (&self.seats, network(client));
        let mut taken = seats.lock();
        let is_full = seats.is_share_full(&taken, client);
        if is_full && !taken.evict_of(client, seats.opened) {
            return Share::Full;
        }
        taken.give(self.id, client);
        if is_full {
            Share::InPlaceOfIdle
        } else {
            Share::Free
        }
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::FutureExt;
    use tokio::time::advance;

    use super::*;

    fn address(text: &str) -> Option<IpAddr> {
        Some(text.parse().expect("an address"))
    }

    fn seat(seats: &Arc<Seats>, peer: &str) -> Seat {
        match seats.admit(address(peer)) {
            Admission::Free(seat) => seat,
            _ => panic!("there is room"),
        }
    }

    fn in_place_of_idle(seats: &Arc<Seats>, peer: &str) -> Seat {
        match seats.admit(address(peer)) {
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
        let full = seats.admit(address("192.0.2.2"));
        assert!(matches!(full, Admission::Full), "all are busy");
    }

    #[tokio::test(start_paused = true)]
    async fn a_busy_one_is_never_closed_and_one_that_ends_makes_room() {
        let seats = Seats::new(1, None);
        let busy = seat(&seats, "192.0.2.1");
        busy.set_idle(None);
        let other = address("192.0.2.2");
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
        let peer = address("192.0.2.1");
        assert!(matches!(seats.admit(peer), Admission::ShareIsFull));
        drop(first);
        assert!(matches!(seats.admit(peer), Admission::ShareIsFull));
        drop(third);
        drop(seat(&seats, "192.0.2.1"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_proxy_has_no_share_and_whom_it_speaks_for_has() {
        let seats = Seats::new(100, Some(1));
        let through_proxy = || match seats.admit(None) {
            Admission::Free(seat) => seat,
            _ => panic!("a proxy has no share"),
        };
        let client = |last| IpAddr::from([192, 0, 2, last]);
        let taken: Vec<_> = (0..10).map(|_| through_proxy()).collect();
        assert_eq!(taken[0].belongs_to(client(1)), Share::Free);
        assert_eq!(taken[1].belongs_to(client(2)), Share::Free);
        advance(Duration::from_secs(1)).await;
        assert_eq!(taken[2].belongs_to(client(1)), Share::InPlaceOfIdle);
        assert!(is_evicted(&taken[0]) && !is_evicted(&taken[1]));
        taken[2].set_idle(None);
        assert_eq!(taken[3].belongs_to(client(1)), Share::Full);
        taken[2].set_idle(Some(Instant::now()));
        assert_eq!(taken[4].belongs_to(client(1)), Share::InPlaceOfIdle);
        drop(taken);
        assert!(seats.lock().peers.is_empty(), "nothing is left behind");
        assert!(
            seats.lock().idle_by_peer.is_empty(),
            "nothing is left behind"
        );
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

//! `[server] block`: addresses that signed badly too often are not listened to for a while, each at its source.
//! Never one that has signed well within the hour: senders share addresses. Of this process alone.

use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use webhook_core::client::network;
use webhook_core::limit::Block;
use webhook_core::outcome::Reject;

use super::recent::Recent;

/// Of all sources.
#[derive(Debug)]
pub struct Blocks {
    random: RandomState,
    known: Mutex<Known>,
}

/// Apart, so that no number of bad ones makes a good one forgotten.
#[derive(Debug)]
struct Known {
    /// When they last signed well.
    good: Recent<Instant>,
    bad: Recent<Suspect>,
}

#[derive(Debug)]
struct Suspect {
    since: Instant,
    bad_signatures: u32,
    blocked_until: Option<Instant>,
}

impl Blocks {
    /// Nobody is known, and never more than `size` of each kind: who was not heard longest makes room.
    pub fn new(size: usize) -> Self {
        Self {
            random: RandomState::new(),
            known: Mutex::new(Known {
                good: Recent::new(size),
                bad: Recent::new(size),
            }),
        }
    }

    /// Whether the client may be heard at the source of this path.
    ///
    /// # Errors
    /// [`Reject::RateLimited`]
    pub fn check(&self, block: &Block, path: &str, client: IpAddr) -> Result<(), Reject> {
        let key = self.key(path, client);
        let mut known = self.lock();
        let until = known.bad.find(key).and_then(|it| it.blocked_until);
        let Some(until) = until else {
            return Ok(());
        };
        let wait = until.saturating_duration_since(Instant::now());
        if wait.is_zero() {
            known.bad.remove(key);
            return Ok(());
        }
        let reason = format!(
            "the address is blocked at this source: {} bad signatures within {:?}",
            block.bad_signatures, block.within
        );
        Err(Reject::RateLimited(wait, reason))
    }

    /// The client has signed well.
    pub fn note_good(&self, path: &str, client: IpAddr) {
        let key = self.key(path, client);
        let mut known = self.lock();
        let now = Instant::now();
        *known.good.find_or(key, || now) = now;
        known.bad.remove(key);
    }

    /// The client has signed badly. `true`: from now on it is blocked.
    pub fn note_bad(&self, block: &Block, path: &str, client: IpAddr) -> bool {
        let key = self.key(path, client);
        let mut known = self.lock();
        let now = Instant::now();
        let good = known.good.find(key);
        if good.is_some_and(|at| now.duration_since(*at) < TRUST) {
            return false;
        }
        let new = || Suspect {
            since: now,
            bad_signatures: 0,
            blocked_until: None,
        };
        let suspect = known.bad.find_or(key, new);
        // A request that was in flight.
        if suspect.blocked_until.is_some_and(|until| until > now) {
            return false;
        }
        if suspect.blocked_until.is_some() || now.duration_since(suspect.since) > block.within {
            *suspect = new();
        }
        suspect.bad_signatures += 1;
        let is_over = suspect.bad_signatures >= block.bad_signatures;
        suspect.blocked_until = is_over.then(|| now + block.lasts);
        is_over
    }

    fn key(&self, path: &str, client: IpAddr) -> u64 {
        self.random.hash_one((path, network(client)))
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// For so long a good signature keeps an address from being blocked.
const TRUST: Duration = Duration::from_secs(60 * 60);

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const BLOCK: Block = Block {
        bad_signatures: 3,
        within: Duration::from_secs(60),
        lasts: Duration::from_secs(600),
    };

    fn client(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    fn is_blocked(blocks: &Blocks, path: &str, address: &str) -> bool {
        blocks.check(&BLOCK, path, client(address)).is_err()
    }

    /// How many bad signatures of so many block the address.
    fn signs_badly(blocks: &Blocks, address: &str, times: usize) -> usize {
        let bad = || blocks.note_bad(&BLOCK, "/a", client(address));
        (0..times).filter(|_| bad()).count()
    }

    #[tokio::test(start_paused = true)]
    async fn so_many_within_the_time_block_one_address_at_one_source_for_a_while() {
        let blocks = Blocks::new(10);
        assert_eq!(signs_badly(&blocks, "192.0.2.1", 2), 0);
        assert!(!is_blocked(&blocks, "/a", "192.0.2.1"));
        assert_eq!(signs_badly(&blocks, "192.0.2.1", 5), 1, "it is said once");
        assert!(is_blocked(&blocks, "/a", "192.0.2.1"));
        assert!(!is_blocked(&blocks, "/b", "192.0.2.1"));
        assert!(!is_blocked(&blocks, "/a", "192.0.2.2"));
        advance(SECOND * 599).await;
        match blocks.check(&BLOCK, "/a", client("192.0.2.1")) {
            Err(Reject::RateLimited(wait, reason)) => {
                assert_eq!(wait, SECOND);
                assert!(reason.contains("3 bad signatures within 60s"), "{reason}");
            }
            other => panic!("{other:?}"),
        }
        advance(SECOND).await;
        assert!(!is_blocked(&blocks, "/a", "192.0.2.1"));
        assert_eq!(signs_badly(&blocks, "192.0.2.1", 2), 0, "it begins anew");
        assert_eq!(signs_badly(&blocks, "192.0.2.1", 1), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn what_comes_slowly_blocks_nobody() {
        let blocks = Blocks::new(10);
        for _ in 0..10 {
            assert_eq!(signs_badly(&blocks, "192.0.2.1", 2), 0);
            advance(SECOND * 61).await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_has_signed_well_within_the_hour_is_never_blocked() {
        let blocks = Blocks::new(10);
        signs_badly(&blocks, "192.0.2.1", 2);
        blocks.note_good("/a", client("192.0.2.1"));
        advance(SECOND * 3599).await;
        // Nor do others make it forgotten.
        for other in 0..200 {
            signs_badly(&blocks, &format!("198.51.100.{other}"), 5);
        }
        assert_eq!(signs_badly(&blocks, "192.0.2.1", 1000), 0);
        assert!(!is_blocked(&blocks, "/a", "192.0.2.1"));
        blocks.note_good("/b", client("192.0.2.1"));
        advance(SECOND).await;
        assert_eq!(
            signs_badly(&blocks, "192.0.2.1", 3),
            1,
            "at this source it has not"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn memory_is_bounded() {
        let blocks = Blocks::new(10);
        for host in 0..250 {
            let address = format!("192.0.2.{host}");
            signs_badly(&blocks, &address, 3);
            blocks.note_good("/b", client(&address));
        }
        let known = blocks.known.lock().expect("nobody panicked");
        assert_eq!((known.good.len(), known.bad.len()), (10, 10));
    }
}

//! `rate_limit` of a source: buckets that fill evenly, one for all events or one for each of whatever is
//! counted by itself. Of this process alone: other replicas have their own.

use std::hash::{BuildHasher, Hash, RandomState};
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use governor::clock;
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use tokio::time::Instant;
use webhook_core::client::network;
use webhook_core::event::Event;
use webhook_core::limit::{Counted, Rate, RateLimit};
use webhook_core::outcome::Reject;

use super::recent::Recent;

/// Of one source.
#[derive(Debug)]
pub struct Limiter {
    limit: RateLimit,
    clock: Clock,
    random: RandomState,
    buckets: Buckets,
}

#[derive(Debug)]
enum Buckets {
    /// Without a lock.
    One(Bucket),
    Many(Mutex<Recent<Bucket>>),
}

/// For each rate one; what they hold is a number each.
#[derive(Debug)]
struct Bucket(Box<[Gcra]>);

type Gcra = RateLimiter<NotKeyed, InMemoryState, Clock, NoOpMiddleware<Duration>>;

/// The runtime's time, which tests can stop.
#[derive(Debug, Clone, Copy)]
struct Clock(Instant);

impl clock::Clock for Clock {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.0.elapsed()
    }
}

impl Limiter {
    /// Nothing was taken yet. No more than `size` buckets: the one that was not used longest makes room,
    /// and whoever it was has a full one again.
    pub fn new(limit: &RateLimit, size: usize) -> Self {
        let clock = Clock(Instant::now());
        Self {
            buckets: match limit.counted {
                Counted::Together => Buckets::One(Bucket::new(limit, clock)),
                Counted::Client | Counted::By(_) => Buckets::Many(Mutex::new(Recent::new(size))),
            },
            limit: limit.clone(),
            clock,
            random: RandomState::new(),
        }
    }

    /// Whether this is its limit.
    pub fn is_of(&self, limit: &RateLimit) -> bool {
        self.limit == *limit
    }

    /// Takes one for a request of this client, before anything is known of it.
    ///
    /// # Errors
    /// [`Reject::RateLimited`]
    pub fn charge_client(&self, client: IpAddr) -> Result<(), Reject> {
        match self.limit.counted {
            Counted::Client => self.take(network(client)),
            Counted::Together | Counted::By(_) => Ok(()),
        }
    }

    /// Takes one for an event, once its sender is proven: nobody else uses up what is the sender's. `name` is
    /// the source's.
    ///
    /// # Errors
    /// [`Reject::RateLimited`]
    pub fn charge_event(&self, event: &Event, name: &str) -> Result<(), Reject> {
        match &self.limit.counted {
            Counted::Client => Ok(()),
            Counted::Together => self.take(()),
            by => self.take(by.of(event, name)),
        }
    }

    fn take(&self, key: impl Hash) -> Result<(), Reject> {
        let taken = match &self.buckets {
            Buckets::One(bucket) => bucket.take(self.clock),
            Buckets::Many(table) => {
                let mut table = table.lock().unwrap_or_else(PoisonError::into_inner);
                let make = || Bucket::new(&self.limit, self.clock);
                let bucket = table.find_or(self.random.hash_one(key), make);
                bucket.take(self.clock)
            }
        };
        taken.map_err(|(rate, wait)| {
            let rate = &self.limit.rates[rate];
            let whose = match self.limit.counted {
                Counted::Together => "",
                Counted::Client => ", for this client",
                Counted::By(_) => ", for its key",
            };
            let reason = format!(
                "over rate_limit of the source: {} = {}{whose}",
                rate.name, rate.number
            );
            Reject::RateLimited(wait, reason)
        })
    }
}

impl Bucket {
    fn new(limit: &RateLimit, clock: Clock) -> Self {
        let rates = limit.rates.iter();
        let rates = rates.map(|rate| RateLimiter::direct_with_clock(quota(rate), clock));
        Self(rates.collect())
    }

    /// The shortest rate first: what a longer one refuses has cost the shorter one what it has again in a
    /// moment, and never the other way round. An error says which, and when there is one again.
    fn take(&self, clock: Clock) -> Result<(), (usize, Duration)> {
        for (index, rate) in self.0.iter().enumerate() {
            if let Err(refused) = rate.check() {
                let now = clock::Clock::now(&clock);
                return Err((index, refused.wait_time_from(now)));
            }
        }
        Ok(())
    }
}

fn quota(rate: &Rate) -> Quota {
    let every = rate.per / rate.number.get();
    let quota = Quota::with_period(every).expect("it is more than nothing");
    quota.allow_burst(rate.burst)
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use tokio::time::advance;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn rate(name: &'static str, seconds: u64, number: u32, burst: u32) -> Rate {
        let some = |number| NonZeroU32::new(number).expect("a number");
        Rate {
            name,
            per: Duration::from_secs(seconds),
            number: some(number),
            burst: some(burst),
        }
    }

    fn limiter(rates: &[Rate], size: usize) -> Limiter {
        let limit = RateLimit {
            rates: rates.to_vec(),
            counted: Counted::Client,
        };
        Limiter::new(&limit, size)
    }

    /// How many of many are taken, and how long the last was told to wait.
    fn taken(limiter: &Limiter, client: &str) -> (usize, Duration) {
        let client = client.parse().expect("an address");
        for count in 0..100_000 {
            match limiter.charge_client(client) {
                Ok(()) => {}
                Err(Reject::RateLimited(wait, _)) => return (count, wait),
                Err(other) => panic!("{other:?}"),
            }
        }
        panic!("it has no limit");
    }

    #[tokio::test(start_paused = true)]
    async fn a_bucket_gives_its_burst_and_then_what_it_gets() {
        let limiter = limiter(&[rate("per_second", 1, 10, 30)], 10);
        assert_eq!(taken(&limiter, "192.0.2.1"), (30, SECOND / 10));
        assert_eq!(
            taken(&limiter, "192.0.2.1").0,
            0,
            "who is refused gets nothing for it"
        );
        advance(SECOND / 2).await;
        assert_eq!(taken(&limiter, "192.0.2.1").0, 5);
        advance(SECOND * 60).await;
        assert_eq!(
            taken(&limiter, "192.0.2.1").0,
            30,
            "and no more than it holds"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn each_has_his_own_and_a_network_of_ipv6_is_one() {
        let limiter = limiter(&[rate("per_minute", 60, 3, 3)], 10);
        assert_eq!(taken(&limiter, "192.0.2.1"), (3, SECOND * 20));
        assert_eq!(taken(&limiter, "::ffff:192.0.2.1").0, 0);
        assert_eq!(taken(&limiter, "192.0.2.2").0, 3);
        assert_eq!(taken(&limiter, "2001:db8:0:1::1").0, 3);
        assert_eq!(taken(&limiter, "2001:db8:0:1:ffff::2").0, 0);
        assert_eq!(taken(&limiter, "2001:db8:0:2::1").0, 3);
    }

    #[tokio::test(start_paused = true)]
    async fn what_a_short_rate_refuses_costs_no_longer_one_anything() {
        let rates = [
            rate("per_second", 1, 2, 2),
            rate("per_minute", 60, 60, 60),
            rate("per_hour", 3600, 100, 100),
        ];
        let limiter = limiter(&rates, 10);
        let mut all = 0;
        for _ in 0..3600 {
            // A sender that does not listen: 20 a second.
            for _ in 0..20 {
                let client = "192.0.2.1".parse().expect("an address");
                all += usize::from(limiter.charge_client(client).is_ok());
            }
            advance(SECOND).await;
        }
        // What the hour's bucket held, and what it got.
        assert!((198..=200).contains(&all), "{all}");
        // A sender that listens is told of the hour, and gets what it was told.
        advance(SECOND * 30).await;
        let client = "192.0.2.1".parse().expect("an address");
        let mut tries = (0..10).map(|_| limiter.charge_client(client));
        let refused = tries.find_map(Result::err).expect("the hour is used up");
        let Reject::RateLimited(wait, reason) = refused else {
            panic!("{refused:?}");
        };
        let says = "over rate_limit of the source: per_hour = 100, for this client";
        assert_eq!(reason, says);
        assert!(wait <= SECOND * 36, "{wait:?}");
        advance(wait).await;
        assert_eq!(limiter.charge_client(client), Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn memory_is_bounded_and_the_oldest_goes() {
        let limiter = limiter(&[rate("per_hour", 3600, 1, 1)], 3);
        for last in 1..=3 {
            assert_eq!(taken(&limiter, &format!("192.0.2.{last}")).0, 1);
        }
        assert_eq!(taken(&limiter, "192.0.2.1").0, 0);
        assert_eq!(taken(&limiter, "192.0.2.4").0, 1, "in place of 192.0.2.2");
        assert_eq!(taken(&limiter, "192.0.2.1").0, 0);
        assert_eq!(taken(&limiter, "192.0.2.2").0, 1, "it is new again");
        let Buckets::Many(table) = &limiter.buckets else {
            panic!("many");
        };
        assert_eq!(table.lock().expect("nobody panicked").len(), 3);
    }
}

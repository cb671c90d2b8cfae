//! Drills: senders that repeat, two replicas, one fault after the other, and a ledger that holds what the senders were
//! told against what Temporal has. A few seconds of each here; `make chaos` runs each for a minute. And the ledger
//! itself: of what is wrong on purpose it says so.

mod drill;
mod ledger;
mod load;
mod replicas;
mod soak;
mod wrong;

use std::time::Duration;

use self::drill::{Fault, Stage};
use crate::support::wait::run;

#[test]
fn whatever_breaks_what_was_acked_is_stored_and_nothing_twice() {
    run(async {
        let scale = Scale::of_this_run();
        let mut wrong = Vec::new();
        if scale.is_long() {
            for fault in Fault::ALL {
                let name = format!("{fault:?}");
                wrong.extend(Stage::set(&name, scale, &[fault]).await.play().await);
            }
        } else {
            wrong = Stage::set("all faults", scale, &Fault::ALL)
                .await
                .play()
                .await;
        }
        assert_eq!(wrong, [""; 0]);
    });
}

/// How long and how hard.
#[derive(Debug, Clone, Copy)]
struct Scale {
    /// Load, in all; at the least as long as each fault takes once.
    length: Duration,
    /// Events in a second.
    rate: u32,
    /// Before each fault.
    calm: Duration,
    /// Of each fault.
    fault: Duration,
    /// An answer takes no longer, by the sender's clock.
    answer: Duration,
    /// After a fault each replica says 2xx again.
    recovery: Duration,
}

impl Scale {
    /// What `make chaos` says, on a machine that does nothing else; without it a short one beside other tests, which
    /// measure the machine too: what is late there is late by a multiple.
    fn of_this_run() -> Self {
        let number = |name: &str| {
            let text = std::env::var(name).ok()?;
            Some(text.parse().unwrap_or_else(|_| panic!("{name}={text}")))
        };
        let Some(seconds) = number("CHAOS_SECONDS") else {
            return Self {
                length: Duration::ZERO,
                rate: 20,
                calm: Duration::from_millis(300),
                fault: Duration::from_millis(1200),
                answer: Duration::from_secs(8),
                recovery: Duration::from_secs(15),
            };
        };
        Self {
            length: Duration::from_secs(seconds),
            rate: number("CHAOS_RATE").map_or(100, |rate| u32::try_from(rate).expect("few")),
            calm: Duration::from_secs(3),
            fault: Duration::from_secs(6),
            answer: Duration::from_millis(4500),
            recovery: Duration::from_secs(5),
        }
    }

    /// Whether somebody watches.
    fn is_long(self) -> bool {
        self.length > Duration::from_secs(10)
    }
}

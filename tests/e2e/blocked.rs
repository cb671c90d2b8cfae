//! `[server] block`: an address that signs badly is not listened to for a while, and nobody suffers for it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::join_all;

use crate::support::configured::Configured;
use crate::support::delivery::{Delivery, SHOPIFY};
use crate::support::forwarder::Forwarder;
use crate::support::sender::{DEADLINE, Sender};
use crate::support::wait::{PATIENCE, run, until};

#[test]
fn an_address_that_signs_badly_is_blocked_at_that_source_and_honest_ones_are_served() {
    run(async {
        let forwarder = Forwarder::start(Configured::new(&config("3s")).plain()).await;
        let from = |address: &str| Sender::from_address(&forwarder, address);
        let (forger, honest) = (from("127.0.0.9"), from("127.0.0.10"));
        let forged = || Delivery::order().signed("another-secret");
        for expected in [401, 401, 401, 401, 429, 429] {
            let answer = forger.send(&forged()).await;
            assert_eq!(answer.status, expected, "{answer:?}");
            assert_eq!(
                honest.send(&Delivery::order()).await.outcome(),
                "200 started"
            );
        }
        // Nothing of it is looked at, a right signature neither.
        let refused = forger.send(&Delivery::order()).await;
        assert_eq!(refused.status, 429);
        assert!(
            ["1", "2", "3"].contains(&refused.header("retry-after")),
            "{refused:?}"
        );
        let line = forwarder.request_line(refused.request_id());
        assert_eq!(
            (&line["outcome"], &line["peer"]),
            (&"rate_limited".into(), &"127.0.0.9".into())
        );
        let reason = "the address is blocked at this source: 4 bad signatures within 60s";
        assert_eq!(line["reason"], reason);
        let line = forwarder.line("it is said", |line| {
            line["message"] == "an address is blocked"
        });
        assert_eq!(
            (&line["level"], &line["source"]),
            (&"WARN".into(), &SHOPIFY.into())
        );
        assert_eq!(
            (&line["peer"], &line["seconds"]),
            (&"127.0.0.9".into(), &3.into())
        );
        // At another source it is heard, and looked at.
        for path in [OTHER, UNTOUCHED] {
            assert_eq!(forger.send(&at(path, forged())).await.status, 401, "{path}");
        }
        let page = forwarder.metrics().await;
        for (path, series) in [(SHOPIFY, " 1\n"), (OTHER, " 0\n")] {
            let line =
                format!("webhook_forwarder_addresses_blocked_total{{source=\"{path}\"}}{series}");
            assert!(page.contains(&line), "{line}{page}");
        }
        assert!(
            !page.contains(&format!("blocked_total{{source=\"{UNTOUCHED}\"")),
            "{page}"
        );
        until("its time is over", PATIENCE, async || {
            tokio::time::sleep(Duration::from_millis(500)).await;
            forger.send(&Delivery::order()).await.status == 200
        })
        .await;
    });
}

#[test]
fn a_flood_of_forgeries_from_one_address_holds_up_no_honest_sender() {
    run(async {
        let forwarder = Forwarder::start(Configured::new(&config("1h")).plain()).await;
        let forger = Sender::from_address(&forwarder, "127.0.0.9");
        let honest = Sender::from_address(&forwarder, "127.0.0.10");
        let is_over = AtomicBool::new(false);
        let flood = join_all((0..FORGERS).map(|_| async {
            let mut statuses = Vec::new();
            while !is_over.load(Ordering::Relaxed) {
                let forged = Delivery::order().signed("another-secret");
                statuses.push(forger.send(&forged).await.status);
            }
            statuses
        }));
        let orders = async {
            for _ in 0..100 {
                let answer = honest.send(&Delivery::order()).await;
                assert_eq!(answer.outcome(), "200 started");
                forwarder.in_time(&answer, DEADLINE);
            }
            is_over.store(true, Ordering::Relaxed);
        };
        let (statuses, ()) = tokio::join!(flood, orders);
        let statuses = statuses.concat();
        let of = |status| statuses.iter().filter(|it| **it == status).count();
        // Four, and those that were in flight with them.
        assert!(
            (4..4 + FORGERS).contains(&of(401)),
            "{} of {}",
            of(401),
            statuses.len()
        );
        assert_eq!(of(401) + of(429), statuses.len());
        assert!(of(429) > 100, "it was no flood: {}", of(429));
    });
}

#[test]
fn an_address_with_a_good_signature_is_never_blocked() {
    run(async {
        let forwarder = Forwarder::start(Configured::new(&config("1h")).plain()).await;
        let shared = Sender::from_address(&forwarder, "127.0.0.11");
        assert_eq!(
            shared.send(&Delivery::order()).await.outcome(),
            "200 started"
        );
        for _ in 0..20 {
            let forged = Delivery::order().signed("another-secret");
            assert_eq!(shared.send(&forged).await.status, 401);
        }
        assert_eq!(
            shared.send(&Delivery::order()).await.outcome(),
            "200 started"
        );
        // The source that is excepted blocks nobody at all.
        let forger = Sender::from_address(&forwarder, "127.0.0.12");
        for _ in 0..20 {
            let forged = at(UNTOUCHED, Delivery::order().signed("another-secret"));
            assert_eq!(forger.send(&forged).await.status, 401);
        }
    });
}

#[test]
fn a_trusted_proxy_is_never_blocked_for_whom_it_speaks() {
    run(async {
        let trusting =
            config("1h").replace("[server]", "[server]\ntrusted_proxies = ['127.0.0.2']");
        let forwarder = Forwarder::start(Configured::new(&trusting).plain()).await;
        let proxy = Sender::from_address(&forwarder, "127.0.0.2");
        for client in ["", "203.0.113.5"] {
            let statuses = async {
                let mut statuses = Vec::new();
                for _ in 0..6 {
                    let forged = Delivery::order().signed("another-secret");
                    let forged = forged.with("X-Forwarded-For", client);
                    statuses.push(proxy.send(&forged).await.status);
                }
                statuses
            };
            let expected = match client {
                "" => [401; 6],
                _ => [401, 401, 401, 401, 429, 429],
            };
            assert_eq!(statuses.await, expected, "{client:?}");
        }
        let order = Delivery::order().with("X-Forwarded-For", "203.0.113.6");
        assert_eq!(proxy.send(&order).await.outcome(), "200 started");
    });
}

fn at(path: &str, mut delivery: Delivery) -> Delivery {
    delivery.path = path.to_owned();
    delivery
}

fn config(lasts: &str) -> String {
    let source = |path: &str, more: &str| {
        format!(
            "[[source]]
            path = '{path}'
            provider = 'shopify'
            secrets = ['env:SHOPIFY_WEBHOOKS_KEY']
            {more}
            "
        )
    };
    [
        format!("[server]\nblock = {{ bad_signatures = 4, within = '1m', for = '{lasts}' }}\n"),
        source(SHOPIFY, ""),
        source(OTHER, ""),
        source(UNTOUCHED, "block = false"),
    ]
    .concat()
}

/// At a time.
const FORGERS: usize = 32;
const OTHER: &str = "/temporal/other";
const UNTOUCHED: &str = "/temporal/untouched";

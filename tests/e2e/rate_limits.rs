//! `rate_limit` of a source: who is over it is told when to come again, and holds up nobody.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::Value;

use crate::support::configured::Configured;
use crate::support::delivery::{Delivery, SHOPIFY};
use crate::support::forwarder::Forwarder;
use crate::support::sender::Sender;
use crate::support::temporal::Temporal;
use crate::support::wait::{PATIENCE, run, until};

#[test]
fn who_is_over_it_is_told_when_to_come_again_and_slows_no_other_source() {
    run(async {
        let limited = "rate_limit = { per_second = 1, burst = 3 }";
        let configured = Configured::new(&config(limited));
        let forwarder = Forwarder::start(configured.plain()).await;
        let sender = Sender::new(&forwarder);
        let begun = Instant::now();
        let orders: Vec<_> = (0..60).map(|_| Delivery::order()).collect();
        let all = join_all(orders.iter().map(|order| sender.send(order)));
        let others: Vec<_> = (0..20).map(|_| at(OTHER, Delivery::order())).collect();
        let others = join_all(others.iter().map(|order| sender.send(order)));
        let (answers, others) = tokio::join!(all, others);
        let took = begun.elapsed().as_secs() as usize;
        for other in others {
            assert_eq!(
                other.outcome(),
                "200 started",
                "the other source has no limit"
            );
        }
        let taken = answers.iter().filter(|answer| answer.status == 200).count();
        assert!((3..=4 + took).contains(&taken), "{taken} in {took} s");
        for (order, answer) in orders.iter().zip(&answers) {
            if answer.status == 200 {
                continue;
            }
            // That it is below 60, and a problem, holds for every answer.
            assert_eq!(answer.status, 429, "{answer:?}");
            assert_eq!(answer.header("retry-after"), "1");
            assert_eq!(answer.json()["title"], "too many requests");
            Temporal::shared().await.assert_absent(&order.id).await;
        }
        let refused = answers.iter().find(|answer| answer.status == 429);
        let refused = refused.expect("one is over it");
        let line = forwarder.request_line(refused.request_id());
        assert_eq!(
            (&line["level"], &line["outcome"]),
            (&"WARN".into(), &"rate_limited".into())
        );
        assert_eq!(
            line["reason"],
            "over rate_limit of the source: per_second = 1"
        );
        let page = forwarder.metrics().await;
        let series = "webhook_forwarder_requests_total{source=\"/temporal/shopify\",outcome=\"rate_limited\"}";
        let counted = format!("{series} {}\n", 60 - taken);
        assert!(page.contains(&counted), "{counted}{page}");
        // A sender that does as it was told gets everything home.
        for (order, answer) in orders.iter().zip(&answers).take(6) {
            if answer.status == 429 {
                until("it is taken", PATIENCE, async || {
                    tokio::time::sleep(Duration::from_secs(1)).await;
                    sender.send(order).await.outcome() == "200 started"
                })
                .await;
            }
        }
    });
}

#[test]
fn forgeries_and_probes_take_nothing_from_the_sender() {
    run(async {
        let configured = Configured::new(&config("rate_limit = { per_hour = 1 }"));
        let forwarder = Forwarder::start(configured.plain()).await;
        let sender = Sender::new(&forwarder);
        for _ in 0..10 {
            let forged = Delivery::order().signed("another-secret");
            assert_eq!(sender.send(&forged).await.status, 401);
            assert_eq!(sender.get(SHOPIFY).await.status, 200);
        }
        let order = Delivery::order();
        assert_eq!(sender.send(&order).await.outcome(), "200 started");
        let refused = sender.send(&order).await;
        assert_eq!(refused.status, 429, "a redelivery counts, too");
        assert_eq!(
            refused.header("retry-after"),
            "59",
            "an hour is too long for some"
        );
    });
}

#[test]
fn each_tenant_has_its_own_if_the_key_says_so() {
    run(async {
        let limited = "rate_limit = { per_hour = 2, key = 'tenant' }";
        let configured = Configured::new(&config(limited));
        let forwarder = Forwarder::start(configured.plain()).await;
        let sender = Sender::new(&forwarder);
        for shop in ["one.myshopify.com", "two.myshopify.com"] {
            for expected in [200, 200, 429] {
                let order = Delivery::order().with("X-Shopify-Shop-Domain", shop);
                assert_eq!(sender.send(&order).await.status, expected, "{shop}");
            }
        }
    });
}

#[test]
fn a_reload_takes_other_limits_and_fills_no_bucket_whose_limit_stays() {
    run(async {
        let limited = "rate_limit = { per_hour = 1 }";
        let configured = Configured::new(&config(limited));
        let forwarder = Forwarder::start(configured.plain()).await;
        let sender = Sender::new(&forwarder);
        let status = async || sender.send(&Delivery::order()).await.status;
        assert_eq!((status().await, status().await), (200, 429));
        let changed = |what: &'static str| {
            move |line: &Value| {
                line["message"] == "configuration reloaded" && line["changed"] == what
            }
        };
        configured.rewrite(&config(&format!("{limited}\nbody_limit = '1MiB'")));
        forwarder.line(
            "it is reloaded",
            changed("body_limit of /temporal/shopify changed"),
        );
        assert_eq!(status().await, 429, "the bucket is as empty as it was");
        configured.rewrite(&config("rate_limit = { per_hour = 1000 }"));
        until("the new limit holds", PATIENCE, async || {
            status().await == 200
        })
        .await;
        configured.rewrite(&config(""));
        until("there is none", PATIENCE, async || {
            let answers = [status().await, status().await, status().await];
            answers == [200; 3]
        })
        .await;
    });
}

fn at(path: &str, mut delivery: Delivery) -> Delivery {
    delivery.path = path.to_owned();
    delivery
}

fn config(limited: &str) -> String {
    format!(
        "[[source]]
        path = '{SHOPIFY}'
        provider = 'shopify'
        secrets = ['env:SHOPIFY_WEBHOOKS_KEY']
        {limited}
        [[source]]
        path = '{OTHER}'
        provider = 'shopify'
        secrets = ['env:SHOPIFY_WEBHOOKS_KEY']
        "
    )
}

const OTHER: &str = "/temporal/other";

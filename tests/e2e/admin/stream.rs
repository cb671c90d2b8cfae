//! The stream: entries as they come, the state besides, an end with the process, and a bound.

use std::time::{Duration, Instant};

use super::{assert_problem, text};
use crate::support::configured::Configured;
use crate::support::delivery::{Delivery, SHOPIFY};
use crate::support::forwarder::{Forwarder, ForwarderConfig};
use crate::support::leaks;
use crate::support::sender::Sender;
use crate::support::stream::Stream;
use crate::support::wait::{PATIENCE, run};

#[test]
fn what_happens_is_told_as_it_happens() {
    run(async {
        let forwarder = Forwarder::start(ForwarderConfig::default()).await;
        let sender = Sender::new(&forwarder);
        sender.send(&Delivery::order()).await;
        let mut stream = Stream::open(&forwarder.admin.to_string(), &[]).await;
        let (before, _) = stream.entry("started").await;
        let order = Delivery::order();
        let answer = sender.send(&order).await;
        let (entry, after) = stream.entry("started").await;
        assert!(after < Duration::from_secs(2), "{after:?}");
        assert_eq!(entry["number"], before["number"].as_u64().unwrap_or(0) + 1);
        for (name, value) in [
            ("kind", "taken"),
            ("source", SHOPIFY),
            ("event_id", &order.id),
            ("topic", "orders/create"),
            ("tenant", "e2e.myshopify.com"),
            ("secret", "env:SHOPIFY_WEBHOOKS_KEY"),
            ("request_id", answer.request_id()),
            ("run_id", &answer.run_id()),
        ] {
            assert_eq!(text(&entry, name), value, "{name}: {entry}");
        }
        assert_eq!(entry["bytes"], order.body.len());
        let ms = |name: &str| entry[name].as_f64().unwrap_or_default();
        assert!(
            ms("temporal_ms") > 0.0 && ms("temporal_ms") <= ms("ms"),
            "{entry}"
        );
        sender.send(&Delivery::order().signed("wrong")).await;
        let (entry, _) = stream.entry("invalid_signature").await;
        assert!(text(&entry, "reason").contains("1 of 1 secrets"), "{entry}");
        assert_eq!(leaks::find(&[entry.to_string()]), Vec::<String>::new());
    });
}

#[test]
fn the_state_says_how_everything_is_and_what_the_last_reload_changed() {
    run(async {
        let configured = Configured::new(super::SOURCE);
        let mut forwarder = Forwarder::start(ForwarderConfig {
            tls: true,
            ..configured.plain()
        })
        .await;
        Sender::new(&forwarder).send(&Delivery::order()).await;
        let mut stream = Stream::open(&forwarder.admin.to_string(), &[]).await;
        let state = stream.next_of("state").await;
        assert_eq!(state["ready"], true, "{state}");
        assert_eq!(state["temporal"]["namespace"], "default");
        assert_eq!(state["sources"][0]["counts"]["total"], 1, "{state}");
        assert!(state["certificates"][0]["days"].is_i64(), "{state}");
        assert!(text(&state["configuration"], "file").ends_with("forwarder.toml"));
        assert!(state["configuration"]["last_reload"].is_null(), "{state}");
        let slots = state["series"]["minutes"]["slots"]
            .as_array()
            .expect("a list");
        let started = slots.iter().filter(|slot| slot["outcomes"]["started"] == 1);
        assert_eq!(started.count(), 1, "{state}");

        configured.rewrite(&(super::SOURCE.to_owned() + "body_limit = '1MiB'\n"));
        forwarder.signal("HUP");
        let changed = reload(&mut stream).await;
        assert_eq!(changed["ok"], true, "{changed}");
        assert!(
            text(&changed, "changed").contains("body_limit"),
            "{changed}"
        );
        configured.rewrite("[[source]]\npath = 7\n");
        forwarder.signal("HUP");
        let refused = loop {
            let refused = reload(&mut stream).await;
            if refused["ok"] == false {
                break refused;
            }
        };
        assert!(
            refused["mistakes"].to_string().contains("source[1].path"),
            "{refused}"
        );
    });
}

async fn reload(stream: &mut Stream) -> serde_json::Value {
    loop {
        let state = stream.next_of("state").await;
        let last = &state["configuration"]["last_reload"];
        if !last.is_null() {
            return last.clone();
        }
    }
}

#[test]
fn a_stream_ends_with_the_process_and_does_not_hold_it_up() {
    run(async {
        let mut forwarder = Forwarder::start(ForwarderConfig::default()).await;
        let mut stream = Stream::open(&forwarder.admin.to_string(), &[]).await;
        stream.next().await.expect("it has begun");
        forwarder.signal("TERM");
        let began = Instant::now();
        while stream.next().await.is_some() {}
        assert_eq!(forwarder.wait(PATIENCE).code(), Some(0));
        assert!(began.elapsed() < PATIENCE, "{:?}", began.elapsed());
        let cut = forwarder.log_lines();
        let cut = cut
            .iter()
            .filter(|line| line.contains("stopped before every"));
        assert_eq!(cut.count(), 0, "no connection was cut");
    });
}

#[test]
fn no_more_follow_than_there_are_seats_and_a_seat_comes_back() {
    run(async {
        let forwarder = Forwarder::start(ForwarderConfig::default()).await;
        let address = forwarder.admin.to_string();
        let mut streams = Vec::new();
        for _ in 0..16 {
            streams.push(Stream::open(&address, &[]).await);
        }
        let admin = Sender::plain(&address);
        assert_problem(&admin.get("/stream").await, 503, "16 pages");
        streams.pop();
        let freed = || async {
            let client = reqwest::Client::builder()
                .no_proxy()
                .build()
                .expect("a client");
            let answer = client.get(format!("http://{address}/stream")).send().await;
            answer.is_ok_and(|answer| answer.status() == 200)
        };
        crate::support::wait::until("a seat is free", PATIENCE, freed).await;
    });
}

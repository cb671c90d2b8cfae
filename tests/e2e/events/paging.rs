//! Pages while events arrive, and parameters that are wrong.

use std::collections::BTreeSet;
use std::time::SystemTime;

use tokio::join;

use super::{KEY, Stage, ids};
use crate::support::delivery::Delivery;
use crate::support::forwarder::Forwarder;
use crate::support::proxy::ChaosProxy;
use crate::support::sender::Sender;
use crate::support::temporal::Temporal;
use crate::support::wait::run;

#[test]
fn pages_miss_nothing_and_repeat_nothing_while_events_arrive() {
    run(async {
        let stage = Stage::new(false, true).await;
        let before = stage.deliver(150).await;
        stage.has(150).await;
        let (seen, more) = join!(stage.all("/events?limit=7"), stage.deliver(150));
        let seen: BTreeSet<_> = seen.iter().map(|item| item["event_id"].as_str()).collect();
        for event in &before {
            assert!(
                seen.contains(&Some(event.id.as_str())),
                "{} is missed",
                event.id
            );
        }
        assert_eq!(more.len(), 150);
        stage.has(300).await;
        assert_eq!(stage.all("/events?limit=100").await.len(), 300);
        // By memo, the same, up to a moment when all of these had started.
        let now = humantime::format_rfc3339_millis(SystemTime::now());
        let path = format!("/events?limit=7&topic=orders/paid&until={now}");
        let (seen, _) = join!(stage.all(&path), stage.deliver(60));
        assert_eq!(seen.len(), (0..150).filter(|n| n % 4 == 1).count() * 2);
    });
}

#[test]
fn parameters_that_are_wrong_are_named_with_what_would_be_accepted() {
    run(async {
        let stage = Stage::new(false, false).await;
        for (path, named) in [
            (
                "/events?limit=1000",
                "limit: \"1000\": expected a number from 1 to 100",
            ),
            (
                "/events?topics=a",
                "topics: unknown: expected one of limit, cursor",
            ),
            ("/events?cursor=nonsense", "cursor: expected `next`"),
            (
                "/events?source=nobody",
                "source: \"nobody\": expected a source's path, or one of the names shopify, second, third",
            ),
            (
                "/events?query=WorkflowType+IS",
                "query: Temporal does not take it",
            ),
            ("/events?query=NoSuch%3D'1'", "NoSuch"),
            (
                "/dead-letters?since=soon",
                "since: \"soon\": expected how long ago",
            ),
            (
                "/events?status=asleep",
                "status: \"asleep\": expected one of Running",
            ),
            ("/events/x?run=1", "run: unknown: expected run_id"),
        ] {
            let answer = stage.answer(path).await;
            assert_eq!(answer.status, 400, "{path}: {answer:?}");
            assert_eq!(answer.header("content-type"), "application/problem+json");
            let detail = answer.json()["detail"].as_str().expect("a text").to_owned();
            assert!(detail.contains(named), "{path}: {detail}");
        }
        // Servers of 1.29 know no such state, those of 1.32 do.
        let paused = stage.answer("/events?status=paused").await;
        match paused.status {
            200 => assert_eq!(paused.json()["total"], 0, "{paused:?}"),
            400 => assert!(paused.text.contains("status: Temporal does not take it")),
            _ => panic!("{paused:?}"),
        }
        assert_eq!(stage.answer("/events/no-such-event").await.status, 404);
        assert_eq!(stage.get("/events").await["total"], 0);
        assert_eq!(
            stage.get("/stats").await["temporal"]["last_event"],
            serde_json::Value::Null
        );
    });
}

#[test]
fn a_temporal_that_is_away_is_said_and_not_waited_for() {
    run(async {
        let proxy = ChaosProxy::refusing(Temporal::shared().await.address());
        let forwarder = Forwarder::without_temporal(&proxy).await;
        let admin = Sender::plain(&forwarder.admin.to_string());
        for path in ["/events", "/dead-letters?limit=1", "/events/x"] {
            let answer = admin.get(path).await;
            assert_eq!(answer.status, 503, "{path}: {answer:?}");
            let detail = answer.json()["detail"].as_str().expect("a text").to_owned();
            assert!(detail.starts_with("Temporal: "), "{detail}");
        }
        let stats = admin.get("/stats").await.json();
        assert!(stats["temporal"]["error"].is_string(), "{stats}");
        assert!(stats["process"]["since"].is_string(), "{stats}");
    });
}

#[test]
fn dead_letters_are_a_list_of_their_own_with_their_reason() {
    run(async {
        let stage = Stage::new(false, true).await;
        let sender = Sender::new(&stage.forwarder);
        let broken = Delivery::shopify("{\"id\": ").signed(KEY.1);
        assert_eq!(sender.send(&broken).await.outcome(), "200 dead_lettered");
        stage.deliver(3).await;
        stage.has(4).await;
        let letters = stage.get("/dead-letters").await;
        let letter = &letters["items"][0];
        assert_eq!(
            (&letters["total"], &letter["event_id"]),
            (&1.into(), &broken.id.as_str().into())
        );
        assert!(
            letter["reason"]
                .as_str()
                .is_some_and(|why| why.contains("JSON")),
            "{letter}"
        );
        assert_eq!(ids(&stage.all("/events?limit=100").await).len(), 4);
        assert_eq!(
            stage.get("/stats").await["temporal"]["dead_letters_open"],
            1
        );
        let source = stage.get("/events?source=shopify&q=dead-letter").await;
        assert_eq!(source["items"][0]["event_id"], letter["event_id"]);
    });
}

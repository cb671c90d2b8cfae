//! `events`: a table for people, JSON for programs, one event whole; and the recipe of docs/events.md.

use serde_json::Value;

use super::{KEY, Stage, TOPICS, ids};
use crate::support::delivery::Delivery;
use crate::support::forwarder::AES;
use crate::support::leaks::CANARY;
use crate::support::sender::Sender;
use crate::support::wait::{PATIENCE, run, until};

#[test]
fn the_list_is_that_of_the_admin_listener_for_people_and_for_programs() {
    run(async {
        let stage = Stage::new(false, true).await;
        stage.deliver(30).await;
        stage.has(30).await;
        let page = stage.get("/events?limit=10&source=third").await;
        let said = stage
            .run(&["events", "--limit", "10", "--source", "third"])
            .fine();
        let said: Value = serde_json::from_str(&said).expect("JSON");
        assert_eq!(said, page);

        let lines = stage.run(&["events", "--all", "--topic", TOPICS[1]]).fine();
        let lines: Vec<Value> = lines
            .lines()
            .map(|line| serde_json::from_str(line).expect("JSON"))
            .collect();
        let topic = format!("/events?limit=100&topic={}", TOPICS[1]);
        assert_eq!(ids(&lines), ids(&stage.all(&topic).await));

        let table = stage
            .run(&["events", "--table", "--limit", "2", "--since", "1h"])
            .fine();
        let lines: Vec<_> = table.lines().collect();
        assert!(
            lines[0].starts_with("STARTED") && lines[0].contains("TENANT"),
            "{table}"
        );
        assert!(
            lines[1].contains("Running") && lines[1].contains(".example"),
            "{table}"
        );
        assert!(
            lines[3].starts_with("30 in all; the next page: --cursor "),
            "{table}"
        );
        assert_eq!(lines.len(), 4, "{table}");
        let cursor = lines[3].rsplit(' ').next().expect("it ends so");
        let next = stage
            .run(&["events", "--limit", "2", "--cursor", cursor])
            .fine();
        let next: Value = serde_json::from_str(&next).expect("JSON");
        let all = stage.get("/events?limit=4").await;
        assert_eq!(next["items"][1], all["items"][3]);
        let table = stage
            .run(&["events", "--table", "--topic", "no/such", "--all"])
            .fine();
        assert_eq!(table, "none\n");
    });
}

#[test]
fn one_event_is_shown_whole_with_what_was_received() {
    run(async {
        let stage = Stage::new(false, true).await;
        let event = &stage.deliver(2).await[1];
        stage.has(2).await;
        let text = stage.run(&["events", "show", &event.id, "--table"]).fine();
        let status = "; nobody polls its task queue: it waits for a worker";
        for says in [
            event.id.as_str(),
            &event.path,
            CANARY,
            status,
            "x-shopify-topic",
            "http://localhost:8233/",
        ] {
            assert!(text.contains(says), "{says}: {text}");
        }
        let json = stage.run(&["events", "show", &event.id]).fine();
        let json: Value = serde_json::from_str(&json).expect("JSON");
        assert_eq!(
            json["received"][0]["payload"]["data"]["note"], CANARY,
            "{json}"
        );
        assert_eq!(
            (&json["pollers"], &json["status"]),
            (&0.into(), &"Running".into())
        );

        stage
            .run(&["events", "show", "no-such-event"])
            .failed(1, &["no-such-event", "events -q"]);
        stage
            .run(&["events", "--limit", "1000"])
            .failed(64, &["--limit: \"1000\": expected a number from 1 to 100"]);
        stage.run(&["events", "-q", ""]).failed(64, &["-q: empty"]);
        stage
            .run(&["events", "--query", "Nonsense ="])
            .failed(64, &["--query: Temporal does not take it"]);
        stage
            .run(&["events", "--source", "nobody"])
            .failed(64, &["--source", "shopify, second, third"]);
    });
}

#[test]
fn an_event_is_found_whatever_its_workflow_is_called() {
    run(async {
        let stage = Stage::with(NAMED, true).await;
        let sender = Sender::new(&stage.forwarder);
        let ids = ["plain", "gid:1", "50%25"];
        for id in ids {
            for path in ["/temporal/shopify", "/by-topic"] {
                let event = Delivery {
                    path: path.to_owned(),
                    ..Delivery::order()
                };
                let event = event.with_id(id).signed(KEY.1);
                assert_eq!(sender.send(&event).await.outcome(), "200 started");
            }
        }
        stage.has(6).await;
        for id in ids {
            let json = stage.run(&["events", "show", id]).fine();
            let json: Value = serde_json::from_str(&json).expect("JSON");
            assert_eq!(json["event_id"], id, "{json}");
            let path = id.replace('%', "%25");
            let item = stage.get(&format!("/events/{path}")).await;
            assert_eq!(
                (&item["event_id"], &item["run_id"]),
                (&json["event_id"], &json["run_id"])
            );
        }
        stage
            .run(&["events", "show", "turned\u{202e}round", "--table"])
            .failed(1, &["turned%E2%80%AEround: no workflow"]);
        for (path, says) in [
            ("/events/%ff", "id: expected UTF-8"),
            ("/stats?source=shopify", "expected no parameters"),
            (
                "/rejections?sources=shopify",
                "sources: unknown: expected limit",
            ),
        ] {
            let answer = stage.answer(path).await;
            assert_eq!(answer.status, 400, "{path}: {answer:?}");
            assert_eq!(answer.header("content-type"), "application/problem+json");
            assert!(answer.text.contains(says), "{path}: {answer:?}");
        }
    });
}

#[test]
fn without_the_key_an_event_is_still_listed_and_says_what_is_missing() {
    run(async {
        let mut stage = Stage::new(false, true).await;
        let event = stage.deliver(1).await.remove(0);
        stage.has(1).await;
        stage.is_encrypted = false;
        let list = stage.run(&["events"]).fine();
        let list: Value = serde_json::from_str(&list).expect("JSON");
        let item = &list["items"][0];
        assert_eq!(
            (&list["total"], &item["source"]),
            (&1.into(), &Value::Null),
            "{list}"
        );
        assert_eq!(item["workflow_id"], event.id.as_str(), "{list}");
        let why = item["unreadable"].as_str().expect("it says why");
        assert!(why.contains(AES.1) && !why.contains(AES.0), "{why}");
        let text = stage.run(&["events", "show", &event.id, "--table"]).fine();
        assert!(
            text.contains("unreadable") && !text.contains(CANARY),
            "{text}"
        );
    });
}

/// As docs/events.md has it.
#[test]
fn an_order_is_found_by_what_people_call_it() {
    run(async {
        let page = include_str!("../../../docs/events.md");
        let recipe = page
            .split("\n## ")
            .find(|part| part.starts_with("Find my order"));
        let (_, rest) = recipe
            .and_then(|part| part.split_once("```toml\n"))
            .expect("a recipe");
        let (config, rest) = rest.split_once("```").expect("it ends");
        let (_, query) = rest.split_once("--query '").expect("a query");
        let (query, _) = query.split_once('\'').expect("it ends");
        let stage = Stage::with(config, true).await;
        let sender = Sender::new(&stage.forwarder);
        let mut orders = Vec::new();
        for name in ["#1000", "#1001", "#10010"] {
            let order = Delivery::shopify(format!("{{\"name\": \"{name}\"}}"));
            assert_eq!(sender.send(&order).await.outcome(), "200 started");
            orders.push(order);
        }
        until("it is found", PATIENCE, async || {
            stage.temporal.count(query).await == 1
        })
        .await;
        let found = stage.run(&["events", "--query", query]).fine();
        let found: Value = serde_json::from_str(&found).expect("JSON");
        assert_eq!(found["total"], 1, "{found}");
        assert_eq!(
            found["items"][0]["event_id"],
            orders[1].id.as_str(),
            "{found}"
        );
    });
}

/// Ids that are not the event's as it was sent.
const NAMED: &str = "
[admin]
listen = '127.0.0.1:0'

[[source]]
path = '/temporal/shopify'
provider = 'shopify'
secrets = ['env:SHOPIFY_WEBHOOKS_KEY']

[[source]]
path = '/by-topic'
name = 'by-topic'
provider = 'shopify'
secrets = ['env:SHOPIFY_WEBHOOKS_KEY']
workflow_id = 'of-{topic}-{event_id}'
";

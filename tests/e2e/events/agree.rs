//! A thousand events over three sources: lists and counts are those of Temporal's own CLI.

use serde_json::json;

use super::{PATHS, Stage, TOPICS, by_source, ids};
use crate::support::inspect::cli;
use crate::support::wait::run;

#[test]
fn a_thousand_encrypted_events_are_listed_and_counted_as_temporal_does() {
    run(agrees(false, true));
}

#[test]
fn a_thousand_indexed_events_are_listed_and_counted_as_temporal_does() {
    run(agrees(true, false));
}

async fn agrees(is_indexed: bool, is_encrypted: bool) {
    let stage = Stage::new(is_indexed, is_encrypted).await;
    let events = stage.deliver(COUNT).await;
    stage.has(COUNT).await;
    for event in &events[..5] {
        let id = match event.path.as_str() {
            "/second" => format!("second:{}", event.id),
            "/third" => format!("third:{}", event.id),
            _ => event.id.clone(),
        };
        cli(&stage.temporal, &["terminate"], &id, None);
    }
    let stats = stage.get("/stats").await;
    let stats = &stats["temporal"];
    assert_eq!(stats["total"], COUNT, "{stats}");
    for (path, count) in by_source(COUNT) {
        assert_eq!(stats["by_source"]["counts"][path], count, "{stats}");
    }
    let of = |topic: usize| (0..COUNT).filter(|number| number % 4 == topic).count();
    for topic in [0, 1] {
        let counts = &stats["by_topic"]["counts"];
        assert_eq!(counts[TOPICS[topic]], of(topic), "{stats}");
    }
    assert_eq!(
        stats["by_tenant"]["counts"]["shop-0.example"],
        COUNT / 5,
        "{stats}"
    );
    let by = if is_indexed { "query" } else { "memo" };
    assert_eq!(stats["by_topic"]["by"], by, "{stats}");
    assert_eq!(stats["by_topic"]["complete"], true, "{stats}");
    for window in ["last_minute", "last_hour", "last_day"] {
        assert_eq!(stats[window], COUNT, "{window}: {stats}");
    }
    let all = stage.all("/events?limit=100").await;
    assert_eq!(all.len(), COUNT);
    assert_eq!(ids(&all), stage.listed(""));
    assert_eq!(stats["last_event"], all[0]["start_time"]);
    assert_eq!(stats["first_event"], all[COUNT - 1]["start_time"]);
    assert!(all.is_sorted_by(|a, b| a["start_time"].as_str() >= b["start_time"].as_str()));

    let page = stage.get("/events?limit=3&offset=10").await;
    assert_eq!(page["items"].as_array(), Some(&all[10..13].to_vec()));
    assert_eq!(page["total"], COUNT);

    for (filter, query, count) in [
        ("source=third", "WorkflowType = 'Third'", COUNT / 3),
        (
            "source=/second",
            "WorkflowId STARTS_WITH 'second:'",
            COUNT / 3,
        ),
        ("status=terminated", "ExecutionStatus = 'Terminated'", 5),
        (
            "q=third",
            "WorkflowId STARTS_WITH 'third' OR WorkflowType STARTS_WITH 'third'",
            COUNT / 3,
        ),
        (
            "query=WorkflowType%3D'Third'",
            "WorkflowType = 'Third'",
            COUNT / 3,
        ),
    ] {
        let found = stage.all(&format!("/events?limit=100&{filter}")).await;
        assert_eq!(
            (found.len(), ids(&found)),
            (count, stage.listed(query)),
            "{filter}"
        );
        let first = stage.get(&format!("/events?limit=1&{filter}")).await;
        let by = first["looked"]["by"].as_str();
        if by == Some("query") {
            assert_eq!(first["total"], stage.temporal.count(query).await, "{first}");
        }
    }
    // Neither type nor id says it: the index does, or memos do.
    let topic = stage
        .all("/events?limit=100&topic=carts/update&tenant=shop-2.example")
        .await;
    let expected = (0..COUNT)
        .filter(|number| number % 4 == 2 && number % 5 == 2)
        .count();
    assert_eq!(topic.len(), expected);
    let one = &topic[0];
    assert_eq!(
        (&one["topic"], &one["tenant"]),
        (&json!("carts/update"), &json!("shop-2.example"))
    );
    let page = stage.get("/events?topic=orders/paid").await;
    assert_eq!(page["looked"]["by"], by, "{page}");
    // So few are all read.
    assert_eq!(page["total"], of(1), "{page}");

    let (id, run) = (
        one["workflow_id"].as_str().expect("text"),
        one["run_id"].as_str(),
    );
    let link = one["link"].as_str().expect("a link");
    let end = format!("/{}/history", run.expect("text"));
    assert!(
        link.starts_with("http://localhost:8233/namespaces/default/workflows/")
            && link.ends_with(&end),
        "{link}"
    );
    for name in [id, one["event_id"].as_str().expect("text")] {
        let shown = stage.get(&format!("/events/{name}")).await;
        for key in [
            "run_id",
            "source",
            "topic",
            "tenant",
            "status",
            "start_time",
            "link",
        ] {
            assert_eq!(shown[key], one[key], "{key} of {name}: {shown}");
        }
    }
    assert!(PATHS.contains(&one["source"].as_str().expect("text")));
}

const COUNT: usize = 1000;

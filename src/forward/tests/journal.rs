//! What the journal says of a request: how long Temporal took of it, why it failed, what its sender was told.

use serde_json::Value;

use super::*;
use crate::forward::journal::Journal;
use crate::temporal::fake::Behaviour;
use webhook_core::outcome::Reject;

/// A forwarder that notes what happens.
fn noted() -> (Bench, Arc<Journal>) {
    let temporal = Arc::new(Fake::default());
    let journal = Arc::new(Journal::new());
    let forwarder = Forwarder::new(settings(SOURCES), Arc::clone(&temporal), &Sizes::default());
    let forwarder = Arc::new(forwarder.with_journal(Arc::clone(&journal)));
    let bench = Bench {
        forwarder,
        temporal,
    };
    (bench, journal)
}

fn last(journal: &Journal) -> Value {
    let news = journal.after(0, 1);
    news.entries[0].json()
}

#[tokio::test(start_paused = true)]
async fn it_says_how_much_of_the_time_was_temporals() {
    let (bench, journal) = noted();
    bench
        .temporal
        .next(Behaviour::Take(Duration::from_millis(700)));
    bench.post("/a", "one", "{}").await.is(200, "started");
    let entry = last(&journal);
    assert_eq!(
        (&entry["temporal_ms"], &entry["ms"]),
        (&700.0.into(), &700.0.into())
    );
    assert_eq!(
        (&entry["bytes"], &entry["event_id"]),
        (&2.into(), &"one".into())
    );
    // Of what is refused before, nothing.
    bench.post("/signed", "two", "{}").await;
    let entry = last(&journal);
    assert_eq!(entry["outcome"], "invalid_signature");
    assert!(
        entry["temporal_ms"].is_null() && entry["event_id"].is_null(),
        "{entry}"
    );
}

#[tokio::test(start_paused = true)]
async fn it_says_whether_the_sender_comes_again_and_what_to_do() {
    let (bench, journal) = noted();
    for (reject, outcome, again, advice) in [
        (
            Reject::Unavailable("no route to host".into()),
            "unavailable",
            true,
            "/health/ready",
        ),
        (
            Reject::Refused("no such namespace".into()),
            "refused",
            true,
            "namespace, permission",
        ),
        (
            Reject::Internal("a bug"),
            "internal",
            true,
            "please report it",
        ),
    ] {
        let reason = reject.reason().to_owned();
        bench
            .temporal
            .next(Behaviour::Say(Duration::ZERO, Err(reject)));
        bench.post("/a", outcome, "{}").await;
        let entry = last(&journal);
        assert_eq!(entry["outcome"], outcome, "{entry}");
        assert_eq!(entry["sent_again"], again, "{entry}");
        let text = |name: &str| entry[name].as_str().unwrap_or_default().to_owned();
        assert!(text("reason").contains(&reason), "{entry}");
        assert!(text("advice").contains(advice), "{entry}");
    }
    // Parked: taken, with a reason.
    let unstartable = Reject::Unstartable("search attribute Shop is not registered".into());
    bench
        .temporal
        .next(Behaviour::Say(Duration::ZERO, Err(unstartable)));
    bench
        .post("/letters", "parked", "{}")
        .await
        .is(200, "dead_lettered");
    let entry = last(&journal);
    assert_eq!(
        (&entry["kind"], &entry["outcome"]),
        (&"taken".into(), &"dead_lettered".into())
    );
    assert_eq!(entry["reason"], "search attribute Shop is not registered");
    assert!(
        entry["advice"]
            .as_str()
            .is_some_and(|advice| advice.contains("replay")),
        "{entry}"
    );
    assert_eq!(journal.totals()["total"], 4);
}

#[tokio::test(start_paused = true)]
async fn pages_and_probes_are_not_noted() {
    let (bench, journal) = noted();
    for path in ["/", "/health/live", "/signed"] {
        let request = Request::get(path).header("host", "hooks");
        let request = request.body(Full::new(Bytes::new())).expect("a request");
        bench
            .asking(request, PEER, Instant::now())
            .await
            .expect("no panic");
    }
    assert_eq!(journal.after(0, 9).last, 0);
}

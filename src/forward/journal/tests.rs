//! The journal as the admin listener reads it: bounded, in order, in full words, without what nobody may see.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use super::entry::Labels;
use super::*;

fn entry(kind: Kind, source: Option<&str>, outcome: &'static str) -> Entry {
    Entry {
        number: 0,
        at: SystemTime::now(),
        source: source.map(str::to_owned),
        outcome,
        kind,
        explained: None,
        again: false,
        event: None::<Labels>,
        claimed: Vec::new(),
        workflow: None,
        route: None,
        verified_by: None,
        took: Duration::from_millis(3),
        temporal: None,
        bytes: None,
        request_id: String::new(),
        peer: IpAddr::V4(Ipv4Addr::LOCALHOST),
        is_test: false,
        captured: None,
    }
}

fn numbers(news: &News) -> Vec<u64> {
    news.entries.iter().map(|entry| entry.number).collect()
}

#[tokio::test(start_paused = true)]
async fn a_reader_gets_what_came_after_and_hears_of_what_it_missed() {
    let journal = Journal::new();
    for _ in 0..3 {
        journal.add(entry(Kind::Taken, Some("/a"), "started"), 0);
        journal.add(entry(Kind::Refused, None, "not_found"), 0);
    }
    let news = journal.after(2, 100);
    assert_eq!(
        (numbers(&news), news.skipped, news.last),
        (vec![3, 4, 5, 6], 0, 6)
    );
    let news = journal.after(2, 3);
    assert_eq!(
        (numbers(&news), news.skipped, news.last),
        (vec![4, 5, 6], 1, 6)
    );
    let news = journal.after(6, 3);
    assert_eq!((numbers(&news), news.skipped, news.last), (vec![], 0, 6));
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_strays_or_events_pushes_out_no_refusal_of_a_source() {
    let journal = Journal::new();
    journal.add(entry(Kind::Refused, Some("/a"), "invalid_signature"), 0);
    for _ in 0..5000 {
        journal.add(entry(Kind::Refused, None, "not_found"), 0);
        journal.add(entry(Kind::Taken, Some("/a"), "started"), 0);
    }
    let all = journal.after(0, usize::MAX);
    assert_eq!(
        all.entries.len(),
        1 + TAKEN + STRAYS,
        "and no more than that"
    );
    assert_eq!(all.skipped + all.entries.len() as u64, 10_001);
    let refused = journal.refusals(10, |entry| entry.source.is_some());
    assert_eq!(refused.len(), 1);
    let totals = journal.totals();
    assert_eq!(totals["outcomes"]["started"], 5000);
    assert_eq!(totals["rates"]["minute"]["outcomes"]["not_found"], 5000);
    let counts = journal.source("/a", |counts| counts.json(Instant::now()));
    assert_eq!(counts.expect("it is known")["total"], 5001);
}

#[tokio::test(start_paused = true)]
async fn what_a_test_sends_is_shown_and_counted_nowhere() {
    let journal = Journal::new();
    let test = Entry {
        is_test: true,
        ..entry(Kind::Taken, Some("/a"), "started")
    };
    journal.add(test, 0);
    assert_eq!(journal.after(0, 9).entries[0].json()["test"], true);
    assert_eq!(journal.totals()["total"], 0);
    assert!(journal.source("/a", |_| ()).is_none());
}

#[tokio::test(start_paused = true)]
async fn whoever_waits_is_woken_by_the_next_entry() {
    let journal = Arc::new(Journal::new());
    let mut watch = journal.watch();
    let writer = Arc::clone(&journal);
    let waiting = tokio::spawn(async move {
        *watch
            .wait_for(|newest| *newest > 0)
            .await
            .expect("it lives")
    });
    tokio::task::yield_now().await;
    writer.add(entry(Kind::Taken, Some("/a"), "started"), 0);
    assert_eq!(waiting.await.expect("no panic"), 1);
}

//! README.md: short, and its table of answers is the program's.

use std::collections::BTreeSet;

use webhook_core::outcome::{LABELS, RETRY_AFTER_SECONDS, ROWS};

use super::page::{rows, spans};

#[test]
fn the_table_of_answers_is_the_programs() {
    let mut documented = BTreeSet::new();
    let mut labels = BTreeSet::new();
    let retry_after = format!("`Retry-After: {RETRY_AFTER_SECONDS}`");
    for row in rows(PAGE, "| situation | status | outcome | the sender should |") {
        let [_, status, outcome, advice] = &row[..] else {
            panic!("{row:?}");
        };
        let outcome = spans(outcome).pop().expect("an outcome");
        let again = advice == "send again";
        let is_limit = status == "429, `Retry-After` below 60";
        assert_eq!(status.contains(&retry_after) || is_limit, again, "{row:?}");
        assert_eq!(status.starts_with("503") || is_limit, again, "{row:?}");
        if again || advice.starts_with("not repeat it") {
            let status: u16 = status[..3].parse().expect("a status");
            documented.insert((status, outcome.clone()));
        }
        labels.insert(outcome);
    }
    let answers = ROWS.iter();
    let answers = answers.map(|row| (row.status.as_u16(), row.label.to_owned()));
    assert_eq!(documented, answers.collect());
    assert_eq!(labels, LABELS.iter().map(ToString::to_string).collect());
}

#[test]
fn whoever_watches_is_told_of_every_answer_that_loses_or_delays_an_event() {
    let fine = [
        "started",
        "duplicate",
        "signalled",
        "updated",
        "accepted",
        "dropped",
        "dead_lettered",
        "handshake",
        "not_found", // of no source
    ];
    let labels = LABELS.iter().copied().filter(|it| !fine.contains(it));
    let labels: BTreeSet<_> = labels.map(str::to_owned).collect();
    let readme = PAGE.split("\n\n").find(|it| it.starts_with("**Watch**"));
    let operation = include_str!("../../docs/operation.md");
    let (_, section) = operation.split_once("\n## What to watch\n").expect("it");
    let section = section.split("\n## ").next();
    for text in [readme, section] {
        let named = spans(text.expect("the text is there")).into_iter();
        let named: BTreeSet<_> = named.filter(|it| LABELS.contains(&it.as_str())).collect();
        assert_eq!(named, labels);
    }
}

#[test]
fn it_is_short_and_begins_with_the_two_commands() {
    let lines = PAGE.lines().count();
    assert!(lines <= 250, "{lines} lines: the references are in docs/");
    assert!(PAGE.contains("\nmake demo ") && PAGE.contains("\nmake test "));
}

const PAGE: &str = include_str!("../../README.md");

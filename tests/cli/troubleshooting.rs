//! docs/troubleshooting.md: a section for each outcome, with a log line of it and what to do; and every
//! alert has its line in docs/production.md.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use webhook_core::outcome::LABELS;

use super::page::{rows, spans};

#[test]
fn every_outcome_has_its_section_with_lines_of_it_and_what_to_do() {
    let sections: BTreeMap<_, _> = PAGE
        .split("\n### ")
        .skip(1)
        .map(|text| text.split_once('\n').expect("a heading and a text"))
        .collect();
    for label in LABELS {
        let section = sections.get(label).copied();
        let section = section.unwrap_or_else(|| panic!("{label} has no section"));
        let (lines, words): (Vec<_>, Vec<_>) =
            section.lines().partition(|line| line.starts_with('{'));
        assert!(!lines.is_empty(), "{label}: no line of the log");
        for line in lines {
            let line: Value = serde_json::from_str(line).expect("JSON");
            // Of a panic there is a line of its own.
            assert!(
                line["outcome"] == *label || *label == "internal",
                "{label}: {line}"
            );
        }
        let words: usize = words.iter().map(|line| line.split(' ').count()).sum();
        assert!(words > 8, "{label}: it does not say what to do");
        assert!(
            PAGE.contains(&format!("](#{label})")),
            "{label}: not in the table"
        );
    }
    let others = [
        "No line at all",
        "It does not start",
        "A change does nothing",
    ];
    let known: BTreeSet<_> = LABELS.iter().copied().chain(others).collect();
    let there: BTreeSet<_> = sections.into_keys().collect();
    assert_eq!(there, known, "an outcome that there is not");
}

#[test]
fn every_alert_says_what_to_do() {
    let rules = include_str!("../../deploy/prometheus/alerts.yml");
    let rules = rules
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- alert: "));
    let rules: BTreeSet<_> = rules.map(str::to_owned).collect();
    let page = include_str!("../../docs/production.md");
    let rows = rows(page, "| alert | do |").into_iter();
    let documented: BTreeSet<_> = rows.map(|row| spans(&row[0]).remove(0)).collect();
    assert_eq!(documented, rules);
    assert!(rules.len() >= 10);
}

const PAGE: &str = include_str!("../../docs/troubleshooting.md");

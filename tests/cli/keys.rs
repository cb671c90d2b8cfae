//! Every key of a configuration file is in the reference and in the example.

use std::fs;

use tempfile::TempDir;

use super::page::{rows, spans};
use super::run::Run;

#[test]
fn every_key_is_in_the_reference_and_in_the_example() {
    for (section, at_least) in [
        ("[server]", 3),
        ("[server.tls]", 2),
        ("[admin]", 1),
        ("[temporal]", 8),
        ("[temporal.tls]", 5),
        ("[encryption]", 1),
        ("[large_payloads]", 6),
        ("[[source]]", 40),
    ] {
        let keys = keys(section);
        assert!(keys.len() >= at_least, "{section}: {keys:?}");
        for key in keys {
            let in_tables = REFERENCE
                .lines()
                .filter_map(|line| line.strip_prefix("| `"))
                .filter_map(|row| row.split(" | ").next())
                .flat_map(|cell| spans(&format!("`{cell}")));
            let mut in_tables = in_tables.filter_map(|it| it.rsplit('.').next().map(str::to_owned));
            let is_table = ["tls", "retry", "provider", "route"].contains(&key.as_str());
            assert!(
                is_table || in_tables.any(|it| it == key),
                "{section} {key} is in no table of docs/configuration.md"
            );
            let words = |line: &str| {
                let words = line.split(|c: char| !(c.is_ascii_lowercase() || c == '_'));
                words.map(str::to_owned).collect::<Vec<_>>()
            };
            let in_example = EXAMPLE.lines().any(|line| words(line).contains(&key));
            assert!(in_example, "{section} {key} is not in the example");
        }
    }
}

#[test]
fn every_key_of_a_sender_is_on_its_page() {
    let documented = rows(SENDERS, "| key | default | |").into_iter();
    let documented: Vec<_> = documented.flat_map(|row| spans(&row[0])).collect();
    for section in ["[source.provider]", "[[source.provider.signature]]"] {
        for key in keys(section) {
            let there = documented
                .iter()
                .any(|it| it.split('.').next() == Some(&key));
            assert!(there, "{section} {key} is in no table of docs/senders.md");
        }
    }
}

/// The keys that the program names beside one that it does not know.
fn keys(section: &str) -> Vec<String> {
    let before = match section {
        "[source.provider]" => "[[source]]\npath = \"/a\"\n",
        "[[source.provider.signature]]" => "[[source]]\npath = \"/a\"\n[source.provider]\n",
        _ => "",
    };
    let folder = TempDir::new().expect("a temporary folder can be made");
    let file = format!("{before}{section}\nqqqqq = 1\n");
    fs::write(folder.path().join("f.toml"), file).expect("the folder is writable");
    let args = ["check", "--offline", "--no-tls", "--config", "f.toml"];
    let run = Run::inside(folder.path(), &args, &[]);
    let line = run.stderr.lines().find(|line| line.contains("qqqqq"));
    let line = line.unwrap_or_else(|| panic!("{run:?}"));
    let (_, keys) = line.split_once("expected ").expect("the keys are named");
    let keys = keys.trim_start_matches("one of: ").split(", ");
    keys.map(|key| key.trim_matches('`').to_owned()).collect()
}

const REFERENCE: &str = include_str!("../../docs/configuration.md");
const EXAMPLE: &str = include_str!("../../forwarder.example.toml");
const SENDERS: &str = include_str!("../../docs/senders.md");

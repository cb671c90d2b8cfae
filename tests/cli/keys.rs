//! Every key of a configuration file is in the reference and in the example.

use std::fs;

use tempfile::TempDir;
use webhook_core::action::Action;
use webhook_core::keys::{ACTIONS, KEYS, Key};

use super::page::{rows, spans};
use super::run::Run;

#[test]
fn every_key_is_in_the_reference_and_in_the_example() {
    for (section, at_least) in [
        ("[server]", 3),
        ("[server.tls]", 4),
        ("[[server.certificate]]", 2),
        ("[admin]", 3),
        ("[metrics]", 3),
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

/// What CONTRIBUTING.md calls the rows of a new key.
#[test]
fn every_key_of_a_route_has_its_rows() {
    let page = rows(ROUTES, "| key | example | default | actions | |");
    let reference = rows(REFERENCE, "| key | type | default |");
    let reference: Vec<_> = reference.iter().flat_map(|row| spans(&row[0])).collect();
    let example: Vec<_> = EXAMPLE
        .lines()
        .map(|line| line.trim_start_matches("# "))
        .collect();
    let mut missing = Vec::new();
    for Key { name, actions } in KEYS {
        match page.iter().find(|row| row[0] == format!("`{name}`")) {
            None => missing.push(format!("{name} is not in the table of docs/routes.md")),
            Some(row) if actions_of(row) != **actions && actions.len() < ACTIONS.len() => {
                let actions: Vec<_> = actions.iter().map(|action| action.name()).collect();
                missing.push(format!(
                    "{name} is for {actions:?}, in docs/routes.md for {}",
                    row[3]
                ));
            }
            Some(_) => {}
        }
        if !reference.contains(&(*name).to_owned()) {
            missing.push(format!(
                "{name} is not below [[source.route]] in docs/configuration.md"
            ));
        }
        if !example
            .iter()
            .any(|line| line.starts_with(&format!("{name} = ")))
        {
            missing.push(format!("{name} is not in forwarder.example.toml"));
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
    let known = |name: &String| name == "when" || KEYS.iter().any(|key| key.name == name);
    let page = page.iter().flat_map(|row| spans(&row[0]));
    let unknown: Vec<_> = page.chain(reference).filter(|name| !known(name)).collect();
    assert!(unknown.is_empty(), "in the docs alone: {unknown:?}");
}

/// The actions that a row of docs/routes.md names, in the order of the table.
fn actions_of(row: &[String]) -> Vec<Action> {
    let words = spans(&row[3]);
    let named = |action: &Action| {
        words.iter().any(|word| match word.as_str() {
            "all" => *action != Action::Drop,
            "starting" => action.starts(),
            one => one == action.name(),
        })
    };
    ACTIONS.into_iter().filter(named).collect()
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

const ROUTES: &str = include_str!("../../docs/routes.md");
const REFERENCE: &str = include_str!("../../docs/configuration.md");
const EXAMPLE: &str = include_str!("../../forwarder.example.toml");
const SENDERS: &str = include_str!("../../docs/senders.md");

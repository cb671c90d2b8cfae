//! docs/command-line.md: its tables say what the program itself says.

use std::collections::{BTreeMap, BTreeSet};

use super::page::{rows, spans};
use super::pages;
use super::run::Run;

#[test]
fn the_table_of_flags_has_every_flag_with_its_variable_and_default_and_no_other() {
    let help = Run::new(&["serve", "--help"], &[]).fine();
    let there = flags(&help);
    let mut documented = BTreeMap::new();
    for row in rows(PAGE, "| flag | variable | default | |") {
        let [names, variable, default, _] = &row[..] else {
            panic!("{row:?}");
        };
        let names = spans(names).into_iter();
        for name in names.filter_map(|name| name.split(' ').next().map(str::to_owned)) {
            if name.starts_with("--") {
                let variable = spans(variable).pop().unwrap_or_default();
                let default = spans(default).pop().unwrap_or_default();
                documented.insert(name, (variable, default));
            }
        }
    }
    let names = |flags: &BTreeMap<String, _>| flags.keys().cloned().collect::<BTreeSet<_>>();
    assert_eq!(names(&documented), names(&there));
    for (flag, (variable, default)) in &there {
        let (documented_variable, documented_default) = &documented[flag];
        if !flag.starts_with("--no-") || flag == "--no-tls" {
            assert_eq!(documented_variable, variable, "{flag}");
        }
        if !default.is_empty() && default != "none" {
            let default = default.split(';').next().unwrap_or_default();
            assert_eq!(documented_default, default, "{flag}");
        }
    }
}

#[test]
fn every_variable_is_on_the_page() {
    let help = Run::new(&["--help-env-vars"], &[]).fine();
    let names = help.lines().filter_map(|line| line.strip_prefix("  "));
    let names = names.filter(|line| line.starts_with(|c: char| c.is_ascii_uppercase()));
    let names: Vec<_> = names.flat_map(|line| line.split(", ")).collect();
    assert!(names.len() > 15, "{names:?}");
    for name in names {
        assert!(PAGE.contains(&format!("`{name}`")), "{name} is missing");
    }
}

#[test]
fn no_page_names_a_variable_of_ours_that_does_nothing() {
    let known = ["--help-env-vars", "codec-server --help"]
        .map(|args| Run::new(&args.split(' ').collect::<Vec<_>>(), &[]).fine())
        .concat();
    let known = ours(&known);
    let mut named = 0;
    for (page, text) in pages::all() {
        for name in ours(&text) {
            assert!(known.contains(name), "{page}: {name} does nothing");
            named += 1;
        }
    }
    assert!(named > 20, "{named}");
}

#[test]
fn the_flags_of_other_subcommands_are_on_the_page() {
    let serve = flags(&Run::new(&["serve", "--help"], &[]).fine());
    for command in [
        "dev",
        "send",
        "check",
        "replay",
        "events",
        "events show",
        "dead-letters",
        "dead-letters replay",
        "dead-letters discard",
        "codec-server",
        "health",
    ] {
        let words: Vec<_> = command.split(' ').chain(["--help"]).collect();
        let help = Run::new(&words, &[]).fine();
        let command = words[0];
        for flag in flags(&help)
            .keys()
            .filter(|flag| !serve.contains_key(*flag))
        {
            let row = rows(PAGE, "| subcommand | what it does |")
                .into_iter()
                .find(|row| row[0].contains(command));
            let row = row.unwrap_or_else(|| panic!("no row for {command}"));
            assert!(
                row[1].contains(flag.as_str()),
                "{flag} of {command} is missing"
            );
        }
    }
}

/// Flags of a help text, with variable and default.
fn flags(help: &str) -> BTreeMap<String, (String, String)> {
    let mut flags = BTreeMap::new();
    let mut last = String::new();
    for line in help.lines() {
        let words = line.trim_start();
        let mut long = words
            .split([' ', ','])
            .filter(|word| word.starts_with("--"));
        // `- http: …` is a value of the flag before.
        let is_flag = words.starts_with('-') && !words.starts_with("- ");
        if let Some(long) = long.next().filter(|_| is_flag) {
            last = long.to_owned();
            flags.insert(last.clone(), Default::default());
        }
        let Some((variable, default)) = flags.get_mut(&last) else {
            continue;
        };
        if let Some((_, rest)) = words.split_once("[env: ") {
            *variable = rest.split(['=', ']']).next().unwrap_or_default().to_owned();
        }
        if let Some((_, rest)) = words.split_once("[default: ") {
            *default = rest.split(']').next().unwrap_or_default().to_owned();
        }
    }
    flags.remove("--help");
    flags
}

/// The variables of ours that a text names.
fn ours(text: &str) -> BTreeSet<&str> {
    let words = text.split(|c: char| !(c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_'));
    words.filter(|word| word.starts_with("TWF_")).collect()
}

const PAGE: &str = include_str!("../../docs/command-line.md");

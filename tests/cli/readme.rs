//! The README's tables say what the program itself says.

use std::collections::{BTreeMap, BTreeSet};

use super::run::Run;

#[test]
fn the_table_of_flags_has_every_flag_with_its_variable_and_default_and_no_other() {
    let help = Run::new(&["serve", "--help"], &[]).fine();
    let there = flags(&help);
    let mut documented = BTreeMap::new();
    for row in rows("| flag | variable | default | |") {
        let [names, variable, default, _] = &row[..] else {
            panic!("{row:?}");
        };
        let names = quoted(names).into_iter();
        for name in names.filter_map(|name| name.split(' ').next().map(str::to_owned)) {
            if name.starts_with("--") {
                let variable = quoted(variable).pop().unwrap_or_default();
                let default = quoted(default).pop().unwrap_or_default();
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
fn every_variable_is_in_the_readme() {
    let help = Run::new(&["--help-env-vars"], &[]).fine();
    let names = help.lines().filter_map(|line| line.strip_prefix("  "));
    let names = names.filter(|line| line.starts_with(|c: char| c.is_ascii_uppercase()));
    let names: Vec<_> = names.flat_map(|line| line.split(", ")).collect();
    assert!(names.len() > 15, "{names:?}");
    for name in names {
        assert!(
            README.contains(&format!("`{name}`")),
            "{name} is not in the README"
        );
    }
}

#[test]
fn the_readme_names_no_variable_of_ours_that_does_nothing() {
    let help = Run::new(&["--help-env-vars"], &[]).fine();
    let words = README.split(|c: char| !(c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_'));
    let ours: Vec<_> = words.filter(|word| word.starts_with("TWF_")).collect();
    assert!(ours.len() > 10, "{ours:?}");
    for name in ours {
        assert!(
            help.contains(&format!("  {name}\n")),
            "{name} is not in\n{help}"
        );
    }
}

#[test]
fn the_flags_of_other_subcommands_are_in_the_readme() {
    let serve = flags(&Run::new(&["serve", "--help"], &[]).fine());
    for command in ["dev", "send", "check", "replay", "codec-server"] {
        let help = Run::new(&[command, "--help"], &[]).fine();
        for flag in flags(&help)
            .keys()
            .filter(|flag| !serve.contains_key(*flag))
        {
            let row = rows("| | |")
                .into_iter()
                .find(|row| row[0].contains(command));
            let row = row.unwrap_or_else(|| panic!("no row for {command}"));
            assert!(
                row[1].contains(flag.as_str()),
                "{flag} of {command} is not in the README"
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

/// The cells of the README's tables with this head.
fn rows(head: &str) -> Vec<Vec<String>> {
    let head = format!("\n{head}\n");
    let tables = README.split(&head).skip(1);
    let rows = tables.flat_map(|text| text.lines().skip(1).take_while(|row| row.starts_with('|')));
    rows.map(|row| {
        let cells = row.trim_matches('|').split('|');
        cells.map(|cell| cell.trim().to_owned()).collect()
    })
    .collect()
}

fn quoted(cell: &str) -> Vec<String> {
    cell.split('`')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect()
}

const README: &str = include_str!("../../README.md");

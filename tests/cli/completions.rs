//! Completion scripts complete, the manual page is one, every subcommand explains itself.

use std::fs;
use std::process::Command;

use tempfile::TempDir;

use super::run::{BINARY, Run};

#[test]
fn completion_scripts_know_the_subcommands_and_their_flags() {
    for shell in ["bash", "zsh", "fish"] {
        let script = Run::new(&["completions", shell], &[]).fine();
        for word in [
            "temporal-webhook-forwarder",
            "concurrency",
            "offline",
            "temporal-bin",
        ] {
            assert!(
                script.contains(word),
                "{word} is not in the script for {shell}"
            );
        }
        for command in COMMANDS {
            assert!(
                script.contains(command),
                "{command} is not in the script for {shell}"
            );
        }
    }
}

#[test]
fn bash_completes_what_is_typed() {
    let script = Run::new(&["completions", "bash"], &[]).fine();
    let folder = TempDir::new().expect("a temporary folder can be made");
    let file = folder.path().join("completions.bash");
    let ask = r#"
registered=$(complete -p temporal-webhook-forwarder)
function=${registered#* -F }
function=${function%% *}
complete_words() {
    COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
    "$function" "$1" "${@: -1}" "${@: -2:1}"
    echo "${COMPREPLY[@]}"
}
complete_words temporal-webhook-forwarder se
complete_words temporal-webhook-forwarder send --conc
complete_words temporal-webhook-forwarder --log-format ''
"#;
    fs::write(&file, script + ask).expect("the folder is writable");
    let answered = Run::of(Command::new("bash").arg(&file).env_clear()).fine();
    let answered: Vec<_> = answered.lines().collect();
    assert_eq!(answered, ["serve send", "--concurrency", "text json"]);
}

#[test]
fn the_manual_page_has_every_flag_and_subcommand() {
    let page = Run::new(&["man"], &[]).fine().replace('\\', "");
    for section in [
        ".TH",
        ".SH NAME",
        ".SH SYNOPSIS",
        ".SH OPTIONS",
        ".SH SUBCOMMANDS",
    ] {
        assert!(page.contains(section), "no {section}\n{page}");
    }
    for word in COMMANDS
        .iter()
        .chain(&["--generic-unverified", "TWF_DRAIN_TIMEOUT", "78"])
    {
        assert!(page.contains(word), "no {word}\n{page}");
    }
}

#[test]
fn every_subcommand_explains_itself() {
    for command in COMMANDS {
        for args in [[command, "--help"], ["help", command]] {
            let help = Run::new(&args, &[]).fine();
            let usage = format!("Usage: temporal-webhook-forwarder {command}");
            assert!(help.contains(&usage), "{help}");
        }
    }
}

#[test]
fn a_reader_who_leaves_early_is_no_failure() {
    for args in [
        "--help-env-vars",
        "completions fish",
        "man",
        "providers",
        "providers show shopify",
        "check --offline --no-tls --no-validate-hmac",
        "send generic --print curl",
    ] {
        // `true` has left before anything is printed.
        let line = format!("{{ sleep 0.2; {BINARY} {args}; echo $? >&2; }} | true");
        let run = Run::shell(&line, &[("PATH", "/usr/bin:/bin")]);
        assert_eq!(run.stderr, "0\n", "{args}");
    }
}

const COMMANDS: [&str; 9] = [
    "serve",
    "dev",
    "send",
    "check",
    "providers",
    "replay",
    "health",
    "completions",
    "man",
];

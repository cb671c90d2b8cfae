//! Every file of tests/config through the real binary: the good ones are fine, each bad one gets
//! exactly the messages that its leading comments expect, as does each odd one, and no secret is
//! repeated.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::run::Run;

#[test]
fn good_files_are_fine() {
    let files = files("valid");
    assert!(files.len() >= 10, "{files:?}");
    for file in &files {
        let run = check(file);
        assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{file}");
        assert!(run.stdout.contains("configuration  ok"), "{file}: {run:?}");
        no_secret(file, &run);
    }
}

#[test]
fn the_example_is_fine() {
    let run = check("../../forwarder.example.toml");
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
}

#[test]
fn bad_files_get_exactly_the_messages_that_they_expect() {
    let files = files("invalid");
    assert!(files.len() >= 30, "{files:?}");
    for file in &files {
        let text = fs::read_to_string(folder().join(file)).expect("it is listed");
        let expected = text
            .lines()
            .map_while(|line| line.strip_prefix("# expect: "));
        let expected: Vec<_> = expected
            .map(|message| format!("error: {file}:{message}"))
            .collect();
        assert!(!expected.is_empty(), "{file} expects nothing");
        let run = check(file);
        let said: Vec<_> = run.stderr.lines().collect();
        let fits = said.len() == expected.len() && said.iter().zip(&expected).all(fits);
        assert!(fits, "{file}: said {said:#?}, expected {expected:#?}");
        assert_eq!(run.code, Some(78), "{file}");
        no_secret(file, &run);
    }
}

#[test]
fn odd_files_are_fine_with_exactly_the_warnings_that_they_expect() {
    let files = files("warned");
    assert!(!files.is_empty());
    for file in &files {
        let text = fs::read_to_string(folder().join(file)).expect("it is listed");
        let expected = text
            .lines()
            .map_while(|line| line.strip_prefix("# warns: "));
        let expected: Vec<_> = expected
            .map(|warning| format!("configuration  warning  {file}:{warning}"))
            .collect();
        let run = check(file);
        assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{file}");
        let said = run.stdout.lines().filter(|line| line.contains(" warning "));
        assert_eq!(said.collect::<Vec<_>>(), expected, "{file}");
        let s = if expected.len() == 1 { "" } else { "s" };
        let end = format!("\n0 wrong, {} warning{s}\n", expected.len());
        assert!(run.stdout.ends_with(&end), "{file}: {run:?}");
    }
}

#[test]
fn a_file_that_is_not_utf_8_is_named_with_the_line() {
    let folder = TempDir::new().expect("a temporary folder can be made");
    let path = folder.path().join("latin1.toml");
    fs::write(&path, b"[temporal]\nnamespace = \"caf\xe9\"\n").expect("the folder is writable");
    let path = path.to_str().expect("text");
    let run = check(path);
    assert_eq!(run.code, Some(78), "{run:?}");
    let message = format!("error: {path}:2: not UTF-8, which a TOML file has to be\n");
    assert_eq!(run.stderr, message);
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let run = check("not-there.toml");
    run.misconfigured(&["--config (TWF_CONFIG) not-there.toml: No such file"]);
}

#[test]
fn a_file_without_an_end_is_not_read_to_it() {
    let run = check("/dev/zero");
    run.misconfigured(&["--config (TWF_CONFIG) /dev/zero: over 16 MiB"]);
    let args = [
        "check",
        "--offline",
        "--cert",
        "/dev/zero",
        "--key",
        "/dev/zero",
    ];
    let run = Run::inside(&folder(), &args, &ENV);
    run.misconfigured(&["--cert (TWF_CERT): /dev/zero: over 16 MiB"]);
}

/// A message that ends with `…` may go on.
fn fits((said, expected): (&&str, &String)) -> bool {
    match expected.strip_suffix('…') {
        Some(beginning) => said.starts_with(beginning),
        None => said == expected,
    }
}

fn check(file: &str) -> Run {
    let args = ["check", "--offline", "--no-tls", "--config", file];
    Run::inside(&folder(), &args, &ENV)
}

/// All literal secrets of the files, and all of the environment, have this word in them.
fn no_secret(file: &str, run: &Run) {
    let said = run.stdout.clone() + &run.stderr;
    assert!(!said.contains("hush"), "{file}: {said}");
}

/// `valid/a.toml`, in order.
fn files(kind: &str) -> Vec<String> {
    let listing = fs::read_dir(folder().join(kind)).expect("the folder is there");
    let mut files: Vec<_> = listing
        .map(|entry| entry.expect("it can be listed").file_name())
        .map(|name| format!("{kind}/{}", name.to_string_lossy()))
        .filter(|name| name.ends_with(".toml"))
        .collect();
    files.sort();
    files
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/config")
}

/// The world that the files are written for.
const ENV: [(&str, &str); 7] = [
    ("SHOPIFY_WEBHOOKS_KEY", "hush-hush-shopify"),
    ("ACME_SECRET", "hush-hush-hush-acme"),
    ("EMPTY", ""),
    ("PROXY", "http://hush:hush@proxy.example:3128"),
    ("PAYLOAD_KEY", "000102030405060708090a0b0c0d0e0f"),
    ("PAYLOAD_KEY_2026_11", "000102030405060708090a0b0c0d0e0f"),
    (
        "ED25519_KEY",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
    ),
];

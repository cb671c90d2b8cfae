//! What reads and receives what a forwarder says of itself: programs of `tests/telemetry/`.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use serde::Deserialize;
use serde_json::{Value, json};

use super::install;

/// The families of a page of OpenMetrics, by a parser that is not ours; panics if it is none.
pub(crate) fn openmetrics(page: &str) -> Value {
    let mut command = Command::new(python());
    command.arg(folder().join("openmetrics.py")).env_clear();
    serde_json::from_slice(&piped(&mut command, page)).expect("JSON")
}

/// A Python that has what the programs there need.
pub(crate) fn python() -> &'static Path {
    static PYTHON: OnceLock<PathBuf> = OnceLock::new();
    PYTHON.get_or_init(|| install::python(".venv-telemetry", &folder().join("requirements.txt")))
}

/// Where they are.
pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/telemetry")
}

/// What a forwarder said to a scraper.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) kind: String,
    pub(crate) text: String,
}

impl Page {
    /// Of the line that begins so.
    pub(crate) fn value(&self, series: &str) -> f64 {
        let value = self.text.lines().find_map(|line| line.strip_prefix(series));
        let value = value.unwrap_or_else(|| panic!("no {series}:\n{}", self.text));
        value.parse().expect("a number")
    }
}

/// One that fired.
#[derive(Debug, Deserialize)]
pub(crate) struct Alert {
    pub(crate) alert: String,
    /// Seconds since the beginning.
    pub(crate) at: u64,
    pub(crate) labels: BTreeMap<String, String>,
}

impl Alert {
    /// Without what all names begin with.
    pub(crate) fn name(&self) -> &str {
        self.alert
            .strip_prefix("WebhookForwarder")
            .expect("all begin so")
    }
}

/// The rules that we ship.
pub(crate) fn rules() -> String {
    fs::read_to_string(rules_file()).expect("a file of the repository")
}

fn rules_file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/prometheus/alerts.yml")
}

/// What Prometheus says of pages that it scraped.
#[derive(Debug, Deserialize)]
pub(crate) struct Evaluated {
    /// The alerts that fired.
    pub(crate) fired: Vec<Alert>,
    /// How many series each query has, at the end.
    pub(crate) series: Vec<usize>,
}

/// If it scrapes these pages from these seconds after `start` (Unix time) on.
pub(crate) fn evaluate(
    start: u64,
    end: u64,
    pages: &[(u64, &Page)],
    queries: &[String],
) -> Evaluated {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    let program = PROGRAM.get_or_init(|| install::go_program(&folder().join("alerts"), "alerts"));
    let pages: Vec<_> = pages
        .iter()
        .map(|(at, page)| json!({ "at": at, "type": page.kind, "text": page.text }))
        .collect();
    let scenario = json!({ "start": start, "end": end, "pages": pages, "queries": queries });
    let said = piped(
        Command::new(program).arg(rules_file()),
        &scenario.to_string(),
    );
    serde_json::from_slice(&said).expect("JSON")
}

/// What it prints, given this.
fn piped(command: &mut Command, input: &str) -> Vec<u8> {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let mut stdin = child.stdin.take().expect("it is piped");
    stdin.write_all(input.as_bytes()).expect("it reads");
    drop(stdin);
    let output = child.wait_with_output().expect("it ends");
    let says = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {says}\n{input}");
    output.stdout
}

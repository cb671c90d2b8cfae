//! What reads and receives what a forwarder says of itself: programs of `tests/telemetry/`.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use serde_json::Value;

use super::install;

/// The families of a page of OpenMetrics, by a parser that is not ours; panics if it is none.
pub(crate) fn openmetrics(page: &str) -> Value {
    let mut parser = Command::new(python())
        .arg(folder().join("openmetrics.py"))
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("Python runs");
    let mut stdin = parser.stdin.take().expect("it is piped");
    stdin.write_all(page.as_bytes()).expect("it reads");
    drop(stdin);
    let output = parser.wait_with_output().expect("it ends");
    let says = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "no OpenMetrics: {says}\n{page}");
    serde_json::from_slice(&output.stdout).expect("JSON")
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

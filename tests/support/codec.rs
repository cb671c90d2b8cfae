//! Payloads opened by Python: its zlib, `cryptography`, and the SDK's own `Payload`.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use prost::Message;
use serde::Deserialize;
use serde_json::json;
use temporalio_common::protos::temporal::api::common::v1::Payload;

use super::worker;

/// A payload without its wrappings.
#[derive(Debug, Deserialize)]
pub(crate) struct Opened {
    /// What was around it, the outermost first, and at the end its own encoding.
    pub(crate) layers: Vec<Layer>,
    pub(crate) data: String,
}

#[derive(Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Layer {
    pub(crate) encoding: String,
    pub(crate) key: Option<String>,
}

impl Opened {
    /// The encodings, the outermost first.
    pub(crate) fn encodings(&self) -> Vec<&str> {
        let layers = self.layers.iter();
        layers.map(|layer| layer.encoding.as_str()).collect()
    }
}

/// Opens all of them; a key has an id and hex digits.
pub(crate) fn open_by_python(payloads: &[Payload], keys: &[(&str, &str)]) -> Vec<Opened> {
    let payloads = payloads.iter();
    let ask = json!({
        "keys": keys.iter().copied().collect::<std::collections::HashMap<_, _>>(),
        "payloads": payloads.map(|payload| hex::encode(payload.encode_to_vec())).collect::<Vec<_>>(),
    });
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sdk/python/open.py");
    let mut python = Command::new(worker::python())
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("Python starts");
    let mut stdin = python.stdin.take().expect("it is piped");
    let asked = stdin.write_all(ask.to_string().as_bytes());
    drop(stdin);
    let output = python.wait_with_output().expect("Python ends");
    assert!(asked.is_ok() && output.status.success(), "see above");
    serde_json::from_slice(&output.stdout).expect("JSON")
}

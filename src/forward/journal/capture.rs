//! What is kept of a refused request if its source says so: the headers that are listed, the body's size and
//! hash, and the body itself only if the operator asks for it by name.

use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use webhook_core::shown::shown;
use webhook_core::source::Capture;

use crate::forward::context::RequestContext;

/// Of one request.
#[derive(Debug)]
pub struct Captured {
    method: String,
    headers: Vec<(String, String)>,
    sha256: Option<String>,
    /// Its beginning.
    body: Option<Vec<u8>>,
}

impl Captured {
    pub(super) fn of(capture: &Capture, context: &RequestContext<'_>) -> Option<Self> {
        if capture.last == 0 {
            return None;
        }
        let parts = context.parts;
        let headers = capture.headers.iter().flat_map(|name| {
            let values = parts.headers.get_all(name).iter();
            values.map(|value| (name.as_str().to_owned(), shown(value)))
        });
        let body = context.captured_body.as_deref();
        let hash = |body: &[u8]| hex::encode(digest::digest(&digest::SHA256, body));
        Some(Self {
            method: shown(parts.method.as_str()),
            headers: headers.collect(),
            sha256: body.map(hash),
            body: body
                .filter(|_| capture.bodies)
                .map(|body| body[..body.len().min(LARGEST)].to_vec()),
        })
    }

    pub(super) fn json(&self) -> Value {
        let mut headers = Map::new();
        for (name, value) in &self.headers {
            match headers.get_mut(name) {
                Some(Value::Array(values)) => values.push(json!(value)),
                _ => _ = headers.insert(name.clone(), json!([value])),
            }
        }
        let mut json = json!({
            "method": self.method,
            "headers": headers,
            "body_sha256": self.sha256,
        });
        match self
            .body
            .as_deref()
            .map(|body| (body, str::from_utf8(body)))
        {
            Some((_, Ok(text))) => json["body"] = json!(text),
            Some((bytes, Err(_))) => json["body_base64"] = json!(STANDARD.encode(bytes)),
            None => {}
        }
        json
    }
}

/// Bytes that are kept of a body.
const LARGEST: usize = 64 * 1024;

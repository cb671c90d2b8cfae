//! Events that are too large for Temporal, stored in a real S3 server in the form in which a stock
//! Python worker reads them.

mod away;
mod settings;
mod stored;

use reqwest::Method;
use uuid::Uuid;

use crate::support::configured::Configured;
use crate::support::delivery::{Delivery, hmac};
use crate::support::forwarder::{ForwarderConfig, SECRET};
use crate::support::leaks;
use crate::support::s3::{BUCKET, CREDENTIALS, REGION};

/// A forwarder with the bucket behind this address, and one source for GitHub.
fn configured(s3: &str, extra: &str) -> Configured {
    Configured::new(&file(s3, extra))
}

fn file(s3: &str, extra: &str) -> String {
    format!(
        "[large_payloads]\nbucket = '{BUCKET}'\nregion = '{REGION}'\nendpoint = 'http://{s3}'\n{}",
        source(extra)
    )
}

fn source(extra: &str) -> String {
    format!(
        "[[source]]\npath = '/github'\nprovider = 'github'\nsecrets = ['env:SHOPIFY_WEBHOOKS_KEY']\n{extra}\n"
    )
}

fn with_credentials(configured: &Configured) -> ForwarderConfig {
    leaks::forbid(CREDENTIALS[1].1);
    ForwarderConfig {
        env: &CREDENTIALS,
        ..configured.plain()
    }
}

/// A push as GitHub sends it, with a new id, signed with the shared secret.
fn push(body: String) -> Delivery {
    let id = Uuid::new_v4().to_string();
    let signature = format!("sha256={}", hex::encode(hmac(SECRET, body.as_bytes())));
    leaks::forbid(&signature);
    let mut push = Delivery::bare(Method::POST, "/github")
        .with("Content-Type", "application/json")
        .with("X-GitHub-Event", "push")
        .with("X-GitHub-Delivery", &id)
        .with("X-Hub-Signature-256", signature)
        .with_body(body);
    push.id = id;
    push
}

/// JSON of about so many bytes.
fn body(size: usize) -> String {
    format!(r#"{{"text":"{}"}}"#, "x".repeat(size))
}

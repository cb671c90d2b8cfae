//! `codec-server`: Temporal's own CLI shows through it what is encrypted; nobody else can.

mod access;
mod converted;
mod settings;
mod shown;

use std::fs;
use std::process::Command;
use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::{Client, Method, RequestBuilder, Response};
use serde_json::{Value, json};
use temporalio_common::protos::temporal::api::common::v1::Payload;
use tokio_rustls::rustls::version::TLS13;

use crate::support::certs::Certificates;
use crate::support::codec_server::CodecServer;
use crate::support::configured::Configured;
use crate::support::delivery::Delivery;
use crate::support::forwarder::{AES, Forwarder, ForwarderConfig};
use crate::support::leaks::{self, CANARY};
use crate::support::run::Run;
use crate::support::sender::Sender;
use crate::support::temporal::{self, Temporal};
use crate::support::wait::{PATIENCE, run, until};

/// An event in Temporal, encrypted by a forwarder with these further settings; its workflow id.
async fn encrypted_event(settings: &str) -> String {
    leaks::forbid(TOKEN);
    leaks::forbid(OTHER_KEY);
    let configured = Configured::new(&format!(
        "[[source]]\npath = '/temporal/shopify'\nprovider = 'shopify'\nsecrets = ['env:SHOPIFY_WEBHOOKS_KEY']\n{settings}\n"
    ));
    let forwarder = Forwarder::start(ForwarderConfig {
        aes: Some(AES),
        ..configured.plain()
    })
    .await;
    let order = Delivery::order();
    let answer = Sender::new(&forwarder).send(&order).await;
    assert_eq!(answer.outcome(), "200 started");
    let payload: &Payload = &Temporal::shared().await.started(&order.id).await.input[0];
    assert_eq!(payload.metadata["encoding"], b"binary/encrypted");
    order.id
}

/// `temporal workflow show` of its whole history.
async fn show(workflow_id: &str, args: &[&str]) -> Run {
    let address = Temporal::shared().await.address();
    Run::of(
        Command::new(temporal::binary())
            .args(["workflow", "show", "--workflow-id", workflow_id])
            .args([
                "--address",
                &address,
                "--detailed",
                "--command-timeout",
                "2s",
            ])
            .args(args)
            .env_clear()
            .env("HOME", "/nonexistent"),
    )
}

/// The line of a refusal, or of what could not be done.
fn warned(server: &CodecServer, reason: &str) -> Value {
    server.log.wait_for(
        reason,
        || true,
        |line| {
            let said = line["reason"].as_str().unwrap_or_default();
            line["level"] == "WARN" && said.contains(reason)
        },
    )
}

async fn answer(server: &CodecServer, path: &str, body: &Value) -> Value {
    let asked = post(server, path).body(body.to_string());
    let answer = asked.send().await.expect("an answer");
    assert_eq!(answer.status(), 200);
    assert_eq!(header(&answer, "content-type"), "application/json");
    assert_eq!(header(&answer, "cache-control"), "no-store");
    let text = answer.text().await.expect("text");
    serde_json::from_str(&text).expect("JSON")
}

fn post(server: &CodecServer, path: &str) -> RequestBuilder {
    let request = client().post(server.url() + path);
    request.header("X-Namespace", "e2e")
}

fn client() -> Client {
    Client::builder().no_proxy().build().expect("a client")
}

fn header<'a>(answer: &'a Response, name: &str) -> &'a str {
    let value = answer.headers().get(name);
    value.map_or("", |value| value.to_str().expect("ASCII"))
}

fn b64(text: &str) -> String {
    STANDARD.encode(text)
}

const KEY: [(&str, &str); 2] = [("AES_KEY", AES.0), ("AES_KEY_ID", AES.1)];
/// Those of somebody else.
const FOREIGN: [(&str, &str); 2] = [("AES_KEY", OTHER_KEY), ("AES_KEY_ID", "theirs")];
const OTHER_KEY: &str = "1c2d3e4f5a6b7c8d9eafb0c1d2e3f4051c2d3e4f5a6b7c8d9eafb0c1d2e3f405";
const TOKEN: &str = "codec-token-4f8a0d7be1";
/// Where `temporal server start-dev` has its web interface.
const UI: &str = "http://localhost:8233";
const ALLOWED: &str = "access-control-allow-origin";

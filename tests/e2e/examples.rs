//! The senders of docs/examples, as their files describe them: each file, unchanged, accepts what
//! it says and nothing else.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;

use crate::support::configured::Configured;
use crate::support::delivery::{Delivery, hmac, unix_now};
use crate::support::forwarder::{Forwarder, ForwarderConfig};
use crate::support::leaks;
use crate::support::sender::Sender;
use crate::support::temporal::Temporal;
use crate::support::wait::run;

#[test]
fn every_example_is_tested_here() {
    let names = fs::read_dir(folder()).expect("the examples are there");
    let names = names.map(|entry| entry.expect("it can be listed").file_name());
    let mut names: Vec<_> = names.map(|n| n.to_string_lossy().into_owned()).collect();
    names.sort();
    let tested = [
        "hmac-hex",
        "hmac-token",
        "http-basic",
        "rsa-sha1",
        "rsa-sha256",
    ];
    assert_eq!(names, tested.map(|name| format!("{name}.toml")));
}

#[test]
fn hex_hmac_over_the_body_with_the_id_in_it() {
    run(async {
        let forwarder = start(&example("hmac-hex")).await;
        let id = new_id();
        let body = format!(r#"{{"message_id":"{id}","type":"order.paid"}}"#);
        let signed = post(&body, "application/json")
            .with("X-Signature", hex::encode(hmac(KEY, body.as_bytes())));
        accepts(&forwarder, &signed, &id).await;
        let upper = hex::encode_upper(hmac(KEY, body.as_bytes()));
        let again = signed.clone().with("X-Signature", upper);
        let answer = Sender::new(&forwarder).send(&again).await;
        assert_eq!(answer.outcome(), "200 duplicate", "either case is hex");

        let changed = body.replace("paid", "free");
        refuses(&forwarder, &signed.clone().with_body(changed)).await;
        refuses(&forwarder, &signed.clone().without("X-Signature")).await;
        let other = hex::encode(hmac("another", body.as_bytes()));
        refuses(&forwarder, &signed.with("X-Signature", other)).await;
    });
}

#[test]
fn hmac_over_the_form_fields_timestamp_and_token() {
    run(async {
        let forwarder = start(&example("hmac-token")).await;
        let now = unix_now();
        let signed = |ts: u64, token: &str, key: &str| {
            let mac = hex::encode(hmac(key, format!("{ts}{token}").as_bytes()));
            format!("timestamp={ts}&token={token}&signature={mac}&event=delivered")
        };
        let form = |body: String| post(&body, "application/x-www-form-urlencoded");
        let id = new_id();
        let body = signed(now, &id, KEY);
        accepts(&forwarder, &form(body.clone()), &id).await;
        let weak = form(body.replace("delivered", "opened"));
        let answer = Sender::new(&forwarder).send(&weak).await;
        assert_eq!(answer.outcome(), "200 duplicate", "the token is the id");

        let token = new_id();
        for wrong in [
            signed(now, &token, "another"),
            signed(now - 301, &token, KEY),
            signed(now + 310, &token, KEY),
            signed(now, &token, KEY).replace(&now.to_string(), &(now - 1).to_string()),
            signed(now, &token, KEY).replace("token=", "token=x"),
            signed(now, &token, KEY).replace("signature=", "signed="),
            signed(now, &token, KEY) + "&token=" + &token,
        ] {
            refuses(&forwarder, &form(wrong)).await;
        }
    });
}

#[test]
fn a_user_and_a_password() {
    run(async {
        let forwarder = start(&example("http-basic")).await;
        let id = new_id();
        let basic = |secret: &str| format!("Basic {}", STANDARD.encode(secret));
        let signed = post(r#"{"a":1}"#, "application/json")
            .with("X-Message-Id", &id)
            .with("Authorization", basic(KEY));
        accepts(&forwarder, &signed, &id).await;
        for wrong in [
            basic("another"),
            basic(&KEY[1..]),
            basic(""),
            KEY.to_owned(),
            basic(KEY).replace("Basic", "Bearer"),
        ] {
            refuses(&forwarder, &signed.clone().with("Authorization", wrong)).await;
        }
        refuses(&forwarder, &signed.without("Authorization")).await;
    });
}

#[test]
fn rsa_with_a_pem_file() {
    run(async {
        for digest in ["sha256", "sha1"] {
            let configured = example(&format!("rsa-{digest}"));
            let private = configured.path("private.pem");
            openssl(&["genrsa", "-out", text(&private), "2048"], b"");
            let public = configured.path("acme-public.pem");
            let args = [
                "rsa",
                "-in",
                text(&private),
                "-pubout",
                "-out",
                text(&public),
            ];
            openssl(&args, b"");
            let forwarder = start(&configured).await;
            let id = new_id();
            let body = format!(r#"{{"order":"{id}"}}"#);
            let sign = |digest: &str| {
                let digest = format!("-{digest}");
                let args = ["dgst", &digest, "-sign", text(&private)];
                STANDARD.encode(openssl(&args, body.as_bytes()))
            };
            let signed = post(&body, "application/json")
                .with("X-Event-Id", &id)
                .with("X-Signature", sign(digest));
            accepts(&forwarder, &signed, &id).await;

            refuses(&forwarder, &signed.clone().with_body(body.clone() + " ")).await;
            refuses(&forwarder, &signed.clone().without("X-Signature")).await;
            let other = if digest == "sha1" { "sha256" } else { "sha1" };
            refuses(&forwarder, &signed.with("X-Signature", sign(other))).await;
        }
    });
}

/// The example's file in a folder of its own, where its relative paths are found.
fn example(name: &str) -> Configured {
    let file = folder().join(format!("{name}.toml"));
    let text = fs::read_to_string(file).expect("the example is there");
    Configured::new(&text.replace("\"file:", "\"file:FOLDER/"))
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/examples")
}

async fn start(configured: &Configured) -> Forwarder {
    leaks::forbid(KEY);
    Forwarder::start(ForwarderConfig {
        env: &[("ACME_SECRET", KEY)],
        ..configured.plain()
    })
    .await
}

async fn accepts(forwarder: &Forwarder, delivery: &Delivery, id: &str) {
    let answer = Sender::new(forwarder).send(delivery).await;
    assert_eq!(answer.outcome(), "200 started", "{answer:?}");
    let temporal = Temporal::shared().await;
    let started = temporal.started(&format!("acme:{id}")).await;
    assert_eq!(started.workflow_type, "AcmeWebhook");
    assert_eq!(started.task_queue, "acme_webhooks");
}

async fn refuses(forwarder: &Forwarder, delivery: &Delivery) {
    let answer = Sender::new(forwarder).send(delivery).await;
    assert_eq!(answer.status, 401, "{answer:?}");
}

fn post(body: &str, content_type: &str) -> Delivery {
    Delivery::bare(Method::POST, PATH)
        .with("Content-Type", content_type)
        .with_body(body)
}

fn new_id() -> String {
    Delivery::order().id
}

fn text(path: &Path) -> &str {
    path.to_str().expect("text")
}

fn openssl(args: &[&str], input: &[u8]) -> Vec<u8> {
    let mut child = Command::new("openssl")
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("openssl is installed");
    let mut stdin = child.stdin.take().expect("it is piped");
    stdin.write_all(input).expect("openssl reads");
    drop(stdin);
    let output = child.wait_with_output().expect("openssl ends");
    assert!(output.status.success(), "openssl {args:?}");
    output.stdout
}

const PATH: &str = "/temporal/acme";
const KEY: &str = "acme-secret-2b3c4d5e";

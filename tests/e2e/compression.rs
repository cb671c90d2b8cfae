//! Compressed, compressed and encrypted, and encrypted with one key after another: what the
//! history holds is opened by Python, without any code of ours.

use temporalio_common::protos::temporal::api::common::v1::Payload;

use crate::support::codec::{Opened, open_by_python};
use crate::support::configured::Configured;
use crate::support::delivery::Delivery;
use crate::support::event::Envelope;
use crate::support::forwarder::{AES, Forwarder, ForwarderConfig};
use crate::support::history::{Started, metadata};
use crate::support::leaks;
use crate::support::run::Run;
use crate::support::sender::Sender;
use crate::support::temporal::Temporal;
use crate::support::wait::run;

#[test]
fn zlib_is_what_temporals_own_codec_makes_and_leaves_the_memo_alone() {
    run(async {
        let configured = Configured::new(&source("compress = 'zlib'"));
        let forwarder = Forwarder::start(configured.plain()).await;
        let (order, started) = delivered(&forwarder, &Delivery::order()).await;
        let metadata = metadata(&started.input[0]);
        assert_eq!(metadata, [("encoding".into(), "binary/zlib".into())].into());

        let opened = opened(started.input[0].clone(), &[]);
        assert_eq!(opened.encodings(), ["binary/zlib", "json/plain"]);
        assert_eq!(Envelope::read(opened.data.as_bytes()).data(), order);
        assert_eq!(started.memo.len(), 6);
        for payload in started.memo.values() {
            assert_eq!(payload.metadata["encoding"], b"json/plain");
        }
    });
}

#[test]
fn compressed_first_and_then_encrypted_with_the_memo_encrypted_only() {
    run(async {
        let configured = Configured::new(&source("compress = 'zlib'"));
        let forwarder = Forwarder::start(ForwarderConfig {
            aes: Some(AES),
            ..configured.plain()
        })
        .await;
        let delivery = Delivery::shopify(format!(r#"{{"a":"{}"}}"#, "x".repeat(100_000)));
        let (body, started) = delivered(&forwarder, &delivery).await;
        assert!(started.input[0].data.len() < 2_000, "it is small");

        let keys = [(AES.1, AES.0)];
        let input = opened(started.input[0].clone(), &keys);
        let expected = ["binary/encrypted", "binary/zlib", "json/plain"];
        assert_eq!(input.encodings(), expected);
        assert_eq!(input.layers[0].key.as_deref(), Some(AES.1));
        assert_eq!(Envelope::read(input.data.as_bytes()).data(), body);
        let memo: Vec<_> = started.memo.into_values().collect();
        for opened in open_by_python(&memo, &keys) {
            assert_eq!(opened.encodings(), ["binary/encrypted", "json/plain"]);
        }
    });
}

#[test]
fn compressed_an_event_over_two_mebibytes_fits_into_temporal() {
    run(async {
        let configured = Configured::new(&source("compress = 'zlib'\nbody_limit = '8MiB'"));
        let forwarder = Forwarder::start(configured.plain()).await;
        let line = r#"{"id":820982911946154508,"total":"409.94","note":"again"},"#;
        let body = format!("[{}null]", line.repeat(100_000));
        assert!(body.len() > 5_000_000);
        let (body, started) = delivered(&forwarder, &Delivery::shopify(body)).await;
        let opened = opened(started.input[0].clone(), &[]);
        let event = Envelope::read(opened.data.as_bytes());
        assert!(event.data() == body, "byte for byte");
    });
}

#[test]
fn a_key_is_rotated_under_load_by_a_reload_and_every_event_decodes() {
    run(async {
        let keys = [("new", NEW), ("old", AES.0)];
        leaks::forbid(NEW);
        let configured = Configured::new(&with_keys("{ id = 'old', key = 'file:FOLDER/old' }"));
        configured.write("old", AES.0);
        configured.write("new", NEW);
        let mut forwarder = Forwarder::start(configured.plain()).await;
        let sender = Sender::new(&forwarder);
        let mut sent = Vec::new();
        let mut reloaded_at = None;
        loop {
            let delivery = Delivery::order();
            let answer = sender.send(&delivery).await;
            assert_eq!(answer.outcome(), "200 started", "{answer:?}");
            sent.push(delivery);
            if sent.len() == 20 {
                configured.rewrite(&with_keys(
                    "{ id = 'new', key = 'file:FOLDER/new' }, { id = 'old', key = 'file:FOLDER/old' }",
                ));
                forwarder.signal("HUP");
            }
            let reloaded = || {
                let lines = forwarder.log_lines();
                lines
                    .iter()
                    .any(|line| line.contains("configuration reloaded"))
            };
            if reloaded_at.is_none() && sent.len() > 20 && reloaded() {
                reloaded_at = Some(sent.len());
            }
            if reloaded_at.is_some_and(|at| sent.len() >= at + 20) {
                break;
            }
            assert!(sent.len() < 5000, "no reload");
        }

        let temporal = Temporal::shared().await;
        let (mut inputs, mut memos) = (Vec::new(), Vec::new());
        for delivery in &sent {
            let mut started = temporal.started(&delivery.id).await;
            inputs.append(&mut started.input);
            memos.extend(started.memo.into_values());
        }
        let opened = open_by_python(&inputs, &keys);
        assert_eq!(opened.len(), sent.len(), "nothing is lost");
        for (opened, delivery) in opened.iter().zip(&sent) {
            let event = Envelope::read(opened.data.as_bytes());
            assert_eq!(event.data().as_bytes(), delivery.body);
        }
        let ids = opened.iter().map(|opened| opened.layers[0].key.as_deref());
        let ids: Vec<_> = ids.map(|id| id.expect("encrypted")).collect();
        let switched = ids.iter().position(|id| *id == "new").expect("it switches");
        assert!(switched >= 20, "not before the file said so: {switched}");
        assert!(ids[..switched].iter().all(|id| *id == "old"));
        assert!(
            ids[switched..].iter().all(|id| *id == "new"),
            "and never back"
        );
        assert_eq!(open_by_python(&memos, &keys).len(), 6 * sent.len());
    });
}

#[test]
fn check_tries_every_key() {
    let configured = Configured::new(&with_keys(
        "{ id = 'new', key = 'env:NEW' }, { id = 'old', key = 'env:OLD' }",
    ));
    let args = [&["check", "--offline", "--no-tls"], configured.args()].concat();
    let env = [("NEW", NEW), ("OLD", AES.0), ("SHOPIFY_WEBHOOKS_KEY", "s")];
    let table = Run::new(&args, &env).fine();
    let said = r#"key "new", round trip fine; only decrypting: "old""#;
    assert!(table.contains(said), "{table}");
    assert!(!table.contains(NEW) && !table.contains(AES.0), "{table}");
}

/// Sends it, sees it started; its body and the start.
async fn delivered(forwarder: &Forwarder, delivery: &Delivery) -> (String, Started) {
    let answer = Sender::new(forwarder).send(delivery).await;
    assert_eq!(answer.outcome(), "200 started", "{answer:?}");
    let started = Temporal::shared().await.started(&delivery.id).await;
    assert_eq!(started.input.len(), 1);
    let body = String::from_utf8(delivery.body.clone()).expect("text");
    (body, started)
}

fn opened(payload: Payload, keys: &[(&str, &str)]) -> Opened {
    open_by_python(&[payload], keys).remove(0)
}

fn with_keys(keys: &str) -> String {
    format!("encryption.keys = [{keys}]\n{}", source(""))
}

fn source(settings: &str) -> String {
    format!(
        "[[source]]\npath = '/temporal/shopify'\nprovider = 'shopify'\nsecrets = ['env:SHOPIFY_WEBHOOKS_KEY']\n{settings}\n"
    )
}

const NEW: &str = "0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0";

//! What Temporal's history holds is exactly what the sender sent, plain and encrypted.

use std::collections::BTreeMap;

use crate::support::delivery::{Delivery, order_body};
use crate::support::event::Envelope;
use crate::support::forwarder::{AES, Forwarder, ForwarderConfig};
use crate::support::history::{metadata, open};
use crate::support::leaks::CANARY;
use crate::support::sender::Sender;
use crate::support::temporal::Temporal;
use crate::support::wait::run;

#[test]
fn history_holds_the_headers_and_the_json_as_sent() {
    run(async {
        let forwarder = Forwarder::start(ForwarderConfig::default()).await;
        let order = Delivery::order()
            .with("Content-Type", "application/json; charset=utf-8")
            .with("Authorization", "Basic c2VjcmV0")
            .with("Cookie", "session=1")
            .with("X-Other", "not kept")
            .with("X-Webhook-Verified", "forged");
        let (metadata, argument) = delivered(&forwarder, &order).await;
        assert_eq!(metadata, [("encoding".into(), "json/plain".into())].into());

        let event = Envelope::read(&argument);
        assert_eq!(event.data().as_bytes(), order.body);
        assert_eq!(event.headers, expected_headers(&order));
    });
}

#[test]
fn history_holds_the_same_encrypted_with_each_size_of_key() {
    run(async {
        let temporal = Temporal::shared().await;
        for key in [AES.0, &AES.0[..48], &AES.0[..32]] {
            let forwarder = Forwarder::start(ForwarderConfig {
                aes: Some((key, AES.1)),
                ..Default::default()
            })
            .await;
            let order = Delivery::order();
            Sender::new(&forwarder).send(&order).await;
            let started = temporal.started(&order.id).await;
            assert_eq!(started.input.len(), 1);
            let sealed = &started.input[0];
            let canary = CANARY.as_bytes();
            assert!(!sealed.data.windows(canary.len()).any(|part| part == canary));

            let argument = open(sealed, AES.1, key);
            assert_eq!(
                metadata(&argument),
                [("encoding".into(), "json/plain".into())].into()
            );
            let event = Envelope::read(&argument.data);
            assert_eq!(event.data().as_bytes(), order.body);
            assert_eq!(event.headers, expected_headers(&order));
            for (name, payload) in &started.memo {
                let inside = open(payload, AES.1, key);
                assert_eq!(metadata(&inside)["encoding"], "json/plain", "{name}");
            }
            assert_eq!(started.memo.len(), 6);
        }
    });
}

#[test]
fn two_events_with_the_same_body_are_sealed_with_different_nonces() {
    run(async {
        let temporal = Temporal::shared().await;
        let forwarder = Forwarder::start(ForwarderConfig {
            aes: Some(AES),
            ..Default::default()
        })
        .await;
        let body = order_body();
        let mut sealed = Vec::new();
        for _ in 0..2 {
            let order = Delivery::shopify(body.clone());
            Sender::new(&forwarder).send(&order).await;
            let started = temporal.started(&order.id).await;
            let payloads = started.input.iter().chain(started.memo.values());
            sealed.extend(payloads.map(|payload| payload.data[..12].to_vec()));
        }
        let all = sealed.len();
        sealed.sort();
        sealed.dedup();
        assert_eq!(
            (sealed.len(), all),
            (14, 14),
            "each payload has its own nonce"
        );
    });
}

#[test]
fn json_is_embedded_byte_for_byte() {
    run(async {
        let forwarder = Forwarder::start(ForwarderConfig::default()).await;
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        let cases = [
            ("every digit", r#"{"n":12345678901234567890.10}"#),
            ("big integers", r#"{"id":820982911946154508999999999}"#),
            ("extreme exponents", r#"[1e999999,-0,-0.0,1E+2]"#),
            ("order and duplicates", r#"{"z":1,"a":2,"z":3}"#),
            ("white space inside", "{ \"a\" :\n\t[ 1 , 2 ]\r\n}"),
            ("escapes", r#"{"a":"\u00e9\/\ud83d\ude00\n"}"#),
            ("a lone surrogate", r#"{"a":"\ud800"}"#),
            ("UTF-8", r#"{"ü":"日本 😀"}"#),
            ("a scalar", "42"),
            ("null", "null"),
            ("depth", &deep),
        ];
        for (what, body) in cases {
            let (_, argument) = delivered(&forwarder, &Delivery::shopify(body)).await;
            assert_eq!(Envelope::read(&argument).data(), body, "{what}");
        }
    });
}

#[test]
fn a_byte_order_mark_is_not_passed_on() {
    run(async {
        let forwarder = Forwarder::start(ForwarderConfig::default()).await;
        let order = Delivery::shopify("\u{feff}{\"a\":1}");
        let (_, argument) = delivered(&forwarder, &order).await;
        assert_eq!(Envelope::read(&argument).data(), r#"{"a":1}"#);
    });
}

#[test]
fn forms_text_and_other_bodies_have_their_own_form() {
    run(async {
        let forwarder = Forwarder::start(ForwarderConfig::default()).await;
        let form =
            Delivery::shopify("a=1&b=x+y%21").with(TYPE, "application/x-www-form-urlencoded");
        let (_, argument) = delivered(&forwarder, &form).await;
        assert_eq!(Envelope::read(&argument).data(), r#"{"a":"1","b":"x y!"}"#);

        let text = Delivery::shopify("say \"hi\"\n").with(TYPE, "text/plain");
        let (_, argument) = delivered(&forwarder, &text).await;
        assert_eq!(Envelope::read(&argument).data(), r#""say \"hi\"\n""#);

        let bytes = Delivery::shopify(*b"\xff\x00").with(TYPE, "application/octet-stream");
        let (_, argument) = delivered(&forwarder, &bytes).await;
        assert_eq!(Envelope::read(&argument).data_base64(), "/wA=");
    });
}

#[test]
fn json_string_is_the_same_text_encoded_once_more() {
    run(async {
        let forwarder = Forwarder::start(ForwarderConfig {
            args: &["--payload-format", "json-string"],
            ..Default::default()
        })
        .await;
        let order = Delivery::shopify(r#"{"n":12345678901234567890.10,"a":"\"é"}"#);
        let (metadata, argument) = delivered(&forwarder, &order).await;
        assert_eq!(metadata, [("encoding".into(), "json/plain".into())].into());
        let text: String = serde_json::from_slice(&argument).expect("a JSON string");
        let event = Envelope::read(text.as_bytes());
        assert_eq!(event.data().as_bytes(), order.body);
        assert_eq!(event.headers, expected_headers(&order));
    });
}

#[test]
fn a_body_of_almost_two_mebibytes_arrives_whole() {
    run(async {
        let forwarder = Forwarder::start(ForwarderConfig {
            aes: Some(AES),
            ..Default::default()
        })
        .await;
        let order = Delivery::shopify(format!(r#"{{"a":"{}"}}"#, "x".repeat(2_000_000)));
        Sender::new(&forwarder).send(&order).await;
        let started = Temporal::shared().await.started(&order.id).await;
        let argument = open(&started.input[0], AES.1, AES.0).data;
        assert_eq!(Envelope::read(&argument).data().as_bytes(), order.body);
    });
}

/// Sends it, sees it started, and gives the argument's metadata and bytes from the history.
async fn delivered(
    forwarder: &Forwarder,
    delivery: &Delivery,
) -> (BTreeMap<String, String>, Vec<u8>) {
    let answer = Sender::new(forwarder).send(delivery).await;
    assert_eq!(answer.outcome(), "200 started");
    let started = Temporal::shared().await.started(&delivery.id).await;
    let (metadata, argument) = started.argument();
    (metadata, argument.to_vec())
}

/// What is kept of an order's headers, and what the forwarder adds.
fn expected_headers(order: &Delivery) -> BTreeMap<String, String> {
    let kept = [
        "content-type",
        "x-shopify-api-version",
        "x-shopify-hmac-sha256",
        "x-shopify-shop-domain",
        "x-shopify-topic",
        "x-shopify-webhook-id",
    ];
    let kept = kept.map(|name| (name, order.header(name)));
    let own = [
        ("x-webhook-route", order.path.clone()),
        ("x-webhook-method", "POST".to_owned()),
        ("x-webhook-verified", "true".to_owned()),
    ];
    let all = kept.into_iter().chain(own);
    all.map(|(name, value)| (name.to_owned(), value)).collect()
}

const TYPE: &str = "Content-Type";

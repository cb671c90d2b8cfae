//! What is not acknowledged, with which status, and that nothing was started by it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;

use crate::support::delivery::{Delivery, SHOPIFY, SIGNATURE, hmac};
use crate::support::forwarder::{Forwarder, ForwarderConfig, SECRET};
use crate::support::sender::Sender;
use crate::support::temporal::Temporal;
use crate::support::wait::run;

#[test]
fn a_signature_wrong_in_any_way_is_401_and_starts_nothing() {
    run(async {
        let forwarder = Forwarder::start(ForwarderConfig::default()).await;
        let order = Delivery::order;
        let signed = |sign: fn(&Delivery) -> String| {
            let order = order();
            let signature = sign(&order);
            order.with(SIGNATURE, signature)
        };
        let mut flipped = order();
        flipped.body[10] ^= 1;
        let mut longer = order();
        longer.body.push(b'\n');
        let mut shorter = order();
        shorter.body.pop();
        let mut twice = order();
        twice.headers.push((SIGNATURE.to_owned(), vec![b'A'; 44]));
        let cases = [
            ("missing", order().without(SIGNATURE)),
            ("empty", order().with(SIGNATURE, "")),
            ("wrong", order().with(SIGNATURE, STANDARD.encode([7; 32]))),
            ("another key's", order().signed("shpss_somebody_else")),
            (
                "another body's",
                signed(|_| STANDARD.encode(hmac(SECRET, b"{}"))),
            ),
            ("one flipped bit in the body", flipped),
            ("one more byte in the body", longer),
            ("one byte less in the body", shorter),
            (
                "cut short",
                signed(|o| STANDARD.encode(&hmac(SECRET, &o.body)[..31])),
            ),
            ("one byte longer", {
                signed(|o| STANDARD.encode([&hmac(SECRET, &o.body)[..], &[0]].concat()))
            }),
            (
                "hex instead of base64",
                signed(|o| hex::encode(hmac(SECRET, &o.body))),
            ),
            ("raw text", order().with(SIGNATURE, "not base64 at all!")),
            (
                "bytes that are no text",
                order().with(SIGNATURE, b"\xff\xfe"),
            ),
            ("huge", order().with(SIGNATURE, "QUFB".repeat(2000))),
            ("one right and one wrong", twice),
            ("on an empty body", order().with_body("")),
        ];
        let mut texts = Vec::new();
        for (what, delivery) in cases {
            let answer = refused(&forwarder, &delivery, 401, what).await;
            texts.push(answer.text.replace(answer.request_id(), "ID"));
            let line = forwarder.request_line(answer.request_id());
            assert_eq!(line["outcome"], "invalid_signature", "{what}");
        }
        texts.dedup();
        assert_eq!(texts.len(), 1, "all get the same text: {texts:?}");
    });
}

#[test]
fn a_signed_request_that_cannot_be_an_event_is_400() {
    run(async {
        let forwarder = Forwarder::start(ForwarderConfig::default()).await;
        let mut two_ids = Delivery::order();
        let another = b"another-id".to_vec();
        two_ids.headers.push((ID.to_owned(), another));
        let cases = [
            ("no id", Delivery::order().without(ID)),
            ("an empty id", Delivery::order().with(ID, "")),
            ("two ids", two_ids),
            ("an empty body", Delivery::shopify("")),
        ];
        for (what, delivery) in cases {
            let answer = refused(&forwarder, &delivery, 400, what).await;
            let line = forwarder.request_line(answer.request_id());
            assert_eq!(line["outcome"], "malformed", "{what}");
            assert!(line["reason"].is_string(), "the log says why: {line}");
        }
        let longest = Delivery::order().with_id(&"i".repeat(200));
        let answer = Sender::new(&forwarder).send(&longest).await;
        assert!(matches!(
            &*answer.outcome(),
            "200 started" | "200 duplicate"
        ));
    });
}

#[test]
fn a_body_over_the_limit_is_413() {
    run(async {
        let forwarder = Forwarder::start(ForwarderConfig::default()).await;
        let json = |length: usize| format!("[\"{}\"]", "x".repeat(length - 4));
        let cases = [
            (
                "over the limit",
                Delivery::shopify(json(2 * 1024 * 1024 + 1)),
            ),
            ("far over the limit", Delivery::shopify(json(9_000_000))),
        ];
        for (what, delivery) in cases {
            let answer = refused(&forwarder, &delivery, 413, what).await;
            let line = forwarder.request_line(answer.request_id());
            assert_eq!(line["outcome"], "too_large", "{what}");
        }
    });
}

#[test]
fn a_content_encoding_that_changes_nothing_is_taken_and_any_other_is_415() {
    run(async {
        let forwarder = Forwarder::start(ForwarderConfig::default()).await;
        for coding in [
            "identity",
            "Identity",
            "UTF-8",
            "utf8",
            "\"utf-8\"",
            "iso-8859-1",
            "ISO-8859-15",
            "us-ascii",
            "windows-1252",
            "Shift_JIS",
            "identity, UTF-8",
            "",
        ] {
            let delivery = Delivery::order().with("Content-Encoding", coding);
            let answer = Sender::new(&forwarder).send(&delivery).await;
            assert_eq!(answer.outcome(), "200 started", "{coding:?}");
        }
        let codings = [
            "gzip",
            "deflate",
            "br",
            "zstd",
            "aes128gcm",
            "identity, gzip",
            "utf-8 x",
            "x",
        ];
        for coding in codings {
            let delivery = Delivery::order().with("Content-Encoding", coding);
            let answer = refused(&forwarder, &delivery, 415, coding).await;
            let line = forwarder.request_line(answer.request_id());
            assert_eq!(line["source"], SHOPIFY, "{line}");
        }
        let admin = Sender::plain(&forwarder.admin.to_string());
        let page = admin.get("/metrics").await.text;
        let counted = format!(
            "requests_total{{source=\"{SHOPIFY}\",outcome=\"unsupported_type\"}} {}",
            codings.len()
        );
        assert!(page.contains(&counted), "{counted} in {page}");
    });
}

#[test]
fn another_path_is_404() {
    run(async {
        let forwarder = Forwarder::start(ForwarderConfig::default()).await;
        for path in [
            "/temporal",
            "/temporal/",
            "/temporal/shopify/",
            "/temporal/Shopify",
            "/temporal//shopify",
            "/temporal/shopif%79",
            "/temporal/shopify;a=1",
            "/temporal/generic",
            "/metrics",
            "/favicon.ico",
        ] {
            let mut delivery = Delivery::order();
            delivery.path = path.to_owned();
            refused(&forwarder, &delivery, 404, path).await;
        }
    });
}

#[test]
fn another_method_is_405_and_says_which_are_allowed() {
    run(async {
        let forwarder = Forwarder::start(ForwarderConfig::default()).await;
        let sender = Sender::new(&forwarder);
        for method in [Method::PUT, Method::DELETE, Method::PATCH, Method::OPTIONS] {
            let mut delivery = Delivery::order();
            delivery.method = method.clone();
            let answer = refused(&forwarder, &delivery, 405, method.as_str()).await;
            assert!(answer.header("allow").contains("POST"), "{answer:?}");
        }
        let answer = sender.get(SHOPIFY).await;
        assert_eq!(answer.status, 200, "for load balancers and people");
        assert!(answer.json().is_object());
        let answer = sender
            .send(&Delivery::bare(Method::POST, "/health/live"))
            .await;
        assert_eq!(answer.status, 405);
    });
}

/// Sends it, sees this status, and sees that Temporal does not know the event.
async fn refused(
    forwarder: &Forwarder,
    delivery: &Delivery,
    status: u16,
    what: &str,
) -> crate::support::sender::Answer {
    let answer = Sender::new(forwarder).send(delivery).await;
    assert_eq!(answer.status, status, "{what}: {answer:?}");
    let temporal = Temporal::shared().await;
    temporal.assert_absent(&delivery.id).await;
    answer
}

const ID: &str = "X-Shopify-Webhook-Id";

//! What browsers are told: which pages may send to a source, and what no answer allows.

use reqwest::Method;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::configured::Configured;
use crate::support::delivery::{Delivery, SHOPIFY};
use crate::support::forwarder::{Forwarder, ForwarderConfig};
use crate::support::raw;
use crate::support::sender::{Answer, Sender};
use crate::support::wait::run;

#[test]
fn a_page_of_a_listed_origin_may_send_and_read_and_no_other() {
    run(async {
        let forwarder = Forwarder::start(Configured::new(CONFIG).plain()).await;
        let sender = Sender::new(&forwarder);
        let preflight = async |path: &str, origin: &str| {
            let asks = Delivery::bare(Method::OPTIONS, path)
                .with("Origin", origin)
                .with("Access-Control-Request-Method", "POST")
                .with(
                    "Access-Control-Request-Headers",
                    "content-type,x-shopify-topic",
                );
            sender.ask(&asks).await
        };
        let answer = preflight(SHOPIFY, PAGE).await;
        assert_eq!(answer.status, 204, "{answer:?}");
        for (name, value) in [
            ("access-control-allow-origin", PAGE),
            ("access-control-allow-methods", "POST"),
            (
                "access-control-allow-headers",
                "content-type,x-shopify-topic",
            ),
            ("access-control-max-age", "600"),
            ("access-control-allow-credentials", ""),
            ("vary", "origin"),
        ] {
            assert_eq!(answer.header(name), value, "{name}: {answer:?}");
        }
        for origin in [
            "https://app.example.com.evil.example",
            "https://app.example.com:8443",
            "http://app.example.com",
            "null",
        ] {
            let answer = preflight(SHOPIFY, origin).await;
            assert_eq!(answer.status, 403, "{origin}");
            assert_eq!(answer.header(ALLOWED), "", "{origin}");
            let line = forwarder.request_line(answer.request_id());
            assert_eq!(line["outcome"], "forbidden", "{line}");
        }
        // Off by default.
        assert_eq!(preflight("/temporal/closed", PAGE).await.status, 405);

        for (path, origin, allowed) in [
            (SHOPIFY, Some(PAGE), PAGE),
            (SHOPIFY, Some("https://evil.example"), ""),
            (SHOPIFY, None, ""),
            ("/temporal/closed", Some(PAGE), ""),
        ] {
            let mut order = Delivery::order();
            order.path = path.to_owned();
            if let Some(origin) = origin {
                order = order.with("Origin", origin);
            }
            // Where a request comes from is no proof, and no reason to refuse it.
            let answer = sender.send(&order).await;
            assert_eq!(answer.outcome(), "200 started", "{origin:?}");
            assert_eq!(answer.header(ALLOWED), allowed, "{origin:?}");
            let refused = sender.send(&order.signed("another-secret")).await;
            assert_eq!(refused.status, 401);
            assert_eq!(refused.header(ALLOWED), allowed, "a page may read why, too");
        }
    });
}

#[test]
fn every_answer_of_both_listeners_tells_browsers_to_keep_frame_and_load_nothing() {
    run(async {
        for tls in [true, false] {
            let forwarder = Forwarder::start(ForwarderConfig {
                tls,
                ..Default::default()
            })
            .await;
            let public = Sender::new(&forwarder);
            let admin = Sender::plain(&forwarder.admin.to_string());
            for path in ["/", "/health/live", "/health/ready", "/nothing", SHOPIFY] {
                hardened(&public.get(path).await, path);
            }
            for delivery in [
                Delivery::order(),
                Delivery::order().signed("another-secret"),
                Delivery::bare(Method::PUT, SHOPIFY),
                Delivery::shopify("x".repeat(3 << 20)),
            ] {
                hardened(&public.send(&delivery).await, "a webhook");
            }
            for path in [
                "/",
                "/metrics",
                "/health/ready",
                "/state",
                "/rejections",
                "/nothing",
            ] {
                hardened(&admin.get(path).await, path);
            }
            let evil = admin.get_with("/state", &[("Host", "evil.example")]).await;
            assert_eq!(evil.status, 421);
            hardened(&evil, "another host");
        }
    });
}

#[test]
fn the_answer_to_a_head_that_never_comes_does_so_too() {
    run(async {
        let forwarder = Forwarder::start(ForwarderConfig::default()).await;
        let mut stream = raw::connect(&forwarder).await;
        stream
            .write_all(b"GET / HTTP/1.1\r\n")
            .await
            .expect("it is open");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.ok();
        assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
        assert!(
            answer.contains("\r\nX-Content-Type-Options: nosniff\r\n"),
            "{answer}"
        );
    });
}

fn hardened(answer: &Answer, what: &str) {
    for (name, value) in [
        ("cache-control", "no-store"),
        ("referrer-policy", "no-referrer"),
        ("x-content-type-options", "nosniff"),
    ] {
        let values = answer.headers.get_all(name).iter();
        assert_eq!(values.collect::<Vec<_>>(), [value], "{what}: {answer:?}");
    }
    let policy = answer.header("content-security-policy");
    let parts = ["default-src 'none'", "frame-ancestors 'none'"];
    assert!(
        parts.iter().all(|part| policy.contains(part)),
        "{what}: {answer:?}"
    );
}

const PAGE: &str = "https://app.example.com";
const ALLOWED: &str = "access-control-allow-origin";
const CONFIG: &str = r#"
[[source]]
path = "/temporal/shopify"
provider = "shopify"
secrets = ["env:SHOPIFY_WEBHOOKS_KEY"]
cors_origins = ["http://localhost:3000", "https://app.example.com"]

[[source]]
path = "/temporal/closed"
provider = "shopify"
secrets = ["env:SHOPIFY_WEBHOOKS_KEY"]
"#;

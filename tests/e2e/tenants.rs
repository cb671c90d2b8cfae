//! What a source says beyond its provider: secrets of tenants, addresses, what overrides, and the
//! consent to check nothing.

use reqwest::Method;

use crate::support::configured::Configured;
use crate::support::delivery::{Delivery, SHOPIFY, SIGNATURE};
use crate::support::event::Envelope;
use crate::support::forwarder::{Forwarder, ForwarderConfig};
use crate::support::leaks;
use crate::support::sender::Sender;
use crate::support::temporal::Temporal;
use crate::support::wait::run;

#[test]
fn a_tenant_s_secret_verifies_that_tenant_s_webhooks_and_no_other_s() {
    run(async {
        let configured = Configured::new(&source(
            "[source.secrets]
            'one.example' = 'env:SECRET_ONE'
            'two.example' = ['env:SECRET_TWO', 'file:FOLDER/two-before']",
        ));
        configured.write("two-before", "tenant-two-before-9c8b7a\n");
        let forwarder = Forwarder::start(config(&configured)).await;
        let sender = Sender::new(&forwarder);
        for (shop, secret, status) in [
            ("one.example", ONE, 200),
            ("two.example", TWO, 200),
            ("two.example", "tenant-two-before-9c8b7a", 200),
            ("two.example", ONE, 401),
            ("one.example", TWO, 401),
            ("three.example", ONE, 401),
            ("three.example", TWO, 401),
            ("ONE.example", ONE, 401),
        ] {
            let delivery = Delivery::order().with(SHOP, shop).signed(secret);
            let answer = sender.send(&delivery).await;
            assert_eq!(answer.status, status, "{shop} {secret}: {answer:?}");
        }
        for (shop, secret, reason) in [
            (
                "three.myshopify.com",
                ONE,
                "no secret for tenant three.myshopify.com",
            ),
            (
                "t\u{f6}richt.example",
                ONE,
                "no secret for tenant t%C3%B6richt.example",
            ),
            ("one.example", TWO, "the signature does not match"),
        ] {
            let delivery = Delivery::order().with(SHOP, shop).signed(secret);
            let answer = sender.send(&delivery).await;
            assert_eq!(answer.status, 401, "{shop}: {answer:?}");
            assert!(!answer.text.contains("tenant"), "the caller learns nothing");
            let line = forwarder.request_line(answer.request_id());
            assert_eq!(line["reason"], reason, "{line}");
            let claimed = [&line["claimed_topic"], &line["claimed_event_id"]];
            assert_eq!(claimed, ["orders/create", &*delivery.id], "{line}");
            let claimed = line["claimed_tenant"].as_str().unwrap_or_default();
            assert!(reason.ends_with(claimed) || claimed == shop, "{line}");
            assert!(
                line["tenant"].is_null() && line["topic"].is_null(),
                "{line}"
            );
        }
        let taken = Delivery::order().with(SHOP, "two.example").signed(TWO);
        let answer = sender.send(&taken).await;
        let line = forwarder.request_line(answer.request_id());
        assert_eq!(line["tenant"], "two.example", "{line}");
        assert!(line["claimed_tenant"].is_null(), "{line}");

        let nobodys = Delivery::order().without(SHOP).signed(ONE);
        assert_eq!(sender.send(&nobodys).await.status, 401);
        let mut both = Delivery::order().with(SHOP, "one.example").signed(TWO);
        both.headers
            .push((SHOP.to_owned(), b"two.example".to_vec()));
        assert_eq!(sender.send(&both).await.status, 401, "two tenants are none");
        for unusable in [&b""[..], b"\xff\xfe", "ü".as_bytes(), &[b'a'; 500]] {
            let delivery = Delivery::order().with(SHOP, unusable).signed(ONE);
            let answer = sender.send(&delivery).await;
            assert_eq!(answer.status, 401, "{unusable:?}: {answer:?}");
        }

        let used = used_keys(&forwarder).await;
        assert_eq!(
            used,
            [
                "env:SECRET_ONE 1".to_owned(),
                "env:SECRET_TWO 2".to_owned(),
                format!("file:{} 1", configured.path("two-before").display()),
            ]
        );
    });
}

#[test]
fn all_secrets_are_tried_and_the_metric_names_the_one_that_matched() {
    run(async {
        let configured = Configured::new(&source(
            "secrets = ['env:SECRET_ONE', 'env:SECRET_TWO', 'env:SECRET_THREE']",
        ));
        let forwarder = Forwarder::start(config(&configured)).await;
        let sender = Sender::new(&forwarder);
        for secret in [TWO, THREE, THREE] {
            let delivery = Delivery::order().signed(secret);
            assert_eq!(sender.send(&delivery).await.outcome(), "200 started");
        }
        let wrong = Delivery::order().signed("none-of-them");
        assert_eq!(sender.send(&wrong).await.status, 401);
        let used = used_keys(&forwarder).await;
        assert_eq!(
            used,
            ["env:SECRET_ONE 0", "env:SECRET_THREE 2", "env:SECRET_TWO 1"]
        );
    });
}

#[test]
fn an_address_that_is_not_allowed_gets_403_before_its_body_is_read() {
    run(async {
        let configured = Configured::new(&source(
            "secrets = ['env:SECRET_ONE']\nallow = ['192.0.2.0/24', '127.0.0.1']",
        ));
        // A socket for both families shows IPv4 addresses as ::ffff:127.0.0.1.
        for host in ["127.0.0.1", "::"] {
            let forwarder = Forwarder::start(ForwarderConfig {
                host,
                ..config(&configured)
            })
            .await;
            let port = forwarder.public.port();
            let at = |address| Sender::from_address_to(address, &format!("127.0.0.1:{port}"));
            let delivery = Delivery::order().signed(ONE);
            let allowed = at("127.0.0.1").send(&delivery).await;
            assert_eq!(allowed.outcome(), "200 started", "{host}");
            let refused = at("127.0.0.2").send(&delivery).await;
            assert_eq!(refused.status, 403, "{host}: {refused:?}");
            let line = forwarder.request_line(refused.request_id());
            assert_eq!(line["outcome"], "forbidden");
            let page = Delivery::bare(Method::GET, SHOPIFY);
            assert_eq!(at("127.0.0.2").send(&page).await.status, 403);

            let answer = half_a_request(port, "127.0.0.2").await;
            assert!(answer.starts_with("HTTP/1.1 403 "), "{host}: {answer}");
        }
    });
}

#[test]
fn a_source_overrides_its_provider() {
    run(async {
        let configured = Configured::new(&source(
            "secrets = ['env:SECRET_ONE']
            success_status = 202
            keep_headers = ['x-kept-*']
            event_id = ['json order.id', 'header X-Fallback']
            topic = ['query topic']
            tenant = ['json shop']
            task_queue = 'queue:{topic}'
            workflow_type = 'Order:{tenant}'
            workflow_id = 'overridden:{event_id}'",
        ));
        let forwarder = Forwarder::start(config(&configured)).await;
        let id = Delivery::order().id;
        let body = format!(r#"{{"order":{{"id":"{id}"}},"shop":"s1"}}"#);
        let mut delivery = Delivery::shopify(body)
            .with("X-Kept-One", "1")
            .with("X-Other", "2")
            .signed(ONE);
        delivery.path = format!("{SHOPIFY}?topic=paid");
        let answer = Sender::new(&forwarder).send(&delivery).await;
        assert_eq!(answer.status, 202, "{answer:?}");
        assert_eq!(answer.json()["status"], "started");
        let temporal = Temporal::shared().await;
        let started = temporal.started(&format!("overridden:{id}")).await;
        assert_eq!(started.task_queue, "queue:paid");
        assert_eq!(started.workflow_type, "Order:s1");
        let envelope = Envelope::read(started.argument().1);
        let names: Vec<_> = envelope.headers.keys().map(String::as_str).collect();
        let own = ["x-webhook-method", "x-webhook-route", "x-webhook-verified"];
        assert_eq!(names, [&["x-kept-one"][..], &own].concat());

        let mut without = Delivery::shopify("{}").with("X-Fallback", "f1").signed(ONE);
        without.path = format!("{SHOPIFY}?topic=paid");
        let answer = Sender::new(&forwarder).send(&without).await;
        assert_eq!(answer.status, 202, "{answer:?}");
        let outcome = answer.json()["status"].clone();
        assert_eq!(outcome, "dead_lettered", "no tenant for the type");
    });
}

#[test]
fn a_source_that_checks_nothing_warns_and_marks_each_event() {
    run(async {
        let configured = Configured::new(&source("danger_accept_unverified = true"));
        let forwarder = Forwarder::start(config(&configured)).await;
        forwarder.line("the warning", |line| {
            line["level"] == "WARN"
                && line["path"] == SHOPIFY
                && line["message"]
                    .as_str()
                    .is_some_and(|text| text.contains("DANGER"))
        });
        let delivery = Delivery::order()
            .with("X-Webhook-Verified", "true")
            .without(SIGNATURE);
        let answer = Sender::new(&forwarder).send(&delivery).await;
        assert_eq!(answer.outcome(), "200 started");
        let started = Temporal::shared().await.started(&delivery.id).await;
        let envelope = Envelope::read(started.argument().1);
        assert_eq!(envelope.headers["x-webhook-verified"], "false");
        assert!(used_keys(&forwarder).await.is_empty());
    });
}

fn source(rest: &str) -> String {
    format!("[[source]]\npath = '{SHOPIFY}'\nprovider = 'shopify'\n{rest}\n")
}

fn config(configured: &Configured) -> ForwarderConfig {
    for secret in [ONE, TWO, THREE] {
        leaks::forbid(secret);
    }
    ForwarderConfig {
        env: &[
            ("SECRET_ONE", ONE),
            ("SECRET_TWO", TWO),
            ("SECRET_THREE", THREE),
        ],
        ..configured.plain()
    }
}

/// `KEY COUNT`, in order.
async fn used_keys(forwarder: &Forwarder) -> Vec<String> {
    let admin = Sender::plain(&forwarder.admin.to_string());
    let page = admin.get("/metrics").await.text;
    let lines = page
        .lines()
        .filter_map(|line| line.strip_prefix("webhook_forwarder_signature_key_used_total{"));
    let mut keys: Vec<_> = lines
        .map(|line| {
            let (_, rest) = line.split_once("key=\"").expect("it has a key");
            let (key, rest) = rest.split_once('"').expect("it ends");
            format!("{key} {}", rest.rsplit(' ').next().unwrap_or_default())
        })
        .collect();
    keys.sort();
    keys
}

/// A request whose body does not come; what is answered.
async fn half_a_request(port: u16, from: &str) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
    let from = format!("{from}:0").parse().expect("an address");
    socket.bind(from).expect("it is this machine's");
    let to = format!("127.0.0.1:{port}").parse().expect("an address");
    let mut stream = socket.connect(to).await.expect("it listens");
    let head = format!("POST {SHOPIFY} HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n");
    stream.write_all(head.as_bytes()).await.expect("it reads");
    let mut answer = vec![0; 1024];
    let read = stream.read(&mut answer).await.expect("it answers");
    String::from_utf8_lossy(&answer[..read]).into_owned()
}

const SHOP: &str = "X-Shopify-Shop-Domain";
const ONE: &str = "tenant-one-secret-1f2e3d";
const TWO: &str = "tenant-two-secret-4c5b6a";
const THREE: &str = "third-secret-7d8e9f";

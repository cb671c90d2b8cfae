//! What the operator sees of a refused request: whence it came, what it claimed, and what helps to
//! find out why; never a body, a signature or a secret.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::configured::Configured;
use crate::support::delivery::{Delivery, SHOPIFY, SIGNATURE, hmac, order_body, unix_now};
use crate::support::forwarder::{Forwarder, ForwarderConfig};
use crate::support::leaks;
use crate::support::raw;
use crate::support::sender::Sender;
use crate::support::sources;
use crate::support::wait::run;

#[test]
fn a_refusal_of_any_sender_says_whence_it_came_and_what_it_claimed() {
    run(async {
        let sources = sources::of_every_kind("refused");
        let (_folder, file) = sources::write(&sources);
        let forwarder = Forwarder::start(ForwarderConfig {
            config: Some(file),
            secret: None,
            ..Default::default()
        })
        .await;
        let sender = Sender::new(&forwarder);
        let mut hints = 0;
        for source in sources.iter().filter(|source| source.keys.is_some()) {
            let delivery = sources::sample(source);
            for (name, value) in signatures(source, &delivery) {
                assert!(!value.is_empty(), "{name}");
                leaks::forbid(&value);
            }
            let mut others = sources::kinds("refused", source.provider).into_iter();
            let other = others.find(|other| other.name == source.name);
            let forged = sources::sample(&other.expect("with keys of its own"));
            let answer = sender.send(&forged).await;
            assert_eq!(answer.status, 401, "{}: {answer:?}", source.name);
            let line = forwarder.request_line(answer.request_id());
            assert_eq!(line["peer"], "127.0.0.1", "{line}");
            assert_eq!(line["body_bytes"], forged.body.len(), "{line}");
            assert!(line["content_type"].is_string(), "{line}");
            if line["reason"] == "the signature does not match" {
                assert_eq!(line["secrets_tried"], 1, "{line}");
            }
            for (places, claimed) in [
                (&source.provider.id, "claimed_event_id"),
                (&source.provider.topic, "claimed_topic"),
                (&source.provider.tenant, "claimed_tenant"),
            ] {
                let first = places.first().map(ToString::to_string).unwrap_or_default();
                let first = first.split(" + ").next().unwrap_or_default().to_owned();
                if let Some(name) = first.strip_prefix("header ")
                    && forged.headers.iter().any(|(own, _)| own == name)
                {
                    assert_eq!(line[claimed], forged.header(name), "{line}");
                }
            }
            // Right, but written anew on the way.
            let Ok(value) = serde_json::from_slice::<Value>(&delivery.body) else {
                continue;
            };
            let pretty = serde_json::to_string_pretty(&value).expect("JSON");
            let answer = sender.send(&delivery.with_body(pretty)).await;
            if answer.status == 401 {
                let line = forwarder.request_line(answer.request_id());
                let hint = line["hint"].as_str().unwrap_or_default();
                hints += usize::from(hint.contains("pretty-printed JSON"));
            }
        }
        assert!(hints > 20, "{hints}");
    });
}

#[test]
fn a_refused_signature_says_what_helps() {
    run(async {
        let (one, two) = ("refusal-secret-one-7c", "refusal-secret-two-8d");
        leaks::forbid(one);
        leaks::forbid(two);
        let configured = Configured::new(&format!(
            "[[source]]\npath = '{SHOPIFY}'\nprovider = 'shopify'\nsecrets = ['{one}', '{two}']\n\
             [[source]]\npath = '/slack'\nprovider = 'slack'\nsecrets = ['{one}']\n"
        ));
        let forwarder = Forwarder::start(configured.plain()).await;
        let sender = Sender::new(&forwarder);
        let line = async |delivery: &Delivery| {
            let answer = sender.send(delivery).await;
            assert_eq!(answer.status, 401, "{answer:?}");
            forwarder.request_line(answer.request_id())
        };
        let order = Delivery::order().signed("neither-of-the-two");
        let refused = line(&order).await;
        for (field, value) in [
            ("secrets_tried", json!(2)),
            ("body_bytes", json!(order.body.len())),
            ("content_type", json!("application/json")),
            ("claimed_event_id", json!(order.id)),
            ("claimed_tenant", json!("e2e.myshopify.com")),
            ("claimed_topic", json!("orders/create")),
            ("hint", Value::Null),
            ("clock_off_seconds", Value::Null),
        ] {
            assert_eq!(refused[field], value, "{field}: {refused}");
        }
        let order = Delivery::order().signed(two);
        for (body, hint) in [
            (
                format!("{{\n  \"a\": {}\n}}", order_body()),
                "pretty-printed",
            ),
            (format!("{:?}", order_body()), "encoded twice"),
            ("id=1&note=canary-5f1e9c3a".to_owned(), "is a form"),
        ] {
            let refused = line(&order.clone().with_body(body)).await;
            let said = refused["hint"].as_str().unwrap_or_default();
            assert!(said.contains(hint), "{hint}: {refused}");
        }
        let unsigned = line(&order.clone().without(SIGNATURE)).await;
        assert_eq!(unsigned["reason"], "no signature", "{unsigned}");
        assert_eq!(unsigned["peer"], "127.0.0.1", "{unsigned}");

        for (apart, off) in [(-900_i64, 900_i64), (900, -900)] {
            let ts = unix_now().saturating_add_signed(apart);
            let body = order_body();
            let mac = hex::encode(hmac(one, format!("v0:{ts}:{body}").as_bytes()));
            let old = Delivery::bare(Method::POST, "/slack")
                .with("Content-Type", "application/json")
                .with("X-Slack-Request-Timestamp", ts.to_string())
                .with("X-Slack-Signature", format!("v0={mac}"))
                .with_body(body);
            let refused = line(&old).await;
            let said = refused["clock_off_seconds"].as_i64().unwrap_or_default();
            assert!((said - off).abs() <= 5, "{off}: {refused}");
        }
    });
}

#[test]
fn what_a_refused_request_claims_is_escaped_and_cut() {
    run(async {
        let forwarder = Forwarder::start(ForwarderConfig::default()).await;
        let sender = Sender::new(&forwarder);
        let long = "l".repeat(5000);
        let odd = Delivery::order()
            .with("X-Shopify-Topic", "St\u{f6}rung\u{2028}")
            .with("X-Shopify-Shop-Domain", &long)
            .with("X-Shopify-Webhook-Id", b"a\xffb")
            .with("Content-Type", b"text/\xfe\x80")
            .with(SIGNATURE, "AAAA");
        let answer = sender.send(&odd).await;
        assert_eq!(answer.status, 401, "{answer:?}");
        let line = forwarder.request_line(answer.request_id());
        assert_eq!(line["claimed_topic"], "St%C3%B6rung%E2%80%A8", "{line}");
        assert_eq!(line["claimed_event_id"], "a%FFb", "{line}");
        assert_eq!(line["content_type"], "text/%FE%80", "{line}");
        let tenant = line["claimed_tenant"].as_str().expect("it claims one");
        assert!(tenant.len() == 200 && tenant.ends_with("..."), "{tenant}");
    });
}

#[test]
fn an_unknown_path_a_wrong_method_and_a_large_body_are_named() {
    run(async {
        let forwarder = Forwarder::start(ForwarderConfig::default()).await;
        let sender = Sender::new(&forwarder);
        let line = async |method: Method, path: &str, status: u16| {
            let mut delivery = Delivery::order();
            delivery.method = method;
            delivery.path = path.to_owned();
            let answer = sender.send(&delivery).await;
            assert_eq!(answer.status, status, "{path}: {answer:?}");
            assert!(!answer.text.contains(SHOPIFY), "the caller learns nothing");
            let line = forwarder.request_line(answer.request_id());
            assert_eq!(line["peer"], "127.0.0.1", "{line}");
            line
        };
        for path in [
            "/shopify",
            "/temporal/shopfy",
            "/temporal/shopify/",
            "/Temporal/Shopify",
        ] {
            let line = line(Method::POST, path, 404).await;
            assert_eq!(line["path"], path, "{line}");
            let reason = line["reason"].as_str().expect("a reason");
            assert!(
                reason.ends_with("did you mean /temporal/shopify?"),
                "{line}"
            );
        }
        let long = format!("/{}", "x".repeat(3000));
        for path in ["/wp-login.php", "/metrics?token=abc", &long] {
            let line = line(Method::POST, path, 404).await;
            let said = line["path"].as_str().expect("a path");
            assert!(said.len() <= 200 && !said.contains("token"), "{line}");
            assert_eq!(line["reason"], "no source has this path", "{line}");
        }
        for method in ["PUT", "DELETE", "OPTIONS", "PROPFIND"] {
            let method = Method::from_bytes(method.as_bytes()).expect("a method");
            let line = line(method.clone(), SHOPIFY, 405).await;
            assert_eq!(line["method"], method.as_str(), "{line}");
        }
        let large = Delivery::shopify("[".repeat(3 * 1024 * 1024));
        let answer = sender.send(&large).await;
        assert_eq!(answer.status, 413);
        let line = forwarder.request_line(answer.request_id());
        assert_eq!(line["peer"], "127.0.0.1", "{line}");
        assert_eq!(line["claimed_event_id"], large.id, "{line}");
    });
}

#[test]
fn a_forbidden_address_is_named_as_it_is() {
    run(async {
        let configured = Configured::new(&format!(
            "[[source]]\npath = '{SHOPIFY}'\nprovider = 'shopify'\nsecrets = ['env:SHOPIFY_WEBHOOKS_KEY']\nallow = ['127.0.0.1']\n"
        ));
        // A socket for both families shows IPv4 addresses as ::ffff:127.0.0.2.
        for host in ["127.0.0.1", "::"] {
            let forwarder = Forwarder::start(ForwarderConfig {
                host,
                ..configured.plain()
            })
            .await;
            let to = format!("127.0.0.1:{}", forwarder.public.port());
            let sender = Sender::from_address_to("127.0.0.2", &to);
            let answer = sender.send(&Delivery::order()).await;
            assert_eq!(answer.status, 403, "{answer:?}");
            let line = forwarder.request_line(answer.request_id());
            assert_eq!(line["peer"], "127.0.0.2", "{line}");
        }
    });
}

/// The values of the headers in which the sender signs.
fn signatures(source: &sources::Source, delivery: &Delivery) -> Vec<(String, String)> {
    let schemes = source.provider.schemes.iter();
    let places = schemes.flat_map(|scheme| &scheme.locations);
    let names = places.filter_map(|place| {
        let place = place.to_string();
        place.strip_prefix("header ").map(str::to_owned)
    });
    let there = names.filter(|name| delivery.headers.iter().any(|(own, _)| own == name));
    there
        .map(|name| (name.clone(), delivery.header(&name)))
        .collect()
}

#[test]
fn what_is_refused_by_its_head_says_why() {
    run(async {
        let configured = Configured::new(&format!(
            "[[source]]\npath = '{SHOPIFY}'\nprovider = 'shopify'\nsecrets = ['{LONG}']\nbody_limit = '10KiB'\n"
        ));
        let forwarder = Forwarder::start(configured.plain()).await;
        let sender = Sender::new(&forwarder);
        let reason = async |delivery: &Delivery, status: u16| {
            let answer = sender.send(delivery).await;
            assert_eq!(answer.status, status, "{answer:?}");
            assert!(!answer.text.contains("10240"), "the caller learns nothing");
            let line = forwarder.request_line(answer.request_id());
            assert_eq!(line["level"], "INFO", "{line}");
            line["reason"].as_str().expect("a reason").to_owned()
        };
        let large = Delivery::shopify("x".repeat(20_000)).signed(LONG);
        let said = reason(&large, 413).await;
        let limit = "is over the source's body_limit of 10240 bytes";
        assert_eq!(
            said,
            format!("the body has 20000 bytes by its Content-Length and {limit}")
        );

        // In chunks.
        let body = "x".repeat(20_000);
        let signature = large.header(SIGNATURE);
        let request = format!(
            "POST {SHOPIFY} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{SIGNATURE}: {signature}\r\nTransfer-Encoding: chunked\r\n\r\n4e20\r\n{body}\r\n0\r\n\r\n"
        );
        let answer = raw::exchange(&forwarder, request.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
        let chunked = format!("the body came without a Content-Length and {limit}");
        forwarder.line("it says so", |line| line["reason"] == chunked);

        for (method, status) in [(Method::GET, 405), (Method::HEAD, 405)] {
            let mut redirected = Delivery::order().signed(LONG);
            redirected.method = method;
            redirected.body = Vec::new();
            let said = reason(&redirected, status).await;
            let why = "a redirect on the way has probably made a GET of it";
            assert!(said.ends_with(why), "{said}");
        }
        let mut put = Delivery::order().signed(LONG);
        put.method = Method::PUT;
        let said = reason(&put, 405).await;
        assert_eq!(said, "the source does not take this method");

        for (coding, shown) in [
            (&b"gzip"[..], "gzip"),
            (b"identity, br", "br"),
            (b"\xfe\x80", "%FE%80"),
        ] {
            let coded = Delivery::order()
                .signed(LONG)
                .with("Content-Encoding", coding);
            let said = reason(&coded, 415).await;
            let expected = format!(
                "the Content-Encoding {shown:?}: expected none, identity or the name of a character set"
            );
            assert_eq!(said, expected);
        }
    });
}

const LONG: &str = "a secret of this test alone";

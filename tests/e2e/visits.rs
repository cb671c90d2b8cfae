//! What is no webhook by its head: looks of balancers and people, which get 200, and what a redirect
//! made of an event, which gets no 2xx. For every entry of the catalogue.

use reqwest::Method;
use serde_json::Value;

use crate::support::configured::Configured;
use crate::support::delivery::{Delivery, hmac};
use crate::support::forwarder::{Forwarder, ForwarderConfig};
use crate::support::leaks;
use crate::support::raw;
use crate::support::sender::Sender;
use crate::support::sources;
use crate::support::temporal::Temporal;
use crate::support::wait::run;

#[test]
fn a_bare_get_or_head_is_answered_on_every_source_and_starts_nothing() {
    run(async {
        let (forwarder, sources) = every_source("look").await;
        let sender = Sender::new(&forwarder);
        for source in &sources {
            let path = format!("/{}", source.name);
            let get = Delivery::bare(Method::GET, &path)
                .with("User-Agent", "GoogleHC/1.0")
                .with("Accept", "*/*")
                .with("X-Forwarded-For", "192.0.2.1")
                .with("Cache-Control", "no-cache");
            let answer = sender.send(&get).await;
            if source.provider.methods.contains(&Method::GET) {
                assert_eq!(answer.status, 400, "{path}: no event: {answer:?}");
            } else {
                is_a_look(&answer.json(), &path, &source.provider.name);
            }
            for query in ["", "?challenge=a", "?a=b"] {
                let head = Delivery {
                    method: Method::HEAD,
                    path: format!("{path}{query}"),
                    ..get.clone()
                };
                let answer = sender.send(&head).await;
                assert_eq!((answer.status, &*answer.text), (200, ""), "{path}{query}");
                assert_eq!(answer.header("content-type"), "application/json");
            }
            let one = format!("HEAD {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
            let answer = raw::exchange(&forwarder, one.as_bytes()).await;
            assert!(answer.starts_with("HTTP/1.1 200 "), "{path}: {answer}");
            assert!(answer.ends_with("\r\n\r\n"), "no body: {answer}");
        }
        nothing_started(&forwarder).await;
        let lines = forwarder.log_lines();
        assert!(!lines.iter().any(|line| line.contains("duplicate")));
    });
}

#[test]
fn an_event_that_a_redirect_made_a_get_is_405_logged_and_counted() {
    run(async {
        let (forwarder, sources) = every_source("redirected").await;
        let sender = Sender::new(&forwarder);
        let mut untold = Vec::new();
        // A source that takes events by GET has none without a query: see below.
        let takes_get = |s: &&sources::Source| s.provider.methods.contains(&Method::GET);
        for source in sources.iter().filter(|source| !takes_get(source)) {
            let mut told = 0;
            // Clients differ in what they drop with the body.
            for (method, keeps_type) in [
                (Method::GET, true),
                (Method::GET, false),
                (Method::HEAD, false),
            ] {
                let mut delivery = sources::sample(source).with_body("");
                delivery.method = method;
                if !keeps_type {
                    delivery = delivery.without("content-type");
                }
                let answer = sender.send(&delivery).await;
                if answer.status == 200 {
                    assert!(!keeps_type, "{}: {answer:?}", source.name);
                    untold.push(source.provider.name.as_str());
                    continue;
                }
                assert_eq!(answer.status, 405, "{}: {answer:?}", source.name);
                let allow = answer.header("allow");
                assert!(allow.contains("POST") && !allow.contains("GET"), "{allow}");
                let line = forwarder.request_line(answer.request_id());
                assert_eq!(line["outcome"], "method_not_allowed", "{line}");
                told += 1;
            }
            let page = page(&forwarder).await;
            let counted = format!(
                "requests_total{{source=\"/{}\",outcome=\"method_not_allowed\"}} {told}\n",
                source.name
            );
            assert!(told > 0 && page.contains(&counted), "{counted} in {page}");
        }
        untold.sort_unstable();
        untold.dedup();
        assert_eq!(sources.iter().filter(takes_get).count(), 1, "generic");
        // All that these senders say is in the body, which is gone.
        assert_eq!(untold, ["mailgun"]);
        nothing_started(&forwarder).await;
    });
}

/// The report's own example, to the letter.
#[test]
fn shopifys_headers_on_a_get_are_405() {
    run(async {
        let forwarder = Forwarder::start(ForwarderConfig::default()).await;
        let order = Delivery::order();
        let names = [
            "X-Shopify-Hmac-Sha256",
            "X-Shopify-Webhook-Id",
            "X-Shopify-Topic",
        ];
        for kept in names.iter().map(std::slice::from_ref).chain([&names[..]]) {
            let mut get = order.clone().with_body("");
            get.method = Method::GET;
            get.headers
                .retain(|(name, _)| kept.contains(&name.as_str()));
            assert!(!get.headers.is_empty());
            let answer = Sender::new(&forwarder).send(&get).await;
            assert_eq!(answer.status, 405, "{kept:?}: {answer:?}");
        }
        for query in ["?id=1", "?hmac=abc", "?"] {
            let get = Delivery::bare(Method::GET, &format!("/temporal/shopify{query}"));
            let answer = Sender::new(&forwarder).send(&get).await;
            let bare = query == "?";
            assert_eq!(answer.status, if bare { 200 } else { 405 }, "{query}");
        }
        let posted = Sender::new(&forwarder).send(&order).await;
        assert_eq!(posted.outcome(), "200 started");
    });
}

#[test]
fn a_sources_own_token_in_the_url_does_not_spoil_a_look() {
    run(async {
        let token = "url-token-0f9e8d7c";
        leaks::forbid(token);
        let configured = Configured::new(&format!(
            "[[source]]\npath = '/shippo'\nprovider = 'shippo'\nsecrets = ['{token}']\n"
        ));
        let forwarder = Forwarder::start(configured.plain()).await;
        let sender = Sender::new(&forwarder);
        for (method, query, status) in [
            (Method::GET, format!("token={token}"), 200),
            (Method::HEAD, format!("token={token}"), 200),
            (Method::GET, format!("token={token}&event=x"), 405),
            (Method::PUT, format!("token={token}"), 405),
        ] {
            let path = format!("/shippo?{query}");
            let answer = sender.send(&Delivery::bare(method, &path)).await;
            assert_eq!(answer.status, status, "{query}: {answer:?}");
        }
    });
}

#[test]
fn a_get_of_a_handshakes_source_that_is_no_handshake_is_405() {
    run(async {
        let (forwarder, sources) = every_source("no-handshake").await;
        let sender = Sender::new(&forwarder);
        let mut seen = 0;
        for source in sources.iter().filter(|s| s.provider.handshake.is_some()) {
            for query in ["a=b", "hub.mode=subscribe", "crc=1"] {
                let path = format!("/{}?{query}", source.name);
                let answer = sender.send(&Delivery::bare(Method::GET, &path)).await;
                assert_eq!(answer.status, 405, "{path}: {answer:?}");
                let line = forwarder.request_line(answer.request_id());
                assert_eq!(line["outcome"], "method_not_allowed", "{line}");
                seen += 1;
            }
        }
        assert!(seen >= 3 * 8, "{seen}");
    });
}

#[test]
fn a_source_that_greets_addresses_takes_no_other_get() {
    run(async {
        let token = "greeting-token-3c2b1a";
        leaks::forbid(token);
        let configured = Configured::new(&format!(
            "[[source]]\npath = '/greets'\nprovider = 'shopify'\nverify = 'address-handshake'\nverify_token = '{token}'\n"
        ));
        let forwarder = Forwarder::start(configured.plain()).await;
        let sender = Sender::new(&forwarder);
        for (method, query, status) in [
            (Method::GET, "", 200),
            (Method::HEAD, "", 200),
            (Method::GET, "?id=1", 405),
            (Method::GET, "?verify_token=wrong", 401),
        ] {
            let visit = Delivery::bare(method, &format!("/greets{query}"));
            let answer = sender.send(&visit).await;
            assert_eq!(answer.status, status, "{query}: {answer:?}");
        }
        // An event of Shopify's that came round: it authorises nobody either.
        let mut event = Delivery::order().with_body("");
        event.path = "/greets".to_owned();
        event.method = Method::GET;
        assert_eq!(sender.send(&event).await.status, 405);
        event.method = Method::POST;
        assert_eq!(sender.send(&event).await.status, 401);
    });
}

#[test]
fn a_sender_that_signs_its_gets_is_taken_at_its_word_and_no_more() {
    run(async {
        let key = "signs-its-gets-5a4b3c";
        leaks::forbid(key);
        let configured = Configured::new(&format!(
            "[[source]]\npath = '/signed'\nsecrets = ['{key}']\npublic_url = 'https://hooks.example.com/signed'\nworkflow_id = 'signed-get:{{event_id}}'\n\
             [source.provider]\nid = ['query id']\nmethods = ['GET', 'POST']\n\
             [[source.provider.signature]]\nin = ['header X-Signature']\nsigned = '{{url}}{{body}}'\n"
        ));
        let forwarder = Forwarder::start(configured.plain()).await;
        let sender = Sender::new(&forwarder);
        let id = Delivery::order().id;
        let path = format!("/signed?id={id}&status=paid");
        let url = format!("https://hooks.example.com{path}");
        let mac = hex::encode(hmac(key, url.as_bytes()));
        let get = Delivery::bare(Method::GET, &path).with("X-Signature", &mac);

        let head = Delivery {
            method: Method::HEAD,
            ..get.clone()
        };
        let answer = sender.send(&head).await;
        assert_eq!(answer.status, 405, "{answer:?}");
        let bare = Delivery::bare(Method::GET, "/signed");
        assert_eq!(sender.send(&bare).await.status, 401);
        let bare = Delivery::bare(Method::HEAD, "/signed");
        assert_eq!(sender.send(&bare).await.status, 200);
        let temporal = Temporal::shared().await;
        temporal.assert_absent(&format!("signed-get:{id}")).await;

        let unsigned = get.clone().without("X-Signature");
        assert_eq!(sender.send(&unsigned).await.status, 401);
        assert_eq!(sender.send(&get).await.outcome(), "200 started");
        temporal.started(&format!("signed-get:{id}")).await;
    });
}

fn is_a_look(answer: &Value, path: &str, provider: &str) {
    let expected = serde_json::json!({"status": "ok", "source": path, "provider": provider});
    assert_eq!(*answer, expected);
}

async fn every_source(beginning: &str) -> (Forwarder, Vec<sources::Source>) {
    let sources = sources::of_every_kind(beginning);
    let (folder, file) = sources::write(&sources);
    // The forwarder looks at its files again and again: the next run removes them.
    Box::leak(Box::new(folder));
    let config = ForwarderConfig {
        config: Some(file),
        secret: None,
        ..Default::default()
    };
    (Forwarder::start(config).await, sources)
}

async fn nothing_started(forwarder: &Forwarder) {
    let page = page(forwarder).await;
    let started = page
        .lines()
        .filter(|line| line.contains("requests_total{") && line.contains("\"started\""));
    let any = started.filter(|line| !line.ends_with(" 0")).count();
    assert_eq!(any, 0, "{page}");
}

async fn page(forwarder: &Forwarder) -> String {
    let admin = Sender::plain(&forwarder.admin.to_string());
    admin.get("/metrics").await.text
}

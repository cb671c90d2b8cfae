//! Whom a request is from: what trusted proxies say, in a header or in the PROXY protocol, and nobody else.

use reqwest::Method;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;
use tokio_rustls::rustls::version::TLS13;

use crate::support::configured::Configured;
use crate::support::delivery::Delivery;
use crate::support::forwarder::{Forwarder, ForwarderConfig};
use crate::support::proxy_protocol::{Balancer, connect_from, version_1, version_2};
use crate::support::sender::Sender;
use crate::support::temporal::Temporal;
use crate::support::wait::{PATIENCE, run, until};

#[test]
fn a_limit_counts_the_client_that_a_trusted_proxy_names_and_nobody_elses_word() {
    run(async {
        let configured = Configured::new(HEADER);
        let forwarder = Forwarder::start(configured.plain()).await;
        let proxy = Sender::from_address(&forwarder, "127.0.0.2");
        let says = async |named: &str| {
            let order = Delivery::order().with("X-Forwarded-For", named);
            proxy.send(&order).await
        };
        for client in ["203.0.113.5", "203.0.113.6"] {
            for _ in 0..2 {
                assert_eq!(says(client).await.outcome(), "200 started", "{client}");
            }
        }
        for named in [
            "203.0.113.5",
            // what the client wrote itself
            "198.51.100.77, 203.0.113.5",
            "203.0.113.6, 198.51.100.77, 203.0.113.5:4711",
            // a second proxy of ours
            "203.0.113.5, 127.0.0.3",
        ] {
            let refused = says(named).await;
            assert_eq!(refused.status, 429, "{named}: {refused:?}");
            let line = forwarder.request_line(refused.request_id());
            assert_eq!(line["peer"], "203.0.113.5", "{named}: {line}");
            assert_eq!(line["outcome"], "rate_limited");
            let reason = "over rate_limit of the source: per_hour = 2, for this client";
            assert_eq!(line["reason"], reason);
        }
        // Somebody else may write what he likes: he is who he is, and uses up what is his.
        let stranger = Sender::from_address(&forwarder, "127.0.0.9");
        for (named, status) in [
            ("203.0.113.7", 200),
            ("203.0.113.8", 200),
            ("203.0.113.9", 429),
        ] {
            let order = Delivery::order().with("X-Forwarded-For", named);
            let order = order.with("Forwarded", format!("for={named}"));
            let answer = stranger.send(&order).await;
            assert_eq!(answer.status, status, "{named}");
            if status == 429 {
                let line = forwarder.request_line(answer.request_id());
                assert_eq!(line["peer"], "127.0.0.9", "{line}");
            }
        }
        assert_eq!(
            says("203.0.113.7").await.status,
            200,
            "nothing of its own is gone"
        );
        // The other header is not read, whoever sends it.
        let order = Delivery::order().with("Forwarded", "for=203.0.113.200");
        let answer = proxy.send(&order).await;
        assert_eq!(client_of(&order).await, "127.0.0.2", "{answer:?}");
    });
}

#[test]
fn lists_handshakes_and_workers_know_the_client_too() {
    run(async {
        let configured = Configured::new(HEADER);
        let forwarder = Forwarder::start(configured.plain()).await;
        let proxy = Sender::from_address(&forwarder, "127.0.0.2");
        let stranger = Sender::from_address(&forwarder, "127.0.0.9");
        for (sender, named, expected) in [
            (&proxy, "203.0.113.5", 200),
            (&proxy, "203.0.113.5, 198.51.100.1", 403),
            (&stranger, "203.0.113.5", 403),
        ] {
            let order = at("/temporal/inside", Delivery::order());
            let order = order.with("X-Forwarded-For", named);
            // No sender says who it is in our own words.
            let order = order.with("X-Webhook-Client", "198.51.100.99");
            let answer = sender.send(&order).await;
            assert_eq!(answer.status, expected, "{named}: {answer:?}");
            if expected == 200 {
                assert_eq!(client_of(&order).await, named);
            } else {
                let line = forwarder.request_line(answer.request_id());
                assert_eq!(line["outcome"], "forbidden", "{line}");
            }
        }
        let greet = "/temporal/legacy?verify_token=a-token-of-this-test-77aa";
        let greeting = Delivery::bare(Method::GET, greet).with("X-Forwarded-For", "203.0.113.5");
        assert_eq!(proxy.send(&greeting).await.status, 200);
        for (named, expected) in [("203.0.113.5", 200), ("203.0.113.6", 401)] {
            let event = Delivery::bare(Method::POST, "/temporal/legacy")
                .with("Content-Type", "application/json")
                .with("X-Forwarded-For", named)
                .with_body(format!(r#"{{"named":"{named}"}}"#));
            assert_eq!(proxy.send(&event).await.status, expected, "{named}");
        }
    });
}

#[test]
fn without_trusted_proxies_no_header_is_read_and_none_is_added() {
    run(async {
        let source = HEADER.split("\n\n").nth(1).expect("a source");
        let keeping = format!("{source}\nkeep_headers = ['x-webhook-*']\n");
        let forwarder = Forwarder::start(Configured::new(&keeping).plain()).await;
        let order = Delivery::order()
            .with("X-Forwarded-For", "203.0.113.5")
            .with("X-Webhook-Client", "203.0.113.5");
        let sender = Sender::new(&forwarder);
        assert_eq!(sender.send(&order).await.outcome(), "200 started");
        assert_eq!(client_of(&order).await, "");
        let peer = peer_of_forgery(&forwarder, &sender, order).await;
        assert_eq!(peer, "127.0.0.1");
    });
}

#[test]
fn a_reload_takes_other_proxies() {
    run(async {
        let configured = Configured::new(HEADER);
        let forwarder = Forwarder::start(configured.plain()).await;
        let proxy = Sender::from_address(&forwarder, "127.0.0.2");
        let peer = async || {
            let order = Delivery::order().with("X-Forwarded-For", "203.0.113.5");
            let order = order.with("CF-Connecting-IP", "203.0.113.66");
            peer_of_forgery(&forwarder, &proxy, at("/temporal/open", order)).await
        };
        assert_eq!(peer().await, "203.0.113.5");
        let other = HEADER.replace("[server]", "[server]\nclient_header = 'CF-Connecting-IP'");
        configured.rewrite(&other);
        until("another header", PATIENCE, async || {
            peer().await == "203.0.113.66"
        })
        .await;
        configured.rewrite(&HEADER.replace("127.0.0.2/31", "127.0.0.4"));
        until("another proxy", PATIENCE, async || {
            peer().await == "127.0.0.2"
        })
        .await;
        forwarder.line("it is said", |line| {
            line["message"] == "configuration reloaded"
                && line["changed"] == "trusted_proxies of [server] changed"
        });
    });
}

#[test]
fn through_a_balancer_that_speaks_the_proxy_protocol_each_client_has_its_own_limit() {
    run(async {
        let configured = Configured::new(PROTOCOL);
        let forwarder = Forwarder::start(configured.plain()).await;
        for (header, clients) in [
            (
                version_1 as fn(_) -> _,
                ["127.0.0.7", "127.0.0.8", "127.0.0.12"],
            ),
            (version_2, ["127.0.0.10", "127.0.0.11", "127.0.0.13"]),
        ] {
            let balancer = Balancer::start("127.0.0.2", forwarder.public, header).await;
            let senders = clients.map(|it| Sender::from_address_to(it, &balancer.address));
            for (sender, client) in senders.iter().zip(clients) {
                for _ in 0..2 {
                    let order = Delivery::order().with("X-Forwarded-For", "203.0.113.5");
                    assert_eq!(sender.send(&order).await.outcome(), "200 started");
                    assert_eq!(client_of(&order).await, client, "no header is read");
                }
            }
            for (sender, client) in senders.iter().zip(clients) {
                let refused = sender.send(&Delivery::order()).await;
                assert_eq!(refused.status, 429, "{refused:?}");
                let line = forwarder.request_line(refused.request_id());
                assert_eq!(line["peer"], client, "{line}");
            }
        }
        // Together they held more connections than one peer may: the balancer has no share.
        let page = forwarder.metrics().await;
        for series in ["{reason=\"idle\"} 0", "{reason=\"peer\"} 0"] {
            let line = format!("webhook_forwarder_connections_shed_total{series}\n");
            assert!(page.contains(&line), "{page}");
        }
        // Not through the balancer: who he is, without a header.
        let stranger = Sender::from_address(&forwarder, "127.0.0.9");
        let order = Delivery::order();
        assert_eq!(stranger.send(&order).await.outcome(), "200 started");
        assert_eq!(client_of(&order).await, "127.0.0.9");
    });
}

#[test]
fn before_tls_and_for_every_request_of_a_connection() {
    run(async {
        let shares = "max_connections_per_peer = 2\n";
        let configured = Configured::new(&PROTOCOL.replace(shares, ""));
        let forwarder = Forwarder::start(ForwarderConfig {
            args: configured.args(),
            ..Default::default()
        })
        .await;
        let balancer = Balancer::start("127.0.0.2", forwarder.public, version_2).await;
        for alpn in ["h2", "http/1.1"] {
            let sender = Sender::over(&balancer.address, &TLS13, alpn);
            for _ in 0..3 {
                let order = at("/temporal/open", Delivery::order());
                let peer = peer_of_forgery(&forwarder, &sender, order).await;
                assert_eq!(peer, "127.0.0.1", "not 127.0.0.2");
            }
        }
    });
}

#[test]
fn what_does_not_keep_to_the_protocol_is_closed_counted_and_said() {
    run(async {
        let configured = Configured::new(PROTOCOL);
        let forwarder = Forwarder::start(configured.plain()).await;
        let get = b"GET /health/live HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
        let local = [&b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0"[..], get].concat();
        let unknown = [&b"PROXY UNKNOWN\r\n"[..], get].concat();
        let cut = &version_2("203.0.113.5:1".parse().expect("an address"))[..20];
        for (from, bytes, says, kind) in [
            ("127.0.0.2", &local[..], "HTTP/1.1 200", ""),
            ("127.0.0.2", &unknown, "HTTP/1.1 200", ""),
            ("127.0.0.2", b"", "", ""),
            ("127.0.0.2", get, "", "missing"),
            (
                "127.0.0.2",
                b"PROXY TCP4 a b 1 2\r\nGET / HTTP/1.1\r\n",
                "",
                "malformed",
            ),
            ("127.0.0.2", cut, "", "closed"),
            ("127.0.0.9", get, "HTTP/1.1 200", ""),
            ("127.0.0.9", &unknown, "HTTP/1.1 400", ""),
        ] {
            let mut stream = connect_from(from, forwarder.public).await;
            stream.write_all(bytes).await.expect("it is open");
            stream.shutdown().await.expect("it is open");
            let mut answer = Vec::new();
            let read = timeout(PATIENCE, stream.read_to_end(&mut answer)).await;
            // A reset is a close, too.
            read.expect("it is closed").ok();
            let answer = String::from_utf8_lossy(&answer);
            assert!(
                answer.starts_with(says) && says.is_empty() == answer.is_empty(),
                "{answer}"
            );
            if !kind.is_empty() {
                let line = forwarder.line(kind, |line| {
                    line["message"] == "connections of a trusted proxy closed"
                        && line["kind"] == kind
                });
                assert_eq!(
                    (&line["level"], &line["peer"]),
                    (&"WARN".into(), &from.into())
                );
            }
        }
        let page = forwarder.metrics().await;
        for (result, count) in [
            ("ok", 2),
            ("missing", 1),
            ("malformed", 1),
            ("closed", 1),
            ("timeout", 0),
        ] {
            let line =
                format!("webhook_forwarder_proxy_headers_total{{result=\"{result}\"}} {count}\n");
            assert!(page.contains(&line), "{line}{page}");
        }
        let line = "webhook_forwarder_http_errors_total{kind=\"proxy_line\"} 1\n";
        assert!(page.contains(line), "{page}");
    });
}

fn at(path: &str, mut delivery: Delivery) -> Delivery {
    delivery.path = path.to_owned();
    delivery
}

/// Whose the log says it is, if another signs it.
async fn peer_of_forgery(forwarder: &Forwarder, sender: &Sender, order: Delivery) -> String {
    let answer = sender.send(&order.signed("another-secret")).await;
    assert_eq!(answer.status, 401, "{answer:?}");
    let line = forwarder.request_line(answer.request_id());
    line["peer"].as_str().unwrap_or_default().to_owned()
}

/// What the worker is told, as Temporal has it; empty: nothing.
async fn client_of(order: &Delivery) -> String {
    let started = Temporal::shared().await.started(&order.id).await;
    let event: Value = serde_json::from_slice(started.argument().1).expect("JSON");
    let client = event["headers"]["x-webhook-client"].as_str();
    client.unwrap_or_default().to_owned()
}

const HEADER: &str = r#"
[server]
trusted_proxies = ["127.0.0.2/31"]

[[source]]
path = "/temporal/shopify"
provider = "shopify"
secrets = ["env:SHOPIFY_WEBHOOKS_KEY"]
rate_limit = { per_hour = 2, key = "client" }

[[source]]
path = "/temporal/open"
provider = "shopify"
secrets = ["env:SHOPIFY_WEBHOOKS_KEY"]

[[source]]
path = "/temporal/inside"
provider = "shopify"
secrets = ["env:SHOPIFY_WEBHOOKS_KEY"]
allow = ["203.0.113.0/24"]
keep_headers = ["x-webhook-*"]

[[source]]
path = "/temporal/legacy"
provider = "generic"
verify = "address-handshake"
verify_token = "a-token-of-this-test-77aa"
"#;
/// A client that keeps connections may open a second while its first has just become free, and no third.
const PROTOCOL: &str = r#"
[server]
trusted_proxies = ["127.0.0.2"]
proxy_protocol = true
max_connections_per_peer = 2

[[source]]
path = "/temporal/shopify"
provider = "shopify"
secrets = ["env:SHOPIFY_WEBHOOKS_KEY"]
rate_limit = { per_hour = 2, key = "client" }

[[source]]
path = "/temporal/open"
provider = "shopify"
secrets = ["env:SHOPIFY_WEBHOOKS_KEY"]
"#;

//! Clients that do not get as far as a request, counted and said once; and those that say nothing any more.

use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tokio_rustls::rustls::version::TLS13;

use crate::support::certs::Certificates;
use crate::support::delivery::Delivery;
use crate::support::forwarder::{Forwarder, ForwarderConfig};
use crate::support::raw;
use crate::support::sender::Sender;
use crate::support::wait::{PATIENCE, run, until};

#[test]
fn handshakes_that_fail_are_counted_and_said_by_kind() {
    run(async {
        let forwarder = Forwarder::start(ForwarderConfig::default()).await;
        let page = metrics(&forwarder).await;
        for (metric, words) in [
            ("tls_handshakes_total{result=", &HANDSHAKES[..]),
            ("http_errors_total{kind=", &HEADS),
        ] {
            for word in words {
                let series = format!("webhook_forwarder_{metric}\"{word}\"}} 0");
                assert!(page.lines().any(|line| line == series), "{series}: {page}");
            }
        }
        let stranger = Certificates::generate();
        for alpn in ["http/1.1", "h2"] {
            let refused = raw::connect_trusting(&forwarder, &stranger, alpn).await;
            assert!(refused.is_err(), "it does not trust us");
        }
        // One that knows the public authorities alone.
        let url = format!("https://localhost:{}/", forwarder.public.port());
        let refused = reqwest::Client::new().get(url).send().await;
        assert!(refused.is_err(), "it does not trust us either");
        counted(&forwarder, "tls_handshakes_total{result=\"untrusted\"}", 3).await;
        let http = b"POST /temporal/shopify HTTP/1.1\r\nHost: x\r\n\r\n";
        let old = client_hello([3, 2]);
        for (kind, bytes) in [
            ("plain_http", &http[..]),
            ("proxy_line", b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n"),
            ("proxy_line", b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c"),
            ("not_tls", b"SSH-2.0-OpenSSH_9.6\r\n"),
            ("old_version", &old),
            ("closed", &client_hello([3, 3])[..20]),
        ] {
            say(&forwarder, bytes).await;
            let line = forwarder.line(kind, |line| {
                line["message"] == "TLS handshakes failed" && line["kind"] == kind
            });
            assert_eq!(line["level"], "INFO", "{line}");
            assert_eq!(line["count"], 1, "{line}");
            assert_eq!(line["peer"], "127.0.0.1", "{line}");
            assert!(
                line["reason"]
                    .as_str()
                    .is_some_and(|reason| reason.len() > 20)
            );
        }
        // Nothing at all is no handshake: a balancer looks whether we listen.
        drop(TcpStream::connect(forwarder.public).await);
        let order = Sender::new(&forwarder).send(&Delivery::order()).await;
        assert_eq!(order.outcome(), "200 started");
        for (result, count) in [
            ("ok", 1),
            ("untrusted", 3),
            ("plain_http", 1),
            ("proxy_line", 2),
            ("not_tls", 1),
            ("old_version", 1),
            ("closed", 1),
            ("other", 0),
        ] {
            let series = format!("tls_handshakes_total{{result=\"{result}\"}}");
            counted(&forwarder, &series, count).await;
        }
        let lines = forwarder.log_lines();
        let said = lines
            .iter()
            .filter(|line| line.contains("TLS handshakes failed"));
        assert_eq!(said.count(), 6, "once for each kind: {lines:#?}");
    });
}

#[test]
fn what_cannot_be_read_as_a_request_is_counted_and_said_by_kind() {
    run(async {
        let plain = Forwarder::start(ForwarderConfig {
            tls: false,
            ..ForwarderConfig::default()
        })
        .await;
        let headers = "X-A: b\r\n".repeat(200);
        let many = format!("GET / HTTP/1.1\r\nHost: x\r\n{headers}\r\n");
        for (kind, bytes) in [
            ("tls", &client_hello([3, 3])[..]),
            (
                "proxy_line",
                b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\nGET / HTTP/1.1\r\n\r\n",
            ),
            ("http2_unasked", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
            ("malformed", b"GET / HTTP/1.1\r\nHost x\r\n\r\n"),
            ("too_large", many.as_bytes()),
        ] {
            say(&plain, bytes).await;
            let line = plain.line(kind, |line| {
                line["message"] == "requests could not be read" && line["kind"] == kind
            });
            assert_eq!(line["level"], "INFO", "{line}");
            assert_eq!(line["peer"], "127.0.0.1", "{line}");
            counted(&plain, &format!("http_errors_total{{kind=\"{kind}\"}}"), 1).await;
        }
        let forwarder = Forwarder::start(ForwarderConfig::default()).await;
        let mut stream = raw::connect_tls(&forwarder, "h2").await;
        let http1 = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
        stream.write_all(http1).await.expect("it reads");
        counted(&forwarder, "http_errors_total{kind=\"http2\"}", 1).await;
        // Clients that only leave are no errors.
        for alpn in ["http/1.1", "h2"] {
            Sender::over(&forwarder.public.to_string(), &TLS13, alpn)
                .send(&Delivery::order())
                .await;
        }
        let mut half = raw::connect_tls(&forwarder, "http/1.1").await;
        half.write_all(b"POST /temp").await.expect("it reads");
        drop(half);
        sleep(Duration::from_millis(200)).await;
        let page = metrics(&forwarder).await;
        let errors = page
            .lines()
            .filter(|line| line.starts_with("webhook_forwarder_http_errors_total{"));
        let errors: Vec<_> = errors.filter(|line| !line.ends_with(" 0")).collect();
        assert_eq!(
            errors,
            ["webhook_forwarder_http_errors_total{kind=\"http2\"} 1"]
        );
    });
}

#[test]
fn idle_connections_are_closed_when_the_operator_says_and_busy_ones_are_not() {
    run(async {
        let forwarder = Forwarder::start(ForwarderConfig {
            args: &["--idle-timeout", "2s"],
            ..ForwarderConfig::default()
        })
        .await;
        let get = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n";
        let mut http1 = raw::connect_tls(&forwarder, "http/1.1").await;
        let stream = raw::connect_tls(&forwarder, "h2").await;
        let (client, connection) = h2::client::handshake(stream).await.expect("HTTP/2");
        let http2 = tokio::spawn(connection);
        let ask = async |mut client: h2::client::SendRequest<Bytes>| {
            let url = "https://localhost/health/live";
            let request = http::Request::get(url).body(()).expect("a request");
            let (answer, _) = client.send_request(request, true).expect("it is open");
            answer.await.expect("an answer").status()
        };
        let mut buffer = [0; 4096];
        // Busy: longer than the timeout in all, never longer idle.
        for _ in 0..4 {
            http1.write_all(get).await.expect("it is open");
            let count = http1.read(&mut buffer).await.expect("it is open");
            assert!(buffer[..count].starts_with(b"HTTP/1.1 200"), "{count}");
            assert_eq!(ask(client.clone()).await, 200);
            sleep(Duration::from_millis(1000)).await;
        }
        let idle = Instant::now();
        let ended = timeout(PATIENCE, http1.read(&mut buffer)).await;
        let ended = ended.expect("it is closed");
        assert!(matches!(ended, Ok(0) | Err(_)), "{ended:?}");
        let ended = timeout(PATIENCE, http2).await.expect("it is closed");
        ended.expect("it does not panic").ok();
        drop(client);
        let waited = idle.elapsed();
        assert!(waited < Duration::from_secs(8), "{waited:?}");
    });
}

#[test]
fn a_peer_over_its_share_gives_up_an_idle_connection_or_gets_no_other() {
    run(async {
        let forwarder = Forwarder::start(ForwarderConfig {
            args: &["--max-connections-per-peer", "1"],
            tls: false,
            ..ForwarderConfig::default()
        })
        .await;
        let get = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n";
        let mut buffer = [0; 4096];
        let mut idle = raw::connect(&forwarder).await;
        idle.write_all(get).await.expect("it is open");
        let length = idle.read(&mut buffer).await.expect("an answer");
        assert!(buffer[..length].starts_with(b"HTTP/1.1 200"), "{length}");
        let mut busy = raw::connect(&forwarder).await;
        let ended = timeout(PATIENCE, idle.read(&mut buffer)).await;
        assert!(matches!(ended.expect("it is closed"), Ok(0) | Err(_)));
        counted(&forwarder, "connections_shed_total{reason=\"idle\"}", 1).await;

        let order = Delivery::order();
        busy.write_all(&order.head()).await.expect("it is open");
        let admin = Sender::plain(&forwarder.admin.to_string());
        until("it is in flight", PATIENCE, async || {
            let page = admin.get("/metrics").await.text;
            page.contains("webhook_forwarder_in_flight 1\n")
        })
        .await;
        let mut refused = raw::connect(&forwarder).await;
        let ended = timeout(PATIENCE, refused.read(&mut buffer)).await;
        assert!(matches!(ended.expect("it is closed"), Ok(0) | Err(_)));
        counted(&forwarder, "connections_shed_total{reason=\"peer\"}", 1).await;
        let line = forwarder.line("it is logged", |line| {
            line["message"] == "connections closed for want of room" && line["kind"] == "peer"
        });
        assert_eq!(line["level"], "WARN", "{line}");
        assert_eq!(line["peer"], "127.0.0.1", "{line}");

        busy.write_all(&order.body).await.expect("it is open");
        let length = busy.read(&mut buffer).await.expect("an answer");
        assert!(buffer[..length].starts_with(b"HTTP/1.1 200"), "{length}");
    });
}

/// What the client says, and then no more; waits until the server has had enough.
async fn say(forwarder: &Forwarder, bytes: &[u8]) {
    let mut stream = TcpStream::connect(forwarder.public)
        .await
        .expect("it listens");
    stream.write_all(bytes).await.expect("it reads");
    stream.shutdown().await.expect("it is open");
    let mut answer = Vec::new();
    let read = timeout(PATIENCE, stream.read_to_end(&mut answer)).await;
    read.expect("it is closed").ok();
}

async fn counted(forwarder: &Forwarder, series: &str, count: u32) {
    let line = format!("webhook_forwarder_{series} {count}");
    until(&line, PATIENCE, async || {
        metrics(forwarder).await.lines().any(|known| known == line)
    })
    .await;
}

async fn metrics(forwarder: &Forwarder) -> String {
    let admin = Sender::plain(&forwarder.admin.to_string());
    admin.get("/metrics").await.text
}

/// TLS' first message as a client of this version would send it, without extensions.
fn client_hello(version: [u8; 2]) -> Vec<u8> {
    let body = [
        &version[..],
        &[7; 32],
        &[0, 0, 4, 0xc0, 0x2f, 0x00, 0x2f, 1, 0],
    ]
    .concat();
    let length = u8::try_from(body.len()).expect("short");
    let hello = [&[1, 0, 0, length][..], &body].concat();
    [&[22, 3, 1, 0, length + 4][..], &hello].concat()
}

const HANDSHAKES: [&str; 13] = [
    "ok",
    "untrusted",
    "plain_http",
    "proxy_line",
    "not_tls",
    "old_version",
    "incompatible",
    "no_client_certificate",
    "client_certificate",
    "no_certificate",
    "closed",
    "timeout",
    "other",
];
const HEADS: [&str; 6] = [
    "malformed",
    "too_large",
    "proxy_line",
    "tls",
    "http2_unasked",
    "http2",
];

//! Requests that no HTTP client makes: answered or closed, never acted upon.

use std::time::Instant;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::delivery::{Delivery, SHOPIFY};
use crate::support::forwarder::{Forwarder, ForwarderConfig};
use crate::support::raw;
use crate::support::sender::{PROMISED, Sender};
use crate::support::temporal::Temporal;
use crate::support::wait::run;

#[test]
fn broken_http_is_400_and_starts_nothing() {
    run(async {
        let temporal = Temporal::shared().await;
        let forwarder = Forwarder::start(ForwarderConfig::default()).await;
        for (what, extra) in [
            ("no Host", vec![]),
            ("two Hosts", vec!["Host: localhost", "Host: localhost"]),
            ("two different Hosts", vec!["Host: localhost", "Host: b"]),
            (
                "Transfer-Encoding gzip, chunked",
                vec!["Host: a", "Transfer-Encoding: gzip, chunked"],
            ),
            (
                "Transfer-Encoding twice",
                vec![
                    "Host: a",
                    "Transfer-Encoding: chunked",
                    "Transfer-Encoding: chunked",
                ],
            ),
            (
                "two different lengths",
                vec!["Host: a", "Content-Length: 1"],
            ),
        ] {
            let order = Delivery::order();
            let answer = raw::exchange(&forwarder, &request(&order, &extra)).await;
            assert!(answer.starts_with("HTTP/1.1 400 "), "{what}: {answer}");
            assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{what}: {answer}");
            temporal.assert_absent(&order.id).await;
        }
        let order = Delivery::order();
        let answer = raw::exchange(&forwarder, &request(&order, &["Host: localhost"])).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "well-formed: {answer}");
    });
}

#[test]
fn a_body_that_does_not_arrive_is_408_within_the_promise() {
    run(async {
        let temporal = Temporal::shared().await;
        let forwarder = Forwarder::start(ForwarderConfig::default()).await;
        let order = Delivery::order();
        let mut request = request(&order, &["Host: localhost"]);
        request.truncate(request.len() - 5);

        let mut stream = raw::connect(&forwarder).await;
        let started = Instant::now();
        stream.write_all(&request).await.expect("it reads");
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).await.expect("an answer");
        assert_eq!(String::from_utf8_lossy(&answer), "HTTP/1.1 408");
        assert!(started.elapsed() < PROMISED, "{:?}", started.elapsed());
        temporal.assert_absent(&order.id).await;
    });
}

#[test]
fn a_body_cut_off_starts_nothing_and_the_next_request_is_served() {
    run(async {
        let temporal = Temporal::shared().await;
        let forwarder = Forwarder::start(ForwarderConfig::default()).await;
        let order = Delivery::order();
        let request = request(&order, &["Host: localhost"]);
        let mut stream = raw::connect(&forwarder).await;
        stream
            .write_all(&request[..request.len() - 5])
            .await
            .expect("it reads");
        drop(stream);
        for garbage in [&b"\x16\x03\x01\x00"[..], b"GET / HTTP/1.1\r\n\r\n", b""] {
            let address = forwarder.public;
            let stream = tokio::net::TcpStream::connect(address).await;
            stream.expect("it listens").write_all(garbage).await.ok();
        }
        let sender = Sender::new(&forwarder);
        assert_eq!(
            sender.send(&Delivery::order()).await.outcome(),
            "200 started"
        );
        temporal.assert_absent(&order.id).await;
        assert_eq!(sender.send(&order).await.outcome(), "200 started");
    });
}

#[test]
fn an_early_refusal_comes_before_the_body_is_sent() {
    run(async {
        let forwarder = Forwarder::start(ForwarderConfig::default()).await;
        let too_large = "Content-Length: 99999999\r\nX-Shopify-Hmac-Sha256: AAAA";
        let unsigned = "Content-Length: 10";
        for (lines, expected) in [(too_large, "HTTP/1.1 413"), (unsigned, "HTTP/1.1 401")] {
            let mut stream = raw::connect(&forwarder).await;
            let head = format!(
                "POST {SHOPIFY} HTTP/1.1\r\nHost: a\r\n{lines}\r\nExpect: 100-continue\r\n\r\n"
            );
            stream.write_all(head.as_bytes()).await.expect("it reads");
            let mut answer = [0; 12];
            stream.read_exact(&mut answer).await.expect("an answer");
            assert_eq!(String::from_utf8_lossy(&answer), expected);
        }
    });
}

#[test]
fn a_line_end_between_requests_is_no_request() {
    run(async {
        let forwarder = Forwarder::start(ForwarderConfig {
            tls: false,
            ..ForwarderConfig::default()
        })
        .await;
        let mut stream = raw::connect(&forwarder).await;
        for _ in 0..2 {
            let order = Delivery::order();
            let bytes = request(&order, &["Host: a"]);
            let text = String::from_utf8_lossy(&bytes).replacen("Connection: close\r\n", "", 1);
            stream.write_all(text.as_bytes()).await.expect("it reads");
            let mut answer = [0; 12];
            stream.read_exact(&mut answer).await.expect("an answer");
            assert_eq!(String::from_utf8_lossy(&answer), "HTTP/1.1 200");
            let mut rest = [0; 4096];
            let _ = stream.read(&mut rest).await.expect("the rest of it");
            stream.write_all(b"\r\n").await.expect("it reads");
            // Longer than an answer may take, were the line end taken for a beginning.
            tokio::time::sleep(std::time::Duration::from_millis(4500)).await;
        }
    });
}

/// An order as bytes, with these lines in its head.
fn request(order: &Delivery, lines: &[&str]) -> Vec<u8> {
    let mut head = format!("POST {} HTTP/1.1\r\nConnection: close\r\n", order.path);
    for line in lines {
        head.push_str(&format!("{line}\r\n"));
    }
    for (name, _) in &order.headers {
        head.push_str(&format!("{name}: {}\r\n", order.header(name)));
    }
    head.push_str(&format!("Content-Length: {}\r\n\r\n", order.body.len()));
    [head.as_bytes(), &order.body].concat()
}

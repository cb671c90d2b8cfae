//! Requests that no HTTP client makes: answered or closed, never acted upon.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::sleep;

use crate::support::delivery::{Delivery, SHOPIFY};
use crate::support::forwarder::{Forwarder, ForwarderConfig};
use crate::support::raw;
use crate::support::sender::{DEADLINE, Sender};
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
        for (authority, status) in [("localhost", 200), ("other.example", 400)] {
            let order = Delivery::order();
            let bytes = request(&order, &["Host: localhost"]);
            let target = format!("POST http://{authority}{}", order.path);
            let text = String::from_utf8_lossy(&bytes);
            let text = text.replacen(&format!("POST {}", order.path), &target, 1);
            let answer = raw::exchange(&forwarder, text.as_bytes()).await;
            let line = format!("HTTP/1.1 {status} ");
            assert!(answer.starts_with(&line), "{target}: {answer}");
            let is_there = temporal.run_id(&order.id).await.is_some();
            assert_eq!(is_there, status == 200, "{target}");
        }
    });
}

/// Where a request ends that is broken, nobody knows: what follows may be anything.
#[test]
fn after_a_400_the_connection_ends() {
    run(async {
        let temporal = Temporal::shared().await;
        let forwarder = Forwarder::start(ForwarderConfig::default()).await;
        for broken in [
            "POST /temporal/shopify HTTP/1.1\r\nHost: a\r\nHost: b\r\nContent-Length: 0\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
            "GET / HTTP/1.1\r\n\r\n",
            "GET http://a/ HTTP/1.1\r\nHost: b\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n",
            "GET / HTTP/1.1\r\nHost a\r\n\r\n",
        ] {
            let order = Delivery::order();
            let next = request(&order, &["Host: localhost"]);
            let both = [broken.as_bytes(), &next].concat();
            let answers = raw::exchange(&forwarder, &both).await;
            assert!(answers.starts_with("HTTP/1.1 400 "), "{broken}: {answers}");
            assert_eq!(
                answers.matches("HTTP/1.1 ").count(),
                1,
                "{broken}: {answers}"
            );
            temporal.assert_absent(&order.id).await;
        }
    });
}

/// Most clients write all they have before they read.
#[test]
fn whoever_writes_a_whole_body_reads_why_it_is_refused() {
    run(async {
        for tls in [true, false] {
            let forwarder = Forwarder::start(ForwarderConfig {
                tls,
                ..ForwarderConfig::default()
            })
            .await;
            tokio::join!(
                a_refusal_is_read(&forwarder, "413", 12 << 20, SIGNATURE),
                a_refusal_is_read(&forwarder, "401", 1 << 20, ""),
                a_refusal_is_read(&forwarder, "401", 1 << 20, SIGNATURE),
            );
        }
    });
}

/// To a client that takes longer than a second to write.
async fn a_refusal_is_read(forwarder: &Forwarder, status: &str, size: usize, line: &str) {
    let mut stream = raw::connect(forwarder).await;
    let head =
        format!("POST {SHOPIFY} HTTP/1.1\r\nHost: a\r\nContent-Length: {size}\r\n{line}\r\n");
    stream.write_all(head.as_bytes()).await.expect("it reads");
    for _ in 0..16 {
        let piece = vec![b'x'; size / 16];
        let written = stream.write_all(&piece).await;
        written.unwrap_or_else(|error| panic!("{status} {line}: {error}"));
        sleep(Duration::from_millis(80)).await;
    }
    stream.flush().await.expect("it is open");
    let mut answer = [0; 12];
    let read = stream.read_exact(&mut answer).await;
    read.unwrap_or_else(|error| panic!("{status} {line}: {error}"));
    assert_eq!(
        String::from_utf8_lossy(&answer),
        format!("HTTP/1.1 {status}")
    );
}

#[test]
fn a_body_that_does_not_arrive_is_asked_for_again_within_the_promise() {
    run(async {
        let temporal = Temporal::shared().await;
        let forwarder = Forwarder::start(ForwarderConfig::default()).await;
        for chunked in [false, true] {
            let order = Delivery::order();
            let answer = raw::exchange(&forwarder, &unfinished(&order, chunked)).await;
            is_asked_for_again(&answer);
            temporal.assert_absent(&order.id).await;
            let line = forwarder.line("the request's line", |line| line["outcome"] == "too_slow");
            assert_eq!(line["level"], "WARN", "{line}");
        }
        forwarder.all_in_time(DEADLINE);
    });
}

/// A client that has said it has no more to say still hears the answer.
#[test]
fn a_body_that_breaks_off_is_asked_for_again_and_one_in_broken_chunks_is_not() {
    run(async {
        let temporal = Temporal::shared().await;
        // Without TLS: a half-closed connection is TCP's.
        let forwarder = Forwarder::start(ForwarderConfig {
            tls: false,
            ..ForwarderConfig::default()
        })
        .await;
        for chunked in [false, true] {
            let order = Delivery::order();
            let mut stream = raw::connect(&forwarder).await;
            let request = unfinished(&order, chunked);
            stream.write_all(&request).await.expect("it reads");
            stream.shutdown().await.expect("it is open");
            let mut answer = String::new();
            let read = stream.read_to_string(&mut answer).await;
            read.expect("an answer");
            is_asked_for_again(&answer);
            temporal.assert_absent(&order.id).await;
            let whole = Sender::new(&forwarder).send(&order).await;
            assert_eq!(whole.outcome(), "200 started", "sent again");
        }
        forwarder.line("why", |line| {
            line["outcome"] == "too_slow" && line["reason"] == "the body broke off"
        });
        for chunks in [
            "zz\r\n{}\r\n0\r\n\r\n",
            "fffffffffffffffff\r\n{}",
            "2\r\n{}xx0\r\n\r\n",
        ] {
            let order = Delivery::order();
            let lines = ["Host: a", "Transfer-Encoding: chunked"];
            let request = [&head(&order, &lines)[..], chunks.as_bytes()].concat();
            let answer = raw::exchange(&forwarder, &request).await;
            assert!(answer.starts_with("HTTP/1.1 400 "), "{chunks:?}: {answer}");
            temporal.assert_absent(&order.id).await;
        }
    });
}

fn is_asked_for_again(answer: &str) {
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    assert!(
        answer.to_lowercase().contains("\r\nretry-after: 5\r\n"),
        "{answer}"
    );
    assert!(
        answer.to_lowercase().contains("\r\nconnection: close\r\n"),
        "{answer}"
    );
}

/// Its last bytes are missing.
fn unfinished(order: &Delivery, chunked: bool) -> Vec<u8> {
    let body = &order.body[..order.body.len() - 5];
    if chunked {
        let head = head(order, &["Host: localhost", "Transfer-Encoding: chunked"]);
        let size = format!("{:x}\r\n", order.body.len());
        return [&head[..], size.as_bytes(), body].concat();
    }
    let length = format!("Content-Length: {}", order.body.len());
    [&head(order, &["Host: localhost", &length])[..], body].concat()
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
            sleep(Duration::from_millis(4500)).await;
        }
    });
}

#[test]
fn what_is_refused_after_it_was_read_whole_costs_no_connection() {
    run(async {
        let forwarder = Forwarder::start(ForwarderConfig::default()).await;
        let mut stream = raw::connect(&forwarder).await;
        let mut nameless = Delivery::order();
        nameless
            .headers
            .retain(|(name, _)| !name.to_lowercase().ends_with("-id"));
        for (order, status) in [(nameless, "400"), (Delivery::order(), "200")] {
            let bytes = request(&order, &["Host: localhost"]);
            let text = String::from_utf8_lossy(&bytes).replacen("Connection: close\r\n", "", 1);
            stream.write_all(text.as_bytes()).await.expect("it reads");
            let mut answer = [0; 4096];
            let length = stream.read(&mut answer).await.expect("an answer");
            let answer = String::from_utf8_lossy(&answer[..length]).to_lowercase();
            assert!(
                answer.starts_with(&format!("http/1.1 {status} ")),
                "{answer}"
            );
            assert!(!answer.contains("connection: close"), "{answer}");
        }
    });
}

/// An order as bytes, with these lines in its head.
fn request(order: &Delivery, lines: &[&str]) -> Vec<u8> {
    let length = format!("Content-Length: {}", order.body.len());
    [
        head(order, &[lines, &[&length]].concat()),
        order.body.clone(),
    ]
    .concat()
}

/// The order's head, with these lines in it.
fn head(order: &Delivery, lines: &[&str]) -> Vec<u8> {
    let mut head = format!("POST {} HTTP/1.1\r\nConnection: close\r\n", order.path);
    for line in lines {
        head.push_str(&format!("{line}\r\n"));
    }
    for (name, _) in &order.headers {
        head.push_str(&format!("{name}: {}\r\n", order.header(name)));
    }
    head.push_str("\r\n");
    head.into_bytes()
}

const SIGNATURE: &str = "X-Shopify-Hmac-Sha256: AAAA\r\n";

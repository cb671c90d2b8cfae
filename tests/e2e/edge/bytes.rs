//! HTTP/1.1 that never ends, is too large, or could be read in two ways.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::support::delivery::{Delivery, SHOPIFY};
use crate::support::forwarder::{Forwarder, ForwarderConfig};
use crate::support::held::Held;
use crate::support::raw;
use crate::support::sender::Sender;
use crate::support::temporal::Temporal;
use crate::support::wait::{PATIENCE, run};

#[test]
fn sixteen_bodies_without_an_end_are_413_and_take_no_more_than_the_limit_each() {
    run(async {
        let forwarder = plain().await;
        let before = Held::by(forwarder.id()).kilobytes;
        let mut bodies = JoinSet::new();
        for _ in 0..16 {
            let mut stream = raw::connect(&forwarder).await;
            bodies.spawn(async move {
                let head = format!(
                    "POST {SHOPIFY} HTTP/1.1\r\nHost: a\r\nX-Shopify-Hmac-Sha256: AAAA\r\n\
                     Transfer-Encoding: chunked\r\n\r\n"
                );
                stream.write_all(head.as_bytes()).await.expect("it reads");
                let (mut read, mut write) = tokio::io::split(stream);
                let mut answer = Vec::new();
                let mut sent = 0;
                let endless = async {
                    let chunk = [b"10000\r\n", &[b'x'; 0x10000][..], b"\r\n"].concat();
                    while write.write_all(&chunk).await.is_ok() {
                        sent += chunk.len();
                    }
                    std::future::pending::<()>().await;
                };
                tokio::select! {
                    closed = timeout(PATIENCE, read.read_to_end(&mut answer)) => {
                        closed.expect("it is closed").ok();
                    }
                    () = endless => {}
                }
                (String::from_utf8_lossy(&answer).into_owned(), sent)
            });
        }
        for (answer, sent) in bodies.join_all().await {
            // What was on its way may cost the answer: a reset discards it.
            let is_refused = answer.is_empty() || answer.starts_with("HTTP/1.1 413 ");
            assert!(is_refused, "{answer}");
            // The limit, and what sockets and a refusal that is still read hold.
            assert!(sent < 64 << 20, "{sent} bytes were taken");
        }
        let grown = Held::by(forwarder.id()).kilobytes - before;
        // A buffer grows by doubling, and the half that it had is the allocator's for a while.
        assert!(grown < (16.0 * 3.0 + 16.0) * 1024.0, "{grown} kB more");
        is_served(&forwarder).await;
    });
}

#[test]
fn chunk_extensions_and_trailers_of_a_megabyte_are_refused() {
    run(async {
        let temporal = Temporal::shared().await;
        let forwarder = plain().await;
        let much = "x".repeat(1 << 20);
        for what in ["an extension", "a trailer", "many trailers"] {
            let order = Delivery::order();
            let head = String::from_utf8(order.head()).expect("text");
            let length = format!("Content-Length: {}", order.body.len());
            let head = head.replace(&length, "Transfer-Encoding: chunked");
            let body = String::from_utf8_lossy(&order.body);
            let size = format!("{:x}", order.body.len());
            let chunks = match what {
                "an extension" => format!("{size};a={much}\r\n{body}\r\n0\r\n\r\n"),
                "a trailer" => format!("{size}\r\n{body}\r\n0\r\nX-A: {much}\r\n\r\n"),
                _ => format!(
                    "{size}\r\n{body}\r\n0\r\n{}\r\n",
                    "X-A: b\r\n".repeat(150_000)
                ),
            };
            let answer = said(&forwarder, format!("{head}{chunks}").as_bytes()).await;
            is_refused(what, &answer, &["400"]);
            temporal.assert_absent(&order.id).await;
        }
        is_served(&forwarder).await;
    });
}

#[test]
fn a_head_that_is_too_long_is_refused_and_takes_no_memory() {
    run(async {
        let forwarder = plain().await;
        let before = Held::by(forwarder.id()).kilobytes;
        let line = format!("POST {SHOPIFY} HTTP/1.1\r\nHost: a\r\nX-A: ");
        let long = line.clone() + &"a".repeat(8 << 20) + "\r\n\r\n";
        let flood = format!(
            "POST {SHOPIFY} HTTP/1.1\r\nHost: a\r\n{}\r\n",
            "A: b\r\n".repeat(5000)
        );
        let path = format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "a".repeat(70_000));
        for (what, bytes) in [("a line", long), ("a flood", flood), ("a path", path)] {
            for _ in 0..4 {
                let answer = said(&forwarder, bytes.as_bytes()).await;
                is_refused(what, &answer, &["431", "414", "400"]);
            }
        }
        let grown = Held::by(forwarder.id()).kilobytes - before;
        assert!(grown < 8.0 * 1024.0, "{grown} kB more");
        is_served(&forwarder).await;
    });
}

/// A request inside what some take for a body of another: whoever believes both is deceived.
#[test]
fn what_could_be_read_in_two_ways_is_answered_once_and_starts_nothing_inside() {
    run(async {
        let temporal = Temporal::shared().await;
        let forwarder = plain().await;
        for (what, lines, before, after) in [
            (
                "both lengths",
                "Content-Length: 5\r\nTransfer-Encoding: chunked",
                "0\r\n\r\n",
                "",
            ),
            (
                "both, the other way",
                "Transfer-Encoding: chunked\r\nContent-Length: 5",
                "0\r\n\r\n",
                "",
            ),
            (
                "an odd coding first",
                "Transfer-Encoding: x\r\nTransfer-Encoding: chunked",
                "0\r\n\r\n",
                "",
            ),
            (
                "a coding with a tab",
                "Transfer-Encoding:\tchunked, identity",
                "0\r\n\r\n",
                "",
            ),
            (
                "a folded line",
                "X-A: b\r\n Transfer-Encoding: chunked\r\nContent-Length: 0",
                "",
                "",
            ),
            (
                "a space before the colon",
                "Content-Length : 5\r\nContent-Length: 0",
                "",
                "",
            ),
            ("a length with a sign", "Content-Length: +0", "", ""),
            ("two lengths in a line", "Content-Length: 0, 0", "", ""),
            ("a negative length", "Content-Length: -1", "", ""),
            ("a length in hex", "Content-Length: 0x0", "", ""),
            ("an empty length", "Content-Length:", "", ""),
            (
                "a size of a chunk with a sign",
                "Transfer-Encoding: chunked",
                "+0\r\n\r\n",
                "",
            ),
            (
                "a size of a chunk with 0x",
                "Transfer-Encoding: chunked",
                "0x0\r\n\r\n",
                "",
            ),
            (
                "a chunk without its end",
                "Transfer-Encoding: chunked",
                "1\r\naX0\r\n\r\n",
                "",
            ),
            ("NUL in a value", "X-A: \0\r\nContent-Length: 0", "", ""),
            ("CR in a value", "X-A: \rContent-Length: 5", "", ""),
        ] {
            let inner = Delivery::order();
            let smuggled = [inner.head(), inner.body.clone()].concat();
            let head = format!("POST {SHOPIFY} HTTP/1.1\r\nHost: a\r\n{lines}\r\n\r\n{before}");
            let bytes = [head.as_bytes(), &smuggled, after.as_bytes()].concat();
            let answer = said(&forwarder, &bytes).await;
            let answers = answer.matches("HTTP/1.1 ").count();
            assert!(answers <= 1, "{what}: {answer}");
            is_refused(what, &answer, &["400", "401", "501"]);
            temporal.assert_absent(&inner.id).await;
        }
        is_served(&forwarder).await;
    });
}

#[test]
fn a_path_is_taken_as_it_stands() {
    run(async {
        let temporal = Temporal::shared().await;
        let forwarder = plain().await;
        for path in [
            "/temporal/../temporal/shopify",
            "/x/../temporal/shopify",
            "/temporal/./shopify",
            "/temporal/%2e%2e/temporal/shopify",
            "/temporal%2fshopify",
            "//temporal/shopify",
            "/temporal/shopify%00",
            "/temporal/shopify\0",
            "/temporal/%zz",
            "/temporal\\shopify",
            "/TEMPORAL/shopify",
            "temporal/shopify",
            "*",
        ] {
            let order = Delivery::order();
            let head = String::from_utf8(order.head()).expect("text");
            let head = head.replacen(SHOPIFY, path, 1);
            let head = head.replacen("\r\n", "\r\nConnection: close\r\n", 1);
            let answer = said(&forwarder, &[head.as_bytes(), &order.body].concat()).await;
            is_refused(path, &answer, &["404", "400"]);
            temporal.assert_absent(&order.id).await;
        }
        is_served(&forwarder).await;
    });
}

async fn plain() -> Forwarder {
    Forwarder::start(ForwarderConfig {
        tls: false,
        ..ForwarderConfig::default()
    })
    .await
}

/// All that is said to these bytes until the end of the connection. Writing may fail: it is refused before its end.
async fn said(forwarder: &Forwarder, bytes: &[u8]) -> String {
    let stream = raw::connect(forwarder).await;
    let (mut read, mut write) = tokio::io::split(stream);
    let mut answer = Vec::new();
    let asks = async {
        write.write_all(bytes).await.ok();
        // Whoever waits for more has as much as there is.
        tokio::time::sleep(Duration::from_millis(200)).await;
        write.shutdown().await.ok();
    };
    let both = async { tokio::join!(asks, read.read_to_end(&mut answer)) };
    let ended = timeout(PATIENCE, both).await;
    assert!(
        ended.is_ok(),
        "it stays open: {:?}",
        String::from_utf8_lossy(&answer)
    );
    String::from_utf8_lossy(&answer).into_owned()
}

/// One of these, or an end without a word.
fn is_refused(what: &str, answer: &str, statuses: &[&str]) {
    let status = answer
        .strip_prefix("HTTP/1.1 ")
        .and_then(|rest| rest.get(..3));
    let is_refused = answer.is_empty() || status.is_some_and(|status| statuses.contains(&status));
    assert!(is_refused, "{what}: {answer}");
}

pub(super) async fn is_served(forwarder: &Forwarder) {
    let answer = Sender::new(forwarder).send(&Delivery::order()).await;
    assert_eq!(answer.outcome(), "200 started");
}

//! Connections that say nothing, or too little for too long, are closed.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::support::delivery::{Delivery, SHOPIFY};
use crate::support::forwarder::{Forwarder, ForwarderConfig};
use crate::support::raw::{self, Stream};
use crate::support::sender::{DEADLINE, Sender};
use crate::support::wait::run;

#[test]
fn whoever_says_too_little_for_too_long_is_closed_and_others_are_served_meanwhile() {
    run(async {
        let forwarder = Forwarder::start(ForwarderConfig::default()).await;
        let plain = Forwarder::start(ForwarderConfig {
            tls: false,
            ..Default::default()
        })
        .await;
        tokio::join!(
            a_slow_head_is_408(&forwarder),
            a_slow_head_is_408(&plain),
            a_fresh_connection_without_a_request_is_closed(raw::connect(&forwarder).await),
            a_fresh_connection_without_a_request_is_closed(raw::connect(&plain).await),
            a_fresh_connection_without_a_request_is_closed(Box::new(
                raw::connect_tls(&forwarder, "h2").await
            )),
            a_client_that_says_half_of_it_is_closed(&forwarder, &[]),
            a_client_that_says_half_of_it_is_closed(&forwarder, &[22, 3, 1, 1, 0, 1, 0]),
            half_a_preface_is_closed(&forwarder, &PREFACE[..10]),
            half_a_preface_is_closed(&forwarder, PREFACE),
            a_connection_that_was_of_use_may_rest(&forwarder),
            others_are_served(&forwarder),
            a_late_body_is_taken(&forwarder),
            a_slow_head_counts(&forwarder),
        );
        for forwarder in [&forwarder, &plain] {
            let admin = Sender::plain(&forwarder.admin.to_string());
            let page = admin.get("/metrics").await.text;
            let counted = r#"requests_total{source="none",outcome="too_slow"} 1"#;
            assert!(page.contains(counted), "{page}");
        }
    });
}

/// Never silent, and never at an end.
async fn a_slow_head_is_408(forwarder: &Forwarder) {
    let stream = raw::connect(forwarder).await;
    let (mut read, mut write) = tokio::io::split(stream);
    let head = format!("POST {SHOPIFY} HTTP/1.1\r\nHost: localhost\r\nX-Slow: ");
    let started = Instant::now();
    write.write_all(head.as_bytes()).await.expect("it reads");
    let drip = async {
        while write.write_all(b"a").await.is_ok() {
            sleep(Duration::from_millis(500)).await;
        }
        std::future::pending::<()>().await;
    };
    let mut answer = Vec::new();
    let whole = timeout(PATIENCE, read.read_to_end(&mut answer));
    tokio::select! {
        closed = whole => drop(closed.expect("it is closed")),
        () = drip => {}
    }
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer:?}");
    assert!(answer.contains("Connection: close\r\n"), "{answer:?}");
    assert_about_ten_seconds(started);
}

async fn a_fresh_connection_without_a_request_is_closed(mut stream: Box<dyn Stream>) {
    let started = Instant::now();
    let mut said = Vec::new();
    let closed = timeout(PATIENCE, stream.read_to_end(&mut said)).await;
    assert!(closed.is_ok(), "it stays open");
    assert!(!said.starts_with(b"HTTP/1"), "nothing was asked: {said:?}");
    assert_about_ten_seconds(started);
}

/// Of TLS's first message.
async fn a_client_that_says_half_of_it_is_closed(forwarder: &Forwarder, half: &[u8]) {
    let stream = TcpStream::connect(forwarder.public).await;
    let started = Instant::now();
    let mut said = Vec::new();
    let mut stream = stream.expect("it listens");
    stream.write_all(half).await.expect("it reads");
    let closed = timeout(PATIENCE, stream.read_to_end(&mut said)).await;
    assert!(closed.is_ok(), "it stays open");
    assert_about_ten_seconds(started);
}

/// Of HTTP/2's; after the whole of it comes no request, either.
async fn half_a_preface_is_closed(forwarder: &Forwarder, half: &[u8]) {
    let mut stream = raw::connect_tls(forwarder, "h2").await;
    stream.write_all(half).await.expect("it reads");
    a_fresh_connection_without_a_request_is_closed(Box::new(stream)).await;
}

/// Senders keep connections: between two requests there may be longer pauses.
async fn a_connection_that_was_of_use_may_rest(forwarder: &Forwarder) {
    let mut stream = raw::connect(forwarder).await;
    for pause in [Duration::from_secs(12), Duration::ZERO] {
        let request = "GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n";
        stream
            .write_all(request.as_bytes())
            .await
            .expect("it is open");
        let mut answer = [0; 1024];
        let length = stream.read(&mut answer).await.expect("it is open");
        assert!(answer[..length].starts_with(b"HTTP/1.1 200 "));
        sleep(pause).await;
    }
}

/// The deadline is counted from the request's own first byte, not from the connection's.
async fn a_late_body_is_taken(forwarder: &Forwarder) {
    let mut stream = raw::connect(forwarder).await;
    for _ in 0..2 {
        sleep(Duration::from_millis(4500)).await;
        let order = Delivery::order();
        let head = order.head();
        stream.write_all(&head).await.expect("it is open");
        sleep(Duration::from_millis(2500)).await;
        stream.write_all(&order.body).await.expect("it is open");
        let mut answer = [0; 4096];
        let length = stream.read(&mut answer).await.expect("an answer");
        let answer = String::from_utf8_lossy(&answer[..length]);
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    }
}

/// What its head took, the rest of the request has less.
async fn a_slow_head_counts(forwarder: &Forwarder) {
    let mut stream = raw::connect(forwarder).await;
    let head = Delivery::order().head();
    let begun = Instant::now();
    stream.write_all(&head[..1]).await.expect("it is open");
    sleep(Duration::from_secs(3)).await;
    stream.write_all(&head[1..]).await.expect("it is open");
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await.expect("an answer");
    let took = begun.elapsed();
    assert_eq!(&answer, b"HTTP/1.1 503");
    // Were the head not counted, it would take the head's three seconds longer.
    assert!(took < DEADLINE * 3 / 2, "{took:?}");
}

async fn others_are_served(forwarder: &Forwarder) {
    sleep(Duration::from_secs(5)).await;
    let answer = Sender::new(forwarder).send(&Delivery::order()).await;
    assert_eq!(answer.outcome(), "200 started");
}

fn assert_about_ten_seconds(started: Instant) {
    let took = started.elapsed().as_secs_f32();
    assert!((9.0..14.0).contains(&took), "closed after {took} s");
}

/// And settings, of which there are none.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
const PATIENCE: Duration = Duration::from_secs(20);

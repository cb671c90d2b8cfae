//! `send --repeat`: again as long as the answer asks for it.

use std::net::SocketAddr;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::{KEY, send};
use crate::support::forwarder::{Forwarder, ForwarderConfig, SECRET};
use crate::support::run::{BINARY, Run};
use crate::support::wait::run;

#[test]
fn it_repeats_as_a_sender_would_if_it_is_asked_to() {
    run(async {
        // Nobody is there, then somebody who asks to wait a second, and again, and then takes it.
        for (repeat, expected) in [
            ("5", Some(0)),
            ("1m", Some(0)),
            ("2", Some(1)),
            ("700ms", Some(1)),
        ] {
            let (address, seen) = receiver().await;
            let run = sending(address, &["--repeat", repeat]).await;
            assert_eq!(run.code, expected, "--repeat {repeat}: {run:?}");
            let whole = seen.load(Ordering::SeqCst) == ANSWERS.len();
            assert_eq!(whole, expected == Some(0), "--repeat {repeat}: {run:?}");
            if whole {
                assert!(run.stdout.starts_with("HTTP/1.1 200"), "{run:?}");
            }
        }
        // Without being asked it does not; what a repetition cannot mend it does not repeat.
        let (address, seen) = receiver().await;
        assert_eq!(sending(address, &[]).await.code, Some(1));
        assert_eq!(seen.load(Ordering::SeqCst), 1);
        let forwarder = Forwarder::start(ForwarderConfig::default()).await;
        let refused = send(&forwarder, &["--secret", "another", "--repeat", "20"]);
        assert_eq!(refused.code, Some(1), "{refused:?}");
        assert!(refused.stdout.contains(" 401 "), "{refused:?}");
    });
}

/// One event, sent to this address.
async fn sending(address: SocketAddr, more: &[&str]) -> Run {
    let url = format!("http://{address}/temporal/shopify");
    let mut command = Command::new(BINARY);
    command.args(["send", "shopify", "--url", &url, "--id", "one"]);
    command.args(more).env_clear().env(KEY, SECRET);
    let sending = tokio::task::spawn_blocking(move || Run::of(&mut command));
    sending.await.expect("it ends")
}

/// Gives [`ANSWERS`], one a connection, to events that have the same id; and how many were asked for.
async fn receiver() -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await;
    let listener = listener.expect("a port is free");
    let address = listener.local_addr().expect("it is bound");
    let seen = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&seen);
    tokio::spawn(async move {
        let mut before: Option<Instant> = None;
        for answer in ANSWERS {
            let (mut stream, _) = listener.accept().await.expect("it comes");
            counter.fetch_add(1, Ordering::SeqCst);
            if answer.is_empty() {
                // Closed with a reset, as by a machine on which nobody listens.
                stream.set_zero_linger().expect("the option is known");
                continue;
            }
            let mut request = vec![0; 65_536];
            let count = stream.read(&mut request).await.expect("a request");
            let request = String::from_utf8_lossy(&request[..count]).to_lowercase();
            assert!(request.contains("x-shopify-webhook-id: one"), "{request}");
            if let Some(before) = before {
                let waited = before.elapsed();
                assert!(waited >= Duration::from_secs(1), "it did not wait");
            }
            before = Some(Instant::now());
            let answer = format!(
                "HTTP/1.1 {answer}\r\nretry-after: 1\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
            );
            let written = stream.write_all(answer.as_bytes()).await;
            written.expect("it is open");
        }
    });
    (address, seen)
}

/// The empty one is none.
const ANSWERS: [&str; 4] = [
    "",
    "503 Service Unavailable",
    "503 Service Unavailable",
    "200 OK",
];

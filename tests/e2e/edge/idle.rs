//! Connections that say nothing for now: each takes little memory and nobody's time, however many there are.

use std::env;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::sleep;

use super::bytes::is_served;
use crate::support::configured::Configured;
use crate::support::delivery::Delivery;
use crate::support::forwarder::{Forwarder, ForwarderConfig};
use crate::support::held::{Held, processor_time};
use crate::support::proxy_protocol::connect_from;
use crate::support::raw::{self, Stream};
use crate::support::sender::{DEADLINE, Sender};
use crate::support::wait::{PATIENCE, run, until};

/// `make test-edge` says that it is to be all that there may be: so many handshakes take their time.
#[test]
fn an_idle_connection_takes_little_memory_and_nobodys_time() {
    run(async {
        let configured = Configured::new(PATIENT);
        let forwarder = Forwarder::start(ForwarderConfig {
            args: configured.args(),
            ..ForwarderConfig::default()
        });
        let count = env::var("EDGE_CONNECTIONS").map_or(400, |it| it.parse().expect("a number"));
        // A program that is not optimised has larger futures: what is promised is measured by `make bench`.
        hold(&forwarder.await, count, 64.0).await;
    });
}

#[test]
fn ten_thousand_idle_connections_are_held_and_others_are_served() {
    run(async {
        let configured = Configured::new(PATIENT);
        let forwarder = Forwarder::start(configured.plain()).await;
        hold(&forwarder, MOST, 32.0).await;
    });
}

/// So many, but for some seats for others, or what descriptors there are for: at so many KiB each at most.
async fn hold(forwarder: &Forwarder, count: usize, most: f64) {
    let files = rlimit::increase_nofile_limit(u64::MAX).expect("a limit of its own");
    // The forwarder has as many, and leaves a fifth for everything else.
    let seats = usize::try_from(files / 5 * 4).map_or(MOST, |seats| seats.min(MOST));
    let count = count.min(seats - SEATS);
    // What is there once, however many come.
    drop(asked(forwarder, 0).await);
    is_served(forwarder).await;
    let before = Held::by(forwarder.id());
    let mut idle = Vec::new();
    while idle.len() < count {
        let numbers = idle.len()..count.min(idle.len() + 50);
        idle.extend(join_all(numbers.map(|number| asked(forwarder, number))).await);
    }
    let each = (Held::by(forwarder.id()).kilobytes - before.kilobytes) / count as f64;
    eprintln!("{count} idle connections, {each:.1} KiB each");
    assert!(each < most, "{each} KiB each of {count}");

    let time = processor_time(forwarder.id());
    sleep(Duration::from_secs(1)).await;
    let spent = processor_time(forwarder.id()) - time;
    assert!(spent < Duration::from_millis(500), "{spent:?}");
    let sender = Sender::new(forwarder);
    for _ in 0..20 {
        let answer = sender.send(&Delivery::order()).await;
        assert_eq!(answer.outcome(), "200 started");
        forwarder.in_time(&answer, DEADLINE);
    }
    // They are there, each.
    let page = forwarder.metrics().await;
    for reason in ["idle", "full"] {
        let line = format!("webhook_forwarder_connections_shed_total{{reason=\"{reason}\"}} 0\n");
        assert!(page.contains(&line), "{page}");
    }
    for stream in idle.iter_mut().step_by(100) {
        ask(stream).await;
    }
    drop(idle);
    until("they are gone", PATIENCE, async || {
        Held::by(forwarder.id()).is_back_at(&before)
    })
    .await;
}

/// A connection that has asked once: without a request it would be closed after ten seconds.
async fn asked(forwarder: &Forwarder, number: usize) -> Box<dyn Stream> {
    let mut stream = match forwarder.tls {
        true => raw::connect(forwarder).await,
        false => {
            let own = format!("127.0.0.{}", 20 + number % 4);
            Box::new(connect_from(&own, forwarder.public).await)
        }
    };
    ask(&mut stream).await;
    stream
}

async fn ask(stream: &mut Box<dyn Stream>) {
    let get = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n";
    stream.write_all(get).await.expect("it is open");
    stream.flush().await.expect("it is open");
    let mut answer = [0; 4096];
    let length = stream.read(&mut answer).await.expect("it is open");
    let answer = String::from_utf8_lossy(&answer[..length]);
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

/// Connections that a forwarder holds.
const MOST: usize = 10_000;
/// For others.
const SEATS: usize = 10;
/// Longer than it takes to connect, on a machine that is busy.
const PATIENT: &str = "[server]
idle_timeout = '10m'

[[source]]
path = '/temporal/shopify'
provider = 'shopify'
secrets = ['env:SHOPIFY_WEBHOOKS_KEY']
deadline = '1m'
";

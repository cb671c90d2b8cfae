//! How often memory is asked for, for each event: the whole program in this process, over plain HTTP/1.1, beside the stub of
//! Temporal that `make bench` starts. `allocations ADDRESS`

mod fixture;

use std::alloc::System;
use std::env::args;
use std::future::pending;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::thread::sleep;
use std::time::Duration;

use stats_alloc::{INSTRUMENTED_SYSTEM, Region, Stats, StatsAlloc};
use temporal_webhook_forwarder::cli::log::LogFormat;
use temporal_webhook_forwarder::commands::serve;
use temporal_webhook_forwarder::reload::SharedEnvironment;
use temporal_webhook_forwarder::systemd::Sockets;
use temporal_webhook_forwarder::telemetry;
use tokio::runtime::Runtime;

use self::fixture::{Delivery, Fixed, SIZES, arguments, shopify, stripe};

#[global_allocator]
static COUNTED: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

fn main() {
    // `cargo bench` says `--bench`.
    let Some(temporal) = args().skip(1).find(|argument| !argument.starts_with('-')) else {
        return println!(
            "allocations are not counted: no address of a Temporal; `make bench` gives one"
        );
    };
    let runtime = Runtime::new().expect("a runtime");
    let server = start(&runtime, &temporal);
    for size in SIZES {
        for delivery in [
            shopify("/shopify", size),
            shopify("/shopify-header-routes", size),
            shopify("/shopify-body-routes", size),
            stripe("/stripe", size),
        ] {
            let stats = each(server, &delivery);
            let asked = stats.allocations + stats.reallocations;
            println!(
                "allocations: {} for each event of {} kB to {}",
                asked / EVENTS,
                size / 1000,
                delivery.path
            );
        }
    }
}

/// The program as `serve` runs it.
fn start(runtime: &Runtime, temporal: &str) -> SocketAddr {
    let written = telemetry::init_logs(Some(LogFormat::Json), None, false);
    // For as long as the program runs.
    std::mem::forget(written.expect("a thread"));
    let environment: SharedEnvironment = Arc::new(Fixed::new(&format!("http://{temporal}")));
    let ready = runtime.block_on(serve::prepare(
        &arguments(),
        &*environment,
        Sockets::default(),
    ));
    let ready = ready.unwrap_or_else(|failure| panic!("{failure:?}"));
    let address = ready.address().expect("an address");
    runtime.spawn(async move { serve::serve(ready, &arguments(), environment, pending()).await });
    address
}

/// What so many events cost, on a connection that has seen some already. The client asks for no memory meanwhile.
fn each(server: SocketAddr, delivery: &Delivery) -> Stats {
    let request = request(delivery);
    let mut stream = TcpStream::connect(server).expect("a connection");
    stream.set_nodelay(true).expect("an option");
    let mut answer = vec![0; 64 * 1024];
    // Temporal is connected in the background.
    for _ in 0..100 {
        if send(&mut stream, &request, &mut answer) {
            break;
        }
        sleep(Duration::from_millis(50));
    }
    let mut all = |count| (0..count).all(|_| send(&mut stream, &request, &mut answer));
    assert!(all(WARM_UP), "events are not taken");
    let region = Region::new(COUNTED);
    assert!(all(EVENTS), "an event was not taken");
    region.change()
}

fn request(delivery: &Delivery) -> Vec<u8> {
    let (path, length) = (delivery.path, delivery.body.len());
    let mut text =
        format!("POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {length}\r\n");
    for (name, value) in &delivery.headers {
        text += &format!("{name}: {value}\r\n");
    }
    (text + "\r\n" + &delivery.body).into_bytes()
}

/// Whether the answer is 200.
fn send(stream: &mut TcpStream, request: &[u8], answer: &mut [u8]) -> bool {
    stream.write_all(request).expect("sent");
    let mut length = 0;
    while !is_whole(&answer[..length]) {
        let more = stream.read(&mut answer[length..]).expect("an answer");
        assert!(more > 0, "the server hung up");
        length += more;
    }
    answer.starts_with(b"HTTP/1.1 200 ")
}

fn is_whole(answer: &[u8]) -> bool {
    let text = std::str::from_utf8(answer).unwrap_or_default();
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    let mut lines = head.lines();
    let length = lines.find_map(|line| line.strip_prefix("content-length: "));
    body.len() >= length.and_then(|length| length.parse().ok()).unwrap_or(0)
}

const WARM_UP: usize = 30;
const EVENTS: usize = 100;

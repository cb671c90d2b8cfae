//! SIGTERM drains: readiness first, then the door, then what is in flight, exit 0.

use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_rustls::rustls::version::TLS13;

use crate::support::delivery::Delivery;
use crate::support::forwarder::{Forwarder, ForwarderConfig};
use crate::support::raw;
use crate::support::sender::{Answer, Sender};
use crate::support::temporal::Temporal;
use crate::support::wait::{PATIENCE, run, until};

#[test]
fn sigterm_answers_what_is_in_flight_refuses_new_connections_and_exits_0() {
    run(async {
        let temporal = Temporal::shared().await;
        let (mut proxy, mut forwarder) = Forwarder::behind_proxy().await;
        proxy.hold().await;
        let orders = [Delivery::order(), Delivery::order()];
        let in_flight = [
            send(&forwarder, "http/1.1", &orders[0]),
            send(&forwarder, "h2", &orders[1]),
        ];
        in_flight_is(&forwarder, 2).await;

        forwarder.signal("TERM");
        let admin = Sender::plain(&forwarder.admin.to_string());
        until("it is not ready", PATIENCE, || async {
            admin.get("/health/ready").await.status == 503
        })
        .await;
        assert_eq!(admin.get("/health/live").await.status, 200);
        until("new connections are refused", PATIENCE, || async {
            TcpStream::connect(forwarder.public).await.is_err()
        })
        .await;
        assert!(forwarder.is_running(), "it waits for what is in flight");

        proxy.pass().await;
        for (sent, order) in in_flight.into_iter().zip(&orders) {
            let answer = sent.await.expect("it does not panic");
            assert_eq!(answer.outcome(), "200 started");
            assert!(temporal.run_id(&order.id).await.is_some());
        }
        assert_eq!(forwarder.wait(PATIENCE).code(), Some(0));
    });
}

/// Temporal is there: that it is not ready has this reason alone.
#[test]
fn a_request_in_flight_for_seconds_is_answered_while_it_says_that_it_stops() {
    run(async {
        let mut forwarder = Forwarder::start(ForwarderConfig::default()).await;
        let mut stream = raw::connect(&forwarder).await;
        let order = Delivery::order();
        stream.write_all(&order.head()).await.expect("it is open");
        in_flight_is(&forwarder, 1).await;
        let admin = Sender::plain(&forwarder.admin.to_string());
        assert_eq!(admin.get("/health/ready").await.status, 200);
        forwarder.signal("TERM");
        until("it stops", PATIENCE, || async {
            admin.get("/health/ready").await.json()["reason"] == "stopping"
        })
        .await;
        tokio::time::sleep(Duration::from_secs(3)).await;
        assert_eq!(admin.get("/health/ready").await.status, 503);
        stream.write_all(&order.body).await.expect("it is open");
        let mut answer = String::new();
        let read = stream.read_to_string(&mut answer).await;
        read.expect("it is closed in order");
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        assert_eq!(forwarder.wait(PATIENCE).code(), Some(0));
    });
}

/// The kernel has said yes in our name.
#[test]
fn who_has_connected_before_the_end_is_served() {
    run(async {
        let mut forwarder = Forwarder::start(ForwarderConfig {
            tls: false,
            ..ForwarderConfig::default()
        })
        .await;
        // While it stands still, connections pile up in the kernel's queue.
        forwarder.signal("STOP");
        let mut clients = Vec::new();
        for _ in 0..200 {
            let client = TcpStream::connect(forwarder.public).await;
            let mut client = client.expect("it listens");
            let get = b"GET /health/live HTTP/1.1\r\nHost: a\r\n\r\n";
            client.write_all(get).await.expect("it is open");
            clients.push(client);
        }
        forwarder.signal("TERM");
        forwarder.signal("CONT");
        for (index, mut client) in clients.into_iter().enumerate() {
            let mut answer = String::new();
            let read = client.read_to_string(&mut answer).await;
            assert!(
                answer.starts_with("HTTP/1.1 200 "),
                "{index}: {read:?} {answer}"
            );
        }
        assert_eq!(forwarder.wait(PATIENCE).code(), Some(0));
    });
}

#[test]
fn sigterm_says_goaway_on_http2_and_finishes_the_stream() {
    run(async {
        let (mut proxy, mut forwarder) = Forwarder::behind_proxy().await;
        let stream = raw::connect_tls(&forwarder, "h2").await;
        let (mut client, connection) = h2::client::handshake(stream).await.expect("HTTP/2");
        let connection = tokio::spawn(connection);

        proxy.hold().await;
        let order = Delivery::order();
        let url = format!("https://localhost{}", order.path);
        let mut request = http::Request::post(url);
        for (name, value) in &order.headers {
            request = request.header(name, value.as_slice());
        }
        let request = request.body(()).expect("a request");
        let (answer, mut body) = client.send_request(request, false).expect("a stream");
        body.send_data(Bytes::from(order.body), true)
            .expect("it is open");
        in_flight_is(&forwarder, 1).await;

        forwarder.signal("TERM");
        let goaway = async {
            loop {
                if let Err(error) = std::future::poll_fn(|cx| client.poll_ready(cx)).await {
                    return error;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let goaway = tokio::time::timeout(PATIENCE, goaway).await;
        let goaway = goaway.expect("the client is told");
        assert!(goaway.is_go_away() && goaway.is_remote(), "{goaway:?}");
        assert_eq!(goaway.reason(), Some(h2::Reason::NO_ERROR));

        proxy.pass().await;
        let answer = answer.await.expect("the stream is finished");
        assert_eq!(answer.status(), 200);
        drop((answer, client));
        connection.await.expect("it does not panic").ok();
        assert_eq!(forwarder.wait(PATIENCE).code(), Some(0));
    });
}

#[test]
fn idle_connections_do_not_hold_up_the_exit() {
    run(async {
        for signal in ["TERM", "INT"] {
            let mut forwarder = Forwarder::start(ForwarderConfig::default()).await;
            let address = forwarder.public.to_string();
            let idle = ["http/1.1", "h2"].map(|alpn| Sender::over(&address, &TLS13, alpn));
            for sender in &idle {
                sender.send(&Delivery::order()).await;
            }
            let silent = TcpStream::connect(forwarder.public)
                .await
                .expect("it listens");
            forwarder.signal(signal);
            let status = forwarder.wait(Duration::from_secs(15));
            assert_eq!(status.code(), Some(0), "SIG{signal}");
            drop((idle, silent));
        }
    });
}

#[test]
fn a_second_sigterm_ends_it_at_once() {
    run(async {
        let (mut proxy, mut forwarder) = Forwarder::behind_proxy().await;
        proxy.black_hole().await;
        let sent = send(&forwarder, "h2", &Delivery::order());
        in_flight_is(&forwarder, 1).await;
        forwarder.signal("TERM");
        until("new connections are refused", PATIENCE, || async {
            TcpStream::connect(forwarder.public).await.is_err()
        })
        .await;
        assert!(forwarder.is_running());
        forwarder.signal("TERM");
        forwarder.wait(Duration::from_secs(2));
        sent.abort();
    });
}

fn send(forwarder: &Forwarder, alpn: &str, order: &Delivery) -> JoinHandle<Answer> {
    let sender = Sender::over(&forwarder.public.to_string(), &TLS13, alpn);
    let order = order.clone();
    tokio::spawn(async move { sender.send(&order).await })
}

/// Waits until this many requests are being handled.
async fn in_flight_is(forwarder: &Forwarder, count: usize) {
    let admin = Sender::plain(&forwarder.admin.to_string());
    let wanted = format!("webhook_forwarder_in_flight {count}");
    until(&wanted, PATIENCE, || async {
        let metrics = admin.get("/metrics").await.text;
        metrics.lines().any(|line| line == wanted)
    })
    .await;
}

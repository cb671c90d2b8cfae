//! HTTP/2 streams that the client gives up: what came of their bodies is no event.

use std::time::Duration;

use bytes::Bytes;
use tokio::time::{sleep, timeout};

use crate::support::configured::Configured;
use crate::support::forwarder::{Forwarder, ForwarderConfig};
use crate::support::raw;
use crate::support::wait::{PATIENCE, run};

/// HTTP/2 says that a stream is over by a flag; a reset is none, whatever its code.
#[test]
fn a_stream_that_is_reset_is_no_whole_body() {
    run(async {
        let configured = Configured::new(OPEN);
        let forwarder = Forwarder::start(ForwarderConfig {
            args: configured.args(),
            env: &[("RESET_TOKEN", "let-me-in-by-this-token")],
            ..ForwarderConfig::default()
        })
        .await;
        let mut seen = Vec::new();
        for (path, reason) in [
            ("/open", h2::Reason::NO_ERROR),
            ("/open", h2::Reason::CANCEL),
            ("/token", h2::Reason::NO_ERROR),
            ("/token", h2::Reason::CANCEL),
        ] {
            let stream = raw::connect_tls(&forwarder, "h2").await;
            let (mut client, connection) = h2::client::handshake(stream).await.expect("HTTP/2");
            let connection = tokio::spawn(connection);
            let request = http::Request::post(format!("https://localhost{path}"))
                .header("content-type", "text/plain")
                .header("x-token", "let-me-in-by-this-token")
                .body(())
                .expect("a request");
            let (_answer, mut body) = client.send_request(request, false).expect("a stream");
            let half = Bytes::from_static(b"an order of 1");
            body.send_data(half, false).expect("it is open");
            // It is on its way before the reset, which would take it back.
            sleep(Duration::from_millis(300)).await;
            body.send_reset(reason);
            let line = forwarder.line("the request is over", |line| {
                line["message"] == "request" && !seen.contains(&line["request_id"])
            });
            assert_eq!(line["source"], path);
            seen.push(line["request_id"].clone());
            assert_eq!(line["outcome"], "too_slow", "{reason:?} {line}");
            assert_eq!(line["workflow_id"], serde_json::Value::Null, "{line}");
            drop((client, body));
            connection.abort();
        }
        // Whole ones are taken, with trailers or without.
        for trailers in [false, true] {
            let stream = raw::connect_tls(&forwarder, "h2").await;
            let (mut client, connection) = h2::client::handshake(stream).await.expect("HTTP/2");
            let connection = tokio::spawn(connection);
            let request = http::Request::post("https://localhost/open")
                .header("content-type", "text/plain")
                .body(())
                .expect("a request");
            let (answer, mut body) = client.send_request(request, false).expect("a stream");
            let whole = Bytes::from(format!("an order of 100 {trailers}"));
            body.send_data(whole, !trailers).expect("it is open");
            if trailers {
                body.send_trailers(http::HeaderMap::new())
                    .expect("it is open");
            }
            let answer = timeout(PATIENCE, answer).await.expect("an answer");
            assert_eq!(answer.expect("an answer").status(), 200);
            connection.abort();
        }
    });
}

const OPEN: &str = r#"
[[source]]
path = "/open"
danger_accept_unverified = true
[source.provider]
id = ["body-sha256"]
workflow_id = "reset-open:{event_id}"

[[source]]
path = "/token"
secrets = ["env:RESET_TOKEN"]
[source.provider]
id = ["body-sha256"]
workflow_id = "reset-token:{event_id}"
[[source.provider.signature]]
in = ["header X-Token"]
algorithm = "token"
encoding = "text"
"#;

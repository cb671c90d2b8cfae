//! S3 away, slow, mute, or refusing: 503 in time, and nothing started.

use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::{body, configured, file, push, with_credentials};
use crate::support::configured::Configured;
use crate::support::delivery::Delivery;
use crate::support::forwarder::{Forwarder, ForwarderConfig};
use crate::support::proxy::ChaosProxy;
use crate::support::s3::{CREDENTIALS, S3};
use crate::support::sender::{DEADLINE, Sender};
use crate::support::temporal::Temporal;
use crate::support::wait::{PATIENCE, run, until};

#[test]
fn s3_away_slow_or_mute_is_503_in_time_and_starts_nothing() {
    run(async {
        let temporal = Temporal::shared().await;
        let mut s3 = S3::start();
        let mut proxy = ChaosProxy::start(s3.address()).await;
        let configured = hurried(&proxy.address());
        let forwarder = Forwarder::start(with_credentials(&configured)).await;
        let sender = Sender::new(&forwarder);
        let unavailable = async |push: &Delivery, reason: &str| {
            let answer = sender.send(push).await;
            assert_eq!(answer.status, 503, "{answer:?}");
            let line = forwarder.in_time(&answer, SOON);
            let said = line["reason"].as_str().unwrap_or_default();
            assert!(
                said.starts_with("S3 bucket events: ") && said.contains(reason),
                "{line}"
            );
            temporal.assert_absent(&format!("github:{}", push.id)).await;
        };
        let push_1 = push(body(LARGE));
        assert_eq!(sender.send(&push_1).await.outcome(), "200 started");

        proxy.refuse().await;
        let push_2 = push(body(LARGE));
        unavailable(&push_2, "Connection refused").await;
        proxy.black_hole().await;
        unavailable(&push_2, "no answer in time").await;
        proxy.hold().await;
        unavailable(&push_2, "no answer in time").await;
        proxy.swallow_answers().await;
        unavailable(&push_2, "").await;
        // What Temporal has is answered without S3.
        assert_eq!(sender.send(&push_1).await.outcome(), "200 duplicate");
        // Small events do not need it.
        assert_eq!(
            sender.send(&push(body(1000))).await.outcome(),
            "200 started"
        );

        proxy.pass().await;
        assert_eq!(sender.send(&push_2).await.outcome(), "200 started");

        s3.kill();
        let push_3 = push(body(LARGE));
        unavailable(&push_3, "").await;
        s3.restart();
        assert_eq!(sender.send(&push_3).await.outcome(), "200 started");
    });
}

#[test]
fn an_s3_that_answers_5xx_is_503_in_time_and_starts_nothing() {
    run(async {
        let temporal = Temporal::shared().await;
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("it is bound").to_string();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut head = [0; 8 * 1024];
                let answer = "HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\n\r\n";
                while stream.read(&mut head).await.is_ok_and(|count| count > 0) {
                    stream.write_all(answer.as_bytes()).await.ok();
                }
            }
        });
        let configured = hurried(&address);
        let forwarder = Forwarder::start(with_credentials(&configured)).await;
        let push = push(body(LARGE));
        let answer = Sender::new(&forwarder).send(&push).await;
        assert_eq!(answer.status, 503, "{answer:?}");
        let line = forwarder.in_time(&answer, SOON);
        let reason = line["reason"].as_str().unwrap_or_default();
        assert!(reason.starts_with("S3 bucket events: status 503"), "{line}");
        temporal.assert_absent(&format!("github:{}", push.id)).await;
    });
}

#[test]
fn a_retry_inside_the_delivery_outlives_a_short_outage() {
    run(async {
        let s3 = S3::start();
        let mut proxy = ChaosProxy::start(s3.address()).await;
        let configured = configured(&proxy.address(), "deadline = '30s'");
        let forwarder = Forwarder::start(with_credentials(&configured)).await;
        let sender = Sender::new(&forwarder);
        proxy.refuse().await;
        let push = push(body(400_000));
        let mend = async {
            until("it was refused", PATIENCE, async || {
                let refused = "large_payload_request_duration_seconds_count{operation=\"HeadObject\",code=\"UNAVAILABLE\"}";
                forwarder.metrics().await.contains(refused)
            })
            .await;
            proxy.pass().await;
        };
        let (answer, ()) = tokio::join!(sender.send(&push), mend);
        assert_eq!(answer.outcome(), "200 started", "{answer:?}");
    });
}

#[test]
fn what_s3_refuses_is_502_and_starts_nothing() {
    run(async {
        let temporal = Temporal::shared().await;
        let s3 = S3::start();
        let address = s3.address();
        let no_bucket = file(&address, "").replace("bucket = 'events'", "bucket = 'others'");
        let wrong: &[(&str, &str)] = &[
            CREDENTIALS[0],
            ("AWS_SECRET_ACCESS_KEY", "e2e_other_secret"),
        ];
        let unknown: &[(&str, &str)] = &[("AWS_ACCESS_KEY_ID", "nobody"), CREDENTIALS[1]];
        for (text, env, reason) in [
            (
                file(&address, ""),
                wrong,
                "bucket events: status 403 SignatureDoesNotMatch",
            ),
            (file(&address, ""), unknown, "bucket events: status 4"),
            (
                no_bucket,
                &CREDENTIALS,
                "bucket others: status 404 NoSuchBucket",
            ),
        ] {
            let configured = Configured::new(&text);
            let env = Vec::leak(env.to_vec());
            let forwarder = Forwarder::start(ForwarderConfig {
                env,
                ..configured.plain()
            })
            .await;
            let push = push(body(400_000));
            let answer = Sender::new(&forwarder).send(&push).await;
            assert_eq!(answer.status, 503, "{answer:?}");
            assert!(!answer.text.contains("bucket"), "the caller learns nothing");
            let line = forwarder.in_time(&answer, DEADLINE);
            assert_eq!(
                (&line["outcome"], &line["level"]),
                (&json!("refused"), &json!("ERROR"))
            );
            let said = line["reason"].as_str().unwrap_or_default();
            assert!(said.contains(reason), "{said}");
            temporal.assert_absent(&format!("github:{}", push.id)).await;
        }
        assert!(s3.objects().is_empty());
    });
}

/// A deadline that is soon over, and a low threshold: what is encoded in no time leaves it to S3.
fn hurried(s3: &str) -> Configured {
    let text = file(s3, &format!("deadline = '{}ms'", SOON.as_millis()));
    Configured::new(&text.replace("endpoint", "threshold = '8KiB'\nendpoint"))
}

/// The deadline of [`hurried`].
const SOON: Duration = Duration::from_secs(3);

/// Over its threshold.
const LARGE: usize = 16_000;

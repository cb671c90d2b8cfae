//! What is stored and how: keys, references, one object an event.

use std::time::Duration;

use aws_lc_rs::digest;
use bytes::Bytes;
use prost::Message;
use serde_json::{Value, json};
use temporalio_common::protos::temporal::api::common::v1::Payload;
use tokio::time::sleep;
use uuid::Uuid;

use super::{body, configured, push, with_credentials};
use crate::support::configured::Configured;
use crate::support::forwarder::{AES, Forwarder, ForwarderConfig};
use crate::support::history::{metadata, open};
use crate::support::raw;
use crate::support::s3::{BUCKET, S3};
use crate::support::sender::Sender;
use crate::support::temporal::Temporal;
use crate::support::wait::{PATIENCE, run};
use crate::support::worker::Worker;

#[test]
fn a_stock_python_worker_reads_a_20_mb_encrypted_push() {
    run(async {
        let temporal = Temporal::shared().await;
        let s3 = S3::start();
        let queue = format!("large-{}", Uuid::new_v4());
        let extra = format!("body_limit = '50MiB'\ndeadline = '60s'\ntask_queue = '{queue}'");
        let configured = configured(&s3.address(), &extra);
        let forwarder = Forwarder::start(ForwarderConfig {
            aes: Some(AES),
            ..with_credentials(&configured)
        })
        .await;
        let sender = Sender::new(&forwarder);

        let text = "0123456789äöü日本\\n".repeat(840_000);
        let push = push(format!(r#"{{"ref":"refs/heads/main","text":"{text}"}}"#));
        assert!(push.body.len() > 20_000_000);
        let answer = sender.send(&push).await;
        assert_eq!(answer.outcome(), "200 started", "{answer:?}");

        let id = format!("github:{}", push.id);
        let [(key, content)] = s3.objects().try_into().expect("one object");
        let digest = sha256(&content);
        let prefix = "v0/ns/default/wt/GithubWebhook/wi/github%3A";
        assert_eq!(
            key,
            format!("{prefix}{}/ri/null/d/sha256/{digest}", push.id)
        );
        let stored = Payload::decode(content.as_slice()).expect("a payload");
        let plain = open(&stored, AES.1, AES.0);
        assert_eq!(metadata(&plain)["encoding"], "json/plain");
        let started = temporal.started(&id).await;
        assert_eq!(started.input.len(), 1);
        assert_reference(&started.input[0], &key, content.len());

        let mut worker = s3.worker(&temporal.address(), &queue, AES);
        let result = open(&temporal.result(&id, &mut worker).await, AES.1, AES.0);
        let seen: Value = serde_json::from_slice(&result.data).expect("JSON");
        let text = text.replace("\\n", "\n");
        let expected = json!({"topic": "push", "length": text.chars().count(), "sha256": sha256(text.as_bytes())});
        assert_eq!(seen, expected);
        assert_eq!(
            sender.send(&push).await.outcome(),
            "200 duplicate",
            "once more, after it closed"
        );
        assert_eq!(s3.objects().len(), 1, "a redelivery stores nothing");

        let metrics = Sender::plain(&forwarder.admin.to_string())
            .get("/metrics")
            .await;
        for line in [
            r#"large_payload_request_duration_seconds_count{operation="HeadObject",code="NOT_FOUND"} 1"#,
            r#"large_payload_request_duration_seconds_count{operation="PutObject",code="OK"} 1"#,
        ] {
            assert!(metrics.text.contains(line), "{}", metrics.text);
        }
    });
}

#[test]
fn a_large_update_reaches_its_workflow_and_its_large_result_the_sender() {
    run(async {
        let s3 = S3::start();
        let (forwarder, _worker, _configured) = asking(&s3).await;
        let push = push(body(300_000));
        let answer = Sender::new(&forwarder).send(&push).await;
        assert_eq!(answer.status, 200, "{:.300}", answer.text);
        assert_eq!(answer.json(), json!({"echo": "x".repeat(300_000)}));
        let keys: Vec<_> = s3.objects().into_iter().map(|(key, _)| key).collect();
        let place = format!("asked%3A{}", push.id);
        let ours = format!("v0/ns/default/wt/null/wi/{place}/ri/null/");
        assert_eq!(keys.len(), 2, "{keys:?}");
        assert!(keys.iter().any(|key| key.starts_with(&ours)), "{keys:?}");
    });
}

/// HTTP/2 takes as much of an answer at once as the client's window has room for: the rest is on its
/// way long after the answer was handed over.
#[test]
fn a_worker_s_large_reply_reaches_a_slow_reader_whole_although_the_forwarder_stops() {
    run(async {
        let s3 = S3::start();
        let (mut forwarder, _worker, _configured) = asking(&s3).await;
        let stream = raw::connect_tls(&forwarder, "h2").await;
        let (mut client, connection) = h2::client::handshake(stream).await.expect("HTTP/2");
        let connection = tokio::spawn(connection);
        let push = push(body(1_000_000));
        let mut request = http::Request::post(format!("https://localhost{}", push.path));
        for (name, value) in &push.headers {
            request = request.header(name, value.as_slice());
        }
        let request = request.body(()).expect("a request");
        let (answer, mut sent) = client.send_request(request, false).expect("a stream");
        sent.send_data(Bytes::from(push.body), true)
            .expect("it is open");
        let answer = answer.await.expect("an answer");
        assert_eq!(answer.status(), 200);

        forwarder.signal("TERM");
        forwarder.line("it stops", |line| {
            let message = line["message"].as_str().unwrap_or_default();
            message.starts_with("stopping") && line["listener"] == "public"
        });
        // Longer than a silent client gets.
        sleep(Duration::from_secs(4)).await;
        let mut reply = answer.into_body();
        let mut read = Vec::new();
        while let Some(data) = reply.data().await {
            let data = data.expect("the answer is not cut");
            read.extend_from_slice(&data);
            let taken = reply.flow_control().release_capacity(data.len());
            taken.expect("it was held");
        }
        let read: Value = serde_json::from_slice(&read).expect("all of it");
        assert_eq!(read, json!({"echo": "x".repeat(1_000_000)}));
        drop(client);
        connection.await.expect("it does not panic").ok();
        assert_eq!(forwarder.wait(PATIENCE).code(), Some(0));
    });
}

#[test]
fn a_large_signal_and_a_large_dead_letter_are_stored() {
    run(async {
        let temporal = Temporal::shared().await;
        let s3 = S3::start();
        let extra = "[[source.route]]\nwhen = 'topic == \"signal\"'\naction = 'signal-with-start'\nsignal = 'event'\nworkflow_id = 'github:{event_id}'\n[[source.route]]\nwhen = 'true'\nworkflow_id = '{event_id}{body.missing}'";
        let configured = configured(&s3.address(), extra);
        let forwarder = Forwarder::start(with_credentials(&configured)).await;
        let sender = Sender::new(&forwarder);
        let signal = push(body(400_000)).with("X-GitHub-Event", "signal");
        let answer = sender.send(&signal).await;
        assert_eq!(answer.outcome(), "200 signalled", "{answer:?}");
        let [(key, _)] = s3.objects().try_into().expect("one object");
        let prefix = "v0/ns/default/wt/GithubWebhook/wi/github%3A";
        assert!(key.starts_with(prefix), "{key}");

        // It is compressed: this does not get small.
        let random: String = (0..60_000)
            .map(|_| Uuid::new_v4().simple().to_string())
            .collect();
        let lost = push(format!(r#"{{"text":"{random}"}}"#));
        let answer = sender.send(&lost).await;
        assert_eq!(answer.outcome(), "200 dead_lettered", "{answer:?}");
        let id = answer.json()["workflow_id"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        let input = temporal.started(&id).await.input;
        let objects = s3.objects();
        let prefix = "v0/ns/default/wt/WebhookDeadLetter/wi/dead-letter%3A%2Fgithub%3A";
        let letter = objects.iter().find(|(key, _)| key.starts_with(prefix));
        let (key, content) = letter.expect("the dead letter is stored");
        assert_reference(&input[0], key, content.len());
        let answer = sender.send(&lost).await;
        assert_eq!(answer.outcome(), "200 dead_lettered", "again");
        assert_eq!(
            s3.objects().len(),
            objects.len(),
            "a redelivery stores nothing"
        );
    });
}

#[test]
fn what_is_under_the_threshold_goes_to_temporal_and_what_is_over_it_to_s3() {
    run(async {
        let temporal = Temporal::shared().await;
        let s3 = S3::start();
        let configured = configured(&s3.address(), "");
        let forwarder = Forwarder::start(with_credentials(&configured)).await;
        let sender = Sender::new(&forwarder);
        for (size, stored) in [(1_000, 0), (255 * 1024, 0), (256 * 1024, 1), (2_000_000, 2)] {
            let push = push(body(size));
            assert_eq!(sender.send(&push).await.outcome(), "200 started");
            let input = temporal.started(&format!("github:{}", push.id)).await.input;
            let encoding = &metadata(&input[0])["encoding"];
            let objects = s3.objects();
            assert_eq!(objects.len(), stored, "{size}");
            let is_reference = encoding == "json/protobuf";
            assert_eq!(is_reference, size >= 256 * 1024, "{size}: {encoding}");
        }
    });
}

#[test]
fn the_same_large_event_five_times_at_once_is_one_workflow_and_one_object() {
    run(async {
        let temporal = Temporal::shared().await;
        let s3 = S3::start();
        let configured = configured(&s3.address(), "");
        let forwarder = Forwarder::start(with_credentials(&configured)).await;
        let sender = Sender::new(&forwarder);
        let push = push(body(500_000));
        let mut outcomes = Vec::new();
        for answer in futures_util::future::join_all((0..5).map(|_| sender.send(&push))).await {
            outcomes.push(answer.outcome());
        }
        outcomes.sort();
        let one = outcomes.iter().filter(|o| *o == "200 started").count();
        let others = outcomes.iter().filter(|o| *o == "200 duplicate").count();
        assert_eq!((one, others), (1, 4), "{outcomes:?}");
        assert_eq!(s3.objects().len(), 1, "named after its content");
        assert_eq!(
            temporal.runs(&format!("github:{}", push.id), 1).await.len(),
            1
        );
    });
}

#[test]
fn the_key_is_percent_encoded_as_the_driver_does_it() {
    run(async {
        let temporal = Temporal::shared().await;
        let s3 = S3::start();
        let extra = "workflow_id = \"a b/ü?{event_id}\"\nworkflow_type = 'Git/Hub'";
        let configured = configured(&s3.address(), extra);
        let forwarder = Forwarder::start(with_credentials(&configured)).await;
        let unique = Uuid::new_v4();
        let mut push = push(body(300_000));
        push.id = format!("c%d#e+f&=$,@;[]{{}}|\\^`\"<>~!-_.*'(){unique}");
        let push = push.clone().with("X-GitHub-Delivery", &push.id);
        let answer = Sender::new(&forwarder).send(&push).await;
        assert_eq!(answer.outcome(), "200 started", "{answer:?}");
        let [(key, content)] = s3.objects().try_into().expect("one object");
        let expected = format!(
            "v0/ns/default/wt/Git%2FHub/wi/a%20b%2F%C3%BC%3Fc%25d%23e%2Bf%26%3D%24%2C%40%3B%5B%5D%7B%7D%7C%5C%5E%60%22%3C%3E%7E!-_.*'(){unique}/ri/null/d/sha256/{}",
            sha256(&content)
        );
        assert_eq!(key, expected);
        let input = temporal.started(&format!("a b/ü?{}", push.id)).await.input;
        assert_reference(&input[0], &key, content.len());
    });
}

fn assert_reference(payload: &Payload, key: &str, size: usize) {
    let metadata = metadata(payload);
    assert_eq!(metadata["encoding"], "json/protobuf");
    let name = "temporal.api.sdk.v1.ExternalStorageReference";
    assert_eq!(metadata["messageType"], name);
    assert_eq!(metadata.len(), 2);
    let reference: Value = serde_json::from_slice(&payload.data).expect("JSON");
    let (_, hash) = key.rsplit_once('/').expect("a key has folders");
    let claim =
        json!({"bucket": BUCKET, "key": key, "hash_algorithm": "sha256", "hash_value": hash});
    assert_eq!(
        reference,
        json!({"driverName": "aws.s3driver", "claimData": claim})
    );
    let [external] = payload.external_payloads.as_slice() else {
        panic!("one external payload: {payload:?}");
    };
    assert_eq!(external.size_bytes, i64::try_from(size).expect("it fits"));
}

fn sha256(bytes: &[u8]) -> String {
    hex::encode(digest::digest(&digest::SHA256, bytes))
}

/// A forwarder whose events are updates, and the worker that answers them with what they say.
async fn asking(s3: &S3) -> (Forwarder, Worker, Configured) {
    let temporal = Temporal::shared().await;
    let queue = format!("large-{}", Uuid::new_v4());
    let extra = format!(
        "task_queue = '{queue}'\naction = 'update-with-start'\nupdate = 'github'\nworkflow_id = 'asked:{{event_id}}'\nrespond = 'result'\nworkflow_type = 'Asked'\ndeadline = '30s'"
    );
    let configured = configured(&s3.address(), &extra);
    let forwarder = Forwarder::start(ForwarderConfig {
        aes: Some(AES),
        tls: true,
        ..with_credentials(&configured)
    })
    .await;
    let worker = s3.worker(&temporal.address(), &queue, AES);
    temporal.polled(&queue).await;
    (forwarder, worker, configured)
}

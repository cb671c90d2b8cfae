//! Events that are too large for Temporal, stored in a real S3 server in the form in which a stock
//! Python worker reads them.

use std::time::Duration;

use aws_lc_rs::digest;
use prost::Message;
use reqwest::Method;
use serde_json::{Value, json};
use temporalio_common::protos::temporal::api::common::v1::Payload;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use uuid::Uuid;

use crate::support::configured::Configured;
use crate::support::delivery::{Delivery, hmac};
use crate::support::forwarder::{AES, Forwarder, ForwarderConfig, SECRET};
use crate::support::history::{metadata, open};
use crate::support::leaks;
use crate::support::proxy::ChaosProxy;
use crate::support::run::Run;
use crate::support::s3::{BUCKET, CREDENTIALS, REGION, S3};
use crate::support::sender::{PROMISED, Sender};
use crate::support::temporal::Temporal;
use crate::support::wait::{PATIENCE, run, until};

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
        let temporal = Temporal::shared().await;
        let s3 = S3::start();
        let queue = format!("large-{}", Uuid::new_v4());
        let extra = format!(
            "task_queue = '{queue}'\naction = 'update-with-start'\nupdate = 'github'\nworkflow_id = 'asked:{{event_id}}'\nrespond = 'result'\nworkflow_type = 'Asked'\ndeadline = '30s'"
        );
        let configured = configured(&s3.address(), &extra);
        let forwarder = Forwarder::start(ForwarderConfig {
            aes: Some(AES),
            ..with_credentials(&configured)
        })
        .await;
        let _worker = s3.worker(&temporal.address(), &queue, AES);
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

#[test]
fn without_the_section_an_event_that_fits_nowhere_is_413_and_the_log_names_it() {
    run(async {
        let temporal = Temporal::shared().await;
        let configured = Configured::new(&source("body_limit = '50MiB'\ndeadline = '30s'"));
        let forwarder = Forwarder::start(with_credentials(&configured)).await;
        let warning = forwarder.line("the warning of the limit", |line| {
            line["level"] == "WARN"
                && line["message"]
                    .as_str()
                    .unwrap_or_default()
                    .contains("[large_payloads]")
        });
        assert!(
            warning["setting"]
                .as_str()
                .unwrap_or_default()
                .ends_with("source[1].body_limit"),
            "{warning}"
        );
        let sender = Sender::new(&forwarder);
        let mut noise = vec![0; 2_500_000];
        aws_lc_rs::rand::fill(&mut noise).expect("the system gives random numbers");
        let push = push(json!({"text": hex::encode(noise)}).to_string());
        let answer = sender.send(&push).await;
        assert_eq!(answer.status, 413, "{answer:?}");
        let line = forwarder.request_line(answer.request_id());
        assert_eq!(line["outcome"], "too_large");
        assert!(
            line["reason"]
                .as_str()
                .unwrap_or_default()
                .contains("[large_payloads]"),
            "{line}"
        );
        temporal.assert_absent(&format!("github:{}", push.id)).await;

        // A reload brings the section.
        let s3 = S3::start();
        configured.rewrite(&file(
            &s3.address(),
            "body_limit = '50MiB'\ndeadline = '30s'",
        ));
        until("the section counts", PATIENCE, || async {
            sender.send(&push).await.outcome() == "200 started"
        })
        .await;
        assert_eq!(s3.objects().len(), 1);
    });
}

#[test]
fn s3_away_slow_or_mute_is_503_in_time_and_starts_nothing() {
    run(async {
        let temporal = Temporal::shared().await;
        let mut s3 = S3::start();
        let mut proxy = ChaosProxy::start(s3.address()).await;
        let configured = configured(&proxy.address(), "deadline = '1500ms'");
        let forwarder = Forwarder::start(with_credentials(&configured)).await;
        let sender = Sender::new(&forwarder);
        let unavailable = async |push: &Delivery, reason: &str| {
            let answer = sender.send(push).await;
            assert_eq!(answer.status, 503, "{answer:?}");
            assert!(answer.elapsed < PROMISED, "{answer:?}");
            let line = forwarder.request_line(answer.request_id());
            let said = line["reason"].as_str().unwrap_or_default();
            assert!(
                said.starts_with("S3 bucket events: ") && said.contains(reason),
                "{line}"
            );
            temporal.assert_absent(&format!("github:{}", push.id)).await;
        };
        let push_1 = push(body(400_000));
        assert_eq!(sender.send(&push_1).await.outcome(), "200 started");

        proxy.refuse().await;
        let push_2 = push(body(400_000));
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
        let push_3 = push(body(400_000));
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
        let configured = configured(&address, "deadline = '1500ms'");
        let forwarder = Forwarder::start(with_credentials(&configured)).await;
        let push = push(body(400_000));
        let answer = Sender::new(&forwarder).send(&push).await;
        assert_eq!(answer.status, 503, "{answer:?}");
        assert!(answer.elapsed < PROMISED, "{answer:?}");
        let line = forwarder.request_line(answer.request_id());
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
        let configured = configured(&proxy.address(), "deadline = '8s'");
        let forwarder = Forwarder::start(with_credentials(&configured)).await;
        let sender = Sender::new(&forwarder);
        proxy.refuse().await;
        let push = push(body(400_000));
        let mend = async {
            tokio::time::sleep(Duration::from_secs(1)).await;
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
            assert!(answer.elapsed < PROMISED, "{answer:?}");
            assert!(!answer.text.contains("bucket"), "the caller learns nothing");
            let line = forwarder.request_line(answer.request_id());
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

#[test]
fn keys_in_awss_credentials_file_count_and_may_be_rotated() {
    run(async {
        let s3 = S3::start();
        let configured = configured(&s3.address(), "");
        let credentials = |secret: &str| {
            format!(
                "[default]\naws_access_key_id=x\naws_secret_access_key=x\n\n[hooks]\naws_access_key_id = {}\naws_secret_access_key = {secret}\n",
                CREDENTIALS[0].1
            )
        };
        configured.write("credentials", &credentials("e2e_outdated_secret"));
        let path = configured
            .path("credentials")
            .to_str()
            .expect("text")
            .to_owned();
        let path: &'static str = String::leak(path);
        let forwarder = Forwarder::start(ForwarderConfig {
            env: Vec::leak(vec![
                ("AWS_SHARED_CREDENTIALS_FILE", path),
                ("AWS_PROFILE", "hooks"),
            ]),
            ..configured.plain()
        })
        .await;
        let sender = Sender::new(&forwarder);
        let push = push(body(400_000));
        assert_eq!(sender.send(&push).await.status, 503);
        leaks::forbid(CREDENTIALS[1].1);
        configured.write("credentials", &credentials(CREDENTIALS[1].1));
        until("the new keys count", PATIENCE, || async {
            sender.send(&push).await.outcome() == "200 started"
        })
        .await;
    });
}

#[test]
fn check_says_whether_the_bucket_answers() {
    run(async {
        let temporal = Temporal::shared().await.address();
        let s3 = S3::start();
        let mut refusing = ChaosProxy::refusing(s3.address());
        let good = file(&s3.address(), "");
        let check = |text: &str, env: &[(&str, &str)]| {
            let configured = Configured::new(text);
            let mut args = vec!["check", "--no-tls", "--endpoint", &temporal];
            args.extend(configured.args());
            let env: Vec<_> = env
                .iter()
                .copied()
                .chain([("SHOPIFY_WEBHOOKS_KEY", SECRET)])
                .collect();
            Run::new(&args, &env)
        };
        let run = check(&good, &CREDENTIALS);
        assert!(
            run.stdout
                .contains("large payloads ok       bucket events answers"),
            "{run:?}"
        );
        let wrong = [
            CREDENTIALS[0],
            ("AWS_SECRET_ACCESS_KEY", "e2e_other_secret"),
        ];
        for (text, env, says) in [
            (
                good.clone(),
                wrong,
                "bucket events: status 403 SignatureDoesNotMatch",
            ),
            (
                good.replace("bucket = 'events'", "bucket = 'others'"),
                CREDENTIALS,
                "bucket others: status 404 NoSuchBucket",
            ),
            (
                file(&refusing.address(), ""),
                CREDENTIALS,
                "bucket events: ",
            ),
        ] {
            let run = check(&text, &env);
            assert_eq!(run.code, Some(78), "{run:?}");
            let row = format!("large payloads WRONG    {says}");
            assert!(run.stdout.contains(&row), "{run:?}");
        }
        refusing.black_hole().await;
        let run = check(&file(&refusing.address(), ""), &CREDENTIALS);
        assert!(
            run.stdout
                .contains("large payloads WRONG    bucket events: no answer in time"),
            "{run:?}"
        );
        assert!(s3.objects().is_empty(), "it only asks");
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

/// A forwarder with the bucket behind this address, and one source for GitHub.
fn configured(s3: &str, extra: &str) -> Configured {
    Configured::new(&file(s3, extra))
}

fn file(s3: &str, extra: &str) -> String {
    format!(
        "[large_payloads]\nbucket = '{BUCKET}'\nregion = '{REGION}'\nendpoint = 'http://{s3}'\n{}",
        source(extra)
    )
}

fn source(extra: &str) -> String {
    format!(
        "[[source]]\npath = '/github'\nprovider = 'github'\nsecrets = ['env:SHOPIFY_WEBHOOKS_KEY']\n{extra}\n"
    )
}

fn with_credentials(configured: &Configured) -> ForwarderConfig {
    leaks::forbid(CREDENTIALS[1].1);
    ForwarderConfig {
        env: &CREDENTIALS,
        ..configured.plain()
    }
}

/// A push as GitHub sends it, with a new id, signed with the shared secret.
fn push(body: String) -> Delivery {
    let id = Uuid::new_v4().to_string();
    let signature = format!("sha256={}", hex::encode(hmac(SECRET, body.as_bytes())));
    leaks::forbid(&signature);
    let mut push = Delivery::bare(Method::POST, "/github")
        .with("Content-Type", "application/json")
        .with("X-GitHub-Event", "push")
        .with("X-GitHub-Delivery", &id)
        .with("X-Hub-Signature-256", signature)
        .with_body(body);
    push.id = id;
    push
}

/// JSON of about so many bytes.
fn body(size: usize) -> String {
    format!(r#"{{"text":"{}"}}"#, "x".repeat(size))
}

fn sha256(bytes: &[u8]) -> String {
    hex::encode(digest::digest(&digest::SHA256, bytes))
}

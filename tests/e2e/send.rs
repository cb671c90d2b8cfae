//! `send`: the real binary as a sender, against the real binary as a receiver.

mod repeat;
mod source;

use std::fs;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;
use uuid::Uuid;

use crate::support::delivery::order_body;
use crate::support::event::Envelope;
use crate::support::forwarder::{Forwarder, ForwarderConfig, SECRET};
use crate::support::run::{BINARY, Run};
use crate::support::temporal::Temporal;
use crate::support::wait::run;

#[test]
fn a_sample_is_started_and_the_same_id_again_is_a_duplicate() {
    run(async {
        let forwarder = Forwarder::start(ForwarderConfig::default()).await;
        let id = Uuid::new_v4().to_string();
        for outcome in ["started", "duplicate"] {
            let sent = send(&forwarder, &["--id", &id]).fine();
            assert_eq!(sent.lines().next(), Some("HTTP/2.0 200 OK"), "{sent}");
            let answer: Value = serde_json::from_str(sent.lines().nth(1).unwrap_or_default())
                .unwrap_or_else(|error| panic!("{error}: {sent}"));
            assert_eq!(answer["status"], outcome);
            assert_eq!(answer["workflow_id"], *id);
        }
        let started = Temporal::shared().await.started(&id).await;
        assert_eq!(started.workflow_type, "ShopifyWebhook");
        let envelope = Envelope::read(started.argument().1);
        assert_eq!(envelope.headers["x-shopify-topic"], "orders/create");
        assert!(envelope.data().contains("\"#9999\""), "{envelope:?}");
    });
}

#[test]
fn many_are_summed_up_and_the_same_id_is_started_once() {
    run(async {
        let forwarder = Forwarder::start(ForwarderConfig::default()).await;
        let many = ["--count", "20", "--concurrency", "5"];
        let sent = send(&forwarder, &many).fine();
        assert!(sent.contains("20  200 started\n20 requests in "), "{sent}");

        let id = Uuid::new_v4().to_string();
        let same = [&many[..], &["--id", &id]].concat();
        let sent = send(&forwarder, &same).fine();
        assert!(sent.contains(" 1  200 started\n"), "{sent}");
        assert!(sent.contains("19  200 duplicate\n"), "{sent}");

        let wrong = [&many[..], &["--secret", "another"]].concat();
        let run = send(&forwarder, &wrong);
        assert_eq!(run.code, Some(1), "{run:?}");
        assert!(run.stdout.contains("20  401 "), "{run:?}");
    });
}

#[test]
fn a_body_of_ones_own_arrives_as_it_is() {
    run(async {
        let temporal = Temporal::shared().await;
        let forwarder = Forwarder::start(ForwarderConfig::default()).await;
        let folder = TempDir::new().expect("a temporary folder can be made");
        let file = folder.path().join("order.json");
        let body = order_body().replace('}', ",\"price\":12345678901234567890.10}");
        fs::write(&file, &body).expect("the folder is writable");
        let path = file.to_str().expect("text");
        for data in [path, "-"] {
            let id = Uuid::new_v4().to_string();
            let input = fs::File::open(&file).expect("it was written");
            let args = [&arguments(&forwarder)[..], &strings(&["--id", &id])].concat();
            let mut command = Command::new(BINARY);
            command.args(args).args(["--data", data]);
            command.env_clear().env(KEY, SECRET).stdin(input);
            Run::of(&mut command).fine();
            let started = temporal.started(&id).await;
            let envelope = Envelope::read(started.argument().1);
            assert_eq!(envelope.data(), body, "--data {data}");
        }
        let missing = folder.path().join("nowhere.json");
        let missing = missing.to_str().expect("text");
        send(&forwarder, &["--data", missing]).failed(1, &["--data", missing]);
    });
}

#[test]
fn bytes_that_are_no_text_are_signed_and_sent_as_they_are() {
    run(async {
        let forwarder = Forwarder::start(ForwarderConfig::default()).await;
        let folder = TempDir::new().expect("a temporary folder can be made");
        let file = folder.path().join("latin-1.json");
        fs::write(&file, b"{\"name\":\"J\xfcrgen\"}").expect("the folder is writable");
        let run = send(&forwarder, &["--data", file.to_str().expect("text")]);
        // The signature holds (no 401); as JSON it is broken.
        assert!(run.fine().contains("\"dead_lettered\""));

        let args = ["--print", "curl", "--data", file.to_str().expect("text")];
        send(&forwarder, &args).failed(64, &["--print curl"]);
    });
}

#[test]
fn topic_and_tenant_reach_the_worker() {
    run(async {
        let forwarder = Forwarder::start(ForwarderConfig::default()).await;
        let id = Uuid::new_v4().to_string();
        let about = ["--topic", "refunds/create", "--tenant", "b.myshopify.com"];
        send(&forwarder, &[&about[..], &["--id", &id]].concat()).fine();
        let started = Temporal::shared().await.started(&id).await;
        let envelope = Envelope::read(started.argument().1);
        assert_eq!(envelope.headers["x-shopify-topic"], "refunds/create");
        assert_eq!(envelope.headers["x-shopify-shop-domain"], "b.myshopify.com");
    });
}

#[test]
fn a_refusal_is_shown_and_is_exit_1() {
    run(async {
        let forwarder = Forwarder::start(ForwarderConfig::default()).await;
        let run = send(&forwarder, &["--secret", "another"]);
        assert_eq!(run.code, Some(1), "{run:?}");
        assert!(run.stdout.starts_with("HTTP/2.0 401 "), "{run:?}");
        assert!(run.stdout.contains("request_id"), "{run:?}");
    });
}

#[test]
fn a_certificate_that_nobody_vouches_for_is_refused_with_the_way_out() {
    run(async {
        let forwarder = Forwarder::start(ForwarderConfig::default()).await;
        let args: Vec<_> = arguments(&forwarder);
        let args: Vec<_> = args.iter().map(String::as_str).collect();
        let careful: Vec<_> = args
            .into_iter()
            .filter(|arg| *arg != "--insecure")
            .collect();
        Run::new(&careful, &[(KEY, SECRET)]).failed(1, &["certificate", "--insecure"]);
    });
}

#[test]
fn a_receiver_that_is_not_there_is_exit_1_with_its_address() {
    for count in ["1", "3"] {
        let url = "http://127.0.0.1:1/temporal/shopify";
        let args = ["send", "shopify", "--url", url, "--count", count];
        let run = Run::new(&args, &[(KEY, SECRET)]);
        assert_eq!(run.code, Some(1), "{run:?}");
        let said = run.stdout.clone() + &run.stderr;
        for part in ["is the forwarder running?", "127.0.0.1:1", "refused"] {
            assert!(said.contains(part), "{part}: {run:?}");
        }
    }
}

#[test]
fn http_where_tls_is_meant_and_the_other_way_round_is_told_with_the_right_url() {
    run(async {
        for tls in [false, true] {
            let forwarder = Forwarder::start(ForwarderConfig {
                tls,
                ..ForwarderConfig::default()
            })
            .await;
            let (wrong, right) = if tls {
                ("http", "https")
            } else {
                ("https", "http")
            };
            let port = forwarder.public.port();
            let url = |scheme: &str| format!("{scheme}://localhost:{port}/temporal/shopify");
            let args = ["send", "shopify", "--insecure", "--url", &url(wrong)];
            let run = Run::new(&args, &[(KEY, SECRET)]);
            run.failed(1, &[&format!("use {}", url(right))]);
            assert!(!run.stderr.contains("InvalidContentType"), "{run:?}");
        }
    });
}

#[test]
fn the_curl_line_works_in_a_shell_whatever_the_body_is() {
    run(async {
        let temporal = Temporal::shared().await;
        let forwarder = Forwarder::start(ForwarderConfig::default()).await;
        let folder = TempDir::new().expect("a temporary folder can be made");
        let file = folder.path().join("order.json");
        let body = r#"["@it's $HOME `id` \\ \" %s !","ü€😀"]"#;
        fs::write(&file, body).expect("the folder is writable");
        let id = Uuid::new_v4().to_string();
        let data = file.to_str().expect("text");
        let line = send(
            &forwarder,
            &["--print", "curl", "--id", &id, "--data", data],
        )
        .fine();
        temporal.assert_absent(&id).await;

        let answer = Run::shell(&line, &[("PATH", "/usr/bin:/bin")]).fine();
        assert!(answer.contains(r#""status":"started""#), "{answer}");
        let started = temporal.started(&id).await;
        assert_eq!(Envelope::read(started.argument().1).data(), body);
    });
}

#[test]
fn an_unknown_provider_is_wrong_usage_and_the_known_ones_are_named() {
    let run = Run::new(&["send", "shopfy"], &[(KEY, SECRET)]);
    run.failed(64, &["shopfy", "shopify", "generic"]);
}

#[test]
fn without_a_secret_it_says_how_to_give_one() {
    for secret in [&[][..], &[(KEY, "")]] {
        Run::new(&["send", "shopify"], secret).failed(64, &["--secret", KEY]);
    }
}

#[test]
fn a_sender_without_a_signature_needs_no_secret() {
    run(async {
        let forwarder = Forwarder::start(ForwarderConfig {
            tls: false,
            args: &["--generic-unverified"],
            ..Default::default()
        })
        .await;
        let id = Uuid::new_v4().to_string();
        let url = format!("http://{}/temporal/generic", forwarder.public);
        let args = ["send", "generic", "--url", &url, "--id", &id];
        let sent = Run::new(&args, &[]).fine();
        assert!(sent.contains(r#""status":"started""#), "{sent}");
        let temporal = Temporal::shared().await;
        let started = temporal.started(&format!("generic:{id}")).await;
        assert_eq!(
            Envelope::read(started.argument().1).data(),
            r#"{"hello":"world"}"#
        );
    });
}

/// `send shopify` to this forwarder, with its secret in the environment.
fn send(forwarder: &Forwarder, args: &[&str]) -> Run {
    let arguments = arguments(forwarder);
    let all: Vec<_> = arguments
        .iter()
        .map(String::as_str)
        .chain(args.iter().copied())
        .collect();
    Run::new(&all, &[(KEY, SECRET)])
}

fn arguments(forwarder: &Forwarder) -> Vec<String> {
    let url = format!(
        "https://localhost:{}/temporal/shopify",
        forwarder.public.port()
    );
    strings(&["send", "shopify", "--insecure", "--url", &url])
}

fn strings(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

const KEY: &str = "SHOPIFY_WEBHOOKS_KEY";

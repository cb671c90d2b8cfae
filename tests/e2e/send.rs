//! `send`: the real binary as a sender, against the real binary as a receiver.

use std::fs;
use std::net::SocketAddr;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use uuid::Uuid;

use crate::support::configured::Configured;
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

#[test]
fn a_source_of_the_file_is_all_that_it_needs_to_know() {
    run(async {
        let configured = Configured::new(SOURCES);
        let forwarder = Forwarder::start(ForwarderConfig {
            env: &[("OWN", "the secret of our own")],
            ..configured.plain()
        })
        .await;
        let (config, port) = (configured.path("forwarder.toml"), forwarder.public.port());
        let config = config.to_str().expect("text");
        let port = port.to_string();
        let env = [
            (KEY, SECRET),
            ("OWN", "the secret of our own"),
            ("TWF_NO_TLS", "true"),
            ("TWF_PORT", port.as_str()),
        ];
        let sending = |args: &[&str]| {
            let args = [&["send", "--config", config], args].concat();
            Run::new(&args, &env)
        };
        for (args, outcome) in [
            // By name, by path, by the path's last part, by the provider.
            (&["--source", "shop"][..], "started"),
            (&["--source", "/temporal/shopify"], "started"),
            (&["--source", "shopify"], "started"),
            (&["inhouse"], "started"),
            // The first tenant of the table, and another; his place is a header, JSON, a form.
            (&["--source", "tenants"], "started"),
            (
                &["--source", "tenants", "--tenant", "b.myshopify.com"],
                "started",
            ),
            (&["--source", "teams"], "started"),
            (&["--source", "teams", "--tenant", "T2"], "started"),
            (&["--source", "accounts", "--tenant", "B"], "started"),
            // What is signed is the URL that the sender knows.
            (&["--source", "sms"], "started"),
            (&["--source", "sms", "--sample", "message"], "started"),
            // Only the public key is here.
            (&["--source", "public"], "fails"),
            // Of our own, with its id in a header, in JSON, in a form, in the query of a GET.
            (&["--source", "own-header"], "started"),
            (&["--source", "own-json"], "started"),
            (&["--source", "own-form"], "started"),
            (&["--source", "own-get"], "started"),
            (&["--source", "open"], "started"),
            // A second sample, which its route drops.
            (&["--source", "slack", "--sample", "command"], "dropped"),
            (&["--source", "slack"], "started"),
            (&["--source", "shop", "--topic", "dropped"], "dropped"),
            (&["--source", "teams", "--topic", "dropped"], "dropped"),
        ] {
            let sent = sending(args);
            if outcome == "fails" {
                sent.failed(64, &["public key", "--secret"]);
                continue;
            }
            let expected = format!(r#""status":"{outcome}""#);
            assert!(sent.stdout.contains(&expected), "{args:?}: {sent:?}");
        }
        for (args, said) in [
            (
                &["--source", "shopp"][..],
                &["no source \"shopp\"", "/temporal/shopify"][..],
            ),
            (&[], &["several sources", "--source"]),
            (
                &["shopify"],
                &[
                    "several sources",
                    "which of /temporal/shopify, /temporal/tenants\n",
                ],
            ),
            (&["github"], &["no source of the file is one of \"github\""]),
            (
                &["--source", "tenants", "--tenant", "c"],
                &["no secret of \"c\"", "a.myshopify.com, b.myshopify.com"],
            ),
            (
                &["--source", "slack", "--sample", "comand"],
                &["did you mean `command`?", "interaction"],
            ),
            (
                &["--source", "own-json", "--sample", "x"],
                &["one sample only"],
            ),
        ] {
            sending(args).failed(64, said);
        }
        Run::new(&["send", "--source", "shop"], &[]).failed(64, &["--config FILE"]);
        let by_variable = [env.as_slice(), &[("TWF_CONFIG", config)]].concat();
        Run::new(&["send", "--source", "shop"], &by_variable).fine();
        configured.rewrite("[serverr]\n");
        sending(&["--source", "shop"]).failed(78, &["serverr", "did you mean `server`?"]);
    });
}

#[test]
fn it_repeats_as_a_sender_would_if_it_is_asked_to() {
    run(async {
        // Nobody listens, then somebody who asks to wait a second, and again, and then takes it.
        for (repeat, expected) in [
            ("5", Some(0)),
            ("1m", Some(0)),
            ("2", Some(1)),
            ("700ms", Some(1)),
        ] {
            let free = TcpListener::bind("127.0.0.1:0")
                .await
                .expect("a port is free");
            let address = free.local_addr().expect("it is bound");
            drop(free);
            let url = format!("http://{address}/temporal/shopify");
            let mut command = Command::new(BINARY);
            let args = [
                "send", "shopify", "--url", &url, "--id", "one", "--repeat", repeat,
            ];
            command.args(args).env_clear().env(KEY, SECRET);
            let sending = tokio::task::spawn_blocking(move || Run::of(&mut command));
            tokio::time::sleep(Duration::from_millis(300)).await;
            let server = tokio::spawn(answers(address));
            let run = sending.await.expect("it ends");
            assert_eq!(run.code, expected, "--repeat {repeat}: {run:?}");
            if expected == Some(0) {
                assert!(run.stdout.starts_with("HTTP/1.1 200"), "{run:?}");
                server.await.expect("each request is as it should be");
            } else {
                server.abort();
            }
        }
        // Without being asked it does not; what a repetition cannot mend it does not repeat.
        let url = "http://127.0.0.1:1/temporal/shopify";
        let once = ["send", "shopify", "--url", url];
        let begun = Instant::now();
        Run::new(&once, &[(KEY, SECRET)]).failed(1, &["refused"]);
        assert!(
            begun.elapsed() < Duration::from_secs(2),
            "{:?}",
            begun.elapsed()
        );
        let forwarder = Forwarder::start(ForwarderConfig::default()).await;
        let refused = send(&forwarder, &["--secret", "another", "--repeat", "20"]);
        assert_eq!(refused.code, Some(1), "{refused:?}");
        assert!(refused.stdout.contains(" 401 "), "{refused:?}");
    });
}

/// Two answers 503 that ask for a second, then 200; each event has the same id and a signature.
async fn answers(address: SocketAddr) {
    let listener = TcpListener::bind(address)
        .await
        .expect("nobody else took it");
    let mut before: Option<Instant> = None;
    for answer in [
        "503 Service Unavailable",
        "503 Service Unavailable",
        "200 OK",
    ] {
        let (mut stream, _) = listener.accept().await.expect("it comes");
        let mut request = vec![0; 65_536];
        let count = stream.read(&mut request).await.expect("a request");
        let request = String::from_utf8_lossy(&request[..count]).to_lowercase();
        assert!(request.contains("x-shopify-webhook-id: one"), "{request}");
        if let Some(before) = before {
            assert!(
                before.elapsed() >= Duration::from_secs(1),
                "it did not wait"
            );
        }
        before = Some(Instant::now());
        let answer = format!(
            "HTTP/1.1 {answer}\r\nretry-after: 1\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
        );
        stream
            .write_all(answer.as_bytes())
            .await
            .expect("it is open");
    }
}

/// Every kind of source that `send` may meet in a file.
const SOURCES: &str = r#"
[[source]]
name = "shop"
path = "/temporal/shopify"
provider = "shopify"
secrets = ["env:SHOPIFY_WEBHOOKS_KEY"]
shared_ids = true
[[source.route]]
when = 'topic == "dropped"'
action = "drop"

[[source]]
path = "/temporal/tenants"
provider = "shopify"
workflow_id = "tenants:{event_id}"
[source.secrets]
"a.myshopify.com" = "env:SHOPIFY_WEBHOOKS_KEY"
"b.myshopify.com" = "env:OWN"

[[source]]
path = "/temporal/teams"
provider = "slack"
[source.secrets]
T1 = "env:SHOPIFY_WEBHOOKS_KEY"
T2 = "env:OWN"
[[source.route]]
when = 'topic == "dropped"'
action = "drop"

[[source]]
path = "/temporal/accounts"
[source.secrets]
A = "env:SHOPIFY_WEBHOOKS_KEY"
B = "env:OWN"
[source.provider]
id = ["form event"]
tenant = ["form account"]
[[source.provider.signature]]
in = ["header X-Signature"]

[[source]]
path = "/temporal/sms"
provider = "twilio"
secrets = ["env:OWN"]
public_url = "https://hooks.example.com/temporal/sms"

[[source]]
path = "/temporal/public"
provider = "discord-events"
secrets = ["d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"]

[[source]]
path = "/temporal/own-header"
secrets = ["env:OWN"]
[source.provider]
name = "inhouse"
id = ["header X-Event-Id"]
[[source.provider.signature]]
in = ["header X-Signature"]
prefix = "v1="
signed = "{ts}.{body}"
timestamp = { in = "header X-Time" }

[[source]]
path = "/temporal/own-json"
secrets = ["env:OWN"]
[source.provider]
id = ["json event.id"]
topic = ["json event.kind"]
[[source.provider.signature]]
in = ["header X-Signature"]
encoding = "base64"

[[source]]
path = "/temporal/own-form"
secrets = ["env:OWN"]
[source.provider]
id = ["form id"]
[[source.provider.signature]]
in = ["query signature"]

[[source]]
path = "/temporal/own-get"
secrets = ["env:OWN"]
[source.provider]
methods = ["GET"]
id = ["query event"]
[[source.provider.signature]]
in = ["header X-Token"]
algorithm = "token"
encoding = "text"

[[source]]
path = "/temporal/open"
provider = "generic"
danger_accept_unverified = true

[[source]]
path = "/temporal/slack"
provider = "slack"
secrets = ["env:OWN"]
[[source.route]]
when = 'topic == "/weather"'
action = "drop"
"#;

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

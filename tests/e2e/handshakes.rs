//! What senders ask before or among their events: each answer to the letter, and nothing signed or
//! echoed that could be an event.

mod tokens;

use aws_lc_rs::hmac::{self, HMAC_SHA1_FOR_LEGACY_USE_ONLY};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use reqwest::Method;

use crate::support::configured::Configured;
use crate::support::delivery::{Delivery, hmac as hmac_sha256, order_body, unix_now};
use crate::support::event::Envelope;
use crate::support::forwarder::{Forwarder, ForwarderConfig};
use crate::support::leaks;
use crate::support::sender::{Answer, Sender};
use crate::support::temporal::Temporal;
use crate::support::wait::{PATIENCE, run, until};

#[test]
fn slack_gets_200_for_its_unsigned_look_at_the_certificate_and_for_nothing_else_unsigned() {
    run(async {
        let forwarder = start("provider = 'slack'", "").await;
        let sender = Sender::new(&forwarder);
        let form =
            |body: &str| post(body).with("Content-Type", "application/x-www-form-urlencoded");
        let sign = |form: Delivery| {
            let ts = unix_now().to_string();
            let text = [format!("v0:{ts}:").as_bytes(), &form.body].concat();
            let mac = hex::encode(hmac_sha256(KEY, &text));
            form.with("X-Slack-Request-Timestamp", ts)
                .with("X-Slack-Signature", format!("v0={mac}"))
        };
        let check = form("ssl_check=1&token=gIkuvaNzQIHg97ATvDxqgjtO");
        for check in [check.clone(), sign(check.clone())] {
            let answer = sender.send(&check).await;
            assert_eq!((answer.status, &*answer.text), (200, ""), "{answer:?}");
        }
        is_counted(&forwarder, 2).await;
        let wrong = check.clone().with("X-Slack-Signature", "v0=00");
        assert_eq!(sender.send(&wrong).await.status, 401);
        let json = check.with("Content-Type", "application/json");
        assert_eq!(sender.send(&json).await.status, 401, "no form");
        for more in [
            "ssl_check=1",
            "ssl_check=1&token=",
            "ssl_check=0&token=a",
            "token=a&command=%2Fdeploy&ssl_check=1",
            "ssl_check=1&token=a&command=%2Fdeploy",
            "ssl_check=1&token=a&token=b",
            "ssl_check=1&ssl_check=1&token=a",
            "ssl_check=1&token=%7B%22type%22%3A1%7D",
        ] {
            assert_eq!(sender.send(&form(more)).await.status, 401, "{more}");
        }
        // What a command has besides makes it one, and signed it starts.
        let command = form(&format!("ssl_check=1&token=a&trigger_id={}", unix_now()));
        let answer = sender.send(&sign(command)).await;
        assert_eq!(answer.outcome(), "200 started");
        is_counted(&forwarder, 2).await;
    });
}

#[test]
fn discord_gets_its_ping_back_if_it_signs() {
    run(async {
        let pair = Ed25519KeyPair::generate().expect("a key can be made");
        let public = hex::encode(pair.public_key().as_ref());
        let signed = |body: &str| {
            let ts = unix_now().to_string();
            let signature = pair.sign(format!("{ts}{body}").as_bytes());
            post(body)
                .with("X-Signature-Timestamp", ts)
                .with("X-Signature-Ed25519", hex::encode(signature))
        };
        let source = format!("secrets = ['{public}']");
        let forwarder = start(&source, &DISCORD.replace("NAME", "interactions")).await;
        let sender = Sender::new(&forwarder);
        is_json(
            &sender.send(&signed(r#"{"type":1}"#)).await,
            r#"{"type":1}"#,
        );
        let changed = signed(r#"{"type":1}"#).with_body(r#"{"type":1} "#);
        assert_eq!(
            sender.send(&changed).await.status,
            401,
            "Discord probes this"
        );
        is_counted(&forwarder, 1).await;

        let forwarder = start(&source, &DISCORD.replace("NAME", "events")).await;
        let answer = Sender::new(&forwarder).send(&signed(r#"{"type":0}"#)).await;
        let got = (answer.status, answer.header("content-type"), &*answer.text);
        assert_eq!(got, (204, "application/json", ""));
        is_counted(&forwarder, 1).await;
    });
}

#[test]
fn woocommerce_gets_200_for_its_unsigned_ping_and_for_nothing_else_unsigned() {
    run(async {
        let forwarder = start("", WOOCOMMERCE).await;
        let sender = Sender::new(&forwarder);
        let form =
            |body: &str| post(body).with("Content-Type", "application/x-www-form-urlencoded");
        let answer = sender.send(&form("webhook_id=42")).await;
        assert_eq!((answer.status, &*answer.text), (200, ""));
        for body in [
            "webhook_id=42&a=b",
            "a=b&webhook_id=42",
            "webhook_id=x",
            "id=42",
        ] {
            assert_eq!(sender.send(&form(body)).await.status, 401, "{body}");
        }
        let wrong = form("webhook_id=42").with("X-WC-Webhook-Signature", "AAAA");
        assert_eq!(sender.send(&wrong).await.status, 401);
        is_counted(&forwarder, 1).await;
    });
}

#[test]
fn intercom_gets_200_for_its_signed_ping() {
    run(async {
        let forwarder = start("", INTERCOM).await;
        let sender = Sender::new(&forwarder);
        let body = r#"{"type":"notification_event","topic":"ping","id":"notif_1"}"#;
        let key = hmac::Key::new(HMAC_SHA1_FOR_LEGACY_USE_ONLY, KEY.as_bytes());
        let mac = hex::encode(hmac::sign(&key, body.as_bytes()));
        let signed = post(body).with("X-Hub-Signature", format!("sha1={mac}"));
        let answer = sender.send(&signed).await;
        assert_eq!((answer.status, &*answer.text), (200, ""));
        let unsigned = signed.without("X-Hub-Signature");
        assert_eq!(sender.send(&unsigned).await.status, 401);
        is_counted(&forwarder, 1).await;
        let temporal = Temporal::shared().await;
        temporal.assert_absent(&format!("{PATH}:notif_1")).await;
    });
}

#[test]
fn an_address_is_authorised_by_the_token_for_a_while_and_for_one_source() {
    run(async {
        let source = "provider = 'generic'\nverify = 'address-handshake'\nverify_token = 'env:VERIFY_TOKEN'\nauthorised_for = '3s'";
        let other = format!("[[source]]\npath = '/temporal/other'\n{source}\n");
        let configured = Configured::new(&(configuration(source, "") + &other));
        let forwarder = Forwarder::start(config(&configured)).await;
        let here = Sender::new(&forwarder);
        let there = Sender::from_address(&forwarder, "127.0.0.2");
        let status = async |sender: &Sender, delivery: &Delivery| {
            let answer = sender.send(delivery).await;
            if answer.status != 200 {
                assert_eq!(answer.status, 401, "{answer:?}");
            }
            answer.status
        };
        let event = || post(&order_body()).with("Content-Type", "application/json");
        assert_eq!(status(&here, &event()).await, 401, "nobody is yet");
        for query in ["verify_token=wrong", "verify_token=", "token=x"] {
            let greeting = Delivery::bare(Method::GET, &format!("{PATH}?{query}"));
            assert_eq!(status(&here, &greeting).await, 401, "{query}");
        }
        assert_eq!(status(&here, &event()).await, 401, "still not");

        let greeting = Delivery::bare(Method::GET, &format!("{PATH}?verify_token={TOKEN}"));
        let answer = here.send(&greeting).await;
        is_json(&answer, r#"{"status":"authorised","seconds":3}"#);
        let delivery = event();
        let answer = here.send(&delivery).await;
        assert_eq!(answer.outcome(), "200 started");
        let workflow_id = answer.json()["workflow_id"].as_str().map(str::to_owned);
        let temporal = Temporal::shared().await;
        let started = temporal.started(&workflow_id.expect("it is named")).await;
        let envelope = Envelope::read(started.argument().1);
        assert_eq!(envelope.headers["x-webhook-verified"], "true");

        assert_eq!(status(&there, &event()).await, 401, "another address");
        let mut elsewhere = event();
        elsewhere.path = "/temporal/other".to_owned();
        assert_eq!(status(&here, &elsewhere).await, 401, "another source");
        until("the time is over", PATIENCE, || async {
            status(&here, &event()).await == 401
        })
        .await;
        is_counted(&forwarder, 1).await;
    });
}

async fn start(source: &str, provider: &str) -> Forwarder {
    // The forwarder looks at the file again and again: the next run removes it.
    let configured = Box::leak(Box::new(Configured::new(&configuration(source, provider))));
    Forwarder::start(config(configured)).await
}

fn configuration(source: &str, provider: &str) -> String {
    let secrets = if source.contains("secrets") || source.contains("address-handshake") {
        ""
    } else {
        "secrets = ['env:HANDSHAKE_KEY']"
    };
    format!("[[source]]\npath = '{PATH}'\n{source}\n{secrets}\n{provider}\n")
}

fn config(configured: &Configured) -> ForwarderConfig {
    leaks::forbid(KEY);
    leaks::forbid(TOKEN);
    ForwarderConfig {
        env: &[("HANDSHAKE_KEY", KEY), ("VERIFY_TOKEN", TOKEN)],
        ..configured.plain()
    }
}

async fn get(forwarder: &Forwarder, query: &str) -> Answer {
    let path = if query.is_empty() {
        PATH.to_owned()
    } else {
        format!("{PATH}?{query}")
    };
    Sender::new(forwarder)
        .send(&Delivery::bare(Method::GET, &path))
        .await
}

fn post(body: &str) -> Delivery {
    Delivery::bare(Method::POST, PATH)
        .with("Content-Type", "application/json")
        .with_body(body)
}

/// Signed as Slack and Zoom do.
fn slack(body: &str, signature: &str, timestamp: &str) -> Delivery {
    let ts = unix_now().to_string();
    let mac = hex::encode(hmac_sha256(KEY, format!("v0:{ts}:{body}").as_bytes()));
    post(body)
        .with(timestamp, ts)
        .with(signature, format!("v0={mac}"))
}

fn is_text(answer: &Answer, body: &str) {
    is(answer, "text/plain", body);
}

fn is_json(answer: &Answer, body: &str) {
    is(answer, "application/json", body);
}

fn is(answer: &Answer, content_type: &str, body: &str) {
    let got = (answer.status, answer.header("content-type"), &*answer.text);
    assert_eq!(got, (200, content_type, body), "{answer:?}");
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
}

/// So many requests were handshakes.
async fn is_counted(forwarder: &Forwarder, handshakes: usize) {
    let admin = Sender::plain(&forwarder.admin.to_string());
    let page = admin.get("/metrics").await.text;
    let mut lines = page.lines().filter(|line| {
        line.starts_with("webhook_forwarder_requests_total{")
            && line.contains(&format!("source=\"{PATH}\""))
            && line.contains("outcome=\"handshake\"")
    });
    let count = lines.next().and_then(|line| line.rsplit(' ').next());
    assert_eq!(count, Some(&*handshakes.to_string()), "{page}");
}

const PATH: &str = "/temporal/handshake";

const KEY: &str = "handshake-key-7f6e5d4c";

const TOKEN: &str = "verify-token-1a2b3c4d";

const DISCORD: &str = "[source.provider]
id = ['body-sha256']
handshake = 'discord-NAME'
[[source.provider.signature]]
in = ['header X-Signature-Ed25519']
algorithm = 'ed25519'
signed = '{ts}{body}'
timestamp = { in = 'header X-Signature-Timestamp' }
secret = 'hex'";

const WOOCOMMERCE: &str = "[source.provider]
id = ['body-sha256']
handshake = 'woocommerce'
[[source.provider.signature]]
in = ['header X-WC-Webhook-Signature']
encoding = 'base64'";

const INTERCOM: &str = "[source.provider]
id = ['json id']
handshake = 'intercom'
[[source.provider.signature]]
in = ['header X-Hub-Signature']
prefix = 'sha1='
algorithm = 'hmac-sha1'";

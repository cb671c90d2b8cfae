//! Which deliveries are the same event: what a captured request can be made into, and what an id of a
//! sender promises.

use std::collections::BTreeMap;
use std::time::SystemTime;

use aws_lc_rs::hmac as rfc2104;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use serde_json::json;
use uuid::Uuid;

use crate::support::configured::Configured;
use crate::support::delivery::{Delivery, hmac, unix_now};
use crate::support::forwarder::{Forwarder, ForwarderConfig};
use crate::support::leaks;
use crate::support::sender::Sender;
use crate::support::wait::run;

#[test]
fn a_captured_twilio_callback_is_a_duplicate_under_every_token() {
    run(async {
        let configured = configured();
        let forwarder = Forwarder::start(config(&configured)).await;
        let sender = Sender::new(&forwarder);
        let sid = format!("SM{}", Uuid::new_v4().simple());
        let sent = twilio(&[("MessageSid", &sid), ("MessageStatus", "sent")]);
        assert_eq!(sender.send(&sent).await.outcome(), "200 started");
        assert_eq!(sender.send(&sent).await.outcome(), "200 duplicate");
        for _ in 0..3 {
            let again = sent.clone().with(TOKEN, Uuid::new_v4().to_string());
            assert_eq!(sender.send(&again).await.outcome(), "200 duplicate");
        }
        let without = sent.clone().without(TOKEN);
        assert_eq!(sender.send(&without).await.outcome(), "200 duplicate");
        let delivered = twilio(&[("MessageSid", &sid), ("MessageStatus", "delivered")]);
        assert_eq!(sender.send(&delivered).await.outcome(), "200 started");
    });
}

#[test]
fn a_ticket_s_number_is_not_the_id_of_zendesk_s_events() {
    run(async {
        let configured = configured();
        let forwarder = Forwarder::start(config(&configured)).await;
        let sender = Sender::new(&forwarder);
        let ticket = Uuid::new_v4().to_string();
        for _ in 0..2 {
            let body = json!({ "id": ticket }).to_string();
            let now = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
            let signature = STANDARD.encode(hmac(KEY, format!("{now}{body}").as_bytes()));
            let delivery = Delivery::bare(Method::POST, "/zendesk")
                .with("Content-Type", "application/json")
                .with(
                    "X-Zendesk-Webhook-Invocation-Id",
                    Uuid::new_v4().to_string(),
                )
                .with("X-Zendesk-Webhook-Signature-Timestamp", now)
                .with("X-Zendesk-Webhook-Signature", signature)
                .with_body(body);
            assert_eq!(sender.send(&delivery).await.outcome(), "200 started");
            assert_eq!(sender.send(&delivery).await.outcome(), "200 duplicate");
        }
    });
}

#[test]
fn an_id_of_mailgun_s_is_another_event_on_another_day() {
    run(async {
        let configured = configured();
        let forwarder = Forwarder::start(config(&configured)).await;
        let sender = Sender::new(&forwarder);
        let id = Uuid::new_v4().to_string();
        let now = unix_now().to_string();
        for time in ["1795435200.123", "1795521600.123"] {
            let token = Uuid::new_v4().simple().to_string();
            let signature = hex::encode(hmac(KEY, format!("{now}{token}").as_bytes()));
            let body = format!(
                r#"{{"signature":{{"timestamp":"{now}","token":"{token}","signature":"{signature}"}},"event-data":{{"id":"{id}","timestamp":{time},"event":"opened"}}}}"#
            );
            let delivery = Delivery::bare(Method::POST, "/mailgun")
                .with("Content-Type", "application/json")
                .with_body(body);
            let answer = sender.send(&delivery).await;
            assert_eq!(answer.outcome(), "200 started", "{time}");
            let workflow_id = &answer.json()["workflow_id"];
            assert_eq!(*workflow_id, format!("ids/mailgun:{id}.{time}"));
            assert_eq!(sender.send(&delivery).await.outcome(), "200 duplicate");
        }
    });
}

fn twilio(fields: &[(&str, &str)]) -> Delivery {
    let mut signed = URL.to_owned();
    for (name, value) in fields.iter().copied().collect::<BTreeMap<_, _>>() {
        signed = signed + name + value;
    }
    let key = rfc2104::Key::new(rfc2104::HMAC_SHA1_FOR_LEGACY_USE_ONLY, KEY.as_bytes());
    let signature = STANDARD.encode(rfc2104::sign(&key, signed.as_bytes()));
    let mut form = form_urlencoded::Serializer::new(String::new());
    Delivery::bare(Method::POST, "/twilio")
        .with("Content-Type", "application/x-www-form-urlencoded")
        .with("X-Twilio-Signature", signature)
        .with(TOKEN, Uuid::new_v4().to_string())
        .with_body(form.extend_pairs(fields).finish())
}

fn configured() -> Configured {
    let source = |name: &str| {
        format!(
            "[[source]]\npath = '/{name}'\nprovider = '{name}'\nsecrets = ['env:IDS_KEY']\nworkflow_id = 'ids/{name}:{{event_id}}'\n"
        )
    };
    Configured::new(&format!(
        "{}public_url = '{URL}'\n{}{}",
        source("twilio"),
        source("zendesk"),
        source("mailgun")
    ))
}

fn config(configured: &Configured) -> ForwarderConfig {
    leaks::forbid(KEY);
    ForwarderConfig {
        env: &[("IDS_KEY", KEY)],
        ..configured.plain()
    }
}

const KEY: &str = "delivery-ids-key-3c4d5e6f";
const TOKEN: &str = "I-Twilio-Idempotency-Token";
const URL: &str = "https://hooks.example.com/twilio";

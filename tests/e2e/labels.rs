//! Topic and tenant are labels: whatever the sender puts there, a verified event is an event. Its id is
//! one, too, however odd.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use uuid::Uuid;

use crate::support::configured::Configured;
use crate::support::delivery::{Delivery, hmac};
use crate::support::forwarder::{Forwarder, ForwarderConfig};
use crate::support::history::Started;
use crate::support::leaks;
use crate::support::sender::Sender;
use crate::support::temporal::Temporal;
use crate::support::wait::run;

#[test]
fn what_stands_in_a_label_refuses_no_event_and_conditions_see_it_as_sent() {
    run(async {
        let configured = configured();
        let forwarder = Forwarder::start(config(&configured)).await;
        let sender = Sender::new(&forwarder);
        let cases: [(Delivery, &str, Option<&str>); 13] = [
            (github(b""), "q", None),
            (github("Störung".as_bytes()), "disturbed", Some("Störung")),
            (github(b"St\xf6rung"), "disturbed", Some("Störung")),
            (github(b"a\tb"), "tab", Some("a\tb")),
            (github(&[b'x'; 300]), "long", Some(LONG)),
            (zendesk(r#"{"type":""}"#), "q", None),
            (
                zendesk(r#"{"type":"Störung"}"#),
                "disturbed",
                Some("Störung"),
            ),
            (
                zendesk(r#"{"type":"St\u00f6rung"}"#),
                "disturbed",
                Some("Störung"),
            ),
            (zendesk(r#"{"type":["a"]}"#), "q", None),
            (zendesk(r#"{"type":"a","type":"b"}"#), "q", None),
            (zendesk(r#"{"type":"\ud83d"}"#), "q", None),
            (
                shop("störung.example".as_bytes()),
                "shop",
                Some("störung.example"),
            ),
            (shop(b"st\xf6rung.example"), "shop", Some("störung.example")),
        ];
        for (delivery, queue, label) in cases {
            let answer = sender.send(&delivery).await;
            assert_eq!(answer.outcome(), "200 started", "{delivery:?}");
            assert_eq!(sender.send(&delivery).await.outcome(), "200 duplicate");
            let started = started(&delivery).await;
            assert_eq!(started.task_queue, queue, "{delivery:?}");
            let name = if delivery.path == "/shop" {
                "tenant"
            } else {
                "topic"
            };
            let kept = started.memo.get(name).map(|payload| payload.data.clone());
            let kept = kept.map(|json| serde_json::from_slice::<String>(&json).expect("a text"));
            assert_eq!(kept.as_deref(), label, "{delivery:?}");
            let line = forwarder.request_line(answer.request_id());
            if name == "topic" {
                let said = line["topic"]
                    .as_str()
                    .map(|said| said.trim_end_matches('…'));
                assert!(said.unwrap_or_default().chars().count() <= 200, "{line}");
                assert_eq!(said.is_some(), label.is_some(), "{line}");
            }
        }
    });
}

#[test]
fn a_label_that_is_there_twice_is_none() {
    run(async {
        let configured = configured();
        let forwarder = Forwarder::start(config(&configured)).await;
        let mut delivery = github(b"push");
        let again = ("X-GitHub-Event".to_owned(), b"ping".to_vec());
        delivery.headers.push(again);
        let answer = Sender::new(&forwarder).send(&delivery).await;
        assert_eq!(answer.outcome(), "200 started");
        let started = started(&delivery).await;
        assert!(!started.memo.contains_key("topic"));
        assert_eq!(started.task_queue, "q");
    });
}

#[test]
fn an_id_that_no_name_can_hold_is_its_hash() {
    run(async {
        let configured = configured();
        let forwarder = Forwarder::start(config(&configured)).await;
        let sender = Sender::new(&forwarder);
        let unique = Uuid::new_v4().to_string();
        let long = format!("{unique}{}", "i".repeat(201));
        let text = format!("{unique}-ü");
        let latin1 = [unique.as_bytes(), b"-\xfc!"].concat();
        for (id, text) in [
            (long.as_bytes(), long.clone()),
            (text.as_bytes(), text.clone()),
            (&latin1, format!("{unique}-ü!")),
        ] {
            let delivery = github(b"push").with("X-GitHub-Delivery", id);
            assert_eq!(sender.send(&delivery).await.outcome(), "200 started");
            assert_eq!(sender.send(&delivery).await.outcome(), "200 duplicate");
            let hash = hex::encode(digest(&SHA256, text.as_bytes()));
            let workflow_id = format!("labels/github:{hash}");
            let started = Temporal::shared().await.started(&workflow_id).await;
            assert_eq!(
                started.memo["event_id"].data,
                format!("\"{hash}\"").into_bytes()
            );
        }
    });
}

async fn started(delivery: &Delivery) -> Started {
    let workflow_id = format!("labels{}:{}", delivery.path, delivery.id);
    Temporal::shared().await.started(&workflow_id).await
}

fn github(topic: &[u8]) -> Delivery {
    let id = Uuid::new_v4().to_string();
    let body = r#"{"zen":"Anything added dilutes everything else."}"#;
    let signature = format!("sha256={}", hex::encode(hmac(KEY, body.as_bytes())));
    let mut delivery = Delivery::bare(Method::POST, "/github")
        .with("Content-Type", "application/json")
        .with("X-GitHub-Delivery", &id)
        .with("X-GitHub-Event", topic)
        .with("X-Hub-Signature-256", signature)
        .with_body(body);
    delivery.id = id;
    delivery
}

fn zendesk(body: &str) -> Delivery {
    let id = Uuid::new_v4().to_string();
    let now = humantime::format_rfc3339_seconds(std::time::SystemTime::now()).to_string();
    let signature = STANDARD.encode(hmac(KEY, format!("{now}{body}").as_bytes()));
    let mut delivery = Delivery::bare(Method::POST, "/zendesk")
        .with("Content-Type", "application/json")
        .with("X-Zendesk-Webhook-Invocation-Id", &id)
        .with("X-Zendesk-Webhook-Signature-Timestamp", now)
        .with("X-Zendesk-Webhook-Signature", signature)
        .with_body(body);
    delivery.id = id;
    delivery
}

fn shop(shop: &[u8]) -> Delivery {
    let mut delivery = Delivery::order()
        .with("X-Shopify-Shop-Domain", shop)
        .signed(KEY);
    delivery.path = "/shop".to_owned();
    delivery
}

fn configured() -> Configured {
    let source = |path: &str, provider: &str| {
        format!(
            "[[source]]
            path = '{path}'
            provider = '{provider}'
            secrets = ['env:LABELS_KEY']
            workflow_id = 'labels{path}:{{event_id}}'
            task_queue = 'q'
            [[source.route]]
            when = 'topic == \"Störung\"'
            task_queue = 'disturbed'
            [[source.route]]
            when = 'topic == \"a\\tb\"'
            task_queue = 'tab'
            [[source.route]]
            when = 'size(topic) == 300'
            task_queue = 'long'
            [[source.route]]
            when = 'tenant == \"störung.example\"'
            task_queue = 'shop'
            "
        )
    };
    Configured::new(&format!(
        "{}{}{}",
        source("/github", "github"),
        source("/zendesk", "zendesk"),
        source("/shop", "shopify"),
    ))
}

fn config(configured: &Configured) -> ForwarderConfig {
    leaks::forbid(KEY);
    ForwarderConfig {
        env: &[("LABELS_KEY", KEY)],
        ..configured.plain()
    }
}

const KEY: &str = "labels-key-1f2e3d4c";
/// 300 characters.
const LONG: &str = concat!(
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
);

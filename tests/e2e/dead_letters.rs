//! What can never start as configured is parked whole and acknowledged, or not acknowledged.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::configured::Configured;
use crate::support::delivery::{Delivery, hmac};
use crate::support::forwarder::{AES, Forwarder, ForwarderConfig, SECRET};
use crate::support::history::open;
use crate::support::inspect::{cli, json};
use crate::support::sender::Sender;
use crate::support::temporal::Temporal;
use crate::support::wait::{PATIENCE, run, until};

#[test]
fn every_reason_parks_the_event_whole() {
    run(async {
        let temporal = Temporal::shared().await;
        temporal.register_attribute("TwfNumber", "Int").await;
        let config = Configured::new(ROUTES);
        let forwarder = Forwarder::start(ForwarderConfig {
            aes: Some(AES),
            ..config.plain()
        })
        .await;
        let sender = Sender::new(&forwarder);
        for (topic, body, part) in [
            ("unregistered", b"{}".to_vec(), "TwfNobodyRegisteredThis"),
            ("wrong-attribute", b"{}".to_vec(), "TwfNumber"),
            ("template", b"{}".to_vec(), "no such key: id"),
            ("condition", b"{\"total\":null}".to_vec(), "when: "),
            ("broken", b"{\"a\":".to_vec(), "no well-formed JSON"),
            (
                "more after the JSON",
                b"{} {}".to_vec(),
                "no well-formed JSON",
            ),
            ("not JSON", b"hello".to_vec(), "no well-formed JSON"),
            ("only white space", b" \n".to_vec(), "no well-formed JSON"),
            (
                "not UTF-8",
                b"{\"a\":\"\xff\"}".to_vec(),
                "no well-formed JSON in UTF-8",
            ),
        ] {
            let event = Delivery::shopify(body).with("X-Shopify-Topic", topic);
            let answer = sender.send(&event).await;
            assert_eq!(answer.outcome(), "200 dead_lettered", "{topic}: {answer:?}");
            let id = format!("dead-letter:/temporal/shopify:{}", event.id);
            assert_eq!(answer.json()["workflow_id"], id);
            let line = forwarder.request_line(answer.request_id());
            assert_eq!(
                (&line["level"], &line["outcome"]),
                (&json!("ERROR"), &json!("dead_lettered"))
            );
            let reason = line["reason"].as_str().unwrap_or_default();
            assert!(reason.contains(part), "{topic}: {reason}");

            let started = temporal.started(&id).await;
            assert_eq!(started.workflow_type, "WebhookDeadLetter");
            assert_eq!(started.task_queue, "webhook_dead_letters");
            let letter = json(&open(&started.input[0], AES.1, AES.0));
            assert_eq!(letter["reason"], reason);
            assert_whole(&letter["event"], &event);
            assert_eq!(
                sender.send(&event).await.outcome(),
                "200 dead_lettered",
                "again"
            );
            assert_eq!(temporal.runs(&id, 1).await.len(), 1, "and not twice");
            temporal.assert_absent(&event.id).await;
        }
        let metrics = Sender::plain(&forwarder.admin.to_string())
            .get("/metrics")
            .await
            .text;
        let counted = "webhook_forwarder_dead_letters_total{source=\"/temporal/shopify\",reason=\"unstartable\"} 18";
        assert!(metrics.contains(counted), "{metrics}");
    });
}

#[test]
fn it_is_found_by_the_search_attributes_that_temporal_takes() {
    run(async {
        let temporal = Temporal::shared().await;
        for (name, kind) in [
            ("TwfOrderName", "Keyword"),
            ("TwfNumber", "Int"),
            ("TwfShop", "Keyword"),
        ] {
            temporal.register_attribute(name, kind).await;
        }
        let configured = Configured::new(ATTRIBUTES);
        let forwarder = Forwarder::start(ForwarderConfig {
            aes: Some(AES),
            ..configured.plain()
        })
        .await;
        let sender = Sender::new(&forwarder);
        let shop = json!("e2e.myshopify.com");
        for (topic, kept, part) in [
            // A template that fails; two attributes that Temporal refuses, each its own way; one
            // that has no value; one that is too long.
            (
                "summary",
                &["TwfOrderName", "TwfShop"][..],
                "no such key: missing",
            ),
            ("refused", &["TwfOrderName", "TwfShop"], "TwfN"),
            ("failing", &["TwfShop"], "no such key: missing"),
            ("long", &["TwfShop"], "TwfOrderName"),
            ("broken", &[], "no well-formed JSON"),
        ] {
            let name = format!("#{}", Uuid::new_v4().simple());
            let body = match topic {
                "broken" => "{".to_owned(),
                "long" => json!({"name": "n".repeat(3000)}).to_string(),
                _ => json!({"name": name}).to_string(),
            };
            let event = Delivery::shopify(body).with("X-Shopify-Topic", topic);
            let answer = sender.send(&event).await;
            assert_eq!(answer.outcome(), "200 dead_lettered", "{topic}: {answer:?}");
            let id = format!("dead-letter:/temporal/shopify:{}", event.id);
            let started = temporal
                .start_of(&id)
                .await
                .search_attributes
                .unwrap_or_default();
            let mut names: Vec<_> = started.indexed_fields.keys().map(String::as_str).collect();
            names.sort_unstable();
            assert_eq!(names, kept, "{topic}");
            if kept.contains(&"TwfShop") {
                assert_eq!(json(&started.indexed_fields["TwfShop"]), shop);
            }
            if kept.contains(&"TwfOrderName") {
                let query = format!("TwfOrderName = '{name}' AND WorkflowId = '{id}'");
                until("it is found", PATIENCE, async || {
                    temporal.count(&query).await == 1
                })
                .await;
            }
            let config = temporal.description(&id).await.execution_config;
            let metadata = config.and_then(|config| config.user_metadata);
            let summary = metadata
                .and_then(|metadata| metadata.summary)
                .expect("it has one");
            let summary = json(&open(&summary, AES.1, AES.0));
            let summary = summary.as_str().unwrap_or_default();
            let begins = format!("/temporal/shopify {topic} {}: ", event.id);
            assert!(summary.starts_with(&begins), "{summary}");
            assert!(summary.contains(part), "{topic}: {summary}");
        }
    });
}

#[test]
fn a_large_one_is_compressed_to_fit() {
    run(async {
        let temporal = Temporal::shared().await;
        let config = Configured::new(ROUTES);
        let forwarder = Forwarder::start(config.plain()).await;
        let body = json!({"text": "abcdefgh".repeat(230_000)}).to_string();
        let event = Delivery::shopify(body).with("X-Shopify-Topic", "template");
        let answer = Sender::new(&forwarder).send(&event).await;
        assert_eq!(answer.outcome(), "200 dead_lettered", "{answer:?}");
        let id = format!("dead-letter:/temporal/shopify:{}", event.id);
        let input = &temporal.started(&id).await.input[0];
        assert_eq!(input.metadata["encoding"], b"binary/zlib");
    });
}

#[test]
fn without_dead_letters_it_is_refused_for_good() {
    run(async {
        let temporal = Temporal::shared().await;
        let off = ROUTES.replacen("provider = ", "dead_letter = false\nprovider = ", 1);
        let forwarder = Forwarder::start(Configured::new(&off).plain()).await;
        let sender = Sender::new(&forwarder);
        for (topic, body) in [
            ("unregistered", "{}"),
            ("template", "{}"),
            ("condition", "{\"total\":null}"),
            ("broken", "{"),
        ] {
            let event = Delivery::shopify(body).with("X-Shopify-Topic", topic);
            let answer = sender.send(&event).await;
            assert_eq!(answer.status, 400, "{topic}: {answer:?}");
            let line = forwarder.request_line(answer.request_id());
            assert_eq!(
                (&line["level"], &line["outcome"]),
                (&json!("ERROR"), &json!("malformed"))
            );
            let id = format!("dead-letter:/temporal/shopify:{}", event.id);
            temporal.assert_absent(&id).await;
            temporal.assert_absent(&event.id).await;
        }
    });
}

#[test]
fn a_queue_of_ones_own_and_503_if_it_cannot_be_parked() {
    run(async {
        let temporal = Temporal::shared().await;
        let config = Configured::new(&ROUTES.replacen(
            "provider = ",
            "dead_letter = \"parked\"\nprovider = ",
            1,
        ));
        let forwarder = Forwarder::start(config.plain()).await;
        let event = Delivery::shopify("{}").with("X-Shopify-Topic", "template");
        let answer = Sender::new(&forwarder).send(&event).await;
        assert_eq!(answer.outcome(), "200 dead_lettered");
        let id = answer.json()["workflow_id"]
            .as_str()
            .expect("an id")
            .to_owned();
        assert_eq!(temporal.started(&id).await.task_queue, "parked");

        // Temporal takes names up to 1,000 bytes: a dead letter on this queue is refused, too.
        let name = format!("dead_letter = \"{}\"\nprovider = ", "q".repeat(1001));
        let config = Configured::new(&ROUTES.replacen("provider = ", &name, 1));
        let forwarder = Forwarder::start(config.plain()).await;
        let event = Delivery::shopify("{}").with("X-Shopify-Topic", "template");
        let answer = Sender::new(&forwarder).send(&event).await;
        assert_eq!(answer.status, 503, "{answer:?}");
        let line = forwarder.request_line(answer.request_id());
        let reason = line["reason"].as_str().unwrap_or_default();
        assert!(
            reason.contains("its dead letter cannot be stored"),
            "{reason}"
        );
    });
}

#[test]
fn no_other_workflow_is_taken_for_the_dead_letter() {
    run(async {
        let temporal = Temporal::shared().await;
        let configured = Configured::new(&format!("{ROUTES}{STRANGERS}"));
        let forwarder = Forwarder::start(configured.plain()).await;
        let sender = Sender::new(&forwarder);

        // Another program has started one under the id.
        let event = Delivery::shopify("{}").with("X-Shopify-Topic", "template");
        let id = format!("dead-letter:/temporal/shopify:{}", event.id);
        cli(
            temporal,
            &["start", "--type", "Stranger", "--task-queue", "q"],
            &id,
            None,
        );
        let answer = sender.send(&event).await;
        assert_eq!(answer.status, 503, "{answer:?}");
        let line = forwarder.request_line(answer.request_id());
        assert_eq!(line["outcome"], "refused");
        let reason = line["reason"].as_str().unwrap_or_default();
        let says = format!("the workflow {id:?} is no WebhookDeadLetter, but a \"Stranger\"");
        assert!(reason.ends_with(&says), "{reason}");
        assert_eq!(temporal.runs(&id, 1).await.len(), 1);

        // Another source's sender tries to.
        for (path, beginning) in [("/joined", "letter:"), ("/topic", "")] {
            let event = Delivery::shopify("{}").with("X-Shopify-Topic", "template");
            let id = format!("/temporal/shopify:{}", event.id);
            let stranger = Delivery::bare(Method::POST, path)
                .with("X-Part", "dead")
                .with("X-Id", format!("{beginning}{id}"))
                .with_body("{}");
            let answer = sender.send(&stranger).await;
            assert_eq!(answer.outcome(), "200 started", "{answer:?}");
            let escaped = format!("dead-letter%3A{id}");
            assert_eq!(answer.json()["workflow_id"], escaped);
            for _ in 0..2 {
                let answer = sender.send(&event).await;
                assert_eq!(answer.outcome(), "200 dead_lettered", "{answer:?}");
            }
            let started = temporal.started(&format!("dead-letter:{id}")).await;
            assert_eq!(started.workflow_type, "WebhookDeadLetter");
        }
    });
}

/// Everything that the sender sent, so that a worker could verify it again.
fn assert_whole(whole: &Value, event: &Delivery) {
    assert_eq!(whole["id"], event.id);
    assert_eq!(whole["topic"], event.header("X-Shopify-Topic"));
    assert_eq!(whole["tenant"], "e2e.myshopify.com");
    assert_eq!(whole["provider"], "shopify");
    assert_eq!(whole["source"], "/temporal/shopify");
    assert_eq!(whole["verifiedBy"], "env:SHOPIFY_WEBHOOKS_KEY");
    assert_eq!(whole["method"], "POST");
    let body = match (&whole["bodyText"], &whole["body"]) {
        (Value::String(text), Value::Null) => text.clone().into_bytes(),
        (Value::Null, Value::String(base64)) => STANDARD.decode(base64).expect("base64"),
        other => panic!("one of two: {other:?}"),
    };
    assert_eq!(body, event.body);
    let is_text = str::from_utf8(&event.body).is_ok();
    assert_eq!(whole["bodyText"].is_string(), is_text, "people read it");
    let signature = STANDARD.encode(hmac(SECRET, &body));
    assert_eq!(whole["headers"]["x-shopify-hmac-sha256"], signature);
}

const ATTRIBUTES: &str = r#"
[[source]]
path = "/temporal/shopify"
provider = "shopify"
secrets = ["env:SHOPIFY_WEBHOOKS_KEY"]

[[source.route]]
when = 'topic == "summary"'
search_attributes = { TwfOrderName = "{body.name}", TwfShop = "{tenant}" }
summary = "{body.missing}"

[[source.route]]
when = 'topic == "refused"'
search_attributes = { TwfNobodyRegisteredThis = "{tenant}", TwfOrderName = "{body.name}", TwfNumber = "{body.name}", TwfShop = "{tenant}" }

[[source.route]]
when = 'topic == "failing"'
search_attributes = { TwfOrderName = "{body.missing}", TwfShop = "{tenant}" }

[[source.route]]
when = 'topic == "long"'
search_attributes = { TwfOrderName = "{body.name}", TwfShop = "{tenant}" }
"#;

const STRANGERS: &str = r#"
[[source]]
path = "/joined"
provider = "generic"
danger_accept_unverified = true
event_id = ["header X-Id"]
tenant = ["header X-Part"]
workflow_id = "{tenant}-{event_id}"

[[source]]
path = "/topic"
provider = "generic"
danger_accept_unverified = true
event_id = ["header X-Id"]
topic = ["header X-Part"]
workflow_id = "{topic}-letter:{event_id}"
"#;

const ROUTES: &str = r#"
[[source]]
path = "/temporal/shopify"
provider = "shopify"
secrets = ["env:SHOPIFY_WEBHOOKS_KEY"]

[[source.route]]
when = 'topic == "unregistered"'
search_attributes = { TwfNobodyRegisteredThis = "{event_id}" }

[[source.route]]
when = 'topic == "wrong-attribute"'
search_attributes = { TwfNumber = "{event_id}" }

[[source.route]]
when = 'topic == "template"'
summary = "order {body.id}"

[[source.route]]
when = 'topic == "condition" && body.total > 5'
priority = 1
"#;

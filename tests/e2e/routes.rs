//! Routes decide by the event; what they say of a workflow is what Temporal says of it.

use serde_json::{Value, json};
use temporalio_common::protos::temporal::api::workflow::v1::versioning_override::Override;

use crate::support::configured::Configured;
use crate::support::delivery::Delivery;
use crate::support::forwarder::{AES, Forwarder, ForwarderConfig};
use crate::support::history::open;
use crate::support::inspect::json;
use crate::support::sender::Sender;
use crate::support::temporal::Temporal;
use crate::support::wait::{PATIENCE, eventually, run};

#[test]
fn the_first_route_that_holds_decides() {
    run(async {
        let temporal = Temporal::shared().await;
        let config = Configured::new(&(SOURCE.to_owned() + BY_EVENT));
        let forwarder = Forwarder::start(config.plain()).await;
        let sender = Sender::new(&forwarder);
        for (topic, body, queue) in [
            (
                "orders/create",
                json!({"total_price": "1200.50"}),
                "big-orders",
            ),
            (
                "orders/create",
                json!({"total_price": "12.50"}),
                "orders-create",
            ),
            ("orders/paid", json!({"total_price": "9999"}), "orders-paid"),
            // No such key: the condition does not hold.
            ("app/uninstalled", json!({}), "shopify_webhooks"),
        ] {
            let event = Delivery::shopify(body.to_string()).with("X-Shopify-Topic", topic);
            assert_eq!(sender.send(&event).await.outcome(), "200 started");
            let started = temporal.started(&event.id).await;
            assert_eq!(started.task_queue, queue, "{topic} {body}");
        }
        let test = Delivery::order().with("X-Shopify-Test", "true");
        assert_eq!(sender.send(&test).await.outcome(), "200 dropped");
        temporal.assert_absent(&test.id).await;
    });
}

#[test]
fn all_that_a_route_says_is_what_temporal_says() {
    run(async {
        let temporal = Temporal::shared().await;
        for (name, kind) in ATTRIBUTES {
            temporal.register_attribute(name, kind).await;
        }
        let config = Configured::new(&(SOURCE.to_owned() + EVERYTHING));
        let forwarder = Forwarder::start(config.plain()).await;
        let body = json!({"id": 820982911946154508_u64, "name": "#1001", "total_price": "409.94", "test": false,
            "created_at": "2026-11-01T11:00:00-05:00", "tags": ["vip", "eu"], "gone": null});
        let event = Delivery::shopify(body.to_string());
        let answer = Sender::new(&forwarder).send(&event).await;
        assert_eq!(answer.outcome(), "200 started", "{answer:?}");
        let id = format!("order:820982911946154508:{}", event.id);
        let started = temporal.start_of(&id).await;
        assert_eq!(started.workflow_type.expect("a type").name, "Order");
        assert_eq!(started.task_queue.expect("a queue").name, "orders-orders");
        macro_rules! seconds {
            ($span:expr) => {
                $span.map(|span| span.seconds)
            };
        }
        assert_eq!(seconds!(started.workflow_execution_timeout), Some(7200));
        assert_eq!(seconds!(started.workflow_run_timeout), Some(3600));
        assert_eq!(seconds!(started.workflow_task_timeout), Some(20));
        assert_eq!(seconds!(started.first_workflow_task_backoff), Some(600));
        let retry = started.retry_policy.expect("a retry policy");
        assert_eq!(seconds!(retry.initial_interval), Some(2));
        assert_eq!(seconds!(retry.maximum_interval), Some(60));
        assert_eq!(
            (retry.backoff_coefficient, retry.maximum_attempts),
            (3.0, 4)
        );
        assert_eq!(retry.non_retryable_error_types, ["BadOrder"]);
        let priority = started.priority.expect("a priority");
        assert_eq!(priority.priority_key, 1);
        assert_eq!(priority.fairness_key, "e2e.myshopify.com");
        assert!((priority.fairness_weight - 2.5).abs() < f32::EPSILON);
        let versioning = started.versioning_override.expect("a version");
        assert!(matches!(
            versioning.r#override,
            Some(Override::AutoUpgrade(true))
        ));

        let memo = started.memo.expect("a memo").fields;
        assert_eq!(json(&memo["order"]), json!("#1001 (409.94)"));
        assert_eq!(json(&memo["tags"]), json!(["vip", "eu"]));
        assert_eq!(json(&memo["event_id"]), json!(event.id));
        assert!(!memo.contains_key("gone"), "null leaves it out");

        let described = temporal.description(&id).await;
        let metadata = described
            .execution_config
            .and_then(|config| config.user_metadata);
        let metadata = metadata.expect("what people see");
        assert_eq!(
            json(&metadata.summary.expect("a summary")),
            json!("Order #1001")
        );
        assert_eq!(
            json(&metadata.details.expect("details")),
            json!("shop e2e.myshopify.com")
        );
        let info = described.workflow_execution_info.expect("it is described");
        let found = info.search_attributes.expect("attributes").indexed_fields;
        let attribute = |name: &str| -> (String, Value) {
            let payload = &found[name];
            let kind = String::from_utf8_lossy(&payload.metadata["type"]).into_owned();
            (kind, serde_json::from_slice(&payload.data).expect("JSON"))
        };
        for (name, kind, value) in [
            ("TwfShop", "Keyword", json!("e2e.myshopify.com")),
            ("TwfOrder", "Int", json!(820982911946154508_u64)),
            ("TwfTotal", "Double", json!(409.94)),
            ("TwfTest", "Bool", json!(false)),
            ("TwfAt", "Datetime", json!("2026-11-01T11:00:00-05:00")),
            ("TwfNote", "Text", json!("order #1001 of e2e")),
            ("TwfTags", "KeywordList", json!(["vip", "eu"])),
        ] {
            assert_eq!(attribute(name), (kind.to_owned(), value), "{name}");
        }
        assert!(!found.contains_key("TwfGone"), "null leaves it out");
        let what = "the workflow is found by its attributes";
        eventually(what, PATIENCE, || async {
            let query = format!("TwfShop = 'e2e.myshopify.com' AND TwfOrder = 820982911946154508 AND WorkflowId = '{id}'");
            (temporal.count(&query).await == 1).then_some(())
        })
        .await;
    });
}

#[test]
fn a_workflow_is_pinned_to_a_version_of_its_workers() {
    run(async {
        let config = Configured::new(&(SOURCE.to_owned() + PINNED));
        let forwarder = Forwarder::start(config.plain()).await;
        let event = Delivery::order();
        let answer = Sender::new(&forwarder).send(&event).await;
        if answer.status == 503 {
            // The server of 1.32 wants a worker of the version to have been there before; that of 1.29 does not.
            let line = forwarder.request_line(answer.request_id());
            let reason = line["reason"].as_str().unwrap_or_default();
            assert_eq!(line["outcome"], "refused", "{line}");
            assert!(reason.contains("Pinned version 'orders:1.4'"), "{line}");
            return;
        }
        assert_eq!(answer.outcome(), "200 started");
        let started = Temporal::shared().await.start_of(&event.id).await;
        let versioning = started.versioning_override.expect("a version");
        let Some(Override::Pinned(pinned)) = versioning.r#override else {
            panic!("{versioning:?}");
        };
        let version = pinned.version.expect("which");
        assert_eq!(
            (&*version.deployment_name, &*version.build_id),
            ("orders", "1.4")
        );
    });
}

#[test]
fn what_people_see_is_encrypted_too() {
    run(async {
        let temporal = Temporal::shared().await;
        let config = Configured::new(&(SOURCE.to_owned() + SUMMARISED));
        let forwarder = Forwarder::start(ForwarderConfig {
            aes: Some(AES),
            ..config.plain()
        })
        .await;
        let event = Delivery::order();
        Sender::new(&forwarder).send(&event).await;
        let described = temporal.description(&event.id).await;
        let metadata = described
            .execution_config
            .and_then(|config| config.user_metadata);
        let summary = metadata
            .and_then(|metadata| metadata.summary)
            .expect("a summary");
        let summary = open(&summary, AES.1, AES.0);
        assert_eq!(json(&summary), json!("an order of e2e.myshopify.com"));
        let memo = temporal.started(&event.id).await.memo;
        assert_eq!(
            json(&open(&memo["order"], AES.1, AES.0)),
            json!(820982911946154508_u64)
        );
    });
}

#[test]
fn routes_change_while_it_runs() {
    run(async {
        let temporal = Temporal::shared().await;
        let config = Configured::new(SOURCE);
        let forwarder = Forwarder::start(config.plain()).await;
        let sender = Sender::new(&forwarder);
        let before = Delivery::order();
        assert_eq!(sender.send(&before).await.outcome(), "200 started");
        config.rewrite(
            &(SOURCE.to_owned()
                + "[[source.route]]\nwhen = 'topics == \"a\"'\naction = \"drop\"\n"),
        );
        let refused = forwarder.line("the mistake", |line| line["mistake"].is_string());
        let text = refused["mistake"].as_str().unwrap_or_default();
        assert!(
            text.contains("unknown variable \"topics\"") && text.contains(".toml:"),
            "{text}"
        );
        config.rewrite(
            &(SOURCE.to_owned()
                + "[[source.route]]\nwhen = 'topic == \"orders/create\"'\naction = \"drop\"\n"),
        );
        forwarder.line("the reload", |line| {
            line["message"] == "configuration reloaded"
        });
        let after = Delivery::order();
        assert_eq!(sender.send(&after).await.outcome(), "200 dropped");
        temporal.assert_absent(&after.id).await;
    });
}

const ATTRIBUTES: [(&str, &str); 8] = [
    ("TwfShop", "Keyword"),
    ("TwfOrder", "Int"),
    ("TwfTotal", "Double"),
    ("TwfTest", "Bool"),
    ("TwfAt", "Datetime"),
    ("TwfNote", "Text"),
    ("TwfTags", "KeywordList"),
    ("TwfGone", "Keyword"),
];

const SOURCE: &str = r#"
[[source]]
path = "/temporal/shopify"
provider = "shopify"
secrets = ["env:SHOPIFY_WEBHOOKS_KEY"]
"#;

const BY_EVENT: &str = r#"
[[source.route]]
when = 'headers["x-shopify-test"] == "true"'
action = "drop"

[[source.route]]
when = 'topic == "orders/create" && double(body.total_price) > 1000.0'
task_queue = "big-orders"
priority = 1

[[source.route]]
when = 'topic.startsWith("orders/") && has(body.total_price)'
task_queue = "{topic.replace('/', '-')}"

[[source.route]]
when = 'body.never.there == 1'
action = "drop"
"#;

const EVERYTHING: &str = r#"
[[source.route]]
when = 'true'
workflow_id = "order:{body.id}:{event_id}"
workflow_type = "Order"
task_queue = "orders-{topic.split('/')[0]}"
execution_timeout = "2h"
run_timeout = "1h"
task_timeout = "20s"
start_delay = "10m"
retry = { initial_interval = "2s", backoff_coefficient = 3.0, maximum_interval = "1m", maximum_attempts = 4, non_retryable = ["BadOrder"] }
priority = 1
fairness_key = "{tenant}"
fairness_weight = 2.5
versioning_override = "auto-upgrade"
summary = "Order {body.name}"
details = "shop {tenant}"
memo = { order = "{body.name} ({body.total_price})", tags = "{body.tags}", gone = "{body.gone}" }

[source.route.search_attributes]
TwfShop = "{tenant}"
TwfOrder = "{body.id}"
TwfTotal = "{double(body.total_price)}"
TwfTest = "{body.test}"
TwfAt = "{timestamp(body.created_at)}"
TwfNote = "order {body.name} of {tenant.split('.')[0]}"
TwfTags = "{body.tags}"
TwfGone = "{body.gone}"
"#;

const PINNED: &str = r#"
versioning_override = { deployment = "orders", build_id = "1.4" }
"#;

const SUMMARISED: &str = r#"
summary = "an order of {tenant}"
memo = { order = "{body.id}" }
"#;

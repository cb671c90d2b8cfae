//! docs/troubleshooting.md shows log lines as the program writes them: each of its examples has the
//! fields, the level and the reason of a line that a real forwarder writes here.

use std::collections::BTreeSet;
use std::time::Duration;

use reqwest::Method;
use serde_json::Value;
use tokio::io::AsyncWriteExt;
use uuid::Uuid;

use crate::support::configured::Configured;
use crate::support::delivery::{Delivery, SHOPIFY, hmac, unix_now};
use crate::support::forwarder::{Forwarder, ForwarderConfig};
use crate::support::proxy::ChaosProxy;
use crate::support::raw;
use crate::support::sender::Sender;
use crate::support::temporal::Temporal;
use crate::support::wait::run;
use crate::support::worker::PythonWorker;

#[test]
fn every_example_line_is_one_that_the_program_writes() {
    run(async {
        let shown: Vec<Value> = examples();
        assert!(shown.len() >= 25, "{} lines", shown.len());
        let written = written().await;
        let shapes: BTreeSet<_> = written.iter().map(shape).collect();
        let made_up: Vec<_> = shown
            .iter()
            .filter(|line| !shapes.contains(&shape(line)))
            .map(ToString::to_string)
            .collect();
        let shown: BTreeSet<_> = shown.iter().map(shape).collect();
        let missing: Vec<_> = written
            .iter()
            .filter(|line| !shown.contains(&shape(line)))
            .map(ToString::to_string)
            .collect();
        assert!(
            made_up.is_empty() && missing.is_empty(),
            "shown and not written:\n{}\nwritten and not shown:\n{}",
            made_up.join("\n"),
            missing.join("\n")
        );
    });
}

/// Level, outcome, names of fields, and the reason without its numbers.
fn shape(line: &Value) -> (String, BTreeSet<String>) {
    let fields = line.as_object().expect("an object").keys().cloned();
    let said = ["level", "message", "outcome", "reason", "hint"].map(|field| {
        let text = line[field].as_str().unwrap_or_default();
        let text = text.replace(|c: char| c.is_ascii_digit(), "#");
        let mut text = text.replace("##", "#");
        while text.contains("##") || text.contains("#.#") {
            text = text.replace("##", "#").replace("#.#", "#");
        }
        text
    });
    (said.join(" | "), fields.collect())
}

/// Every line of the page that is a log line, but for that of a panic, which nobody can make on purpose.
fn examples() -> Vec<Value> {
    let lines = PAGE.lines().filter(|line| line.starts_with('{'));
    let lines = lines.map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    lines.filter(|line| line["message"] != PANIC).collect()
}

/// One line for each way in which a request ends.
async fn written() -> Vec<Value> {
    let temporal = Temporal::shared().await;
    let key = Uuid::new_v4().simple().to_string();
    let configured = Configured::new(&CONFIG.replace("MINE", &key));
    let forwarder = Forwarder::start(ForwarderConfig {
        env: &[("DROPBOX_SECRET", KEY), ("SLACK_SECRET", KEY), ("OLD", KEY)],
        ..configured.plain()
    })
    .await;
    let _worker = PythonWorker::entity(&temporal.address(), &format!("carts-{key}"));
    let sender = Sender::new(&forwarder);
    let event = |topic: &str, body: &str| {
        Delivery::shopify(body.replace("MINE", &key)).with("X-Shopify-Topic", topic)
    };
    let order = event("orders/create", r#"{"id":820982911946154508}"#);
    let update = event("checkouts/update", r#"{"token":"MINE"}"#);
    // Python takes a moment to come up: until then no worker takes the update.
    sender.send_until_taken(&update).await;

    let forged = order.clone().signed("another-secret");
    let mut answers = Vec::new();
    for delivery in [
        order.clone(),
        order.clone(),
        event("carts/update", r#"{"token":"MINE"}"#),
        event("checkouts/update", r#"{"token":"MINE"}"#),
        event(
            "checkouts/late",
            r#"{"token":"MINE","mode":"slow","seconds":8}"#,
        ),
        event("checkouts/update", r#"{"token":"MINE","mode":"fail"}"#),
        event("products/update", "{}"),
        event("refunds/create", "{}"),
        event("orders/create", r#"{"id":"#),
        Delivery::bare(Method::GET, "/temporal/dropbox?challenge=abc"),
        order.clone().signed("another-secret"),
        order.clone().without("X-Shopify-Hmac-Sha256"),
        order
            .clone()
            .with_body("{\n  \"id\": 820982911946154508\n}"),
        slack(unix_now() - 900),
        order.clone().without("X-Shopify-Webhook-Id"),
        event("orders/create", ""),
        at("/temporal/shopfy", order.clone()),
        Delivery::bare(Method::GET, &format!("{SHOPIFY}?a=1")),
        at("/temporal/inside", order.clone()),
        Delivery::shopify(format!("[\"{}\"]", "x".repeat(2 * 1024 * 1024))),
        order.clone().with("Content-Encoding", "gzip"),
        event("fulfillments/create", "{}"),
        at("/temporal/limited", order.clone()),
        at("/temporal/limited", order.clone()),
        at("/temporal/guarded", forged.clone()),
        at("/temporal/guarded", forged.clone()),
        at("/temporal/guarded", forged),
        at("/temporal/guarded", order.clone()),
    ] {
        let answer = sender.send(&delivery).await;
        answers.push(forwarder.request_line(answer.request_id()));
    }
    answers.push(broken_off(&forwarder).await);
    drop(forwarder);

    let proxy = ChaosProxy::refusing(temporal.address());
    let alone = Forwarder::without_temporal(&proxy).await;
    let answer = Sender::new(&alone).send(&Delivery::order()).await;
    answers.push(alone.request_line(answer.request_id()));

    let lost = Forwarder::start(ForwarderConfig {
        args: &["--namespace", "shop"],
        await_temporal: false,
        ..Default::default()
    })
    .await;
    let answer = Sender::new(&lost).send(&Delivery::order()).await;
    answers.push(lost.request_line(answer.request_id()));
    answers
}

/// A body that ends before its end.
async fn broken_off(forwarder: &Forwarder) -> Value {
    let order = Delivery::order();
    let mut stream = raw::connect(forwarder).await;
    let begun = [order.head(), order.body[..9].to_vec()].concat();
    stream.write_all(&begun).await.expect("it reads");
    stream.flush().await.expect("it reads");
    tokio::time::sleep(Duration::from_millis(200)).await;
    drop(stream);
    forwarder.line("a body that broke off", |line| {
        line["outcome"] == "too_slow"
    })
}

/// Signed rightly, then kept for a while.
fn slack(now: u64) -> Delivery {
    let body = format!(
        r#"{{"event_id":"{}","type":"event_callback"}}"#,
        Uuid::new_v4()
    );
    let mac = hex::encode(hmac(KEY, format!("v0:{now}:{body}").as_bytes()));
    Delivery::bare(Method::POST, "/temporal/slack")
        .with("Content-Type", "application/json")
        .with("X-Slack-Request-Timestamp", now.to_string())
        .with("X-Slack-Signature", format!("v0={mac}"))
        .with_body(body)
}

fn at(path: &str, mut delivery: Delivery) -> Delivery {
    delivery.path = path.to_owned();
    delivery
}

const PAGE: &str = include_str!("../../docs/troubleshooting.md");
const PANIC: &str = "a request's task panicked";
const KEY: &str = "a-secret-of-this-test-6f5e";
const CONFIG: &str = r#"
[server]
block = { bad_signatures = 3, within = "1m", for = "5m" }

[[source]]
path = "/temporal/shopify"
provider = "shopify"
secrets = ["env:SHOPIFY_WEBHOOKS_KEY", "env:OLD"]

[[source.route]]
when = 'topic == "carts/update"'
action = "signal-with-start"
workflow_type = "Entity"
task_queue = "carts-MINE"
workflow_id = "cart:{body.token}"

[[source.route]]
when = 'topic == "checkouts/update"'
action = "update-with-start"
workflow_type = "Entity"
task_queue = "carts-MINE"
workflow_id = "checkout:{body.token}"
respond = "result"

[[source.route]]
when = 'topic == "checkouts/late"'
action = "update-with-start"
workflow_type = "Entity"
task_queue = "carts-MINE"
workflow_id = "checkout:{body.token}"
respond = "result"
on_late = "accept"

[[source.route]]
when = 'topic == "products/update"'
action = "drop"

[[source.route]]
when = 'topic == "refunds/create"'
workflow_id = "order:{body.order_id}"

[[source.route]]
when = 'topic == "fulfillments/create"'
action = "signal"
workflow_id = "order:1001"

[[source]]
path = "/temporal/dropbox"
provider = "dropbox"
secrets = ["env:DROPBOX_SECRET"]

[[source]]
path = "/temporal/slack"
provider = "slack"
secrets = ["env:SLACK_SECRET"]

[[source]]
path = "/temporal/inside"
provider = "shopify"
secrets = ["env:SHOPIFY_WEBHOOKS_KEY"]
allow = ["192.0.2.0/24"]
block = false

[[source]]
path = "/temporal/limited"
provider = "shopify"
secrets = ["env:SHOPIFY_WEBHOOKS_KEY"]
rate_limit = { per_hour = 1 }

[[source.route]]
when = 'topic == "products/update"'
action = "drop"

[[source]]
path = "/temporal/guarded"
provider = "shopify"
secrets = ["env:SHOPIFY_WEBHOOKS_KEY", "env:OLD"]
"#;

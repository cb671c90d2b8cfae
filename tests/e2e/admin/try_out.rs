//! A test by the operator: through the whole pipeline, to a task queue and an id of its own, marked so that
//! no sender can; and what cannot be signed says why.

use reqwest::Method;
use serde_json::{Value, json};

use super::{assert_problem, text};
use crate::support::configured::Configured;
use crate::support::delivery::{Delivery, SHOPIFY};
use crate::support::event::Envelope;
use crate::support::forwarder::{Forwarder, ForwarderConfig};
use crate::support::leaks;
use crate::support::run::Run;
use crate::support::sender::{Answer, Sender};
use crate::support::temporal::Temporal;
use crate::support::wait::run;

#[test]
fn a_test_goes_through_everything_and_to_a_queue_of_its_own() {
    run(async {
        let configured = Configured::new(SOURCES);
        let forwarder = start(&configured).await;
        let temporal = Temporal::shared().await;
        for source in ["shopify", "stripe", "slack", "twilio", "open"] {
            let test = post(&forwarder, &format!("/test/{source}")).await;
            assert_eq!(test.status, 200, "{test:?}");
            let test = test.json();
            assert_eq!(test["passed"], true, "{test}");
            assert_eq!(test["task_queue"], "webhook-test", "{test}");
            assert_eq!(test["entry"]["outcome"], "started", "{test}");
            let id = text(&test["entry"], "workflow_id");
            assert!(id.starts_with("webhook-test:"), "{test}");
            let started = temporal.started(id).await;
            assert_eq!(started.task_queue, "webhook-test");
            let headers = Envelope::read(started.argument().1).headers;
            assert_eq!(headers["x-webhook-test"], "true", "{headers:?}");
            let verified = if source == "open" { "false" } else { "true" };
            assert_eq!(headers["x-webhook-verified"], verified, "{headers:?}");
        }
        let other = post(
            &forwarder,
            "/test/shopify?task_queue=mine&topic=orders/paid",
        )
        .await;
        let entry = &other.json()["entry"];
        assert_eq!(entry["topic"], "orders/paid", "{entry}");
        let started = temporal.started(text(entry, "workflow_id")).await;
        assert_eq!(started.task_queue, "mine");
        let admin = Sender::plain(&forwarder.admin.to_string());
        let stats = admin
            .get_with("/stats", &[("Authorization", BEARER)])
            .await
            .json();
        assert_eq!(stats["process"]["total"], 0, "no traffic: {stats}");
        let counted = forwarder.metrics().await;
        let line = format!(r#"requests_total{{source="{SHOPIFY}",outcome="started"}} 0"#);
        assert!(counted.contains(&line), "{line}: {counted}");
    });
}

#[test]
fn no_replay_does_in_earnest_what_a_test_says() {
    run(async {
        let configured = Configured::new(SOURCES);
        let forwarder = start(&configured).await;
        let endpoint = Temporal::shared().await.address();
        for source in ["shopify", "typed"] {
            let test = post(&forwarder, &format!("/test/{source}")).await.json();
            let id = text(&test["entry"], "workflow_id").to_owned();
            let more = ["--no-tls", "--endpoint", &endpoint, "--workflow-id", &id];
            let args = [&["replay"], configured.args(), &more].concat();
            let run = Run::new(&args, &ENV);
            assert_eq!(run.code, Some(1), "{run:?}");
            let said = run.stdout.clone() + &run.stderr;
            assert!(said.contains("it was sent as a test"), "{run:?}");
        }
    });
}

#[test]
fn a_sender_can_neither_say_that_it_is_a_test_nor_choose_the_queue() {
    run(async {
        let configured = Configured::new(SOURCES);
        let forwarder = start(&configured).await;
        let sender = Sender::new(&forwarder);
        let pretended = Delivery::bare(Method::POST, "/open?task_queue=mine")
            .with("X-Webhook-Test", "true")
            .with("X-Webhook-Other", "kept")
            .with("Webhook-Id", uuid::Uuid::new_v4().to_string())
            .with("Content-Type", "application/json")
            .with_body("{}");
        let answer = sender.send(&pretended).await;
        assert_eq!(answer.outcome(), "200 started");
        let temporal = Temporal::shared().await;
        let started = temporal.started(text(&answer.json(), "workflow_id")).await;
        assert_eq!(started.task_queue, "generic_webhooks");
        let headers = Envelope::read(started.argument().1).headers;
        assert_eq!(headers.get("x-webhook-test"), None, "{headers:?}");
        assert_eq!(headers["x-webhook-other"], "kept");
        let public = Sender::new(&forwarder);
        let test = public
            .send(&Delivery::bare(Method::POST, "/test/shopify"))
            .await;
        assert_eq!(test.status, 404, "never on the public listener: {test:?}");
    });
}

#[test]
fn what_no_test_can_be_made_of_says_why() {
    run(async {
        let configured = Configured::new(SOURCES);
        let forwarder = start(&configured).await;
        for (path, status, says) in [
            ("/test/discord", 422, "private key that only Discord"),
            ("/test/greets", 422, "by its address"),
            ("/test/shopifi", 404, "did you mean `shopify`"),
            ("/test/shopify?sample=none", 400, "sample"),
            ("/test/shopify?queue=a", 400, "expected task_queue"),
            (
                "/test/shopify?task_queue=",
                400,
                "task_queue: expected 1 to 200",
            ),
        ] {
            assert_problem(&post(&forwarder, path).await, status, says);
        }
        let admin = Sender::plain(&forwarder.admin.to_string());
        let large = Delivery::bare(Method::POST, "/test/shopify").with("Authorization", BEARER);
        let large = admin.ask(&large.with_body(vec![b' '; 3 << 20])).await;
        assert_problem(&large, 413, "");
        // What would reach a workflow of a real event is not done.
        let signal = post(&forwarder, "/test/signals").await.json();
        assert_eq!(signal["passed"], false, "{signal}");
        assert!(
            text(&signal["entry"], "reason").contains("a test sends none"),
            "{signal}"
        );
        assert_eq!(
            signal["entry"]["workflow_id"],
            Value::Null,
            "and none is parked"
        );
        let get = Sender::plain(&forwarder.admin.to_string());
        let get = get
            .get_with("/test/shopify", &[("Authorization", BEARER)])
            .await;
        assert_problem(&get, 405, "");
    });
}

#[test]
fn without_a_token_nobody_sends_a_test() {
    run(async {
        let forwarder = Forwarder::start(ForwarderConfig::default()).await;
        let test = post(&forwarder, "/test/shopify").await;
        assert_problem(&test, 403, "--admin-token");
        let configured = Configured::new(SOURCES);
        let forwarder = start(&configured).await;
        let admin = Sender::plain(&forwarder.admin.to_string());
        let bare = Delivery::bare(Method::POST, "/test/shopify");
        assert_eq!(admin.ask(&bare).await.status, 401);
    });
}

async fn start(configured: &Configured) -> Forwarder {
    leaks::forbid("admin-token-of-the-tests");
    leaks::forbid("whsec_try-out-51f0");
    Forwarder::start(ForwarderConfig {
        env: &ENV,
        ..configured.plain()
    })
    .await
}

async fn post(forwarder: &Forwarder, path: &str) -> Answer {
    let admin = Sender::plain(&forwarder.admin.to_string());
    let test = Delivery::bare(Method::POST, path).with("Authorization", BEARER);
    let answer = admin.ask(&test).await;
    assert_eq!(
        leaks::find(std::slice::from_ref(&answer.text)),
        Vec::<String>::new()
    );
    assert_ne!(json!(answer.status), 401, "{answer:?}");
    answer
}

const BEARER: &str = "Bearer admin-token-of-the-tests";
const ENV: [(&str, &str); 3] = [
    ("SHOPIFY_WEBHOOKS_KEY", crate::support::forwarder::SECRET),
    ("ADMIN_TOKEN", "admin-token-of-the-tests"),
    ("OTHER_SECRET", "whsec_try-out-51f0"),
];
const SOURCES: &str = r#"
[admin]
listen = "127.0.0.1:0"
token = "env:ADMIN_TOKEN"

[[source]]
path = "/temporal/shopify"
provider = "shopify"
secrets = ["env:SHOPIFY_WEBHOOKS_KEY"]
workflow_id = "order-{body.id}-{event_id}"
allow = ["192.0.2.0/24", "127.0.0.1"]

[[source]]
path = "/typed"
provider = "shopify"
secrets = ["env:SHOPIFY_WEBHOOKS_KEY"]
workflow_id = "typed-{event_id}"
format = "protobuf"

[[source]]
path = "/stripe"
provider = "stripe"
secrets = ["env:OTHER_SECRET"]

[[source]]
path = "/slack"
provider = "slack"
secrets = ["env:OTHER_SECRET"]

[[source]]
path = "/twilio"
provider = "twilio"
secrets = ["env:OTHER_SECRET"]
public_url = "https://hooks.example.com/twilio"

[[source]]
path = "/open"
provider = "generic"
danger_accept_unverified = true
keep_headers = ["x-webhook-*", "content-type"]

[[source]]
path = "/discord"
provider = "discord-events"
secrets = ["d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"]

[[source]]
path = "/greets"
provider = "generic"
verify = "address-handshake"
verify_token = "env:OTHER_SECRET"

[[source]]
path = "/signals"
provider = "generic"
danger_accept_unverified = true
action = "signal"
signal = "paid"
workflow_id = "order-{topic}"
"#;

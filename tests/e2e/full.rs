//! Workflows that take no more: Temporal's limits of signals and updates, and closed runs under
//! `reject-duplicate`. What was taken before is not done twice, what was not is parked.

mod closed;
mod signals;

use serde_json::json;
use uuid::Uuid;

use crate::support::configured::Configured;
use crate::support::delivery::Delivery;
use crate::support::forwarder::{AES, Forwarder, ForwarderConfig, SECRET};
use crate::support::run::Run;
use crate::support::sender::{Answer, Sender};
use crate::support::temporal::Temporal;

/// A forwarder with a route for each case, and an entity of this test's own.
struct Stage<'a> {
    temporal: &'a Temporal,
    configured: Configured,
    forwarder: Forwarder,
    sender: Sender,
    is_encrypted: bool,
    key: String,
}

impl<'a> Stage<'a> {
    async fn new(temporal: &'a Temporal, is_encrypted: bool) -> Self {
        let key = Uuid::new_v4().simple().to_string();
        let configured = Configured::new(&ROUTES.replace("QUEUE", &format!("full-{key}")));
        let forwarder = Forwarder::start(ForwarderConfig {
            endpoint: Some(temporal.address()),
            aes: is_encrypted.then_some(AES),
            ..configured.plain()
        })
        .await;
        Self {
            temporal,
            configured,
            sender: Sender::new(&forwarder),
            forwarder,
            is_encrypted,
            key,
        }
    }

    fn queue(&self) -> String {
        format!("full-{}", self.key)
    }

    fn event(&self, topic: &str) -> Delivery {
        let body = json!({"key": self.key}).to_string();
        Delivery::shopify(body).with("X-Shopify-Topic", topic)
    }

    async fn send(&self, event: &Delivery) -> Answer {
        self.sender.send(event).await
    }

    async fn metrics(&self) -> String {
        let admin = Sender::plain(&self.forwarder.admin.to_string());
        admin.get("/metrics").await.text
    }

    /// Of the dead letters of these events.
    fn replay(&self, flags: &[&str], events: &[&Delivery]) -> Run {
        let address = self.temporal.address();
        let letters: Vec<_> = events.iter().map(|event| letter(event)).collect();
        let letters: Vec<_> = letters
            .iter()
            .flat_map(|id| ["--workflow-id", id])
            .collect();
        let common = ["replay", "--endpoint", &address];
        let args = [&common[..], self.configured.args(), flags, &letters].concat();
        let keys = [("AES_KEY", AES.0), ("AES_KEY_ID", AES.1)];
        let keys = if self.is_encrypted { &keys[..] } else { &[] };
        Run::new(&args, &[&[("SHOPIFY_WEBHOOKS_KEY", SECRET)], keys].concat())
    }

    async fn is_open(&self, event: &Delivery) -> bool {
        let description = self.temporal.description(&letter(event)).await;
        let info = description.workflow_execution_info;
        info.expect("it is there").close_time.is_none()
    }
}

fn letter(event: &Delivery) -> String {
    format!("dead-letter:/temporal/shopify:{}", event.id)
}

const ROUTES: &str = r#"
[[source]]
path = "/temporal/shopify"
provider = "shopify"
secrets = ["env:SHOPIFY_WEBHOOKS_KEY"]
task_queue = "QUEUE"
workflow_type = "Entity"
workflow_id = "entity:{body.key}"
deadline = "1m"

[[source.route]]
when = 'topic == "entity"'
action = "signal-with-start"

[[source.route]]
when = 'topic == "cart"'
action = "signal-with-start"
workflow_type = "Cart"

[[source.route]]
when = 'topic == "signal"'
action = "signal"

[[source.route]]
when = 'topic == "odd"'
summary = "{body.missing}"

[[source.route]]
when = 'topic == "once"'
action = "signal-with-start"
reuse_policy = "reject-duplicate"

[[source.route]]
when = 'topic == "update"'
action = "update-with-start"
respond = "result"

[[source.route]]
when = 'topic == "update-once"'
action = "update-with-start"
respond = "result"
reuse_policy = "reject-duplicate"

[[source.route]]
when = 'topic == "update-accepted"'
action = "update-with-start"
reuse_policy = "reject-duplicate"
"#;

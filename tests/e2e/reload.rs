//! New settings without a restart: under load, good and bad, by polling and by SIGHUP.

mod certificates;
mod says;
mod takes;
mod under_load;

use std::cell::Cell;

use serde_json::Value;

use crate::support::delivery::{Delivery, SHOPIFY};
use crate::support::forwarder::Forwarder;
use crate::support::sender::Sender;
use crate::support::temporal::Temporal;

/// The reload that is so manieth to have changed something.
fn nth_reload(forwarder: &Forwarder, number: usize) -> Value {
    let seen = Cell::new(0);
    forwarder.line(&format!("reload {number}"), |line| {
        let counts = line["message"] == "configuration reloaded" && line["changed"] != "nothing";
        seen.set(seen.get() + usize::from(counts));
        counts && seen.get() == number
    })
}

/// A source with a queue that says which file it came from.
fn good(number: usize) -> String {
    format!(
        "{}task_queue = 'queue-{number}'\n",
        with_secrets("['env:SHOPIFY_WEBHOOKS_KEY']")
    )
}

fn with_secrets(secrets: &str) -> String {
    format!("[[source]]\npath = '{SHOPIFY}'\nprovider = 'shopify'\nsecrets = {secrets}\n")
}

/// The task queue that an event gets now.
async fn queue(forwarder: &Forwarder) -> String {
    let delivery = Delivery::order();
    let answer = Sender::new(forwarder).send(&delivery).await;
    assert_eq!(answer.outcome(), "200 started");
    Temporal::shared()
        .await
        .started(&delivery.id)
        .await
        .task_queue
}

async fn last_reload(forwarder: &Forwarder) -> String {
    let page = Sender::plain(&forwarder.admin.to_string())
        .get("/metrics")
        .await;
    let name = "webhook_forwarder_config_last_reload_success ";
    let mut lines = page.text.lines();
    let value = lines.find_map(|line| line.strip_prefix(name));
    value.expect("the metric is there").to_owned()
}

fn is_refusal(line: &Value) -> bool {
    line["level"] == "ERROR" && line["message"] == "the new configuration is not used"
}

fn text<'a>(line: &'a Value, key: &str) -> &'a str {
    line[key].as_str().unwrap_or_default()
}

fn count(forwarder: &Forwarder, message: &str) -> usize {
    let lines = forwarder.log_lines();
    lines.iter().filter(|line| line.contains(message)).count()
}

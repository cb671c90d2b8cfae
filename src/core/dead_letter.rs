//! An event that can never start as configured, whole, for a person to look at and for `replay`.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use temporalio_common::protos::temporal::api::common::v1::Payload;

use super::action::Options;
use super::codec::Compression;
use super::event::Event;
use super::payload::{self, Format, protobuf};
use super::route::{Call, Verb, default_memo};

/// The one argument of a dead letter's workflow.
#[derive(Debug, Serialize, Deserialize)]
pub struct DeadLetter {
    /// Why it could not start.
    pub reason: String,
    /// The route that was meant for it.
    pub route: String,
    /// A `webhook.forwarder.v1.WebhookEvent` as proto3 JSON.
    pub event: Box<RawValue>,
}

/// The start of a dead letter's workflow, and its payload. The workflow's id has the event's, so
/// that a redelivery is not parked twice.
pub fn start(event: &Event, route: &str, reason: &str, task_queue: &str) -> (Call, Payload) {
    let whole = protobuf::to_json(&protobuf::webhook_event(event));
    let whole = String::from_utf8(whole).ok();
    let letter = DeadLetter {
        reason: reason.to_owned(),
        route: route.to_owned(),
        event: whole
            .and_then(|json| RawValue::from_string(json).ok())
            .expect("proto3 JSON is JSON"),
    };
    let payload = payload::serialized(&letter);
    let mut memo = default_memo(event, Format::Protobuf);
    memo.insert("reason".to_owned(), Value::from(reason));
    memo.insert("route".to_owned(), json!(route));
    let is_large = payload.data.len() > LARGE;
    let call = Call {
        verb: Verb::Start,
        workflow_id: format!("dead-letter:{}:{}", event.source, event.id),
        workflow_type: WORKFLOW_TYPE.to_owned(),
        task_queue: task_queue.to_owned(),
        options: Options::default(),
        fairness_key: None,
        search_attributes: serde_json::Map::new(),
        memo,
        summary: Some(format!("{} {}", event.source, event.id)),
        details: None,
        format: Format::Json,
        // Its body in base64 might not fit as it is.
        compression: if is_large {
            Compression::Zlib
        } else {
            Compression::None
        },
    };
    (call, payload)
}

/// The type of a dead letter's workflow.
pub const WORKFLOW_TYPE: &str = "WebhookDeadLetter";
/// Bytes over which a dead letter is compressed.
const LARGE: usize = 1024 * 1024;

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::core::event::tests::sample;

    #[test]
    fn it_is_what_the_documentation_shows() {
        let page = include_str!("../../docs/routes.md");
        let (_, shown) = page.split_once("```json\n").expect("an example");
        let (shown, _) = shown.split_once("```").expect("it ends");
        let shown: Value = serde_json::from_str(shown).expect("JSON");
        let reason = shown["reason"].as_str().expect("a text");
        let (call, payload) = start(&sample(), "route 1", reason, "webhook_dead_letters");
        let letter: Value = serde_json::from_slice(&payload.data).expect("JSON");
        assert_eq!(letter, shown);
        assert_eq!(call.workflow_id, "dead-letter:/temporal/shopify:b54557e4");
        assert_eq!(
            (&call.memo["reason"], &call.memo["route"]),
            (&shown["reason"], &shown["route"])
        );
    }
}

//! An event that can never start as configured, whole, for a person to look at and for `replay`.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::codec::Compression;
use super::event::{Event, short};
use super::options::Options;
use super::outcome::{Execution, Reject};
use super::payload::{self, Format, protobuf};
use super::proto::Payload;
use super::route::{Call, Verb, default_memo};
pub use crate::expression::template::DEAD_LETTER as NAME;

/// Why an event is parked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// In words.
    pub reason: String,
    /// What kind of.
    pub kind: Kind,
}

/// The kinds of [`Cause`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// It can never start as configured.
    Unstartable,
    /// Encoded, it is over what Temporal takes.
    TooLarge,
    /// This run takes no more, and may have taken an earlier delivery of it.
    MayHaveBeenTaken(Execution),
}

/// The one argument of a dead letter's workflow.
#[derive(Debug, Serialize, Deserialize)]
pub struct DeadLetter {
    /// Why it could not start.
    pub reason: String,
    /// The route that was meant for it.
    pub route: String,
    /// The run that may have taken its event already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub may_have_been_taken: Option<Run>,
    /// A `webhook.forwarder.v1.WebhookEvent` as proto3 JSON.
    pub event: Box<RawValue>,
}

/// A workflow's run, as a dead letter names it.
#[derive(Debug, Serialize, Deserialize)]
pub struct Run {
    /// The workflow's id.
    pub workflow_id: String,
    /// The run's id; empty if it was not to be learnt.
    pub run_id: String,
}

/// How a dead letter is started.
#[derive(Debug, Clone)]
pub struct DeadLetterStart<'a> {
    /// The name of the route that was meant for it.
    pub route: &'a str,
    /// Why it is one.
    pub cause: &'a Cause,
    /// Where it waits.
    pub task_queue: &'a str,
    /// Those of the route that have a value.
    pub search_attributes: Map<String, Value>,
    /// Whether it is compressed, however small.
    pub compress: bool,
}

impl Cause {
    /// # Errors
    /// What is no reason to park an event.
    pub fn of(reject: Reject) -> Result<Self, Reject> {
        let (reason, kind) = match reject {
            Reject::Unstartable(reason) => (reason, Kind::Unstartable),
            Reject::Oversized(reason) => (reason, Kind::TooLarge),
            Reject::MaybeTaken(run, reason) => (reason, Kind::MayHaveBeenTaken(run)),
            other => return Err(other),
        };
        Ok(Self { reason, kind })
    }

    /// The value of the metric's label `reason`: one of [`LABELS`].
    pub const fn label(&self) -> &'static str {
        match self.kind {
            Kind::Unstartable => LABELS[0],
            Kind::TooLarge => LABELS[1],
            Kind::MayHaveBeenTaken(_) => LABELS[2],
        }
    }

    fn run(&self) -> Option<Run> {
        match &self.kind {
            Kind::MayHaveBeenTaken(run) => Some(Run {
                workflow_id: run.workflow_id.clone(),
                run_id: run.run_id.clone(),
            }),
            _ => None,
        }
    }
}

impl From<Run> for Execution {
    fn from(run: Run) -> Self {
        let Run {
            workflow_id,
            run_id,
        } = run;
        Self {
            workflow_id,
            run_id,
        }
    }
}

/// The start of a dead letter's workflow, and its payload. The workflow's id has the event's, so
/// that a redelivery is not parked twice.
pub fn start(event: &Event, letter: DeadLetterStart<'_>) -> (Call, Payload) {
    let DeadLetterStart { route, cause, .. } = letter;
    let json = protobuf::to_json(&protobuf::webhook_event(event));
    let dead_letter = DeadLetter {
        reason: cause.reason.clone(),
        route: route.to_owned(),
        may_have_been_taken: cause.run(),
        event: String::from_utf8(json)
            .ok()
            .and_then(|json| RawValue::from_string(json).ok())
            .expect("proto3 JSON is JSON"),
    };
    let payload = payload::serialized(&dead_letter);
    let mut memo = default_memo(event, Format::Protobuf);
    memo.insert("reason".to_owned(), json!(cause.reason));
    memo.insert("route".to_owned(), json!(route));
    if let Some(run) = cause.run() {
        memo.insert("may_have_been_taken".to_owned(), json!(run));
    }
    let compress = letter.compress || payload.data.len() > COMPRESS_ABOVE;
    let call = Call {
        verb: Verb::Start,
        workflow_id: format!("{}{}", id_prefix(&event.source), event.id),
        workflow_type: WORKFLOW_TYPE.to_owned(),
        task_queue: letter.task_queue.to_owned(),
        options: Options {
            summary: Some(summary(event, &cause.reason)),
            ..Options::default()
        },
        search_attributes: letter.search_attributes,
        memo,
        format: Format::Json,
        // Its body in base64 might not fit as it is.
        compression: if compress {
            Compression::Zlib
        } else {
            Compression::None
        },
    };
    (call, payload)
}

/// How the ids of the dead letters of the source at this path begin. No other workflow's does: the name
/// is kept, and a template that makes an id writes the colon after it as `%3A`.
pub fn id_prefix(source: &str) -> String {
    format!("{NAME}:{source}:")
}

/// Takes out the search attribute that Temporal's refusal names, or all if it names none.
pub fn remove_refused(attributes: &mut Map<String, Value>, refusal: &str) {
    let names = attributes
        .keys()
        .filter(|name| contains_name(refusal, name));
    match names.max_by_key(|name| name.len()).cloned() {
        Some(name) => drop(attributes.remove(&name)),
        None => attributes.clear(),
    }
}

/// Whether the text has the name, and not as a part of another.
pub fn contains_name(text: &str, name: &str) -> bool {
    let is_part = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || "_-".contains(c));
    text.match_indices(name).any(|(at, _)| {
        let (before, after) = (&text[..at], &text[at + name.len()..]);
        !is_part(before.chars().next_back()) && !is_part(after.chars().next())
    })
}

/// One line for people: what it is, and why.
fn summary(event: &Event, reason: &str) -> String {
    let topic = event.topic.as_deref().unwrap_or_default();
    let parts: Vec<_> = [event.source.as_str(), topic, &event.id]
        .into_iter()
        .filter(|part| !part.is_empty())
        .map(|part| short(part, 100))
        .collect();
    let line = format!("{}: {}", parts.join(" "), short(reason, 160));
    line.replace(char::is_control, " ")
}

/// The values of the metric's label `reason`.
pub const LABELS: [&str; 3] = ["unstartable", "too_large", "may_have_been_taken"];
/// The type of a dead letter's workflow.
pub const WORKFLOW_TYPE: &str = "WebhookDeadLetter";
/// Bytes over which a dead letter is compressed.
const COMPRESS_ABOVE: usize = 1024 * 1024;

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::event::tests::sample;

    fn letter(cause: &Cause) -> DeadLetterStart<'_> {
        DeadLetterStart {
            route: "route 1",
            cause,
            task_queue: "webhook_dead_letters",
            search_attributes: Map::new(),
            compress: false,
        }
    }

    #[test]
    fn what_can_never_start_is_parked_and_what_is_of_the_moment_is_not() {
        let reason = || "because".to_owned();
        let run = Execution {
            workflow_id: "w".to_owned(),
            run_id: "r".to_owned(),
        };
        for (reject, label) in [
            (Reject::Unstartable(reason()), "unstartable"),
            (Reject::Oversized(reason()), "too_large"),
            (Reject::MaybeTaken(run, reason()), "may_have_been_taken"),
        ] {
            let cause = Cause::of(reject).expect("a reason to park it");
            assert_eq!((cause.label(), cause.reason.as_str()), (label, "because"));
        }
        for reject in [
            Reject::Unavailable(reason()),
            Reject::Refused(reason()),
            Reject::Internal("because"),
            Reject::TooLarge(reason()),
            Reject::TooSlow("because"),
        ] {
            assert_eq!(Cause::of(reject.clone()), Err(reject));
        }
    }

    #[test]
    fn one_that_may_have_been_taken_says_by_whom() {
        let run = Execution {
            workflow_id: "cart:c1".to_owned(),
            run_id: "r".to_owned(),
        };
        let cause = Cause::of(Reject::MaybeTaken(run, "full".to_owned())).expect("a reason");
        assert_eq!(cause.label(), "may_have_been_taken");
        let (call, payload) = start(&sample(), letter(&cause));
        let data: Value = serde_json::from_slice(&payload.data).expect("JSON");
        let expected = json!({"workflow_id": "cart:c1", "run_id": "r"});
        assert_eq!(data["may_have_been_taken"], expected);
        assert_eq!(call.memo["may_have_been_taken"], expected);
        let read: DeadLetter = serde_json::from_slice(&payload.data).expect("one");
        assert_eq!(read.may_have_been_taken.expect("it says so").run_id, "r");
    }

    #[test]
    fn the_summary_has_topic_and_reason_and_is_short() {
        let mut event = sample();
        assert_eq!(
            summary(&event, "no such key: id"),
            "/temporal/shopify orders/create b54557e4: no such key: id"
        );
        event.topic = Some("ö\n".repeat(500));
        let long = summary(&event, &"ä".repeat(1000));
        assert!(long.len() < 800 && !long.contains('\n'), "{long}");
        event.topic = None;
        assert_eq!(summary(&event, "r"), "/temporal/shopify b54557e4: r");
    }

    #[test]
    fn the_attribute_that_is_refused_is_left_out() {
        let all = || json!({"Order": 1, "OrderId": 2, "Shop": 3});
        for (refusal, left) in [
            (
                "Namespace default has no mapping defined for search attribute OrderId",
                json!({"Order": 1, "Shop": 3}),
            ),
            (
                "invalid value for search attribute Order of type Int",
                json!({"OrderId": 2, "Shop": 3}),
            ),
            (
                "total size of search attributes 50000 exceeds size limit 40960",
                json!({}),
            ),
            ("search attribute OrderIds is not defined", json!({})),
        ] {
            let Value::Object(mut attributes) = all() else {
                unreachable!("an object");
            };
            remove_refused(&mut attributes, refusal);
            assert_eq!(Value::Object(attributes), left, "{refusal}");
        }
    }

    #[test]
    fn it_is_what_the_documentation_shows() {
        let page = include_str!("../../../docs/routes.md");
        let (_, shown) = page.split_once("```json\n").expect("an example");
        let (shown, _) = shown.split_once("```").expect("it ends");
        let shown: Value = serde_json::from_str(shown).expect("JSON");
        let reason = shown["reason"].as_str().expect("a text");
        let cause = Cause::of(Reject::Unstartable(reason.to_owned())).expect("a reason");
        let (call, payload) = start(&sample(), letter(&cause));
        let letter: Value = serde_json::from_slice(&payload.data).expect("JSON");
        assert_eq!(letter, shown);
        assert_eq!(call.workflow_id, "dead-letter:/temporal/shopify:b54557e4");
        assert_eq!(
            (&call.memo["reason"], &call.memo["route"]),
            (&shown["reason"], &shown["route"])
        );
    }
}

//! [`Event`] -> [`Plan`]: what to ask of Temporal for this event. And the templates of ids,
//! queues and types.

use serde::Deserialize;
use serde_json::Value;

use super::config::source::Source;
use super::event::Event;
use super::holes::pieces;
use super::outcome::Reject;
use super::payload::{self, Format};

/// The workflow to start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The workflow's id: the same for every delivery of the event.
    pub workflow_id: String,
    /// The name under which workers register it.
    pub workflow_type: String,
    /// Where workers look for it.
    pub task_queue: String,
    /// What people and queries see without opening the payload.
    pub memo: Vec<(&'static str, Value)>,
}

impl Plan {
    /// Decides what the event starts.
    ///
    /// # Errors
    /// [`Reject::Malformed`] if a template names a value that the event has not, or the id grows
    /// over Temporal's 1,000 bytes.
    pub fn new(event: &Event, source: &Source) -> Result<Self, Reject> {
        let provider = source.provider.name.as_str();
        let scope = Scope {
            event,
            provider,
            source: &source.path,
        };
        let plan = Self {
            workflow_id: source.provider.workflow_id.render(&scope)?,
            workflow_type: source.provider.workflow_type.render(&scope)?,
            task_queue: source.provider.task_queue.render(&scope)?,
            memo: memo(&scope, source.format),
        };
        let names = [&plan.workflow_id, &plan.workflow_type, &plan.task_queue];
        if names.iter().any(|name| name.len() > MAX_NAME) {
            return Err(Reject::Malformed(
                "an id or name is longer than Temporal takes",
            ));
        }
        Ok(plan)
    }
}

fn memo(scope: &Scope<'_>, format: Format) -> Vec<(&'static str, Value)> {
    let event = scope.event;
    let received_at = humantime::format_rfc3339_millis(event.received_at).to_string();
    let mut memo = vec![
        ("source", scope.source.into()),
        ("provider", scope.provider.into()),
        ("event_id", event.id.as_str().into()),
        ("received_at", received_at.into()),
    ];
    let labels = [("topic", &event.topic), ("tenant", &event.tenant)];
    memo.extend(
        labels
            .into_iter()
            .filter_map(|(name, label)| Some((name, label.as_deref()?.into()))),
    );
    if format.leaves_headers_out() {
        memo.push(("headers", payload::headers(event).into()));
    }
    memo
}

/// Text with holes: `{event_id}`, `{topic}`, `{tenant}`, `{provider}`, `{source}`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Template(Vec<Piece>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Hole(Variable),
    /// `:{topic}`, or nothing.
    TopicSuffix,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Variable {
    EventId,
    Topic,
    Tenant,
    Provider,
    Source,
}

struct Scope<'a> {
    event: &'a Event,
    provider: &'a str,
    source: &'a str,
}

impl Template {
    /// This template followed by `:{topic}`, for events that have one.
    pub fn per_topic(mut self) -> Self {
        self.0.push(Piece::TopicSuffix);
        self
    }

    /// Whether different events get different texts.
    pub fn names_event(&self) -> bool {
        self.0.contains(&Piece::Hole(Variable::EventId))
    }

    /// The text, if it has no holes.
    pub fn fixed(&self) -> Option<&str> {
        match self.0.as_slice() {
            [Piece::Text(text)] => Some(text),
            _ => None,
        }
    }

    fn render(&self, scope: &Scope<'_>) -> Result<String, Reject> {
        let mut out = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => out.push_str(text),
                Piece::Hole(variable) => out.push_str(variable.value(scope)?),
                Piece::TopicSuffix => {
                    if let Some(topic) = &scope.event.topic {
                        out.push(':');
                        out.push_str(topic);
                    }
                }
            }
        }
        Ok(out)
    }
}

impl Variable {
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "event_id" => Self::EventId,
            "topic" => Self::Topic,
            "tenant" => Self::Tenant,
            "provider" => Self::Provider,
            "source" => Self::Source,
            _ => return None,
        })
    }

    fn value<'a>(self, scope: &Scope<'a>) -> Result<&'a str, Reject> {
        let event = scope.event;
        match self {
            Self::EventId => Some(event.id.as_str()),
            Self::Topic => event.topic.as_deref(),
            Self::Tenant => event.tenant.as_deref(),
            Self::Provider => Some(scope.provider),
            Self::Source => Some(scope.source),
        }
        .ok_or(match self {
            Self::Tenant => Reject::Malformed("the request has no tenant, and a template needs it"),
            _ => Reject::Malformed("the request has no topic, and a template needs it"),
        })
    }
}

impl TryFrom<String> for Template {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let pieces = pieces(&text, VOCABULARY, Piece::Text, |name| {
            Variable::named(name).map(Piece::Hole)
        })?;
        if pieces.is_empty() {
            return Err("must not be empty".to_owned());
        }
        Ok(Self(pieces))
    }
}

const VOCABULARY: &str = "event_id, topic, tenant, provider, source";
/// Temporal's `limit.maxIDLength`, bytes.
const MAX_NAME: usize = 1000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::event::tests::sample;

    fn render(template: &str, topic: Option<&str>) -> Result<String, Reject> {
        let event = Event {
            topic: topic.map(Into::into),
            ..sample()
        };
        let scope = Scope {
            event: &event,
            provider: "shopify",
            source: "/s",
        };
        let template = Template::try_from(template.to_owned()).expect("a template");
        template.render(&scope)
    }

    #[test]
    fn holes_are_filled() {
        assert_eq!(render("{event_id}", None), Ok("b54557e4".into()));
        assert_eq!(
            render("{provider}:{event_id}", None),
            Ok("shopify:b54557e4".into())
        );
        assert_eq!(
            render("q:{topic}!", Some("orders/create")),
            Ok("q:orders/create!".into())
        );
        assert!(render("q:{topic}", None).is_err());
        assert_eq!(render("plain", None), Ok("plain".into()));
    }

    #[test]
    fn mistakes_name_what_is_accepted() {
        for (text, part) in [
            ("{", "without its"),
            ("{id}", "expected one of event_id"),
            ("", "empty"),
        ] {
            let error = Template::try_from(text.to_owned()).expect_err("a mistake");
            assert!(error.contains(part), "{error}");
        }
    }
}

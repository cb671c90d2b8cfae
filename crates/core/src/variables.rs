//! The variables that expressions have of an event.

use super::event::{Data, Event};
use super::expression::scope::{Scope, UnreadBody};

/// Those of an event of the source of this name. What the event has not is an empty text.
pub fn scope<'v>(event: &'v Event, name: &'v str) -> Scope<'v> {
    let mut scope = Scope::new(match &event.data {
        Data::Json(json) | Data::Fields(json) => UnreadBody::Json(json),
        Data::Text(text) => UnreadBody::Text(text),
        Data::Binary(bytes) => UnreadBody::Bytes(bytes),
    });
    scope.text("name", name);
    scope.text("event_id", &event.id);
    scope.text("topic", event.topic.as_deref().unwrap_or_default());
    scope.text("tenant", event.tenant.as_deref().unwrap_or_default());
    scope.text("provider", &event.provider);
    scope.text("source", &event.source);
    scope.texts("headers", event.headers.iter().cloned());
    let query = form_urlencoded::parse(event.query.as_bytes()).into_owned();
    scope.texts("query", query);
    scope.timestamp("received_at", event.received_at);
    scope.flag("verified", event.is_verified());
    scope
}

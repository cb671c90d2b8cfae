//! The variables that expressions have of an event.

use super::event::{Data, Event};
use super::expression::scope::{Scope, UnreadBody};

/// Those of an event of the source of this name. What the event has not is an empty text.
pub fn scope<'v>(event: &'v Event, name: &'v str) -> Scope<'v> {
    let unread_body = match &event.data {
        Data::Json(json) | Data::Fields(json) => UnreadBody::Json(json),
        Data::Text(text) => UnreadBody::Text(text),
        Data::Binary(bytes) => UnreadBody::Bytes(bytes),
    };
    // In the order of `TEXTS`.
    let texts = [
        name,
        &event.id,
        event.topic.as_deref().unwrap_or_default(),
        event.tenant.as_deref().unwrap_or_default(),
        &event.provider,
        &event.source,
    ];
    Scope::new(unread_body, texts, &event.headers, |scope| {
        let query = form_urlencoded::parse(event.query.as_bytes()).into_owned();
        scope.texts("query", query);
        scope.timestamp("received_at", event.received_at);
        scope.flag("verified", event.is_verified());
    })
}

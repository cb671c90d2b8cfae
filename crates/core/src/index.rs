//! The search attributes of our own, by which events are found: in clear, whatever is encrypted.

use std::borrow::Cow;

use super::event::{Event, short};

/// What each has of the event, in the order of [`NAMES`]; `None`: the event has none.
pub fn values(event: &Event) -> [Option<Cow<'_, str>>; NAMES.len()] {
    let (topic, tenant) = (event.topic.as_deref(), event.tenant.as_deref());
    [Some(event.source.as_str()), topic, tenant, Some(&event.id)].map(|text| text.map(value))
}

/// A text as a search attribute.
pub fn value(text: &str) -> Cow<'_, str> {
    short(text, LONGEST)
}

/// Their names, all of Temporal's type `Keyword`.
pub const NAMES: [&str; 4] = [
    "WebhookSource",
    "WebhookTopic",
    "WebhookTenant",
    "WebhookEventId",
];
/// Characters: Temporal's SQL stores keep 255 of a `Keyword`.
const LONGEST: usize = 250;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::tests::sample;

    #[test]
    fn each_is_cut_where_stores_cut_it() {
        let mut event = sample();
        event.topic = Some("é".repeat(1000));
        event.tenant = None;
        let [source, topic, tenant, id] = values(&event);
        assert_eq!(source.as_deref(), Some(event.source.as_str()));
        assert_eq!(topic.map(|topic| topic.chars().count()), Some(251));
        assert_eq!((tenant, id.as_deref()), (None, Some(event.id.as_str())));
    }
}

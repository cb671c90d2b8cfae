//! The typed envelope, `webhook.forwarder.v1.WebhookEvent`: the whole request, as protobuf and as
//! proto3 JSON.

mod json;

use bytes::Bytes;

pub use self::generated::WebhookEvent;
pub use self::generated::webhook_event::Content;
pub use self::json::{NotAnEvent, from_json, to_json};
use crate::event::Event;

/// The event as a message: with the secret, a worker can verify it again.
pub fn webhook_event(event: &Event) -> WebhookEvent {
    WebhookEvent {
        id: event.id.clone(),
        topic: event.topic.clone().unwrap_or_default(),
        tenant: event.tenant.clone().unwrap_or_default(),
        provider: event.provider.clone(),
        source: event.source.clone(),
        received_at: Some(event.received_at.into()),
        verified_by: event.verified_by.clone(),
        method: event.method.to_string(),
        query: event.query.clone(),
        headers: event.sent_headers().cloned().collect(),
        content: Some(Content::Body(event.body.clone())),
    }
}

impl WebhookEvent {
    /// The body as it was sent, however the message has it.
    pub fn body(&self) -> &[u8] {
        match &self.content {
            Some(Content::Body(bytes)) => bytes,
            Some(Content::BodyText(text)) => text.as_bytes(),
            None => &[],
        }
    }

    /// The same, out of the message.
    pub fn take_body(&mut self) -> Bytes {
        match self.content.take() {
            Some(Content::Body(bytes)) => bytes,
            Some(Content::BodyText(text)) => text.into(),
            None => Bytes::new(),
        }
    }
}

/// The name of the message [`WebhookEvent`].
pub const NAME: &str = "webhook.forwarder.v1.WebhookEvent";

#[expect(unreachable_pub, reason = "prost writes it so")]
mod generated {
    include!(concat!(env!("OUT_DIR"), "/webhook.forwarder.v1.rs"));
}

#[cfg(test)]
mod tests {
    use prost::{Message, Name};

    use super::*;
    use crate::event::tests::sample;

    #[test]
    fn the_message_is_lossless() {
        let body = Bytes::from_static(b"\xef\xbb\xbf {\"a\":1}\r\n\xff\x00");
        let event = Event {
            body: body.clone(),
            query: "a=%20&b".into(),
            ..sample()
        };
        let mut message = webhook_event(&event);
        assert_eq!(message.body().as_ptr(), body.as_ptr(), "not a copy");
        assert_eq!(WebhookEvent::full_name(), NAME);
        let bytes = message.encode_to_vec();
        assert_eq!(WebhookEvent::decode(&*bytes), Ok(message.clone()));
        assert_eq!(from_json(&to_json(&message)), Ok(message.clone()));

        assert_eq!(
            (message.method.as_str(), message.query.as_str()),
            ("POST", "a=%20&b")
        );
        let at = message.received_at.expect("a time");
        assert_eq!((at.seconds, at.nanos), (1_795_443_261, 500_000_000));
        // What we add to the headers has fields of its own.
        let ours = message
            .headers
            .keys()
            .filter(|name| name.starts_with("x-webhook-"));
        assert_eq!((message.headers.len(), ours.count()), (5, 0));
        assert_eq!(message.take_body(), body);
    }

    #[test]
    fn the_body_keeps_its_number_and_text_is_the_same_bytes() {
        let body = Bytes::from_static("zoë".as_bytes());
        // As it was written before the text had a field: 11, length-delimited.
        let before = [&[11 << 3 | 2, 4], &*body].concat();
        let message = WebhookEvent {
            content: Some(Content::Body(body.clone())),
            ..WebhookEvent::default()
        };
        assert_eq!(message.encode_to_vec(), before);
        assert_eq!(WebhookEvent::decode(&*before), Ok(message));

        let encoded = [&[12 << 3 | 2, 4], &*body].concat();
        let mut text = WebhookEvent::decode(&*encoded).expect("a message");
        assert_eq!(text.content, Some(Content::BodyText("zoë".into())));
        assert_eq!(text.body(), body);
        assert_eq!(text.take_body(), body);
        assert_eq!(WebhookEvent::default().body(), b"");
    }
}

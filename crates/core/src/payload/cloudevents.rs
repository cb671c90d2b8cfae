//! CloudEvents 1.0 in its structured JSON form.

use serde::Serialize;

use super::json::{ROOM, push, push_data, size_hint};
use crate::event::{Data, Event};

/// The event with its data; where a JSON body stands in it, byte for byte as it was sent.
pub(super) fn structured(event: &Event) -> Vec<u8> {
    let mut out = Vec::with_capacity(ROOM + size_hint(event));
    push(&mut out, &Attributes::of(event));
    // The data is one more member.
    out.pop();
    out.push(b',');
    push_data(&mut out, &event.data);
    out.push(b'}');
    out
}

#[derive(Serialize)]
struct Attributes<'a> {
    specversion: &'static str,
    id: &'a str,
    source: &'a str,
    r#type: String,
    /// RFC 3339, milliseconds.
    time: String,
    /// Of the data as it stands here: a form is an object by now.
    #[serde(skip_serializing_if = "Option::is_none")]
    datacontenttype: Option<&'a str>,
    // From here on extensions, whose names may only be letters and digits.
    provider: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    topic: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tenant: Option<&'a str>,
    verified: bool,
}

impl<'a> Attributes<'a> {
    fn of(event: &'a Event) -> Self {
        let topic = event.topic.as_deref();
        Self {
            specversion: "1.0",
            id: &event.id,
            source: &event.source,
            r#type: format!("{}.{}", event.provider, topic.unwrap_or("webhook")),
            time: humantime::format_rfc3339_millis(event.received_at).to_string(),
            datacontenttype: match event.data {
                Data::Json(_) | Data::Fields(_) => Some("application/json"),
                Data::Text(_) | Data::Binary(_) => event.content_type.as_deref(),
            },
            provider: &event.provider,
            topic,
            tenant: event.tenant.as_deref(),
            verified: !event.verified_by.is_empty(),
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use serde_json::{Value, json};

    use super::*;
    use crate::event::tests::sample;

    fn value(event: &Event) -> Value {
        serde_json::from_slice(&structured(event)).expect("JSON")
    }

    #[test]
    fn a_json_body_stands_there_as_sent() {
        let text = String::from_utf8(structured(&sample())).expect("UTF-8");
        assert_eq!(
            text,
            concat!(
                r#"{"specversion":"1.0","id":"b54557e4","source":"/temporal/shopify","#,
                r#""type":"shopify.orders/create","time":"2026-11-23T14:14:21.500Z","#,
                r#""datacontenttype":"application/json","provider":"shopify","#,
                r#""topic":"orders/create","tenant":"a.myshopify.com","verified":true,"#,
                r#""data":{"id":820982911946154508,"total":409.90}}"#
            )
        );
    }

    #[test]
    fn what_the_sender_does_not_say_is_left_out() {
        let event = Event {
            topic: None,
            tenant: None,
            verified_by: String::new(),
            content_type: None,
            data: Data::Binary(Bytes::from_static(b"\xff\x00")),
            ..sample()
        };
        let mut value = value(&event);
        let members = value.as_object_mut().expect("an object");
        members.remove("time");
        let expected = json!({
            "specversion": "1.0", "id": "b54557e4", "source": "/temporal/shopify",
            "type": "shopify.webhook", "provider": "shopify", "verified": false,
            "data_base64": "/wA=",
        });
        assert_eq!(value, expected);
    }

    #[test]
    fn the_content_type_is_that_of_the_data() {
        let event = |data, declared: &str| Event {
            data,
            content_type: Some(declared.into()),
            ..sample()
        };
        let fields = Bytes::from_static(br#"{"a":"1"}"#);
        for (data, declared, expected) in [
            (Data::Json(Bytes::from_static(b"1")), "text/x", None),
            (Data::Fields(fields), "multipart/form-data", None),
            (Data::Text("<a/>".into()), "text/xml", Some("text/xml")),
            (Data::Binary(Bytes::new()), "image/png", Some("image/png")),
        ] {
            let value = value(&event(data, declared));
            let expected = expected.unwrap_or("application/json");
            assert_eq!(value["datacontenttype"], expected);
        }
    }
}

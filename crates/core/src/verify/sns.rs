//! AWS SNS: the canonical text of a message.
//! <https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html>
//!
//! Not the body is signed but some of its fields, and with a key that signs the topics of every
//! AWS customer. So only the operator's topics count, and a body that two readers could read in
//! two ways is refused.

use std::collections::BTreeMap;

use crate::request::{FORM, MULTIPART, Received, json};

/// `Key\nValue\n` of the fields that are signed, if the message is of one of these `topics`
/// (separated by white space).
///
/// # Errors
/// It is not, or it is no message as SNS writes it.
pub(super) fn canonical(received: &Received, topics: &str) -> Result<String, &'static str> {
    let fields = match received.media_type().as_deref() {
        Some(FORM | MULTIPART) => None,
        _ => received.body_text().and_then(fields),
    }
    .ok_or(NO_MESSAGE)?;
    let topic = fields.get("TopicArn").ok_or(NO_MESSAGE)?;
    if !topics.split_whitespace().any(|ours| ours == topic) {
        return Err("the message is of a topic that is not in params.topic_arn");
    }
    text(&fields).ok_or(NO_MESSAGE)
}

fn text(fields: &BTreeMap<String, String>) -> Option<String> {
    let names = match fields.get("Type")?.as_str() {
        "Notification" => NOTIFICATION,
        "SubscriptionConfirmation" | "UnsubscribeConfirmation" => CONFIRMATION,
        _ => return None,
    };
    if fields.keys().any(|name| !names.contains(&name.as_str())) {
        return None;
    }
    let mut text = String::new();
    for name in names {
        match fields.get(*name) {
            // Else a message could be read as fields that follow it.
            Some(value) if *name != MESSAGE && value.contains('\n') => return None,
            Some(value) => text.push_str(&format!("{name}\n{value}\n")),
            None if *name == "Subject" => {}
            None => return None,
        }
    }
    Some(text)
}

/// Whether the field is signed in every kind of message.
pub(super) fn signs(path: &[String]) -> bool {
    matches!(path, [name] if NOTIFICATION.contains(&name.as_str()) && CONFIRMATION.contains(&name.as_str()))
}

/// The fields that are signed in any type of message: each once, in no other spelling that a
/// lenient reader would take for it, and a string.
fn fields(body: &str) -> Option<BTreeMap<String, String>> {
    let mut fields = BTreeMap::new();
    for (name, value) in json::members(body)? {
        let mut known = NOTIFICATION.iter().chain(CONFIRMATION);
        match known.find(|known| known.eq_ignore_ascii_case(&name)) {
            Some(known) if *known == name => {
                let value = serde_json::from_str(value).ok()?;
                if fields.insert(name, value).is_some() {
                    return None;
                }
            }
            Some(_) => return None,
            None if !name.is_ascii() => return None,
            None => {}
        }
    }
    Some(fields)
}

const NO_MESSAGE: &str = "the body is no message as SNS writes it";
/// The parameter that a source has to give.
pub(super) const TOPICS: &str = "topic_arn";
const MESSAGE: &str = "Message";
const NOTIFICATION: &[&str] = &[
    MESSAGE,
    "MessageId",
    "Subject",
    "Timestamp",
    "TopicArn",
    "Type",
];
const CONFIRMATION: &[&str] = &[
    MESSAGE,
    "MessageId",
    "SubscribeURL",
    "Timestamp",
    "Token",
    "TopicArn",
    "Type",
];

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use bytes::Bytes;
    use http::header::CONTENT_TYPE;
    use http::{HeaderMap, HeaderValue, Method};

    use super::*;

    const TOPIC: &str = "arn:aws:sns:us-west-2:123456789012:MyTopic";

    fn canonical_as(content_type: &'static str, body: &str) -> Result<String, &'static str> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        let received = Received {
            path: String::new(),
            method: Method::POST,
            query: None,
            headers,
            body: Bytes::copy_from_slice(body.as_bytes()),
            at: SystemTime::UNIX_EPOCH,
        };
        canonical(&received, TOPIC)
    }

    fn text_of(body: &str) -> Result<String, &'static str> {
        canonical_as("text/plain; charset=UTF-8", body)
    }

    fn notification(more: &str) -> String {
        format!(
            r#"{{"Type":"Notification","Message":"a\nb","MessageId":"1","Timestamp":"t","TopicArn":"{TOPIC}"{more}}}"#
        )
    }

    #[test]
    fn the_text_is_that_of_the_documentation() {
        let expected = format!(
            "Message\na\nb\nMessageId\n1\nTimestamp\nt\nTopicArn\n{TOPIC}\nType\nNotification\n"
        );
        assert_eq!(text_of(&notification("")), Ok(expected.clone()));
        let unsigned =
            r#","UnsubscribeURL":"u","Signature":"s","SignatureVersion":"1","Other":{"Type":1}"#;
        assert_eq!(text_of(&notification(unsigned)), Ok(expected.clone()));
        let with_subject = expected.replace("Timestamp", "Subject\ns\nTimestamp");
        let subject = notification(r#","Subject":"s""#);
        assert_eq!(text_of(&subject), Ok(with_subject));
        for kind in ["SubscriptionConfirmation", "UnsubscribeConfirmation"] {
            let body = notification(r#","SubscribeURL":"u","Token":"k""#);
            let text = text_of(&body.replace("Notification", kind));
            let expected = format!(
                "Message\na\nb\nMessageId\n1\nSubscribeURL\nu\nTimestamp\nt\nToken\nk\nTopicArn\n{TOPIC}\nType\n{kind}\n"
            );
            assert_eq!(text, Ok(expected));
        }
    }

    #[test]
    fn another_topic_is_refused_whoever_signed_it() {
        for topic in [
            "",
            "arn:aws:sns:us-west-2:123456789012:MyTopic2",
            " ",
            "MyTopic",
        ] {
            let body = notification("").replace(TOPIC, topic);
            let refused = text_of(&body).expect_err("another topic");
            assert!(refused.contains("params.topic_arn"), "{topic}");
        }
        let two_lines = notification("").replace(TOPIC, &format!("{TOPIC}\\nTopicArn\\nx"));
        assert!(text_of(&two_lines).is_err());
    }

    #[test]
    fn what_two_readers_could_read_in_two_ways_has_no_text() {
        for more in [
            r#","Message":"b""#,
            r#","Message":"a\nb""#,
            r#","\u004dessage":"b""#,
            r#","message":"b""#,
            r#","MESSAGEID":"2""#,
            ",\"Me\u{17f}\u{17f}age\":\"b\"",
            r#","Subject":null"#,
            r#","Subject":["s"]"#,
            r#","Subject":1"#,
            r#","Subject":"s\nTimestamp\nt""#,
            r#","Subject":"\ud800""#,
            r#","Token":"t""#,
            r#","SubscribeURL":"u""#,
        ] {
            assert_eq!(text_of(&notification(more)), Err(NO_MESSAGE), "{more}");
        }
    }

    #[test]
    fn what_is_no_message_has_no_text() {
        for (from, to) in [
            (r#""Type":"Notification","#, ""),
            (r#""Message":"a\nb","#, ""),
            (r#""MessageId":"1","#, ""),
            (r#""Timestamp":"t","#, ""),
            (r#""1""#, "1"),
            (r#""1""#, "null"),
            (r#""1""#, r#""1\n2""#),
            ("Notification", "Other"),
            ("Notification", "notification"),
            ("Notification", "SubscriptionConfirmation"),
            ("TopicArn", "Topic"),
            ("{", "[{"),
            ("}", ""),
            ("}", "}{}"),
        ] {
            let body = notification("").replace(from, to);
            assert_eq!(text_of(&body), Err(NO_MESSAGE), "{body}");
        }
        for body in ["", "null", "[]", "1", "\"Type\"", "\u{feff}"] {
            assert_eq!(text_of(body), Err(NO_MESSAGE), "{body}");
        }
        let form = "application/x-www-form-urlencoded";
        let payload = format!("payload={}", notification(""));
        assert_eq!(canonical_as(form, &payload), Err(NO_MESSAGE));
        assert_eq!(canonical_as(form, &notification("")), Err(NO_MESSAGE));
    }
}

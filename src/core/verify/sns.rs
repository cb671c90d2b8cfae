//! AWS SNS: the canonical text of a notification, and which hosts may give its certificate.
//! <https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html>

use crate::core::provider::locator::Locator;
use crate::core::request::Received;

/// `Key\nValue\n` of the fields that are signed; `None` if one is missing.
pub(super) fn canonical(received: &Received) -> Option<String> {
    let field = |name: &str| Locator::Json(vec![name.to_owned()]).find(received).one();
    let names = match field("Type")?.as_str() {
        "Notification" => NOTIFICATION,
        "SubscriptionConfirmation" | "UnsubscribeConfirmation" => CONFIRMATION,
        _ => return None,
    };
    let mut text = String::new();
    for name in names {
        match field(name) {
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

const NOTIFICATION: &[&str] = &[
    "Message",
    "MessageId",
    "Subject",
    "Timestamp",
    "TopicArn",
    "Type",
];
const CONFIRMATION: &[&str] = &[
    "Message",
    "MessageId",
    "SubscribeURL",
    "Timestamp",
    "Token",
    "TopicArn",
    "Type",
];

//! Every kind of request that an SDK knows.

use super::{Case, Does, case};
use crate::support::sdk::Sdk::{Node, Python};

#[rustfmt::skip]
pub(super) const CASES: &[Case] = &[
    case("discord-events", "discord-events", Node("discord-interactions"), Does::Verify),
    case("discord-interactions", "discord-interactions", Node("discord-interactions"), Does::Verify),
    case("github", "github", Node("octokit"), Does::SignAndVerify),
    case("github-form", "github", Node("octokit"), Does::SignAndVerify)
        .with_body(FORM, "payload=%7B%22action%22%3A%22opened%22%2C%22note%22%3A%22{id}%22%7D"),
    case("gitlab", "gitlab", Python("standard-webhooks"), Does::SignAndVerify),
    case("hubspot", "hubspot", Node("hubspot"), Does::SignAndVerify),
    case("linear", "linear", Node("linear"), Does::Verify),
    case("mailgun", "mailgun", Python("mailgun"), Does::Verify)
        .covering("a8ce0edb"),
    case("paddle", "paddle", Node("paddle"), Does::Verify),
    case("sendgrid", "sendgrid", Node("sendgrid"), Does::Verify),
    case("shipbob", "shipbob", Python("standard-webhooks"), Does::SignAndVerify),
    case("shopify", "shopify", Node("shopify"), Does::Verify),
    case("shopify-events", "shopify", Node("shopify"), Does::Verify)
        .renaming("x-shopify-", "shopify-"),
    case("slack", "slack", Python("slack"), Does::SignAndVerify),
    case("slack-command", "slack", Python("slack"), Does::SignAndVerify)
        .with_body(FORM, "team_id=T0001&command=%2Fweather&text=94070&trigger_id={id}"),
    case("sns", "sns", Node("sns"), Does::Verify)
        .covering("Hello world"),
    case("square", "square", Python("square"), Does::Verify),
    case("standard-webhooks", "standard-webhooks", Python("standard-webhooks"), Does::SignAndVerify),
    case("standard-webhooks-node", "standard-webhooks", Node("standard-webhooks"), Does::SignAndVerify),
    case("stripe", "stripe", Python("stripe"), Does::SignAndVerify),
    case("svix", "svix", Python("svix"), Does::SignAndVerify),
    case("twilio", "twilio", Python("twilio"), Does::SignAndVerify)
        .with_body(FORM, "To=%2B1555&Z=2&Z=1&Z=2&Body=a+b%26c%3Dd&Empty=&MessageSid={id}&MessageStatus=sent&AccountSid=AC01"),
    case("twilio-json", "twilio", Python("twilio-json"), Does::SignAlone)
        .with_body(JSON, r#"{"id":"{id}","specversion":"1.0","type":"com.twilio.messaging.message.sent"}"#),
    case("twilio-shared-key", "twilio", Python("twilio-shared-key"), Does::SignAlone)
        .with_body(FORM, "MessageSid={id}&MessageStatus=sent&AccountSid=AC01"),
    case("zoom", "zoom", Node("zoom"), Does::Verify),
];

const FORM: &str = "application/x-www-form-urlencoded";
const JSON: &str = "application/json";

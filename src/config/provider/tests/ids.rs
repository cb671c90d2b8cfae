//! Where each entry's id is, and which of its places counts under which of its signatures.

use webhook_core::event::in_order;
use webhook_core::verify::signed::Coverage;

use crate::config::provider::catalogue;

#[test]
fn each_entry_s_places_of_an_id_count_as_written_but_for_what_a_signature_names() {
    let entries = catalogue::all().iter().map(|entry| entry.name.as_str());
    let pinned = IDS.iter().map(|(name, _)| *name);
    assert_eq!(entries.collect::<Vec<_>>(), pinned.collect::<Vec<_>>());
    for (name, ids) in IDS {
        let provider = catalogue::find(name).expect("in the catalogue");
        let order = |coverage| {
            let places = in_order(provider.id.iter(), &coverage, false).into_iter();
            // A header's name is kept in lower case.
            places
                .map(|place| place.to_string().to_lowercase())
                .collect::<Vec<_>>()
        };
        let written: Vec<_> = ids.iter().map(|id| id.to_lowercase()).collect();
        assert_eq!(order(Coverage::Nothing), written, "{name}");
        for scheme in &provider.schemes {
            let first = scheme.locations[0].to_string();
            let mut expected = written.clone();
            if (*name, &*first) == ("svix", "header webhook-signature")
                || (*name, &*first) == ("mailgun", "form signature")
            {
                expected.reverse();
            }
            assert_eq!(order(scheme.coverage()), expected, "{name}: {first}");
        }
    }
}

/// Where each entry's id is. Who changes an entry's order changes what is the same event.
const IDS: &[(&str, &[&str])] = &[
    (
        "bigcommerce",
        &["json hash + json created_at + json scope + json producer"],
    ),
    ("calendly", &["body-sha256"]),
    ("discord-events", &["body-sha256"]),
    ("discord-interactions", &["json id"]),
    ("dropbox", &["body-sha256 + received-at"]),
    (
        "generic",
        &[
            "header Webhook-Id",
            "header X-Webhook-Id",
            "header Idempotency-Key",
            "request-sha256",
        ],
    ),
    ("github", &["header X-GitHub-Delivery"]),
    (
        "gitlab",
        &["header webhook-id", "header Idempotency-Key", "body-sha256"],
    ),
    ("hubspot", &["body-sha256"]),
    ("intercom", &["json id"]),
    ("klarna", &["json metadata.event_id"]),
    ("linear", &["header Linear-Delivery"]),
    (
        "mailgun",
        &[
            "json event-data.id + json event-data.timestamp",
            "form token",
        ],
    ),
    ("meta", &["body-sha256"]),
    ("paddle", &["json event_id"]),
    ("paypal", &["json id"]),
    ("sendgrid", &["body-sha256"]),
    ("shipbob", &["header webhook-id"]),
    ("shippo", &["body-sha256"]),
    ("shipstation", &["body-sha256"]),
    (
        "shopify",
        &["header X-Shopify-Webhook-Id", "header Shopify-Webhook-Id"],
    ),
    (
        "slack",
        &[
            "json event_id",
            "json trigger_id",
            "form trigger_id",
            "body-sha256",
        ],
    ),
    ("sns", &["json MessageId"]),
    ("square", &["json event_id"]),
    ("standard-webhooks", &["header webhook-id"]),
    ("stripe", &["json id"]),
    ("svix", &["header svix-id", "header webhook-id"]),
    (
        "twilio",
        &[
            "form MessageStatus + form MessageSid",
            "header I-Twilio-Idempotency-Token",
            "request-sha256",
        ],
    ),
    ("typeform", &["json event_id"]),
    ("whatsapp", &["body-sha256"]),
    (
        "woocommerce",
        &["header X-WC-Webhook-Delivery-ID + body-sha256"],
    ),
    ("x", &["body-sha256"]),
    (
        "zendesk",
        &["header X-Zendesk-Webhook-Invocation-Id", "json id"],
    ),
    ("zoom", &["body-sha256"]),
];

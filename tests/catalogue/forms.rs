//! The fields of every entry's forms: those that its sender documents as JSON are embedded as sent,
//! all others are text.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::value::RawValue;
use temporal_webhook_forwarder::config::provider::catalogue;
use webhook_core::event::{Data, Event};

use super::recorded::{Became, Expect, Recorded};

#[test]
fn fields_that_are_json_are_embedded_as_sent_and_a_source_may_keep_them_as_text() {
    let mut embedded = BTreeSet::new();
    for recorded in Recorded::all() {
        if recorded.expect != Expect::Verified {
            continue;
        }
        let source = recorded.source(&recorded.secret);
        let json_fields = &source.provider.json_fields;
        let event = event(&recorded, "");
        let Data::Fields(fields) = &event.data else {
            continue;
        };
        let body = recorded.request().body;
        let sent: BTreeMap<_, _> = form_urlencoded::parse(&body).into_owned().collect();
        let mut count = 0;
        for (name, value) in members(fields) {
            let is_text = value.get().starts_with(['"', '[']);
            let is_sent = sent.get(&name).is_some_and(|sent| sent == value.get());
            // A file of a multipart form is the one other thing.
            let is_file = value.get().starts_with(r#"{"filename":"#);
            if json_fields.contains(&name) && is_sent {
                embedded.insert(format!("{} {name}", recorded.provider));
                count += 1;
            } else {
                assert!(is_text || is_file, "{recorded}: {name}");
            }
        }
        let texts = self::event(&recorded, "json_fields = []\n");
        let Data::Fields(texts) = &texts.data else {
            panic!("{recorded}: {texts:?}");
        };
        assert_eq!(texts == fields, count == 0, "{recorded}");
        for (name, value) in members(texts) {
            if json_fields.contains(&name) {
                let text: String = serde_json::from_str(value.get()).expect("a text");
                assert_eq!(text, sent[&name], "{recorded}: {name}");
            }
        }
    }
    let all = catalogue::all().iter().flat_map(|entry| {
        let fields = entry.json_fields.iter();
        fields.map(|field| format!("{} {field}", entry.name))
    });
    assert_eq!(embedded, all.collect(), "each has a recorded delivery");
    let known = [
        "github payload",
        "mailgun attachments",
        "mailgun content-id-map",
        "mailgun message-headers",
        "slack payload",
        "twilio AddOns",
        "twilio Attributes",
        "twilio ChannelMetadata",
        "twilio Media",
        "twilio Payload",
        "twilio TaskAttributes",
        "twilio TranscriptionData",
        "twilio WorkerAttributes",
    ];
    assert_eq!(embedded, known.map(str::to_owned).into());
    // The page names each of them.
    let page = include_str!("../../docs/payloads.md");
    for known in known {
        let (_, field) = known.split_once(' ').expect("entry and field");
        assert!(page.contains(&format!("`{field}`")), "{known}");
    }
}

fn event(recorded: &Recorded, keys: &str) -> Event {
    let source = recorded.source_that_says(keys, &recorded.secret);
    match recorded.request().at(&source) {
        Became::Event(event) => *event,
        other => panic!("{recorded}: {other:?}"),
    }
}

fn members(object: &[u8]) -> BTreeMap<String, Box<RawValue>> {
    serde_json::from_slice(object).expect("an object")
}

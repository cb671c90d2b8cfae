//! Each format there and back: equal where it is lossless, and what is lost where it is not.

use bytes::Bytes;
use prost_types::Timestamp;
use serde_json::json;

use super::*;
use crate::dead_letter::{self, Cause, DeadLetterStart};
use crate::event::tests::sample;
use crate::event::{Data, own_headers};
use crate::outcome::Reject;
use crate::payload::protobuf::Content;
use crate::payload::{encode, serialized};
use crate::provider::{CREDENTIALS, senders};
use crate::route::default_memo;

const LATER: SystemTime = SystemTime::UNIX_EPOCH;

/// As a workflow's start has it.
fn back(format: Format, event: &Event) -> Result<Replayed, String> {
    let memo = default_memo(event, format);
    read(encode(format, event), &memo)
}

/// As a signal has it.
fn signalled(format: Format, event: &Event) -> Result<Replayed, String> {
    read(encode(format, event), &Map::new())
}

fn read(payload: Payload, memo: &Map<String, Value>) -> Result<Replayed, String> {
    let found = find(Argument {
        payload,
        memo,
        at: LATER,
        is_dead_letter: false,
    })
    .map_err(|error| error.to_string())?;
    let name = match found.source() {
        "/temporal/shopify" => "shopify",
        "/temporal/mailgun" => "mailgun",
        "/temporal/dropbox" => "dropbox",
        "/temporal/slack" => "slack",
        "/temporal/generic" => "generic",
        other => panic!("{other}"),
    };
    found.event(senders::find(name))
}

/// An event with this body, read as a new one's.
fn event(content_type: &str, body: &'static [u8]) -> Event {
    let mut message = protobuf::webhook_event(&sample());
    message.content = Some(Content::Body(Bytes::from_static(body)));
    let headers = &mut message.headers;
    headers.insert("content-type".into(), content_type.into());
    if content_type.is_empty() {
        headers.remove("content-type");
    }
    let shopify = senders::find("shopify");
    rebuild::whole(message, shopify).expect("an event")
}

#[test]
fn credentials_that_a_history_has_are_left_there() {
    for format in [
        Format::Json,
        Format::JsonString,
        Format::CloudEvents,
        Format::Raw,
        Format::Protobuf,
        Format::JsonProtobuf,
    ] {
        let mut event = event("application/json", b"{}");
        for name in CREDENTIALS {
            event
                .headers
                .insert(0, (name.to_owned(), "hush".to_owned()));
        }
        let again = back(format, &event).expect("an event").event;
        assert!(
            !format!("{:?}", again.headers).contains("hush"),
            "{format:?}"
        );
        assert!(again.headers.len() > 4, "{format:?}");
    }
}

#[test]
fn the_typed_formats_and_dead_letters_are_lossless() {
    for (content_type, body) in BODIES {
        let before = Event {
            query: "a=%20&b".into(),
            ..event(content_type, body)
        };
        for format in [Format::Protobuf, Format::JsonProtobuf] {
            let after = back(format, &before).expect("an event");
            assert_eq!(after.event, before, "{content_type}");
            assert_eq!(after.loss, Loss::default());
            let sample_again = back(format, &sample()).expect("an event");
            assert_eq!(sample_again.event, sample());
            let signalled = signalled(format, &before).expect("an event");
            assert_eq!(signalled.event, before, "a signal has it all, too");
        }
        let cause = Cause::of(Reject::Unstartable("because".to_owned())).expect("a reason");
        let letter = DeadLetterStart {
            route: "route 1",
            cause: &cause,
            task_queue: "q",
            search_attributes: Map::new(),
            compress: false,
        };
        let (_, payload) = dead_letter::start(&before, letter);
        let letter = Argument {
            payload,
            memo: &Map::new(),
            at: LATER,
            is_dead_letter: true,
        };
        let shopify = senders::find("shopify");
        let found = find(letter).expect("a dead letter").event(shopify);
        assert_eq!(found.map(|found| found.event), Ok(before));
    }
}

#[test]
fn the_others_keep_what_a_worker_sees() {
    for format in [Format::Json, Format::JsonString, Format::CloudEvents] {
        for (content_type, body) in BODIES {
            let before = event(content_type, body);
            let Replayed { event: after, loss } = back(format, &before).expect("an event");
            let is_form = matches!(before.data, Data::Fields(_));
            assert_eq!(loss.body, is_form, "{content_type}");
            assert!(!loss.headers);
            let expected = Event {
                verified_by: "unknown".into(),
                body: match &before.data {
                    // Read as one, and written again.
                    Data::Fields(_) => Bytes::from_static(b"a=1&a=2&b=x+y%21"),
                    // Without the white space around it.
                    Data::Json(json) => json.clone(),
                    _ => before.body.clone(),
                },
                ..before
            };
            assert_eq!(after, expected, "{format:?} {content_type}");
            assert_eq!(encode(format, &after), encode(format, &expected));
        }
    }
}

#[test]
fn labels_come_back_as_they_were() {
    for label in ["Störung", "a\nb", &"ü".repeat(3000)] {
        let mut before = sample();
        before.topic = Some(label.to_owned());
        before.tenant = Some(label.to_owned());
        for (name, value) in &mut before.headers {
            if ["x-shopify-topic", "x-shopify-shop-domain"].contains(&name.as_str()) {
                // What no header can hold stands in the memo alone.
                label.replace('\n', " ").clone_into(value);
            }
        }
        for format in Format::ALL {
            let after = back(format, &before).expect("an event").event;
            assert_eq!(after.topic, before.topic, "{format:?}");
            assert_eq!(after.tenant, before.tenant, "{format:?}");
        }
        let memo = default_memo(&before, Format::Json);
        let kept = memo["topic"].as_str().expect("a text");
        assert!(kept.chars().count() <= 1001, "{}", kept.len());
    }
    let nothing = Event {
        topic: None,
        tenant: None,
        ..sample()
    };
    for format in Format::ALL {
        let after = back(format, &nothing).expect("an event").event;
        assert_eq!((after.topic, after.tenant), (None, None), "{format:?}");
    }
}

#[test]
fn a_signal_s_odd_id_is_the_same_again() {
    let mut before = sample();
    for (name, value) in &mut before.headers {
        if name == "x-shopify-webhook-id" {
            "Störung".clone_into(value);
        }
    }
    before.id = crate::event::event_id("Störung".to_owned());
    let after = signalled(Format::Json, &before).expect("an event").event;
    assert_eq!((after.id.len(), after.id), (64, before.id));
}

#[test]
fn deep_json_costs_nothing() {
    let deep = ["[".repeat(100_000), "]".repeat(100_000)].concat();
    let before = event("application/json", deep.leak().as_bytes());
    for format in Format::ALL {
        let after = back(format, &before).expect("an event").event;
        assert_eq!(after.data, before.data, "{format:?}");
    }
    let other = Payload {
        data: before.body,
        ..serialized(&1)
    };
    let none = read(other, &Map::new());
    assert_eq!(none, Err(FindError::Foreign.to_string()));
}

#[test]
fn raw_has_the_body_as_sent() {
    for (content_type, body) in BODIES {
        let before = event(content_type, body);
        let Replayed { event: after, loss } = back(Format::Raw, &before).expect("an event");
        assert_eq!(loss, Loss::default());
        let expected = Event {
            verified_by: "unknown".into(),
            ..before
        };
        assert_eq!(after, expected, "{content_type}");
        assert!(signalled(Format::Raw, &expected).is_err(), "says nothing");
    }
}

#[test]
fn a_query_that_is_the_event_comes_back() {
    let mut message = protobuf::webhook_event(&sample());
    message.source = "/temporal/dropbox".into();
    message.method = "GET".into();
    message.query = "a=1&b=x%20y&a=2".into();
    message.content = None;
    let dropbox = senders::find("dropbox");
    let before = rebuild::whole(message, dropbox).expect("an event");
    for format in Format::ALL {
        let after = back(format, &before).expect("an event");
        assert_eq!(after.event.data, before.data, "{format:?}");
        let exact = match format {
            Format::Json | Format::JsonString | Format::CloudEvents => "a=1&a=2&b=x+y",
            _ => "a=1&b=x%20y&a=2",
        };
        assert_eq!(after.event.query, exact, "{format:?}");
    }
}

#[test]
fn a_multipart_form_comes_back_as_it_was_read_without_its_bytes() {
    let mut message = protobuf::webhook_event(&sample());
    message.source = "/temporal/mailgun".into();
    let content_type = "multipart/form-data; boundary=b";
    message.headers = [("content-type".into(), content_type.into())].into();
    message.content = Some(Content::Body(Bytes::from_static(
        b"--b\r\nContent-Disposition: form-data; name=\"token\"\r\n\r\nt1\r\n--b\r\n\
          Content-Disposition: form-data; name=\"f\"; filename=\"a\"\r\n\r\n\xff\r\n--b--\r\n",
    )));
    let mailgun = senders::find("mailgun");
    let before = rebuild::whole(message, mailgun).expect("an event");
    let Replayed { event, loss } = back(Format::Json, &before).expect("an event");
    assert_eq!(event.data, before.data);
    assert!(event.body.is_empty() && loss.body);
    for format in Format::ALL {
        let wants_bytes = ["raw", "protobuf", "json-protobuf"];
        let allowed = loss.allows(format).is_ok();
        assert_eq!(allowed, !wants_bytes.contains(&format.name()));
    }
    let id = signalled(Format::Json, &before).expect_err("its id was in the form");
    assert!(id.contains("its id cannot be known"), "{id}");
}

/// An event of this entry whose request had this query, type and body.
fn event_of(name: &str, query: &str, content_type: &str, body: &[u8]) -> Event {
    let mut message = protobuf::webhook_event(&sample());
    message.source = format!("/temporal/{name}");
    message.provider = name.to_owned();
    message.query = query.into();
    message.headers = [("content-type".into(), content_type.into())].into();
    if content_type.is_empty() {
        message.headers.clear();
    }
    message.content = Some(Content::Body(Bytes::copy_from_slice(body)));
    rebuild::whole(message, senders::find(name)).expect("an event")
}

#[test]
fn a_field_that_is_json_comes_back_as_it_was_sent() {
    let form = "application/x-www-form-urlencoded";
    for payload in [
        r#"{"n":12345678901234567890.10,"b":1,"a":{"a":1,"a":2}}"#,
        "[1.0,2]",
        r#"["a","b"]"#,
        r#""text""#,
        "null",
        "no JSON",
        "",
    ] {
        let body = form_urlencoded::Serializer::new(String::new())
            .append_pair("payload", payload)
            .append_pair("a", "1")
            .append_pair("a", "[2]")
            .finish();
        let before = event_of("slack", "", form, body.as_bytes());
        assert!(matches!(before.data, Data::Fields(_)));
        for format in Format::ALL {
            let after = back(format, &before).expect("an event").event;
            assert_eq!(after.data, before.data, "{format:?} {payload}");
        }
        // What a worker was given before the field was JSON.
        let mut old = before;
        let text = serde_json::to_string(payload).expect("a text");
        let data = format!(r#"{{"payload":{text},"a":["1","[2]"]}}"#);
        let now = std::mem::replace(&mut old.data, Data::Fields(data.into()));
        let after = back(Format::Json, &old).expect("an event").event;
        assert_eq!(after.data, now, "{payload}");
    }
    let twice = event_of("slack", "", form, b"payload=%7B%22a%22%3A1%7D&payload=x");
    let multipart = event_of(
        "slack",
        "",
        "multipart/form-data; boundary=b",
        b"--b\r\nContent-Disposition: form-data; name=\"payload\"\r\n\r\n{\"n\":1.0}\r\n--b--\r\n",
    );
    for before in [twice, multipart] {
        for format in [Format::Json, Format::JsonString, Format::CloudEvents] {
            let after = back(format, &before).expect("an event").event;
            assert_eq!(after.data, before.data, "{format:?}");
        }
    }
}

#[test]
fn a_form_that_is_no_text_comes_back_whole() {
    let form = "application/x-www-form-urlencoded";
    let body = b"first_name=J%F6rg&charset=windows-1252";
    let before = event_of("slack", "", form, body);
    assert_eq!(before.data, Data::Binary(Bytes::from_static(body)));
    for format in Format::ALL {
        let Replayed { event, loss } = back(format, &before).expect("an event");
        assert_eq!((&event.data, &event.body), (&before.data, &before.body));
        assert!(!loss.body, "{format:?}");
    }
}

#[test]
fn the_query_of_what_has_no_body_comes_back() {
    for content_type in ["", "application/json", "text/plain"] {
        let before = event_of("generic", "a=1&b=x%20y&a=2", content_type, b"");
        assert!(matches!(before.data, Data::Fields(_)), "{before:?}");
        for format in Format::ALL {
            let Replayed { event, loss } = back(format, &before).expect("an event");
            assert_eq!(event.data, before.data, "{format:?}");
            assert_eq!(
                (event.query, event.body),
                (before.query.clone(), Bytes::new())
            );
            assert!(!loss.body, "{format:?}");
        }
    }
}

#[test]
fn a_signal_says_what_its_headers_say() {
    let before = sample();
    for format in [Format::Json, Format::JsonString] {
        let after = signalled(format, &before).expect("an event").event;
        let expected = Event {
            verified_by: "unknown".into(),
            received_at: LATER,
            ..sample()
        };
        assert_eq!(after, expected);
    }
    let Replayed { event, loss } = signalled(Format::CloudEvents, &before).expect("an event");
    assert!(loss.headers);
    let mut headers = vec![("content-type".to_owned(), "application/json".to_owned())];
    headers.extend(own_headers(&before.source, &before.method, true));
    assert_eq!((&event.headers, &event.data), (&headers, &before.data));
    assert_eq!(
        (event.id, event.received_at),
        (before.id, before.received_at)
    );
}

#[test]
fn a_signal_whose_id_cannot_be_known_is_said() {
    let with = |name: &'static str| senders::find(name);
    let part = |headers: Value| {
        let envelope = json!({"headers": headers, "data": {"id": "1"}});
        let payload = serialized(&envelope);
        let memo = Map::new();
        find(Argument {
            payload,
            memo: &memo,
            at: LATER,
            is_dead_letter: false,
        })
    };
    let own =
        json!({"x-webhook-route": "/x", "x-webhook-method": "POST", "x-webhook-verified": "true"});
    let event = |name| part(own.clone()).expect("found").event(with(name));
    for (name, why) in [
        ("shopify", "it has no event id"),
        ("dropbox", "its id cannot be known"),
    ] {
        assert!(event(name).expect_err(why).contains(why), "{name}");
    }
    assert_eq!(event("stripe").map(|found| found.event.id), Ok("1".into()));
}

#[test]
fn what_other_programs_send_is_none() {
    let plain = |data: &'static str| Payload {
        data: data.into(),
        ..serialized(&1)
    };
    let other = |encoding: &'static [u8]| Payload::new(encoding, Bytes::new());
    for payload in [
        plain("null"),
        plain("{}"),
        plain("\"text\""),
        plain("{"),
        plain(r#"{"headers":{},"data":1}"#),
        plain(r#"{"headers":{"x-webhook-route":"/x"},"data":1}"#),
        plain(r#"{"specversion":"1.0","id":"1","source":"/x","data":1}"#),
        other(b"binary/null"),
        other(b"binary/plain"),
        other(b"binary/protobuf"),
        other(b"what/ever"),
        Payload::default(),
    ] {
        assert_eq!(
            read(payload.clone(), &Map::new()),
            Err(FindError::Foreign.to_string()),
            "{payload:?}"
        );
    }
}

#[test]
fn what_should_be_an_event_and_is_none_is_said_without_its_content() {
    let typed = |encoding: &'static [u8], message: &'static str, data: &'static str| {
        Payload::new(encoding, data).with("messageType", message)
    };
    let event = "webhook.forwarder.v1.WebhookEvent";
    let elsewhere = "temporal.api.sdk.v1.ExternalStorageReference";
    for (payload, part) in [
        (typed(b"binary/protobuf", event, "hush"), "cannot be read"),
        (
            typed(b"json/protobuf", event, "{\"hush\":1}"),
            "line 1, column 7",
        ),
        (
            typed(b"json/protobuf", elsewhere, "{}"),
            "no [large_payloads]",
        ),
    ] {
        for is_dead_letter in [false, true] {
            let memo = Map::new();
            let error = find(Argument {
                payload: payload.clone(),
                memo: &memo,
                at: LATER,
                is_dead_letter,
            })
            .expect_err(part)
            .to_string();
            assert!(is_dead_letter || error.contains(part), "{error}");
            assert!(!error.contains("hush"), "{error}");
        }
    }
    let mut message = WebhookEvent {
        method: "POST".into(),
        source: "/temporal/shopify".into(),
        received_at: Some(Timestamp::default()),
        ..WebhookEvent::default()
    };
    let shopify = senders::find("shopify");
    let mut wrong = |change: &dyn Fn(&mut WebhookEvent)| {
        change(&mut message);
        rebuild::whole(message.clone(), shopify).expect_err("wrong")
    };
    assert!(wrong(&|_| ()).contains("its id is not"));
    assert!(wrong(&|event| event.id = "\n".into()).contains("its id is not"));
    let bad = wrong(&|event| drop(event.headers.insert("a b".into(), "c".into())));
    assert_eq!(bad, "\"a b\" is no header");
    assert!(wrong(&|event| event.method = "A B".into()).contains("its method"));
}

const BODIES: [(&str, &[u8]); 8] = [
    ("application/json", b"{\"n\":12345678901234567890.10}"),
    (
        "application/json; charset=utf-8",
        b"\xef\xbb\xbf {\"a\":1}\r\n",
    ),
    ("application/x-www-form-urlencoded", b"a=1&b=x+y%21&a=2"),
    ("text/plain", "say \"hi\" \u{1f600}\n".as_bytes()),
    ("text/plain", b"caf\xe9"),
    ("application/octet-stream", b"\x00\x01\xff\xfe"),
    ("", b"\xff{}"),
    ("", b"{\"a\":null}"),
];

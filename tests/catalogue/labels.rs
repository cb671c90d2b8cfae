//! Topic and tenant of every entry's recorded deliveries, replaced by what senders have sent there and
//! worse: each is still an event.

use std::collections::BTreeSet;

use http::HeaderValue;
use http::header::CONTENT_TYPE;
use serde_json::{Map, Value};
use temporal_webhook_forwarder::config::provider::catalogue;
use webhook_core::event::Event;
use webhook_core::provider::locator::Locator;
use webhook_core::verified::Verified;

use super::recorded::{Became, Expect, Recorded, Request};

#[test]
fn no_label_of_any_entry_refuses_an_event() {
    let mut tried = BTreeSet::new();
    let long = "ü".repeat(2000);
    for recorded in Recorded::all() {
        if recorded.expect != Expect::Verified {
            continue;
        }
        let provider = recorded.source(&recorded.secret).provider;
        for (what, places) in [("topic", &provider.topic), ("tenant", &provider.tenant)] {
            // The places before it say nothing, so that it is the one that counts.
            for at in 0..places.len() {
                for value in ["", "Störung", "a b", &long] {
                    let mut request = recorded.request();
                    let before = places[..at].iter().map(|place| (place, ""));
                    let changes = before.chain([(&places[at], value)]);
                    let after = places[at + 1..].iter().map(|place| (place, ""));
                    let mut fits = true;
                    for (place, value) in changes.chain(after) {
                        fits &= put(&mut request, place, value) || value.is_empty();
                    }
                    if !fits {
                        continue;
                    }
                    let event = became(&recorded, request, places);
                    let label = if what == "topic" {
                        event.topic
                    } else {
                        event.tenant
                    };
                    let expected = Some(value).filter(|value| !value.is_empty());
                    let place = &places[at];
                    assert_eq!(label.as_deref(), expected, "{recorded}: {place}: {value}");
                    tried.insert(format!("{} {what} {place}", provider.name));
                }
            }
        }
    }
    let all = catalogue::all()
        .iter()
        .filter(|entry| !entry.schemes.is_empty());
    for entry in all {
        for (what, places) in [("topic", &entry.topic), ("tenant", &entry.tenant)] {
            for place in places {
                let wanted = format!("{} {what} {place}", entry.name);
                assert!(tried.contains(&wanted), "no delivery has {wanted}");
            }
        }
    }
}

#[test]
fn a_label_in_a_header_is_read_whatever_its_bytes_are() {
    let mut tried = BTreeSet::new();
    for recorded in Recorded::all() {
        if recorded.expect != Expect::Verified {
            continue;
        }
        let source = recorded.source(&recorded.secret);
        let provider = &source.provider;
        for (what, places) in [("topic", &provider.topic), ("tenant", &provider.tenant)] {
            let Some(Locator::Header(name)) = places.first() else {
                continue;
            };
            for (value, expected) in [
                (&b"St\xf6rung"[..], Some("Störung")),
                (b"\xff", Some("ÿ")),
                (b"", None),
            ] {
                let mut request = recorded.request();
                for place in &places[1..] {
                    put(&mut request, place, "");
                }
                let value = HeaderValue::from_bytes(value).expect("a header's value");
                request.headers.insert(name, value.clone());
                let event = became(&recorded, request.clone(), places);
                let label = |event: Event| {
                    if what == "topic" {
                        event.topic
                    } else {
                        event.tenant
                    }
                };
                assert_eq!(label(event).as_deref(), expected, "{recorded}: {name}");
                request.headers.append(name, value);
                assert_eq!(
                    label(became(&recorded, request, places)),
                    None,
                    "{recorded}"
                );
                tried.insert(recorded.provider.clone());
            }
        }
    }
    for entry in ["gitlab", "shipbob", "shopify", "woocommerce", "zendesk"] {
        assert!(tried.contains(entry), "{entry}");
    }
}

/// Of labels in headers, which are never signed, with the recorded signature; of others without.
fn became(recorded: &Recorded, request: Request, places: &[Locator]) -> Event {
    let is_header = |place: &Locator| matches!(place, Locator::Header(_));
    let source = recorded.source(&recorded.secret);
    if places.iter().all(is_header) {
        return match request.at(&source) {
            Became::Event(event) => *event,
            other => panic!("{recorded}: {other:?}"),
        };
    }
    let verified = Verified::danger_unverified(request.received());
    let event = Event::new(&verified, &source.provider, &source.path, "");
    event.unwrap_or_else(|reject| panic!("{recorded}: {reject:?}"))
}

/// Writes the value there; of several joined places into the first, and nothing into the others.
/// Whether such a request has such a place.
fn put(request: &mut Request, place: &Locator, value: &str) -> bool {
    let content_type = request.headers.get(CONTENT_TYPE);
    let content_type = content_type
        .and_then(|said| said.to_str().ok())
        .unwrap_or_default();
    let is_form = content_type.starts_with("application/x-www-form-urlencoded");
    let is_multipart = content_type.starts_with("multipart/");
    match place {
        Locator::Header(name) => {
            let value = HeaderValue::from_bytes(value.as_bytes()).expect("a header's value");
            request.headers.insert(name, value);
            true
        }
        Locator::Form(name) if is_form => {
            put_field(&mut request.body, name, value);
            true
        }
        Locator::Json(path) if is_form => {
            let payload = field(&request.body, "payload");
            let Some(payload) = payload.and_then(|text| put_json(text.as_bytes(), path, value))
            else {
                return false;
            };
            put_field(&mut request.body, "payload", &payload);
            true
        }
        Locator::Json(path) if !is_multipart => {
            let Some(body) = put_json(&request.body, path, value) else {
                return false;
            };
            request.body = body.into_bytes();
            true
        }
        Locator::Joined(parts) => {
            let mut parts = parts.iter();
            let first = parts.next().is_some_and(|first| put(request, first, value));
            parts.for_each(|part| {
                put(request, part, "");
            });
            first
        }
        _ => false,
    }
}

fn field(body: &[u8], name: &str) -> Option<String> {
    let mut fields = form_urlencoded::parse(body);
    let found = fields.find(|(key, _)| key == name);
    found.map(|(_, value)| value.into_owned())
}

fn put_field(body: &mut Vec<u8>, name: &str, value: &str) {
    let others = form_urlencoded::parse(body).filter(|(key, _)| key != name);
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.extend_pairs(others).append_pair(name, value);
    *body = form.finish().into_bytes();
}

fn put_json(body: &[u8], path: &[String], value: &str) -> Option<String> {
    let mut whole: Value = serde_json::from_slice(body).ok()?;
    let mut at = &mut whole;
    for key in path {
        at = if at.is_array() {
            at.get_mut(key.parse::<usize>().ok()?)?
        } else {
            if !at.is_object() {
                *at = Map::new().into();
            }
            at.as_object_mut()?
                .entry(key.clone())
                .or_insert(Value::Null)
        };
    }
    *at = value.into();
    Some(whole.to_string())
}

//! Tests of reading events: what a body becomes, what an id may be, which headers are kept.

use std::time::Duration;

use http::HeaderValue;

use super::*;
use crate::core::provider::catalogue;

/// An event of Shopify's, which `docs/payloads.md` shows, too; a test says what matters to it.
pub(in crate::core) fn sample() -> Event {
    let body = Bytes::from_static(br#"{"id":820982911946154508,"total":409.90}"#);
    Event {
        broken: None,
        id: "b54557e4".into(),
        topic: Some("orders/create".into()),
        tenant: Some("a.myshopify.com".into()),
        headers: vec![
            ("content-type".into(), "application/json".into()),
            (
                "x-shopify-hmac-sha256".into(),
                "shuut2VsG/4EFnKV69I3lmSLexMw/m4C1IBoyMliKNY=".into(),
            ),
            ("x-shopify-shop-domain".into(), "a.myshopify.com".into()),
            ("x-shopify-topic".into(), "orders/create".into()),
            ("x-shopify-webhook-id".into(), "b54557e4".into()),
            ("x-webhook-route".into(), "/temporal/shopify".into()),
            ("x-webhook-method".into(), "POST".into()),
            ("x-webhook-verified".into(), "true".into()),
        ],
        data: Data::Json(body.clone()),
        received_at: SystemTime::UNIX_EPOCH + Duration::from_millis(1_795_443_261_500),
        provider: "shopify".into(),
        source: "/temporal/shopify".into(),
        verified_by: "env:SHOPIFY_WEBHOOKS_KEY".into(),
        method: Method::POST,
        query: String::new(),
        content_type: Some("application/json".into()),
        body,
    }
}

fn received(headers: &[(&'static str, &[u8])], body: &[u8]) -> Received {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        let value = HeaderValue::from_bytes(value).expect("a header value");
        map.append(*name, value);
    }
    Received {
        method: Method::POST,
        path: String::new(),
        query: None,
        headers: map,
        body: Bytes::copy_from_slice(body),
        at: SystemTime::UNIX_EPOCH,
    }
}

fn event(headers: &[(&'static str, &[u8])], body: &[u8]) -> Result<Event, Reject> {
    let shopify = catalogue::find("shopify").expect("in the catalogue");
    let verified = Verified::danger_unverified(received(headers, body));
    Event::new(&verified, shopify, "/temporal/shopify", "")
}

fn data_of(content_type: &'static [u8], body: &[u8]) -> Result<Data, Reject> {
    let headers: &[(_, &[u8])] = &[
        ("x-shopify-webhook-id", b"1"),
        ("content-type", content_type),
    ];
    event(headers, body).map(|event| event.data)
}

#[test]
fn json_is_taken_as_sent() {
    let deep = ["[".repeat(100_000), "]".repeat(100_000)].concat();
    for body in [
        r#"{"b":12345678901234567890.10,"a":1,"a":2}"#,
        r#""\ud800""#,
        "1e999999",
        &deep,
    ] {
        let padded = format!("\u{feff} {body}\r\n");
        let data = data_of(b"application/json; charset=utf-8", padded.as_bytes());
        assert_eq!(
            data,
            Ok(Data::Json(Bytes::copy_from_slice(body.as_bytes())))
        );
    }
}

#[test]
fn broken_json_is_kept_as_bytes() {
    for body in [
        &b"{"[..],
        b"{\"a\":\"\xff\"}",
        b"{}{}",
        b"[1,]",
        b"\xef\xbb\xbf",
    ] {
        let headers: &[(_, &[u8])] = &[
            ("x-shopify-webhook-id", b"1"),
            ("content-type", b"application/vnd.api+json"),
        ];
        let event = event(headers, body).expect("an event");
        assert!(event.broken.is_some(), "{body:?}");
        assert_eq!(event.data, Data::Binary(Bytes::copy_from_slice(body)));
    }
}

#[test]
fn other_types_have_their_own_form() {
    let data = data_of(b"application/x-www-form-urlencoded", b"a=1&b=x+y&a=2");
    let fields = serde_json::json!({"a": ["1", "2"], "b": "x y"});
    assert_eq!(
        data.map(Some),
        Ok(fields.as_object().cloned().map(Data::Fields))
    );
    assert_eq!(data_of(b"text/plain", b"hi"), Ok(Data::Text("hi".into())));
    assert_eq!(
        data_of(b"text/plain", b"\xff"),
        Ok(Data::Binary(Bytes::from_static(b"\xff")))
    );
    assert_eq!(
        data_of(b"application/octet-stream", b"{}"),
        Ok(Data::Binary(Bytes::from_static(b"{}")))
    );
}

#[test]
fn a_known_type_goes_before_what_the_sender_says() {
    let sns = catalogue::find("sns").expect("in the catalogue");
    let headers: &[(_, &[u8])] = &[("content-type", b"text/plain; charset=UTF-8")];
    let body = br#"{"MessageId":"1","Type":"Notification"}"#;
    let verified = Verified::danger_unverified(received(headers, body));
    let event = Event::new(&verified, sns, "/temporal/sns", "").expect("an event");
    assert_eq!(event.data, Data::Json(Bytes::from_static(body)));
}

#[test]
fn the_same_bytes_later_are_another_event_where_the_time_is_in_the_id() {
    let dropbox = catalogue::find("dropbox").expect("in the catalogue");
    let id = |seconds| {
        let at = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let received = Received {
            at,
            ..received(&[], b"{}")
        };
        let verified = Verified::danger_unverified(received);
        let event = Event::new(&verified, dropbox, "/temporal/dropbox", "");
        event.expect("an event").id
    };
    assert_eq!(id(1), id(1));
    assert_ne!(id(1), id(2));
    assert!(id(1).ends_with(".1000"));
}

#[test]
fn an_event_needs_one_id() {
    let twice: &[(_, &[u8])] = &[
        ("x-shopify-webhook-id", b"1"),
        ("x-shopify-webhook-id", b"2"),
    ];
    let empty: &[(_, &[u8])] = &[("x-shopify-webhook-id", b"")];
    for headers in [&[], empty, twice] {
        assert!(event(headers, b"{}").is_err(), "{headers:?}");
    }
    let other: &[(_, &[u8])] = &[("x-shopify-webhook-id", b""), ("shopify-webhook-id", b"2")];
    assert_eq!(event(other, b"{}").map(|event| event.id), Ok("2".into()));
    assert!(event(&[("x-shopify-webhook-id", b"1")], b"").is_err());
}

#[test]
fn an_id_that_no_name_can_hold_is_replaced_by_its_hash() {
    let id = |id: &[u8]| event(&[("x-shopify-webhook-id", id)], b"{}").map(|event| event.id);
    let long = [b'a'; 200];
    assert_eq!(id(&long), Ok("a".repeat(200)));
    let sha256 = |text: &str| hex::encode(digest::digest(&digest::SHA256, text.as_bytes()));
    let longer = "a".repeat(201);
    for (odd, text) in [
        (longer.as_bytes(), longer.as_str()),
        ("é".as_bytes(), "é"),
        (b"\xe9", "é"),
        (b"a\tb", "a\tb"),
    ] {
        assert_eq!(id(odd), Ok(sha256(text)), "{text}");
    }
}

#[test]
fn topic_and_tenant_are_labels_that_refuse_nothing() {
    let label = |values: &[&[u8]]| {
        let mut headers: Vec<(_, &[u8])> = vec![("x-shopify-webhook-id", b"1")];
        headers.extend(values.iter().map(|value| ("x-shopify-topic", *value)));
        headers.extend(values.iter().map(|value| ("x-shopify-shop-domain", *value)));
        let event = event(&headers, b"{}").expect("an event");
        assert_eq!(event.topic, event.tenant);
        event.topic
    };
    let long = "ü".repeat(5000);
    for (value, text) in [
        ("Störung".as_bytes(), "Störung"),
        (b"St\xf6rung", "Störung"),
        (b"a\tb", "a\tb"),
        (long.as_bytes(), long.as_str()),
    ] {
        assert_eq!(label(&[value]).as_deref(), Some(text));
    }
    let nothing: [&[&[u8]]; 4] = [&[], &[b""], &[b"a", b"b"], &[b"", b"b"]];
    for none in nothing {
        assert_eq!(label(none), None, "{none:?}");
    }
}

#[test]
fn a_label_of_a_body_is_any_text_and_what_is_none_is_none() {
    let linear = catalogue::find("linear").expect("in the catalogue");
    let topic = |body: &str| {
        let received = received(&[("linear-delivery", b"1")], body.as_bytes());
        let verified = Verified::danger_unverified(received);
        let event = Event::new(&verified, linear, "/temporal/linear", "");
        event.expect("an event").topic
    };
    for (body, expected) in [
        (
            r#"{"type":"Störung","action":"läuft"}"#,
            Some("Störung.läuft"),
        ),
        (
            r#"{"type":"St\u00f6rung\n","action":""}"#,
            Some("Störung\n"),
        ),
        (r#"{"type":"","action":"update"}"#, None),
        (r#"{"type":"a","type":"b"}"#, None),
        (r#"{"type":"\ud800"}"#, None),
        (r#"{"type":{"a":1}}"#, None),
        (r#"{"type":7}"#, Some("7")),
    ] {
        assert_eq!(topic(body).as_deref(), expected, "{body}");
    }
}

#[test]
fn a_label_is_cut_for_people_between_characters() {
    assert_eq!(short("Störung", 7), "Störung");
    assert_eq!(short("Störung", 3), "Stö…");
    assert_eq!(short("", 3), "");
}

#[test]
fn only_kept_headers_reach_the_worker_and_ours_cannot_be_forged() {
    let headers: &[(_, &[u8])] = &[
        ("x-shopify-webhook-id", b"1"),
        ("authorization", b"Bearer x"),
        ("cookie", b"x"),
        ("x-webhook-verified", b"true"),
        ("x-shopify-topic", b"orders/create"),
        ("content-type", b"application/json"),
    ];
    let event = event(headers, b"{}").expect("an event");
    let mut names: Vec<_> = event
        .headers
        .iter()
        .map(|(n, v)| format!("{n}={v}"))
        .collect();
    names.sort();
    assert_eq!(
        names,
        [
            "content-type=application/json",
            "x-shopify-topic=orders/create",
            "x-shopify-webhook-id=1",
            "x-webhook-method=POST",
            "x-webhook-route=/temporal/shopify",
            "x-webhook-verified=false",
        ]
    );
    assert_eq!(event.topic.as_deref(), Some("orders/create"));
}

#[test]
fn a_token_does_not_reach_the_worker() {
    let headers: &[(_, &[u8])] = &[
        ("x-gitlab-token", b"hush"),
        ("x-gitlab-event", b"Push Hook"),
        ("idempotency-key", b"1"),
    ];
    let gitlab = catalogue::find("gitlab").expect("in the catalogue");
    let verified = Verified::danger_unverified(received(headers, b"{}"));
    let event = Event::new(&verified, gitlab, "/temporal/gitlab", "").expect("an event");
    let shown = format!("{:?}", event.headers);
    assert!(
        shown.contains("Push Hook") && !shown.contains("hush"),
        "{shown}"
    );
}

#[test]
fn the_same_request_has_the_same_hash_and_parts_cannot_move() {
    let a = Received {
        query: Some("ab".into()),
        ..received(&[], b"c")
    };
    let b = Received {
        query: Some("a".into()),
        ..received(&[], b"bc")
    };
    assert_eq!(request_sha256(&a), request_sha256(&a));
    assert_ne!(request_sha256(&a), request_sha256(&b));
}

#[test]
fn an_event_keeps_what_a_worker_needs_to_verify_again() {
    let headers: &[(_, &[u8])] = &[
        ("x-shopify-webhook-id", b"1"),
        ("content-type", b"text/plain; charset=utf-8"),
    ];
    let received = Received {
        query: Some("a=1".into()),
        ..received(headers, b"\xef\xbb\xbf hi ")
    };
    let body = received.body.clone();
    let shopify = catalogue::find("shopify").expect("in the catalogue");
    let verified = Verified::danger_unverified(received);
    let event = Event::new(&verified, shopify, "/s", "env:KEY").expect("an event");
    assert_eq!(
        (event.body.as_ptr(), &event.body),
        (body.as_ptr(), &body),
        "the same bytes, not a copy"
    );
    assert_eq!((event.method, event.query.as_str()), (Method::POST, "a=1"));
    assert_eq!(
        (event.provider.as_str(), event.source.as_str()),
        ("shopify", "/s")
    );
    assert_eq!(event.verified_by, "env:KEY");
    let content_type = event.content_type.as_deref();
    assert_eq!(content_type, Some("text/plain; charset=utf-8"));
}

//! Tests of reading events: what a body becomes, what an id may be, which headers are kept.

use std::time::Duration;

use http::HeaderValue;

use super::*;
use crate::provider::scheme::{Algorithm, Scheme};
use crate::provider::senders;
use crate::request::json::BYTES_READ;
use crate::request::{FORM, Received, request_sha256};
use crate::verify::signed::Coverage;

/// An event of Shopify's, which `docs/payloads.md` shows, too; a test says what matters to it.
pub(crate) fn sample() -> Event {
    let body = Bytes::from_static(br#"{"id":820982911946154508,"total":409.90}"#);
    Event {
        broken: None,
        hint: None,
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
    let shopify = senders::find("shopify");
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
fn the_body_is_read_once_for_all_that_is_in_it() {
    let lines = "{\"price\":\"1.00\"},".repeat(200);
    let body = format!(r#"{{"id":"evt_1","type":"a.b","account":"acct_1","lines":[{lines}0]}}"#);
    let headers: &[(_, &[u8])] = &[
        ("content-type", b"application/json"),
        ("x-shopify-webhook-id", b"evt_1"),
    ];
    let stripe = Provider {
        tenant: vec!["json account".to_owned().try_into().expect("a place")],
        ..senders::find("stripe").clone()
    };
    for (provider, labels) in [
        (senders::find("shopify"), [None; 2]),
        (&stripe, [Some("a.b"), Some("acct_1")]),
    ] {
        let verified = Verified::danger_unverified(received(headers, body.as_bytes()));
        let before = BYTES_READ.get();
        let event = Event::new(&verified, provider, "/x", "").expect("an event");
        assert_eq!(BYTES_READ.get() - before, body.len(), "{}", provider.name);
        assert_eq!(event.id, "evt_1");
        assert_eq!([event.topic.as_deref(), event.tenant.as_deref()], labels);
        assert_eq!(event.data, Data::Json(body.clone().into()));
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
    let fields = br#"{"a":["1","2"],"b":"x y"}"#;
    assert_eq!(data, Ok(Data::Fields(Bytes::from_static(fields))));
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
    let sns = senders::find("sns");
    let headers: &[(_, &[u8])] = &[("content-type", b"text/plain; charset=UTF-8")];
    let body = br#"{"MessageId":"1","Type":"Notification"}"#;
    let verified = Verified::danger_unverified(received(headers, body));
    let event = Event::new(&verified, sns, "/temporal/sns", "").expect("an event");
    assert_eq!(event.data, Data::Json(Bytes::from_static(body)));
}

#[test]
fn the_same_bytes_later_are_another_event_where_the_time_is_in_the_id() {
    let dropbox = senders::find("dropbox");
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
    let linear = senders::find("linear");
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
fn a_place_that_is_named_overtakes_only_what_is_not_covered() {
    let generic = senders::find("generic");
    let order = |id: &[&str], signed: &str| {
        let place = |text: &&str| Locator::try_from((*text).to_owned()).expect("a place");
        let provider = Provider {
            id: id.iter().map(place).collect(),
            ..generic.clone()
        };
        let coverage = Coverage::Signed {
            template: signed.to_owned().try_into().expect("a template"),
            body_hash: false,
        };
        let verified = Verified::by_signature(received(&[], b"{}"), Proof::Secret(0), coverage);
        let places = id_places(&verified, &provider).into_iter();
        places.map(ToString::to_string).collect::<Vec<_>>()
    };
    for (id, signed, expected) in [
        // What the body holds does not overtake, whether it is a member or the hash.
        (
            &["header x-d", "json id"][..],
            "{body}",
            &["header x-d", "json id"][..],
        ),
        (
            &["header x-d", "body-sha256"],
            "{ts}{body}",
            &["header x-d", "body-sha256"],
        ),
        (
            &["header x-d", "form id"],
            "{url}{form-sorted}",
            &["header x-d", "form id"],
        ),
        (
            &["header x-d", "query id"],
            "{url}",
            &["header x-d", "query id"],
        ),
        // Nor is it overtaken: it is genuine.
        (
            &["json id", "header x-d"],
            "{header:x-d}{body}",
            &["json id", "header x-d"],
        ),
        (
            &["json id + body-sha256", "header x-d"],
            "{header:x-d}{body}",
            &["json id + body-sha256", "header x-d"],
        ),
        // What is not covered is.
        (
            &["header x-a", "header x-d"],
            "{header:x-d}{body}",
            &["header x-d", "header x-a"],
        ),
        (
            &["json id + header x-a", "header x-d"],
            "{header:x-d}{body}",
            &["header x-d", "json id + header x-a"],
        ),
        (
            &["json id", "form token"],
            "{form:ts}{form:token}",
            &["form token", "json id"],
        ),
        (
            &["request-sha256", "header x-d"],
            "{header:x-d}{body}",
            &["header x-d", "request-sha256"],
        ),
        (
            &["body-sha256", "header x-d"],
            "{header:x-d}{url}{form-sorted}",
            &["header x-d", "body-sha256"],
        ),
    ] {
        assert_eq!(order(id, signed), expected, "{signed}");
    }
}

#[test]
fn a_field_that_is_json_stands_in_the_form_as_it_was_sent() {
    let provider = Provider {
        id: vec![Locator::try_from("body-sha256".to_owned()).expect("a place")],
        json_fields: vec!["payload".into()],
        ..senders::find("generic").clone()
    };
    let data = |provider: &Provider, content_type: &'static [u8], body: &[u8]| {
        let received = received(&[("content-type", content_type)], body);
        let event = Event::new(&Verified::danger_unverified(received), provider, "/s", "");
        event.expect("an event").data
    };
    let deep = ["[".repeat(100_000), "]".repeat(100_000)].concat();
    let form = b"application/x-www-form-urlencoded; charset=UTF-8";
    for (sent, embedded) in [
        (r#"{"b":12345678901234567890.10,"a":1,"a":2}"#, None),
        ("\u{feff} [1] \n", Some("[1]")),
        ("true", None),
        (r#""\ud800""#, None),
        (&deep, None),
        ("no JSON", Some(r#""no JSON""#)),
        ("{", Some(r#""{""#)),
        ("", Some(r#""""#)),
    ] {
        let body = form_urlencoded::Serializer::new(String::new())
            .append_pair("a", "1")
            .append_pair("payload", sent)
            .append_pair("other", sent)
            .finish();
        let other = serde_json::to_string(sent).expect("a text");
        let payload = embedded.unwrap_or(sent);
        let expected = format!(r#"{{"a":"1","payload":{payload},"other":{other}}}"#);
        let data_of = data(&provider, form, body.as_bytes());
        assert_eq!(data_of, Data::Fields(expected.into()));
    }
    let twice = data(&provider, form, b"payload=%7B%7D&payload=x");
    assert_eq!(
        twice,
        Data::Fields(Bytes::from_static(br#"{"payload":[{},"x"]}"#))
    );

    let parts = b"--b\r\nContent-Disposition: form-data; name=\"payload\"\r\n\
          Content-Type: application/json\r\n\r\n{\"n\":1.0}\r\n--b--\r\n";
    let multipart = b"multipart/form-data; boundary=b";
    let fields = Data::Fields(Bytes::from_static(br#"{"payload":{"n":1.0}}"#));
    assert_eq!(data(&provider, multipart, parts), fields);
    let text = Provider {
        json_fields: Vec::new(),
        ..provider
    };
    let fields = Data::Fields(Bytes::from_static(br#"{"payload":"{\"n\":1.0}"}"#));
    assert_eq!(data(&text, multipart, parts), fields);
}

#[test]
fn a_form_that_is_no_text_arrives_whole() {
    let form = b"application/x-www-form-urlencoded";
    for body in [
        &b"first_name=J%F6rg&charset=windows-1252"[..],
        b"a=\xff",
        b"%ff=1",
        b"a=%C3%28",
    ] {
        let data = data_of(form, body);
        assert_eq!(data, Ok(Data::Binary(Bytes::copy_from_slice(body))));
    }
    let generic = senders::find("generic");
    let query = |query: &str| {
        let received = Received {
            method: Method::GET,
            query: Some(query.into()),
            ..received(&[("webhook-id", b"1")], b"")
        };
        let verified = Verified::danger_unverified(received);
        Event::new(&verified, generic, "/s", "").expect("an event")
    };
    let event = query("first_name=J%F6rg");
    assert_eq!(
        event.data,
        Data::Binary(Bytes::from_static(b"first_name=J%F6rg"))
    );
    assert_eq!(event.content_type.as_deref(), Some(FORM));
    let event = query("first_name=J%C3%B6rg");
    let fields = "{\"first_name\":\"Jörg\"}";
    assert_eq!(
        (event.data, event.content_type),
        (Data::Fields(fields.into()), None)
    );
}

#[test]
fn json_under_the_type_of_a_form_has_a_hint() {
    let hint = |content_type: &'static [u8], body: &[u8]| {
        let headers: &[(_, &[u8])] = &[
            ("x-shopify-webhook-id", b"1"),
            ("content-type", content_type),
        ];
        event(headers, body).expect("an event").hint.is_some()
    };
    let form = b"application/x-www-form-urlencoded";
    for (body, expected) in [
        (&br#"{"a":"b&c=d"}"#[..], true),
        (b" [1, 2]\n", true),
        (b"a=1", false),
        (b"{a=1}", false),
        (br#"payload={"a":1}"#, false),
    ] {
        assert_eq!(hint(form, body), expected, "{body:?}");
        assert!(!hint(b"application/octet-stream", body));
    }
}

#[test]
fn the_query_of_what_has_no_body_is_the_event_if_the_id_and_the_proof_allow_it() {
    let event = |provider: &str, query: &str, coverage: Option<Coverage>| {
        let provider = senders::find(provider);
        let received = Received {
            query: Some(query.into()),
            ..received(
                &[("idempotency-key", b"1"), ("x-shopify-webhook-id", b"1")],
                b"",
            )
        };
        let verified = match coverage {
            Some(coverage) => Verified::by_signature(received, Proof::Secret(0), coverage),
            None => Verified::danger_unverified(received),
        };
        Event::new(&verified, provider, "/s", "")
    };
    let got = event("generic", "a=1&b=x%20y&a=2", None).expect("an event");
    let fields = br#"{"a":["1","2"],"b":"x y"}"#;
    assert_eq!(got.data, Data::Fields(Bytes::from_static(fields)));
    assert_eq!(got.raw(), "a=1&b=x%20y&a=2");
    let refused = |event: Result<Event, Reject>| match event {
        Err(Reject::Malformed(reason)) => reason,
        other => panic!("{other:?}"),
    };
    assert_eq!(refused(event("generic", "", None)), "the body is empty");
    assert_eq!(refused(event("generic", "&", None)), "the body is empty");
    // The hash of no body is the same for all.
    assert_eq!(
        refused(event("zoom", "a=1", None)),
        "the request has no event id"
    );
    assert_eq!(
        refused(event("woocommerce", "a=1", None)),
        "the request has no event id"
    );
    assert_eq!(
        refused(event("shippo", "token=x", None)),
        "the body is empty"
    );
    let signed = |template: &str| {
        Some(Coverage::Signed {
            template: template.to_owned().try_into().expect("a template"),
            body_hash: false,
        })
    };
    let unsigned = event("shopify", "a=1", signed("{body}"));
    assert_eq!(
        refused(unsigned),
        "the body is empty, and the query is not signed"
    );
    assert!(event("shopify", "a=1", signed("{url}{body}")).is_ok());
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
fn a_source_that_keeps_all_of_our_names_keeps_none_that_a_sender_wrote() {
    let headers: &[(_, &[u8])] = &[
        ("x-shopify-webhook-id", b"1"),
        ("x-webhook-verified", b"true"),
        ("x-webhook-test", b"true"),
        ("x-webhook-client", b"198.51.100.9"),
        ("x-webhook-else", b"theirs"),
    ];
    let keeping = Provider {
        keep_headers: vec!["x-webhook-*".to_owned().into()],
        ..senders::find("shopify").clone()
    };
    let verified = Verified::danger_unverified(received(headers, b"{}"));
    let event = Event::new(&verified, &keeping, "/s", "");
    let mut event = event.expect("an event");
    event.name_client("::ffff:203.0.113.5".parse().expect("an address"));
    let said = |name: &str| {
        let headers = event.headers.iter().filter(|(known, _)| known == name);
        headers.map(|(_, value)| value.as_str()).collect::<Vec<_>>()
    };
    assert_eq!(said("x-webhook-client"), ["203.0.113.5"]);
    assert_eq!(said("x-webhook-verified"), ["false"]);
    assert_eq!(said("x-webhook-test"), [""; 0]);
    assert_eq!(said("x-webhook-else"), ["theirs"]);
}

#[test]
fn a_token_does_not_reach_the_worker() {
    let headers: &[(_, &[u8])] = &[
        ("x-gitlab-token", b"hush"),
        ("x-gitlab-event", b"Push Hook"),
        ("idempotency-key", b"1"),
    ];
    let gitlab = senders::find("gitlab");
    let verified = Verified::danger_unverified(received(headers, b"{}"));
    let event = Event::new(&verified, gitlab, "/temporal/gitlab", "").expect("an event");
    let shown = format!("{:?}", event.headers);
    assert!(
        shown.contains("Push Hook") && !shown.contains("hush"),
        "{shown}"
    );
}

#[test]
fn nor_does_one_that_stands_in_the_url_or_in_a_form() {
    let provider = |places: &str| Provider {
        id: vec![Locator::try_from("request-sha256".to_owned()).expect("a place")],
        schemes: vec![Scheme {
            locations: vec![places.to_owned().try_into().expect("a place")],
            algorithm: Algorithm::Token,
            ..senders::find("shippo").schemes[0].clone()
        }],
        ..senders::find("generic").clone()
    };
    let parts = b"--b\r\nContent-Disposition: form-data; name=\"token\"\r\n\r\nhush\r\n\
          --b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--b--\r\n";
    let multipart = "multipart/form-data; boundary=b";
    let rest = "a=%20b&&A=+&a=2";
    for (place, method, query, content_type, body) in [
        (
            "query token",
            Method::POST,
            "a=%20b&&to%6ben=hush&A=+&a=2",
            FORM,
            &b""[..],
        ),
        (
            "query token",
            Method::POST,
            "token=hush&a=%20b&&A=+&a=2",
            FORM,
            b"b=1",
        ),
        (
            "query token",
            Method::GET,
            "a=%20b&&A=+&a=2&token=hush",
            FORM,
            b"",
        ),
        (
            "form token",
            Method::GET,
            "a=%20b&&A=+&token=hush&token=hush&a=2",
            FORM,
            b"",
        ),
        (
            "form token",
            Method::POST,
            rest,
            FORM,
            b"b=%201&token=hush&c",
        ),
        ("form token", Method::POST, rest, multipart, parts),
        (
            "query a + query token",
            Method::GET,
            "b=1&token=hush&a=hush",
            FORM,
            b"",
        ),
    ] {
        let received = Received {
            method,
            query: Some(query.into()),
            ..received(&[("content-type", content_type.as_bytes())], body)
        };
        let verified = Verified::danger_unverified(received);
        let event = Event::new(&verified, &provider(place), "/s", "").expect("an event");
        let mut shown = format!("{:?} {:?} {}", event.data, event.headers, event.query);
        // What else a multipart form holds is bytes: they are passed on as they are.
        if content_type == FORM {
            shown.push_str(&String::from_utf8_lossy(&event.body));
        }
        assert!(!shown.contains("hush"), "{place}: {shown}");
        let rest = if place.contains('+') { "b=1" } else { rest };
        assert_eq!(event.query, rest, "{place}");
        if content_type == FORM && body.len() > 3 {
            assert_eq!(&*event.body, b"b=%201&c");
        }
    }
    for method in [Method::GET, Method::POST] {
        let received = Received {
            method,
            query: Some("&token=hush&".into()),
            ..received(&[], b"")
        };
        let verified = Verified::danger_unverified(received);
        let event = Event::new(&verified, &provider("query token"), "/s", "");
        event.expect_err("a token is no event");
    }
    // Another source's token is this one's data.
    let other = Received {
        query: Some("token=1".into()),
        ..received(&[], b"{}")
    };
    let verified = Verified::danger_unverified(other);
    let event = Event::new(&verified, &provider("query key"), "/s", "").expect("an event");
    assert_eq!(event.query, "token=1");
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
    let shopify = senders::find("shopify");
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

//! Which heads are webhooks, which are looks, and which are neither.

use http::header::{HOST, USER_AGENT};

use super::*;
use crate::provider::senders;
use crate::source::Verification;
use crate::verify::VerifyContext;

fn source(provider: &str) -> Source {
    Source {
        name: "s".to_owned(),
        path: "/s".to_owned(),
        provider: senders::find(provider).clone(),
        verification: Verification::DangerUnverified,
        client_certificate: None,
        verify_token: None,
        verify_context: VerifyContext::default(),
        allow: Vec::new(),
        rate_limit: None,
        block: None,
        cors_origins: Vec::new(),
        fetch_keys: false,
        routes: Vec::new(),
        body_limit: 1,
        capture: None,
    }
}

fn request_kind(
    source: &Source,
    method: &Method,
    query: &str,
    headers: &[(HeaderName, &str)],
) -> RequestKind {
    let value = |text: &str| HeaderValue::from_str(text).expect("a value");
    let headers = headers
        .iter()
        .map(|(name, text)| (name.clone(), value(text)));
    RequestKind::of(source, method, Some(query), &headers.collect())
}

#[test]
fn a_look_has_nothing_of_an_event() {
    let topic = HeaderName::from_static("x-shopify-topic");
    let source = source("shopify");
    for (method, query, headers, expected) in [
        (Method::POST, "", &[][..], RequestKind::Webhook),
        (Method::GET, "", &[], RequestKind::Probe),
        (Method::HEAD, "", &[], RequestKind::Probe),
        (
            Method::GET,
            "",
            &[(HOST, "a"), (USER_AGENT, "b")],
            RequestKind::Probe,
        ),
        // Some clients say that they have no body.
        (
            Method::GET,
            "",
            &[(CONTENT_LENGTH, "0")],
            RequestKind::Probe,
        ),
        (
            Method::HEAD,
            "",
            &[(CONTENT_LENGTH, "0")],
            RequestKind::Probe,
        ),
        (
            Method::GET,
            "",
            &[(CONTENT_LENGTH, "1")],
            RequestKind::NotAllowed,
        ),
        (
            Method::GET,
            "",
            &[(CONTENT_TYPE, "text/plain")],
            RequestKind::NotAllowed,
        ),
        (
            Method::GET,
            "",
            &[(topic.clone(), "a")],
            RequestKind::NotAllowed,
        ),
        (Method::HEAD, "", &[(topic, "a")], RequestKind::NotAllowed),
        (Method::GET, "a=b", &[], RequestKind::NotAllowed),
        (Method::PUT, "", &[], RequestKind::NotAllowed),
    ] {
        let seen = request_kind(&source, &method, query, headers);
        assert_eq!(seen, expected, "{method} {query} {headers:?}");
    }
}

/// Its events are queries: a `HEAD` with one is no look, whatever else it has.
#[test]
fn a_head_that_names_an_event_is_no_look() {
    let mut source = source("shopify");
    source.provider.methods = vec![Method::GET];
    source.provider.id = vec![Locator::Query("event".to_owned())];
    for (method, query, expected) in [
        (Method::GET, "event=1", RequestKind::Webhook),
        (Method::HEAD, "event=1", RequestKind::NotAllowed),
        (Method::HEAD, "other=1", RequestKind::Probe),
        (Method::HEAD, "", RequestKind::Probe),
    ] {
        assert_eq!(
            request_kind(&source, &method, query, &[]),
            expected,
            "{method} {query}"
        );
    }
}

#[test]
fn a_refusal_sends_nobody_to_the_method_that_is_refused() {
    let source = source("shopify");
    for (method, allowed) in [
        (Method::GET, "POST"),
        (Method::HEAD, "POST"),
        (Method::PUT, "POST, GET, HEAD"),
    ] {
        let Reject::MethodNotAllowed(allowed_methods, _) = refusal(&source, &method) else {
            panic!("405 is for methods");
        };
        assert_eq!(allowed_methods, allowed, "{method}");
    }
    let mut source = source;
    source.provider.methods = vec![Method::GET, Method::POST];
    let Reject::MethodNotAllowed(allowed_methods, reason) = refusal(&source, &Method::GET) else {
        panic!("405 is for methods");
    };
    assert_eq!((allowed_methods.as_str(), reason), ("POST", REDIRECTED));
}

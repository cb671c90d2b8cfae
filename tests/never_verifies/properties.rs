//! What holds for every request that no sender signed.

use std::cell::Cell;
use std::net::{IpAddr, Ipv4Addr};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use temporal_webhook_forwarder::config::provider::catalogue;
use temporal_webhook_forwarder::forward::admit::{Admitted, Authorised, admit};
use temporal_webhook_forwarder::forward::metrics::{Labels, SourceMetrics};
use webhook_core::event::Event;
use webhook_core::handshake::Handshake;
use webhook_core::outcome::Reject;
use webhook_core::request::Received;
use webhook_core::secret::Secret;
use webhook_core::source::Source;
use webhook_core::verified::Verified;

use super::{attack, targets};

#[test]
fn what_nobody_signed_is_never_let_in() {
    let mut idle = Vec::new();
    for source in targets::all() {
        let name = source.provider.name.clone();
        let open = source.provider.handshake.is_some_and(answers_anybody);
        let compared = Cell::new(0);
        runner(CASES)
            .run(&attack::requests(&source.provider), |request| {
                match knock(&source, request) {
                    Err(reject) if reject.reason() == "the signature does not match" => {
                        compared.set(compared.get() + 1);
                    }
                    Err(_) => {}
                    Ok(Admitted::Handshake(_)) if open => {}
                    Ok(Admitted::Handshake(reply)) => prop_assert!(false, "answered: {reply:?}"),
                    Ok(Admitted::Webhook(_)) => prop_assert!(false, "let in"),
                }
                Ok(())
            })
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        if compared.get() == 0 {
            idle.push(name);
        }
    }
    // Else the requests are so far off that nothing is tried.
    assert!(idle.len() < 3, "no signature was compared: {idle:?}");
}

#[test]
fn nothing_panics_behind_the_signature() {
    let key = Secret::new("key".into()).expect("not empty");
    for provider in catalogue::all() {
        runner(CASES)
            .run(&attack::requests(provider), |request| {
                for handshake in HANDSHAKES {
                    let _ = handshake.unsigned(&request, Some(&key), Some(&key));
                    let _ = handshake.signed(&request, Some(&key));
                }
                let verified = Verified::danger_unverified(request);
                let _ = Event::new(&verified, provider, "/temporal/test", "");
                Ok(())
            })
            .unwrap_or_else(|error| panic!("{}: {error}", provider.name));
    }
}

#[test]
fn an_answer_to_a_challenge_of_x_lets_nothing_in() {
    let provider = catalogue::find("x").expect("in the catalogue");
    let source = targets::source(provider);
    let answered = Cell::new(0);
    let challenge = prop_oneof![
        any::<String>(),
        "[A-Za-z0-9._~+/=-]{1,300}",
        "[{}\"a:1,=&]{1,9}"
    ];
    let requests = (challenge, prop::bool::ANY, attack::requests(provider));
    runner(4 * CASES)
        .run(&requests, |(challenge, by_get, other)| {
            let query = form_urlencoded::Serializer::new(String::new())
                .append_pair("crc_token", &challenge)
                .finish();
            let ask = request(Method::GET, Some(query), HeaderMap::new(), "");
            let Ok(Admitted::Handshake(reply)) = knock(&source, ask) else {
                return Ok(());
            };
            answered.set(answered.get() + 1);
            let reply: serde_json::Value = serde_json::from_str(&reply.body).expect("JSON");
            let signature = reply["response_token"].as_str().expect("a token");
            let mut headers = other.headers;
            headers.insert(
                HeaderName::from_static("x-twitter-webhooks-signature"),
                HeaderValue::from_str(signature).expect("a value"),
            );
            let (method, query) = if by_get {
                (Method::GET, Some("for_user_id=1".to_owned()))
            } else {
                (Method::POST, None)
            };
            let event = request(method, query, headers, &challenge);
            prop_assert!(knock(&source, event).is_err(), "let in");
            Ok(())
        })
        .unwrap_or_else(|error| panic!("{error}"));
    let answered = answered.get();
    assert!(answered > CASES, "only {answered} challenges were answered");
}

#[test]
fn an_answer_to_zoom_is_no_signature() {
    let key = Secret::new("key".into()).expect("not empty");
    let token = prop_oneof![
        any::<String>(),
        "v0:[0-9]{10}:[{}a-z\":]{0,9}",
        "[A-Za-z0-9:._-]{1,30}"
    ];
    runner(4 * CASES)
        .run(&token, |token| {
            let body = serde_json::json!({
                "event": "endpoint.url_validation",
                "payload": { "plainToken": token },
            });
            let request = request(Method::POST, None, HeaderMap::new(), &body.to_string());
            if let Ok(Some(_)) = Handshake::Zoom.signed(&request, Some(&key)) {
                prop_assert!(!token.contains(':'), "signed what an event is signed as");
            }
            Ok(())
        })
        .unwrap_or_else(|error| panic!("{error}"));
}

fn knock(source: &Source, request: Received) -> Result<Admitted, Reject> {
    let peer = IpAddr::V4(Ipv4Addr::LOCALHOST);
    admit(
        source,
        &SourceMetrics::new(source, &Labels::default()),
        request,
        peer,
        None,
        &Authorised::default(),
        &[],
    )
}

fn request(method: Method, query: Option<String>, headers: HeaderMap, body: &str) -> Received {
    Received {
        path: String::new(),
        method,
        query,
        headers,
        body: Bytes::copy_from_slice(body.as_bytes()),
        at: attack::now(),
    }
}

/// Handshakes that need no secret of the asking one.
const fn answers_anybody(handshake: Handshake) -> bool {
    matches!(
        handshake,
        Handshake::Dropbox | Handshake::X | Handshake::Woocommerce
    )
}

fn runner(cases: u32) -> TestRunner {
    TestRunner::new(Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    })
}

const CASES: u32 = 80;
const HANDSHAKES: [Handshake; 9] = [
    Handshake::Meta,
    Handshake::Slack,
    Handshake::Zoom,
    Handshake::Dropbox,
    Handshake::X,
    Handshake::DiscordInteractions,
    Handshake::DiscordEvents,
    Handshake::Woocommerce,
    Handshake::Intercom,
];

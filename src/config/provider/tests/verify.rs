//! Tests of the check itself: published and independently made vectors, and what must never verify.

use std::borrow::Cow;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use webhook_core::base64::decode_base64;
use webhook_core::provider::scheme::{Algorithm, Scheme, SecretForm};
use webhook_core::request::Received;
use webhook_core::secret::Secret;
use webhook_core::verified::Proof;
use webhook_core::verify::key::Key;
use webhook_core::verify::{Verifier, VerifyContext, VerifyError, verify};

use crate::config::provider::{self, catalogue};
use crate::config::reader::Reader;

const NAME: &str = "x-shopify-hmac-sha256";
/// HMAC-SHA256 of `BODY` under `SECRET`, by OpenSSL.
const SIGNATURE: &str = "VnKUjZsLuN5iZWjn5EntcBVCF9kMN43LglzCE1/GSeY=";
const SECRET: &str = "hush";
const BODY: &str = r#"{"id":1}"#;

fn received(headers: &[(&str, &str)], body: &str) -> Received {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        let name: HeaderName = name.parse().expect("a header name");
        map.append(name, HeaderValue::from_str(value).expect("a header value"));
    }
    Received {
        method: Method::POST,
        path: String::new(),
        query: None,
        headers: map,
        body: Bytes::copy_from_slice(body.as_bytes()),
        at: SystemTime::UNIX_EPOCH,
    }
}

fn verifier(scheme: Scheme, secrets: &[&str]) -> Verifier {
    let secrets = secrets.iter().enumerate();
    let keys = secrets.map(|(index, text)| {
        let secret = Secret::new(text.as_bytes().to_vec()).expect("not empty");
        (index, Key::new(scheme.secret, &secret).expect("a key"))
    });
    Verifier {
        keys: keys.collect(),
        scheme,
    }
}

fn check_at(seconds: u64, verifier: Verifier, received: Received) -> Result<Proof, &'static str> {
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
    verify(
        &[verifier],
        &VerifyContext::default(),
        |_| true,
        &[],
        received,
        now,
    )
    .map(|v| v.proof())
    .map_err(|unproven| match unproven.reason {
        Cow::Borrowed(reason) => reason,
        Cow::Owned(reason) => panic!("{reason}"),
    })
}

fn shopify(headers: &[(&str, &str)], body: &str, secrets: &[&str]) -> Option<Proof> {
    let scheme = catalogue::find("shopify")
        .expect("in the catalogue")
        .schemes[0]
        .clone();
    check_at(0, verifier(scheme, secrets), received(headers, body)).ok()
}

fn scheme(text: &'static str) -> Scheme {
    let (mut reader, section) = Reader::new("scheme", text);
    let scheme = provider::scheme::read(&mut reader, section).expect("a scheme");
    assert_eq!(reader.into_mistakes(), []);
    scheme
}

#[test]
fn an_independent_vector_holds_in_both_header_families() {
    for name in [NAME, "shopify-hmac-sha256"] {
        assert_eq!(
            shopify(&[(name, SIGNATURE)], BODY, &[SECRET]),
            Some(Proof::Secret(0))
        );
    }
}

#[test]
fn any_secret_may_match_and_is_named() {
    let proof = shopify(&[(NAME, SIGNATURE)], BODY, &["other", SECRET]);
    assert_eq!(proof, Some(Proof::Secret(1)));
}

#[test]
fn everything_else_fails() {
    let hex = "5672948d9b0bb8de626568e7e449ed70154217d90c378dcb825cc2135fc649e6";
    let cases: &[(&[(&str, &str)], &str)] = &[
        (&[], BODY),
        (&[(NAME, "")], BODY),
        (&[(NAME, hex)], BODY),
        (&[(NAME, &SIGNATURE[..20])], BODY),
        (&[(NAME, SIGNATURE)], r#"{"id":0}"#),
        (&[(NAME, SIGNATURE)], ""),
        (&[(NAME, SIGNATURE), (NAME, SIGNATURE)], BODY),
        (&[(NAME, "%%%%")], BODY),
    ];
    for (headers, body) in cases {
        assert_eq!(
            shopify(headers, body, &[SECRET]),
            None,
            "{headers:?} {body}"
        );
    }
    assert_eq!(shopify(&[(NAME, SIGNATURE)], BODY, &["other"]), None);
    assert_eq!(shopify(&[(NAME, SIGNATURE)], BODY, &[]), None);
}

#[test]
fn a_signed_time_must_be_near_ours_and_be_there_once() {
    let scheme = || {
        scheme(
            "in = [\"header S\"]\nformat = \"kv , v1\"\nsigned = \"{ts}.{body}\"\n[timestamp]\nin = \"kv t\"",
        )
    };
    let key = Secret::new(SECRET.into()).map(Key::Shared).expect("a key");
    let mac = hex::encode(key.sign(scheme().algorithm, b"1000.{}").expect("shared"));
    let at = |seconds, header: &str| {
        check_at(
            seconds,
            verifier(scheme(), &[SECRET]),
            received(&[("s", header)], "{}"),
        )
    };
    let header = format!("t=1000,v0=00,v1={mac}");
    for seconds in [700, 1000, 1300] {
        assert_eq!(at(seconds, &header), Ok(Proof::Secret(0)));
    }
    for seconds in [699, 1301] {
        assert_eq!(
            at(seconds, &header),
            Err("the timestamp is too far from our clock")
        );
    }
    assert_eq!(
        at(1000, &format!("t=1000,v1=00,v1={mac}")),
        Ok(Proof::Secret(0))
    );
    for header in [
        format!("t=1000,t=1000,v1={mac}"),
        format!("v1={mac}"),
        format!("t=1001,v1={mac}"),
        format!("t=1000,v0={mac}"),
        format!("t=+1000,v1={mac}"),
        "t=1000".to_owned(),
    ] {
        assert!(at(1000, &header).is_err(), "{header}");
    }
}

#[test]
fn a_public_key_is_no_shared_secret() {
    let key = |text: &str| {
        let secret = Secret::new(text.as_bytes().to_vec()).expect("not empty");
        Key::new(SecretForm::Base64, &secret)
    };
    assert!(key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").is_ok());
    assert!(key("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").is_ok());
    for prefix in ["whpk_", "whsk_"] {
        // Both texts are well-formed base64 of the URL alphabet.
        let text = format!("{prefix}11qYAYKxCrfVSt7TyWQHOg7hcvPapiMlrwIaaPcHURo");
        assert!(decode_base64(text.as_bytes()).is_some());
        assert!(key(&text).is_err(), "{text}");
    }
}

#[test]
fn a_scheme_that_would_fail_open_is_a_mistake() {
    for (text, part) in [
        (
            "in = [\"header S\"]\n[timestamp]\nin = \"header T\"",
            "checked but not signed",
        ),
        (
            "in = [\"header S\"]\nalgorithm = \"ed25519\"",
            "does not fit the algorithm",
        ),
        (
            "in = [\"header S\"]\nsigned = \"{ts}{body}\"",
            "there is no timestamp",
        ),
        (
            "in = [\"header S\"]\nsigned = \"{bodi}\"",
            "unknown name \"bodi\"",
        ),
        ("in = [\"cookie S\"]", "expected \"header NAME\""),
        (
            "in = [\"header S\"]\nsigned = \"{param:p}.v1\"",
            "nothing of the request",
        ),
        (
            "in = [\"json s\"]\nsigned = \"{json:a}\"\n[timestamp]\nin = \"json t\"",
            "checked but not signed",
        ),
        (
            "in = [\"header S\"]\nsigned = \"{json:a}\"\n[timestamp]\nin = \"header T\"",
            "checked but not signed",
        ),
        (
            "in = [\"header S\"]\nformat = \"kv , v1\"\n[timestamp]\nin = \"kv t\"",
            "checked but not signed",
        ),
        (
            "in = [\"header S\"]\nalgorithm = \"token\"\nsigned = \"{ts}\"\n[timestamp]\nin = \"header T\"",
            "a token signs none",
        ),
    ] {
        let (mut reader, section) = Reader::new("scheme", text);
        let _ = provider::scheme::read(&mut reader, section);
        let mistakes = format!("{:?}", reader.into_mistakes());
        assert!(mistakes.contains(&part.replace('"', "\\\"")), "{mistakes}");
    }
}

/// Published by the senders; nothing in them is an event.
#[test]
fn published_vectors_of_senders_that_sign_their_url_hold() {
    let square = "2kRE5qRU2tR+tBGlDwMEw2avJ7QM4ikPYD/PJ3bd9Og=";
    let hubspot = "K36dawei4A+QBNolUOqo7s91KQDWQ5MXZ/QufNYuk/Y=";
    let client_secret = "yyyyyyyy-yyyy-yyyy-yyyy-yyyyyyyyyyyy";
    let holds = |name: &str, secret: &str, url: &str, headers: &[(&str, &str)], body: &str| {
        let scheme = catalogue::find(name).expect("there").schemes[0].clone();
        let verify_context = VerifyContext {
            public_url: Some(url.to_owned()),
            params: Vec::new(),
        };
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_693_657_560);
        let verifiers = [verifier(scheme, &[secret])];
        let received = received(headers, body);
        verify(&verifiers, &verify_context, |_| true, &[], received, now).is_ok()
    };
    let url = "https://example.com/webhook";
    let headers = [("x-square-hmacsha256-signature", square)];
    assert!(holds(
        "square",
        "asdf1234",
        url,
        &headers,
        r#"{"hello":"world"}"#
    ));
    assert!(!holds(
        "square",
        "asdf1234",
        url,
        &headers,
        r#"{"hello":"World"}"#
    ));
    let url = "https://www.example.com/webhook_uri";
    let headers = [
        ("x-hubspot-signature-v3", hubspot),
        ("x-hubspot-request-timestamp", "1693657560000"),
    ];
    let body = "{'example_field':'example_value'}";
    assert!(holds("hubspot", client_secret, url, &headers, body));
    assert!(!holds(
        "hubspot",
        client_secret,
        &format!("{url}/"),
        &headers,
        body
    ));
}

#[test]
fn a_get_needs_a_signed_query() {
    let get = |text: &'static str, signed: &[u8]| {
        let scheme = scheme(text);
        let key = Secret::new(SECRET.into()).map(Key::Shared).expect("a key");
        let mac = hex::encode(key.sign(scheme.algorithm, signed).expect("shared"));
        let received = Received {
            method: Method::GET,
            query: Some("a=1".to_owned()),
            ..received(&[("s", &mac)], BODY)
        };
        check_at(0, verifier(scheme, &[SECRET]), received)
    };
    let body_alone = get("in = [\"header S\"]", BODY.as_bytes());
    assert_eq!(body_alone, Err("a GET is its query, which is not signed"));
    let field = get("in = [\"header S\"]\nsigned = \"{query:a}\"", b"1");
    assert_eq!(field, Ok(Proof::Secret(0)));
}

/// A header with several signatures, `right` at one of the places.
fn claims(count: usize, right: Option<(usize, &str)>) -> String {
    let claim = |index: usize| match right {
        Some((at, mac)) if at == index => format!("v1={mac}"),
        _ => format!("v1={index:064x}"),
    };
    let claims: Vec<_> = (0..count).map(claim).collect();
    format!("t=1000,{}", claims.join(","))
}

fn several() -> Scheme {
    scheme(
        "in = [\"header S\"]\nformat = \"kv , v1\"\nsigned = \"{ts}.{body}\"\n[timestamp]\nin = \"kv t\"",
    )
}

#[test]
fn any_of_several_signatures_may_be_the_right_one() {
    let key = Secret::new(SECRET.into()).map(Key::Shared).expect("a key");
    let mac = hex::encode(key.sign(several().algorithm, b"1000.{}").expect("shared"));
    for secrets in [&[SECRET][..], &["one", "two", SECRET]] {
        for at in 0..MAX_SIGNATURES {
            let header = claims(MAX_SIGNATURES, Some((at, &mac)));
            let proof = check_at(
                1000,
                verifier(several(), secrets),
                received(&[("s", &header)], "{}"),
            );
            assert_eq!(proof, Ok(Proof::Secret(secrets.len() - 1)), "{at}");
        }
    }
    let header = claims(MAX_SIGNATURES + 1, Some((0, &mac)));
    let too_many = check_at(
        1000,
        verifier(several(), &[SECRET]),
        received(&[("s", &header)], "{}"),
    );
    assert_eq!(too_many, Err(TOO_MANY));
}

#[test]
fn public_keys_check_a_bounded_number_of_signatures() {
    let ed25519 = || {
        scheme(
            "in = [\"header S\"]\nformat = \"kv , v1\"\nalgorithm = \"ed25519\"\nsecret = \"hex\"",
        )
    };
    let keys: Vec<String> = (1..=20)
        .map(|byte| format!("{byte:02x}").repeat(32))
        .collect();
    for (keys_given, signatures, refusal) in [
        (1, 16, "the signature does not match"),
        (4, 4, "the signature does not match"),
        (4, 5, TOO_MANY),
        (20, 2, "the signature does not match"),
        (20, 3, TOO_MANY),
    ] {
        let secrets: Vec<&str> = keys[..keys_given].iter().map(String::as_str).collect();
        let header = claims(signatures, None);
        let received = received(&[("s", &header)], "{}");
        let refused = check_at(1000, verifier(ed25519(), &secrets), received);
        assert_eq!(refused, Err(refusal), "{keys_given} {signatures}");
    }
}

#[test]
fn what_is_unproven_says_how_many_secrets_were_tried_and_how_far_the_clock_is_off() {
    let signed_at = |ts: u64, secret: &str| {
        let key = Key::Shared(Secret::new(secret.into()).expect("not empty"));
        let text = format!("{ts}.{BODY}");
        let mac = key.sign(Algorithm::HmacSha256, text.as_bytes());
        let header = format!("t={ts},v1={}", hex::encode(mac.expect("a MAC")));
        received(&[("stripe-signature", &header)], BODY)
    };
    let stripe = &catalogue::find("stripe").expect("in the catalogue").schemes[0];
    let unproven = |received, may: fn(usize) -> bool| {
        // Each secret in two schemes: counted once.
        let verifiers = [(); 2].map(|()| verifier(stripe.clone(), &["one", "two", "three"]));
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(10_000);
        let verify_context = VerifyContext::default();
        verify(&verifiers, &verify_context, may, &[], received, now).expect_err("it does not hold")
    };
    let facts = |unproven: VerifyError| (unproven.secrets_tried, unproven.clock_skew);
    for (ts, off) in [(9_000, 1_000), (11_001, -1_001)] {
        let unproven = unproven(signed_at(ts, "two"), |_| true);
        assert_eq!(unproven.reason, OUT_OF_TIME);
        assert_eq!(facts(unproven), (None, Some(off)));
    }
    let wrong = signed_at(10_000, "four");
    assert_eq!(facts(unproven(wrong, |_| true)), (Some(3), None));
    let wrong = signed_at(10_000, "four");
    assert_eq!(facts(unproven(wrong, |index| index > 0)), (Some(2), None));
    let unsigned = received(&[], BODY);
    assert_eq!(facts(unproven(unsigned, |_| true)), (None, None));
}

/// As `verify` bounds them.
const MAX_SIGNATURES: usize = 16;
const OUT_OF_TIME: &str = "the timestamp is too far from our clock";
const TOO_MANY: &str = "too many signatures";

//! What `send` sends verifies, for every entry: signing against verifying.

use std::time::{Duration, SystemTime};

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaPair, KeySize};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use temporal_webhook_forwarder::commands::sign::sign;
use temporal_webhook_forwarder::config::provider::catalogue;
use webhook_core::delivery::{Delivery, DeliveryOptions};
use webhook_core::event::Event;
use webhook_core::provider::Provider;
use webhook_core::provider::locator::{Locator, Lookup};
use webhook_core::provider::scheme::{Algorithm, Scheme, SecretForm};
use webhook_core::request::Received;
use webhook_core::secret::Secret;
use webhook_core::verify::key::Key;
use webhook_core::verify::{Verifier, VerifyContext, verify};
use x509_parser::prelude::FromDer;
use x509_parser::public_key::PublicKey;
use x509_parser::x509::SubjectPublicKeyInfo;

#[test]
fn every_sample_verifies_with_every_kind_of_secret_and_is_an_event() {
    for provider in catalogue::all() {
        for scheme in &provider.schemes {
            // `send` signs no SHA-1 where there is SHA-256.
            if scheme.algorithm != Algorithm::RsaSha1 {
                check(provider, scheme);
                for (name, sample) in &provider.samples {
                    let mut provider = provider.clone();
                    provider.sample = sample.clone();
                    provider.name = format!("{}, {name}", provider.name);
                    check(&provider, scheme);
                }
            }
        }
    }
}

#[test]
fn a_second_sample_is_another_kind_of_event() {
    let mut count = 0;
    for provider in catalogue::all() {
        for (name, sample) in &provider.samples {
            count += 1;
            let text = catalogue::text(&provider.name).expect("it has a file");
            assert!(text.contains(&format!("[samples.{name}]")), "{name}");
            assert_ne!(sample.body, provider.sample.body, "{}", provider.name);
            assert!(!sample.body.is_empty(), "{} {name}", provider.name);
        }
    }
    assert!(count >= 5, "{count}");
}

/// What `send` is told to send arrives as that, wherever the entry has its place.
#[test]
fn topic_and_tenant_of_the_flags_are_those_of_the_event() {
    let mut told = 0;
    for provider in catalogue::all() {
        let is_value = |place: &Locator| {
            matches!(
                place,
                Locator::Header(_) | Locator::Json(_) | Locator::Form(_) | Locator::Query(_)
            )
        };
        let options = DeliveryOptions {
            id: "0b989ba4-242f-11e5-81e1-c7b6966d2516",
            topic: Some("told/topic"),
            tenant: Some("told-tenant"),
            body: None,
            now: SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_435_200),
            url: URL,
            params: &[],
        };
        let received = received(Delivery::unsigned(provider, &options), options.now);
        for (places, value) in [
            (&provider.topic, "told/topic"),
            (&provider.tenant, "told-tenant"),
        ] {
            if places.first().is_some_and(is_value) && places.iter().all(is_value) {
                told += 1;
                let found = Locator::find_first(places, &received);
                assert_eq!(found, Lookup::One(value.to_owned()), "{}", provider.name);
            }
        }
    }
    assert!(told > 20, "{told}");
}

/// Signs with a secret for this scheme, under the first of the provider's that takes it.
fn check(provider: &Provider, scheme: &Scheme) {
    let place = format!(
        "{}, {} {:?}",
        provider.name, scheme.algorithm, scheme.secret
    );
    let (ours, theirs) = pair(scheme);
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_435_200);
    let schemes = provider.schemes.iter();
    let params = schemes.flat_map(|scheme| scheme.signed.params());
    let params: Vec<_> = params
        .map(|name| (name.to_owned(), PARAM.to_owned()))
        .collect();
    let options = DeliveryOptions {
        id: "0b989ba4-242f-11e5-81e1-c7b6966d2516",
        topic: None,
        tenant: None,
        body: None,
        now,
        url: URL,
        params: &params,
    };
    let signing = |scheme: &Scheme, signed: &[u8]| sign(scheme, &theirs, signed);
    let delivery = Delivery::signed(provider, &options, &signing);
    let delivery = delivery.unwrap_or_else(|e| panic!("{place}: {e}"));
    let verifiers = provider.schemes.iter().filter_map(|scheme| {
        let keys = vec![(0, Key::new(scheme.secret, &ours).ok()?)];
        let scheme = scheme.clone();
        Some(Verifier { scheme, keys })
    });
    let verify_context = VerifyContext {
        public_url: Some(URL.to_owned()),
        params,
    };
    let received = received(delivery, now);
    let verifiers: Vec<_> = verifiers.collect();
    let verified = verify(&verifiers, &verify_context, |_| true, &[], received, now);
    let verified = verified.unwrap_or_else(|e| panic!("{place}: {e}"));
    let event = Event::new(&verified, provider, "/temporal/test", "env:TEST");
    let event = event.unwrap_or_else(|e| panic!("{place}: {e:?}"));
    if let Some(sent) = &provider.sample.topic {
        let topic = event.topic.unwrap_or_default();
        assert!(topic.starts_with(sent.as_str()), "{place}: {topic:?}");
    }
}

/// The secret as the receiver has it, and as the sender does.
fn pair(scheme: &Scheme) -> (Secret, Secret) {
    let random = SystemRandom::new();
    match scheme.algorithm {
        Algorithm::RsaSha256 | Algorithm::RsaSha1 => {
            let pair = RsaPair::generate(KeySize::Rsa2048).expect("a key");
            let private: Pkcs8V1Der<'_> = pair.as_der().expect("DER");
            let public = pair.public_key().as_der().expect("DER");
            let ours = match scheme.secret {
                SecretForm::Jwks => key_set(public.as_ref()),
                _ => STANDARD.encode(public.as_ref()),
            };
            (secret(&ours), pem(private.as_ref()))
        }
        Algorithm::EcdsaP256Sha256 => {
            let private = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random);
            let private = private.expect("a key");
            let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, private.as_ref());
            let pair = pair.expect("a key");
            let public = pair.public_key().as_der().expect("DER");
            (
                secret(&STANDARD.encode(public.as_ref())),
                pem(private.as_ref()),
            )
        }
        Algorithm::Ed25519 => {
            let private = Ed25519KeyPair::generate_pkcs8(&random).expect("a key");
            let pair = Ed25519KeyPair::from_pkcs8(private.as_ref()).expect("a key");
            let public = pair.public_key().as_ref();
            let ours = match scheme.secret {
                SecretForm::Whpk => format!("whpk_{}", STANDARD.encode(public)),
                _ => hex::encode(public),
            };
            (secret(&ours), pem(private.as_ref()))
        }
        _ => {
            let shared = match scheme.secret {
                SecretForm::Base64 => "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
                _ => "a-shared-secret",
            };
            (secret(shared), secret(shared))
        }
    }
}

/// A set of one key, under the id that the samples name.
fn key_set(key: &[u8]) -> String {
    let (_, key) = SubjectPublicKeyInfo::from_der(key).expect("a public key");
    let Ok(PublicKey::RSA(key)) = key.parsed() else {
        panic!("not an RSA key");
    };
    let digits = |integer: &[u8]| {
        let zeros = integer.iter().take_while(|&&byte| byte == 0).count();
        URL_SAFE_NO_PAD.encode(&integer[zeros..])
    };
    let (n, e) = (digits(key.modulus), digits(key.exponent));
    format!(r#"{{"keys":[{{"kty":"RSA","kid":"test","n":"{n}","e":"{e}"}}]}}"#)
}

fn pem(der: &[u8]) -> Secret {
    let base64 = STANDARD.encode(der);
    let lines: Vec<_> = base64.as_bytes().chunks(64).collect();
    let lines = String::from_utf8(lines.join(&b'\n')).expect("base64");
    secret(&format!(
        "-----BEGIN PRIVATE KEY-----\n{lines}\n-----END PRIVATE KEY-----\n"
    ))
}

fn secret(text: &str) -> Secret {
    Secret::new(text.as_bytes().to_vec()).expect("not empty")
}

fn received(delivery: Delivery, at: SystemTime) -> Received {
    let mut headers = HeaderMap::new();
    for (name, value) in delivery.headers {
        let name: HeaderName = name.parse().expect("a header's name");
        headers.append(
            name,
            HeaderValue::from_str(&value).expect("a header's value"),
        );
    }
    Received {
        path: String::new(),
        method: Method::POST,
        query: delivery.query,
        headers,
        body: Bytes::from(delivery.body),
        at,
    }
}

const URL: &str = "https://hooks.example.com/temporal/test";
/// Fits every sample: AWS SNS compares it with the message's topic.
const PARAM: &str = "arn:aws:sns:us-west-2:123456789012:MyTopic";

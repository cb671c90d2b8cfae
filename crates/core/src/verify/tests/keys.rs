//! Which keys may count, and for what: of a tenant, of a set, of a body's hash, of either URL.

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{KeyPair, RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use x509_parser::prelude::FromDer;
use x509_parser::public_key::PublicKey;
use x509_parser::x509::SubjectPublicKeyInfo;

use super::*;

fn secret(text: &str) -> Secret {
    Secret::new(text.as_bytes().to_vec()).expect("not empty")
}

/// Signed at 1000 s under this secret, over this.
fn request(key: &str, signed: &str, more: &[(&'static str, &str)]) -> Received {
    let key = Key::new(SecretForm::Text, &secret(key)).expect("a key");
    let mac = key.sign(Algorithm::HmacSha256, signed.as_bytes());
    let claim = format!("t=1000,v1={}", hex::encode(mac.expect("it is shared")));
    let headers = [("s", claim.as_str())]
        .into_iter()
        .chain(more.iter().copied());
    let header = |(name, text): (&'static str, &str)| {
        let value = HeaderValue::from_str(text).expect("a value");
        (HeaderName::from_static(name), value)
    };
    Received {
        method: Method::POST,
        path: String::new(),
        query: Some("a=b".to_owned()),
        headers: headers.map(header).collect(),
        body: Bytes::from_static(b"{}"),
        at: SystemTime::UNIX_EPOCH,
    }
}

fn proof(
    verifier: Verifier,
    verify_context: &VerifyContext,
    is_usable: impl Fn(usize) -> bool,
    received: Received,
) -> Result<Proof, VerifyError> {
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1000);
    let verified = verify(&[verifier], verify_context, is_usable, &[], received, now);
    verified.map(|verified| verified.proof())
}

#[test]
fn a_secret_that_may_not_count_does_not() {
    let any = VerifyContext::default();
    let secrets = ["one", "two"];
    let received = || request("two", "1000.{}", &[]);
    let held = proof(several(&secrets), &any, |index| index == 1, received());
    assert_eq!(held, Ok(Proof::Secret(1)));
    let refused = proof(several(&secrets), &any, |index| index == 0, received())
        .expect_err("it is another tenant's");
    assert_eq!(
        (&*refused.reason, refused.secrets_tried),
        (NO_MATCH, Some(1))
    );
}

#[test]
fn the_hash_of_the_body_is_the_bodys() {
    let with_hash = || {
        let mut verifier = several(&["one"]);
        verifier.scheme.signed = String::from("{ts}").try_into().expect("a template");
        verifier.scheme.body_sha256 = Some(Locator::Header(HeaderName::from_static("d")));
        verifier
    };
    let of = |text: &[u8]| hex::encode(digest::digest(&digest::SHA256, text));
    let (right, wrong) = (of(b"{}"), of(b"{ }"));
    for (more, holds) in [
        (&[("d", right.as_str())][..], true),
        (&[("d", wrong.as_str())], false),
        (&[("d", &right[2..])], false),
        (&[], false),
    ] {
        let received = request("one", "1000", more);
        let proof = proof(with_hash(), &VerifyContext::default(), |_| true, received);
        assert_eq!(proof.is_ok(), holds, "{more:?}");
    }
}

#[test]
fn the_default_port_of_the_url_may_be_signed_or_not() {
    for (public, signed, holds) in [
        ("https://h.example/p", "https://h.example/p?a=b", true),
        ("https://h.example/p", "https://h.example:443/p?a=b", true),
        ("https://h.example:443/p", "https://h.example/p?a=b", true),
        ("http://h.example/p", "http://h.example:80/p?a=b", true),
        ("https://h.example/p", "https://h.example:8443/p?a=b", false),
        ("https://h.example/p", "https://h.example/p", false),
    ] {
        let mut verifier = several(&["one"]);
        verifier.scheme.signed = String::from("{url}").try_into().expect("a template");
        let verify_context = VerifyContext {
            public_url: Some(public.to_owned()),
            ..VerifyContext::default()
        };
        let received = request("one", signed, &[]);
        let proof = proof(verifier, &verify_context, |_| true, received);
        assert_eq!(proof.is_ok(), holds, "{public} {signed}");
    }
}

#[test]
fn a_key_of_a_set_counts_under_its_own_id() {
    let pair = RsaKeyPair::generate(KeySize::Rsa2048).expect("a key can be made");
    let der = pair.public_key().as_der().expect("it has a form");
    let (_, info) = SubjectPublicKeyInfo::from_der(der.as_ref()).expect("its own");
    let Ok(PublicKey::RSA(key)) = info.parsed() else {
        panic!("it is an RSA key");
    };
    // DER says by a zero that it is not negative.
    let modulus = key.modulus.strip_prefix(&[0]).unwrap_or(key.modulus);
    let (n, e) = (STANDARD.encode(modulus), STANDARD.encode(key.exponent));
    let jwks = format!(r#"{{"keys":[{{"kty":"RSA","kid":"a","n":"{n}","e":"{e}"}}]}}"#);
    let set = Key::new(SecretForm::Jwks, &secret(&jwks)).expect("a set");
    let mut signature = vec![0; pair.public_modulus_len()];
    let random = SystemRandom::new();
    let signed = pair.sign(&RSA_PKCS1_SHA256, &random, b"{}", &mut signature);
    signed.expect("it signs");
    let template: signed::Signed = String::from("{body}").try_into().expect("a template");
    let received = request("one", "", &[]);
    let scope = Scope {
        received: &received,
        timestamp: None,
        url: None,
        params: &[],
    };
    let rendered = template.render(&scope).expect("it has a body");
    for (id, holds) in [(Some("a"), true), (Some("b"), false), (None, false)] {
        let claims = [signature.clone()];
        let verified = set.verifies(Algorithm::RsaSha256, id, &rendered, &claims);
        assert_eq!((verified, set.has(id)), (holds, holds), "{id:?}");
    }
}

#[test]
fn a_key_of_the_wrong_length_is_none() {
    let whpk = |length| format!("whpk_{}", STANDARD.encode(vec![7; length]));
    for (length, fits) in [(31, false), (32, true), (33, false)] {
        let hex = Key::new(SecretForm::Hex, &secret(&"07".repeat(length)));
        let whpk = Key::new(SecretForm::Whpk, &secret(&whpk(length)));
        assert_eq!((hex.is_ok(), whpk.is_ok()), (fits, fits), "{length}");
    }
}

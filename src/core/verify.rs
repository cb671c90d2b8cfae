//! The signature check: over the raw bytes, in constant time, every secret tried. And its
//! inverse, with which `send` signs.

use aws_lc_rs::hmac;
use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::config::secret::Secret;
use super::provider::{Algorithm, Encoding, Found, Locator, Signature};
use super::request::{Received, Verified};

/// Proves the sender: any of `secrets` may have signed. On failure the text says why, for the log.
pub fn verify<'a>(
    signature: &Signature,
    secrets: impl IntoIterator<Item = &'a Secret>,
    received: Received,
) -> Result<Verified, &'static str> {
    let claimed = match Locator::find_first(&signature.locations, &received) {
        Found::Missing => return Err("no signature header"),
        Found::Ambiguous => return Err("more than one signature, or one that is not ASCII"),
        Found::One(text) => decode(signature.encoding, &text)?,
    };
    let matching = secrets
        .into_iter()
        .position(|secret| is_mac(signature.algorithm, secret, &received.body, &claimed));
    match matching {
        Some(index) => Ok(Verified::by_secret(received, index)),
        None => Err("the signature does not match"),
    }
}

/// The text of the signature header for this body.
pub fn sign(signature: &Signature, secret: &Secret, body: &[u8]) -> String {
    let mac = match signature.algorithm {
        Algorithm::HmacSha256 => hmac::sign(&hmac_key(secret), body),
    };
    match signature.encoding {
        Encoding::Base64 => STANDARD.encode(mac),
    }
}

fn is_mac(algorithm: Algorithm, secret: &Secret, signed: &[u8], claimed: &[u8]) -> bool {
    match algorithm {
        // constant time, and false for any other length
        Algorithm::HmacSha256 => hmac::verify(&hmac_key(secret), signed, claimed).is_ok(),
    }
}

fn hmac_key(secret: &Secret) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, secret.reveal())
}

fn decode(encoding: Encoding, text: &str) -> Result<Vec<u8>, &'static str> {
    match encoding {
        Encoding::Base64 => STANDARD
            .decode(text)
            .or_else(|_| URL_SAFE.decode(text))
            .map_err(|_| "the signature is not base64"),
    }
}

const LENIENT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use bytes::Bytes;
    use http::{HeaderMap, HeaderName, HeaderValue, Method};

    use super::*;
    use crate::core::provider;
    use crate::core::request::Proof;

    /// HMAC-SHA256 of `BODY` under `SECRET`, by OpenSSL.
    const SIGNATURE: &str = "VnKUjZsLuN5iZWjn5EntcBVCF9kMN43LglzCE1/GSeY=";
    const SECRET: &str = "hush";
    const BODY: &str = r#"{"id":1}"#;

    fn check(headers: &[(&'static str, &str)], body: &str, secrets: &[&str]) -> Option<Proof> {
        let shopify = provider::find("shopify").expect("in the catalogue");
        let signature = shopify.signature.as_ref().expect("it signs");
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(
                HeaderName::from_static(name),
                HeaderValue::from_str(value).expect("a header value"),
            );
        }
        let received = Received {
            method: Method::POST,
            query: None,
            headers: map,
            body: Bytes::copy_from_slice(body.as_bytes()),
            at: SystemTime::UNIX_EPOCH,
        };
        let secrets: Vec<_> = secrets
            .iter()
            .map(|text| Secret::new(text.as_bytes().to_vec()).expect("not empty"))
            .collect();
        verify(signature, &secrets, received)
            .ok()
            .map(|verified| verified.proof())
    }

    #[test]
    fn a_published_vector_holds_in_both_header_families() {
        for name in ["x-shopify-hmac-sha256", "shopify-hmac-sha256"] {
            assert_eq!(
                check(&[(name, SIGNATURE)], BODY, &[SECRET]),
                Some(Proof::Secret(0))
            );
        }
    }

    #[test]
    fn any_secret_may_match_and_is_named() {
        assert_eq!(
            check(
                &[("x-shopify-hmac-sha256", SIGNATURE)],
                BODY,
                &["other", SECRET]
            ),
            Some(Proof::Secret(1))
        );
    }

    #[test]
    fn everything_else_fails() {
        let name = "x-shopify-hmac-sha256";
        let hex = "5672948d9b0bb8de626568e7e449ed70154217d90c378dcb825cc2135fc649e6";
        let cases: &[(&[(&'static str, &str)], &str)] = &[
            (&[], BODY),
            (&[(name, "")], BODY),
            (&[(name, hex)], BODY),
            (&[(name, &SIGNATURE[..20])], BODY),
            (&[(name, SIGNATURE)], r#"{"id":0}"#),
            (&[(name, SIGNATURE)], ""),
            (&[(name, SIGNATURE), (name, SIGNATURE)], BODY),
            (&[(name, "%%%%")], BODY),
        ];
        for (headers, body) in cases {
            assert_eq!(check(headers, body, &[SECRET]), None, "{headers:?} {body}");
        }
        assert_eq!(check(&[(name, SIGNATURE)], BODY, &["other"]), None);
        assert_eq!(check(&[(name, SIGNATURE)], BODY, &[]), None);
    }

    #[test]
    fn what_is_signed_verifies() {
        let shopify = provider::find("shopify").expect("in the catalogue");
        let secret = Secret::new(SECRET.into()).expect("not empty");
        let text = sign(
            shopify.signature.as_ref().expect("it signs"),
            &secret,
            BODY.as_bytes(),
        );
        assert_eq!(text, SIGNATURE);
    }
}

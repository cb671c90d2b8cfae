//! How times are read, and what a check costs; what holds and what does not is tested where senders are
//! read, in the words of their files.

mod keys;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};

use super::*;
use crate::provider::scheme::SecretForm;
use crate::secret::Secret;

/// `t=…,v1=…,v1=…` over time and body, under these secrets.
fn several(secrets: &[&str]) -> Verifier {
    let secrets = secrets.iter().enumerate();
    let keys = secrets.map(|(index, text)| {
        let secret = Secret::new(text.as_bytes().to_vec()).expect("not empty");
        (index, Key::new(SecretForm::Text, &secret).expect("a key"))
    });
    Verifier {
        keys: keys.collect(),
        scheme: Scheme {
            locations: vec![Locator::Header(HeaderName::from_static("s"))],
            format: Format::Kv {
                separator: ',',
                key: "v1".to_owned(),
            },
            prefix: String::new(),
            algorithm: Algorithm::HmacSha256,
            encoding: Encoding::Hex,
            signed: String::from("{ts}.{body}").try_into().expect("a template"),
            body_sha256: None,
            timestamp: Some(Timestamp {
                location: TimestampLocation::Kv("t".to_owned()),
                unit: Unit::default(),
                tolerance: Duration::from_secs(300),
            }),
            secret: SecretForm::Text,
            key_id: None,
            key_url: None,
        },
    }
}

/// A body is read once for each secret, however many signatures are claimed.
#[test]
fn many_false_signatures_cost_what_one_costs() {
    let secrets = ["one", "two", "three", "four"];
    for count in [1, MAX_SIGNATURES] {
        let claims: Vec<_> = (0..count).map(|index| format!("v1={index:064x}")).collect();
        let header =
            HeaderValue::from_str(&format!("t=1000,{}", claims.join(","))).expect("a header value");
        let received = Received {
            method: Method::POST,
            path: String::new(),
            query: None,
            headers: HeaderMap::from_iter([(HeaderName::from_static("s"), header)]),
            body: Bytes::from_static(b"{}"),
            at: SystemTime::UNIX_EPOCH,
        };
        let before = key::MACS.get();
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1000);
        let refused = verify(
            &[several(&secrets)],
            &VerifyContext::default(),
            |_| true,
            &[],
            received,
            now,
        );
        assert_eq!(refused.expect_err("false").reason, NO_MATCH);
        assert_eq!(key::MACS.get() - before, secrets.len(), "{count} claims");
    }
}

#[test]
fn rfc_3339_times_may_name_their_offset() {
    let seconds = |text| {
        let time = parse_time(Unit::Rfc3339, text)?;
        time.duration_since(SystemTime::UNIX_EPOCH)
            .ok()
            .map(|since| since.as_secs())
    };
    for text in [
        "2026-11-23T12:00:00Z",
        "2026-11-23T12:00:00+00:00",
        "2026-11-23T12:00:00.000-00:00",
        "2026-11-23T17:30:00.5+05:30",
        "2026-11-23T04:00:00-08:00",
    ] {
        assert_eq!(seconds(text), Some(1_795_435_200), "{text}");
    }
    for text in [
        "",
        "Z",
        "+00:00",
        "2026-11-23T12:00:00",
        "2026-11-23T12:00:00+0100",
        "2026-11-23T12:00:00+1:000",
        "2026-11-23T12:00:00*01:00",
        "2026-11-23T12:00:00Z+01:00",
        "2026-11-23T12:00:00é00:00",
    ] {
        assert_eq!(seconds(text), None, "{text}");
    }
}

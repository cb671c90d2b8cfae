//! What each recorded delivery becomes, and that nothing like it gets in.

use std::collections::BTreeSet;
use std::ops::Range;

use temporal_webhook_forwarder::config::provider::catalogue;
use webhook_core::provider::scheme::{Algorithm, Scheme};

use super::recorded::{Became, Expect, Recorded};
use super::tamper;

#[test]
fn every_entry_has_deliveries_and_every_scheme_a_good_one() {
    let recorded = Recorded::all();
    let names: BTreeSet<_> = recorded.iter().map(|r| r.provider.as_str()).collect();
    for name in &names {
        assert!(catalogue::find(name).is_some(), "{name}: no such provider");
    }
    for provider in catalogue::all() {
        let name = provider.name.as_str();
        if UNSIGNED.contains(&name) {
            assert!(provider.schemes.is_empty(), "{name} signs: record it");
            continue;
        }
        assert!(names.contains(name), "{name}: no recorded delivery");
        let own = recorded.iter().filter(|r| r.provider == name);
        let good = own.filter(|r| r.expect == Expect::Verified);
        let held: BTreeSet<_> = good.flat_map(Recorded::schemes).map(described).collect();
        for scheme in provider.schemes.iter().cloned().map(described) {
            assert!(
                held.contains(&scheme),
                "{name}: nothing verifies under {scheme}"
            );
        }
    }
}

#[test]
fn every_delivery_becomes_what_it_should() {
    for recorded in Recorded::all() {
        let became = recorded.request().at(&recorded.source(&recorded.secret));
        match (recorded.expect, &became) {
            (Expect::Verified, Became::Event(event)) => {
                let labels = [Some(&event.id), event.topic.as_ref(), event.tenant.as_ref()];
                let labels = labels.map(|label| label.map(String::as_str));
                assert_eq!(labels, recorded.labels(), "{recorded}");
            }
            (Expect::Handshake, Became::Handshake(reply)) => {
                let reply = (Some(reply.status.as_u16()), Some(reply.body.as_str()));
                assert_eq!(reply, recorded.reply(), "{recorded}");
            }
            (Expect::InvalidSignature, _) if became.is_invalid_signature() => {}
            (Expect::Refused, Became::Rejected(_)) if !became.is_invalid_signature() => {}
            _ => panic!("{recorded}: {became:?}"),
        }
    }
}

#[test]
fn one_changed_bit_of_a_body_is_refused() {
    for_each_verified(|recorded, schemes| {
        if not_covered(recorded, schemes).is_some() {
            return;
        }
        let source = recorded.source(&recorded.secret);
        for at in covered(recorded) {
            let mut request = recorded.request();
            request.body[at] ^= 1;
            let became = request.at(&source);
            assert!(
                became.is_invalid_signature(),
                "{recorded}: byte {at}: {became:?}"
            );
        }
    });
}

#[test]
fn a_delivery_without_its_signature_is_refused() {
    for_each_verified(|recorded, _| {
        let source = recorded.source(&recorded.secret);
        let all = &source.provider.schemes;
        let became = tamper::unsigned(all, &recorded.request()).at(&source);
        assert!(became.is_invalid_signature(), "{recorded}: {became:?}");
    });
}

#[test]
fn a_signature_that_is_there_twice_is_refused() {
    for_each_verified(|recorded, schemes| {
        let source = recorded.source(&recorded.secret);
        for scheme in schemes {
            let became = tamper::twice(scheme, &recorded.request()).at(&source);
            assert!(became.is_invalid_signature(), "{recorded}: {became:?}");
        }
    });
}

#[test]
fn another_secret_is_refused() {
    for_each_verified(|recorded, schemes| {
        for scheme in schemes {
            let other = tamper::other_secret(scheme, &recorded.secret);
            let became = recorded.request().at(&recorded.source(&other));
            assert!(became.is_invalid_signature(), "{recorded}: {became:?}");
        }
    });
}

#[test]
fn a_delivery_of_another_time_is_refused() {
    for_each_verified(|recorded, schemes| {
        let source = recorded.source(&recorded.secret);
        let tolerances = schemes.iter().map(|scheme| {
            let checked = scheme.timestamp.as_ref().map(|t| t.tolerance.as_secs());
            checked.filter(|&seconds| seconds > 0)
        });
        // All of the schemes under which it holds have to check.
        let Some(tolerances) = tolerances.collect::<Option<Vec<_>>>() else {
            return;
        };
        // An hour beyond the window, from wherever in it the delivery is.
        let by = 2 * tolerances.into_iter().max().unwrap_or_default() + 3600;
        for seconds in [by.cast_signed(), -by.cast_signed()] {
            let became = recorded.request().later(seconds).at(&source);
            assert!(became.is_invalid_signature(), "{recorded}: {became:?}");
        }
    });
}

/// Runs `check` on each good delivery, with the schemes under which it holds.
fn for_each_verified(check: impl Fn(&Recorded, &[Scheme])) {
    let all = Recorded::all();
    let mut count = 0;
    for recorded in all.iter().filter(|r| r.expect == Expect::Verified) {
        let schemes = recorded.schemes();
        assert!(!schemes.is_empty(), "{recorded}: verifies under no scheme");
        check(recorded, &schemes);
        count += 1;
    }
    assert!(
        count >= catalogue::all().len(),
        "only {count} good deliveries"
    );
}

/// Why a body may be changed without a signature noticing.
fn not_covered(recorded: &Recorded, schemes: &[Scheme]) -> Option<&'static str> {
    if schemes.iter().any(|s| s.algorithm == Algorithm::Token) {
        return Some("a token is compared: nothing is signed");
    }
    let entry = NOT_COVERED
        .iter()
        .find(|(name, _)| *name == recorded.provider);
    entry.map(|(_, reason)| *reason)
}

/// The bytes of the body that the signature covers.
fn covered(recorded: &Recorded) -> Vec<usize> {
    let body = recorded.request().body;
    let fields = COVERED_FIELDS
        .iter()
        .find(|(name, _)| *name == recorded.provider);
    match fields {
        None => (0..body.len()).collect(),
        Some((_, fields)) => {
            let values = fields.iter().flat_map(|field| value_of(&body, field));
            values.collect()
        }
    }
}

/// Where the text of a JSON member is.
fn value_of(body: &[u8], field: &str) -> Range<usize> {
    let key = format!("\"{field}\"");
    let after = tamper::find(body, &key, 0).expect("the field") + key.len();
    let start = tamper::find(body, "\"", after).expect("a text") + 1;
    start..tamper::find(body, "\"", start).expect("its end")
}

fn described(scheme: Scheme) -> String {
    format!("{scheme:?}")
}

/// Entries that sign nothing at all.
const UNSIGNED: [&str; 1] = ["generic"];
/// Providers whose signature leaves out the body.
const NOT_COVERED: [(&str, &str); 1] = [("mailgun", "signs a time and a token, and not the body")];
/// Providers that sign some fields of the body: those that are tried.
const COVERED_FIELDS: [(&str, &[&str]); 1] = [(
    "sns",
    &["Message", "MessageId", "Timestamp", "TopicArn", "Type"],
)];

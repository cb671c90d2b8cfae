//! docs/senders.md: its table says of each entry what the entry says.

use temporal_webhook_forwarder::config::provider::catalogue;
use webhook_core::provider::Provider;
use webhook_core::provider::locator::Locator;
use webhook_core::provider::scheme::{Algorithm, Scheme};

#[test]
fn the_table_says_what_the_entries_say() {
    let head = "\n| name | sender | proof | event id: the first that is there | handshake | answer within | repeats by itself |\n";
    let (_, table) = PAGE.split_once(head).expect("the table is there");
    let rows = table.lines().skip(1).take_while(|row| row.starts_with('|'));
    let rows: Vec<_> = rows.collect();
    // Whoever has no way to sign is in a section of its own.
    let signing = catalogue::all().iter().filter(|it| !it.schemes.is_empty());
    let expected: Vec<_> = signing.map(row).collect();
    assert!(rows.len() >= 30, "{} rows", rows.len());
    for (row, expected) in rows.iter().zip(&expected) {
        // Headers are written as the sender does; we keep them in lower case.
        assert_eq!(row.to_lowercase(), expected.to_lowercase());
    }
    assert_eq!(rows.len(), expected.len());
}

#[test]
fn every_entry_has_a_section() {
    for provider in catalogue::all() {
        let heading = format!("\n### {}\n", provider.name);
        assert!(PAGE.contains(&heading), "{} has none", provider.name);
    }
}

fn row(provider: &Provider) -> String {
    let name = &provider.name;
    let mut proofs = Vec::new();
    for proof in provider.schemes.iter().map(proof) {
        if !proofs.contains(&proof) {
            proofs.push(proof);
        }
    }
    let ids: Vec<_> = provider.id.iter().map(|id| format!("`{id}`")).collect();
    let handshake = provider.handshake.map(|it| format!("`{it}`"));
    format!(
        "| [`{name}`](#{name}) | {} | {} | {} | {} | {} s | {} |",
        provider.title,
        proofs.join(", "),
        ids.join(" or "),
        handshake.as_deref().unwrap_or("–"),
        provider.deadline.as_secs_f64(),
        provider.repeats,
    )
}

fn proof(scheme: &Scheme) -> &'static str {
    match (scheme.algorithm, scheme.locations.first()) {
        (Algorithm::HmacSha1, _) => "HMAC-SHA1",
        (Algorithm::HmacSha256, _) => "HMAC-SHA256",
        (Algorithm::HmacSha512, _) => "HMAC-SHA512",
        (Algorithm::RsaSha1, _) => "RSA-SHA1",
        (Algorithm::RsaSha256, _) => "RSA-SHA256",
        (Algorithm::EcdsaP256Sha256, _) => "ECDSA P-256",
        (Algorithm::Ed25519, _) => "Ed25519",
        (Algorithm::Token, Some(Locator::Query(_))) => "token in the URL",
        (Algorithm::Token, _) => "token in a header",
    }
}

const PAGE: &str = include_str!("../../docs/senders.md");

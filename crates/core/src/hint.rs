//! What the look of a body says of a signature that does not hold: whether something on the way wrote
//! it anew. A look at its first bytes; nothing is parsed before a signature holds.

use super::provider::Provider;
use super::provider::locator::Locator;
use super::request::FORM;

/// A guess, for the log. Of the body, it says nothing but its form.
pub fn hint(provider: &Provider, media_type: Option<&str>, body: &[u8]) -> Option<&'static str> {
    let sample = provider.sample.body.as_bytes();
    let sends_json = is_json(sample) && !takes_forms(provider);
    let body = body.strip_prefix(BOM).unwrap_or(body);
    match body.trim_ascii_start() {
        [] => Some("the body is empty"),
        [b'"', rest @ ..] if sends_json && is_json(rest) => {
            Some("the body is a JSON text with JSON in it: was it encoded twice on the way?")
        }
        body if signs_bytes(provider) && is_json(body) && is_pretty(body) && !is_pretty(sample) => {
            Some("the body is pretty-printed JSON: did something on the way write it anew?")
        }
        body if sends_json && media_type == Some(FORM) && body.starts_with(PAYLOAD) => None,
        body if sends_json && !is_json(body) && is_form_like(body) => Some(
            "the body is a form, and the sender's is JSON: did something on the way change it?",
        ),
        _ if sends_json && media_type == Some(FORM) => Some(
            "the type is a form's, and the sender's is JSON: did something on the way change it?",
        ),
        _ => None,
    }
}

fn is_json(body: &[u8]) -> bool {
    matches!(body.trim_ascii_start(), [b'{' | b'[', ..])
}

/// A line end and white space after the first bracket, as no program writes for a program.
fn is_pretty(body: &[u8]) -> bool {
    let rest = body.get(1..).unwrap_or_default();
    matches!(
        rest.strip_prefix(b"\r").unwrap_or(rest),
        [b'\n', b' ' | b'\t', ..]
    )
}

/// `name=…`, with nothing in the name that a form would have encoded.
fn is_form_like(body: &[u8]) -> bool {
    let name = body.split(|&byte| byte == b'=').next().unwrap_or_default();
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"%+-_.*[]".contains(byte);
    name.len() < body.len() && !name.is_empty() && name.iter().all(plain)
}

/// Whether white space between values changes what is signed.
fn signs_bytes(provider: &Provider) -> bool {
    let mut schemes = provider.schemes.iter();
    schemes.any(|scheme| scheme.signed.covers_body())
}

/// Whether the sender has forms besides.
fn takes_forms(provider: &Provider) -> bool {
    let places = [&provider.id, &provider.topic, &provider.tenant];
    let schemes = provider.schemes.iter();
    let signed = schemes.flat_map(|scheme| &scheme.locations);
    let mut places = places.into_iter().flatten().chain(signed);
    let in_form = |place: &Locator| {
        let mut parts = place.parts().iter();
        parts.any(|part| matches!(part, Locator::Form(_)))
    };
    places.any(in_form)
}

/// GitHub's way to send JSON in a form, and others' after it.
const PAYLOAD: &[u8] = b"payload=";
const BOM: &[u8] = b"\xef\xbb\xbf";

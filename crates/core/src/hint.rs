//! What the look of a body says of a signature that does not hold: whether something on the way wrote
//! it anew. A look at its first bytes; nothing is parsed before a signature holds.

use super::provider::Provider;
use super::provider::locator::Locator;
use super::request::FORM;

/// What a body looks like that its sender probably did not send so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// Nothing is there.
    Empty,
    /// JSON in a JSON text.
    EncodedTwice,
    /// JSON with line ends and white space for people.
    PrettyPrinted,
    /// A form where the sender's is JSON.
    Form,
    /// The type of a form where the sender's is JSON.
    TypeOfForm,
}

impl Look {
    /// A guess, for the log. Of the body, it says nothing but its form.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Empty => "the body is empty",
            Self::EncodedTwice => {
                "the body is a JSON text with JSON in it: was it encoded twice on the way?"
            }
            Self::PrettyPrinted => {
                "the body is pretty-printed JSON: did something on the way write it anew?"
            }
            Self::Form => {
                "the body is a form, and the sender's is JSON: did something on the way change it?"
            }
            Self::TypeOfForm => {
                "the type is a form's, and the sender's is JSON: did something on the way change it?"
            }
        }
    }
}

/// What is odd about a body, in words.
pub fn hint(provider: &Provider, media_type: Option<&str>, body: &[u8]) -> Option<&'static str> {
    look(provider, media_type, body).map(Look::text)
}

/// What is odd about the look of a body.
pub fn look(provider: &Provider, media_type: Option<&str>, body: &[u8]) -> Option<Look> {
    let sample = provider.sample.body.as_bytes();
    let sends_json = is_json(sample) && !takes_forms(provider);
    let body = body.strip_prefix(BOM).unwrap_or(body);
    match body.trim_ascii_start() {
        [] => Some(Look::Empty),
        [b'"', rest @ ..] if sends_json && is_json(rest) => Some(Look::EncodedTwice),
        body if signs_bytes(provider) && is_json(body) && is_pretty(body) && !is_pretty(sample) => {
            Some(Look::PrettyPrinted)
        }
        body if sends_json && media_type == Some(FORM) && body.starts_with(PAYLOAD) => None,
        body if sends_json && !is_json(body) && is_form_like(body) => Some(Look::Form),
        _ if sends_json && media_type == Some(FORM) => Some(Look::TypeOfForm),
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

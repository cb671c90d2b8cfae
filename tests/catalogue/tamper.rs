//! What an attacker, or an accident, makes of a delivery.

use std::sync::LazyLock;

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::KeyPair as _;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use webhook_core::provider::locator::Locator;
use webhook_core::provider::scheme::{Scheme, SecretForm};

use super::recorded::Request;

/// The request without any signature of these schemes.
pub(super) fn unsigned(schemes: &[Scheme], request: &Request) -> Request {
    let mut request = request.clone();
    for place in schemes.iter().flat_map(|scheme| &scheme.locations) {
        match place {
            Locator::Header(name) => drop(request.headers.remove(name)),
            Locator::Query(name) => request.query = rename(&request.query, name),
            Locator::Form(name) => request.body = renamed_field(&request.body, name),
            Locator::Json(path) => {
                let name = path.last().expect("a path");
                request.body = replaced(&request.body, &format!("\"{name}\""), "\"other\"");
            }
            other => panic!("no signature is in {other}"),
        }
    }
    request
}

/// The request with the signature of this scheme a second time, word for word.
pub(super) fn twice(scheme: &Scheme, request: &Request) -> Request {
    let mut request = request.clone();
    for place in &scheme.locations {
        match place {
            Locator::Header(name) => {
                if let Some(value) = request.headers.get(name).cloned() {
                    request.headers.append(name, value);
                }
            }
            Locator::Query(name) => {
                let first = parameter(&request.query, name);
                request.query = format!("{}&{first}", request.query);
            }
            Locator::Form(name) if is_multipart(&request.body) => {
                request.body = repeated_part(&request.body, name);
            }
            Locator::Form(name) => {
                let text = String::from_utf8(request.body.clone()).expect("a form");
                let first = parameter(&text, name);
                request.body = format!("{text}&{first}").into_bytes();
            }
            Locator::Json(path) => {
                let name = path.last().expect("a path");
                request.body = repeated_member(&request.body, name);
            }
            other => panic!("no signature is in {other}"),
        }
    }
    request
}

/// Another secret of the kind that a scheme takes.
pub(super) fn other_secret(scheme: &Scheme, secret: &str) -> String {
    static OTHER: LazyLock<KeyPair> =
        LazyLock::new(|| KeyPair::generate(KeySize::Rsa2048).expect("a key"));
    match scheme.secret {
        SecretForm::Text => format!("not {secret}"),
        SecretForm::Base64 => format!("whsec_{}", STANDARD.encode([7; 32])),
        SecretForm::Hex => {
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a".into()
        }
        SecretForm::Whpk => "whpk_11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=".to_owned(),
        SecretForm::Pem => STANDARD.encode(OTHER.public_key().as_der().expect("DER").as_ref()),
        SecretForm::Jwks => other_keys(secret),
    }
}

/// The set with another modulus under each id.
fn other_keys(set: &str) -> String {
    let mut set: serde_json::Value = serde_json::from_str(set).expect("a key set");
    for key in set["keys"].as_array_mut().expect("keys") {
        key["n"] = URL_SAFE_NO_PAD.encode([0xa5; 256]).into();
    }
    set.to_string()
}

fn parameter<'a>(query: &'a str, name: &str) -> &'a str {
    let mut pairs = query.split('&');
    let found = pairs.find(|pair| pair.split('=').next() == Some(name));
    found.unwrap_or_else(|| panic!("no {name} in {query}"))
}

fn rename(query: &str, name: &str) -> String {
    let pairs = query.split('&').map(|pair| match pair.split_once('=') {
        Some((key, value)) if key == name => format!("other={value}"),
        _ => pair.to_owned(),
    });
    pairs.collect::<Vec<_>>().join("&")
}

fn renamed_field(body: &[u8], name: &str) -> Vec<u8> {
    if is_multipart(body) {
        return replaced(body, &format!("name=\"{name}\""), "name=\"other\"");
    }
    match std::str::from_utf8(body) {
        Ok(text) => rename(text, name).into_bytes(),
        Err(_) => body.to_vec(),
    }
}

fn is_multipart(body: &[u8]) -> bool {
    body.starts_with(b"--")
}

/// The part again, before itself.
fn repeated_part(body: &[u8], name: &str) -> Vec<u8> {
    let field = find(body, &format!("name=\"{name}\""), 0).expect("the field");
    let boundary = &body[..find(body, "\r\n", 0).expect("a line")];
    let boundary = std::str::from_utf8(boundary).expect("a boundary");
    let start = (0..field)
        .rev()
        .find(|&at| body[at..].starts_with(boundary.as_bytes()));
    let start = start.expect("a boundary before the field");
    let end = find(body, boundary, field).expect("a boundary after the field");
    [&body[..start], &body[start..end], &body[start..]].concat()
}

/// `"name": "value"` again, before itself.
fn repeated_member(body: &[u8], name: &str) -> Vec<u8> {
    let text = std::str::from_utf8(body).expect("JSON");
    // The name may be an object's, too (Mailgun): the member with a text is the signature.
    let start = text
        .match_indices(&format!("\"{name}\""))
        .find_map(|(at, key)| {
            let value = text[at + key.len()..].trim_start().strip_prefix(':')?;
            value.trim_start().starts_with('"').then_some(at)
        });
    let start = start.expect("the member");
    let value = start + text[start..].find(':').expect("a value");
    let open = value + text[value..].find('"').expect("a text") + 1;
    let end = open + text[open..].find('"').expect("its end") + 1;
    [&text[..start], &text[start..end], ",", &text[start..]]
        .concat()
        .into_bytes()
}

/// The bytes with every `old` replaced.
fn replaced(bytes: &[u8], old: &str, new: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = 0;
    while let Some(at) = find(bytes, old, rest) {
        out.extend_from_slice(&bytes[rest..at]);
        out.extend_from_slice(new.as_bytes());
        rest = at + old.len();
    }
    out.extend_from_slice(&bytes[rest..]);
    out
}

pub(super) fn find(bytes: &[u8], part: &str, from: usize) -> Option<usize> {
    let mut windows = bytes[from..].windows(part.len());
    windows
        .position(|window| window == part.as_bytes())
        .map(|at| at + from)
}

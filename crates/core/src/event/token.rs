//! A request without the source's own tokens: where a sender sends the secret itself, no worker, no
//! memo and no dead letter gets it.

use std::borrow::Cow;

use bytes::Bytes;
use http::Method;

use crate::form::decoded;
use crate::provider::Provider;
use crate::request::{FORM, Received};

/// The raw query, without the `?` and without the parameters that are tokens; the rest as it was sent.
pub(crate) fn query(received: &Received, provider: &Provider) -> String {
    let query = received.query.as_deref().unwrap_or_default();
    if query.is_empty() {
        return String::new();
    }
    // The form of a GET is its query.
    let is_form = received.method == Method::GET;
    let rest = without(query.as_bytes(), |name| {
        let mut schemes = provider.schemes.iter();
        schemes.any(|scheme| {
            scheme.is_token_in_query(name) || is_form && scheme.is_token_in_form(name)
        })
    });
    rest.map_or_else(
        || query.to_owned(),
        |rest| String::from_utf8_lossy(&rest).into_owned(),
    )
}

/// The body; that of an `x-www-form-urlencoded` form without the fields that are tokens.
pub(crate) fn body(received: &Received, provider: &Provider) -> Bytes {
    let is_form = received.media_type().as_deref() == Some(FORM);
    let rest = is_form
        .then(|| without(&received.body, |name| is_field(received, provider, name)))
        .flatten();
    rest.map_or_else(|| received.body.clone(), Bytes::from)
}

/// Whether this field of a body's form is a token.
pub(crate) fn is_field(received: &Received, provider: &Provider, name: &[u8]) -> bool {
    let mut schemes = provider.schemes.iter();
    received.method != Method::GET && schemes.any(|scheme| scheme.is_token_in_form(name))
}

/// `None`: nothing of it is a token.
fn without(form: &[u8], is_token: impl Fn(&[u8]) -> bool) -> Option<Vec<u8>> {
    let pairs: Vec<_> = form.split(|&byte| byte == b'&').collect();
    let kept = pairs.iter().copied().filter(|pair| {
        let name = pair.split(|&byte| byte == b'=').next();
        let name: Cow<'_, [u8]> = decoded(name.unwrap_or_default());
        !is_token(&name)
    });
    let kept: Vec<_> = kept.collect();
    (kept.len() < pairs.len()).then(|| kept.join(&b'&'))
}

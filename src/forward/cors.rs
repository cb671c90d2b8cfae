//! Pages of other origins that may send to a source: a browser asks before, and shows its page no answer that
//! does not say so. A sender's server does neither, and needs nothing of this.

use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use http_body_util::Full;
use webhook_core::outcome::Reject;
use webhook_core::source::Source;

use crate::forward::answer::Answer;

/// The answer to a browser that asks whether its page may send; `None`: it asks nothing.
///
/// # Errors
/// [`Reject::Forbidden`]: the page's origin may not.
pub fn preflight(source: &Source, parts: &Parts) -> Option<Result<Answer, Reject>> {
    let asks = parts.method == Method::OPTIONS
        && parts.headers.contains_key(ORIGIN)
        && parts.headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD);
    if source.cors_origins.is_empty() || !asks {
        return None;
    }
    if origin(source, &parts.headers).is_none() {
        return Some(Err(Reject::Forbidden(
            "the page's origin is not in cors_origins",
        )));
    }
    let methods = source.provider.methods.iter().map(Method::as_str);
    let methods = methods.collect::<Vec<_>>().join(", ");
    let mut answer = Response::new(Full::default());
    *answer.status_mut() = StatusCode::NO_CONTENT;
    let headers = answer.headers_mut();
    if let Ok(methods) = HeaderValue::from_str(&methods) {
        headers.insert(ACCESS_CONTROL_ALLOW_METHODS, methods);
    }
    // Those of the signature have other names for each sender, and what else comes is not kept.
    if let Some(wanted) = parts.headers.get(ACCESS_CONTROL_REQUEST_HEADERS) {
        headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, wanted.clone());
    }
    headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static(MAX_AGE));
    Some(Ok(answer))
}

/// Says with every answer of such a source whose page may read it. Never with credentials: a webhook has its
/// signature.
pub fn say_who_may_read(source: &Source, asked: &HeaderMap, answer: &mut HeaderMap) {
    if source.cors_origins.is_empty() {
        return;
    }
    answer.append(VARY, HeaderValue::from_static("origin"));
    if let Some(origin) = origin(source, asked) {
        answer.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        let readable = HeaderValue::from_static("retry-after, x-request-id");
        answer.insert(ACCESS_CONTROL_EXPOSE_HEADERS, readable);
    }
}

/// The origin of the page that sends, if it is one of the source's.
fn origin<'h>(source: &Source, headers: &'h HeaderMap) -> Option<&'h HeaderValue> {
    let mut values = headers.get_all(ORIGIN).iter();
    let origin = values.next().filter(|_| values.next().is_none())?;
    let mut allowed = source.cors_origins.iter();
    allowed
        .any(|allowed| allowed.as_bytes() == origin.as_bytes())
        .then_some(origin)
}

/// Seconds for which a browser does not ask again.
const MAX_AGE: &str = "600";

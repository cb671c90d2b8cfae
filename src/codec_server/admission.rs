//! Who may ask: pages of the operator's origins, and whoever has the token. A refusal says why, in
//! the log: the web interface shows the same banner for all of them.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::header::{
    ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, AUTHORIZATION, CONTENT_TYPE,
    ORIGIN, WWW_AUTHENTICATE,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use tokio::time::timeout;
use tower_http::cors::CorsLayer;
use webhook_core::secret::Secret;

use super::{Details, NAMESPACE, Shared, refuse, text};
use crate::server::bearer::{NoToken, bearer};

/// What is answered to browsers that ask whether a page may ask.
pub(super) fn cors(origins: &[HeaderValue]) -> CorsLayer {
    CorsLayer::new()
        .allow_origin(origins.to_vec())
        .allow_methods([Method::POST])
        .allow_headers(HEADERS)
        .allow_credentials(true)
        // A web interface elsewhere that asks a codec server on the viewer's own machine.
        .allow_private_network(true)
        .max_age(PREFLIGHT)
}

/// A page of another origin is refused whatever it asks: a browser always says whose page it is,
/// even where a name was made to point to this machine.
pub(super) async fn check_origin(
    State(shared): State<Arc<Shared>>,
    request: Request,
    next: Next,
) -> Response {
    let mut origins = request.headers().get_all(ORIGIN).iter();
    if !origins.all(|origin| shared.origins.contains(origin)) {
        let known: Vec<_> = shared.origins.iter().filter_map(text).collect();
        let reason = format!(
            "the page's origin is none of --origin ({})",
            known.join(", ")
        );
        return refuse(StatusCode::FORBIDDEN, FORBIDDEN_ORIGIN, reason);
    }
    let blocked = (request.method() == Method::OPTIONS).then(|| blocked(request.headers()));
    let mut answer = next.run(request).await;
    if let Some(reason) = blocked.flatten() {
        let reason = Some(reason);
        answer.extensions_mut().insert(Details {
            reason,
            ..Details::default()
        });
    }
    answer
}

/// Why a browser will not let an allowed page ask after all: the answer to its preflight has
/// another method, or not all of its headers.
fn blocked(headers: &HeaderMap) -> Option<String> {
    let method = headers.get(ACCESS_CONTROL_REQUEST_METHOD);
    if let Some(method) = method.filter(|method| *method != "POST") {
        let method = text(method).unwrap_or_default();
        return Some(format!("the page wants to send {method}, not POST"));
    }
    let names = text(headers.get(ACCESS_CONTROL_REQUEST_HEADERS)?)?;
    let unknown = names.split(',').map(str::trim).find(|name| {
        let mut known = HEADERS.into_iter();
        !known.any(|known| known.as_str().eq_ignore_ascii_case(name))
    })?;
    Some(format!(
        "the page wants to send the header {unknown}, which this codec server does not take"
    ))
}

pub(super) async fn check_token(
    State(shared): State<Arc<Shared>>,
    request: Request,
    next: Next,
) -> Response {
    let rules = shared.rules.current();
    let problem = rules.token.as_ref().map(|token| {
        let shown = bearer(request.headers()).map_err(|none| match none {
            NoToken::Missing => "token missing: there is no Authorization header",
            NoToken::Several => "token malformed: there is more than one Authorization header",
            NoToken::Malformed => {
                "token malformed: the Authorization header is not \"Bearer\", a space and a token"
            }
        })?;
        matches(token, shown)
    });
    if let Some(Err(reason)) = problem {
        let text = "expected Authorization: Bearer and the token of this codec server";
        let mut answer = refuse(StatusCode::UNAUTHORIZED, text, reason.to_owned());
        let challenge = HeaderValue::from_static("Bearer");
        answer.headers_mut().insert(WWW_AUTHENTICATE, challenge);
        return answer;
    }
    match timeout(REQUEST_TIMEOUT, next.run(request)).await {
        Ok(answer) => answer,
        Err(_) => {
            let text = "the request was too slow";
            refuse(StatusCode::REQUEST_TIMEOUT, text, text.to_owned())
        }
    }
}

fn matches(token: &Secret, shown: &[u8]) -> Result<(), &'static str> {
    let wrong = "token wrong: it is another than that of --token";
    token.equals(shown).then_some(()).ok_or(wrong)
}

const FORBIDDEN_ORIGIN: &str = "pages of this origin may not ask: --origin names those that may";
/// Temporal's web interface sends its id token so.
const EXTRAS: HeaderName = HeaderName::from_static("authorization-extras");
/// What a page may send.
const HEADERS: [HeaderName; 4] = [CONTENT_TYPE, AUTHORIZATION, EXTRAS, NAMESPACE];
/// From the whole head to the answer.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a browser need not ask again.
const PREFLIGHT: Duration = Duration::from_secs(3600);

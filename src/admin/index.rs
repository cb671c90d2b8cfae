//! `/`: the live page for a browser, the list of all pages for everything else.

use std::sync::Arc;

use axum::Router;
use axum::response::Response;
use axum::routing::get;
use http::header::{ACCEPT, VARY};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::json;

use super::answer::json;
use super::{Admin, events, metrics, page, rejections, sources, state, stats, stream, try_out};
use crate::cli::NAME;
use crate::forward::pages::{LIVE, READY};
use crate::temporal::Temporal;

pub(super) fn router<T: Temporal>() -> Router<Arc<Admin<T>>> {
    Router::new().route(PATH, get(index))
}

async fn index(headers: HeaderMap) -> Response {
    let accepts = headers.get_all(ACCEPT).iter();
    let is_browser = accepts
        .filter_map(|value| value.to_str().ok())
        .any(|value| value.contains("text/html"));
    let mut answer = if is_browser { page::page() } else { list() };
    let vary = HeaderValue::from_static("accept");
    answer.headers_mut().insert(VARY, vary);
    answer
}

fn list() -> Response {
    let version = env!("CARGO_PKG_VERSION");
    let index = json!({ "name": NAME, "version": version, "pages": PAGES });
    json(StatusCode::OK, &index)
}

/// Of the list of pages, and of the one for people.
pub(super) const PATH: &str = "/";
const PAGES: [&str; 11] = [
    events::EVENTS,
    events::DEAD_LETTERS,
    LIVE,
    READY,
    metrics::PATH,
    rejections::PATH,
    sources::PATH,
    state::PATH,
    stats::PATH,
    stream::PATH,
    try_out::PATH,
];

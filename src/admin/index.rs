//! `/`: what there is.

use std::sync::Arc;

use axum::Router;
use axum::response::Response;
use axum::routing::get;
use http::StatusCode;
use serde_json::json;

use super::answer::json;
use super::{Admin, events, metrics, rejections, sources, state, stats, stream};
use crate::cli::NAME;
use crate::forward::pages::{LIVE, READY};
use crate::temporal::Temporal;

pub(super) fn router<T: Temporal>() -> Router<Arc<Admin<T>>> {
    Router::new().route(PATH, get(index))
}

async fn index() -> Response {
    let version = env!("CARGO_PKG_VERSION");
    let index = json!({ "name": NAME, "version": version, "pages": PAGES });
    json(StatusCode::OK, &index)
}

/// Of the list of pages, and of the one for people.
pub(super) const PATH: &str = "/";
const PAGES: [&str; 10] = [
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
];

//! `/`: what there is.

use std::sync::Arc;

use axum::Router;
use axum::response::Response;
use axum::routing::get;
use http::StatusCode;
use serde_json::json;

use super::Admin;
use super::answer::json;
use crate::cli::NAME;
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
const PAGES: [&str; 3] = ["/health/live", "/health/ready", "/metrics"];

//! `/stats`: counts. Of this process, since it started: what no store has, signals, drops and refusals.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use http::StatusCode;
use serde_json::json;

use super::{Admin, answer, sources};
use crate::temporal::Temporal;

pub(super) fn router<T: Temporal>() -> Router<Arc<Admin<T>>> {
    Router::new().route(PATH, get(stats::<T>))
}

async fn stats<T: Temporal>(State(admin): State<Arc<Admin<T>>>) -> Response {
    let mut process = admin.journal.totals();
    process["sources"] = sources::counts(&admin);
    answer::json(StatusCode::OK, &json!({ "process": process }))
}

/// Of the page.
pub(super) const PATH: &str = "/stats";

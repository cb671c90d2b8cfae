//! `/metrics`: for Prometheus.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::IntoResponse;
use axum::routing::get;
use http::header::CONTENT_TYPE;

use super::Admin;
use crate::temporal::Temporal;

pub(super) fn router<T: Temporal>() -> Router<Arc<Admin<T>>> {
    Router::new().route(PATH, get(metrics::<T>))
}

async fn metrics<T: Temporal>(State(admin): State<Arc<Admin<T>>>) -> impl IntoResponse {
    ([(CONTENT_TYPE, FORMAT)], admin.metrics.render())
}

/// Where Prometheus looks.
pub(super) const PATH: &str = "/metrics";
const FORMAT: &str = "text/plain; version=0.0.4";

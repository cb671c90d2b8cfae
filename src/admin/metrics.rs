//! `/metrics`: for Prometheus.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::IntoResponse;
use axum::routing::get;
use http::HeaderMap;
use http::header::{ACCEPT, CONTENT_TYPE};

use super::Admin;
use crate::telemetry::openmetrics;
use crate::temporal::Temporal;

pub(super) fn router<T: Temporal>() -> Router<Arc<Admin<T>>> {
    Router::new().route(PATH, get(metrics::<T>))
}

async fn metrics<T: Temporal>(
    State(admin): State<Arc<Admin<T>>>,
    headers: HeaderMap,
) -> impl IntoResponse {
    let accept = headers.get(ACCEPT).and_then(|it| it.to_str().ok());
    let (content_type, text) = openmetrics::page(&admin.metrics, accept);
    ([(CONTENT_TYPE, content_type)], text)
}

/// Where Prometheus looks.
pub(super) const PATH: &str = "/metrics";

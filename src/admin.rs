//! The admin listener: health and metrics, never on the public one.

use std::future::Future;
use std::sync::Arc;

use axum::Router;
use axum::routing::get;
use http::StatusCode;
use metrics_exporter_prometheus::PrometheusHandle;
use serde_json::json;
use tokio::net::TcpListener;

use crate::cli::NAME;
use crate::forward::Forwarder;
use crate::forward::answer::{Answer, json_answer};
use crate::temporal::Temporal;

/// Serves until `shutdown`.
pub async fn run<T: Temporal>(
    listener: TcpListener,
    forwarder: Arc<Forwarder<T>>,
    metrics: PrometheusHandle,
    shutdown: impl Future<Output = ()> + Send + 'static,
) {
    let live = Arc::clone(&forwarder);
    let router = Router::new()
        .route("/", get(|| async { index() }))
        .route("/health/live", get(|| async move { live.pages.live() }))
        .route(
            "/health/ready",
            get(|| async move { forwarder.pages.ready().await }),
        )
        .route(
            "/metrics",
            get(|| async move {
                (
                    [(http::header::CONTENT_TYPE, "text/plain; version=0.0.4")],
                    metrics.render(),
                )
            }),
        );
    let served = axum::serve(listener, router).with_graceful_shutdown(shutdown);
    if let Err(error) = served.await {
        tracing::error!(%error, "the admin listener ended");
    }
}

fn index() -> Answer {
    let version = env!("CARGO_PKG_VERSION");
    json_answer(
        StatusCode::OK,
        &json!({ "name": NAME, "version": version, "pages": PAGES }),
    )
}

const PAGES: [&str; 3] = ["/health/live", "/health/ready", "/metrics"];

//! The admin listener: health and metrics, never on the public one.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use http::StatusCode;
use metrics_exporter_prometheus::PrometheusHandle;
use serde_json::json;
use tokio::net::TcpListener;

use crate::cli::NAME;
use crate::forward::Forwarder;
use crate::forward::answer::{Answer, json_answer};
use crate::server::service::{Service, pages};
use crate::server::{Limits, Listener};
use crate::temporal::Temporal;

/// The listener, not yet running.
pub fn listener<T: Temporal>(
    socket: TcpListener,
    forwarder: Arc<Forwarder<T>>,
    metrics: PrometheusHandle,
) -> Listener<impl Service> {
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
    Listener {
        name: "admin",
        socket,
        certificate: None,
        limits: Limits::operator(DRAIN),
        refusals: None,
        service: pages(router),
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
/// A scraper's connection does not hold up the end.
const DRAIN: Duration = Duration::from_secs(1);

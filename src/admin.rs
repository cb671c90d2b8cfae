//! The admin listener: what an operator asks a running process, never on the public one. Each page is a
//! file of this room that gives a router; who may ask for it is decided before any of them.

pub mod access;
pub mod answer;
pub mod configuration;
pub mod events;
mod health;
mod index;
mod metrics;
mod page;
mod queues;
mod rejections;
mod sources;
mod state;
mod stats;
mod stream;
mod try_out;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};
use http::StatusCode;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};

use self::access::Access;
use self::answer::problem;
use self::configuration::Configuration;
use crate::events::item::Place;
use crate::expiry::Dated;
use crate::forward::Forwarder;
use crate::forward::journal::Journal;
use crate::server::service::{Service, pages};
use crate::server::{Limits, Listener};
use crate::temporal::Temporal;
use crate::temporal::visibility::Visibility;

/// What the pages tell of: the state of every router here.
pub struct Admin<T> {
    /// Sources, health.
    pub forwarder: Arc<Forwarder<T>>,
    /// Renders the metrics.
    pub metrics: PrometheusHandle,
    /// Who may ask.
    pub access: Arc<Access>,
    /// What happened.
    pub journal: Arc<Journal>,
    /// The settings in use, and the last reload.
    pub configuration: Arc<Configuration>,
    /// Until when certificates are good.
    pub certificates: watch::Receiver<Vec<Dated>>,
    /// Temporal's address.
    pub temporal: String,
    /// Where people look at workflows.
    pub place: Place,
    /// What Temporal counted last.
    pub counted: events::Cache,
    /// For those who want lists of Temporal.
    pub turns: Semaphore,
    /// Turns true when the listener is about to stop.
    pub stopped: watch::Receiver<bool>,
    /// A seat for each client that follows the stream.
    pub streams: Arc<Semaphore>,
}

/// The listener, not yet running.
pub fn listener<T: Temporal + Visibility>(
    socket: TcpListener,
    admin: Admin<T>,
) -> Listener<impl Service> {
    Listener {
        name: "admin",
        socket,
        certificate: None,
        limits: Limits::operator(DRAIN),
        proxies: None,
        refusals: None,
        service: pages(router(admin)),
    }
}

/// Every page, and before them what decides who may ask: from the outside to the inside, headers of
/// all answers, the name that was asked for, the token.
fn router<T: Temporal + Visibility>(admin: Admin<T>) -> Router {
    let access = Arc::clone(&admin.access);
    Router::new()
        .merge(index::router())
        .merge(events::router())
        .merge(health::router())
        .merge(metrics::router())
        .merge(rejections::router())
        .merge(sources::router())
        .merge(state::router())
        .merge(stats::router())
        .merge(stream::router())
        .merge(try_out::router())
        .fallback(|| async { problem(StatusCode::NOT_FOUND, "not found", NO_PAGE) })
        .method_not_allowed_fallback(|| async {
            let title = "method not allowed";
            problem(StatusCode::METHOD_NOT_ALLOWED, title, NO_METHOD)
        })
        .with_state(Arc::new(admin))
        .layer(from_fn_with_state(access, access::check))
        .layer(from_fn(answer::harden))
}

/// Seats for clients that follow the stream.
pub fn streams() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(stream::MOST))
}

const NO_PAGE: &str =
    "the admin listener has no such page: GET / with Accept: application/json lists them";
const NO_METHOD: &str = "the page is not asked so: Allow says how";
/// A scraper's connection does not hold up the end.
const DRAIN: Duration = Duration::from_secs(1);

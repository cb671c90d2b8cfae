//! `/state`, and what the page shows besides single requests: health, counts, sources, settings, certificates.

use std::sync::Arc;
use std::time::SystemTime;

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use http::StatusCode;
use serde_json::{Value, json};

use super::answer::{self};
use super::{Admin, queues, sources};
use crate::expiry;
use crate::forward::journal::entry::time;
use crate::temporal::Temporal;

pub(super) fn router<T: Temporal>() -> Router<Arc<Admin<T>>> {
    Router::new().route(PATH, get(page::<T>))
}

async fn page<T: Temporal>(State(admin): State<Arc<Admin<T>>>) -> Response {
    answer::json(StatusCode::OK, &state(&admin).await)
}

/// All of it.
pub(super) async fn state<T: Temporal>(admin: &Admin<T>) -> Value {
    let obstacle = admin.forwarder.pages.obstacle().await;
    let (now, unix) = (SystemTime::now(), expiry::now());
    let certificates: Vec<_> = (admin.certificates.borrow().iter())
        .map(|dated| {
            json!({
                "what": dated.what(),
                "expires": dated.date(),
                "days": dated.days_left(unix),
                "soon": dated.is_soon(unix),
            })
        })
        .collect();
    json!({
        "now": time(now),
        "version": env!("CARGO_PKG_VERSION"),
        "ready": obstacle.is_none(),
        "reasons": obstacle.as_ref().map(|it| it.json()).into_iter().collect::<Vec<_>>(),
        "temporal": {
            "address": admin.temporal,
            "namespace": admin.place.namespace,
            "ui": admin.place.ui,
        },
        "process": admin.journal.totals(),
        "series": admin.journal.series(),
        "sources": sources::all(admin),
        "queues": queues::all(admin),
        "certificates": certificates,
        "configuration": admin.configuration.json(),
        "can_test": admin.access.has_token(),
    })
}

/// Of the page.
pub(super) const PATH: &str = "/state";

//! `/stats`: counts. Of this process, since it started: what no store has, signals, drops and refusals; and
//! of all events, as Temporal has them.

use std::sync::Arc;

use axum::Router;
use axum::extract::{RawQuery, State};
use axum::response::Response;
use axum::routing::get;
use http::StatusCode;
use serde_json::json;

use super::{Admin, answer, events, sources};
use crate::temporal::Temporal;
use crate::temporal::visibility::Visibility;

pub(super) fn router<T: Temporal + Visibility>() -> Router<Arc<Admin<T>>> {
    Router::new().route(PATH, get(stats::<T>))
}

async fn stats<T: Temporal + Visibility>(
    State(admin): State<Arc<Admin<T>>>,
    RawQuery(query): RawQuery,
) -> Response {
    if query.is_some() {
        let detail = "expected no parameters: these are the counts of everything; /events has filters, and a total";
        return answer::problem(StatusCode::BAD_REQUEST, "bad query", detail);
    }
    let mut process = admin.journal.totals();
    process["sources"] = sources::counts(&admin);
    let temporal = events::stats(&admin).await;
    let counts = json!({ "process": process, "temporal": temporal });
    answer::json(StatusCode::OK, &counts)
}

/// Of the page.
pub(super) const PATH: &str = "/stats";

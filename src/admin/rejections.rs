//! `/rejections`: what was refused lately, why, and what to do about it.

use std::sync::Arc;

use axum::Router;
use axum::extract::{RawQuery, State};
use axum::response::Response;
use axum::routing::get;
use http::StatusCode;
use serde_json::json;

use super::Admin;
use super::answer::{self, problem};
use crate::forward::journal::entry::Entry;
use crate::temporal::Temporal;

pub(super) fn router<T: Temporal>() -> Router<Arc<Admin<T>>> {
    Router::new().route(PATH, get(page::<T>))
}

async fn page<T: Temporal>(
    State(admin): State<Arc<Admin<T>>>,
    RawQuery(query): RawQuery,
) -> Response {
    let wanted = match Wanted::read(query.as_deref().unwrap_or_default()) {
        Ok(wanted) => wanted,
        Err(problem_text) => return problem(StatusCode::BAD_REQUEST, "bad query", problem_text),
    };
    let found = admin
        .journal
        .refusals(wanted.limit, |entry| wanted.takes(entry));
    let rejections: Vec<_> = found.iter().map(|entry| entry.json()).collect();
    answer::json(StatusCode::OK, &json!({ "rejections": rejections }))
}

/// Which of them.
struct Wanted {
    limit: usize,
    source: Option<String>,
    outcome: Option<String>,
}

impl Wanted {
    fn read(query: &str) -> Result<Self, String> {
        let mut wanted = Self {
            limit: 50,
            source: None,
            outcome: None,
        };
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*name {
                "limit" => {
                    let limit = value.parse().ok().filter(|limit| (1..=500).contains(limit));
                    wanted.limit = limit.ok_or("limit: expected 1 to 500")?;
                }
                "source" => wanted.source = Some(value.into_owned()),
                "outcome" => wanted.outcome = Some(value.into_owned()),
                _ => {
                    return Err(format!(
                        "{name}: unknown: expected limit, source (a path, or none) or outcome"
                    ));
                }
            }
        }
        Ok(wanted)
    }

    fn takes(&self, entry: &Entry) -> bool {
        let path = entry.source.as_deref().unwrap_or("none");
        let is_it = |wanted: &Option<String>, it: &str| wanted.as_deref().is_none_or(|w| w == it);
        is_it(&self.source, path) && is_it(&self.outcome, entry.outcome)
    }
}

/// Of the page.
pub(super) const PATH: &str = "/rejections";

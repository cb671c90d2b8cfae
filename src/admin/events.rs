//! `/events`, `/events/{id}`, `/dead-letters`: what was received, as Temporal has it; and Temporal's part of
//! `/stats`. Metadata only: no body is ever read here.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::Router;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, RawQuery, State};
use axum::response::Response;
use axum::routing::get;
use http::StatusCode;
use serde_json::{Value, json};
use tokio::sync::{Mutex, Semaphore};
use tokio::time::{Instant, timeout};
use tonic::Status;

use super::{Admin, answer};
use crate::events::filter::{Filter, Wrong};
use crate::events::scope::{Indexed, Scope};
use crate::events::stats::Declared;
use crate::events::{Error, Events, show};
use crate::forward::Settings;
use crate::temporal::Temporal;
use crate::temporal::visibility::Visibility;

/// Turns to ask Temporal for lists.
pub fn turns() -> Semaphore {
    Semaphore::new(AT_ONCE)
}

/// The counts of the last few moments.
pub type Cache = Mutex<Option<(Instant, Value)>>;

pub(super) fn router<T: Temporal + Visibility>() -> Router<Arc<Admin<T>>> {
    Router::new()
        .route(EVENTS, get(events::<T>))
        .route(EVENT, get(event::<T>))
        .route(DEAD_LETTERS, get(dead_letters::<T>))
}

async fn events<T: Temporal + Visibility>(
    State(admin): State<Arc<Admin<T>>>,
    RawQuery(query): RawQuery,
) -> Response {
    page(&admin, query, Filter::default()).await
}

async fn dead_letters<T: Temporal + Visibility>(
    State(admin): State<Arc<Admin<T>>>,
    RawQuery(query): RawQuery,
) -> Response {
    page(&admin, query, Filter::open_dead_letters()).await
}

async fn page<T: Temporal + Visibility>(
    admin: &Admin<T>,
    query: Option<String>,
    default: Filter,
) -> Response {
    let now = SystemTime::now();
    let parameters = query.unwrap_or_default();
    let parameters = form_urlencoded::parse(parameters.as_bytes());
    let settings = admin.forwarder.settings();
    let found = async {
        let filter = default.with(parameters, now)?;
        of(admin, &settings).page(&filter, now).await
    };
    match patiently(admin, found).await {
        Ok(page) => answer::json(StatusCode::OK, &json!(page)),
        Err(refusal) => refusal,
    }
}

async fn event<T: Temporal + Visibility>(
    State(admin): State<Arc<Admin<T>>>,
    id: Result<Path<String>, PathRejection>,
    RawQuery(query): RawQuery,
) -> Response {
    let Ok(Path(id)) = id else {
        return bad(&Wrong::new("id", "expected UTF-8, percent-encoded"));
    };
    let mut run_id = String::new();
    for (name, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
        match &*name {
            "run_id" => run_id = value.into_owned(),
            _ => return bad(&Wrong::new(&name, "unknown: expected run_id, or none")),
        }
    }
    let settings = admin.forwarder.settings();
    let events = of(&admin, &settings);
    match patiently(&admin, show::shown(&events, &id, &run_id)).await {
        Ok(Some(shown)) => answer::json(StatusCode::OK, &json!(shown)),
        Ok(None) => {
            let detail = "no workflow of the forwarder's, and no event, has this id; or Temporal has forgotten it";
            answer::problem(StatusCode::NOT_FOUND, "not found", detail)
        }
        Err(refusal) => refusal,
    }
}

/// What Temporal's lists say, in its turn, or why they do not: webhooks need Temporal more than whoever looks.
async fn patiently<T, A>(
    admin: &Admin<T>,
    asked: impl Future<Output = Result<A, Error>>,
) -> Result<A, Response> {
    let in_turn = async {
        let _turn = admin.turns.acquire().await;
        asked.await
    };
    match timeout(PATIENCE, in_turn).await {
        Ok(Ok(said)) => Ok(said),
        Ok(Err(Error::Wrong(wrong))) => Err(bad(&wrong)),
        Ok(Err(Error::Temporal(error))) => Err(away(&error)),
        Err(_) => Err(away(&Status::deadline_exceeded("it takes too long"))),
    }
}

/// Temporal's part of `/stats`. However many ask, Temporal is asked now and then.
pub(super) async fn stats<T: Temporal + Visibility>(admin: &Admin<T>) -> Value {
    let mut cache = admin.counted.lock().await;
    if let Some((at, value)) = cache.as_ref()
        && at.elapsed() < CACHED
    {
        return value.clone();
    }
    let settings = admin.forwarder.settings();
    let declared = Declared {
        topics: &settings.observed.topics,
        tenants: &settings.observed.tenants,
    };
    let events = of(admin, &settings);
    let counted = events.stats(declared, SystemTime::now());
    let value = match timeout(PATIENCE, counted).await {
        Ok(Ok(stats)) => json!(stats),
        Ok(Err(error)) => json!({ "error": Error::Temporal(error).to_string() }),
        Err(_) => json!({ "error": "Temporal takes too long to count" }),
    };
    *cache = Some((Instant::now(), value.clone()));
    value
}

fn of<'a, T: Temporal + Visibility>(admin: &'a Admin<T>, settings: &'a Settings) -> Events<'a, T> {
    let store = admin.forwarder.temporal();
    let indexed = match settings.index {
        true => Indexed::new(store.indexed()),
        false => Indexed::default(),
    };
    Events {
        store,
        scope: Scope::new(&settings.sources, indexed),
        codec: &settings.codec,
        place: admin.place.clone(),
    }
}

fn bad(wrong: &Wrong) -> Response {
    answer::problem(StatusCode::BAD_REQUEST, "bad request", wrong.to_string())
}

fn away(error: &Status) -> Response {
    let detail = Error::Temporal(error.clone()).to_string();
    let title = "Temporal does not answer as it should";
    answer::problem(StatusCode::SERVICE_UNAVAILABLE, title, detail)
}

/// Of the list.
pub(super) const EVENTS: &str = "/events";
/// An id may have slashes.
const EVENT: &str = "/events/{*id}";
/// Of those that could not start.
pub(super) const DEAD_LETTERS: &str = "/dead-letters";
/// For one answer.
const PATIENCE: Duration = Duration::from_secs(20);
const CACHED: Duration = Duration::from_secs(3);
/// Lists that Temporal is asked for at once; the others wait for their turn.
const AT_ONCE: usize = 2;

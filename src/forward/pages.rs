//! What answers without an event: `/`, health, and a source that is only looked at.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::{Method, StatusCode};
use serde_json::json;
use tokio::sync::Mutex;
use tokio::time::Instant;
use webhook_core::outcome::Reject;
use webhook_core::request_kind::is_get_or_head;
use webhook_core::source::Source;

use crate::cli::NAME;
use crate::forward::answer::{self, Answer, json_answer};
use crate::temporal::Temporal;

/// The pages that are no source.
pub struct Pages<T> {
    temporal: Arc<T>,
    draining: AtomicBool,
    asked: Mutex<Option<(Instant, Result<(), String>)>>,
}

impl<T: Temporal> Pages<T> {
    /// Pages of a process that is not stopping.
    pub fn new(temporal: Arc<T>) -> Self {
        Self {
            temporal,
            draining: AtomicBool::new(false),
            asked: Mutex::new(None),
        }
    }

    /// From now on not ready: the process is about to stop.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// The page of this path, if it is one.
    ///
    /// # Errors
    /// [`Reject::MethodNotAllowed`]
    pub async fn page(&self, method: &Method, path: &str) -> Result<Option<Answer>, Reject> {
        if !PATHS.contains(&path) {
            return Ok(None);
        }
        if !is_get_or_head(method) {
            return Err(Reject::MethodNotAllowed(
                "GET, HEAD".to_owned(),
                "the page is only there to be read",
            ));
        }
        Ok(Some(match path {
            LIVE => self.live(),
            READY => self.ready().await,
            _ => json_answer(StatusCode::OK, &json!({ "name": NAME })),
        }))
    }

    /// The process answers.
    pub fn live(&self) -> Answer {
        json_answer(StatusCode::OK, &json!({ "status": "live" }))
    }

    /// Temporal would take a start now, and we are not stopping. Asks Temporal at most once a
    /// second, however many ask us.
    pub async fn ready(&self) -> Answer {
        if self.draining.load(Ordering::Relaxed) {
            return not_ready("stopping");
        }
        let mut asked = self.asked.lock().await;
        let fresh = asked.take().filter(|(at, _)| at.elapsed() < CACHED);
        let (at, state) = match fresh {
            Some(fresh) => fresh,
            None => {
                let state = self.temporal.ready().await;
                if let Err(reason) = &state {
                    tracing::debug!(reason, "not ready");
                }
                (Instant::now(), state)
            }
        };
        let ready = state.is_ok();
        *asked = Some((at, state));
        if ready {
            json_answer(StatusCode::OK, &json!({ "status": "ready" }))
        } else {
            not_ready("Temporal does not answer as it should")
        }
    }
}

/// A source's answer to a look: for load balancers and people.
pub fn about(source: &Source) -> Answer {
    let provider = &source.provider.name;
    let body = json!({ "status": "ok", "source": source.path, "provider": provider });
    json_answer(StatusCode::OK, &body)
}

fn not_ready(reason: &str) -> Answer {
    let body = json!({ "status": "not ready", "reason": reason });
    let mut answer = json_answer(StatusCode::SERVICE_UNAVAILABLE, &body);
    answer::ask_again(&mut answer);
    answer
}

/// `/health/live`
pub const LIVE: &str = "/health/live";
/// `/health/ready`
pub const READY: &str = "/health/ready";
const PATHS: [&str; 3] = ["/", LIVE, READY];
const CACHED: Duration = Duration::from_secs(1);

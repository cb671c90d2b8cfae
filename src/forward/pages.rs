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

/// Why no webhook would be taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Obstacle {
    /// The process is about to stop.
    Stopping,
    /// What Temporal, or the way there, says.
    Temporal(String),
}

impl Obstacle {
    /// For anybody.
    const fn public(&self) -> &'static str {
        match self {
            Self::Stopping => "stopping",
            Self::Temporal(_) => "Temporal does not answer as it should",
        }
    }

    /// For the operator: what it is about, and why.
    pub fn json(&self) -> serde_json::Value {
        match self {
            Self::Stopping => json!({ "about": "process", "reason": self.public() }),
            Self::Temporal(reason) => json!({ "about": "temporal", "reason": reason }),
        }
    }
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
            // Not carried along with every webhook.
            READY => Box::pin(self.ready()).await,
            _ => json_answer(StatusCode::OK, &json!({ "name": NAME })),
        }))
    }

    /// The process answers.
    pub fn live(&self) -> Answer {
        json_answer(StatusCode::OK, &json!({ "status": "live" }))
    }

    /// Temporal would take a start now, and we are not stopping: for anybody, so without details.
    pub async fn ready(&self) -> Answer {
        match self.obstacle().await {
            None => json_answer(StatusCode::OK, &json!({ "status": "ready" })),
            Some(obstacle) => not_ready(&json!({ "reason": obstacle.public() })),
        }
    }

    /// The same for the operator: with each reason in its own words.
    pub async fn ready_in_detail(&self) -> Answer {
        match self.obstacle().await {
            None => json_answer(StatusCode::OK, &json!({ "status": "ready", "reasons": [] })),
            Some(obstacle) => {
                let (public, reasons) = (obstacle.public(), [obstacle.json()]);
                not_ready(&json!({ "reason": public, "reasons": reasons }))
            }
        }
    }

    /// Why no webhook would be taken now. Asks Temporal at most once a second, however many ask us.
    pub async fn obstacle(&self) -> Option<Obstacle> {
        if self.draining.load(Ordering::Relaxed) {
            return Some(Obstacle::Stopping);
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
        let obstacle = state.clone().err().map(Obstacle::Temporal);
        *asked = Some((at, state));
        obstacle
    }
}

/// A source's answer to a look: for load balancers and people.
pub fn about(source: &Source) -> Answer {
    let provider = &source.provider.name;
    let body = json!({ "status": "ok", "source": source.path, "provider": provider });
    json_answer(StatusCode::OK, &body)
}

fn not_ready(why: &serde_json::Value) -> Answer {
    let mut body = json!({ "status": "not ready" });
    let members = why.as_object().into_iter().flatten();
    for (name, value) in members {
        body[name] = value.clone();
    }
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

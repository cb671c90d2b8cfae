//! `/stream`: what happens as it happens, as server-sent events: `entries`, one or more requests, and `state`,
//! all that the page shows besides.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use bytes::Bytes;
use futures_util::stream;
use http::StatusCode;
use http::header::CONTENT_TYPE;
use serde_json::{Value, json};
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::{Instant, sleep_until};

use super::answer::problem;
use super::{Admin, state};
use crate::temporal::Temporal;

pub(super) fn router<T: Temporal>() -> Router<Arc<Admin<T>>> {
    Router::new().route(PATH, get(stream::<T>))
}

async fn stream<T: Temporal>(State(admin): State<Arc<Admin<T>>>) -> Response {
    let Ok(seat) = Arc::clone(&admin.streams).try_acquire_owned() else {
        let detail = format!("{MOST} pages follow it already: close one of them");
        return problem(StatusCode::SERVICE_UNAVAILABLE, "too many streams", detail);
    };
    let now = Instant::now();
    let feed = Feed {
        newest: admin.journal.watch(),
        stopped: admin.stopped.clone(),
        last: None,
        state_at: now,
        entries_at: now,
        admin,
        _seat: seat,
    };
    let messages = stream::unfold(feed, Feed::next);
    let headers = [
        (CONTENT_TYPE.as_str(), "text/event-stream"),
        // Of nginx, which would hold it back.
        ("x-accel-buffering", "no"),
    ];
    (headers, Body::from_stream(messages)).into_response()
}

/// What is to be said next.
enum Due {
    State,
    Entries,
}

/// One client that follows.
struct Feed<T> {
    admin: Arc<Admin<T>>,
    newest: watch::Receiver<u64>,
    stopped: watch::Receiver<bool>,
    /// The number of the last entry that was sent; `None`: nothing was.
    last: Option<u64>,
    /// When the next of each kind may be sent.
    state_at: Instant,
    entries_at: Instant,
    _seat: OwnedSemaphorePermit,
}

impl<T: Temporal> Feed<T> {
    async fn next(mut self) -> Option<(Result<Bytes, Infallible>, Self)> {
        let Some(last) = self.last else {
            let message = self.entries(0, AT_FIRST);
            return Some((Ok(message), self));
        };
        let due = tokio::select! {
            biased;
            // Also if nobody is there any more to say so.
            _ = self.stopped.wait_for(|stopped| *stopped) => return None,
            () = sleep_until(self.state_at) => Due::State,
            () = has_news(&mut self.newest, last, self.entries_at) => Due::Entries,
        };
        let message = match due {
            Due::Entries => self.entries(last, AT_ONCE),
            Due::State => {
                self.state_at = Instant::now() + STATE;
                message("state", &state::state(&self.admin).await)
            }
        };
        Some((Ok(message), self))
    }

    fn entries(&mut self, after: u64, most: usize) -> Bytes {
        self.newest.mark_unchanged();
        let news = self.admin.journal.after(after, most);
        self.last = Some(news.last);
        self.entries_at = Instant::now() + ENTRIES;
        let entries: Vec<_> = news.entries.iter().map(|entry| entry.json()).collect();
        let skipped = if after == 0 { 0 } else { news.skipped };
        message(
            "entries",
            &json!({ "entries": entries, "skipped": skipped }),
        )
    }
}

/// Waits until something happened, and no longer ago than it may be said.
async fn has_news(newest: &mut watch::Receiver<u64>, last: u64, at: Instant) {
    // The journal lives as long as whoever waits here.
    let _ = newest.wait_for(|newest| *newest > last).await;
    sleep_until(at).await;
}

fn message(kind: &str, data: &Value) -> Bytes {
    // JSON has no line ends of its own.
    Bytes::from(format!("event: {kind}\ndata: {data}\n\n"))
}

/// How many may follow at a time.
pub(super) const MOST: usize = 16;
const AT_FIRST: usize = 200;
const AT_ONCE: usize = 100;
/// From one message with entries to the next: what comes meanwhile comes together.
const ENTRIES: Duration = Duration::from_millis(200);
const STATE: Duration = Duration::from_secs(2);
/// Of the page.
pub(super) const PATH: &str = "/stream";

//! What happens on a connection: first bytes, requests in flight, silence; what its watchdog looks at.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, sleep};

use super::refused::OPENING;

/// The stream for hyper, and what the watchdog gets to see of it.
pub(super) fn watched<S>(
    stream: S,
    heads_begin_with_bytes: bool,
    idle: Duration,
) -> (TokioIo<Watched<S>>, Arc<Activity>) {
    let activity = Arc::new(Activity::new(heads_begin_with_bytes, idle));
    let watched = Watched {
        stream,
        activity: Arc::clone(&activity),
    };
    (TokioIo::new(watched), activity)
}

/// What the watchdog knows of a connection.
pub(super) struct Activity {
    /// HTTP/1: bytes without a request are an unfinished head. In HTTP/2 they may be pings.
    heads_begin_with_bytes: bool,
    /// Between requests.
    idle: Duration,
    state: Mutex<State>,
}

struct State {
    /// When the first byte since the last request began to be handled was read.
    first_byte: Option<Instant>,
    in_flight: usize,
    /// When the last request was done, or the connection was made.
    idle_since: Instant,
    any_request: bool,
    /// The connection's first bytes.
    opening: Vec<u8>,
}

impl Activity {
    fn new(heads_begin_with_bytes: bool, idle: Duration) -> Self {
        Self {
            heads_begin_with_bytes,
            idle,
            state: Mutex::new(State {
                first_byte: None,
                in_flight: 0,
                idle_since: Instant::now(),
                any_request: false,
                opening: Vec::new(),
            }),
        }
    }

    fn with<R>(&self, change: impl FnOnce(&mut State) -> R) -> R {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn is_idle(&self) -> bool {
        self.with(|state| state.in_flight == 0)
    }

    /// When the head that is being read began.
    pub(super) fn head_begun(&self) -> Option<Instant> {
        let begun = self.with(|state| state.first_byte);
        begun.filter(|_| self.heads_begin_with_bytes)
    }

    /// The first bytes of a connection that no request came from.
    pub(super) fn opening(&self) -> Vec<u8> {
        self.with(|state| match state.any_request {
            true => Vec::new(),
            false => state.opening.clone(),
        })
    }

    /// Waits until the connection may have been silent too long; `false` if it was.
    pub(super) async fn patience(&self) -> bool {
        let until = self.with(|state| {
            if state.in_flight > 0 {
                return None;
            }
            let allowed = if state.any_request { self.idle } else { HEAD };
            let idle = state.idle_since + allowed;
            let head = state.first_byte.filter(|_| self.heads_begin_with_bytes);
            Some(head.map_or(idle, |first| first + HEAD))
        });
        let look = HEAD.min(self.idle);
        match until {
            Some(until) if until <= Instant::now() => return false,
            Some(until) => sleep((until - Instant::now()).min(look)).await,
            None => sleep(look).await,
        }
        true
    }
}

/// A request being handled.
pub(super) struct Busy {
    activity: Arc<Activity>,
    pub(super) first_byte: Instant,
}

impl Busy {
    pub(super) fn enter(activity: &Arc<Activity>) -> Self {
        let first_byte = activity.with(|state| {
            state.in_flight += 1;
            state.any_request = true;
            state.first_byte.take()
        });
        let first_byte = first_byte.filter(|_| activity.heads_begin_with_bytes);
        Self {
            activity: Arc::clone(activity),
            first_byte: first_byte.unwrap_or_else(Instant::now),
        }
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.activity.with(|state| {
            state.in_flight -= 1;
            state.idle_since = Instant::now();
            // the body's bytes
            state.first_byte = None;
        });
    }
}

/// A stream that notes when bytes come.
pub(super) struct Watched<S> {
    pub(super) stream: S,
    activity: Arc<Activity>,
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let result = Pin::new(&mut self.stream).poll_read(cx, buf);
        let read = &buf.filled()[before..];
        // Line ends between requests are no beginning of a head (RFC 9112, section 2.2).
        let begins = read.iter().any(|byte| !b"\r\n".contains(byte));
        if !read.is_empty() {
            self.activity.with(|state| {
                if begins {
                    state.first_byte.get_or_insert_with(Instant::now);
                }
                let room = OPENING - state.opening.len();
                state.opening.extend(read.iter().take(room));
            });
        }
        result
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

/// For a request's head, from its first byte; for the first request, from the connection.
const HEAD: Duration = Duration::from_secs(10);

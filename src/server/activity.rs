//! What happens on a connection: heads that begin, requests in flight, answers that are not yet taken,
//! silence; and what of that has been going on for too long.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, sleep_until};

use super::limits::Limits;
use super::refused::OPENING;
use super::seats::Seat;

/// What is known of a connection while it is served.
pub(super) struct Activity {
    /// HTTP/1: bytes without a request are an unfinished head. In HTTP/2 they may be pings.
    heads_begin_with_bytes: bool,
    limits: Limits,
    seat: Seat,
    state: Mutex<State>,
}

struct State {
    /// When the first byte of a head was read whose request is not being handled yet.
    head_since: Option<Instant>,
    /// Requests being handled.
    handled: usize,
    /// Answers that were begun and not handed over whole.
    unsent: usize,
    /// The client does not take what is written.
    is_blocked: bool,
    /// When a request or an answer last made progress, or the connection was made.
    quiet_since: Instant,
    had_request: bool,
    /// The connection's first bytes.
    opening: Vec<u8>,
}

/// What has been going on for too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Overdue {
    /// A head began and did not end.
    Head,
    /// Nothing was asked.
    Idle,
    /// Nothing of an answer is taken.
    Stalled,
}

impl Activity {
    pub(super) fn new(heads_begin_with_bytes: bool, limits: Limits, seat: Seat) -> Arc<Self> {
        let now = Instant::now();
        seat.set_idle(Some(now));
        Arc::new(Self {
            heads_begin_with_bytes,
            limits,
            seat,
            state: Mutex::new(State {
                head_since: None,
                handled: 0,
                unsent: 0,
                is_blocked: false,
                quiet_since: now,
                had_request: false,
                opening: Vec::new(),
            }),
        })
    }

    /// Waits until another connection has got the seat.
    pub(super) async fn evicted(&self) {
        self.seat.evicted().await;
    }

    /// Whether a request is being handled, or an answer is not yet with the client.
    pub(super) fn is_busy(&self) -> bool {
        self.state(|state| state.is_busy())
    }

    /// The first bytes of a connection that no request came from.
    pub(super) fn opening(&self) -> Vec<u8> {
        self.state(|state| match state.had_request {
            true => Vec::new(),
            false => state.opening.clone(),
        })
    }

    /// Waits until the client has said anything at all.
    pub(super) async fn has_begun(&self) {
        while self.state(|state| state.opening.is_empty()) {
            sleep(POLL).await;
        }
    }

    /// Waits until something has been going on for too long.
    pub(super) async fn overdue(&self) -> Overdue {
        let Limits {
            head, idle, stall, ..
        } = self.limits;
        let look = head.min(idle).min(stall);
        loop {
            let due = self.state(|state| state.due(&self.limits));
            match due {
                Some((at, overdue)) if at <= Instant::now() => return overdue,
                Some((at, _)) => sleep_until(at.min(Instant::now() + look)).await,
                None => sleep(look).await,
            }
        }
    }

    /// Waits until nothing is in flight any more, `goodbye` from now at the earliest, or an answer
    /// is not taken.
    pub(super) async fn finished(&self, goodbye: Duration) {
        sleep(goodbye).await;
        // Twice: what an answer's end has left with hyper is written between the two.
        let mut looks = 0;
        while looks < 2 && self.state(|state| !state.is_stalled(&self.limits)) {
            looks = if self.is_busy() { 0 } else { looks + 1 };
            sleep(POLL).await;
        }
    }

    fn state<R>(&self, read: impl FnOnce(&State) -> R) -> R {
        read(&self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let before = state.idle_since();
        change(&mut state);
        let idle_since = state.idle_since();
        if idle_since != before {
            self.seat.set_idle(idle_since);
        }
    }
}

impl State {
    const fn is_busy(&self) -> bool {
        self.handled > 0 || self.is_sending()
    }

    const fn is_sending(&self) -> bool {
        self.unsent > 0 || self.is_blocked
    }

    /// Since when it could be closed without harm.
    fn idle_since(&self) -> Option<Instant> {
        let is_idle = !self.is_busy() && self.head_since.is_none();
        is_idle.then_some(self.quiet_since)
    }

    fn due(&self, limits: &Limits) -> Option<(Instant, Overdue)> {
        if self.handled > 0 {
            return None;
        }
        if self.is_sending() {
            return Some((self.quiet_since + limits.stall, Overdue::Stalled));
        }
        if let Some(first_byte) = self.head_since {
            return Some((first_byte + limits.head, Overdue::Head));
        }
        let allowed = if self.had_request {
            limits.idle
        } else {
            limits.head
        };
        Some((self.quiet_since + allowed, Overdue::Idle))
    }

    fn is_stalled(&self, limits: &Limits) -> bool {
        let due = self.due(limits);
        due.is_some_and(|(at, overdue)| overdue == Overdue::Stalled && at <= Instant::now())
    }
}

/// A request being handled.
pub(super) struct Handled {
    activity: Arc<Activity>,
    pub(super) first_byte: Instant,
}

impl Handled {
    /// One whose head has been read.
    pub(super) fn begin(activity: &Arc<Activity>) -> Self {
        let mut first_byte = None;
        activity.change(|state| {
            state.handled += 1;
            state.had_request = true;
            first_byte = state.head_since.take();
        });
        Self {
            activity: Arc::clone(activity),
            first_byte: first_byte.unwrap_or_else(Instant::now),
        }
    }

    /// Its answer is about to be written.
    pub(super) fn answered(self) -> Unsent {
        let activity = Arc::clone(&self.activity);
        activity.change(|state| state.unsent += 1);
        Unsent { activity }
    }
}

impl Drop for Handled {
    fn drop(&mut self) {
        self.activity.change(|state| {
            state.handled -= 1;
            state.quiet_since = Instant::now();
            // the body's bytes
            state.head_since = None;
        });
    }
}

/// An answer that is not handed over whole.
pub(super) struct Unsent {
    activity: Arc<Activity>,
}

impl Unsent {
    /// The client can take more of it.
    pub(super) fn progress(&self) {
        self.activity
            .change(|state| state.quiet_since = Instant::now());
    }
}

impl Drop for Unsent {
    fn drop(&mut self) {
        self.activity.change(|state| {
            state.unsent -= 1;
            state.quiet_since = Instant::now();
        });
    }
}

/// The stream for hyper; its owner gets it back when hyper is done with it.
pub(super) fn watched<S>(
    stream: S,
    activity: &Arc<Activity>,
) -> (TokioIo<Watched<S>>, oneshot::Receiver<S>) {
    let (returned, owner) = oneshot::channel();
    let watched = Watched {
        stream: Some(stream),
        returned: Some(returned),
        is_blocked: false,
        activity: Arc::clone(activity),
    };
    (TokioIo::new(watched), owner)
}

/// A stream that notes when bytes come, and whether they go.
pub(super) struct Watched<S> {
    /// There until dropped.
    stream: Option<S>,
    returned: Option<oneshot::Sender<S>>,
    is_blocked: bool,
    activity: Arc<Activity>,
}

impl<S: Unpin> Watched<S> {
    fn stream(&mut self) -> Pin<&mut S> {
        Pin::new(self.stream.as_mut().expect("there until dropped"))
    }

    fn wrote<R>(&mut self, result: Poll<R>) -> Poll<R> {
        if self.is_blocked != result.is_pending() {
            self.is_blocked = result.is_pending();
            self.activity.change(|state| {
                state.is_blocked = self.is_blocked;
                state.quiet_since = Instant::now();
            });
        }
        result
    }
}

impl<S> Drop for Watched<S> {
    fn drop(&mut self) {
        if let Some((stream, owner)) = self.stream.take().zip(self.returned.take()) {
            let _ = owner.send(stream);
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(self.stream().poll_read(cx, buf))?;
        let read = &buf.filled()[before..];
        if read.is_empty() {
            return Poll::Ready(Ok(()));
        }
        // Line ends between requests are no beginning of a head (RFC 9112, section 2.2).
        let has_text = read.iter().any(|byte| !b"\r\n".contains(byte));
        let begins = has_text && self.activity.heads_begin_with_bytes;
        self.activity.change(|state| {
            if begins {
                state.head_since.get_or_insert_with(Instant::now);
            }
            let room = OPENING - state.opening.len();
            state.opening.extend(read.iter().take(room));
        });
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let result = self.stream().poll_write(cx, buf);
        self.wrote(result)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = self.stream().poll_flush(cx);
        self.wrote(result)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream().poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = self.stream().poll_write_vectored(cx, bufs);
        self.wrote(result)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.as_ref().is_some_and(S::is_write_vectored)
    }
}

const POLL: Duration = Duration::from_millis(50);

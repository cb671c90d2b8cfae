//! A call on connections that may break, freeze or be slow: it is made again after a failure that
//! may be over in a moment; once more beside the first if that is late; and anew if its connection
//! is given up. The first definite answer wins.

use std::pin::pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use tokio::time::{Instant, sleep, timeout_at};
use tonic::Status;

use super::pool::{Lease, Pool};
use super::status;
use crate::telemetry::HEDGES;

/// How many calls may be made a second time because the first is late: a twentieth, and a few at
/// once. A Temporal that is slow everywhere gets no more than that on top.
#[derive(Debug)]
pub struct Budget(AtomicU32);

impl Budget {
    /// A full one. What it is spent on is counted from zero.
    pub fn full() -> Self {
        for outcome in OUTCOMES {
            metrics::counter!(HEDGES, "outcome" => outcome).increment(0);
        }
        Self(AtomicU32::new(FULL))
    }

    fn earn(&self) {
        let more = |saved: u32| (saved < FULL).then(|| saved + SHARE);
        self.0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, more)
            .ok();
    }

    fn spend(&self) -> bool {
        let less = |saved: u32| saved.checked_sub(HEDGE);
        let spent = self
            .0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
        spent.is_ok()
    }
}

/// Makes the call until there is a definite answer, or a retry would come after the deadline. The
/// attempts say the same, so that Temporal does it once. Without a budget none is made beside
/// another that may still be answered.
///
/// # Errors
/// The last attempt's.
pub async fn call<C, R, F>(
    pool: &Pool<C>,
    budget: Option<&Budget>,
    deadline: Instant,
    attempt: impl Fn(&C) -> F + Sync,
) -> Result<R, Status>
where
    C: Send + Sync,
    R: Send,
    F: Future<Output = Result<R, Status>> + Send,
{
    if let Some(budget) = budget {
        budget.earn();
    }
    let hedges = Hedges {
        pool,
        budget,
        deadline,
    };
    let mut pause = FIRST_PAUSE;
    let mut failed = None;
    loop {
        let lease = pool.lease(failed.as_ref()).ok_or_else(none)?;
        match hedges.call(&lease, &attempt).await {
            Some(Err(error)) if status::may_be_over_in_a_moment(&error) => {
                let pause_now = jittered(pause, pool.random());
                if Instant::now() + pause_now >= deadline {
                    return Err(error);
                }
                sleep(pause_now).await;
                pause = pause.mul_f32(GROWTH).min(LONGEST_PAUSE);
            }
            Some(answer) => return answer,
            None => {}
        }
        failed = Some(lease);
    }
}

struct Hedges<'a, C> {
    pool: &'a Pool<C>,
    budget: Option<&'a Budget>,
    deadline: Instant,
}

impl<C: Send + Sync> Hedges<'_, C> {
    /// `None`: the connection was given up before anything was late.
    async fn call<R, F>(
        &self,
        lease: &Lease<C>,
        attempt: &(impl Fn(&C) -> F + Sync),
    ) -> Option<Result<R, Status>>
    where
        R: Send,
        F: Future<Output = Result<R, Status>> + Send,
    {
        let mut first = Box::pin(answer(lease, attempt));
        if let Ok(answer) = timeout_at(late(self.deadline), &mut first).await {
            return answer;
        }
        lease.is_late();
        let open: Open<'_, R> = FuturesUnordered::new();
        open.push(Box::pin(async move { (false, first.await) }));
        let mut fate = Fate(None);
        if let Some((budget, other)) = self.budget.zip(self.pool.another(lease)) {
            if budget.spend() {
                open.push(self.owned(true, other, attempt));
                fate = Fate(Some(UNANSWERED));
            } else {
                metrics::counter!(HEDGES, "outcome" => DENIED).increment(1);
            }
        }
        Some(self.first_definite(open, fate, attempt).await)
    }

    async fn first_definite<'f, R, F>(
        &self,
        mut open: Open<'f, R>,
        mut fate: Fate,
        attempt: &'f (impl Fn(&C) -> F + Sync),
    ) -> Result<R, Status>
    where
        C: 'f,
        R: Send,
        F: Future<Output = Result<R, Status>> + Send,
    {
        loop {
            match open.next().await {
                // What is open comes to nothing: another is in its place.
                Some((is_hedge, None)) => {
                    let lease = self.pool.lease(None).ok_or_else(none)?;
                    open.push(self.owned(is_hedge, lease, attempt));
                }
                Some((is_hedge, Some(answer))) => {
                    let is_definite = answer.as_ref().err().is_none_or(status::is_definite);
                    if is_definite {
                        fate.ends(is_hedge);
                    }
                    if is_definite || open.is_empty() {
                        return answer;
                    }
                }
                None => return Err(none()),
            }
        }
    }

    fn owned<'f, R, F>(
        &self,
        is_hedge: bool,
        lease: Lease<C>,
        attempt: &'f (impl Fn(&C) -> F + Sync),
    ) -> BoxFuture<'f, (bool, Option<Result<R, Status>>)>
    where
        C: 'f,
        R: Send,
        F: Future<Output = Result<R, Status>> + Send,
    {
        let late = late(self.deadline);
        Box::pin(async move {
            let mut answer = pin!(answer(&lease, attempt));
            if let Ok(answer) = timeout_at(late, &mut answer).await {
                return (is_hedge, answer);
            }
            lease.is_late();
            (is_hedge, answer.await)
        })
    }
}

/// Attempts that are open, and whether each is the hedge.
type Open<'f, R> = FuturesUnordered<BoxFuture<'f, (bool, Option<Result<R, Status>>)>>;

/// `None`: the connection was given up.
async fn answer<C, R, F>(lease: &Lease<C>, attempt: &impl Fn(&C) -> F) -> Option<Result<R, Status>>
where
    F: Future<Output = Result<R, Status>>,
{
    let answer = tokio::select! {
        biased;
        answer = attempt(lease) => answer,
        () = lease.given_up() => return None,
    };
    // Whoever refuses or is busy is there.
    if answer
        .as_ref()
        .err()
        .is_none_or(|error| !status::is_away(error))
    {
        lease.heard();
    }
    Some(answer)
}

/// After a third of the time that is left.
fn late(deadline: Instant) -> Instant {
    let now = Instant::now();
    now + deadline.saturating_duration_since(now) / 3
}

/// What became of a hedge, one of [`OUTCOMES`] or nothing, counted at its end, whatever that is.
struct Fate(Option<&'static str>);

impl Fate {
    const fn ends(&mut self, is_hedge: bool) {
        if self.0.is_some() {
            self.0 = Some(if is_hedge { WON } else { LOST });
        }
    }
}

impl Drop for Fate {
    fn drop(&mut self) {
        if let Some(outcome) = self.0 {
            metrics::counter!(HEDGES, "outcome" => outcome).increment(1);
        }
    }
}

fn none() -> Status {
    Status::unavailable("there is no connection")
}

/// A fifth more or less: those who failed together do not come again together.
fn jittered(pause: Duration, random: f32) -> Duration {
    pause.mul_f32(0.8 + 0.4 * random)
}

const WON: &str = "won";
const LOST: &str = "lost";
const UNANSWERED: &str = "unanswered";
const DENIED: &str = "denied";
const OUTCOMES: [&str; 4] = [WON, LOST, UNANSWERED, DENIED];
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);
const GROWTH: f32 = 1.7;
/// What a call pays in, and what a hedge costs: one for twenty.
const SHARE: u32 = 1;
const HEDGE: u32 = 20;
/// Ten hedges: a forwarder that gets an event now and then can afford them, too.
const FULL: u32 = 10 * HEDGE;

#[cfg(test)]
mod tests;

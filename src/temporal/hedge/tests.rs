//! On paused time, with connections that do what they are told.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use tokio::sync::Notify;
use tokio::task::JoinSet;
use tonic::Code;

use super::*;

/// A connection that answers every call after so long, or never.
#[derive(Debug, Default)]
struct Fake {
    script: Script,
    calls: AtomicUsize,
    at_once: Notify,
}

#[derive(Debug, Clone, Copy, Default)]
enum Script {
    #[default]
    Frozen,
    After(f32, Option<Code>),
}

const OK: Option<Code> = None;

impl Fake {
    fn new(script: Script) -> Arc<Self> {
        Arc::new(Self {
            script,
            ..Self::default()
        })
    }

    async fn answer(self: Arc<Self>) -> Result<(), Status> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        match self.script {
            Script::Frozen => self.at_once.notified().await,
            Script::After(seconds, _) => sleep(Duration::from_secs_f32(seconds)).await,
        }
        match self.script {
            Script::After(_, Some(code)) => Err(Status::new(code, "no")),
            _ => Ok(()),
        }
    }

    fn calls(&self) -> usize {
        self.calls.load(Ordering::Relaxed)
    }
}

/// A pool whose first call takes the first of these.
fn pool(scripts: &[Script]) -> (Pool<Arc<Fake>>, Vec<Arc<Fake>>) {
    let fakes: Vec<_> = scripts.iter().map(|script| Fake::new(*script)).collect();
    let pool = Pool::new(fakes.len(), 0);
    for (slot, fake) in fakes.iter().enumerate() {
        pool.put(slot, Arc::clone(fake));
    }
    (pool, fakes)
}

/// The answer, and after how many tenths of a second.
async fn ask(pool: &Pool<Arc<Fake>>, budget: Option<&Budget>) -> (Result<(), Code>, u128) {
    let begun = Instant::now();
    let attempt = |fake: &Arc<Fake>| Arc::clone(fake).answer();
    let deadline = begun + Duration::from_secs(3);
    let called = timeout_at(deadline, call(pool, budget, deadline, attempt));
    let answer = called
        .await
        .unwrap_or_else(|_| Err(Status::deadline_exceeded("")))
        .map_err(|error| error.code());
    (answer, begun.elapsed().as_millis() / 100)
}

#[tokio::test(start_paused = true)]
async fn the_first_definite_answer_wins_and_an_indefinite_one_waits_for_the_other() {
    use Code::{AlreadyExists, NotFound, ResourceExhausted, Unavailable};
    use Script::{After, Frozen};

    for (first, second, expected, at, calls) in [
        // In time: no hedge, however slow the second were.
        (After(0.9, OK), Frozen, Ok(()), 9, [1, 0]),
        (After(0.9, Some(NotFound)), Frozen, Err(NotFound), 9, [1, 0]),
        // Late: after a third of three seconds it goes out on the other, too.
        (Frozen, After(0.5, OK), Ok(()), 15, [1, 1]),
        (After(1.2, OK), After(0.5, OK), Ok(()), 12, [1, 1]),
        (After(2.0, OK), After(0.5, OK), Ok(()), 15, [1, 1]),
        (
            Frozen,
            After(0.1, Some(AlreadyExists)),
            Err(AlreadyExists),
            11,
            [1, 1],
        ),
        // That one is not there or busy is no answer while the other may have one.
        (
            After(2.0, OK),
            After(0.1, Some(Unavailable)),
            Ok(()),
            20,
            [1, 1],
        ),
        (
            After(2.0, OK),
            After(0.1, Some(ResourceExhausted)),
            Ok(()),
            20,
            [1, 1],
        ),
        (
            After(1.5, Some(Unavailable)),
            After(1.0, OK),
            Ok(()),
            20,
            [1, 1],
        ),
        // Neither has one.
        (
            After(1.5, Some(ResourceExhausted)),
            After(0.1, Some(ResourceExhausted)),
            Err(ResourceExhausted),
            15,
            [1, 1],
        ),
        (Frozen, Frozen, Err(Code::DeadlineExceeded), 30, [1, 1]),
    ] {
        let (pool, fakes) = pool(&[first, second]);
        let budget = Budget::full();
        let what = format!("{first:?} {second:?}");
        assert_eq!(ask(&pool, Some(&budget)).await, (expected, at), "{what}");
        assert_eq!([fakes[0].calls(), fakes[1].calls()], calls, "{what}");
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_budget_or_another_connection_nothing_is_asked_twice() {
    let late = Script::After(2.0, OK);
    let (two, fakes) = pool(&[late, late]);
    assert_eq!(ask(&two, None).await, (Ok(()), 20));
    assert_eq!([fakes[0].calls(), fakes[1].calls()], [1, 0]);
    let (one, fakes) = pool(&[late]);
    assert_eq!(ask(&one, Some(&Budget::full())).await, (Ok(()), 20));
    assert_eq!(fakes[0].calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_may_be_over_in_a_moment_is_tried_again_on_the_other_until_the_deadline() {
    let away = Script::After(0.0, Some(Code::Unavailable));
    let (pool_, fakes) = pool(&[away, Script::After(0.0, OK)]);
    let (answer, at) = ask(&pool_, Some(&Budget::full())).await;
    assert_eq!((answer, at), (Ok(()), 0), "the next try is on the other");
    assert_eq!([fakes[0].calls(), fakes[1].calls()], [1, 1]);

    let (pool_, fakes) = pool(&[away, away]);
    let (answer, at) = ask(&pool_, Some(&Budget::full())).await;
    assert_eq!(answer, Err(Code::Unavailable));
    assert!((23..30).contains(&at), "{at}");
    let calls = [fakes[0].calls(), fakes[1].calls()];
    assert!(calls[0].abs_diff(calls[1]) <= 1, "{calls:?}");
    assert!((7..=14).contains(&(calls[0] + calls[1])), "{calls:?}");

    let (pool_, fakes) = pool(&[Script::After(0.0, Some(Code::ResourceExhausted)); 2]);
    let (answer, at) = ask(&pool_, Some(&Budget::full())).await;
    assert_eq!((answer, at), (Err(Code::ResourceExhausted), 0));
    assert_eq!(fakes[0].calls() + fakes[1].calls(), 1, "less, not more");
}

#[tokio::test(start_paused = true)]
async fn a_temporal_that_is_slow_everywhere_gets_a_twentieth_more_calls_and_no_outage() {
    let (pool, fakes) = pool(&[Script::After(2.0, OK); 2]);
    let (pool, budget) = (Arc::new(pool), Arc::new(Budget::full()));
    let mut calls = JoinSet::new();
    for _ in 0..2000 {
        let (pool, budget) = (Arc::clone(&pool), Arc::clone(&budget));
        calls.spawn(async move { ask(&pool, Some(&budget)).await });
        sleep(Duration::from_millis(10)).await;
    }
    for (answer, at) in calls.join_all().await {
        assert_eq!((answer, at), (Ok(()), 20));
    }
    let made = fakes[0].calls() + fakes[1].calls();
    let (share, at_once) = (2000 / 20, 10);
    assert!(
        (2000 + share..=2000 + share + at_once).contains(&made),
        "{made}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_is_given_up_hands_its_calls_on_whatever_the_budget_says() {
    let (pool, fakes) = pool(&[Script::Frozen; 2]);
    let pool = Arc::new(pool);
    let mut calls = JoinSet::new();
    for _ in 0..40 {
        let pool = Arc::clone(&pool);
        calls.spawn(async move { ask(&pool, None).await });
    }
    sleep(Duration::from_millis(1500)).await;
    assert_eq!([fakes[0].calls(), fakes[1].calls()], [20, 20]);
    let fresh = Fake::new(Script::After(0.0, OK));
    pool.put(0, Arc::clone(&fresh));
    sleep(Duration::from_millis(1)).await;
    assert_eq!(
        [fresh.calls(), fakes[1].calls()],
        [20, 20],
        "those of the one"
    );
    pool.put(1, Arc::clone(&fresh));
    for (answer, at) in calls.join_all().await {
        assert_eq!((answer, at), (Ok(()), 15));
    }
    // And before anything was late.
    let (pool, _) = self::pool(&[Script::Frozen]);
    let (answered, ()) = tokio::join!(ask(&pool, None), async {
        sleep(Duration::from_millis(200)).await;
        pool.put(0, fresh);
    });
    assert_eq!(answered, (Ok(()), 2));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_cancelled_leaves_nothing_behind() {
    let (pool, fakes) = pool(&[Script::Frozen; 2]);
    let budget = Budget::full();
    for wait in [500, 1500] {
        let wait = Duration::from_millis(wait);
        let cut_off = tokio::time::timeout(wait, ask(&pool, Some(&budget))).await;
        assert!(cut_off.is_err());
    }
    assert_eq!(fakes[0].calls() + fakes[1].calls(), 3);
    for fake in &fakes {
        assert_eq!(Arc::strong_count(fake), 2, "the pool's and ours");
    }
    // Of nothing in flight on either, they take turns.
    let (one, other) = (pool.lease(None), pool.lease(None));
    let (one, other) = (one.expect("one"), other.expect("the other"));
    assert!(!Arc::ptr_eq(&one, &other));
}

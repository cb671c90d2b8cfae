//! Long bodies: a few at a time, each in one step that ends in time or is answered 503 in time.

use tokio::time::{advance, timeout};
use webhook_core::outcome::Reject;

use super::*;
use crate::forward::limits::memory::Memory;
use crate::forward::limits::steps::Steps;
use crate::temporal::fake::Behaviour;

#[tokio::test(start_paused = true)]
async fn who_waits_for_its_place_is_answered_in_time_and_nothing_is_sent() {
    let bench = Bench::new(&sizes());
    let blocker = bench.block_steps();
    settle().await;
    let long = bench.posting("/a", "1", json(LONG));
    settle().await;
    bench
        .post("/a", "2", json(60_000))
        .await
        .is(200, "started")
        .after(0);
    advance(Duration::from_millis(DEADLINE)).await;
    settle().await;
    assert!(long.is_finished());
    let heard = long.await.expect("no panic");
    heard.is(503, "try again later").after(DEADLINE);
    blocker.release().await;
    settle().await;
    assert_eq!(bench.count_calls(), 1, "the short one");
    bench.post("/a", "1", json(LONG)).await.is(200, "started");
}

#[tokio::test(start_paused = true)]
async fn a_dead_letter_is_encoded_in_such_a_step() {
    let bench = Bench::new(&sizes());
    let no = Reject::Unstartable("no such attribute".to_owned());
    let refuse = Behaviour::Say(Duration::from_secs(1), Err(no));
    bench.temporal.next(refuse.clone());
    let long = bench.posting("/letters", "1", json(LONG));
    while bench.count_calls() == 0 {
        settle().await;
    }
    let blocker = bench.block_steps();
    settle().await;
    advance(Duration::from_secs(1)).await;
    settle().await;
    advance(Duration::from_millis(DEADLINE)).await;
    long.await.expect("no panic").is(503, "try again later");
    blocker.release().await;
    settle().await;
    assert_eq!(bench.count_calls(), 1);
    bench.temporal.next(refuse);
    bench
        .post("/letters", "1", json(LONG))
        .await
        .is(200, "dead_lettered");
}

#[tokio::test(start_paused = true)]
async fn work_that_ends_too_late_keeps_its_place_and_its_memory_until_it_ends() {
    let memory = Memory::new(10 * LONG);
    let steps = Steps::new(1, memory.clone());
    let deadline = Instant::now() + Duration::from_secs(1);
    let (release, released) = mpsc::channel::<()>();
    let work = move || wait_for(&released);
    let late = steps.apart(Effort::of(LONG), deadline, work);
    tokio::pin!(late);
    assert!(timeout(Duration::ZERO, &mut late).await.is_err());
    advance(Duration::from_secs(1)).await;
    let reject = late.await.expect_err("too late");
    assert_eq!(reject.reason(), "the body took too long to look into");

    memory.take(6 * LONG).expect_err("it is still held");
    let next = Instant::now() + Duration::from_secs(1);
    let waiting = steps.apart(Effort::of(LONG), next, || "done");
    tokio::pin!(waiting);
    assert!(timeout(Duration::ZERO, &mut waiting).await.is_err());
    drop(release);
    assert_eq!(waiting.await.expect("a place"), "done");
    memory.take(10 * LONG).expect("all is free");
}

#[tokio::test(start_paused = true)]
async fn so_many_at_a_time_and_a_large_one_alone() {
    let steps = Arc::new(Steps::new(2, Memory::new(1 << 30)));
    let deadline = Instant::now() + Duration::from_secs(1);
    let large = 3 << 20;
    let mut releases = Vec::new();
    let mut begin = |size| {
        let (release, released) = mpsc::channel::<()>();
        releases.push(release);
        let (begun, has_begun) = mpsc::channel::<()>();
        let steps = Arc::clone(&steps);
        let work = move || {
            drop(begun);
            wait_for(&released);
        };
        let done = tokio::spawn(async move { steps.apart(Effort::of(size), deadline, work).await });
        (done, has_begun)
    };
    let (first, second, third) = (begin(LONG), begin(LONG), begin(large));
    settle().await;
    for (_, has_begun) in [&first, &second] {
        has_begun.recv().expect_err("it has begun");
    }
    settle().await;
    let is_waiting =
        |begun: &mpsc::Receiver<()>| begun.try_recv() == Err(mpsc::TryRecvError::Empty);
    assert!(is_waiting(&third.1));
    releases.remove(0);
    first.0.await.expect("no panic").expect("done");
    settle().await;
    assert!(
        is_waiting(&third.1),
        "there is one place, and it takes both"
    );
    releases.remove(0);
    second.0.await.expect("no panic").expect("done");
    settle().await;
    third.1.recv().expect_err("it has begun");
    releases.clear();
    third.0.await.expect("no panic").expect("done");
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "a bug of ours")]
async fn a_panic_in_the_step_is_the_request_s() {
    let steps = Steps::new(1, Memory::new(10 * LONG));
    let deadline = Instant::now() + Duration::from_secs(1);
    let _ = steps
        .apart(Effort::of(LONG), deadline, || panic!("a bug of ours"))
        .await;
}

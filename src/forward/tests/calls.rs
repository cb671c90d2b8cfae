//! Permits for calls: who is over them waits, while there is time for a call; a class or a source that is slow
//! holds up nobody else.

use tokio::time::sleep;
use webhook_core::outcome::Reject;

use super::*;
use crate::forward::limits::calls::CallLimit;
use crate::temporal::fake::Behaviour;

fn take(milliseconds: u64) -> Behaviour {
    Behaviour::Take(Duration::from_millis(milliseconds))
}

fn one_start() -> Bench {
    Bench::new(&Sizes {
        starts: 1,
        waiting_calls: 1,
        ..sizes()
    })
}

#[tokio::test(start_paused = true)]
async fn a_start_waits_for_its_permit() {
    let bench = one_start();
    bench.temporal.always(take(1000));
    let begun = Instant::now();
    let all = [1, 2, 3].map(|n| bench.posting("/a", &n.to_string(), "{}"));
    for (n, heard) in (1..).zip(all) {
        heard
            .await
            .expect("no panic")
            .is(200, "started")
            .after(n * 1000);
    }
    let times = bench
        .temporal
        .calls()
        .into_iter()
        .map(|seen| seen.at - begun);
    let times: Vec<_> = times.map(|at| at.as_millis()).collect();
    assert_eq!(times, [0, 1000, 2000]);
    assert_eq!(bench.temporal.most_in_flight(), 1);
}

#[tokio::test(start_paused = true)]
async fn it_waits_while_there_is_time_for_a_call_and_no_longer() {
    let bench = one_start();
    bench.temporal.next(Behaviour::LoseReply);
    let first = bench.posting("/a", "1", "{}");
    settle().await;
    let second = bench.post("/b", "2", "{}").await;
    second.is(503, "try again later").after(LAST_CALL);
    first
        .await
        .expect("no panic")
        .is(503, "try again later")
        .after(DEADLINE);
    assert_eq!(
        bench.count_calls(),
        1,
        "nothing is sent for who was answered"
    );
    bench
        .post("/b", "2", "{}")
        .await
        .is(200, "started")
        .after(0);
}

#[tokio::test(start_paused = true)]
async fn a_permit_comes_back_after_an_error_and_after_its_sender_left() {
    let bench = one_start();
    let no = Reject::Unavailable("no".to_owned());
    bench.temporal.next(Behaviour::Say(Duration::ZERO, Err(no)));
    bench.post("/a", "1", "{}").await.is(503, "try again later");
    bench.temporal.next(take(1000));
    let gone = bench.posting("/a", "2", "{}");
    settle().await;
    gone.abort();
    bench
        .post("/a", "3", "{}")
        .await
        .is(200, "started")
        .after(0);
}

#[tokio::test(start_paused = true)]
async fn slow_updates_hold_up_no_start_and_starts_no_update() {
    let bench = one_start();
    bench.temporal.next(take(3000));
    let update = bench.posting("/update", "1", "{}");
    settle().await;
    bench
        .post("/a", "2", "{}")
        .await
        .is(200, "started")
        .after(0);
    let another = bench.posting("/update", "3", "{}");
    update
        .await
        .expect("no panic")
        .is(200, "updated")
        .after(3000);
    another
        .await
        .expect("no panic")
        .is(200, "updated")
        .after(3000);
    bench.temporal.next(take(3000));
    let start = bench.posting("/a", "4", "{}");
    settle().await;
    bench
        .post("/update", "5", "{}")
        .await
        .is(200, "updated")
        .after(0);
    start.await.expect("no panic").is(200, "started");
}

#[tokio::test(start_paused = true)]
async fn an_s3_that_is_away_holds_up_no_start() {
    let s3 = "[large_payloads]\nbucket = \"bucket\"\nregion = \"r\"\nendpoint = \"http://127.0.0.1:1\"\n\
        threshold = \"2KiB\"\n";
    let one = Sizes {
        starts: 1,
        ..sizes()
    };
    let bench = Bench::with(&format!("{s3}{SOURCES}"), &one);
    // They are signals: no start is looked for before.
    let large = bench.posting("/signal", "1", json(3000));
    let another = bench.posting("/signal", "2", json(3000));
    settle().await;
    bench
        .post("/a", "3", "{}")
        .await
        .is(200, "started")
        .after(0);
    for heard in [large, another] {
        let heard = heard.await.expect("no panic");
        heard.is(503, "try again later");
        assert!(heard.after <= Duration::from_millis(DEADLINE), "{heard:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn one_source_has_no_more_than_its_share() {
    let bench = Bench::new(&Sizes {
        starts: 3,
        starts_per_source: 2,
        ..sizes()
    });
    bench.temporal.always(take(1000));
    let all = [1, 2, 3, 4].map(|n| bench.posting("/a", &n.to_string(), "{}"));
    settle().await;
    bench
        .post("/b", "5", "{}")
        .await
        .is(200, "started")
        .after(1000);
    for (heard, after) in all.into_iter().zip([1000, 1000, 2000, 2000]) {
        heard
            .await
            .expect("no panic")
            .is(200, "started")
            .after(after);
    }
    // Nor do those who wait for their share stand in the others' queue.
    let many: Vec<_> = (0..50)
        .map(|n| bench.posting("/a", &format!("m{n}"), "{}"))
        .collect();
    sleep(Duration::from_millis(500)).await;
    bench
        .post("/b", "6", "{}")
        .await
        .is(200, "started")
        .after(1000);
    for heard in many {
        heard.abort();
    }
}

#[tokio::test(start_paused = true)]
async fn the_reason_says_what_there_was_too_much_of() {
    let deadline = Instant::now() + Duration::from_secs(1);
    let reason = async |(size, per_source), source, left| {
        let limit = CallLimit::new("starts", size, per_source);
        let _first = limit.acquire("/a", deadline).await.expect("free");
        let deadline = Instant::now() + Duration::from_millis(left);
        let refused = limit.acquire(source, deadline).await;
        refused.expect_err("none is left").reason().to_owned()
    };
    let of_source = reason((2, 1), "/a", 500).await;
    assert_eq!(of_source, "too many starts of this source in flight");
    let of_all = reason((1, 1), "/b", 500).await;
    assert_eq!(of_all, "too many starts in flight");
    let late = reason((2, 1), "/b", 299).await;
    let expected =
        "299 ms before the deadline: too late for a call to Temporal, which gets at least 300";
    assert_eq!(late, expected);
}

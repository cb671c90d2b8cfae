//! An answer within the deadline, whoever is late: the body, Temporal, or we.

use tokio::time::advance;

use super::*;
use crate::temporal::fake::Behaviour;

#[tokio::test(start_paused = true)]
async fn a_temporal_that_never_answers_leaves_time_for_the_answer() {
    let bench = Bench::new(&sizes());
    bench.temporal.next(Behaviour::LoseReply);
    let heard = bench.post("/a", "1", "{}").await;
    heard.is(503, "try again later").after(DEADLINE);
    // It was taken all the same, and is not started twice.
    bench
        .post("/a", "1", "{}")
        .await
        .is(200, "duplicate")
        .after(0);
}

#[tokio::test(start_paused = true)]
async fn the_deadline_counts_from_the_first_byte() {
    let bench = Bench::new(&sizes());
    bench.temporal.always(Behaviour::LoseReply);
    let begun = Instant::now();
    advance(Duration::from_secs(2)).await;
    let request = Request::builder().method(Method::POST).uri("/a");
    let request = request.header("host", "hooks").body(Full::from("{}"));
    let heard = bench.asking(request.expect("a request"), PEER, begun);
    heard
        .await
        .expect("no panic")
        .is(503, "try again later")
        .after(DEADLINE);
    let calls = bench.temporal.calls();
    assert_eq!(calls[0].deadline - begun, Duration::from_millis(DEADLINE));
}

#[tokio::test(start_paused = true)]
async fn a_body_may_take_its_time() {
    let bench = Bench::new(&sizes());
    let in_two = slowly(vec![(0, Ok("{\"a\":")), (1000, Ok("1}"))]);
    let heard = bench.sending("/a", "1", in_two).await.expect("no panic");
    heard.is(200, "started").after(1000);
    let late = slowly(vec![(LAST_CALL, Ok("{}"))]);
    let heard = bench.sending("/a", "2", late).await.expect("no panic");
    heard.is(200, "started").after(LAST_CALL);
    assert_eq!(bench.count_calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn what_is_too_late_for_a_call_is_answered_at_once_and_not_sent() {
    let bench = Bench::new(&sizes());
    let late = slowly(vec![(LAST_CALL + 1, Ok("{}"))]);
    let heard = bench.sending("/a", "1", late).await.expect("no panic");
    heard.is(503, "try again later").after(LAST_CALL + 1);
    let never = slowly(vec![(0, Ok("{")), (60_000, Ok("}"))]);
    let heard = bench.sending("/a", "2", never).await.expect("no panic");
    heard.is(503, "request too slow").after(DEADLINE);
    assert!(heard.closes);
    assert_eq!(bench.count_calls(), 0);
}

#[tokio::test(start_paused = true)]
async fn new_settings_do_not_change_a_request_in_flight() {
    let bench = Bench::new(&sizes());
    let slow = bench.sending("/a", "1", slowly(vec![(1000, Ok("{}"))]));
    settle().await;
    let other = SOURCES.replacen("path = \"/a\"", "path = \"/other\"", 1);
    bench.forwarder.replace(settings(&other));
    bench.post("/a", "2", "{}").await.is(404, "not found");
    bench.post("/other", "3", "{}").await.is(200, "started");
    slow.await.expect("no panic").is(200, "started").after(1000);
}

//! The budget of memory: full is 503 at once; what is over, however it ended, is free again.

use tokio::time::sleep;
use webhook_core::outcome::Reject;

use super::*;
use crate::temporal::fake::Behaviour;

fn small() -> Bench {
    // A body, encoded too, and not two.
    Bench::new(&Sizes {
        memory: 3000,
        ..sizes()
    })
}

#[tokio::test(start_paused = true)]
async fn bodies_and_encoded_calls_are_counted() {
    let bench = small();
    bench.temporal.next(Behaviour::Take(Duration::from_secs(1)));
    let first = bench.posting("/a", "1", json(1000));
    sleep(Duration::from_millis(500)).await;
    // The body alone would fit: not together with what it is encoded to.
    bench
        .post("/b", "2", json(700))
        .await
        .is(503, "try again later")
        .after(0);
    bench.post("/b", "3", json(300)).await.is(200, "started");
    first
        .await
        .expect("no panic")
        .is(200, "started")
        .after(1000);
    bench.post("/b", "2", json(1000)).await.is(200, "started");
}

#[tokio::test(start_paused = true)]
async fn it_comes_back_after_every_failure() {
    let bench = small();
    let refused = |reason: &str| Err(Reject::Refused(reason.to_owned()));
    bench
        .temporal
        .next(Behaviour::Say(Duration::ZERO, refused("no")));
    bench
        .post("/a", "1", json(1000))
        .await
        .is(503, "upstream refused the event");
    bench.temporal.next(Behaviour::LoseReply);
    bench
        .post("/a", "2", json(1000))
        .await
        .is(503, "try again later");
    for _ in 0..5 {
        let broken = slowly(vec![(0, Ok(PART)), (10, Err(io::Error::other("reset")))]);
        let heard = bench.sending("/a", "3", broken).await.expect("no panic");
        heard.is(503, "request too slow");
        bench
            .post("/signed", "4", json(1000))
            .await
            .is(401, "invalid signature");
        bench
            .post("/a", "5", json(2900))
            .await
            .is(503, "try again later");
    }
    let gone = bench.posting("/a", "6", json(1000));
    bench.temporal.next(Behaviour::Take(Duration::from_secs(1)));
    settle().await;
    gone.abort();
    bench.post("/a", "7", json(1000)).await.is(200, "started");
}

#[tokio::test(start_paused = true)]
async fn a_long_body_takes_more_while_it_is_looked_into() {
    let bench = Bench::new(&Sizes {
        memory: 10 * LONG,
        ..sizes()
    });
    let all = |bytes| bench.forwarder.limits.memory.take(bytes).expect("free");
    let others = all(5 * LONG);
    bench
        .post("/a", "1", json(LONG))
        .await
        .is(503, "try again later")
        .after(0);
    bench.post("/a", "2", json(60_000)).await.is(200, "started");
    drop(others);
    bench.post("/a", "1", json(LONG)).await.is(200, "started");
    drop(all(10 * LONG));
}

#[tokio::test(start_paused = true)]
async fn a_long_form_takes_more_than_json_of_its_length() {
    let bench = Bench::new(&Sizes {
        memory: 40 * LONG,
        ..sizes()
    });
    let others = bench.forwarder.limits.memory.take(25 * LONG).expect("free");
    bench.post("/a", "1", json(LONG)).await.is(200, "started");
    let post = async || {
        let request = Request::post("/a").header("host", "hooks");
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        let request = request.body(Full::from("a=&".repeat(LONG / 3)));
        let heard = bench.asking(request.expect("a request"), PEER, Instant::now());
        heard.await.expect("no panic")
    };
    post().await.is(503, "try again later").after(0);
    drop(others);
    post().await.is(200, "started");
}

const PART: &str = "0123456789012345678901234567890123456789012345678901234567890123456789";

//! Readiness, and addresses that may send for a while.

use http_body_util::Empty;
use tokio::time::sleep;

use super::*;

#[tokio::test(start_paused = true)]
async fn readiness_is_temporals_asked_once_a_second_and_stopping_is_said_first() {
    let bench = Bench::new(&sizes());
    let ready = async || bench.forwarder.pages.ready().await.status().as_u16();
    for _ in 0..10 {
        assert_eq!(ready().await, 200);
    }
    assert_eq!(bench.temporal.asked_if_ready(), 1);
    // It was ready, and is not any more; and again.
    bench.temporal.set_ready(Err("away"));
    assert_eq!(ready().await, 200, "for less than a second");
    sleep(Duration::from_secs(1)).await;
    assert_eq!(ready().await, 503);
    bench.temporal.set_ready(Ok(()));
    sleep(Duration::from_secs(1)).await;
    assert_eq!(ready().await, 200);
    bench.forwarder.pages.drain();
    let answer = bench.forwarder.pages.ready().await;
    assert_eq!(answer.status(), 503);
    let body = answer
        .into_body()
        .collect()
        .await
        .expect("whole")
        .to_bytes();
    let body: Value = serde_json::from_slice(&body).expect("JSON");
    assert_eq!(body["reason"], "stopping");
}

#[tokio::test(start_paused = true)]
async fn so_many_addresses_are_authorised_and_the_first_to_end_makes_room() {
    let bench = Bench::new(&Sizes {
        authorised: 2,
        ..sizes()
    });
    let peer = |n| IpAddr::V4(Ipv4Addr::new(192, 0, 2, n));
    let greet = async |n| {
        let request = Request::get("/greets?verify_token=token-token-token");
        let request = request.header("host", "hooks").body(Empty::new());
        let heard = bench.asking(request.expect("a request"), peer(n), Instant::now());
        heard.await.expect("no panic").is(200, "authorised");
        sleep(Duration::from_secs(1)).await;
    };
    let post = async |n| {
        let request = Request::post("/greets").header("host", "hooks");
        let request = request.body(Full::from(format!("{{\"n\":{n}}}")));
        let heard = bench.asking(request.expect("a request"), peer(n), Instant::now());
        heard.await.expect("no panic").status
    };
    assert_eq!(post(1).await, 401);
    greet(1).await;
    assert_eq!(post(1).await, 200);
    greet(2).await;
    assert_eq!((post(1).await, post(2).await), (200, 200));
    greet(3).await;
    assert_eq!(
        (post(1).await, post(2).await, post(3).await),
        (401, 200, 200)
    );
    greet(1).await;
    assert_eq!(
        (post(1).await, post(2).await, post(3).await),
        (200, 401, 200)
    );
}

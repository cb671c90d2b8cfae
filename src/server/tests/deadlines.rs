//! What may take how long: from which byte it counts, and what is not counted.

use tokio::time::timeout;

use super::*;

#[tokio::test(start_paused = true)]
async fn each_requests_own_first_byte_starts_the_clock() {
    let mut served = Served::http1(age);
    sleep(seconds(5)).await;
    for (pause, age) in [(0, "\r\n\r\n0"), (3, "\r\n\r\n3000"), (7, "\r\n\r\n7000")] {
        served.write(&GET[..1]).await;
        sleep(seconds(pause)).await;
        served.write(&GET[1..]).await;
        let answer = served.read().await;
        assert!(answer.ends_with(age), "{answer}");
        sleep(seconds(30)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_in_its_own_segment_begins_no_head() {
    let mut served = Served::http1(age);
    for _ in 0..2 {
        served
            .write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n")
            .await;
        sleep(seconds(2)).await;
        served.write(b"hel").await;
        sleep(seconds(1)).await;
        served.write(b"lo").await;
        let answer = served.read().await;
        assert!(answer.ends_with("\r\n\r\n3000"), "{answer}");
        // Longer than a head may take, were the body taken for one.
        sleep(seconds(30)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_line_end_after_a_request_begins_no_head() {
    let mut served = Served::http1(age);
    for _ in 0..2 {
        served.write(GET).await;
        assert!(served.read().await.ends_with("\r\n\r\n0"));
        served.write(b"\r\n").await;
        sleep(seconds(30)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_head_has_ten_seconds_from_its_first_byte_however_it_drips() {
    for is_first in [true, false] {
        let mut served = Served::http1(age);
        if !is_first {
            served.write(GET).await;
            served.read().await;
            sleep(seconds(33)).await;
        } else {
            sleep(seconds(4)).await;
        }
        let begun = Instant::now();
        for byte in &GET[..10] {
            served.write(&[*byte]).await;
            sleep(Duration::from_millis(900)).await;
        }
        let (answer, closed) = served.read_to_end().await;
        assert!(answer.starts_with("HTTP/1.1 408 "), "{answer:?}");
        assert!(answer.contains("Connection: close\r\n"), "{answer:?}");
        assert_is(closed - begun, LIMITS.head);
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_without_a_request_is_closed_without_a_word() {
    let begun = Instant::now();
    let (answer, closed) = Served::http1(age).read_to_end().await;
    assert_eq!(answer, "");
    assert_is(closed - begun, LIMITS.head);
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_closed_and_a_busy_one_is_not() {
    let mut served = Served::http1(after(200));
    for _ in 0..2 {
        served.write(GET).await;
        assert!(served.read().await.ends_with("late"));
        sleep(LIMITS.idle - seconds(1)).await;
    }
    served.write(GET).await;
    assert!(served.read().await.ends_with("late"));
    let idle = Instant::now();
    let (answer, closed) = served.read_to_end().await;
    assert_eq!(answer, "");
    assert_is(closed - idle, LIMITS.idle);
}

#[tokio::test(start_paused = true)]
async fn pings_start_no_clock_and_keep_no_connection() {
    let mut served = Served::new(age, true);
    let handshake = h2::client::handshake(served.pipe()).await;
    let (mut client, mut connection) = handshake.expect("HTTP/2");
    let mut pings = connection.ping_pong().expect("the first one");
    let ended = tokio::spawn(connection);
    for _ in 0..3 {
        pings.ping(h2::Ping::opaque()).await.expect("it is open");
        sleep(seconds(3)).await;
    }
    assert_eq!(ask(&mut client).await, "0", "pings are no first byte");
    let idle = Instant::now();
    while pings.ping(h2::Ping::opaque()).await.is_ok() {
        sleep(seconds(5)).await;
    }
    drop((client, ended));
    let waited = idle.elapsed();
    let bound = LIMITS.idle..LIMITS.idle + seconds(10);
    assert!(bound.contains(&waited), "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_not_taken_is_given_up() {
    let mut served = Served::http1(large(10 * PIPE));
    served.write(GET).await;
    let begun = Instant::now();
    let ended = timeout(2 * LIMITS.stall, &mut served.task).await;
    ended.expect("it ends").expect("it does not panic");
    assert_is(begun.elapsed(), LIMITS.stall);

    let (mut client, served) = Served::http2(large(10 * PIPE), 1024).await;
    let begun = Instant::now();
    let (_answer, _) = client.send_request(request("/"), true).expect("a stream");
    let ended = timeout(2 * LIMITS.stall, served.task).await;
    ended.expect("it ends").expect("it does not panic");
    assert_is(begun.elapsed(), LIMITS.stall);
}

async fn ask(client: &mut SendRequest<Bytes>) -> String {
    let (answer, _) = client.send_request(request("/"), true).expect("a stream");
    let mut body = answer.await.expect("an answer").into_body();
    let mut text = Vec::new();
    while let Some(data) = body.data().await {
        text.extend(data.expect("it is open"));
    }
    String::from_utf8(text).expect("text")
}

/// Timers are of milliseconds.
fn assert_is(took: Duration, wanted: Duration) {
    let off = took.abs_diff(wanted);
    assert!(off < Duration::from_millis(5), "{took:?}, not {wanted:?}");
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

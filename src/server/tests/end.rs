//! What becomes of a connection when the process stops: nothing is cut, and nobody holds up the end.

use super::*;

/// A client that takes a while, and less at a time than the answer has.
#[tokio::test(start_paused = true)]
async fn a_large_answer_reaches_a_slow_reader_whole() {
    for size in [1024, 1025, 16 * 1024, SIZE] {
        let (mut client, served) = Served::http2(large(size), 8 * 1024).await;
        let (answer, _) = client.send_request(request("/"), true).expect("a stream");
        let mut body = answer.await.expect("an answer").into_body();
        served.stop.send_replace(true);
        let mut received = 0;
        while let Some(data) = body.data().await {
            sleep(Duration::from_secs(3)).await;
            let length = data.expect("it is whole").len();
            received += length;
            let mut window = body.flow_control().clone();
            window.release_capacity(length).expect("it was taken");
        }
        assert_eq!(received, size);
        drop((client, body));
        served.task.await.expect("it does not panic");
    }
}

#[tokio::test(start_paused = true)]
async fn a_large_answer_reaches_a_slow_reader_of_http1_whole() {
    let mut served = Served::http1(large(SIZE));
    served.write(GET).await;
    let mut received = 0;
    let mut piece = [0; 8 * 1024];
    loop {
        let length = served.client.read(&mut piece).await.expect("it is whole");
        served.stop.send_replace(true);
        if length == 0 {
            break;
        }
        received += length;
        sleep(Duration::from_secs(3)).await;
    }
    assert!(received > SIZE, "{received}");
    drop(served.client);
    served.task.await.expect("it does not panic");
}

#[tokio::test(start_paused = true)]
async fn a_request_in_flight_is_answered() {
    let mut http1 = Served::http1(after(3));
    http1.write(GET).await;
    let (mut client, http2) = Served::http2(after(3), 65_535).await;
    let (answer, _) = client.send_request(request("/"), true).expect("a stream");
    sleep(Duration::from_millis(100)).await;
    http1.stop.send_replace(true);
    http2.stop.send_replace(true);
    let (text, _) = http1.read_to_end().await;
    assert!(text.ends_with("late"), "{text}");
    let mut body = answer.await.expect("an answer").into_body();
    let data = body.data().await.expect("data").expect("it is open");
    assert_eq!(data, "late");
    drop((http1.client, client, body));
    http1.task.await.expect("it does not panic");
    http2.task.await.expect("it does not panic");
}

#[tokio::test(start_paused = true)]
async fn whoever_has_just_connected_may_ask_and_half_a_head_holds_nothing_up() {
    for (asked, answered) in [(GET, true), (&GET[..10], false), (b"", false)] {
        let mut served = Served::http1(age);
        served.stop.send_replace(true);
        sleep(Duration::from_millis(500)).await;
        let stopped = Instant::now();
        served.write(asked).await;
        let (answer, closed) = served.read_to_end().await;
        assert_eq!(answer.starts_with("HTTP/1.1 200 "), answered, "{answer}");
        let waited = closed - stopped;
        assert!(waited < Duration::from_secs(3), "{waited:?}");
        drop(served.client);
        served.task.await.expect("it does not panic");
    }
}

const SIZE: usize = 200_000;

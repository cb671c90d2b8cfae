//! Expressions that cost much are evaluated apart, however short the body, and what they say stays the same.

use tokio::time::advance;
use webhook_core::outcome::Reject;

use super::*;
use crate::temporal::fake::Behaviour;

/// So many numbers, each of which is compared with each.
fn items(count: usize) -> String {
    let items: Vec<_> = (0..count).map(|n| n.to_string()).collect();
    format!("{{\"items\":[{}]}}", items.join(","))
}

#[tokio::test(start_paused = true)]
async fn a_cheap_one_is_evaluated_on_the_spot_and_a_costly_one_apart() {
    let bench = Bench::new(&sizes());
    let blocker = bench.block_steps();
    settle().await;
    bench
        .post("/costly", "1", items(10))
        .await
        .is(200, "started")
        .after(0);
    let costly = bench.posting("/costly", "2", items(60));
    settle().await;
    assert!(!costly.is_finished());
    advance(Duration::from_millis(DEADLINE)).await;
    costly
        .await
        .expect("no panic")
        .is(503, "try again later")
        .after(DEADLINE);
    blocker.release().await;
    bench
        .post("/costly", "2", items(60))
        .await
        .is(200, "started");
    let calls = bench.temporal.calls();
    let queues: Vec<_> = calls
        .iter()
        .map(|seen| seen.call.task_queue.as_str())
        .collect();
    assert_eq!(queues, ["all", "all"]);
}

/// Below the brief allowance, between the two, and over the full one.
#[tokio::test(start_paused = true)]
async fn an_event_takes_the_same_route_wherever_it_is_evaluated() {
    let bench = Bench::new(&sizes());
    let mut queues = Vec::new();
    for count in [1, 10, 25, 60, 90, 120, 200] {
        let id = format!("{count}");
        let heard = bench.post("/costly", &id, items(count)).await;
        let seen = bench.temporal.calls().pop().expect("a call");
        let apart = count > 25;
        queues.push((heard.says.clone(), seen.call.task_queue.clone(), apart));
    }
    let says: Vec<_> = queues.iter().map(|(says, ..)| says.as_str()).collect();
    let over = says.iter().position(|says| *says == "dead_lettered");
    let over = over.expect("one is over the full allowance");
    assert!(over > 3, "{queues:?}");
    assert!(
        says[..over].iter().all(|says| *says == "started"),
        "{queues:?}"
    );
    assert!(
        says[over..].iter().all(|says| *says == "dead_lettered"),
        "{queues:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_dead_letter_s_attributes_are_evaluated_apart_too() {
    let bench = Bench::new(&sizes());
    let no = Reject::Unstartable("no".to_owned());
    bench
        .temporal
        .next(Behaviour::Say(Duration::from_secs(1), Err(no)));
    let costly = bench.posting("/costly", "1", items(60));
    while bench.count_calls() == 0 {
        settle().await;
    }
    let blocker = bench.block_steps();
    settle().await;
    advance(Duration::from_secs(1)).await;
    settle().await;
    assert_eq!(bench.count_calls(), 1, "its dead letter waits");
    blocker.release().await;
    costly.await.expect("no panic").is(200, "dead_lettered");
    let calls = bench.temporal.calls();
    assert!(!calls[1].call.search_attributes.is_empty());
}

//! Pages of a store that has its own order, while events arrive and workflows end.

use super::*;
use crate::events::fake::{NOW, Store};

/// All that there are, in pages, each by a walk of its own.
async fn all(store: &Store, limit: usize) -> Vec<Info> {
    let now = SystemTime::UNIX_EPOCH + NOW;
    let mut at = Position::after(now);
    let mut all = Vec::new();
    for _ in 0..1000 {
        let floor = SystemTime::UNIX_EPOCH;
        let mut walk = Walk::new(store, String::new(), floor, at.clone(), now);
        let mut page = Vec::new();
        while page.len() < limit
            && let Some(slice) = walk.next(limit - page.len()).await.expect("it answers")
        {
            page.extend(slice);
        }
        page.truncate(limit);
        match page.last() {
            Some(last) => at = position(last),
            None => return all,
        }
        all.extend(page);
    }
    panic!("it comes to no end");
}

async fn holds(started: Vec<Duration>, limit: usize, arrive: usize) -> Store {
    let before = started.len();
    let store = Store::new(started.into_iter(), arrive);
    let seen = all(&store, limit).await;
    assert!(seen.is_sorted_by_key(|info| std::cmp::Reverse(position(info))));
    let ids: HashSet<_> = seen
        .iter()
        .map(|info| info.execution.run_id.as_str())
        .collect();
    assert_eq!(ids.len(), seen.len(), "some are there twice");
    assert_eq!(seen.len(), before, "as many as were there when it began");
    store
}

#[tokio::test]
async fn pages_miss_nothing_and_repeat_nothing_while_events_arrive() {
    let minutes = (0..500).map(|i| NOW - Duration::from_secs(i * 60));
    holds(minutes.collect(), 7, 3).await;
    // More than are read at once, and many at one time.
    let dense = (0..3500).map(|i| NOW - Duration::from_millis(i / 50));
    holds(dense.collect(), 100, 1).await;
}

#[tokio::test]
async fn bursts_with_long_pauses_between_them_are_found() {
    let burst = |ago: u64| {
        (0..1500).map(move |i| NOW - Duration::from_secs(ago) - Duration::from_micros(i * 300))
    };
    let bursts = [61, 90_000, 400_000_000].into_iter().flat_map(burst);
    let store = holds(bursts.collect(), 100, 0).await;
    let state = store.0.into_inner().expect("no panic");
    assert!(state.asked < 46 * 20, "{} questions", state.asked);
    assert!(state.listed < 46 * 1000, "{} listed", state.listed);
}

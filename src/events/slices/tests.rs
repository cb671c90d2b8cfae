//! Pages of a store that has its own order, while events arrive and workflows end.

use std::collections::BTreeMap;
use std::sync::Mutex;

use webhook_core::outcome::Execution;

use super::*;
use crate::temporal::visibility::Listed;

/// Those that run first, as Temporal's stores have it; with each question some arrive, some end.
struct Store(Mutex<State>);

struct State {
    workflows: Vec<Info>,
    asked: usize,
    listed: usize,
    /// How many arrive with each question.
    arrive: usize,
}

impl Store {
    fn new(started: impl Iterator<Item = Duration>, arrive: usize) -> Self {
        let state = State {
            workflows: started.enumerate().map(|(i, at)| info(i, at)).collect(),
            asked: 0,
            listed: 0,
            arrive,
        };
        Self(Mutex::new(state))
    }

    fn found(&self, query: &str) -> Vec<Info> {
        let mut state = self.0.lock().expect("no panic");
        state.asked += 1;
        for _ in 0..state.arrive {
            let count = state.workflows.len();
            let at = NOW + Duration::from_millis(state.asked as u64);
            state.workflows.push(info(count, at));
        }
        let ending = state.asked * 7 % state.workflows.len();
        state.workflows[ending].closed = Some(SystemTime::UNIX_EPOCH + NOW);
        let bound = |sign: &str| {
            let (_, rest) = query
                .split_once(&format!("StartTime {sign} \""))
                .expect("it is bounded");
            let (time, _) = rest.split_once('"').expect("a time");
            humantime::parse_rfc3339(time).expect("a time")
        };
        let (from, to) = (bound(">="), bound("<="));
        let mut found: Vec<_> = (state.workflows.iter())
            .filter(|info| (from..=to).contains(&info.started))
            .cloned()
            .collect();
        found.sort_by_key(|info| {
            (
                info.closed.is_some(),
                info.closed,
                info.execution.run_id.clone(),
            )
        });
        found
    }
}

impl Visibility for Store {
    async fn list(&self, query: &str, size: i32, page: Vec<u8>) -> Result<Listed, Status> {
        let size = usize::try_from(size).expect("positive");
        let skip = String::from_utf8(page).expect("ours").parse().unwrap_or(0);
        let found = self.found(query);
        let more = found.len() > skip + size;
        let workflows: Vec<_> = found.into_iter().skip(skip).take(size).collect();
        self.0.lock().expect("no panic").listed += workflows.len();
        Ok(Listed {
            workflows,
            next_page: match more {
                true => (skip + size).to_string().into(),
                false => Vec::new(),
            },
        })
    }

    async fn count(&self, query: &str) -> Result<u64, Status> {
        Ok(self.found(query).len() as u64)
    }

    async fn count_by_status(&self, _query: &str) -> Result<BTreeMap<String, u64>, Status> {
        unreachable!("nobody asks")
    }

    async fn info(&self, _of: &Execution) -> Result<Option<Info>, Status> {
        unreachable!("nobody asks")
    }

    fn indexed(&self) -> [bool; 4] {
        [false; 4]
    }
}

fn info(number: usize, at: Duration) -> Info {
    Info {
        execution: Execution {
            workflow_id: format!("w{number}"),
            // Not in the order of time.
            run_id: format!("{:08x}", (number as u32).wrapping_mul(2_654_435_761)),
        },
        workflow_type: "T".to_owned(),
        status: "Running",
        started: SystemTime::UNIX_EPOCH + at,
        closed: None,
        task_queue: String::new(),
        memo: BTreeMap::new(),
        search_attributes: BTreeMap::new(),
    }
}

/// All that there are, in pages, each by a walk of its own.
async fn all(store: &Store, limit: usize) -> Vec<Info> {
    let now = SystemTime::UNIX_EPOCH + NOW;
    let mut at = Position::after(now);
    let mut all = Vec::new();
    loop {
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

const NOW: Duration = Duration::from_secs(1_800_000_000);

//! A visibility store for tests: it has its own order, and with each question workflows arrive and end.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::{Duration, SystemTime};

use tonic::Status;
use webhook_core::outcome::Execution;

use crate::temporal::visibility::{Info, Listed, Visibility};

/// Those that run first, as Temporal's stores have it; with each question some arrive, some end.
pub(super) struct Store(pub(super) Mutex<State>);

pub(super) struct State {
    workflows: Vec<Info>,
    pub(super) asked: usize,
    pub(super) listed: usize,
    /// How many arrive with each question.
    arrive: usize,
}

impl Store {
    pub(super) fn new(started: impl Iterator<Item = Duration>, arrive: usize) -> Self {
        let workflows = started.enumerate().map(|(i, at)| info(i, at)).collect();
        Self::of(workflows, arrive)
    }

    pub(super) fn of(workflows: Vec<Info>, arrive: usize) -> Self {
        let state = State {
            workflows,
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

pub(super) fn info(number: usize, at: Duration) -> Info {
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

pub(super) const NOW: Duration = Duration::from_secs(1_800_000_000);

//! What the senders were told, held against what Temporal has.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use temporalio_client::Connection;
use temporalio_client::tonic::IntoRequest;
use temporalio_common::protos::temporal::api::workflowservice::v1::ListWorkflowExecutionsRequest;
use tokio::time::sleep;

use super::Scale;
use super::replicas::COUNT;
use crate::support::history::NAMESPACE;
use crate::support::sender::Answer;
use crate::support::temporal::Temporal;

/// Of one drill.
#[derive(Debug)]
pub(super) struct Ledger {
    scale: Scale,
    /// What the ids of its events begin with.
    pub(super) prefix: String,
    book: Mutex<Book>,
}

#[derive(Debug, Default)]
struct Book {
    /// By id, what was said of the event with 2xx: how it ended, its run.
    events: BTreeMap<String, Vec<(String, String)>>,
    counts: Counts,
    /// Of each replica: since when it could say 2xx again, and has not.
    away: BTreeMap<usize, Instant>,
    faults: Vec<String>,
}

/// What a line of progress says.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Counts {
    pub(super) sent: usize,
    acked: usize,
    duplicates: usize,
    unavailable: usize,
    pub(super) unanswered: usize,
    slowest: Duration,
    recoveries: usize,
    slowest_recovery: Duration,
}

impl Ledger {
    pub(super) fn new(scale: Scale) -> Self {
        Self {
            scale,
            prefix: format!("chaos-{}-", uuid::Uuid::new_v4().simple()),
            book: Mutex::default(),
        }
    }

    fn book(&self) -> std::sync::MutexGuard<'_, Book> {
        self.book.lock().expect("no holder panics")
    }

    pub(super) fn counts(&self) -> Counts {
        self.book().counts
    }

    /// An event exists, and will be sent until it is taken.
    pub(super) fn sent(&self, id: &str) {
        let mut book = self.book();
        book.counts.sent += 1;
        book.events.insert(id.to_owned(), Vec::new());
    }

    /// What was said of it, by which replica and after how long. Whether it need not be sent again.
    pub(super) fn answered(&self, id: &str, by: usize, answer: &Answer, took: Duration) -> bool {
        let mut book = self.book();
        book.counts.slowest = book.counts.slowest.max(took);
        if took > self.scale.answer {
            let what = format!("late: {id} was answered {} after {took:?}", answer.status);
            book.faults.push(what);
        }
        match answer.status {
            200 => {
                book.is_back(by, self.scale.recovery);
                let said = answer.json();
                let status = said["status"].as_str().unwrap_or_default().to_owned();
                if !matches!(&*status, "started" | "duplicate") {
                    book.faults.push(format!("odd: {id}: {}", answer.text));
                }
                book.counts.duplicates += usize::from(status == "duplicate");
                let entry = book.events.get_mut(id).expect("it was sent");
                entry.push((status, answer.run_id()));
                let is_first = entry.len() == 1;
                book.counts.acked += usize::from(is_first);
                true
            }
            503 => {
                book.counts.unavailable += 1;
                false
            }
            status => {
                let what = format!("odd: {id} was answered {status}: {}", answer.text);
                book.faults.push(what);
                false
            }
        }
    }

    /// No whole answer came. One that has begun is to end, unless who gives it is killed.
    pub(super) fn unanswered(&self, id: &str, error: &reqwest::Error, was_killed: bool) {
        let mut book = self.book();
        book.counts.unanswered += 1;
        if error.is_timeout() || ((error.is_body() || error.is_decode()) && !was_killed) {
            book.faults
                .push(format!("cut: the answer to {id}: {error:?}"));
        }
    }

    /// What kept replicas from saying 2xx is over.
    pub(super) fn returned(&self) {
        let now = Instant::now();
        let mut book = self.book();
        for replica in 0..COUNT {
            book.away.insert(replica, now);
        }
    }

    /// Whether all have said 2xx since.
    pub(super) fn all_are_back(&self) -> bool {
        self.book().away.is_empty()
    }

    pub(super) fn fault(&self, what: String) {
        self.book().faults.push(what);
    }

    /// All that is wrong, in words.
    pub(super) async fn faults(&self, temporal: &Temporal) -> Vec<String> {
        let stored = self.stored(temporal).await;
        let book = self.book();
        let mut faults = book.faults.clone();
        for (id, said) in &book.events {
            let empty = BTreeSet::new();
            let runs = stored.get(id).unwrap_or(&empty);
            if said.is_empty() {
                faults.push(format!("never taken: {id}"));
            }
            if !said.is_empty() && runs.is_empty() {
                faults.push(format!(
                    "lost: {id} was acked and Temporal has no such workflow"
                ));
            }
            if runs.len() > 1 {
                faults.push(format!("twice: {id} has the runs {runs:?}"));
            }
            for (status, run) in said {
                if !runs.is_empty() && !runs.contains(run) {
                    faults.push(format!("lost: {id} was acked as {status} in run {run}"));
                }
            }
            let started = said.iter().filter(|(status, _)| status == "started");
            if started.count() > 1 {
                faults.push(format!("twice: {id} was said to have been started twice"));
            }
            let named: BTreeSet<_> = said.iter().map(|(_, run)| run).collect();
            if named.len() > 1 {
                faults.push(format!("twice: {id} is said to be in the runs {named:?}"));
            }
        }
        for id in stored.keys().filter(|id| !book.events.contains_key(*id)) {
            faults.push(format!("odd: nobody sent {id}"));
        }
        for (replica, since) in &book.away {
            let since = since.elapsed();
            faults.push(format!(
                "late: replica {replica} was never back, after {since:?}"
            ));
        }
        faults
    }

    /// Temporal's own list of what it has of these events: their runs by id.
    async fn stored(&self, temporal: &Temporal) -> BTreeMap<String, BTreeSet<String>> {
        let acked = self.counts().acked;
        let mut stored = BTreeMap::new();
        // It lists a moment later what it has. Nothing new for so long: there is no more.
        let mut quiet = 0;
        while quiet < 20 {
            let now = list(temporal.connection(), &self.prefix).await;
            let is_new = now != stored;
            stored = now;
            quiet = if is_new { 0 } else { quiet + 1 };
            if stored.len() >= acked && quiet >= 2 {
                break;
            }
            sleep(Duration::from_millis(100)).await;
        }
        stored
    }
}

impl Book {
    fn is_back(&mut self, replica: usize, bound: Duration) {
        let Some(since) = self.away.remove(&replica) else {
            return;
        };
        let took = since.elapsed();
        self.counts.recoveries += 1;
        self.counts.slowest_recovery = self.counts.slowest_recovery.max(took);
        if took > bound {
            let what = format!("late: replica {replica} says 2xx again after {took:?}");
            self.faults.push(what);
        }
    }
}

async fn list(connection: &Connection, prefix: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut found: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    let mut next_page_token = Vec::new();
    loop {
        let request = ListWorkflowExecutionsRequest {
            namespace: NAMESPACE.to_owned(),
            page_size: 1000,
            query: format!("WorkflowId STARTS_WITH '{prefix}'"),
            next_page_token,
        };
        let mut service = connection.workflow_service();
        let page = service.list_workflow_executions(request.into_request());
        let page = page.await.expect("Temporal lists workflows").into_inner();
        for execution in page
            .executions
            .into_iter()
            .filter_map(|info| info.execution)
        {
            let runs = found.entry(execution.workflow_id).or_default();
            runs.insert(execution.run_id);
        }
        next_page_token = page.next_page_token;
        if next_page_token.is_empty() {
            return found;
        }
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            sent,
            acked,
            duplicates,
            unavailable,
            unanswered,
            slowest,
            recoveries,
            slowest_recovery,
        } = self;
        write!(
            f,
            "{sent} events, {acked} taken, {duplicates} repeats told as such, {unavailable} times 503, {unanswered} \
             without an answer; slowest answer {:.2} s; back {recoveries} times, slowest after {:.2} s",
            slowest.as_secs_f32(),
            slowest_recovery.as_secs_f32(),
        )
    }
}

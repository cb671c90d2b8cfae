//! Who polls a task queue, and how long its oldest task has waited: as Temporal says.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use temporalio_client::grpc::WorkflowService;
use temporalio_common::protos::temporal::api::enums::v1::TaskQueueType;
use temporalio_common::protos::temporal::api::taskqueue::v1::{PollerInfo, TaskQueue};
use temporalio_common::protos::temporal::api::workflowservice::v1::DescribeTaskQueueRequest;
use tokio::time::Instant;
use webhook_core::action::Action;
use webhook_core::source::Source;

use super::client::Client;
use super::lean;
use super::status;

/// Of workflow tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Polled {
    /// Workers that asked for work not long ago.
    pub pollers: usize,
    /// Tasks that wait for one, about.
    pub backlog: u64,
    /// For how long the oldest of them has.
    pub backlog_age: Duration,
}

/// Every task queue on which the source starts workflows; `None`: one that depends on the event.
pub fn of(source: &Source) -> BTreeSet<Option<&str>> {
    let starts = source
        .routes
        .iter()
        .filter(|route| !matches!(route.settings.action, Action::Drop | Action::Signal));
    starts
        .map(|route| route.settings.task_queue.literal())
        .collect()
}

/// The question, with what waits or without.
pub fn question(namespace: &str, name: &str, report_stats: bool) -> DescribeTaskQueueRequest {
    DescribeTaskQueueRequest {
        namespace: namespace.to_owned(),
        task_queue: Some(TaskQueue {
            name: name.to_owned(),
            ..TaskQueue::default()
        }),
        task_queue_type: TaskQueueType::Workflow.into(),
        report_stats,
        ..DescribeTaskQueueRequest::default()
    }
}

impl Client {
    /// Asks about the task queue of this name.
    ///
    /// # Errors
    /// What Temporal says, or that it says nothing.
    pub async fn polled(&self, name: &str) -> Result<Polled, String> {
        // Not a call that failed: there is nobody to call yet.
        self.service()
            .map_err(|reject| reject.reason().to_owned())?;
        let message = question(&self.settings.namespace, name, true);
        let deadline = Instant::now() + PATIENCE;
        let answer = self
            .unhedged(
                "DescribeTaskQueue",
                lean::frame(&message),
                deadline,
                |service, request| service.describe_task_queue(request),
            )
            .await
            .map_err(|error| status::text(&error))?;
        let stats = answer.stats.unwrap_or_default();
        let is_there = |poller: &&PollerInfo| is_recent(poller, SystemTime::now());
        Ok(Polled {
            pollers: answer.pollers.iter().filter(is_there).count(),
            backlog: stats
                .approximate_backlog_count
                .try_into()
                .unwrap_or_default(),
            backlog_age: stats
                .approximate_backlog_age
                .and_then(|age| age.try_into().ok())
                .unwrap_or_default(),
        })
    }
}

/// Temporal names a poller for five minutes after its last question, and a question is open for one.
fn is_recent(poller: &PollerInfo, now: SystemTime) -> bool {
    let last = poller
        .last_access_time
        .and_then(|time| SystemTime::try_from(time).ok());
    last.is_none_or(|last| now.duration_since(last).unwrap_or_default() < GONE)
}

/// For an answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// Who has not asked for so long is no more there.
const GONE: Duration = Duration::from_secs(90);

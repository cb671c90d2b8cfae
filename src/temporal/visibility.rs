//! What Temporal's visibility store says: workflows listed and counted by a query. It orders them as it
//! likes (those that run come first), and takes no order of ours.

use std::collections::BTreeMap;
use std::future::Future;
use std::time::{Duration, SystemTime};

use temporalio_client::grpc::WorkflowService;
use temporalio_common::protos::temporal::api::common::v1 as common;
use temporalio_common::protos::temporal::api::enums::v1::WorkflowExecutionStatus;
use temporalio_common::protos::temporal::api::workflow::v1::WorkflowExecutionInfo;
use temporalio_common::protos::temporal::api::workflowservice::v1::{
    CountWorkflowExecutionsRequest, CountWorkflowExecutionsResponse,
    DescribeWorkflowExecutionRequest, ListWorkflowExecutionsRequest,
};
use tokio::time::Instant;
use tonic::{Code, Status};
use webhook_core::index::NAMES;
use webhook_core::outcome::Execution;

use super::client::Client;
use super::lean;
use super::payload::{Fields, from_memo, from_temporal};
use super::request::run;
use super::status;

/// A visibility store.
pub trait Visibility: Send + Sync {
    /// A page of the workflows that the query finds, at most so many, in the store's own order.
    fn list(
        &self,
        query: &str,
        size: i32,
        page: Vec<u8>,
    ) -> impl Future<Output = Result<Listed, Status>> + Send;

    /// How many workflows the query finds.
    fn count(&self, query: &str) -> impl Future<Output = Result<u64, Status>> + Send;

    /// How many workflows the query finds, by their state as Temporal names it (`Running`).
    fn count_by_status(
        &self,
        query: &str,
    ) -> impl Future<Output = Result<BTreeMap<String, u64>, Status>> + Send;

    /// A run as it stands; without a run's id the newest. `None`: Temporal knows it no more.
    fn info(&self, of: &Execution) -> impl Future<Output = Result<Option<Info>, Status>> + Send;

    /// Which of the search attributes of our own it is known to have.
    fn indexed(&self) -> [bool; NAMES.len()];
}

/// One page.
#[derive(Debug, Default)]
pub struct Listed {
    /// In the store's order.
    pub workflows: Vec<Info>,
    /// What gives the next one; empty: there is none.
    pub next_page: Vec<u8>,
}

/// A run of a workflow as it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Info {
    /// Which.
    pub execution: Execution,
    /// Its type.
    pub workflow_type: String,
    /// One of [`STATUSES`].
    pub status: &'static str,
    /// When it was started.
    pub started: SystemTime,
    /// When it ended; `None`: it runs.
    pub closed: Option<SystemTime>,
    /// Where its tasks wait.
    pub task_queue: String,
    /// Encoded.
    pub memo: Fields,
    /// As Temporal searches in them.
    pub search_attributes: Fields,
}

impl Visibility for Client {
    async fn list(&self, query: &str, size: i32, page: Vec<u8>) -> Result<Listed, Status> {
        let request = ListWorkflowExecutionsRequest {
            namespace: self.caller().namespace.to_owned(),
            page_size: size,
            next_page_token: page,
            query: query.to_owned(),
        };
        let operation = "ListWorkflowExecutions";
        let answer = self.unhedged(
            operation,
            lean::frame(&request),
            deadline(),
            |service, request| service.list_workflow_executions(request),
        );
        let answer = answer.await?;
        Ok(Listed {
            workflows: answer.executions.into_iter().map(Info::from).collect(),
            next_page: answer.next_page_token,
        })
    }

    async fn count(&self, query: &str) -> Result<u64, Status> {
        let answer = self.counted(query.to_owned()).await?;
        Ok(answer.count.try_into().unwrap_or_default())
    }

    async fn count_by_status(&self, query: &str) -> Result<BTreeMap<String, u64>, Status> {
        let query = format!("{query} GROUP BY ExecutionStatus");
        let groups = self.counted(query).await?.groups.into_iter().map(|group| {
            let value = group.group_values.first();
            let name = value.and_then(|value| serde_json::from_slice(&value.data).ok());
            (
                name.unwrap_or_default(),
                group.count.try_into().unwrap_or_default(),
            )
        });
        Ok(groups.collect())
    }

    async fn info(&self, of: &Execution) -> Result<Option<Info>, Status> {
        let request = DescribeWorkflowExecutionRequest {
            namespace: self.caller().namespace.to_owned(),
            execution: Some(run(of)),
        };
        let operation = "DescribeWorkflowExecution";
        let answer = self.unhedged(
            operation,
            lean::frame(&request),
            deadline(),
            |service, request| service.describe_workflow_execution(request),
        );
        match answer.await {
            Ok(answer) => Ok(answer.workflow_execution_info.map(Info::from)),
            Err(error) if status::is_missing(&error) => Ok(None),
            // A run's id that is none.
            Err(error) if error.code() == Code::InvalidArgument => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn indexed(&self) -> [bool; NAMES.len()] {
        self.index().known()
    }
}

impl Client {
    /// The executions that the query finds, the oldest first.
    ///
    /// # Errors
    /// What Temporal says; `INVALID_ARGUMENT`: to the query.
    pub async fn find(&self, query: &str) -> Result<Vec<Execution>, Status> {
        let mut found = Vec::new();
        let mut page = Vec::new();
        loop {
            let listed = self.list(query, PAGE, page).await?;
            found.extend(listed.workflows);
            page = listed.next_page;
            if page.is_empty() {
                break;
            }
        }
        found.sort_by_key(|info| info.started);
        Ok(found.into_iter().map(|info| info.execution).collect())
    }

    async fn counted(&self, query: String) -> Result<CountWorkflowExecutionsResponse, Status> {
        let request = CountWorkflowExecutionsRequest {
            namespace: self.caller().namespace.to_owned(),
            query,
        };
        let (operation, frame) = ("CountWorkflowExecutions", lean::frame(&request));
        self.unhedged(operation, frame, deadline(), |service, request| {
            service.count_workflow_executions(request)
        })
        .await
    }
}

impl From<WorkflowExecutionInfo> for Info {
    fn from(info: WorkflowExecutionInfo) -> Self {
        let status = status_name(info.status());
        let execution = info.execution.unwrap_or_default();
        let attributes = info.search_attributes.unwrap_or_default();
        Self {
            execution: Execution {
                workflow_id: execution.workflow_id,
                run_id: execution.run_id,
            },
            workflow_type: info.r#type.unwrap_or_default().name,
            status,
            started: time(info.start_time).unwrap_or(SystemTime::UNIX_EPOCH),
            closed: time(info.close_time),
            task_queue: info.task_queue,
            memo: from_memo(info.memo.unwrap_or_default()),
            search_attributes: fields(attributes),
        }
    }
}

fn fields(attributes: common::SearchAttributes) -> Fields {
    let fields = attributes.indexed_fields.into_iter();
    fields
        .map(|(name, payload)| (name, from_temporal(payload)))
        .collect()
}

fn time<T: TryInto<SystemTime>>(time: Option<T>) -> Option<SystemTime> {
    time.and_then(|time| time.try_into().ok())
}

/// As Temporal's queries and counts name it.
const fn status_name(status: WorkflowExecutionStatus) -> &'static str {
    match status {
        WorkflowExecutionStatus::Running => "Running",
        WorkflowExecutionStatus::Completed => "Completed",
        WorkflowExecutionStatus::Failed => "Failed",
        WorkflowExecutionStatus::Canceled => "Canceled",
        WorkflowExecutionStatus::Terminated => "Terminated",
        WorkflowExecutionStatus::ContinuedAsNew => "ContinuedAsNew",
        WorkflowExecutionStatus::TimedOut => "TimedOut",
        WorkflowExecutionStatus::Paused => "Paused",
        WorkflowExecutionStatus::Unspecified => "",
    }
}

fn deadline() -> Instant {
    Instant::now() + TIMEOUT
}

/// The states of a workflow, as Temporal's queries name them.
pub const STATUSES: [&str; 8] = [
    "Running",
    "Completed",
    "Failed",
    "Canceled",
    "Terminated",
    "ContinuedAsNew",
    "TimedOut",
    "Paused",
];
/// Workflows a page: Temporal gives no more at once.
pub const PAGE: i32 = 1000;
/// For each call.
const TIMEOUT: Duration = Duration::from_secs(10);

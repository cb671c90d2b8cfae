//! The real Temporal behind [`Temporal`]: connects in the background and goes on without.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use temporalio_client::grpc::WorkflowService;
use temporalio_client::request_extensions::{NoRetryOnMatching, RetryConfigForCall};
use temporalio_client::{Connection, RetryOptions};
use temporalio_common::protos::temporal::api::common::v1::WorkflowType;
use temporalio_common::protos::temporal::api::enums::v1::{
    WorkflowIdConflictPolicy, WorkflowIdReusePolicy,
};
use temporalio_common::protos::temporal::api::taskqueue::v1::TaskQueue;
use temporalio_common::protos::temporal::api::workflowservice::v1::{
    DescribeNamespaceRequest, StartWorkflowExecutionRequest, StartWorkflowExecutionResponse,
};
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tonic::{Code, IntoRequest, Request, Response, Status};

use super::connect::Settings;
use super::{Start, Temporal, status};
use crate::core::outcome::{Execution, Outcome, Reject};
use crate::telemetry::TEMPORAL_DURATION;

/// A client that may be made before Temporal is there.
#[derive(Debug)]
pub struct Client {
    settings: Settings,
    connection: OnceLock<Connection>,
}

impl Client {
    /// A client without a connection: [`Client::connect`] makes it.
    pub fn new(settings: Settings) -> Arc<Self> {
        Arc::new(Self {
            settings,
            connection: OnceLock::new(),
        })
    }

    /// Tries until Temporal answers once. From then on the channel reconnects by itself.
    pub async fn connect(self: Arc<Self>) {
        let mut pause = FIRST_PAUSE;
        loop {
            match self.connect_once().await {
                Ok(connection) => {
                    let _ = self.connection.set(connection);
                    tracing::info!(
                        address = self.settings.address,
                        namespace = self.settings.namespace,
                        "connected to Temporal"
                    );
                    if let Err(reason) = self.ready().await {
                        tracing::error!(reason, "Temporal answers, but does not take events");
                    }
                    return;
                }
                Err(error) => {
                    tracing::warn!(
                        address = self.settings.address,
                        error,
                        "no connection to Temporal, trying again"
                    );
                }
            }
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// One try.
    ///
    /// # Errors
    /// Why there is no connection.
    pub async fn connect_once(&self) -> Result<Connection, String> {
        match timeout(
            CONNECT_TIMEOUT,
            Connection::connect(self.settings.options.clone()),
        )
        .await
        {
            Ok(Ok(connection)) => Ok(connection),
            Ok(Err(error)) => Err(anyhow::Error::from(error).root_cause().to_string()),
            Err(_) => Err("no answer in time".to_owned()),
        }
    }

    fn connection(&self) -> Result<&Connection, String> {
        self.connection
            .get()
            .ok_or_else(|| format!("not connected to Temporal at {} yet", self.settings.address))
    }

    fn request(&self, start: Start) -> StartWorkflowExecutionRequest {
        StartWorkflowExecutionRequest {
            namespace: self.settings.namespace.clone(),
            workflow_id: start.workflow_id,
            workflow_type: Some(WorkflowType {
                name: start.workflow_type,
            }),
            task_queue: Some(TaskQueue {
                name: start.task_queue,
                ..TaskQueue::default()
            }),
            input: Some(start.input),
            identity: self.settings.options.identity.clone(),
            request_id: start.request_id,
            workflow_id_reuse_policy: WorkflowIdReusePolicy::RejectDuplicate.into(),
            workflow_id_conflict_policy: WorkflowIdConflictPolicy::UseExisting.into(),
            memo: Some(start.memo),
            ..StartWorkflowExecutionRequest::default()
        }
    }
}

impl Temporal for Client {
    async fn start(&self, start: Start, deadline: Instant) -> Result<Outcome, Reject> {
        let connection = self.connection().map_err(Reject::Unavailable)?;
        let workflow_id = start.workflow_id.clone();
        let request = within(self.request(start), deadline);
        // With the client's retries, which the bare `workflow_service()` has not.
        let mut service = connection.clone();
        let answer = timed(
            "StartWorkflowExecution",
            deadline,
            service.start_workflow_execution(request),
        )
        .await;
        match answer {
            Ok(StartWorkflowExecutionResponse {
                started, run_id, ..
            }) => {
                let execution = Execution {
                    workflow_id,
                    run_id,
                };
                Ok(if started {
                    Outcome::Started(execution)
                } else {
                    Outcome::Duplicate(execution)
                })
            }
            Err(error) => status::outcome(&error, workflow_id),
        }
    }

    async fn ready(&self) -> Result<(), String> {
        let connection = self.connection()?;
        let deadline = Instant::now() + READY_TIMEOUT;
        let request = DescribeNamespaceRequest {
            namespace: self.settings.namespace.clone(),
            ..DescribeNamespaceRequest::default()
        };
        let mut service = connection.workflow_service();
        let call = service.describe_namespace(request.into_request());
        timed("DescribeNamespace", deadline, call)
            .await
            .map(drop)
            .map_err(|error| status::text(&error))
    }
}

/// The request with all retries of the client's bounded by the deadline.
fn within<R>(message: R, deadline: Instant) -> Request<R> {
    let left = deadline.saturating_duration_since(Instant::now());
    let mut request = message.into_request();
    request.set_timeout(left);
    let mut retry = RetryOptions::default();
    retry.initial_interval = Duration::from_millis(50);
    retry.max_interval = Duration::from_millis(500);
    retry.max_elapsed_time = Some(left);
    retry.max_retries = 100;
    request.extensions_mut().insert(RetryConfigForCall(retry));
    request.extensions_mut().insert(NoRetryOnMatching {
        predicate: status::retry_is_pointless,
    });
    request
}

/// Ends the call at the deadline and measures it.
async fn timed<R>(
    operation: &'static str,
    deadline: Instant,
    call: impl Future<Output = Result<Response<R>, Status>>,
) -> Result<R, Status> {
    let begun = Instant::now();
    let answer = timeout_at(deadline, call)
        .await
        .unwrap_or_else(|_| Err(Status::deadline_exceeded("Temporal did not answer in time")));
    let code = answer.as_ref().map_or_else(Status::code, |_| Code::Ok);
    metrics::histogram!(TEMPORAL_DURATION, "operation" => operation, "code" => code_label(code))
        .record(begun.elapsed().as_secs_f64());
    answer.map(Response::into_inner)
}

/// The code's name in gRPC's documents, from a closed set.
const fn code_label(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

const CONNECT_TIMEOUT: Duration = Duration::from_secs(4);
const READY_TIMEOUT: Duration = Duration::from_secs(2);
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

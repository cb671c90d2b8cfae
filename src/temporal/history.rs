//! What workflows were given, read from their histories; and their end, by termination.

use std::time::{Duration, SystemTime};

use temporalio_client::grpc::WorkflowService;
use temporalio_common::protos::temporal::api::common::v1::WorkflowExecution;
use temporalio_common::protos::temporal::api::history::v1::HistoryEvent;
use temporalio_common::protos::temporal::api::history::v1::history_event::Attributes;
use temporalio_common::protos::temporal::api::workflowservice::v1::{
    GetWorkflowExecutionHistoryRequest, TerminateWorkflowExecutionRequest,
};
use tokio::time::Instant;
use tonic::{Code, Status};
use webhook_core::outcome::Execution;
use webhook_core::proto::Payload;

use super::client::Client;
use super::client::taken::event_key;
use super::client::unary::{timed, within};
use super::payload::{Fields, from_memo, from_temporal};
use super::request::run;
use super::status;

/// What a run of a workflow was given.
#[derive(Debug, Default)]
pub struct RunInput {
    /// The workflow's type.
    pub workflow_type: String,
    /// Encoded.
    pub memo: Fields,
    /// What identifies it through resets and retries.
    pub first_run_id: String,
    /// The run before this one, which continued as new, failed or had its time; empty: it is the first.
    pub previous_run_id: String,
    /// By its start, its signals and its updates, in their order.
    pub arguments: Vec<Argument>,
}

/// One argument.
#[derive(Debug)]
pub struct Argument {
    /// Encoded.
    pub payload: Payload,
    /// Whether the workflow was started with it: the memo is about it.
    pub is_of_start: bool,
    /// Which event it is, if Temporal keeps the key that went along with it.
    pub event_key: Option<String>,
    /// When Temporal took it.
    pub at: SystemTime,
}

impl Client {
    /// What a run was given; without a run's id the newest. Of workflows of the type `starts_only`
    /// only the start is read.
    ///
    /// # Errors
    /// What Temporal says.
    pub async fn run_input(&self, of: &Execution, starts_only: &str) -> Result<RunInput, Status> {
        let mut service = self.ready_service()?;
        let mut input = RunInput::default();
        let mut request = GetWorkflowExecutionHistoryRequest {
            namespace: self.caller().namespace.to_owned(),
            execution: Some(run(of)),
            maximum_page_size: 1,
            ..GetWorkflowExecutionHistoryRequest::default()
        };
        loop {
            let deadline = Instant::now() + TIMEOUT;
            let call = service.get_workflow_execution_history(within(request.clone(), deadline));
            let answer = timed("GetWorkflowExecutionHistory", deadline, call)
                .await?
                .into_inner();
            for event in answer.history.unwrap_or_default().events {
                input.read(event);
            }
            request.next_page_token = answer.next_page_token;
            request.maximum_page_size = PAGE;
            if request.next_page_token.is_empty() || input.workflow_type == starts_only {
                return Ok(input);
            }
        }
    }

    /// Terminates a workflow of which a run is known; one that does not run any more is as good.
    ///
    /// # Errors
    /// What Temporal says.
    pub async fn terminate(
        &self,
        workflow_id: &str,
        first_run_id: &str,
        reason: &str,
    ) -> Result<(), Status> {
        let mut service = self.ready_service()?;
        let request = TerminateWorkflowExecutionRequest {
            namespace: self.caller().namespace.to_owned(),
            workflow_execution: Some(WorkflowExecution {
                workflow_id: workflow_id.to_owned(),
                run_id: String::new(),
            }),
            first_execution_run_id: first_run_id.to_owned(),
            reason: reason.to_owned(),
            identity: self.caller().identity.to_owned(),
            ..TerminateWorkflowExecutionRequest::default()
        };
        let deadline = Instant::now() + TIMEOUT;
        let call = service.terminate_workflow_execution(within(request, deadline));
        match timed("TerminateWorkflowExecution", deadline, call).await {
            Err(error) if !status::is_missing(&error) => Err(error),
            _ => Ok(()),
        }
    }

    pub(super) fn ready_service(&self) -> Result<impl WorkflowService + use<>, Status> {
        self.service()
            .map_err(|reject| Status::new(Code::Unavailable, reject.reason()))
    }
}

impl RunInput {
    fn read(&mut self, event: HistoryEvent) {
        let event_key = event_key(&event);
        let at = event
            .event_time
            .and_then(|at| at.try_into().ok())
            .unwrap_or(SystemTime::UNIX_EPOCH);
        let (input, is_of_start) = match event.attributes {
            Some(Attributes::WorkflowExecutionStartedEventAttributes(started)) => {
                self.workflow_type = started.workflow_type.unwrap_or_default().name;
                self.memo = from_memo(started.memo.unwrap_or_default());
                self.first_run_id = started.first_execution_run_id;
                self.previous_run_id = started.continued_execution_run_id;
                (started.input, true)
            }
            Some(Attributes::WorkflowExecutionSignaledEventAttributes(signal)) => {
                (signal.input, false)
            }
            Some(Attributes::WorkflowExecutionUpdateAcceptedEventAttributes(update)) => {
                let request = update.accepted_request.unwrap_or_default();
                (request.input.unwrap_or_default().args, false)
            }
            // An update that a reset brought to another run.
            Some(Attributes::WorkflowExecutionUpdateAdmittedEventAttributes(update)) => {
                let request = update.request.unwrap_or_default();
                (request.input.unwrap_or_default().args, false)
            }
            _ => return,
        };
        let payloads = input.unwrap_or_default().payloads.into_iter();
        self.arguments.extend(payloads.map(|payload| Argument {
            payload: from_temporal(payload),
            is_of_start,
            event_key: event_key.clone(),
            at,
        }));
    }
}

/// Events a page.
const PAGE: i32 = 1000;
/// For each page.
const TIMEOUT: Duration = Duration::from_secs(10);

//! One side of the table: the calls as gRPC, and what is compared of the answers.

use std::collections::BTreeMap;

use prost::{Message, Name};
use temporalio_client::Connection;
use temporalio_client::grpc::WorkflowService;
use temporalio_client::request_extensions::RetryConfigForCall;
use temporalio_client::RetryOptions;
use temporalio_common::protos::google::rpc;
use temporalio_common::protos::temporal::api::common::v1::{
    Payload, Payloads, SearchAttributes, WorkflowExecution, WorkflowType,
};
use temporalio_common::protos::temporal::api::enums::v1::{
    UpdateWorkflowExecutionLifecycleStage as Stage, WorkflowIdConflictPolicy as Conflict,
    WorkflowIdReusePolicy as Reuse,
};
use temporalio_common::protos::temporal::api::errordetails::v1::WorkflowExecutionAlreadyStartedFailure;
use temporalio_common::protos::temporal::api::history::v1::history_event::Attributes;
use temporalio_common::protos::temporal::api::taskqueue::v1::TaskQueue;
use temporalio_common::protos::temporal::api::update::v1::{Input, Meta, Request, WaitPolicy};
use temporalio_common::protos::temporal::api::workflowservice::v1::execute_multi_operation_request::{
    Operation, operation,
};
use temporalio_common::protos::temporal::api::workflowservice::v1::execute_multi_operation_response::response;
use temporalio_common::protos::temporal::api::workflowservice::v1::{
    DescribeWorkflowExecutionRequest, ExecuteMultiOperationRequest,
    GetWorkflowExecutionHistoryRequest, SignalWithStartWorkflowExecutionRequest,
    SignalWorkflowExecutionRequest, StartWorkflowExecutionRequest,
    TerminateWorkflowExecutionRequest, UpdateWorkflowExecutionRequest,
};
use tonic::{IntoRequest, Status};

use super::Ask;
use crate::simulation::model::NAMESPACE;

pub(super) struct Side {
    connection: Connection,
    /// Before each id, and the task queue.
    name: String,
    /// Numbered as they are seen.
    runs: BTreeMap<String, usize>,
}

impl Side {
    pub(super) fn new(connection: Connection, name: &str) -> Self {
        Self {
            connection,
            name: name.to_owned(),
            runs: BTreeMap::new(),
        }
    }

    /// The answer, in words that are the same on both sides if it is.
    pub(super) async fn ask(&mut self, ask: Ask) -> String {
        let said = self.answer(ask).await;
        said.unwrap_or_else(|status| self.refusal(&status))
    }

    async fn answer(&mut self, ask: Ask) -> Result<String, Status> {
        let mut service = self.connection.clone();
        match ask {
            Ask::Start(id, request_id, reuse, conflict) => {
                let start = self.start(id, request_id, reuse, conflict);
                self.started(start).await
            }
            Ask::StartElsewhere => {
                let namespace = "nowhere".to_owned();
                let start = self.start("g", "1", Reuse::RejectDuplicate, Conflict::UseExisting);
                self.started(StartWorkflowExecutionRequest { namespace, ..start })
                    .await
            }
            Ask::StartLongId => {
                let id = "x".repeat(1001);
                let start = self.start(&id, "1", Reuse::RejectDuplicate, Conflict::UseExisting);
                self.started(start).await
            }
            Ask::StartLarge => {
                let mut start = self.start("h", "1", Reuse::RejectDuplicate, Conflict::UseExisting);
                start.input = Some(input(3 * 1024 * 1024));
                self.started(start).await
            }
            Ask::StartWithAttribute => {
                let mut start = self.start("i", "1", Reuse::RejectDuplicate, Conflict::UseExisting);
                let value = input(3).payloads.remove(0);
                start.search_attributes = Some(SearchAttributes {
                    indexed_fields: [("NotRegistered".to_owned(), value)].into(),
                });
                self.started(start).await
            }
            Ask::Signal(id, request_id) => {
                let signal = SignalWorkflowExecutionRequest {
                    namespace: NAMESPACE.to_owned(),
                    workflow_execution: self.execution(id),
                    signal_name: "s".to_owned(),
                    input: Some(input(3)),
                    request_id: request_id.to_owned(),
                    ..Default::default()
                };
                service.signal_workflow_execution(once(signal)).await?;
                Ok("signalled".to_owned())
            }
            Ask::SignalWithStart(id, request_id, reuse) => {
                let start = self.start(id, request_id, reuse, Conflict::UseExisting);
                let signal = SignalWithStartWorkflowExecutionRequest {
                    namespace: start.namespace,
                    workflow_id: start.workflow_id,
                    workflow_type: start.workflow_type,
                    task_queue: start.task_queue,
                    request_id: start.request_id,
                    workflow_id_reuse_policy: start.workflow_id_reuse_policy,
                    workflow_id_conflict_policy: start.workflow_id_conflict_policy,
                    signal_name: "s".to_owned(),
                    signal_input: Some(input(3)),
                    ..Default::default()
                };
                let answer = service.signal_with_start_workflow_execution(once(signal));
                let answer = answer.await?.into_inner();
                let run = self.run(&answer.run_id);
                Ok(format!("signalled run {run}, started {}", answer.started))
            }
            Ask::Update(id, update_id) => self.update(id, update_id).await,
            Ask::Terminate(id) => {
                let terminate = TerminateWorkflowExecutionRequest {
                    namespace: NAMESPACE.to_owned(),
                    workflow_execution: self.execution(id),
                    ..Default::default()
                };
                service
                    .terminate_workflow_execution(once(terminate))
                    .await?;
                Ok("terminated".to_owned())
            }
            Ask::Describe(id) => {
                let describe = DescribeWorkflowExecutionRequest {
                    namespace: NAMESPACE.to_owned(),
                    execution: self.execution(id),
                };
                let answer = service.describe_workflow_execution(once(describe)).await?;
                let info = answer
                    .into_inner()
                    .workflow_execution_info
                    .unwrap_or_default();
                let run = self.run(&info.execution.unwrap_or_default().run_id);
                Ok(format!(
                    "run {run}, a {}",
                    info.r#type.unwrap_or_default().name
                ))
            }
            Ask::History(id) => {
                let history = GetWorkflowExecutionHistoryRequest {
                    namespace: NAMESPACE.to_owned(),
                    execution: self.execution(id),
                    ..Default::default()
                };
                let answer = service
                    .get_workflow_execution_history(once(history))
                    .await?;
                let events = answer.into_inner().history.unwrap_or_default().events;
                let (mut signals, mut updates) = (0, 0);
                for event in events {
                    match event.attributes {
                        Some(Attributes::WorkflowExecutionSignaledEventAttributes(_)) => {
                            signals += 1;
                        }
                        Some(Attributes::WorkflowExecutionUpdateAcceptedEventAttributes(_)) => {
                            updates += 1;
                        }
                        _ => {}
                    }
                }
                Ok(format!("{signals} signals, {updates} updates"))
            }
        }
    }

    async fn started(&mut self, start: StartWorkflowExecutionRequest) -> Result<String, Status> {
        let mut service = self.connection.clone();
        let answer = service
            .start_workflow_execution(once(start))
            .await?
            .into_inner();
        let run = self.run(&answer.run_id);
        Ok(format!("run {run}, started {}", answer.started))
    }

    async fn update(&mut self, id: &str, update_id: &str) -> Result<String, Status> {
        let request_id = uuid::Uuid::new_v4().to_string();
        let start = self.start(
            id,
            &request_id,
            Reuse::AllowDuplicate,
            Conflict::UseExisting,
        );
        let update = UpdateWorkflowExecutionRequest {
            namespace: NAMESPACE.to_owned(),
            workflow_execution: self.execution(id),
            wait_policy: Some(WaitPolicy {
                lifecycle_stage: Stage::Accepted.into(),
            }),
            request: Some(Request {
                meta: Some(Meta {
                    update_id: update_id.to_owned(),
                    ..Default::default()
                }),
                input: Some(Input {
                    name: "u".to_owned(),
                    args: Some(input(3)),
                    ..Default::default()
                }),
                ..Default::default()
            }),
            ..Default::default()
        };
        let operations = [
            operation::Operation::StartWorkflow(start),
            operation::Operation::UpdateWorkflow(update),
        ];
        let operations = operations.map(|operation| Operation {
            operation: Some(operation),
        });
        let both = ExecuteMultiOperationRequest {
            namespace: NAMESPACE.to_owned(),
            operations: operations.into(),
            ..Default::default()
        };
        let mut service = self.connection.clone();
        let answer = service
            .execute_multi_operation(once(both))
            .await?
            .into_inner();
        let mut said = Vec::new();
        for response in answer.responses {
            said.push(match response.response {
                Some(response::Response::StartWorkflow(start)) => {
                    format!("run {}, started {}", self.run(&start.run_id), start.started)
                }
                Some(response::Response::UpdateWorkflow(update)) => {
                    let is_accepted = update.stage() >= Stage::Accepted;
                    let of = update.update_ref.unwrap_or_default();
                    let run = self.run(&of.workflow_execution.unwrap_or_default().run_id);
                    format!(
                        "update {} of run {run}, accepted {is_accepted}",
                        of.update_id
                    )
                }
                None => "nothing".to_owned(),
            });
        }
        Ok(said.join("; "))
    }

    /// The code, and those of the words and details that the forwarder looks at.
    fn refusal(&mut self, status: &Status) -> String {
        let mut said = format!("{:?}", status.code());
        for words in [
            "size exceeds limit",
            "length exceeds limit",
            "no mapping defined for search attribute",
        ] {
            if status.message().contains(words) {
                said += &format!(" {words:?}");
            }
        }
        let details = rpc::Status::decode(status.details())
            .unwrap_or_default()
            .details;
        for any in details {
            let name = any
                .type_url
                .rsplit('/')
                .next()
                .unwrap_or_default()
                .to_owned();
            if name == WorkflowExecutionAlreadyStartedFailure::full_name() {
                let failure = WorkflowExecutionAlreadyStartedFailure::decode(&*any.value);
                let run_id = failure.expect("it says so").run_id;
                said += &format!(" run {}", self.run(&run_id));
            }
            said += &format!(" {name}");
        }
        said
    }

    fn run(&mut self, run_id: &str) -> usize {
        let next = self.runs.len() + 1;
        *self.runs.entry(run_id.to_owned()).or_insert(next)
    }

    fn execution(&self, id: &str) -> Option<WorkflowExecution> {
        Some(WorkflowExecution {
            workflow_id: format!("{}-{id}", self.name),
            run_id: String::new(),
        })
    }

    fn start(
        &self,
        id: &str,
        request_id: &str,
        reuse: Reuse,
        conflict: Conflict,
    ) -> StartWorkflowExecutionRequest {
        StartWorkflowExecutionRequest {
            namespace: NAMESPACE.to_owned(),
            workflow_id: format!("{}-{id}", self.name),
            workflow_type: Some(WorkflowType {
                name: "Simulated".to_owned(),
            }),
            task_queue: Some(TaskQueue {
                name: self.name.clone(),
                ..Default::default()
            }),
            request_id: request_id.to_owned(),
            workflow_id_reuse_policy: reuse.into(),
            workflow_id_conflict_policy: conflict.into(),
            ..Default::default()
        }
    }
}

fn once<M>(message: M) -> tonic::Request<M> {
    let mut request = message.into_request();
    request.set_timeout(std::time::Duration::from_secs(10));
    let extensions = request.extensions_mut();
    extensions.insert(RetryConfigForCall(RetryOptions::no_retries()));
    request
}

fn input(size: usize) -> Payloads {
    let payload = Payload {
        metadata: [("encoding".to_owned(), b"json/plain".to_vec())].into(),
        data: format!("\"{}\"", "x".repeat(size)).into_bytes(),
        ..Default::default()
    };
    Payloads {
        payloads: vec![payload],
    }
}

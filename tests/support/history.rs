//! What Temporal itself says about a workflow: its first event, its runs, its result.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use aws_lc_rs::aead::{self, Aad, LessSafeKey, Nonce, UnboundKey};
use prost::Message;
use temporalio_client::Connection;
use temporalio_client::tonic::{Code, IntoRequest, Status};
use temporalio_common::protos::temporal::api::common::v1::{Payload, WorkflowExecution};
use temporalio_common::protos::temporal::api::enums::v1::WorkflowExecutionStatus;
use temporalio_common::protos::temporal::api::history::v1::{
    WorkflowExecutionStartedEventAttributes, history_event::Attributes,
};
use temporalio_common::protos::temporal::api::workflowservice::v1::{
    DescribeNamespaceRequest, DescribeWorkflowExecutionRequest, ListWorkflowExecutionsRequest,
    RegisterNamespaceRequest, TerminateWorkflowExecutionRequest,
};

use super::temporal::Temporal;
use super::wait::{PATIENCE, eventually};
use super::worker::PythonWorker;

/// How a workflow was started, as its history has it.
#[derive(Debug)]
pub(crate) struct Started {
    pub(crate) workflow_type: String,
    pub(crate) task_queue: String,
    pub(crate) input: Vec<Payload>,
    pub(crate) memo: HashMap<String, Payload>,
}

impl Started {
    /// The one argument's metadata (as text) and bytes.
    pub(crate) fn argument(&self) -> (BTreeMap<String, String>, &[u8]) {
        assert_eq!(self.input.len(), 1, "the workflow gets one argument");
        (metadata(&self.input[0]), &self.input[0].data)
    }
}

impl Temporal {
    /// Another namespace, which remembers a closed workflow for so long.
    pub(crate) async fn register_namespace(&self, name: &str, retention: Duration) {
        let request = RegisterNamespaceRequest {
            namespace: name.to_owned(),
            workflow_execution_retention_period: retention.try_into().ok(),
            ..Default::default()
        };
        let mut service = self.connection().workflow_service();
        let registered = service.register_namespace(request.into_request());
        registered.await.expect("Temporal makes it");
    }

    /// The first event of the workflow's history. The workflow must be there.
    pub(crate) async fn started(&self, workflow_id: &str) -> Started {
        read_started(self.start_of(workflow_id).await)
    }

    /// The newest run of this workflow id, which is the only one if its id is the first start's.
    pub(crate) async fn run_id(&self, workflow_id: &str) -> Option<String> {
        self.describe(workflow_id).await.map(|(run_id, _)| run_id)
    }

    /// Nothing with this id was ever started. Not eventual: the id is looked up in the store.
    pub(crate) async fn assert_absent(&self, workflow_id: &str) {
        let run = self.run_id(workflow_id).await;
        assert_eq!(run, None, "{workflow_id} was started");
    }

    async fn describe(&self, workflow_id: &str) -> Option<(String, WorkflowExecutionStatus)> {
        let request = DescribeWorkflowExecutionRequest {
            namespace: NAMESPACE.to_owned(),
            execution: execution(workflow_id),
        };
        let mut service = self.connection().workflow_service();
        let answer = service.describe_workflow_execution(request.into_request());
        match answer.await {
            Ok(answer) => {
                let info = answer.into_inner().workflow_execution_info;
                let info = info.expect("a described workflow has its info");
                let status = info.status();
                Some((info.execution.expect("and its ids").run_id, status))
            }
            Err(status) if status.code() == Code::NotFound => None,
            Err(status) => panic!("cannot describe {workflow_id}: {status}"),
        }
    }

    /// All runs whose workflow id begins with this, as soon as there are `expected` or more.
    pub(crate) async fn runs(&self, id_prefix: &str, expected: usize) -> Vec<String> {
        let what = format!("{expected} runs of {id_prefix}*");
        eventually(&what, PATIENCE, || async {
            let runs = self
                .list(id_prefix)
                .await
                .expect("Temporal lists workflows");
            (runs.len() >= expected).then_some(runs)
        })
        .await
    }

    async fn list(&self, id_prefix: &str) -> Result<Vec<String>, Status> {
        let request = ListWorkflowExecutionsRequest {
            namespace: NAMESPACE.to_owned(),
            page_size: 1000,
            query: format!("WorkflowId STARTS_WITH '{id_prefix}'"),
            ..Default::default()
        };
        let mut service = self.connection().workflow_service();
        let answer = service.list_workflow_executions(request.into_request());
        let runs = answer.await?.into_inner().executions.into_iter();
        Ok(runs
            .filter_map(|info| info.execution)
            .map(|execution| execution.workflow_id)
            .collect())
    }

    pub(crate) async fn terminate(&self, workflow_id: &str) {
        let request = TerminateWorkflowExecutionRequest {
            namespace: NAMESPACE.to_owned(),
            workflow_execution: execution(workflow_id),
            ..Default::default()
        };
        let mut service = self.connection().workflow_service();
        service
            .terminate_workflow_execution(request.into_request())
            .await
            .expect("Temporal terminates it");
        let (_, status) = self.describe(workflow_id).await.expect("it is still known");
        assert_eq!(status, WorkflowExecutionStatus::Terminated);
    }

    /// The result, as soon as a worker has completed the workflow.
    pub(crate) async fn result(&self, workflow_id: &str, worker: &mut PythonWorker) -> Payload {
        let what = format!("a worker completes {workflow_id}");
        eventually(&what, PATIENCE, || {
            worker.assert_running();
            self.result_if_completed(workflow_id)
        })
        .await
    }

    /// What a worker has failed on the workflow with, which waits for another.
    pub(crate) async fn waits_after_a_failure(&self, workflow_id: &str) -> Option<String> {
        let (_, status) = self.describe(workflow_id).await.expect("it was started");
        assert_eq!(status, WorkflowExecutionStatus::Running, "{workflow_id}");
        let history = self.history(workflow_id).await;
        let mut failed = history.into_iter().filter_map(|event| match event {
            Attributes::WorkflowTaskFailedEventAttributes(failed) => failed.failure,
            _ => None,
        });
        let mut failure = failed.next()?;
        let mut text = failure.message;
        while let Some(cause) = failure.cause {
            failure = *cause;
            text = format!("{text}: {}", failure.message);
        }
        Some(text)
    }

    async fn result_if_completed(&self, workflow_id: &str) -> Option<Payload> {
        match self.describe(workflow_id).await?.1 {
            WorkflowExecutionStatus::Running => return None,
            WorkflowExecutionStatus::Completed => {}
            other => panic!("{workflow_id} ended as {other:?}"),
        }
        match self.history(workflow_id).await.pop()? {
            Attributes::WorkflowExecutionCompletedEventAttributes(completed) => {
                completed.result?.payloads.pop()
            }
            other => panic!("{workflow_id} ends with {other:?}"),
        }
    }
}

pub(crate) async fn namespace_is_there(connection: &Connection) -> bool {
    let request = DescribeNamespaceRequest {
        namespace: NAMESPACE.to_owned(),
        ..Default::default()
    };
    let mut service = connection.workflow_service();
    service
        .describe_namespace(request.into_request())
        .await
        .is_ok()
}

/// A payload's metadata as text.
pub(crate) fn metadata(payload: &Payload) -> BTreeMap<String, String> {
    let metadata = payload.metadata.iter();
    metadata
        .map(|(key, value)| (key.clone(), String::from_utf8_lossy(value).into_owned()))
        .collect()
}

/// Opens what Temporal's sample codec sealed: nonce || AES-GCM(payload).
pub(crate) fn open(sealed: &Payload, key_id: &str, key_hex: &str) -> Payload {
    let metadata = metadata(sealed);
    assert_eq!(metadata["encoding"], "binary/encrypted");
    assert_eq!(metadata["encryption-key-id"], key_id);
    assert_eq!(metadata.len(), 2, "{metadata:?}");

    let key = hex::decode(key_hex).expect("the key is hex");
    let algorithm = match key.len() {
        16 => &aead::AES_128_GCM,
        24 => &aead::AES_192_GCM,
        32 => &aead::AES_256_GCM,
        other => panic!("no AES key has {other} bytes"),
    };
    let key = LessSafeKey::new(UnboundKey::new(algorithm, &key).expect("the length fits"));
    let (nonce, data) = sealed.data.split_at(12);
    let nonce = Nonce::try_assume_unique_for_key(nonce).expect("12 bytes");
    let mut data = data.to_vec();
    let data = key.open_in_place(nonce, Aad::empty(), &mut data);
    Payload::decode(&*data.expect("the key opens it")).expect("a payload is inside")
}

fn read_started(event: WorkflowExecutionStartedEventAttributes) -> Started {
    Started {
        workflow_type: event.workflow_type.unwrap_or_default().name,
        task_queue: event.task_queue.unwrap_or_default().name,
        input: event.input.unwrap_or_default().payloads,
        memo: event.memo.unwrap_or_default().fields,
    }
}

pub(crate) fn execution(workflow_id: &str) -> Option<WorkflowExecution> {
    Some(WorkflowExecution {
        workflow_id: workflow_id.to_owned(),
        run_id: String::new(),
    })
}

pub(crate) const NAMESPACE: &str = "default";

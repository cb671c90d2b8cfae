//! Everything that Temporal keeps of a workflow: the whole history, the description.

use std::process::Command;

use temporalio_client::tonic::IntoRequest;
use temporalio_common::protos::temporal::api::common::v1::Payload;
use temporalio_common::protos::temporal::api::enums::v1::TaskQueueType;
use temporalio_common::protos::temporal::api::history::v1::WorkflowExecutionStartedEventAttributes;
use temporalio_common::protos::temporal::api::history::v1::history_event::Attributes;
use temporalio_common::protos::temporal::api::taskqueue::v1::TaskQueue;
use temporalio_common::protos::temporal::api::workflowservice::v1::{
    CountWorkflowExecutionsRequest, DescribeTaskQueueRequest, DescribeWorkflowExecutionRequest,
    DescribeWorkflowExecutionResponse, GetWorkflowExecutionHistoryRequest,
};

use super::history::{NAMESPACE, execution};
use super::temporal::{self, Temporal};
use super::wait::{PATIENCE, eventually, until};

impl Temporal {
    /// All events of the newest run.
    pub(crate) async fn history(&self, workflow_id: &str) -> Vec<Attributes> {
        let request = GetWorkflowExecutionHistoryRequest {
            namespace: NAMESPACE.to_owned(),
            execution: execution(workflow_id),
            ..Default::default()
        };
        let mut service = self.connection().workflow_service();
        let answer = service
            .get_workflow_execution_history(request.into_request())
            .await
            .unwrap_or_else(|status| panic!("no history of {workflow_id}: {status}"));
        let events = answer.into_inner().history.unwrap_or_default().events;
        events
            .into_iter()
            .filter_map(|event| event.attributes)
            .collect()
    }

    /// How the newest run was started.
    pub(crate) async fn start_of(
        &self,
        workflow_id: &str,
    ) -> WorkflowExecutionStartedEventAttributes {
        match self.history(workflow_id).await.into_iter().next() {
            Some(Attributes::WorkflowExecutionStartedEventAttributes(started)) => started,
            other => panic!("{workflow_id} begins with {other:?}"),
        }
    }

    /// The arguments of the signals that the newest run got, in their order.
    pub(crate) async fn signals(&self, workflow_id: &str) -> Vec<(String, Payload)> {
        let events = self.history(workflow_id).await;
        let signals = events.into_iter().filter_map(|event| match event {
            Attributes::WorkflowExecutionSignaledEventAttributes(signal) => {
                let mut input = signal.input.unwrap_or_default().payloads;
                assert_eq!(input.len(), 1, "a signal has one argument");
                Some((signal.signal_name, input.remove(0)))
            }
            _ => None,
        });
        signals.collect()
    }

    pub(crate) async fn description(&self, workflow_id: &str) -> DescribeWorkflowExecutionResponse {
        let request = DescribeWorkflowExecutionRequest {
            namespace: NAMESPACE.to_owned(),
            execution: execution(workflow_id),
        };
        let mut service = self.connection().workflow_service();
        let answer = service.describe_workflow_execution(request.into_request());
        answer
            .await
            .unwrap_or_else(|status| panic!("no description of {workflow_id}: {status}"))
            .into_inner()
    }

    /// How many workflows the query finds.
    pub(crate) async fn count(&self, query: &str) -> i64 {
        let request = CountWorkflowExecutionsRequest {
            namespace: NAMESPACE.to_owned(),
            query: query.to_owned(),
        };
        let mut service = self.connection().workflow_service();
        let answer = service.count_workflow_executions(request.into_request());
        answer.await.expect("Temporal counts").into_inner().count
    }

    /// Waits until a worker asks for the workflows of this task queue.
    pub(crate) async fn polled(&self, queue: &str) {
        let request = DescribeTaskQueueRequest {
            namespace: NAMESPACE.to_owned(),
            task_queue: Some(TaskQueue {
                name: queue.to_owned(),
                ..Default::default()
            }),
            task_queue_type: TaskQueueType::Workflow.into(),
            ..Default::default()
        };
        until("a worker polls", PATIENCE, async || {
            let mut service = self.connection().workflow_service();
            let answer = service.describe_task_queue(request.clone().into_request());
            let answer = answer.await.expect("Temporal describes it").into_inner();
            !answer.pollers.is_empty()
        })
        .await;
    }

    /// Registers a search attribute, and waits until Temporal knows it.
    pub(crate) async fn register_attribute(&self, name: &str, kind: &str) {
        let cli = |args: &[&str]| {
            let address = self.address();
            let mut command = Command::new(temporal::binary());
            command.args(["operator", "search-attribute"]).args(args);
            let output = command.args(["--address", &address]).output();
            output.expect("the Temporal CLI runs")
        };
        let created = cli(&["create", "--name", name, "--type", kind]);
        assert!(created.status.success(), "{created:?}");
        let what = format!("{name} is registered");
        eventually(&what, PATIENCE, || async {
            let listed = cli(&["list"]);
            String::from_utf8_lossy(&listed.stdout)
                .contains(name)
                .then_some(())
        })
        .await;
    }
}

/// Asks for a workflow with the official CLI.
pub(crate) fn cli(temporal: &Temporal, verb: &[&str], id: &str, input: Option<String>) {
    let address = temporal.address();
    let input: Vec<_> = input.iter().flat_map(|input| ["--input", input]).collect();
    let common = ["--workflow-id", id, "--address", &address];
    let args = [&["workflow"], verb, &common, &input].concat();
    let output = Command::new(temporal::binary()).args(&args).output();
    let output = output.expect("the Temporal CLI runs");
    assert!(output.status.success(), "{args:?}: {output:?}");
}

/// A payload's JSON.
pub(crate) fn json(payload: &Payload) -> serde_json::Value {
    assert_eq!(payload.metadata["encoding"], b"json/plain");
    serde_json::from_slice(&payload.data).expect("JSON")
}

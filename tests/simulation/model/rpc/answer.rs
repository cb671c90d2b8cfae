//! The model's answers: what is known of a run, and its refusals with their details.

use prost::{Message, Name};
use temporalio_common::protos::google::rpc;
use temporalio_common::protos::temporal::api::common::v1::{WorkflowExecution, WorkflowType};
use temporalio_common::protos::temporal::api::errordetails::v1::{
    NamespaceNotFoundFailure, NotFoundFailure, WorkflowExecutionAlreadyStartedFailure,
};
use temporalio_common::protos::temporal::api::history::v1::history_event::Attributes;
use temporalio_common::protos::temporal::api::history::v1::{
    History, HistoryEvent, WorkflowExecutionSignaledEventAttributes,
    WorkflowExecutionUpdateAcceptedEventAttributes,
};
use temporalio_common::protos::temporal::api::update::v1::{Meta, Request};
use temporalio_common::protos::temporal::api::workflow::v1::WorkflowExecutionInfo;
use temporalio_common::protos::temporal::api::workflowservice::v1::{
    DescribeWorkflowExecutionResponse, GetWorkflowExecutionHistoryResponse,
};
use tokio::time::Instant;
use tonic::{Code, Status};

use crate::simulation::model::run::Run;

pub(super) fn described(run: &mut Run) -> DescribeWorkflowExecutionResponse {
    let name = run.workflow_type.clone();
    DescribeWorkflowExecutionResponse {
        workflow_execution_info: Some(WorkflowExecutionInfo {
            execution: Some(WorkflowExecution {
                workflow_id: String::new(),
                run_id: run.run_id.clone(),
            }),
            r#type: Some(WorkflowType { name }),
            ..Default::default()
        }),
        ..Default::default()
    }
}

/// Signals and updates alone.
pub(super) fn history(run: &mut Run) -> GetWorkflowExecutionHistoryResponse {
    let signals = run.signals.iter().map(|signal| {
        Attributes::WorkflowExecutionSignaledEventAttributes(
            WorkflowExecutionSignaledEventAttributes {
                request_id: signal.request_id.clone(),
                ..Default::default()
            },
        )
    });
    let accepted = run.updates.iter().filter(|update| update.is_noted);
    let updates = accepted.map(|update| {
        let update_id = update.id.clone();
        let meta = Meta {
            update_id,
            ..Default::default()
        };
        let request = Request {
            meta: Some(meta),
            ..Default::default()
        };
        Attributes::WorkflowExecutionUpdateAcceptedEventAttributes(
            WorkflowExecutionUpdateAcceptedEventAttributes {
                accepted_request: Some(request),
                ..Default::default()
            },
        )
    });
    let event = |attributes| HistoryEvent {
        attributes: Some(attributes),
        ..Default::default()
    };
    GetWorkflowExecutionHistoryResponse {
        history: Some(History {
            events: signals.chain(updates).map(event).collect(),
        }),
        ..Default::default()
    }
}

pub(super) fn already_started(run: &Run, now: Instant) -> Status {
    let failure = WorkflowExecutionAlreadyStartedFailure {
        start_request_id: run.request_id.clone(),
        run_id: run.run_id.clone(),
        ..Default::default()
    };
    let state = if run.is_closed(now) {
        "finished"
    } else {
        "running"
    };
    let text = format!("Workflow execution already {state}.");
    with_detail(Code::AlreadyExists, &text, &failure)
}

pub(super) fn not_found(id: &str) -> Status {
    let text = format!("workflow not found for ID: {id}");
    with_detail(Code::NotFound, &text, &NotFoundFailure::default())
}

pub(super) fn namespace_not_found(namespace: &str) -> Status {
    let failure = NamespaceNotFoundFailure {
        namespace: namespace.to_owned(),
    };
    let text = format!("Namespace {namespace} is not found.");
    with_detail(Code::NotFound, &text, &failure)
}

fn with_detail<M: Message + Name>(code: Code, text: &str, detail: &M) -> Status {
    let mut details = rpc::Status {
        code: code.into(),
        message: text.to_owned(),
        details: vec![Default::default()],
    };
    details.details[0].type_url = format!("type.googleapis.com/{}", M::full_name());
    details.details[0].value = detail.encode_to_vec();
    Status::with_details(code, text, details.encode_to_vec().into())
}

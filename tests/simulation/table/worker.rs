//! The least that is a worker: it accepts and completes every update, and does nothing else.

use prost::{Message, Name};
use temporalio_client::Connection;
use temporalio_client::grpc::WorkflowService;
use temporalio_common::protos::temporal::api::command::v1::command::Attributes;
use temporalio_common::protos::temporal::api::command::v1::{
    Command, ProtocolMessageCommandAttributes,
};
use temporalio_common::protos::temporal::api::enums::v1::CommandType;
use temporalio_common::protos::temporal::api::protocol::v1::Message as ProtocolMessage;
use temporalio_common::protos::temporal::api::protocol::v1::message::SequencingId;
use temporalio_common::protos::temporal::api::taskqueue::v1::TaskQueue;
use temporalio_common::protos::temporal::api::update::v1::{
    Acceptance, Outcome, Request, Response, outcome,
};
use temporalio_common::protos::temporal::api::workflowservice::v1::{
    PollWorkflowTaskQueueRequest, PollWorkflowTaskQueueResponse,
    RespondWorkflowTaskCompletedRequest,
};
use tonic::IntoRequest;

use crate::simulation::model::NAMESPACE;

/// For ever, of this task queue.
pub(super) async fn work(mut service: Connection, name: String) {
    loop {
        let poll = PollWorkflowTaskQueueRequest {
            namespace: NAMESPACE.to_owned(),
            task_queue: Some(TaskQueue {
                name: name.clone(),
                ..Default::default()
            }),
            identity: "the table".to_owned(),
            ..Default::default()
        };
        let task = service.poll_workflow_task_queue(poll.into_request()).await;
        let Some(task) = task.ok().map(tonic::Response::into_inner) else {
            continue;
        };
        if !task.task_token.is_empty() {
            let completed = service.respond_workflow_task_completed(done(task).into_request());
            // A workflow may have been terminated meanwhile.
            completed.await.ok();
        }
    }
}

fn done(task: PollWorkflowTaskQueueResponse) -> RespondWorkflowTaskCompletedRequest {
    let messages: Vec<_> = task.messages.into_iter().flat_map(answers).collect();
    let commands = messages.iter().map(|message| Command {
        command_type: CommandType::ProtocolMessage.into(),
        attributes: Some(Attributes::ProtocolMessageCommandAttributes(
            ProtocolMessageCommandAttributes {
                message_id: message.id.clone(),
            },
        )),
        ..Default::default()
    });
    RespondWorkflowTaskCompletedRequest {
        task_token: task.task_token,
        namespace: NAMESPACE.to_owned(),
        commands: commands.collect(),
        messages,
        ..Default::default()
    }
}

/// Acceptance and response.
fn answers(asked: ProtocolMessage) -> [ProtocolMessage; 2] {
    let body = asked.body.unwrap_or_default();
    let request = Request::decode(&*body.value).expect("a request");
    let sequencing_id = match asked.sequencing_id {
        Some(SequencingId::EventId(id)) => id,
        _ => 0,
    };
    let response = Response {
        meta: request.meta.clone(),
        outcome: Some(Outcome {
            value: Some(outcome::Value::Success(Default::default())),
        }),
    };
    let acceptance = Acceptance {
        accepted_request_message_id: asked.id.clone(),
        accepted_request_sequencing_event_id: sequencing_id,
        accepted_request: Some(request),
    };
    let id = &asked.protocol_instance_id;
    [
        message(id, "acceptance", &acceptance),
        message(id, "response", &response),
    ]
}

fn message<M: Message + Name>(id: &str, what: &str, body: &M) -> ProtocolMessage {
    let mut message = ProtocolMessage {
        id: format!("{id}/{what}"),
        protocol_instance_id: id.to_owned(),
        body: Some(Default::default()),
        ..Default::default()
    };
    if let Some(any) = &mut message.body {
        any.type_url = format!("type.googleapis.com/{}", M::full_name());
        any.value = body.encode_to_vec();
    }
    message
}

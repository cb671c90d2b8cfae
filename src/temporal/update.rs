//! An update: until its workflow has accepted it; and if the sender wants the result, until there is one.

use temporalio_client::grpc::WorkflowService;
use temporalio_common::protos::temporal::api::enums::v1::UpdateWorkflowExecutionLifecycleStage;
use temporalio_common::protos::temporal::api::failure::v1::Failure;
use temporalio_common::protos::temporal::api::failure::v1::failure::FailureInfo;
use temporalio_common::protos::temporal::api::update;
use temporalio_common::protos::temporal::api::update::v1::{UpdateRef, outcome};
use temporalio_common::protos::temporal::api::workflowservice::v1::execute_multi_operation_response::response;
use temporalio_common::protos::temporal::api::workflowservice::v1::{
    ExecuteMultiOperationResponse, PollWorkflowExecutionUpdateRequest,
};
use tokio::time::Instant;
use tonic::Status;
use webhook_core::action::{OnLate, Respond};
use webhook_core::outcome::{Execution, Outcome, Reject};

use super::client::Client;
use super::client::taken::Subject;
use super::lean;
use super::payload::from_temporal;
use super::request::until;
use super::{Call, Done, status};

impl Client {
    /// Until it is accepted; and if the sender wants the result, until there is one.
    pub(super) async fn update_with_start(
        &self,
        update: String,
        (respond, on_late): (Respond, OnLate),
        call: Box<Call>,
        deadline: Instant,
    ) -> Result<Done, Reject> {
        let untaken = self.untaken(&update, &call.task_queue, deadline);
        let subject = Subject::of(&call);
        let message = self.caller().update_with_start(update, *call);
        let frame = self.frame(&message, &(), subject.sizes)?;
        let operation = "ExecuteMultiOperation";
        let answer = self.unhedged(operation, frame, deadline, |service, request| {
            service.execute_multi_operation(request)
        });
        let accepted = match answer.await.map_err(status::of_operations) {
            Ok(answer) => Progress::of(answer).ok_or_else(untaken)?,
            Err(error) if status::is_late(&error) => return Err(untaken()),
            Err(error) => return self.refused(&error, subject, deadline).await,
        };
        if accepted.outcome.is_some() || respond == Respond::Accepted {
            return accepted.done(respond);
        }
        let request = PollWorkflowExecutionUpdateRequest {
            namespace: self.settings.namespace.clone(),
            update_ref: Some(accepted.update.clone()),
            identity: self.settings.options.identity.clone(),
            wait_policy: Some(until(UpdateWorkflowExecutionLifecycleStage::Completed)),
        };
        let frame = lean::frame(&request);
        loop {
            let (operation, frame) = ("PollWorkflowExecutionUpdate", frame.clone());
            let answer = self.unhedged(operation, frame, deadline, |service, request| {
                service.poll_workflow_execution_update(request)
            });
            // Temporal itself waits for less than the longest deadline, and says then that there is
            // nothing yet.
            match answer.await {
                Ok(answer) if answer.outcome.is_some() => {
                    let outcome = answer.outcome;
                    return Progress {
                        outcome,
                        ..accepted
                    }
                    .done(respond);
                }
                Ok(_) if Instant::now() < deadline => {}
                _ => break,
            }
        }
        match on_late {
            OnLate::Accept => Ok(Done::Outcome(Outcome::Accepted(accepted.execution()))),
            OnLate::Retry => Err(Reject::Unavailable(
                "the workflow's result did not come in time".to_owned(),
            )),
        }
    }
}

impl Client {
    /// What to say if the time is over and no worker has accepted the update.
    fn untaken<'a>(
        &'a self,
        update: &str,
        queue: &str,
        deadline: Instant,
    ) -> impl Fn() -> Reject + use<'a> {
        let wait = deadline.saturating_duration_since(Instant::now());
        let reason = format!(
            "no worker accepted update `{update}` on {queue} within {:.2} s",
            wait.as_secs_f64()
        );
        let away = status::away(&Status::deadline_exceeded(""), &self.settings.address);
        move || {
            let is_away = self.health.is_away();
            Reject::Unavailable(if is_away { &away } else { &reason }.clone())
        }
    }
}

/// An update that its workflow has seen.
struct Progress {
    update: UpdateRef,
    outcome: Option<update::v1::Outcome>,
}

impl Progress {
    /// `None`: Temporal does not say that the workflow has accepted it.
    fn of(answer: ExecuteMultiOperationResponse) -> Option<Self> {
        let answers = answer.responses.into_iter();
        let update = answers
            .filter_map(|answer| answer.response)
            .find_map(|answer| match answer {
                response::Response::UpdateWorkflow(answer) => Some(answer),
                response::Response::StartWorkflow(_) => None,
            });
        let accepted = update.filter(|update| {
            update.outcome.is_some()
                || update.stage() >= UpdateWorkflowExecutionLifecycleStage::Accepted
        });
        accepted.and_then(|update| {
            Some(Self {
                update: update.update_ref?,
                outcome: update.outcome,
            })
        })
    }

    fn execution(&self) -> Execution {
        let execution = self.update.workflow_execution.clone().unwrap_or_default();
        Execution {
            workflow_id: execution.workflow_id,
            run_id: execution.run_id,
        }
    }

    fn done(self, respond: Respond) -> Result<Done, Reject> {
        let execution = self.execution();
        match self.outcome.and_then(|outcome| outcome.value) {
            Some(outcome::Value::Failure(failure)) => Err(Reject::Refused(format!(
                "the workflow failed the update{}",
                kind(failure)
            ))),
            Some(outcome::Value::Success(result)) if respond == Respond::Result => {
                let result = result.payloads.into_iter().next();
                Ok(Done::Result(execution, result.map(from_temporal)))
            }
            Some(outcome::Value::Success(_)) | None => {
                Ok(Done::Outcome(Outcome::Updated(execution)))
            }
        }
    }
}

/// What the worker calls it, for the log: its message may quote the event.
fn kind(failure: Failure) -> String {
    match failure.failure_info {
        Some(FailureInfo::ApplicationFailureInfo(info)) if !info.r#type.is_empty() => {
            format!(": {}", info.r#type)
        }
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use temporalio_common::protos::temporal::api::failure::v1::ApplicationFailureInfo;
    use temporalio_common::protos::temporal::api::workflowservice::v1::UpdateWorkflowExecutionResponse;
    use temporalio_common::protos::temporal::api::workflowservice::v1::execute_multi_operation_response::Response;

    use super::*;

    /// A server that was asked to wait until it is accepted answers before, if the time is over.
    #[test]
    fn an_update_that_is_only_admitted_is_not_accepted() {
        use UpdateWorkflowExecutionLifecycleStage::{Accepted, Admitted, Completed, Unspecified};
        for (stage, is_taken) in [
            (Unspecified, false),
            (Admitted, false),
            (Accepted, true),
            (Completed, true),
        ] {
            let update = UpdateWorkflowExecutionResponse {
                update_ref: Some(UpdateRef::default()),
                stage: stage.into(),
                ..UpdateWorkflowExecutionResponse::default()
            };
            let answer = ExecuteMultiOperationResponse {
                responses: vec![Response {
                    response: Some(response::Response::UpdateWorkflow(update)),
                }],
            };
            assert_eq!(Progress::of(answer).is_some(), is_taken, "{stage:?}");
        }
    }

    #[test]
    fn a_failed_update_is_logged_without_its_message() {
        let info = ApplicationFailureInfo {
            r#type: "ValidationError".to_owned(),
            ..ApplicationFailureInfo::default()
        };
        let failure = Failure {
            message: "no such card: 4242".to_owned(),
            failure_info: Some(FailureInfo::ApplicationFailureInfo(info)),
            ..Failure::default()
        };
        let failed = Progress {
            update: UpdateRef::default(),
            outcome: Some(update::v1::Outcome {
                value: Some(outcome::Value::Failure(failure)),
            }),
        };
        let reject = failed.done(Respond::Result).expect_err("a failure");
        assert_eq!(
            reject.reason(),
            "the workflow failed the update: ValidationError"
        );
    }
}

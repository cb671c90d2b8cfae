//! Updates: with a start if nobody is there, accepted by a worker when it comes to it, known by their id.

use temporalio_common::protos::temporal::api::common::v1::{Payload, Payloads, WorkflowExecution};
use temporalio_common::protos::temporal::api::enums::v1::UpdateWorkflowExecutionLifecycleStage as Stage;
use temporalio_common::protos::temporal::api::update::v1::{Outcome, UpdateRef, outcome};
use temporalio_common::protos::temporal::api::workflowservice::v1::execute_multi_operation_request::operation::Operation;
use temporalio_common::protos::temporal::api::workflowservice::v1::execute_multi_operation_response::{
    Response, response,
};
use temporalio_common::protos::temporal::api::workflowservice::v1::{
    ExecuteMultiOperationRequest, ExecuteMultiOperationResponse,
    PollWorkflowExecutionUpdateRequest, PollWorkflowExecutionUpdateResponse,
    StartWorkflowExecutionRequest, StartWorkflowExecutionResponse, UpdateWorkflowExecutionRequest,
    UpdateWorkflowExecutionResponse,
};
use tokio::time::Instant;
use tonic::Status;

use super::answer::not_found;
use super::{Said, Waiting, check, check_namespace, mark_of};
use crate::simulation::model::Model;
use crate::simulation::model::run::Update;

impl Model {
    /// The answer comes when the update is accepted. The start stays, whatever becomes of the update.
    pub(super) fn update_with_start(&mut self, request: ExecuteMultiOperationRequest) -> Said {
        let mut operations = request.operations.into_iter().map(|it| it.operation);
        let (start, update) = (operations.next().flatten(), operations.next().flatten());
        let (Some(Operation::StartWorkflow(start)), Some(Operation::UpdateWorkflow(update))) =
            (start, update)
        else {
            return Said::Now(Err(Status::invalid_argument("not a start and an update")));
        };
        match self.admitted(start, update) {
            Ok(waiting) => self.said_of_update(waiting),
            Err(status) => Said::Now(Err(status)),
        }
    }

    fn admitted(
        &mut self,
        start: StartWorkflowExecutionRequest,
        update: UpdateWorkflowExecutionRequest,
    ) -> Result<Waiting, Status> {
        check_namespace(&start.namespace)?;
        let update = update.request.unwrap_or_default();
        let input = update.input.unwrap_or_default().args;
        check(&start.workflow_id, input.as_ref())?;
        let (now, id) = (self.now, start.workflow_id.clone());
        let is_there = self.newest(&id).is_some_and(|run| !run.is_closed(now));
        let update_id = update.meta.unwrap_or_default().update_id;
        // A closed run still knows what it has accepted.
        let known = self.newest(&id).filter(|run| {
            let mut updates = run.updates.iter();
            run.is_closed(now) && updates.any(|it| it.is_noted && it.id == update_id)
        });
        if let Some(run) = known {
            return Ok(Waiting {
                run_id: run.run_id.clone(),
                update_id,
                started: Some(false),
            });
        }
        let run_id = self.start(start)?.run_id;
        let random = &mut self.random;
        let accepted = self.rules.accepts.map(|most| {
            let begins = self.rules.workers_from.map_or(now, |from| from.max(now));
            begins + random.between(Default::default(), most)
        });
        let works = self.rules.works;
        let completed = accepted.map(|at| at + random.between(Default::default(), works));
        let mark = mark_of(input.as_ref());
        let run = self.newest(&id).ok_or_else(|| not_found(&id))?;
        if !run.updates.iter().any(|known| known.id == update_id) {
            run.updates.push(Update {
                id: update_id.clone(),
                mark,
                accepted,
                completed,
                is_noted: false,
            });
            // What is accepted at once is written down at once.
            self.settle();
        }
        Ok(Waiting {
            run_id,
            update_id,
            started: Some(!is_there),
        })
    }

    pub(super) fn said_of_update(&self, waiting: Waiting) -> Said {
        let mut all = self.kept.workflows.iter();
        let found = all.find_map(|(id, runs)| {
            let run = runs.iter().find(|run| run.run_id == waiting.run_id)?;
            let updates = run.updates.iter();
            Some((
                id,
                run,
                updates.rev().find(|it| it.id == waiting.update_id)?,
            ))
        });
        let Some((workflow_id, run, update)) = found else {
            return Said::Now(Err(Status::not_found("update not found")));
        };
        let awaited = match waiting.started {
            Some(_) => update.accepted,
            None => update.completed,
        };
        let is_too_late = |at: Instant| run.closes.is_some_and(|closes| closes <= at);
        match awaited {
            Some(at) if is_too_late(at) && run.is_closed(self.now) => {
                let text = "workflow execution already completed";
                return Said::Now(Err(Status::not_found(text)));
            }
            Some(at) if at <= self.now => {}
            at => return Said::NotBefore(at, waiting),
        }
        let update_ref = Some(UpdateRef {
            workflow_execution: Some(WorkflowExecution {
                workflow_id: workflow_id.clone(),
                run_id: waiting.run_id.clone(),
            }),
            update_id: waiting.update_id,
        });
        let outcome = self.outcome(update);
        let Some(started) = waiting.started else {
            return Said::of(Ok(PollWorkflowExecutionUpdateResponse {
                outcome,
                stage: Stage::Completed.into(),
                update_ref,
            }));
        };
        let start = StartWorkflowExecutionResponse {
            run_id: waiting.run_id,
            started,
            ..Default::default()
        };
        let update = UpdateWorkflowExecutionResponse {
            update_ref,
            outcome,
            stage: Stage::Accepted.into(),
            ..Default::default()
        };
        let responses = [
            response::Response::StartWorkflow(start),
            response::Response::UpdateWorkflow(update),
        ];
        let responses = responses.map(|response| Response {
            response: Some(response),
        });
        Said::of(Ok(ExecuteMultiOperationResponse {
            responses: responses.into(),
        }))
    }

    /// From the reference alone.
    pub(super) fn poll_update(&mut self, request: PollWorkflowExecutionUpdateRequest) -> Said {
        let of = request.update_ref.unwrap_or_default();
        self.said_of_update(Waiting {
            run_id: of.workflow_execution.unwrap_or_default().run_id,
            update_id: of.update_id,
            started: None,
        })
    }

    fn outcome(&self, update: &Update) -> Option<Outcome> {
        let is_done = update.completed.is_some_and(|at| at <= self.now);
        is_done.then(|| {
            let payload = Payload {
                metadata: [("encoding".to_owned(), b"json/plain".to_vec())].into(),
                data: b"\"done\"".to_vec(),
                ..Default::default()
            };
            Outcome {
                value: Some(outcome::Value::Success(Payloads {
                    payloads: vec![payload],
                })),
            }
        })
    }
}

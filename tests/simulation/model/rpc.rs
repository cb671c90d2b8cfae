//! The model's gRPC: which method does what, and what it answers, as measured on a real server.

mod answer;
mod update;

use prost::Message;
use temporalio_common::protos::temporal::api::common::v1::{Payloads, SearchAttributes};
use temporalio_common::protos::temporal::api::enums::v1::{
    WorkflowIdConflictPolicy as Conflict, WorkflowIdReusePolicy as Reuse,
};
use temporalio_common::protos::temporal::api::workflowservice::v1::{
    DescribeNamespaceResponse, DescribeWorkflowExecutionRequest, ExecuteMultiOperationRequest,
    GetSystemInfoResponse, GetWorkflowExecutionHistoryRequest, PollWorkflowExecutionUpdateRequest,
    SignalWithStartWorkflowExecutionRequest, SignalWithStartWorkflowExecutionResponse,
    SignalWorkflowExecutionRequest, SignalWorkflowExecutionResponse, StartWorkflowExecutionRequest,
    StartWorkflowExecutionResponse, TerminateWorkflowExecutionRequest,
    TerminateWorkflowExecutionResponse,
};
use tokio::time::Instant;
use tonic::Status;

use self::answer::{already_started, namespace_not_found, not_found};
use super::run::{Run, Signal};
use super::{Model, What};

/// What the model says to a call.
#[derive(Debug)]
pub(crate) enum Said {
    Now(Result<Vec<u8>, Status>),
    /// Nobody knows before then, if ever.
    NotBefore(Option<Instant>, Waiting),
}

/// What somebody waits for, of an update of a run.
#[derive(Debug, Clone)]
pub(crate) struct Waiting {
    run_id: String,
    update_id: String,
    /// `None`: the update's result; else that it is accepted, after a start that began the run or not.
    started: Option<bool>,
}

impl Said {
    fn of<M: Message>(answer: Result<M, Status>) -> Self {
        Self::Now(answer.map(|message| message.encode_to_vec()))
    }
}

impl Model {
    /// Does what is asked, at once.
    pub(crate) fn ask(&mut self, method: &str, message: &[u8]) -> Said {
        self.settle();
        match method {
            "GetSystemInfo" => Said::of(Ok(GetSystemInfoResponse::default())),
            "DescribeNamespace" => Said::of(Ok(DescribeNamespaceResponse::default())),
            "StartWorkflowExecution" => Said::of(self.start(decoded(message))),
            "SignalWithStartWorkflowExecution" => {
                Said::of(self.signal_with_start(decoded(message)))
            }
            "SignalWorkflowExecution" => Said::of(self.signal(decoded(message))),
            "ExecuteMultiOperation" => {
                let request: ExecuteMultiOperationRequest = decoded(message);
                self.update_with_start(request)
            }
            "PollWorkflowExecutionUpdate" => {
                let request: PollWorkflowExecutionUpdateRequest = decoded(message);
                self.poll_update(request)
            }
            "DescribeWorkflowExecution" => {
                let request: DescribeWorkflowExecutionRequest = decoded(message);
                let of = request.execution.unwrap_or_default();
                let run = self.find(&of.workflow_id, &of.run_id);
                Said::of(run.map(answer::described))
            }
            "GetWorkflowExecutionHistory" => {
                let request: GetWorkflowExecutionHistoryRequest = decoded(message);
                let of = request.execution.unwrap_or_default();
                let run = self.find(&of.workflow_id, &of.run_id);
                Said::of(run.map(answer::history))
            }
            "TerminateWorkflowExecution" => Said::of(self.terminate(decoded(message))),
            other => Said::Now(Err(Status::unimplemented(other.to_owned()))),
        }
    }

    /// What is to be said when the time has come.
    pub(crate) fn resume(&mut self, waiting: Waiting) -> Said {
        self.settle();
        self.said_of_update(waiting)
    }

    fn start(
        &mut self,
        request: StartWorkflowExecutionRequest,
    ) -> Result<StartWorkflowExecutionResponse, Status> {
        check_namespace(&request.namespace)?;
        check(&request.workflow_id, request.input.as_ref())?;
        check_attributes(request.search_attributes.as_ref())?;
        let answer = |run_id: &str, started| StartWorkflowExecutionResponse {
            run_id: run_id.to_owned(),
            started,
            ..Default::default()
        };
        let (now, id) = (self.now, request.workflow_id.clone());
        let policy = (
            request.workflow_id_reuse_policy(),
            request.workflow_id_conflict_policy(),
        );
        if let Some(run) = self.newest(&id) {
            // Whatever became of it: it is the same request.
            if run.request_id == request.request_id {
                return Ok(answer(&run.run_id, true));
            }
            match (run.is_closed(now), policy) {
                (false, (_, Conflict::UseExisting)) => return Ok(answer(&run.run_id, false)),
                (false, (_, Conflict::TerminateExisting)) => run.closes = Some(now),
                (true, (Reuse::AllowDuplicate, _)) => {}
                (false, _) | (true, _) => return Err(already_started(run, now)),
            }
        }
        let workflow_type = request.workflow_type.unwrap_or_default().name;
        let mark = mark_of(request.input.as_ref());
        let run_id = self.begin_run(&id, workflow_type, request.request_id, mark);
        Ok(answer(&run_id, true))
    }

    fn begin_run(
        &mut self,
        id: &str,
        workflow_type: String,
        request_id: String,
        mark: Option<String>,
    ) -> String {
        let is_letter = workflow_type == webhook_core::dead_letter::WORKFLOW_TYPE;
        let run = Run {
            mark: mark.clone(),
            is_letter,
            closes: self.lifetime(),
            ..Run::new(self.next_run_id(), workflow_type, request_id)
        };
        let run_id = run.run_id.clone();
        let runs = self.kept.workflows.entry(id.to_owned());
        runs.or_default().push(run);
        let what = if is_letter {
            What::Parked
        } else {
            What::Started
        };
        self.note(mark, what, id, &run_id);
        run_id
    }

    fn signal_with_start(
        &mut self,
        request: SignalWithStartWorkflowExecutionRequest,
    ) -> Result<SignalWithStartWorkflowExecutionResponse, Status> {
        check_namespace(&request.namespace)?;
        check(&request.workflow_id, request.signal_input.as_ref())?;
        check_attributes(request.search_attributes.as_ref())?;
        let (now, id) = (self.now, request.workflow_id.clone());
        let reuse = request.workflow_id_reuse_policy();
        let mark = mark_of(request.signal_input.as_ref());
        let mut is_there = false;
        if let Some(run) = self.newest(&id) {
            if run.is_closed(now) && reuse == Reuse::RejectDuplicate {
                return Err(already_started(run, now));
            }
            is_there = !run.is_closed(now);
        }
        if !is_there {
            let name = request.workflow_type.unwrap_or_default().name;
            self.begin_run(&id, name, request.request_id.clone(), None);
        }
        let run_id = self.take_signal(&id, request.request_id, mark)?;
        Ok(SignalWithStartWorkflowExecutionResponse {
            run_id,
            started: !is_there,
            ..Default::default()
        })
    }

    fn signal(
        &mut self,
        request: SignalWorkflowExecutionRequest,
    ) -> Result<SignalWorkflowExecutionResponse, Status> {
        check_namespace(&request.namespace)?;
        let id = request.workflow_execution.unwrap_or_default().workflow_id;
        check(&id, request.input.as_ref())?;
        let now = self.now;
        if self.newest(&id).is_none_or(|run| run.is_closed(now)) {
            return Err(not_found(&id));
        }
        self.take_signal(&id, request.request_id, mark_of(request.input.as_ref()))?;
        Ok(SignalWorkflowExecutionResponse::default())
    }

    /// By the run that is there. It counts before it looks whether it knows the request.
    fn take_signal(
        &mut self,
        id: &str,
        request_id: String,
        mark: Option<String>,
    ) -> Result<String, Status> {
        let most = self.rules.max_signals;
        let run = self.newest(id).ok_or_else(|| not_found(id))?;
        let run_id = run.run_id.clone();
        if run.signals.len() >= most {
            let text = "exceeded workflow execution limit for signal events";
            return Err(Status::invalid_argument(text));
        }
        let mut known = run.signals.iter().map(|signal| &signal.request_id);
        if !known.any(|known| *known == request_id) {
            let mark = mark.clone();
            run.signals.push(Signal { request_id, mark });
        } else {
            return Ok(run_id);
        }
        self.note(mark, What::Signalled, id, &run_id);
        Ok(run_id)
    }

    fn terminate(
        &mut self,
        request: TerminateWorkflowExecutionRequest,
    ) -> Result<TerminateWorkflowExecutionResponse, Status> {
        let id = request.workflow_execution.unwrap_or_default().workflow_id;
        let now = self.now;
        match self.newest(&id).filter(|run| !run.is_closed(now)) {
            Some(run) => run.closes = Some(now),
            None => return Err(not_found(&id)),
        }
        Ok(TerminateWorkflowExecutionResponse::default())
    }

    fn newest(&mut self, id: &str) -> Option<&mut Run> {
        self.kept.workflows.get_mut(id)?.last_mut()
    }

    fn find(&mut self, id: &str, run_id: &str) -> Result<&mut Run, Status> {
        let runs = self.kept.workflows.get_mut(id).into_iter().flatten();
        let fits = |run: &&mut Run| run_id.is_empty() || run.run_id == run_id;
        runs.rev().find(fits).ok_or_else(|| not_found(id))
    }
}

/// The forwarder says nothing that cannot be read.
fn decoded<M: Message + Default>(message: &[u8]) -> M {
    M::decode(message).expect("a message")
}

fn check_namespace(namespace: &str) -> Result<(), Status> {
    if namespace == NAMESPACE {
        return Ok(());
    }
    Err(namespace_not_found(namespace))
}

fn check(id: &str, input: Option<&Payloads>) -> Result<(), Status> {
    if id.len() > 1000 {
        return Err(Status::invalid_argument("WorkflowId length exceeds limit."));
    }
    if input.is_some_and(|input| input.encoded_len() > MAX_PAYLOAD) {
        return Err(Status::invalid_argument("Blob data size exceeds limit."));
    }
    Ok(())
}

fn check_attributes(attributes: Option<&SearchAttributes>) -> Result<(), Status> {
    let fields = attributes.into_iter().flat_map(|it| &it.indexed_fields);
    let Some((name, _)) = fields.min_by_key(|(name, _)| *name) else {
        return Ok(());
    };
    let text = format!("Namespace default has no mapping defined for search attribute {name}");
    Err(Status::invalid_argument(text))
}

/// `"mark":"…"` wherever it stands, in a text in a text, too.
fn mark_of(input: Option<&Payloads>) -> Option<String> {
    let data = &input?.payloads.first()?.data;
    let text = String::from_utf8_lossy(data).replace('\\', "");
    let (_, rest) = text.split_once("\"mark\":\"")?;
    Some(rest.split('"').next()?.to_owned())
}

pub(crate) const NAMESPACE: &str = "default";
const MAX_PAYLOAD: usize = 2 * 1024 * 1024;

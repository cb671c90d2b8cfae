//! What to ask of Temporal as its gRPC messages.

use std::collections::HashMap;
use std::mem::take;
use std::time::Duration;

use temporalio_common::protos::temporal::api::common::v1::{
    Header, Payloads, Priority, RetryPolicy, WorkflowExecution, WorkflowType,
};
use temporalio_common::protos::temporal::api::deployment::v1::WorkerDeploymentVersion;
use temporalio_common::protos::temporal::api::enums::v1::{
    UpdateWorkflowExecutionLifecycleStage as Stage, WorkflowIdConflictPolicy, WorkflowIdReusePolicy,
};
use temporalio_common::protos::temporal::api::sdk::v1::UserMetadata;
use temporalio_common::protos::temporal::api::taskqueue::v1::TaskQueue;
use temporalio_common::protos::temporal::api::update::v1::{Input, Meta, Request, WaitPolicy};
use temporalio_common::protos::temporal::api::workflow::v1::VersioningOverride;
use temporalio_common::protos::temporal::api::workflow::v1::versioning_override::{
    Override, PinnedOverride, PinnedOverrideBehavior,
};
use temporalio_common::protos::temporal::api::workflowservice::v1::execute_multi_operation_request::{
    Operation, operation,
};
use temporalio_common::protos::temporal::api::workflowservice::v1::{
    ExecuteMultiOperationRequest, SignalWithStartWorkflowExecutionRequest,
    SignalWorkflowExecutionRequest, StartWorkflowExecutionRequest, UpdateWorkflowExecutionRequest,
};
use webhook_core::options::{self, ConflictPolicy, Retry, ReusePolicy, Timeout, Versioning, Weight};
use webhook_core::outcome::Execution;
use webhook_core::payload;
use webhook_core::proto::Payload;

use super::Call;
use super::payload::{StartPayloads, arguments, memo, search_attributes, to_temporal};

/// Who asks, and where.
#[derive(Debug, Clone, Copy)]
pub struct Caller<'a> {
    /// The namespace.
    pub namespace: &'a str,
    /// For people who read a history.
    pub identity: &'a str,
}

impl Caller<'_> {
    /// A start, and what is in it: the event as the one argument, and the memo.
    pub fn start(self, mut call: Call) -> (StartWorkflowExecutionRequest, StartPayloads) {
        let (input, memo) = (take(&mut call.input), take(&mut call.memo));
        let (reuse_policy, conflict_policy) =
            (call.options.reuse_policy, call.options.conflict_policy);
        let start = StartWorkflowExecutionRequest {
            workflow_id_reuse_policy: reuse(reuse_policy, default_reuse(conflict_policy)).into(),
            workflow_id_conflict_policy: conflict(conflict_policy).into(),
            memo: None,
            header: header(None, call.trace.take()),
            ..self.start_without_input(call)
        };
        (start, StartPayloads::new(input, memo))
    }

    /// A signal with the event; the workflow it may start has no arguments. Temporal drops a
    /// signal whose request id the run has seen; the same key is in the header, which stays in the
    /// history.
    pub fn signal_with_start(
        self,
        signal: String,
        mut call: Call,
    ) -> SignalWithStartWorkflowExecutionRequest {
        let (input, event_key) = (take(&mut call.input), take(&mut call.event_key));
        let trace = call.trace.take();
        let start = self.start_without_input(call);
        SignalWithStartWorkflowExecutionRequest {
            namespace: start.namespace,
            workflow_id: start.workflow_id,
            workflow_type: start.workflow_type,
            task_queue: start.task_queue,
            workflow_execution_timeout: start.workflow_execution_timeout,
            workflow_run_timeout: start.workflow_run_timeout,
            workflow_task_timeout: start.workflow_task_timeout,
            identity: start.identity,
            header: header(Some(&event_key), trace),
            request_id: event_key,
            workflow_id_reuse_policy: start.workflow_id_reuse_policy,
            workflow_id_conflict_policy: start.workflow_id_conflict_policy,
            signal_name: signal,
            signal_input: Some(arguments(input)),
            retry_policy: start.retry_policy,
            memo: start.memo,
            search_attributes: start.search_attributes,
            workflow_start_delay: start.workflow_start_delay,
            user_metadata: start.user_metadata,
            versioning_override: start.versioning_override,
            priority: start.priority,
            ..SignalWithStartWorkflowExecutionRequest::default()
        }
    }

    /// A signal with the event to a workflow that runs.
    pub fn signal(self, signal: String, call: Call) -> SignalWorkflowExecutionRequest {
        SignalWorkflowExecutionRequest {
            namespace: self.namespace.to_owned(),
            workflow_execution: Some(execution(call.workflow_id)),
            signal_name: signal,
            input: Some(arguments(call.input)),
            identity: self.identity.to_owned(),
            header: header(Some(&call.event_key), call.trace),
            request_id: call.event_key,
            ..SignalWorkflowExecutionRequest::default()
        }
    }

    /// An update with the event, answered when it is accepted; the workflow it may start has no
    /// arguments. Temporal gives an update whose id the run has seen the same result.
    pub fn update_with_start(self, update: String, mut call: Call) -> ExecuteMultiOperationRequest {
        let trace = call.trace.take();
        let update = UpdateWorkflowExecutionRequest {
            namespace: self.namespace.to_owned(),
            workflow_execution: Some(execution(call.workflow_id.clone())),
            wait_policy: Some(until(Stage::Accepted)),
            request: Some(Request {
                meta: Some(Meta {
                    update_id: take(&mut call.event_key),
                    identity: self.identity.to_owned(),
                }),
                input: Some(Input {
                    name: update,
                    args: Some(arguments(take(&mut call.input))),
                    header: header(None, trace.clone()),
                }),
                ..Request::default()
            }),
            ..UpdateWorkflowExecutionRequest::default()
        };
        let operations = [
            operation::Operation::StartWorkflow(StartWorkflowExecutionRequest {
                header: header(None, trace),
                ..self.start_without_input(call)
            }),
            operation::Operation::UpdateWorkflow(update),
        ];
        let operation = |operation| Operation {
            operation: Some(operation),
        };
        ExecuteMultiOperationRequest {
            namespace: self.namespace.to_owned(),
            operations: operations.map(operation).into(),
            ..ExecuteMultiOperationRequest::default()
        }
    }

    fn start_without_input(self, call: Call) -> StartWorkflowExecutionRequest {
        let options = call.options;
        StartWorkflowExecutionRequest {
            namespace: self.namespace.to_owned(),
            workflow_id: call.workflow_id,
            workflow_type: Some(WorkflowType {
                name: call.workflow_type,
            }),
            task_queue: Some(TaskQueue {
                name: call.task_queue,
                ..TaskQueue::default()
            }),
            input: None::<Payloads>,
            workflow_execution_timeout: options.execution_timeout.map(proto),
            workflow_run_timeout: options.run_timeout.map(proto),
            workflow_task_timeout: options.task_timeout.map(proto),
            identity: self.identity.to_owned(),
            request_id: call.request_id,
            workflow_id_reuse_policy: reuse(options.reuse_policy, ReusePolicy::AllowDuplicate)
                .into(),
            workflow_id_conflict_policy: WorkflowIdConflictPolicy::UseExisting.into(),
            retry_policy: options.retry.map(retry),
            memo: Some(memo(call.memo)),
            search_attributes: search_attributes(call.search_attributes),
            workflow_start_delay: options.start_delay.map(proto),
            priority: priority(
                options.priority,
                options.fairness_key,
                options.fairness_weight,
            ),
            user_metadata: metadata(options.summary, options.details),
            versioning_override: options.versioning_override.map(versioning),
            ..StartWorkflowExecutionRequest::default()
        }
    }
}

/// How far an update has to be.
pub const fn until(stage: Stage) -> WaitPolicy {
    WaitPolicy {
        lifecycle_stage: stage as i32,
    }
}

fn header(event_key: Option<&str>, trace: Option<Payload>) -> Option<Header> {
    let key = event_key.map(|key| (EVENT_KEY.to_owned(), to_temporal(payload::text(key))));
    let trace = trace.map(|trace| (TRACER_DATA.to_owned(), to_temporal(trace)));
    let fields: HashMap<_, _> = key.into_iter().chain(trace).collect();
    (!fields.is_empty()).then_some(Header { fields })
}

/// The run as Temporal names it.
pub(super) fn run(of: &Execution) -> WorkflowExecution {
    WorkflowExecution {
        workflow_id: of.workflow_id.clone(),
        run_id: of.run_id.clone(),
    }
}

fn execution(workflow_id: String) -> WorkflowExecution {
    WorkflowExecution {
        workflow_id,
        run_id: String::new(),
    }
}

fn reuse(policy: Option<ReusePolicy>, default: ReusePolicy) -> WorkflowIdReusePolicy {
    match policy.unwrap_or(default) {
        ReusePolicy::RejectDuplicate => WorkflowIdReusePolicy::RejectDuplicate,
        ReusePolicy::AllowDuplicate => WorkflowIdReusePolicy::AllowDuplicate,
        ReusePolicy::AllowDuplicateFailedOnly => WorkflowIdReusePolicy::AllowDuplicateFailedOnly,
    }
}

/// Temporal does not take the two together: whoever replaces a running workflow replaces a closed one.
fn default_reuse(conflict: Option<ConflictPolicy>) -> ReusePolicy {
    match conflict {
        Some(ConflictPolicy::TerminateExisting) => ReusePolicy::AllowDuplicate,
        _ => ReusePolicy::RejectDuplicate,
    }
}

fn conflict(policy: Option<ConflictPolicy>) -> WorkflowIdConflictPolicy {
    match policy {
        None | Some(ConflictPolicy::UseExisting) => WorkflowIdConflictPolicy::UseExisting,
        Some(ConflictPolicy::Fail) => WorkflowIdConflictPolicy::Fail,
        Some(ConflictPolicy::TerminateExisting) => WorkflowIdConflictPolicy::TerminateExisting,
    }
}

fn retry(retry: Retry) -> RetryPolicy {
    RetryPolicy {
        initial_interval: retry.initial_interval.map(proto),
        // Temporal's own default, which it applies to zero alone if nothing else is set.
        backoff_coefficient: retry.backoff_coefficient.unwrap_or(2.0),
        maximum_interval: retry.maximum_interval.map(proto),
        maximum_attempts: retry.maximum_attempts.unwrap_or_default(),
        non_retryable_error_types: retry.non_retryable,
    }
}

fn priority(
    key: Option<options::Priority>,
    fairness_key: Option<String>,
    weight: Option<Weight>,
) -> Option<Priority> {
    let is_there = key.is_some() || fairness_key.is_some() || weight.is_some();
    is_there.then(|| Priority {
        priority_key: key.map_or(0, |key| key.0),
        fairness_key: fairness_key.unwrap_or_default(),
        fairness_weight: weight.map_or(0.0, |weight| weight.0),
    })
}

fn metadata(summary: Option<Payload>, details: Option<Payload>) -> Option<UserMetadata> {
    let is_there = summary.is_some() || details.is_some();
    is_there.then(|| UserMetadata {
        summary: summary.map(to_temporal),
        details: details.map(to_temporal),
    })
}

fn versioning(versioning: Versioning) -> VersioningOverride {
    let chosen = match versioning {
        Versioning::AutoUpgrade => Override::AutoUpgrade(true),
        Versioning::Pinned {
            deployment,
            build_id,
        } => Override::Pinned(PinnedOverride {
            behavior: PinnedOverrideBehavior::Pinned.into(),
            version: Some(WorkerDeploymentVersion {
                deployment_name: deployment,
                build_id,
            }),
        }),
    };
    VersioningOverride {
        r#override: Some(chosen),
        ..VersioningOverride::default()
    }
}

/// Spans over Temporal's range were refused in the configuration.
fn proto<T: TryFrom<Duration> + Default>(Timeout(span): Timeout) -> T {
    span.try_into().unwrap_or_default()
}

/// The header of a signal that says which event it is: not every server keeps its request id in the
/// history. Not encrypted, as the request id is not.
pub const EVENT_KEY: &str = "webhook-event-key";
/// Where the SDKs' OpenTelemetry interceptors look for the span that asked.
const TRACER_DATA: &str = "_tracer-data";

//! The real Temporal behind [`Temporal`]: goes on without a connection.

pub(super) mod taken;
pub(super) mod watch;

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use prost::Message;
use temporalio_client::grpc::WorkflowService;
use temporalio_client::request_extensions::{NoRetryOnMatching, RetryConfigForCall};
use temporalio_client::{Connection, RetryOptions};
use temporalio_common::protos::temporal::api::workflow::v1::WorkflowExecutionInfo;
use temporalio_common::protos::temporal::api::workflowservice::v1::{
    DescribeNamespaceRequest, DescribeWorkflowExecutionRequest,
};
use tokio::time::{Instant, timeout_at};
use tonic::{Code, IntoRequest, Request, Response, Status};
use webhook_core::action::OnMissing;
use webhook_core::outcome::{Execution, Outcome, Reject};
use webhook_core::route::Verb;

use self::taken::Subject;
use self::watch::Health;
use super::connect::Settings;
use super::limits::{Limits, Sizes};
use super::link::Link;
use super::request::{Caller, run};
use super::status::Asked;
use super::{Call, Done, Temporal, status};
use crate::telemetry::TEMPORAL_DURATION;

/// A client that may be made before Temporal is there.
pub struct Client {
    pub(super) settings: Settings,
    /// As the namespace said last.
    limits: RwLock<Limits>,
    pub(super) health: Health,
    link: Link,
}

impl Client {
    /// A client without a connection: [`Client::connect`] makes it.
    pub fn new(settings: Settings) -> Arc<Self> {
        Arc::new(Self::with(Link::new(settings.clone()), settings))
    }

    /// A client with a connection, which knows the namespace's limits.
    ///
    /// # Errors
    /// Why there is none.
    pub async fn connected(settings: Settings) -> Result<Arc<Self>, String> {
        let link = Link::connected(settings.clone()).await?;
        let client = Self::with(link, settings);
        // What is wrong with the namespace is said when something is asked of it.
        client.ask(READY_TIMEOUT).await.ok();
        Ok(Arc::new(client))
    }

    fn with(link: Link, settings: Settings) -> Self {
        Self {
            settings,
            limits: RwLock::default(),
            health: Health::default(),
            link,
        }
    }

    /// Where a reload puts new settings of the connection. Address and namespace stay.
    pub fn wanted(&self) -> tokio::sync::watch::Sender<Settings> {
        self.link.wanted()
    }

    /// Tries until Temporal answers once, from then on the channel reconnects by itself and is
    /// watched; and again when the settings change, for ever.
    pub async fn connect(self: Arc<Self>) {
        let mut wanted = self.link.wanted().subscribe();
        let mut used = None;
        loop {
            used = Some(self.link.renew(&mut wanted, used).await);
            tokio::select! {
                () = self.watch() => {}
                changed = wanted.changed() => if changed.is_err() {
                    return;
                },
            }
        }
    }

    /// Asks for the namespace, and keeps its limits.
    ///
    /// # Errors
    /// What Temporal says, or that it says nothing.
    pub(super) async fn ask(&self, patience: Duration) -> Result<(), Status> {
        let connection = self.connection().map_err(Status::unavailable)?;
        let request = DescribeNamespaceRequest {
            namespace: self.settings.namespace.clone(),
            ..DescribeNamespaceRequest::default()
        };
        let mut service = connection.workflow_service();
        let call = service.describe_namespace(request.into_request());
        let answer = timed("DescribeNamespace", Instant::now() + patience, call).await?;
        let mut limits = self.limits.write().unwrap_or_else(PoisonError::into_inner);
        *limits = Limits::of(&answer);
        Ok(())
    }

    fn connection(&self) -> Result<Connection, String> {
        self.link.connection().ok_or_else(|| {
            let (address, why) = (&self.settings.address, self.link.why_not());
            format!("Temporal at {address} cannot be reached: {why}")
        })
    }

    /// The message as a request within the deadline, if Temporal takes its size.
    ///
    /// # Errors
    /// [`Reject::Oversized`]
    pub(super) fn sized<R: Message>(
        &self,
        message: R,
        sizes: Sizes,
        deadline: Instant,
    ) -> Result<Request<R>, Reject> {
        let limits = *self.limits.read().unwrap_or_else(PoisonError::into_inner);
        limits.check(sizes, message.encoded_len())?;
        Ok(within(message, deadline))
    }

    pub(super) fn asked(&self, sizes: Sizes) -> Asked<'_> {
        Asked {
            address: &self.settings.address,
            sizes,
        }
    }

    pub(super) fn caller(&self) -> Caller<'_> {
        Caller {
            namespace: &self.settings.namespace,
            identity: &self.settings.options.identity,
        }
    }

    async fn start(&self, call: Call, deadline: Instant) -> Result<Done, Reject> {
        let mut service = self.service()?;
        let (workflow_id, sizes) = (call.workflow_id.clone(), Sizes::of(&call));
        let request = self.sized(self.caller().start(call), sizes, deadline)?;
        let answer = service.start_workflow_execution(request);
        match timed("StartWorkflowExecution", deadline, answer).await {
            Ok(answer) => {
                let execution = Execution {
                    workflow_id,
                    run_id: answer.run_id,
                };
                Ok(Done::Outcome(if answer.started {
                    Outcome::Started(execution)
                } else {
                    Outcome::Duplicate(execution)
                }))
            }
            Err(error) => {
                status::duplicate(&error, workflow_id, self.asked(sizes)).map(Done::Outcome)
            }
        }
    }

    async fn signal_with_start(
        &self,
        signal: String,
        call: Call,
        deadline: Instant,
    ) -> Result<Done, Reject> {
        let mut service = self.service()?;
        let subject = Subject::of(&call);
        let message = self.caller().signal_with_start(signal, call);
        let request = self.sized(message, subject.sizes, deadline)?;
        let answer = service.signal_with_start_workflow_execution(request);
        match timed("SignalWithStartWorkflowExecution", deadline, answer).await {
            Ok(answer) => Ok(Done::Outcome(Outcome::Signalled(Execution {
                workflow_id: subject.workflow_id,
                run_id: answer.run_id,
            }))),
            Err(error) => self.refused(&error, subject, deadline).await,
        }
    }

    async fn signal(
        &self,
        signal: String,
        on_missing: OnMissing,
        call: Call,
        deadline: Instant,
    ) -> Result<Done, Reject> {
        let mut service = self.service()?;
        let subject = Subject::of(&call);
        let request = self.sized(self.caller().signal(signal, call), subject.sizes, deadline)?;
        let answer = service.signal_workflow_execution(request);
        match timed("SignalWorkflowExecution", deadline, answer).await {
            Ok(_) => Ok(Done::Outcome(Outcome::Signalled(Execution {
                workflow_id: subject.workflow_id,
                run_id: String::new(),
            }))),
            Err(error) if status::is_missing(&error) => {
                let workflow_id = subject.workflow_id;
                let reason = format!("no workflow {workflow_id:?} runs, and a signal needs one");
                match on_missing {
                    OnMissing::Retry => Err(Reject::Unavailable(reason)),
                    OnMissing::DeadLetter => Err(Reject::Unstartable(reason)),
                    OnMissing::Drop => Ok(Done::Outcome(Outcome::Dropped)),
                }
            }
            Err(error) => self.refused(&error, subject, deadline).await,
        }
    }

    /// `None`: there is none.
    async fn describe(
        &self,
        of: &Execution,
        deadline: Instant,
    ) -> Result<Option<WorkflowExecutionInfo>, Reject> {
        let mut service = self.service()?;
        let request = DescribeWorkflowExecutionRequest {
            namespace: self.settings.namespace.clone(),
            execution: Some(run(of)),
        };
        let answer = service.describe_workflow_execution(within(request, deadline));
        match timed("DescribeWorkflowExecution", deadline, answer).await {
            Ok(answer) => Ok(answer.workflow_execution_info),
            Err(error) if error.code() == Code::NotFound => Ok(None),
            Err(error) => Err(status::reject(&error, self.asked(Sizes::default()))),
        }
    }

    /// With the client's retries, which the bare `workflow_service()` has not.
    pub(super) fn service(&self) -> Result<Connection, Reject> {
        self.connection().map_err(Reject::Unavailable)
    }
}

impl Temporal for Client {
    async fn call(&self, call: Call, deadline: Instant) -> Result<Done, Reject> {
        match call.verb.clone() {
            Verb::Start => self.start(call, deadline).await,
            Verb::SignalWithStart { signal } => {
                self.signal_with_start(signal, call, deadline).await
            }
            Verb::Signal { signal, on_missing } => {
                self.signal(signal, on_missing, call, deadline).await
            }
            Verb::UpdateWithStart {
                update,
                respond,
                on_late,
            } => {
                self.update_with_start(update, (respond, on_late), call, deadline)
                    .await
            }
        }
    }

    async fn started(
        &self,
        workflow_id: &str,
        deadline: Instant,
    ) -> Result<Option<Execution>, Reject> {
        let newest = Execution {
            workflow_id: workflow_id.to_owned(),
            run_id: String::new(),
        };
        let info = self.describe(&newest, deadline).await?;
        Ok(info.map(|info| Execution {
            run_id: info.execution.unwrap_or_default().run_id,
            ..newest
        }))
    }

    async fn type_of(&self, run: &Execution, deadline: Instant) -> Result<Option<String>, Reject> {
        let info = self.describe(run, deadline).await?;
        Ok(info.map(|info| info.r#type.unwrap_or_default().name))
    }

    fn namespace(&self) -> &str {
        &self.settings.namespace
    }

    async fn ready(&self) -> Result<(), String> {
        let asked = self.ask(READY_TIMEOUT).await;
        asked.map_err(|error| status::text(&error))
    }
}

/// The request with all retries of the client's bounded by the deadline.
pub(super) fn within<R>(message: R, deadline: Instant) -> Request<R> {
    let left = deadline.saturating_duration_since(Instant::now());
    let mut request = message.into_request();
    request.set_timeout(left);
    let mut retry = RetryOptions::default();
    retry.initial_interval = Duration::from_millis(50);
    retry.max_interval = Duration::from_millis(500);
    retry.max_elapsed_time = Some(left);
    retry.max_retries = 100;
    request.extensions_mut().insert(RetryConfigForCall(retry));
    request.extensions_mut().insert(NoRetryOnMatching {
        predicate: status::retry_is_pointless,
    });
    request
}

/// Ends the call at the deadline and measures it.
pub(super) async fn timed<R>(
    operation: &'static str,
    deadline: Instant,
    call: impl Future<Output = Result<Response<R>, Status>>,
) -> Result<R, Status> {
    let begun = Instant::now();
    let answer = timeout_at(deadline, call)
        .await
        .unwrap_or_else(|_| Err(Status::deadline_exceeded("Temporal did not answer in time")));
    let code = answer.as_ref().map_or_else(Status::code, |_| Code::Ok);
    metrics::histogram!(TEMPORAL_DURATION, "operation" => operation, "code" => code_label(code))
        .record(begun.elapsed().as_secs_f64());
    answer.map(Response::into_inner)
}

/// The code's name in gRPC's documents, from a closed set.
const fn code_label(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

const READY_TIMEOUT: Duration = Duration::from_secs(2);

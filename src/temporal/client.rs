//! The real Temporal behind [`Temporal`]: goes on without a connection.

mod index;
pub(super) mod taken;
#[cfg(test)]
mod tests;
pub(super) mod unary;
pub(super) mod watch;

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use bytes::Bytes;
use prost::Message;
use temporalio_client::Connection;
use temporalio_client::grpc::WorkflowService;
use temporalio_common::protos::temporal::api::workflow::v1::WorkflowExecutionInfo;
use temporalio_common::protos::temporal::api::workflowservice::v1::{
    DescribeNamespaceRequest, DescribeWorkflowExecutionRequest,
};
use tokio::time::{Instant, sleep};
use tonic::Status;
use webhook_core::action::OnMissing;
use webhook_core::outcome::{Execution, Outcome, Reject};
use webhook_core::route::Verb;

use self::taken::Subject;
use self::watch::Health;
use super::connect::Settings;
use super::hedge::Budget;
use super::index::Index;
use super::lean;
use super::limits::{Limits, Sizes};
use super::link::{Link, Network};
use super::request::{Caller, run};
use super::status::CallContext;
use super::{Call, Done, Temporal, status};

/// A client that may be made before Temporal is there.
pub struct Client {
    pub(super) settings: Settings,
    /// As the namespace said last.
    limits: RwLock<Limits>,
    pub(super) health: Health,
    pub(super) index: Index,
    link: Link,
    budget: Budget,
}

impl Client {
    /// A client without a connection: [`Client::connect`] makes it.
    pub fn new(settings: Settings) -> Arc<Self> {
        Self::over(Network::real(), settings)
    }

    /// The same, over this network.
    pub fn over(network: Network, settings: Settings) -> Arc<Self> {
        Arc::new(Self::with(Link::new(settings.clone(), network), settings))
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
            index: Index::default(),
            link,
            budget: Budget::full(),
        }
    }

    /// Where a reload puts new settings of the connection. Address and namespace stay.
    pub fn settings_sender(&self) -> tokio::sync::watch::Sender<Settings> {
        self.link.settings_sender()
    }

    /// Tries until Temporal answers once, from then on the channels reconnect by themselves and are
    /// watched; and again when the settings change, for ever.
    pub async fn connect(self: Arc<Self>) {
        let mut updates = self.link.settings_sender().subscribe();
        let mut used = None;
        loop {
            let settings = self.link.renew(&mut updates, used).await;
            let keep = self.link.keep(&settings);
            tokio::select! {
                biased;
                () = self.watch() => {}
                () = self.watch_index() => {}
                () = keep => {}
                changed = updates.changed() => if changed.is_err() {
                    return;
                },
            }
            used = Some(settings);
        }
    }

    /// Waits until there is a connection, but no longer than this.
    pub async fn first_connection(&self, patience: Duration) {
        let until = Instant::now() + patience;
        while !self.link.is_connected() && Instant::now() < until {
            sleep(A_MOMENT).await;
        }
    }

    /// Asks for the namespace, and keeps its limits.
    ///
    /// # Errors
    /// What Temporal says, or that it says nothing.
    pub(super) async fn ask(&self, patience: Duration) -> Result<(), Status> {
        self.connection().map_err(Status::unavailable)?;
        let request = DescribeNamespaceRequest {
            namespace: self.settings.namespace.clone(),
            ..DescribeNamespaceRequest::default()
        };
        let deadline = Instant::now() + patience;
        let frame = lean::frame(&request);
        let answer = self.hedged("DescribeNamespace", frame, deadline, |service, request| {
            service.describe_namespace(request)
        });
        let answer = answer.await?;
        let mut limits = self.limits.write().unwrap_or_else(PoisonError::into_inner);
        *limits = Limits::of(&answer);
        Ok(())
    }

    pub(super) fn connection(&self) -> Result<Connection, String> {
        self.link.connection().ok_or_else(|| self.unreachable())
    }

    fn unreachable(&self) -> String {
        let (address, why) = (&self.settings.address, self.link.why_not());
        format!("Temporal at {address} cannot be reached: {why}")
    }

    /// The message in its two parts as it goes over a connection, if there is one, and if Temporal takes so
    /// much.
    ///
    /// # Errors
    /// [`Reject::Unavailable`], [`Reject::Oversized`]
    pub(super) fn frame(
        &self,
        message: &impl Message,
        rest: &impl Message,
        sizes: Sizes,
    ) -> Result<Bytes, Reject> {
        if !self.link.is_connected() {
            return Err(Reject::Unavailable(self.unreachable()));
        }
        let limits = *self.limits.read().unwrap_or_else(PoisonError::into_inner);
        let length = message.encoded_len() + rest.encoded_len();
        limits.check(sizes, length)?;
        Ok(lean::frame_of(message, rest, length))
    }

    pub(super) fn call_context(&self, sizes: Sizes) -> CallContext<'_> {
        CallContext {
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

    async fn start(&self, call: Box<Call>, deadline: Instant) -> Result<Done, Reject> {
        let (workflow_id, sizes) = (call.workflow_id.clone(), Sizes::of(&call));
        let frame = {
            let (start, payloads) = self.caller().start(*call);
            self.frame(&start, &payloads, sizes)?
        };
        let operation = "StartWorkflowExecution";
        let answer = self.hedged(operation, frame, deadline, |service, request| {
            service.start_workflow_execution(request)
        });
        match answer.await {
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
                status::duplicate(&error, workflow_id, self.call_context(sizes)).map(Done::Outcome)
            }
        }
    }

    async fn signal_with_start(
        &self,
        signal: String,
        call: Box<Call>,
        deadline: Instant,
    ) -> Result<Done, Reject> {
        let subject = Subject::of(&call);
        let frame = self.frame(
            &self.caller().signal_with_start(signal, *call),
            &(),
            subject.sizes,
        )?;
        let operation = "SignalWithStartWorkflowExecution";
        let answer = self.hedged(operation, frame, deadline, |service, request| {
            service.signal_with_start_workflow_execution(request)
        });
        match answer.await {
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
        call: Box<Call>,
        deadline: Instant,
    ) -> Result<Done, Reject> {
        let subject = Subject::of(&call);
        let frame = self.frame(&self.caller().signal(signal, *call), &(), subject.sizes)?;
        let operation = "SignalWorkflowExecution";
        let answer = self.hedged(operation, frame, deadline, |service, request| {
            service.signal_workflow_execution(request)
        });
        match answer.await {
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
        self.service()?;
        let request = DescribeWorkflowExecutionRequest {
            namespace: self.settings.namespace.clone(),
            execution: Some(run(of)),
        };
        let operation = "DescribeWorkflowExecution";
        let frame = lean::frame(&request);
        let answer = self.hedged(operation, frame, deadline, |service, request| {
            service.describe_workflow_execution(request)
        });
        match answer.await {
            Ok(answer) => Ok(answer.workflow_execution_info),
            Err(error) if status::is_missing(&error) => Ok(None),
            Err(error) => Err(status::reject(&error, self.call_context(Sizes::default()))),
        }
    }

    /// With the client's retries, which the bare `workflow_service()` has not.
    pub(super) fn service(&self) -> Result<Connection, Reject> {
        self.connection().map_err(Reject::Unavailable)
    }
}

impl Client {
    async fn call_once(&self, call: Box<Call>, deadline: Instant) -> Result<Done, Reject> {
        // A start is what most events are: what the others need besides is not carried along with it.
        match call.verb.clone() {
            Verb::Start => self.start(call, deadline).await,
            Verb::SignalWithStart { signal } => {
                Box::pin(self.signal_with_start(signal, call, deadline)).await
            }
            Verb::Signal { signal, on_missing } => {
                Box::pin(self.signal(signal, on_missing, call, deadline)).await
            }
            Verb::UpdateWithStart {
                update,
                respond,
                on_late,
            } => {
                let wanted = (respond, on_late);
                Box::pin(self.update_with_start(update, wanted, call, deadline)).await
            }
        }
    }
}

impl Temporal for Client {
    async fn call(&self, call: Box<Call>, deadline: Instant) -> Result<Done, Reject> {
        if call.index.is_empty() {
            return self.call_once(call, deadline).await;
        }
        // Apart: whoever sets none of them has no use for its room.
        Box::pin(self.call_with_index(call, deadline)).await
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

const READY_TIMEOUT: Duration = Duration::from_secs(2);
const A_MOMENT: Duration = Duration::from_millis(10);

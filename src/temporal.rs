//! The seam to Temporal: one small trait, and the client that keeps it.

pub mod attributes;
pub mod client;
pub mod connect;
#[cfg(test)]
pub mod fake;
pub mod hedge;
pub mod history;
pub mod index;
pub mod lean;
pub mod limits;
pub mod link;
pub mod payload;
pub mod pool;
pub mod queues;
pub mod request;
pub mod status;
#[cfg(test)]
mod stub;
mod update;
pub mod visibility;
pub mod wire;

use std::future::Future;

use tokio::time::Instant;
use webhook_core::options::Options;
use webhook_core::outcome::{Execution, Outcome, Reject};
use webhook_core::proto::Payload;
use webhook_core::route::Verb;

use self::payload::Fields;

/// What the forwarder needs of Temporal.
pub trait Temporal: Send + Sync + 'static {
    /// Does what the call says, once however often it is made for the same event; has answered by
    /// `deadline`, retries included.
    fn call(
        &self,
        call: Box<Call>,
        deadline: Instant,
    ) -> impl Future<Output = Result<Done, Reject>> + Send;

    /// The workflow of this id that was started before and is not forgotten, if there is one; has
    /// answered by `deadline`.
    fn started(
        &self,
        workflow_id: &str,
        deadline: Instant,
    ) -> impl Future<Output = Result<Option<Execution>, Reject>> + Send;

    /// The type of this run's workflow; `None` if Temporal knows it no more; has answered by
    /// `deadline`.
    fn type_of(
        &self,
        run: &Execution,
        deadline: Instant,
    ) -> impl Future<Output = Result<Option<String>, Reject>> + Send;

    /// Where workflows are started.
    fn namespace(&self) -> &str;

    /// Whether Temporal would take a call now; the text says why not.
    fn ready(&self) -> impl Future<Output = Result<(), String>> + Send;
}

/// What to ask of Temporal, its payloads encoded and sealed.
#[derive(Debug, Clone)]
pub struct Call {
    /// What to do.
    pub verb: Verb,
    /// The workflow's id: decides what is a duplicate, and which workflow is signalled.
    pub workflow_id: String,
    /// The workflow's type.
    pub workflow_type: String,
    /// The workflow's task queue.
    pub task_queue: String,
    /// What else it is started with.
    pub options: Options<String, Payload>,
    /// The event, as the one argument.
    pub input: Payload,
    /// The memo.
    pub memo: Fields,
    /// Not sealed: Temporal searches in them.
    pub search_attributes: Fields,
    /// Likewise, those of our own: each is left out where Temporal does not take it.
    pub index: Fields,
    /// Random, one per delivery: of a start. Were it derived from the event, Temporal would call a
    /// redelivery `started` again.
    pub request_id: String,
    /// The same for every delivery of the event: of a signal or an update, which Temporal does not
    /// take twice.
    pub event_key: String,
    /// For the worker: of which trace it is, and which span asks. Not sealed, as SDKs do not.
    pub trace: Option<Payload>,
}

/// What Temporal has done.
#[derive(Debug, Clone, PartialEq)]
pub enum Done {
    /// It holds the event.
    Outcome(Outcome),
    /// The workflow has answered the update with this, encoded.
    Result(Execution, Option<Payload>),
}

//! The seam to Temporal: one small trait, and the client that keeps it.

pub mod client;
pub mod connect;
pub mod status;

use std::future::Future;

use temporalio_common::protos::temporal::api::common::v1::{Memo, Payloads};
use tokio::time::Instant;

use crate::core::outcome::{Outcome, Reject};

/// What the forwarder needs of Temporal.
pub trait Temporal: Send + Sync + 'static {
    /// Starts the workflow unless one of its id was started before; has answered by `deadline`,
    /// retries included.
    fn start(
        &self,
        start: Start,
        deadline: Instant,
    ) -> impl Future<Output = Result<Outcome, Reject>> + Send;

    /// Whether Temporal would take a start now; the text says why not.
    fn ready(&self) -> impl Future<Output = Result<(), String>> + Send;
}

/// A workflow to start, its payloads encoded and sealed.
#[derive(Debug, Clone)]
pub struct Start {
    /// The workflow's id: decides what is a duplicate.
    pub workflow_id: String,
    /// The workflow's type.
    pub workflow_type: String,
    /// The workflow's task queue.
    pub task_queue: String,
    /// The one argument.
    pub input: Payloads,
    /// The memo.
    pub memo: Memo,
    /// Random, one per delivery. Were it derived from the event, Temporal would call a
    /// redelivery `started` again.
    pub request_id: String,
}

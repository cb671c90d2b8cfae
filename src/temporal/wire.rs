//! The seam below retries, hedges and replacements: unary calls on one connection, which is the real
//! one's ([`lean`](super::lean)) or one of a simulated network.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use tonic::Status;

use super::connect::Settings;

/// One connection, for what is asked for each event.
pub trait Wire: Send + Sync {
    /// One attempt of this method of the workflow service; the answer's message. Dropped, it is
    /// cancelled. An error is Temporal's, or with a source: it was not reached.
    fn unary(
        self: Arc<Self>,
        method: &'static str,
        frame: Bytes,
        left: Duration,
    ) -> BoxFuture<'static, Result<Bytes, Status>>;

    /// Until anything comes on the connection that is there.
    fn answers(&self) -> BoxFuture<'_, ()>;

    /// From the next call on, the API key and metadata of these settings go along.
    fn go_on_with(&self, settings: &Settings);
}

//! One call, question and answer: on which connections it is made, how often, and how long it took.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures_util::future::BoxFuture;
use metrics::Histogram;
use prost::Message;
use temporalio_client::request_extensions::{NoRetryOnMatching, RetryConfigForCall};
use temporalio_client::{Connection, RetryOptions};
use tokio::time::{Instant, timeout_at};
use tonic::{Code, IntoRequest, Request, Response, Status};

use super::Client;
use crate::telemetry::TEMPORAL_DURATION;
use crate::temporal::lean;
use crate::temporal::link::Line;
use crate::temporal::{hedge, status};

impl Client {
    /// Makes the call, on a second connection, too, if it is late on the first: only what Temporal
    /// does not do twice.
    pub(in crate::temporal) async fn hedged<M, R>(
        &self,
        operation: &'static str,
        message: M,
        deadline: Instant,
        method: Method<M, R>,
    ) -> Result<R, Status>
    where
        M: Message + Clone + 'static,
        R: Message + Default + 'static,
    {
        let official = attempt(&message, deadline, method);
        let frame = OnceLock::new();
        let attempt = |line: &Line| match &line.lean {
            Some(lean) => {
                // Encoded once, whatever the attempts: they share it.
                let frame = frame.get_or_init(|| lean::frame(&message)).clone();
                let lean = Arc::clone(lean);
                let left = deadline.saturating_duration_since(Instant::now());
                Box::pin(async move {
                    let answer = lean.call(operation, frame, left).await;
                    answer.map(Response::new)
                })
            }
            None => official(line),
        };
        let call = hedge::call(self.link.pool(), Some(&self.budget), deadline, attempt);
        timed(operation, deadline, call).await
    }

    /// Makes the call, on one connection at a time.
    pub(in crate::temporal) async fn unhedged<
        M: Clone + Send + Sync + 'static,
        R: Send + 'static,
    >(
        &self,
        operation: &'static str,
        message: M,
        deadline: Instant,
        method: Method<M, R>,
    ) -> Result<R, Status> {
        let attempt = attempt(&message, deadline, method);
        let call = hedge::call(self.link.pool(), None, deadline, attempt);
        timed(operation, deadline, call).await
    }
}

/// A method of the official client.
type Method<M, R> =
    for<'c> fn(&'c mut Connection, Request<M>) -> BoxFuture<'c, Result<Response<R>, Status>>;

/// One attempt after another, each without the client's own retries.
fn attempt<M: Clone + Send + Sync + 'static, R: 'static>(
    message: &M,
    deadline: Instant,
    method: Method<M, R>,
) -> impl Fn(&Line) -> BoxFuture<'static, Result<Response<R>, Status>> + Sync {
    move |line| {
        let mut connection = line.official.clone();
        let mut request = message.clone().into_request();
        request.set_timeout(deadline.saturating_duration_since(Instant::now()));
        let once = RetryConfigForCall(RetryOptions::no_retries());
        request.extensions_mut().insert(once);
        Box::pin(async move { method(&mut connection, request).await })
    }
}

/// The request with all retries of the client's bounded by the deadline.
pub(in crate::temporal) fn within<R>(message: R, deadline: Instant) -> Request<R> {
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
pub(in crate::temporal) async fn timed<R>(
    operation: &'static str,
    deadline: Instant,
    call: impl Future<Output = Result<Response<R>, Status>>,
) -> Result<R, Status> {
    let begun = Instant::now();
    let answer = timeout_at(deadline, call)
        .await
        .unwrap_or_else(|_| Err(Status::deadline_exceeded("Temporal did not answer in time")));
    let code = answer.as_ref().map_or_else(Status::code, |_| Code::Ok);
    record(operation, code, begun.elapsed());
    answer.map(Response::into_inner)
}

/// Those of the operations that events ask for are looked up once.
fn record(operation: &'static str, code: Code, elapsed: Duration) {
    let find = || {
        let code = code_label(code);
        metrics::histogram!(TEMPORAL_DURATION, "operation" => operation, "code" => code)
    };
    let of_events = OF_EVENTS.iter().position(|name| *name == operation);
    let seconds = elapsed.as_secs_f64();
    match of_events.and_then(|index| HISTOGRAMS[index].get(code as usize)) {
        Some(histogram) => histogram.get_or_init(find).record(seconds),
        None => find().record(seconds),
    }
}

const OF_EVENTS: [&str; 3] = [
    "StartWorkflowExecution",
    "SignalWithStartWorkflowExecution",
    "SignalWorkflowExecution",
];
static HISTOGRAMS: [[OnceLock<Histogram>; CODES]; OF_EVENTS.len()] =
    [const { [const { OnceLock::new() }; CODES] }; OF_EVENTS.len()];
/// From `Ok`, 0, to `Unauthenticated`.
const CODES: usize = 17;

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

//! One call, question and answer: on which connections it is made, how often, and how long it took.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use metrics::Histogram;
use prost::Message;
use temporalio_client::request_extensions::{NoRetryOnMatching, RetryConfigForCall};
use temporalio_client::{Connection, RetryOptions};
use tokio::time::{Instant, timeout_at};
use tonic::{Code, IntoRequest, Request, Response, Status};

use super::Client;
use crate::telemetry::TEMPORAL_DURATION;
use crate::temporal::hedge::Budget;
use crate::temporal::lean;
use crate::temporal::link::Line;
use crate::temporal::{hedge, status};

impl Client {
    /// Makes the call, on a second connection, too, if it is late on the first: only what Temporal
    /// does not do twice.
    pub(in crate::temporal) async fn hedged<M, R>(
        &self,
        operation: &'static str,
        frame: Bytes,
        deadline: Instant,
        method: Method<M, R>,
    ) -> Result<R, Status>
    where
        M: Message + Default + 'static,
        R: Message + Default + 'static,
    {
        let budget = Some(&self.budget);
        self.asked(operation, frame, deadline, method, budget).await
    }

    /// Makes the call, on one connection at a time.
    pub(in crate::temporal) async fn unhedged<M, R>(
        &self,
        operation: &'static str,
        frame: Bytes,
        deadline: Instant,
        method: Method<M, R>,
    ) -> Result<R, Status>
    where
        M: Message + Default + 'static,
        R: Message + Default + 'static,
    {
        self.asked(operation, frame, deadline, method, None).await
    }

    /// As long as it is under way the call is small, whatever is asked: frames and encoded answers.
    fn asked<M, R>(
        &self,
        operation: &'static str,
        frame: Bytes,
        deadline: Instant,
        method: Method<M, R>,
        budget: Option<&Budget>,
    ) -> impl Future<Output = Result<R, Status>>
    where
        M: Message + Default + 'static,
        R: Message + Default + 'static,
    {
        let attempt = move |line: &Line| attempt(line, operation, &frame, deadline, method);
        let call = hedge::call(self.link.pool(), budget, deadline, attempt);
        async move { decoded(timed(operation, deadline, call).await?) }
    }
}

/// A method of the official client.
type Method<M, R> =
    for<'c> fn(&'c mut Connection, Request<M>) -> BoxFuture<'c, Result<Response<R>, Status>>;

/// One call on one connection; its answer is an encoded message.
type Attempt = BoxFuture<'static, Result<Bytes, Status>>;

/// One attempt, without the official client's own retries. All attempts share the frame.
fn attempt<M, R>(
    line: &Line,
    operation: &'static str,
    frame: &Bytes,
    deadline: Instant,
    method: Method<M, R>,
) -> Attempt
where
    M: Message + Default + 'static,
    R: Message + Default + 'static,
{
    let (frame, left) = (
        frame.clone(),
        deadline.saturating_duration_since(Instant::now()),
    );
    if let Some(wire) = &line.wire {
        return Arc::clone(wire).unary(operation, frame, left);
    }
    let mut connection = line.official.clone();
    Box::pin(async move {
        let mut request = decoded::<M>(lean::unframed(frame)?)?.into_request();
        request.set_timeout(left);
        let once = RetryConfigForCall(RetryOptions::no_retries());
        request.extensions_mut().insert(once);
        let answer = method(&mut connection, request).await?;
        Ok(answer.into_inner().encode_to_vec().into())
    })
}

fn decoded<R: Message + Default>(answer: Bytes) -> Result<R, Status> {
    R::decode(answer).map_err(|error| Status::internal(error.to_string()))
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
    call: impl Future<Output = Result<R, Status>>,
) -> Result<R, Status> {
    let begun = Instant::now();
    let answer = timeout_at(deadline, call)
        .await
        .unwrap_or_else(|_| Err(Status::deadline_exceeded("Temporal did not answer in time")));
    let code = answer.as_ref().map_or_else(Status::code, |_| Code::Ok);
    record(operation, code, begun.elapsed());
    answer
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

//! What Temporal's gRPC answers mean. Each row was seen on a real 1.29 server.

use std::error::Error;

use prost::{Message, Name};
use temporalio_common::protos::google::rpc;
use temporalio_common::protos::temporal::api::errordetails::v1::{
    MultiOperationExecutionFailure, NamespaceNotFoundFailure,
    WorkflowExecutionAlreadyStartedFailure,
};
use tonic::{Code, Status};
use webhook_core::outcome::{Execution, Outcome, Reject};

use super::limits::Sizes;

/// Whom a call was for, and its sizes: for the texts.
#[derive(Debug, Clone, Copy)]
pub struct CallContext<'a> {
    /// Temporal's address.
    pub address: &'a str,
    /// What was sent.
    pub sizes: Sizes,
}

/// The answer to a start that did not succeed.
///
/// # Errors
/// Whatever it is but a duplicate: see [`reject`].
pub fn duplicate(
    status: &Status,
    workflow_id: String,
    context: CallContext<'_>,
) -> Result<Outcome, Reject> {
    match status.code() {
        Code::AlreadyExists => Ok(Outcome::Duplicate(closed(status, workflow_id))),
        _ => Err(reject(status, context)),
    }
}

/// The closed run that an `ALREADY_EXISTS` speaks of.
pub fn closed(status: &Status, workflow_id: String) -> Execution {
    Execution {
        workflow_id,
        run_id: run_id(status).unwrap_or_default(),
    }
}

/// What an answer means that is no success.
pub fn reject(status: &Status, context: CallContext<'_>) -> Reject {
    match status.code() {
        _ if is_too_large(status) => Reject::Oversized(format!(
            "encoded, it has {}, which Temporal refuses: {}",
            context.sizes,
            text(status)
        )),
        _ if is_away(status) => Reject::Unavailable(away(status, context.address)),
        // The same event would be refused again; the next one may not be.
        Code::InvalidArgument | Code::AlreadyExists => Reject::Unstartable(text(status)),
        Code::NotFound
        | Code::PermissionDenied
        | Code::Unauthenticated
        | Code::FailedPrecondition
        | Code::Unimplemented => Reject::Refused(text(status)),
        _ => Reject::Unavailable(format!("Temporal at {}: {}", context.address, text(status))),
    }
}

/// Of several operations at once, the answer to the one that did not succeed.
pub fn of_operations(status: Status) -> Status {
    let failure: Option<MultiOperationExecutionFailure> = detail(&status);
    let statuses = failure.into_iter().flat_map(|failure| failure.statuses);
    let cause = statuses
        .filter(|one| ![Code::Ok, Code::Aborted].contains(&Code::from_i32(one.code)))
        .map(|one| {
            let (code, message) = (Code::from_i32(one.code), one.message);
            let details = rpc::Status {
                code: one.code,
                message: message.clone(),
                details: one.details,
            };
            Status::with_details(code, message, details.encode_to_vec().into())
        })
        .next();
    cause.unwrap_or(status)
}

/// Whether Temporal was not reached, or did not answer: nothing that it says.
pub fn is_away(status: &Status) -> bool {
    status.source().is_some() || is_late(status)
}

/// Whether there was no answer in time.
pub fn is_late(status: &Status) -> bool {
    matches!(status.code(), Code::DeadlineExceeded | Code::Cancelled)
}

/// The same in words.
pub fn away(status: &Status, address: &str) -> String {
    if is_late(status) {
        return format!("Temporal at {address} did not answer in time");
    }
    let reason = deepest(status).unwrap_or_else(|| text(status));
    format!("Temporal at {address} cannot be reached: {reason}")
}

/// Whether the run takes no more signals or updates, for ever: Temporal counts them, and says so of
/// a signal that it has taken before, too.
pub fn is_full(status: &Status) -> bool {
    let message = status.message();
    match status.code() {
        Code::InvalidArgument => message.contains("limit for signal events"),
        Code::FailedPrecondition => message.contains("total number of distinct updates"),
        _ => false,
    }
}

/// Whether there is no such workflow, or it runs no more: another namespace is another matter.
pub fn is_missing(status: &Status) -> bool {
    status.code() == Code::NotFound && detail::<NamespaceNotFoundFailure>(status).is_none()
}

/// Whether a retry inside the delivery is pointless: overload wants fewer requests, not more. A run
/// that is about to continue as new is none: the next takes it.
pub fn retry_is_pointless(status: &Status) -> bool {
    status.code() == Code::ResourceExhausted && !status.message().contains("workflow is closing")
}

/// Whether another attempt may get another answer, and may be made soon.
pub fn may_be_over_in_a_moment(status: &Status) -> bool {
    let broke = status.code() == Code::Cancelled && status.source().is_some();
    (broke || is_transient(status.code())) && !retry_is_pointless(status)
}

/// Whether it is Temporal's word on the call itself: it will say so again, whoever asks.
pub fn is_definite(status: &Status) -> bool {
    !is_away(status) && !is_transient(status.code())
}

const fn is_transient(code: Code) -> bool {
    matches!(
        code,
        Code::DataLoss
            | Code::Internal
            | Code::Unknown
            | Code::ResourceExhausted
            | Code::Aborted
            | Code::OutOfRange
            | Code::Unavailable
    )
}

/// The code and Temporal's own words, for the log; if it never came to Temporal, why.
pub fn text(status: &Status) -> String {
    let mut text = status.code().description().to_owned();
    let cause = deepest(status);
    for part in [Some(without_value(status.message())), cause.as_deref()] {
        if let Some(part) = part.filter(|part| !part.is_empty()) {
            text += ": ";
            text += part;
        }
    }
    text
}

/// What is behind it on this side.
fn deepest(status: &Status) -> Option<String> {
    let mut cause = status.source();
    while let Some(deeper) = cause.and_then(Error::source) {
        cause = Some(deeper);
    }
    cause.map(ToString::to_string)
}

/// Of a search attribute that does not fit Temporal quotes the value: it is the event's.
fn without_value(message: &str) -> &str {
    match message.split_once(" of type ") {
        Some((before, after)) if before.contains("invalid value for search attribute") => {
            let kind = after.find(':').unwrap_or(after.len());
            &message[..message.len() - after.len() + kind]
        }
        _ => message,
    }
}

fn is_too_large(status: &Status) -> bool {
    let message = status.message();
    match status.code() {
        Code::InvalidArgument => message.contains("size exceeds limit"),
        Code::ResourceExhausted => message.contains("larger than max"),
        _ => false,
    }
}

fn run_id(status: &Status) -> Option<String> {
    let failure: WorkflowExecutionAlreadyStartedFailure = detail(status)?;
    Some(failure.run_id)
}

/// What Temporal says besides code and message, if it is of this type.
fn detail<T: Message + Name + Default>(status: &Status) -> Option<T> {
    let details = rpc::Status::decode(status.details()).ok()?.details;
    let suffix = format!("/{}", T::full_name());
    let mut fitting = details.iter().filter(|any| any.type_url.ends_with(&suffix));
    fitting.find_map(|any| T::decode(any.value.as_slice()).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_value_of_the_event_is_in_a_text() {
        let message = "invalid value for search attribute Total of type Int: a : secret of type x";
        let text = text(&Status::new(Code::InvalidArgument, message));
        assert!(
            text.ends_with(": invalid value for search attribute Total of type Int"),
            "{text}"
        );
    }

    fn label(code: Code, message: &str) -> &'static str {
        let context = CallContext {
            address: "temporal:7233",
            sizes: Sizes::default(),
        };
        match duplicate(&Status::new(code, message), "w".into(), context) {
            Ok(outcome) => outcome.label(),
            Err(reject) => reject.row().label,
        }
    }

    #[test]
    fn what_never_came_from_temporal_names_its_address() {
        let refused = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
        let unreached = Status::from_error(Box::new(refused));
        assert!(is_away(&unreached));
        assert_eq!(
            away(&unreached, "temporal:7233"),
            "Temporal at temporal:7233 cannot be reached: connection refused"
        );
        let late = Status::deadline_exceeded("");
        let said = away(&late, "temporal:7233");
        assert_eq!(said, "Temporal at temporal:7233 did not answer in time");
        // So says the server, or this side, that has given up.
        assert!(is_late(&late) && is_late(&Status::cancelled("")));
        assert!(!is_away(&Status::unavailable("shutting down")));
    }

    #[test]
    fn the_operation_that_failed_is_the_answer() {
        use temporalio_common::protos::temporal::api::errordetails::v1::multi_operation_execution_failure::OperationStatus;

        let status = |code: Code, message: &str| OperationStatus {
            code: code.into(),
            message: message.to_owned(),
            details: Vec::new(),
        };
        let failure = MultiOperationExecutionFailure {
            statuses: vec![
                status(Code::Aborted, "aborted"),
                status(Code::FailedPrecondition, FULL),
            ],
        };
        let name = MultiOperationExecutionFailure::full_name();
        let mut details = rpc::Status {
            details: vec![Default::default()],
            ..rpc::Status::default()
        };
        details.details[0].type_url = format!("type.googleapis.com/{name}");
        details.details[0].value = failure.encode_to_vec();
        let details = details.encode_to_vec().into();
        let status = Status::with_details(Code::FailedPrecondition, "could not", details);
        let cause = of_operations(status);
        assert_eq!(cause.message(), FULL);
        assert!(is_full(&cause));
        assert!(!is_full(&Status::invalid_argument(FULL)));
    }

    const FULL: &str = "The limit on the total number of distinct updates in this workflow has been reached (2000).";

    #[test]
    fn what_is_over_in_a_moment_is_tried_again_at_once() {
        for (status, expected) in [
            (
                Status::resource_exhausted("namespace rate limit exceeded"),
                true,
            ),
            (
                Status::resource_exhausted(
                    "workflow operation can not be applied because workflow is closing",
                ),
                false,
            ),
            (Status::unavailable(""), false),
        ] {
            assert_eq!(retry_is_pointless(&status), expected, "{status:?}");
        }
    }

    #[test]
    fn every_code_has_its_meaning() {
        for (code, message, expected) in [
            (Code::AlreadyExists, "", "duplicate"),
            (
                Code::InvalidArgument,
                "Blob data size exceeds limit.",
                "too_large",
            ),
            (
                Code::InvalidArgument,
                "WorkflowId length exceeds limit.",
                "malformed",
            ),
            (
                Code::ResourceExhausted,
                "grpc: received message larger than max (5 vs. 4)",
                "too_large",
            ),
            (
                Code::ResourceExhausted,
                "namespace rate limit exceeded",
                "unavailable",
            ),
            (Code::NotFound, "Namespace x is not found.", "refused"),
            (Code::PermissionDenied, "", "refused"),
            (Code::Unauthenticated, "", "refused"),
            (Code::Unavailable, "", "unavailable"),
            (Code::DeadlineExceeded, "", "unavailable"),
            (Code::Cancelled, "", "unavailable"),
            (Code::Unknown, "", "unavailable"),
            (Code::Internal, "", "unavailable"),
        ] {
            assert_eq!(label(code, message), expected, "{code:?} {message}");
        }
    }
}

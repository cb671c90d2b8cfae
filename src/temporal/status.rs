//! What Temporal's gRPC answers mean. Each row was seen on a real 1.29 server.

use std::error::Error;

use prost::{Message, Name};
use temporalio_common::protos::google::rpc;
use temporalio_common::protos::temporal::api::errordetails::v1::{
    MultiOperationExecutionFailure, NamespaceNotFoundFailure,
    WorkflowExecutionAlreadyStartedFailure,
};
use tonic::{Code, Status};

use crate::core::outcome::{Execution, Outcome, Reject};

/// The answer to a start that did not succeed.
///
/// # Errors
/// Whatever it is but a duplicate: see [`reject`].
pub fn duplicate(status: &Status, workflow_id: String) -> Result<Outcome, Reject> {
    match status.code() {
        Code::AlreadyExists => Ok(Outcome::Duplicate(Execution {
            workflow_id,
            run_id: run_id(status).unwrap_or_default(),
        })),
        _ => Err(reject(status)),
    }
}

/// What an answer means that is no success.
pub fn reject(status: &Status) -> Reject {
    match status.code() {
        _ if is_too_large(status) => Reject::TooLarge("Temporal refused the payload's size"),
        // The same event would be refused again; the next one may not be.
        Code::InvalidArgument | Code::AlreadyExists => Reject::Unstartable(text(status)),
        Code::NotFound
        | Code::PermissionDenied
        | Code::Unauthenticated
        | Code::FailedPrecondition
        | Code::Unimplemented => Reject::Refused(text(status)),
        _ => Reject::Unavailable(text(status)),
    }
}

/// The same of several operations at once, of which one did not succeed.
pub fn of_operations(status: &Status) -> Reject {
    let failure: Option<MultiOperationExecutionFailure> = detail(status);
    let statuses = failure.into_iter().flat_map(|failure| failure.statuses);
    let cause = statuses
        .filter(|one| ![Code::Ok, Code::Aborted].contains(&Code::from_i32(one.code)))
        .map(|one| Status::new(Code::from_i32(one.code), one.message))
        .next();
    reject(cause.as_ref().unwrap_or(status))
}

/// Whether there is no such workflow, or it runs no more: another namespace is another matter.
pub fn is_missing(status: &Status) -> bool {
    status.code() == Code::NotFound && detail::<NamespaceNotFoundFailure>(status).is_none()
}

/// Whether a retry inside the delivery is pointless: overload wants fewer requests, not more.
pub fn retry_is_pointless(status: &Status) -> bool {
    status.code() == Code::ResourceExhausted
}

/// The code and Temporal's own words, for the log; if it never came to Temporal, why.
pub fn text(status: &Status) -> String {
    let mut text = status.code().description().to_owned();
    let mut cause = status.source();
    while let Some(deeper) = cause.and_then(Error::source) {
        cause = Some(deeper);
    }
    let cause = cause.map(ToString::to_string);
    for part in [Some(without_value(status.message())), cause.as_deref()] {
        if let Some(part) = part.filter(|part| !part.is_empty()) {
            text += ": ";
            text += part;
        }
    }
    text
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
        match duplicate(&Status::new(code, message), "w".into()) {
            Ok(outcome) => outcome.label(),
            Err(reject) => reject.row().label,
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

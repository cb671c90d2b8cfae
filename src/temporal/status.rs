//! What Temporal's gRPC answers mean for a start. Each row was seen on a real 1.29 server.

use prost::Message;
use temporalio_common::protos::google::rpc;
use temporalio_common::protos::temporal::api::errordetails::v1::WorkflowExecutionAlreadyStartedFailure;
use tonic::{Code, Status};

use crate::core::outcome::{Execution, Outcome, Reject};

/// The answer to a start that did not succeed.
pub fn outcome(status: &Status, workflow_id: String) -> Result<Outcome, Reject> {
    match status.code() {
        Code::AlreadyExists => Ok(Outcome::Duplicate(Execution {
            workflow_id,
            run_id: run_id(status).unwrap_or_default(),
        })),
        _ if is_too_large(status) => Err(Reject::TooLarge("Temporal refused the payload's size")),
        Code::InvalidArgument
        | Code::NotFound
        | Code::PermissionDenied
        | Code::Unauthenticated
        | Code::FailedPrecondition
        | Code::Unimplemented => Err(Reject::Refused(text(status))),
        _ => Err(Reject::Unavailable(text(status))),
    }
}

/// Whether a retry inside the delivery is pointless: overload wants fewer requests, not more.
pub fn retry_is_pointless(status: &Status) -> bool {
    status.code() == Code::ResourceExhausted
}

/// The code and Temporal's own words, for the log.
pub fn text(status: &Status) -> String {
    let name = status.code().description();
    match status.message() {
        "" => name.to_owned(),
        message => format!("{name}: {message}"),
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
    let details = rpc::Status::decode(status.details()).ok()?.details;
    details
        .iter()
        .filter(|any| {
            any.type_url
                .ends_with(".WorkflowExecutionAlreadyStartedFailure")
        })
        .find_map(|any| WorkflowExecutionAlreadyStartedFailure::decode(any.value.as_slice()).ok())
        .map(|failure| failure.run_id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn label(code: Code, message: &str) -> &'static str {
        match outcome(&Status::new(code, message), "w".into()) {
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
                "refused",
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

//! Every way a request can end, and ONE table of what each means: status, public text, metric
//! label, log level, and whether sending again can help.

use std::time::Duration;

use http::StatusCode;
use serde::Serialize;

use super::respond::Reply;
use super::verify::VerifyError;

/// A webhook that Temporal holds, or that a rule of the operator's dropped: the only outcomes that
/// are answered 2xx, unless a workflow says otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// This delivery started the workflow.
    Started(Execution),
    /// An earlier delivery of the same event did.
    Duplicate(Execution),
    /// The workflow has the signal. A redelivery's signal is dropped by Temporal.
    Signalled(Execution),
    /// The workflow has accepted the update.
    Updated(Execution),
    /// The workflow has accepted the update, but its result did not come in time.
    Accepted(Execution),
    /// The workflow has answered the update: this is for the sender.
    Replied(Execution, Reply),
    /// A rule of the operator's says so.
    Dropped,
    /// It can never start as configured, and is parked whole.
    DeadLettered(Execution),
}

/// The workflow execution that holds an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Execution {
    /// The workflow's id.
    pub workflow_id: String,
    /// The run's id; empty if Temporal did not say.
    pub run_id: String,
}

impl Outcome {
    /// The value of `status` in the answer and of the metric's label `outcome`.
    pub const fn label(&self) -> &'static str {
        match self {
            Self::Started(_) => "started",
            Self::Duplicate(_) => "duplicate",
            Self::Signalled(_) => "signalled",
            Self::Updated(_) | Self::Replied(..) => "updated",
            Self::Accepted(_) => "accepted",
            Self::Dropped => "dropped",
            Self::DeadLettered(_) => "dead_lettered",
        }
    }

    /// The workflow execution that holds the event; a dropped one has none.
    pub const fn execution(&self) -> Option<&Execution> {
        match self {
            Self::Started(execution)
            | Self::Duplicate(execution)
            | Self::Signalled(execution)
            | Self::Updated(execution)
            | Self::Accepted(execution)
            | Self::Replied(execution, _)
            | Self::DeadLettered(execution) => Some(execution),
            Self::Dropped => None,
        }
    }
}

/// The table: each way to be refused with its row. One that asks the sender to send again is 503, which
/// some senders alone repeat, or 429 if it is the sender's own pace; every other is 4xx.
macro_rules! rejects {
    ($($(#[$doc:meta])* $name:ident $(($($held:ty),+))? = $status:literal, $label:literal, $title:literal, $fault:ident;)+) => {
        /// A request that is not acknowledged. The text in it is for the log, never for the caller.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum Reject {
            $($(#[$doc])* $name $(($($held),+))?,)+
        }

        impl Reject {
            /// Its row of the table.
            pub const fn row(&self) -> Row {
                match self {
                    $(Self::$name { .. } => Row::new($status, $label, $title, Fault::$fault),)+
                }
            }
        }

        /// The rows of all.
        pub const ROWS: &[Row] = &[$(Row::new($status, $label, $title, Fault::$fault)),+];
    };
}

rejects! {
    /// The signature is missing, malformed, wrong or too old.
    InvalidSignature(VerifyError) = 401, "invalid_signature", "invalid signature", Caller;
    /// The request cannot be an event, or is broken HTTP.
    Malformed(&'static str) = 400, "malformed", "malformed request", Caller;
    /// It is verified, but can never start as configured, and may not be parked.
    Unstartable(String) = 400, "malformed", "malformed request", Configuration;
    /// No source has this path.
    NotFound(String) = 404, "not_found", "not found", Caller;
    /// The path is there, the method is not; the first value is for `Allow`, the second says why.
    MethodNotAllowed(String, &'static str) = 405, "method_not_allowed", "method not allowed", Caller;
    /// The address may not send to this source, or a handshake's token is wrong.
    Forbidden(&'static str) = 403, "forbidden", "forbidden", Caller;
    /// Over a limit of the source, or its address is blocked: after so long it is worth a try.
    RateLimited(Duration, String) = 429, "rate_limited", "too many requests", Moment;
    /// The body is over the source's limit; the text has it.
    TooLarge(String) = 413, "too_large", "payload too large", Caller;
    /// Encoded, it is over what Temporal takes; the text has both sizes.
    Oversized(String) = 413, "too_large", "payload too large", Configuration;
    /// The workflow takes no more, or is closed, and may have taken an earlier delivery of the event.
    MaybeTaken(Execution, String) = 400, "malformed", "malformed request", Configuration;
    /// A `Content-Encoding`, or a type that the source refuses.
    UnsupportedType(String) = 415, "unsupported_type", "unsupported type", Caller;
    /// The body did not arrive in time, or broke off: a verified event may be behind it.
    TooSlow(&'static str) = 503, "too_slow", "request too slow", Moment;
    /// Not even the head arrived in time.
    HeadTooSlow = 408, "too_slow", "request too slow", Caller;
    /// Temporal cannot take it now, or this process is full or stopping.
    Unavailable(String) = 503, "unavailable", "try again later", Moment;
    /// Temporal refused for a reason that the operator must mend.
    Refused(String) = 503, "refused", "upstream refused the event", Operator;
    /// A bug of ours.
    Internal(&'static str) = 503, "internal", "internal error", Operator;
}

impl Row {
    const fn new(status: u16, label: &'static str, title: &'static str, fault: Fault) -> Self {
        let status = match StatusCode::from_u16(status) {
            Ok(status) => status,
            Err(_) => StatusCode::SERVICE_UNAVAILABLE,
        };
        Self {
            status,
            label,
            title,
            fault,
        }
    }
}

/// One row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// The HTTP status.
    pub status: StatusCode,
    /// The metric's label `outcome`.
    pub label: &'static str,
    /// The whole text that the caller gets to see.
    pub title: &'static str,
    /// Who has to act: decides the log level.
    pub fault: Fault,
}

/// Whose fault a rejection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The caller's: sending the same again cannot help (4xx). Logged at `info`.
    Caller,
    /// The moment's: sending again is what helps (503, 429). Logged at `warn`.
    Moment,
    /// The operator's, who wants it refused for good (4xx). Logged at `error`.
    Configuration,
    /// The operator's or ours: sending again helps once it is mended (503). Logged at `error`.
    Operator,
}

impl Fault {
    /// Whether the sender should send again.
    pub const fn send_again(self) -> bool {
        !matches!(self, Self::Caller | Self::Configuration)
    }
}

impl Reject {
    /// What to write to the log.
    pub fn reason(&self) -> &str {
        match self {
            Self::InvalidSignature(unproven) => &unproven.reason,
            Self::Malformed(reason)
            | Self::Forbidden(reason)
            | Self::TooSlow(reason)
            | Self::Internal(reason) => reason,
            Self::Unstartable(reason)
            | Self::NotFound(reason)
            | Self::TooLarge(reason)
            | Self::UnsupportedType(reason)
            | Self::Oversized(reason)
            | Self::MaybeTaken(_, reason)
            | Self::RateLimited(_, reason)
            | Self::Unavailable(reason)
            | Self::Refused(reason) => reason,
            Self::MethodNotAllowed(_, reason) => reason,
            Self::HeadTooSlow => "the head did not arrive in time",
        }
    }
}

/// Every value of the metric's label `outcome`.
pub const LABELS: &[&str] = &[
    "started",
    "duplicate",
    "signalled",
    "updated",
    "accepted",
    "dropped",
    "dead_lettered",
    "handshake",
    "invalid_signature",
    "malformed",
    "not_found",
    "method_not_allowed",
    "forbidden",
    "rate_limited",
    "too_large",
    "unsupported_type",
    "too_slow",
    "unavailable",
    "refused",
    "internal",
];

/// Seconds in `Retry-After`: below the 60 that some senders treat as a limit.
pub const RETRY_AFTER_SECONDS: &str = "5";

/// The same of a limit whose bucket has room after so long: whoever comes too early is told again.
pub fn retry_after(wait: Duration) -> u64 {
    wait.as_millis().div_ceil(1000).clamp(1, 59) as u64
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_503_asks_to_send_again_and_a_4xx_does_not() {
        for row in ROWS {
            let unavailable = row.status == StatusCode::SERVICE_UNAVAILABLE;
            let too_fast = row.status == StatusCode::TOO_MANY_REQUESTS;
            assert_eq!(unavailable || too_fast, row.fault.send_again(), "{row:?}");
            assert_ne!(unavailable, row.status.is_client_error(), "{row:?}");
        }
    }

    #[test]
    fn the_table_is_what_senders_and_operators_rely_on() {
        use Fault::{Caller, Configuration, Moment, Operator};
        let rows = ROWS
            .iter()
            .map(|row| (row.status.as_u16(), row.label, row.fault));
        let expected = [
            (401, "invalid_signature", Caller),
            (400, "malformed", Caller),
            (400, "malformed", Configuration),
            (404, "not_found", Caller),
            (405, "method_not_allowed", Caller),
            (403, "forbidden", Caller),
            (429, "rate_limited", Moment),
            (413, "too_large", Caller),
            (413, "too_large", Configuration),
            (400, "malformed", Configuration),
            (415, "unsupported_type", Caller),
            (503, "too_slow", Moment),
            (408, "too_slow", Caller),
            (503, "unavailable", Moment),
            (503, "refused", Operator),
            (503, "internal", Operator),
        ];
        assert_eq!(rows.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn no_row_disables_a_subscription() {
        // Standard Webhooks senders disable an endpoint on 410, Mailgun gives up on 406.
        for row in ROWS {
            assert!(!matches!(row.status.as_u16(), 406 | 410 | 504), "{row:?}");
        }
        let seconds: u32 = RETRY_AFTER_SECONDS.parse().expect("a number");
        assert!(seconds > 0 && seconds < 60);
    }

    #[test]
    fn labels_are_unique() {
        // Whether an event is malformed or too large by itself or for this configuration is the
        // same to a sender, and what is too slow is too slow.
        let rows = ROWS
            .iter()
            .filter(|row| row.fault != Fault::Configuration)
            .filter(|row| **row != Reject::HeadTooSlow.row());
        let labels: Vec<_> = rows.map(|row| row.label).collect();
        let unique: HashSet<_> = labels.iter().collect();
        assert_eq!(labels.len(), unique.len(), "{labels:?}");
    }

    #[test]
    fn the_list_of_labels_is_whole() {
        let execution = || Execution {
            workflow_id: String::new(),
            run_id: String::new(),
        };
        let outcomes = [
            Outcome::Started(execution()),
            Outcome::Duplicate(execution()),
            Outcome::Signalled(execution()),
            Outcome::Updated(execution()),
            Outcome::Accepted(execution()),
            Outcome::Dropped,
            Outcome::DeadLettered(execution()),
        ];
        let labels: HashSet<_> = ROWS
            .iter()
            .map(|row| row.label)
            .chain(outcomes.iter().map(Outcome::label))
            .chain(["handshake"])
            .collect();
        assert_eq!(labels, LABELS.iter().copied().collect());
        assert_eq!(labels.len(), LABELS.len(), "one is there twice");
    }
}

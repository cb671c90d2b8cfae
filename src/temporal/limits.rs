//! How large what Temporal takes may be: what the namespace says, and what one message leaves.

use std::fmt;

use temporalio_common::protos::temporal::api::namespace::v1::namespace_info;
use temporalio_common::protos::temporal::api::workflowservice::v1::DescribeNamespaceResponse;
use webhook_core::outcome::Reject;
use webhook_core::route::Verb;

use super::Call;
use super::payload::{arguments_len, memo_len};
use crate::config::DEFAULT_MAX_PAYLOAD;

/// What the namespace takes, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Of one argument's payloads.
    pub payload: usize,
    /// Of one memo.
    pub memo: usize,
}

/// What a call has, in bytes, encoded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sizes {
    /// Its argument.
    pub input: usize,
    /// Its memo; a signal has none.
    pub memo: usize,
}

impl Default for Limits {
    /// Temporal's own defaults: not every server says its own.
    fn default() -> Self {
        Self {
            payload: DEFAULT_MAX_PAYLOAD,
            memo: DEFAULT_MAX_PAYLOAD,
        }
    }
}

impl Limits {
    /// What the namespace says of itself.
    pub fn of(answer: &DescribeNamespaceResponse) -> Self {
        let info = answer.namespace_info.as_ref();
        let reported = info.and_then(|info| info.limits.as_ref());
        let limit = |of: fn(&namespace_info::Limits) -> i64, default| {
            let limit = reported.and_then(|limits| usize::try_from(of(limits)).ok());
            limit.filter(|limit| *limit > 0).unwrap_or(default)
        };
        let default = Self::default();
        Self {
            payload: limit(|limits| limits.blob_size_limit_error, default.payload),
            memo: limit(|limits| limits.memo_size_limit_error, default.memo),
        }
    }

    /// Whether Temporal takes a message of so many bytes with these in it.
    ///
    /// # Errors
    /// [`Reject::Oversized`] with size and limit.
    pub fn check(self, sizes: Sizes, message: usize) -> Result<(), Reject> {
        let Sizes { input, memo } = sizes;
        let over = |what, size, limit, why| {
            let text = format!("encoded, {what} {size} bytes, and Temporal takes {limit}{why}");
            Err(Reject::Oversized(text))
        };
        if memo > self.memo {
            return over("its memo has", memo, self.memo, "");
        }
        if input > self.payload {
            return over("it has", input, self.payload, "");
        }
        let room = MAX_MESSAGE.saturating_sub(message.saturating_sub(input));
        if input > room {
            return over(
                "it has",
                input,
                room,
                " beside its memo and the rest of a message",
            );
        }
        Ok(())
    }
}

impl fmt::Display for Sizes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { input, memo } = self;
        write!(f, "{input} bytes of argument and {memo} of memo")
    }
}

impl Sizes {
    /// Of this call.
    pub fn of(call: &Call) -> Self {
        let has_memo = !matches!(call.verb, Verb::Signal { .. });
        Self {
            input: arguments_len(&call.input),
            memo: if has_memo { memo_len(&call.memo) } else { 0 },
        }
    }
}

/// Bytes of one message: the 4 MiB that gRPC servers take, and Temporal leaves at that, less what
/// it puts around the message on its way to the server behind (seen: 49 bytes).
const MAX_MESSAGE: usize = 4 * 1024 * 1024 - 1024;

#[cfg(test)]
mod tests {
    use temporalio_common::protos::temporal::api::namespace::v1::NamespaceInfo;
    use webhook_core::action::OnMissing;
    use webhook_core::payload;

    use super::*;

    #[test]
    fn the_namespace_says_them_or_they_are_temporals_defaults() {
        let answer = |limits| DescribeNamespaceResponse {
            namespace_info: Some(NamespaceInfo {
                limits,
                ..NamespaceInfo::default()
            }),
            ..DescribeNamespaceResponse::default()
        };
        let said = |payload, memo| namespace_info::Limits {
            blob_size_limit_error: payload,
            memo_size_limit_error: memo,
            ..namespace_info::Limits::default()
        };
        let default = Limits::default();
        for (answer, expected) in [
            (
                DescribeNamespaceResponse::default(),
                (default.payload, default.memo),
            ),
            (answer(None), (default.payload, default.memo)),
            (answer(Some(said(0, -1))), (default.payload, default.memo)),
            (answer(Some(said(1000, 0))), (1000, default.memo)),
            (answer(Some(said(8 << 20, 32))), (8 << 20, 32)),
        ] {
            let limits = Limits::of(&answer);
            assert_eq!((limits.payload, limits.memo), expected);
        }
    }

    #[test]
    fn a_signal_has_no_memo() {
        let call = |verb| Call {
            verb,
            workflow_id: String::new(),
            workflow_type: String::new(),
            task_queue: String::new(),
            options: Default::default(),
            input: payload::text("event"),
            memo: [("m".to_owned(), payload::text("memo"))].into(),
            search_attributes: Default::default(),
            index: Default::default(),
            request_id: String::new(),
            event_key: String::new(),
            trace: None,
        };
        let signal = Verb::Signal {
            signal: "s".to_owned(),
            on_missing: OnMissing::Retry,
        };
        let (signal, start) = (Sizes::of(&call(signal)), Sizes::of(&call(Verb::Start)));
        assert_eq!((signal.memo, signal.input), (0, start.input));
        assert!(start.memo > 0);
    }

    #[test]
    fn whichever_is_less_holds() {
        const MIB: usize = 1 << 20;
        let limits = |payload, memo| Limits { payload, memo };
        for (limits, input, memo, message, size_and_limit) in [
            (limits(2 * MIB, MIB), 2 * MIB, MIB, 3 * MIB + 500, None),
            (
                limits(2 * MIB, MIB),
                2 * MIB + 1,
                0,
                3 * MIB,
                Some((2 * MIB + 1, 2 * MIB)),
            ),
            (limits(100, 50), 100, 51, 300, Some((51, 50))),
            // A namespace that takes more than a message holds.
            (
                limits(8 * MIB, MIB),
                MAX_MESSAGE - 900,
                0,
                MAX_MESSAGE,
                None,
            ),
            (
                limits(8 * MIB, MIB),
                MAX_MESSAGE - 900,
                0,
                MAX_MESSAGE + 1,
                Some((MAX_MESSAGE - 900, MAX_MESSAGE - 901)),
            ),
            (
                limits(3 * MIB, 2 * MIB),
                3 * MIB,
                2 * MIB,
                5 * MIB + 24,
                Some((3 * MIB, MAX_MESSAGE - 2 * MIB - 24)),
            ),
        ] {
            let checked = limits.check(Sizes { input, memo }, message);
            let Some((size, limit)) = size_and_limit else {
                assert_eq!(checked, Ok(()));
                continue;
            };
            let reject = checked.expect_err("it is too large");
            let both = format!(" {size} bytes, and Temporal takes {limit}");
            assert!(reject.reason().contains(&both), "{reject:?}");
            assert_eq!(reject.row().label, "too_large");
        }
    }
}

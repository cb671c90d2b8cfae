//! Whether Temporal is there: asked now and then, whether or not webhooks come, and said when it
//! changes. The same question brings the namespace's limits.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::sleep;
use tonic::{Code, Status};

use super::Client;
use crate::telemetry::TEMPORAL_UP;
use crate::temporal::status;

/// What was said of Temporal last.
#[derive(Debug, Default)]
pub(in crate::temporal) struct Health(Mutex<State>);

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum State {
    #[default]
    Unknown,
    Fine,
    /// It answers, and refuses for a reason that an operator must mend.
    Refusing,
    Away,
}

impl Client {
    /// For ever.
    pub(in crate::temporal) async fn watch(&self) {
        let up = metrics::gauge!(TEMPORAL_UP);
        loop {
            let asked = self.ask(PATIENCE).await;
            let after = self.health.after(&asked);
            self.say(after, asked.err());
            up.set(f64::from(u8::from(self.health.is_fine())));
            let is_away = self.health.is_away();
            sleep(if is_away { SHORT_PAUSE } else { PAUSE }).await;
        }
    }

    /// One line for each change.
    fn say(&self, change: Option<(State, State)>, error: Option<Status>) {
        let (address, namespace) = (&self.settings.address, &self.settings.namespace);
        let reason = error.map(|error| status::text(&error));
        match change {
            None | Some((State::Unknown, State::Fine) | (_, State::Unknown)) => {}
            Some((_, State::Away)) => {
                tracing::warn!(address, reason, "the connection to Temporal is lost");
            }
            Some((_, State::Refusing)) => {
                tracing::error!(
                    address,
                    namespace,
                    reason,
                    "Temporal answers, but does not take events"
                );
            }
            Some((State::Away, State::Fine)) => {
                tracing::info!(address, namespace, "connected to Temporal again");
            }
            Some((_, State::Fine)) => {
                tracing::info!(address, namespace, "Temporal takes events again");
            }
        }
    }
}

impl Health {
    /// Whether it took what it was asked last.
    fn is_fine(&self) -> bool {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) == State::Fine
    }

    /// Whether Temporal was not there when it was asked last.
    pub(in crate::temporal) fn is_away(&self) -> bool {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) == State::Away
    }

    /// Before and after this answer, if that changes anything.
    fn after(&self, asked: &Result<(), Status>) -> Option<(State, State)> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = *state;
        *state = before.after(asked);
        (*state != before).then_some((before, *state))
    }
}

impl State {
    fn after(self, asked: &Result<(), Status>) -> Self {
        match asked.as_ref().map_err(Status::code) {
            Ok(()) => Self::Fine,
            Err(Code::Unavailable) => Self::Away,
            Err(_) if asked.as_ref().is_err_and(status::is_away) => Self::Away,
            Err(
                Code::NotFound
                | Code::PermissionDenied
                | Code::Unauthenticated
                | Code::FailedPrecondition
                | Code::InvalidArgument
                | Code::Unimplemented,
            ) => Self::Refusing,
            // Busy, or something of the moment.
            Err(_) => self,
        }
    }
}

/// Between two questions.
const PAUSE: Duration = Duration::from_secs(5);
/// While Temporal is away.
const SHORT_PAUSE: Duration = Duration::from_secs(1);
/// For an answer: one that is slow is still there.
const PATIENCE: Duration = Duration::from_secs(4);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_change_is_said_once() {
        let away = || Err(Status::unavailable("shutting down"));
        let refused = || Err(Status::permission_denied("no"));
        let health = Health::default();
        for (asked, expected) in [
            (Ok(()), Some((State::Unknown, State::Fine))),
            (Ok(()), None),
            (Err(Status::resource_exhausted("busy")), None),
            (away(), Some((State::Fine, State::Away))),
            (Err(Status::deadline_exceeded("")), None),
            (Err(Status::resource_exhausted("busy")), None),
            (Ok(()), Some((State::Away, State::Fine))),
            (refused(), Some((State::Fine, State::Refusing))),
            (refused(), None),
            (away(), Some((State::Refusing, State::Away))),
            (refused(), Some((State::Away, State::Refusing))),
            (Ok(()), Some((State::Refusing, State::Fine))),
        ] {
            assert_eq!(health.after(&asked), expected, "{asked:?}");
            assert_eq!(
                health.is_away(),
                health.0.lock().is_ok_and(|s| *s == State::Away)
            );
        }
    }
}

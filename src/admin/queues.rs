//! What was last said of the task queues of the sources: who polls them, and what waits there.

use serde_json::{Value, json};

use super::Admin;
use crate::forward::journal::entry::time;

/// Each that was asked about, with whether events wait on it and nobody polls.
pub(super) fn all<T>(admin: &Admin<T>) -> Value {
    let states = admin.forwarder.queues.states().into_iter();
    let queues = states.map(|(name, state)| {
        json!({
            "name": name,
            "pollers": state.polled.pollers,
            "backlog": state.polled.backlog,
            "backlog_age_seconds": state.polled.backlog_age.as_secs_f64(),
            "deserted": state.is_deserted,
            "asked_at": time(state.asked_at),
        })
    });
    queues.collect()
}

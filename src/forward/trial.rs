//! A test: what the operator sends through the whole pipeline to see whether it would be taken. It is marked,
//! goes to a task queue of its own, and meets no workflow of a real event.

use std::time::Duration;

use webhook_core::options::Timeout;
use webhook_core::route::{Call, Verb};

/// How an event is a test.
#[derive(Debug, Clone)]
pub struct Trial {
    /// Where workers look for it, whatever its route says.
    pub task_queue: String,
}

impl Trial {
    /// Turns what would be done for a real event into what is done for this one.
    ///
    /// # Errors
    /// There is nothing harmless that could be done.
    pub fn divert(&self, call: &mut Call) -> Result<(), String> {
        if let Verb::Signal { signal, .. } = &call.verb {
            return Err(format!(
                "the route sends the signal {signal:?} to the workflow {:?}, which is a real one: a test sends none",
                call.workflow_id
            ));
        }
        call.workflow_id = format!("{PREFIX}{}", call.workflow_id);
        call.task_queue.clone_from(&self.task_queue);
        let timeout = call.options.execution_timeout;
        call.options.execution_timeout = Some(timeout.map_or(LONGEST, |it| it.min(LONGEST)));
        Ok(())
    }
}

/// The task queue of tests that name none.
pub const TASK_QUEUE: &str = "webhook-test";
/// Before the id of each workflow of a test.
pub const PREFIX: &str = "webhook-test:";
/// Nobody may listen, and nobody is to be reminded of it for ever.
const LONGEST: Timeout = Timeout(Duration::from_secs(3600));

//! THE ONE TABLE of a route's keys, which a source may have, too. What reads, inherits, checks, plans
//! and documents them is made from it: see CONTRIBUTING.md, "Adding a route key".

use super::action::Action::{self, Drop, Signal, SignalWithStart, Start, UpdateWithStart};

/// Calls the macro `$make` with the table. A row is
///
/// ```text
/// key: its type as how it is read, for the actions that make use of it;
/// ```
///
/// Its first line is its documentation wherever it is a field. How it is read is a function of
/// `src/config/file/values.rs`. Its group says how it gets into the plan:
///
/// - `settings` and `tables` have a field of their own in `route::Settings`, since each decides something;
/// - `verb` are what its action asks for: `route::Verb`;
/// - `values` go to Temporal as they are written;
/// - `labels` are templates whose short text goes to Temporal in the clear;
/// - `texts` are templates whose text is encrypted, if payloads are.
///
/// The last three are [`Options`](crate::options::Options), and need nothing but a row and their place in the
/// request (`src/temporal/request.rs`).
#[macro_export]
macro_rules! route_keys {
    ($make:ident) => {
        $make! {
            settings {
                /// What becomes of the event.
                action: Action as value, for &ACTIONS;
                /// The workflow's id.
                workflow_id: Template as template, for CALLS;
                /// What the worker gets.
                format: Format as value, for CALLS;
                /// Whether that is made smaller.
                compress: Compression as value, for CALLS;
                /// What becomes of events that can never be as configured.
                dead_letter: DeadLetters as value, for CALLS;
                /// The workflow's type.
                workflow_type: Template as template, for STARTS;
                /// The workflow's task queue.
                task_queue: Template as template, for STARTS;
            }
            values {
                /// Whether a closed workflow's id may be used again. Default: reject-duplicate for
                /// `start`, allow-duplicate with signals and updates.
                reuse_policy: ReusePolicy as value, for STARTS;
                /// What happens to a running workflow of the id. Default: use-existing.
                conflict_policy: ConflictPolicy as value, for &[Start];
                /// All runs and retries together.
                execution_timeout: Timeout as value, for STARTS;
                /// One run.
                run_timeout: Timeout as value, for STARTS;
                /// One workflow task.
                task_timeout: Timeout as value, for STARTS;
                /// Before the first workflow task.
                start_delay: Timeout as value, for &[Start, SignalWithStart];
                /// `None`: a failed workflow is not started again.
                retry: Retry as retry, for STARTS;
                /// Its tasks' place in the queue.
                priority: Priority as value, for STARTS;
                /// A fairness key's share among those of a task queue.
                fairness_weight: Weight as value, for STARTS;
                /// `None`: as the workers' deployment says.
                versioning_override: Versioning as versioning, for STARTS;
            }
            labels {
                /// Whose share of the task queue it takes, such as `{tenant}`.
                fairness_key: Template as template, for STARTS;
            }
            tables {
                /// By name; the names must be registered with Temporal.
                search_attributes: Vec<(String, Template)> as templates, for STARTS;
                /// By name, besides the default ones.
                memo: Vec<(String, Template)> as templates, for STARTS;
            }
            texts {
                /// One line for people, in Temporal's UI.
                summary: Template as template, for STARTS;
                /// More lines.
                details: Template as template, for STARTS;
            }
            verb {
                /// The signal's name.
                signal: Template as template, for &[SignalWithStart, Signal];
                /// The update's name.
                update: Template as template, for &[UpdateWithStart];
                /// What an update is answered with.
                respond: Respond as value, for &[UpdateWithStart];
                /// And if it takes too long.
                on_late: OnLate as value, for &[UpdateWithStart];
                /// What becomes of a signal without a workflow.
                on_missing: OnMissing as value, for &[Signal];
            }
        }
    };
}

/// A row of the table.
#[derive(Debug)]
pub struct Key {
    /// As it is written.
    pub name: &'static str,
    /// Those that make use of it.
    pub actions: &'static [Action],
}

macro_rules! list {
    ($($group:ident {
        $($(#[$doc:meta])* $key:ident: $type:ty as $reading:ident, for $actions:expr;)*
    })*) => {
        /// Every key of a route but `when`.
        pub const KEYS: &[Key] = &[$($(Key { name: stringify!($key), actions: $actions }),*),*];
    };
}
route_keys!(list);

/// Those that start a workflow first, the one that asks Temporal for nothing last.
pub const ACTIONS: [Action; 5] = [Start, SignalWithStart, UpdateWithStart, Signal, Drop];
const CALLS: &[Action] = &[Start, SignalWithStart, UpdateWithStart, Signal];
const STARTS: &[Action] = &[Start, SignalWithStart, UpdateWithStart];

//! [`Event`] -> [`Plan`]: what becomes of this event. The first route whose condition holds decides.

use std::sync::Arc;

use http::Method;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::action::{Action, OnLate, OnMissing, Respond};
use super::codec::Compression;
use super::event::{Event, short};
use super::expression::Expression;
use super::expression::scope::Scope;
use super::expression::template::Template;
use super::options::Options;
use super::payload::{self, Format};

/// What becomes of the events of a source for which a condition holds.
#[derive(Debug)]
pub struct Route {
    /// For people: `route 2`, or `the source itself`.
    pub name: String,
    /// `None`: for every event.
    pub when: Option<Expression>,
    /// What becomes of them.
    pub settings: Settings,
}

/// Everything about a route but its condition.
#[derive(Debug)]
pub struct Settings {
    /// What Temporal is asked to do.
    pub action: Action,
    /// The workflow's type.
    pub workflow_type: Template,
    /// The workflow's id.
    pub workflow_id: Template,
    /// The id is somebody else's, such as one that a worker handed out: of a signal, with whose
    /// template no source starts workflows.
    pub is_given_id: bool,
    /// The workflow's task queue.
    pub task_queue: Template,
    /// The signal's name.
    pub signal: Template,
    /// The update's name.
    pub update: Template,
    /// What an update is answered with.
    pub respond: Respond,
    /// And if it takes too long.
    pub on_late: OnLate,
    /// What becomes of a signal without a workflow.
    pub on_missing: OnMissing,
    /// What else Temporal is told.
    pub options: Options<Template>,
    /// By name; the names must be registered with Temporal.
    pub search_attributes: Vec<(String, Template)>,
    /// By name, besides the default ones.
    pub memo: Vec<(String, Template)>,
    /// What the worker gets.
    pub format: Format,
    /// Whether it is compressed.
    pub compression: Compression,
    /// The task queue of its dead letters; `None`: there are none.
    pub dead_letter: Option<Arc<str>>,
}

/// What becomes of an event.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Plan {
    /// It is acknowledged and forgotten.
    Drop,
    /// Temporal is asked to do this.
    Call(Box<Call>),
}

/// What Temporal is asked to do, the payload apart.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Call {
    /// What to do.
    #[serde(flatten)]
    pub verb: Verb,
    /// The workflow's id.
    pub workflow_id: String,
    /// The name under which workers register it.
    pub workflow_type: String,
    /// Where workers look for it.
    pub task_queue: String,
    /// What else it is told.
    #[serde(flatten)]
    pub options: Options,
    /// By name.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub search_attributes: Map<String, Value>,
    /// What people see without opening the payload.
    pub memo: Map<String, Value>,
    /// The form of the payload.
    pub format: Format,
    /// Whether it is compressed.
    #[serde(rename = "compress")]
    pub compression: Compression,
}

/// What Temporal is asked to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "action", rename_all = "kebab-case")]
pub enum Verb {
    /// Start a workflow with the event.
    Start,
    /// Signal a workflow with the event; start it first, without arguments, if it does not run.
    SignalWithStart {
        /// The signal's name.
        signal: String,
    },
    /// Signal a workflow that runs.
    Signal {
        /// The signal's name.
        signal: String,
        /// If it does not run.
        on_missing: OnMissing,
    },
    /// Update a workflow with the event; start it first, without arguments, if it does not run.
    UpdateWithStart {
        /// The update's name.
        update: String,
        /// What the sender hears.
        respond: Respond,
        /// And if it takes too long.
        on_late: OnLate,
    },
}

/// The index of the route for the event: the first whose condition holds.
///
/// # Errors
/// The index of the route whose condition fails, and why.
pub fn choose(routes: &[Route], scope: &mut Scope<'_>) -> Result<usize, (usize, String)> {
    for (index, route) in routes.iter().enumerate() {
        let holds = match &route.when {
            None => true,
            Some(when) => when
                .holds(scope)
                .map_err(|problem| (index, format!("when: {problem}")))?,
        };
        if holds {
            return Ok(index);
        }
    }
    unreachable!("the last route of a source has no condition")
}

impl Settings {
    /// What becomes of the event.
    ///
    /// # Errors
    /// The template that has no value for it, and why.
    pub fn plan(&self, event: &Event, scope: &mut Scope<'_>) -> Result<Plan, String> {
        let verb = match self.action {
            Action::Drop => return Ok(Plan::Drop),
            Action::Start => Verb::Start,
            Action::SignalWithStart => Verb::SignalWithStart {
                signal: named("signal", self.signal.name(scope))?,
            },
            Action::Signal => Verb::Signal {
                signal: named("signal", self.signal.name(scope))?,
                on_missing: self.on_missing,
            },
            Action::UpdateWithStart => Verb::UpdateWithStart {
                update: named("update", self.update.name(scope))?,
                respond: self.respond,
                on_late: self.on_late,
            },
        };
        let options = self.options.fill(scope)?;
        let mut memo = default_memo(event, self.format);
        memo.extend(values("memo", &self.memo, scope)?);
        Ok(Plan::Call(Box::new(Call {
            verb,
            workflow_id: named("workflow_id", self.id(scope))?,
            workflow_type: named("workflow_type", self.workflow_type.name(scope))?,
            task_queue: named("task_queue", self.task_queue.name(scope))?,
            options,
            search_attributes: values("search_attributes", &self.search_attributes, scope)?,
            memo,
            format: self.format,
            compression: self.compression,
        })))
    }

    /// A signal that begins with an id of somebody else's names it as it is; what is started here is
    /// reached by the id with which it was started.
    fn id(&self, scope: &mut Scope<'_>) -> Result<String, String> {
        if self.is_given_id {
            self.workflow_id.verbatim_id(scope)
        } else {
            self.workflow_id.id(scope)
        }
    }
}

impl Settings {
    /// The search attributes that have a value for the event, whatever becomes of the others.
    pub fn attributes(&self, scope: &mut Scope<'_>) -> Map<String, Value> {
        let mut values = Map::new();
        for (name, template) in &self.search_attributes {
            let value = template.value(scope).ok().filter(|value| !value.is_null());
            values.extend(value.map(|value| (name.clone(), value)));
        }
        values
    }
}

/// The event's own facts, for people and for `replay`.
pub fn default_memo(event: &Event, format: Format) -> Map<String, Value> {
    let received_at = humantime::format_rfc3339_millis(event.received_at).to_string();
    let mut memo = Map::new();
    memo.insert("source".to_owned(), json!(event.source));
    memo.insert("provider".to_owned(), json!(event.provider));
    memo.insert("event_id".to_owned(), json!(event.id));
    memo.insert("received_at".to_owned(), json!(received_at));
    let optional = [("topic", &event.topic), ("tenant", &event.tenant)];
    for (name, value) in optional {
        let value = value.iter().map(|value| short(value, MEMO_LABEL));
        memo.extend(value.map(|value| (name.to_owned(), json!(value))));
    }
    if event.is_query() && event.method != Method::GET && !event.query.is_empty() {
        memo.insert(REQUEST_QUERY.to_owned(), json!(event.query));
    }
    if format.leaves_headers_out() {
        memo.insert("headers".to_owned(), payload::headers(event).into());
    }
    memo
}

fn named<T>(key: &str, result: Result<T, String>) -> Result<T, String> {
    result.map_err(|problem| format!("{key}: {problem}"))
}

/// `null` leaves an entry out.
fn values(
    key: &str,
    templates: &[(String, Template)],
    scope: &mut Scope<'_>,
) -> Result<Map<String, Value>, String> {
    let mut values = Map::new();
    for (name, template) in templates {
        let value = named(&format!("{key}.{name}"), template.value(scope))?;
        if !value.is_null() {
            values.insert(name.clone(), value);
        }
    }
    Ok(values)
}

/// Characters of a topic or a tenant in the memo, which Temporal bounds and lists show.
pub const MEMO_LABEL: usize = 1000;
/// The memo's entry with the raw query of an event that has no body, where a method says nothing of it.
pub const REQUEST_QUERY: &str = "request_query";
/// The names of [`default_memo`].
pub const OWN_MEMO: [&str; 8] = [
    "source",
    "provider",
    "event_id",
    "received_at",
    "topic",
    "tenant",
    "headers",
    REQUEST_QUERY,
];

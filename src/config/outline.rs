//! What a configuration makes of events, whatever its secrets: ids, queues, types, payloads. For
//! `check`, which compares two files.

use webhook_core::action::Action;
use webhook_core::expression::template::Template;
use webhook_core::provider::{Provider, default_names};
use webhook_core::route::Route;

use super::file::{self, File};
use super::{route, source};
use crate::cli::ServeArgs;

/// A key, and what it comes to, for people.
pub type Fact = (&'static str, String);

/// What a source makes of its events.
#[derive(Debug)]
pub struct Outline {
    /// Its path.
    pub path: String,
    /// What is so for all its events.
    pub facts: Vec<Fact>,
    /// What becomes of some of them, by condition; the last one has none.
    pub routes: Vec<(Option<String>, Vec<Fact>)>,
    /// Where the file says nothing: what that was before sources had names.
    pub before: Vec<Before>,
}

/// A default that was another one.
#[derive(Debug)]
pub struct Before {
    /// The key.
    pub key: &'static str,
    /// What it came to.
    pub was: String,
    /// The value that keeps it.
    pub kept_by: String,
}

/// What is so for all sources.
pub fn common(file: &File) -> Vec<Fact> {
    let keys = file.encryption.iter().flatten();
    let key = keys.map(|key| format!("key {}", key.id)).next();
    vec![
        ("encryption", key.unwrap_or_else(|| "off".to_owned())),
        ("large_payloads", on(file.large.is_some()).to_owned()),
    ]
}

/// Each source that can be read.
pub fn outlines(args: &ServeArgs, file: &File) -> Vec<Outline> {
    let entries = source::entries(args, file).into_iter();
    entries.filter_map(|entry| outline(args, &entry)).collect()
}

fn outline(args: &ServeArgs, entry: &file::Source) -> Option<Outline> {
    let provider = entry.provider.as_ref()?;
    let name = entry.name().unwrap_or_default();
    let shown = Shown {
        name: &name,
        provider: &provider.name,
        path: &entry.path,
    };
    let routes = route::routes(args, entry, provider, &mut Vec::new(), &mut Vec::new())
        .iter()
        .map(|route| {
            let when = route.when.as_ref().map(|when| when.text().to_owned());
            (when, shown.facts(route))
        })
        .collect();
    let places = |own: Option<&Vec<_>>, theirs| list(own.unwrap_or(theirs));
    let facts = vec![
        ("provider", provider.name.clone()),
        ("event_id", places(entry.event_id.as_ref(), &provider.id)),
        ("topic", places(entry.topic.as_ref(), &provider.topic)),
        ("tenant", places(entry.tenant.as_ref(), &provider.tenant)),
        (
            "keep_headers",
            list(
                entry
                    .keep_headers
                    .as_ref()
                    .unwrap_or(&provider.keep_headers),
            ),
        ),
        (
            "json_fields",
            list(entry.json_fields.as_ref().unwrap_or(&provider.json_fields)),
        ),
    ];
    Some(Outline {
        path: entry.path.clone(),
        facts,
        before: before(entry, provider, &shown),
        routes,
    })
}

/// How a source's templates are shown.
struct Shown<'s> {
    name: &'s str,
    provider: &'s str,
    path: &'s str,
}

impl Shown<'_> {
    /// What its action makes use of.
    fn facts(&self, route: &Route) -> Vec<Fact> {
        let settings = &route.settings;
        let action = settings.action;
        let mut facts = vec![("action", action.name().to_owned())];
        if action == Action::Drop {
            return facts;
        }
        let mut shown = |key, template: &Template| {
            facts.push((key, template.shown(self.name, self.provider, self.path)));
        };
        shown("workflow_id", &settings.workflow_id);
        if action != Action::Signal {
            shown("task_queue", &settings.task_queue);
            shown("workflow_type", &settings.workflow_type);
        }
        if matches!(action, Action::Signal | Action::SignalWithStart) {
            shown("signal", &settings.signal);
        }
        if action == Action::UpdateWithStart {
            shown("update", &settings.update);
        }
        facts.push(("format", word(&settings.format)));
        facts.push(("compress", word(&settings.compression)));
        facts
    }
}

/// The defaults of `workflow_id`, and of queue and type of senders of one's own, before there was
/// `name`.
fn before(entry: &file::Source, provider: &Provider, shown: &Shown<'_>) -> Vec<Before> {
    let mut before = Vec::new();
    if entry.places.has("name") {
        return before;
    }
    let id = &provider.workflow_id;
    if entry.overrides.workflow_id.is_none() && id.to_string() == DEFAULT_ID {
        let (was, kept_by) = match entry.is_own {
            true => (shown.path, "{source}:{event_id}"),
            false => (shown.provider, "{provider}:{event_id}"),
        };
        before.push(Before {
            key: "workflow_id",
            was: format!("{was}:{{event_id}}"),
            kept_by: kept_by.to_owned(),
        });
        before.retain(|before| before.was != id.shown(shown.name, shown.provider, shown.path));
    }
    let (queue, workflow_type) = default_names(&provider.name);
    for (key, written, default, now, was) in [
        (
            "task_queue",
            &entry.overrides.task_queue,
            &provider.task_queue,
            queue,
            "webhooks",
        ),
        (
            "workflow_type",
            &entry.overrides.workflow_type,
            &provider.workflow_type,
            workflow_type,
            "Webhook",
        ),
    ] {
        let is_default = written.is_none() && default.literal() == Some(&now);
        if entry.is_own && is_default && now != was {
            before.push(Before {
                key,
                was: was.to_owned(),
                kept_by: was.to_owned(),
            });
        }
    }
    before
}

/// The configuration's word.
fn word(value: &impl serde::Serialize) -> String {
    let value = serde_json::to_value(value).unwrap_or_default();
    value.as_str().unwrap_or_default().to_owned()
}

const fn on(is_on: bool) -> &'static str {
    if is_on { "on" } else { "off" }
}

fn list<T: ToString>(items: &[T]) -> String {
    let items: Vec<_> = items.iter().map(ToString::to_string).collect();
    match items.is_empty() {
        true => "none".to_owned(),
        false => items.join(", "),
    }
}

const DEFAULT_ID: &str = "{name}:{event_id}";

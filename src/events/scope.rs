//! Which workflows are ours, and which are a source's: by what its routes make types and ids of, and by
//! search attributes where there are some.

use webhook_core::action::Action;
use webhook_core::dead_letter::{self, WORKFLOW_TYPE};
use webhook_core::expression::template::Part;
use webhook_core::index;
use webhook_core::source::Source;

use super::filter::Wrong;
use super::query::{and, equals, or, starts_with};

/// What the configuration says of the workflows that it starts.
#[derive(Debug, Clone, Default)]
pub struct Scope {
    sources: Vec<Started>,
    indexed: Indexed,
}

/// Which of our own search attributes Temporal knows, and the forwarder sets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Indexed {
    /// `WebhookSource`
    pub source: bool,
    /// `WebhookTopic`
    pub topic: bool,
    /// `WebhookTenant`
    pub tenant: bool,
    /// `WebhookEventId`
    pub event_id: bool,
}

/// What a source starts.
#[derive(Debug, Clone)]
struct Started {
    name: String,
    path: String,
    forms: Vec<Form>,
}

/// What the workflows of a route have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Form {
    /// `None`: it depends on the event.
    workflow_type: Option<String>,
    /// How their ids begin; may be empty.
    prefix: String,
}

impl Indexed {
    /// Of those that are known.
    pub const fn new([source, topic, tenant, event_id]: [bool; index::NAMES.len()]) -> Self {
        Self {
            source,
            topic,
            tenant,
            event_id,
        }
    }
}

impl Scope {
    /// What these sources start.
    pub fn new(sources: &[Source], indexed: Indexed) -> Self {
        Self {
            sources: sources.iter().map(Started::of).collect(),
            indexed,
        }
    }

    /// The condition for all that was started by us; `None`: no query says it.
    pub fn ours(&self) -> Option<String> {
        let mut conditions = Vec::new();
        for form in self.sources.iter().flat_map(|source| &source.forms) {
            let by_type = (form.workflow_type.as_ref()).map(|name| equals("WorkflowType", name));
            // A type stays what it is where ids are made otherwise now than they were.
            let condition = match (by_type, form.prefix.as_str()) {
                (Some(condition), _) => condition?,
                (None, "") => return None,
                (None, prefix) => starts_with("WorkflowId", prefix)?,
            };
            if !conditions.contains(&condition) {
                conditions.push(condition);
            }
        }
        if self.indexed.source {
            conditions.push("WebhookSource IS NOT NULL".to_owned());
        }
        (!conditions.is_empty()).then(|| or(&conditions))
    }

    /// The path of the source that somebody named; a path may be of one that is configured no more.
    ///
    /// # Errors
    /// There is none of that name.
    pub fn path<'a>(&'a self, name: &'a str) -> Result<&'a str, Wrong> {
        let mut sources = self.sources.iter();
        match sources.find(|source| source.name == name) {
            Some(source) => Ok(&source.path),
            None if name.starts_with('/') => Ok(name),
            None => {
                let names = self.sources.iter().map(|source| source.name.as_str());
                let names = names.collect::<Vec<_>>().join(", ");
                let why =
                    format!("{name:?}: expected a source's path, or one of the names {names}");
                Err(Wrong::new("source", why))
            }
        }
    }

    /// The condition for what the source at this path has started; `None`: memos have to say it.
    pub fn of_source(&self, path: &str) -> Option<String> {
        if self.indexed.source {
            return equals("WebhookSource", &index::value(path));
        }
        let own = self.sources.iter().find(|source| source.path == path)?;
        let others = self.sources.iter().filter(|source| source.path != path);
        let mut others = others.flat_map(|source| &source.forms);
        if others.any(|other| own.forms.iter().any(|form| form.meets(other))) {
            return None;
        }
        let conditions: Option<Vec<_>> = own.forms.iter().map(Form::condition).collect();
        conditions.map(|conditions| or(&conditions))
    }

    /// The condition for a topic; `None`: memos have to say it.
    pub fn with_topic(&self, topic: &str) -> Option<String> {
        let condition = || equals("WebhookTopic", &index::value(topic));
        self.indexed.topic.then(condition).flatten()
    }

    /// The condition for a tenant; `None`: memos have to say it.
    pub fn with_tenant(&self, tenant: &str) -> Option<String> {
        let condition = || equals("WebhookTenant", &index::value(tenant));
        self.indexed.tenant.then(condition).flatten()
    }

    /// The condition for a workflow's id, its type or an event's id that begins with the text; `None`: no
    /// query can say it.
    pub fn begins_with(&self, text: &str) -> Option<String> {
        let mut conditions = vec![
            starts_with("WorkflowId", text)?,
            starts_with("WorkflowType", text)?,
        ];
        let forms = self.sources.iter().flat_map(|source| &source.forms);
        for form in forms.filter(|form| !form.prefix.is_empty()) {
            let condition = starts_with("WorkflowId", &format!("{}{text}", form.prefix));
            conditions.extend(condition.filter(|condition| !conditions.contains(condition)));
        }
        if self.indexed.event_id {
            conditions.extend(starts_with("WebhookEventId", text));
        }
        Some(or(&conditions))
    }

    /// The condition for what was started with the event of this id; `None`: no query can say it.
    pub fn of_event(&self, id: &str) -> Option<String> {
        let mut conditions = Vec::new();
        for form in self.sources.iter().flat_map(|source| &source.forms) {
            let condition = equals("WorkflowId", &format!("{}{id}", form.prefix))?;
            if !conditions.contains(&condition) {
                conditions.push(condition);
            }
        }
        if self.indexed.event_id {
            conditions.extend(equals("WebhookEventId", id));
        }
        Some(or(&conditions))
    }

    /// Name and path of each source.
    pub fn sources(&self) -> impl Iterator<Item = (&str, &str)> {
        let sources = self.sources.iter();
        sources.map(|source| (source.name.as_str(), source.path.as_str()))
    }
}

impl Started {
    fn of(source: &Source) -> Self {
        let (name, path) = (&source.name, &source.path);
        let mut forms = vec![Form {
            workflow_type: Some(WORKFLOW_TYPE.to_owned()),
            prefix: dead_letter::id_prefix(path),
        }];
        for route in &source.routes {
            let settings = &route.settings;
            if matches!(settings.action, Action::Drop | Action::Signal) {
                continue;
            }
            let shape = (settings.workflow_id).shape(name, &source.provider.name, path);
            let prefix = match shape.unwrap_or_default().into_iter().next() {
                Some(Part::Text(text)) => text,
                _ => String::new(),
            };
            let form = Form {
                workflow_type: settings.workflow_type.literal().map(str::to_owned),
                prefix,
            };
            if !forms.contains(&form) {
                forms.push(form);
            }
        }
        Self {
            name: name.clone(),
            path: path.clone(),
            forms,
        }
    }
}

impl Form {
    fn condition(&self) -> Option<String> {
        let by_type = match &self.workflow_type {
            Some(name) => equals("WorkflowType", name)?,
            None => String::new(),
        };
        let by_id = match self.prefix.as_str() {
            "" => String::new(),
            prefix => starts_with("WorkflowId", prefix)?,
        };
        match (by_type.is_empty(), by_id.is_empty()) {
            (true, true) => None,
            (false, false) => Some(format!("({})", and(&[&by_type, &by_id]))),
            _ => Some(and(&[&by_type, &by_id])),
        }
    }

    /// Whether one workflow may be of both.
    fn meets(&self, other: &Self) -> bool {
        let differ = match (&self.workflow_type, &other.workflow_type) {
            (Some(one), Some(other)) => one != other,
            _ => false,
        };
        let begins =
            self.prefix.starts_with(&other.prefix) || other.prefix.starts_with(&self.prefix);
        !differ && begins
    }
}

#[cfg(test)]
mod tests;

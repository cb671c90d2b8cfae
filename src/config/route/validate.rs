//! What is wrong with a route, or with what a source says for all of them.

use webhook_core::action::{Action, DeadLetters, Respond};
use webhook_core::event::is_own;
use webhook_core::expression::Expression;
use webhook_core::expression::check::VARIABLES;
use webhook_core::keys::KEYS;
use webhook_core::options::{ConflictPolicy, ReusePolicy};
use webhook_core::provider::Provider;
use webhook_core::route::OWN_MEMO;

use crate::config::Mistake;
use crate::config::file;
use crate::config::file::route::{Overrides, Written};
use crate::config::reader::Places;

/// A route, or the source itself, with all that it inherits.
pub(super) struct Validator<'a> {
    /// Where its own keys are.
    pub(super) places: &'a Places,
    /// What it says itself.
    pub(super) own: &'a Overrides,
    /// Its condition; the source itself has none.
    pub(super) when: Option<&'a Expression>,
    /// What it says itself or inherits from its source.
    pub(super) merged: &'a Overrides,
    /// Its source.
    pub(super) entry: &'a file::Source,
    /// Its source's provider.
    pub(super) provider: &'a Provider,
}

impl Validator<'_> {
    /// Keys that its action makes no use of.
    pub(super) fn unused_keys(&self, mistakes: &mut Vec<Mistake>) {
        let Some(action) = self.action() else { return };
        let unused = KEYS
            .iter()
            .filter(|key| self.own.has(key.name) && !key.actions.contains(&action));
        mistakes.extend(unused.map(|key| {
            let problem = format!(
                "action = {:?} makes no use of it: leave it out",
                action.name()
            );
            self.mistake(key.name, problem)
        }));
    }

    pub(super) fn check(&self, mistakes: &mut Vec<Mistake>, warnings: &mut Vec<Mistake>) {
        if let Some(action) = self.action() {
            self.check_workflow_id(action, mistakes, warnings);
        }
        self.check_policies(mistakes);
        self.check_templates(mistakes);
        self.check_attributes(warnings);
        self.check_headers(warnings);
    }

    /// `None`: it cannot be read, which was a mistake already.
    fn action(&self) -> Option<Action> {
        let is_read = self.own.action.is_some() || !self.places.has("action");
        is_read.then(|| self.merged.action.unwrap_or_default())
    }

    fn check_workflow_id(
        &self,
        action: Action,
        mistakes: &mut Vec<Mistake>,
        warnings: &mut Vec<Mistake>,
    ) {
        let written = self.merged.workflow_id.as_ref();
        let id = written.unwrap_or(&self.provider.workflow_id);
        let needs_entity = !matches!(action, Action::Start | Action::Drop);
        let place = self.place_of_workflow_id();
        if needs_entity && written.is_none() {
            // One that cannot be read was a mistake already.
            if !self.places.has("workflow_id") && !self.entry.places.has("workflow_id") {
                let problem =
                    "missing: it says which workflow, expected one such as \"order:{body.id}\"";
                mistakes.push(self.mistake("workflow_id", problem));
            }
        } else if needs_entity && id.reads("event_id") {
            let text = "has {event_id}: no two events reach the same workflow, expected one such as \"order:{body.id}\"";
            warnings.push(Mistake::new(place, text));
        } else if action.is_per_event() && id.is_constant() {
            let problem = "has no {event_id}: different events would be one workflow, expected one such as \"{name}:{event_id}\"";
            mistakes.push(Mistake::new(place, problem));
        } else if action.is_per_event() && !id.reads("event_id") {
            let text = "has no {event_id}: events for which it gives the same id count as one, the others are answered as duplicates";
            warnings.push(Mistake::new(place, text));
        }
    }

    fn check_policies(&self, mistakes: &mut Vec<Mistake>) {
        let (own, merged) = (self.own, self.merged);
        let reuse = merged.reuse_policy.unwrap_or(ReusePolicy::AllowDuplicate);
        if merged.conflict_policy == Some(ConflictPolicy::TerminateExisting)
            && reuse != ReusePolicy::AllowDuplicate
        {
            let problem =
                "goes with reuse_policy = \"allow-duplicate\" alone, which is its default then";
            mistakes.push(self.mistake("conflict_policy", problem));
        }
        if own.on_late.is_some()
            && merged.action == Some(Action::UpdateWithStart)
            && merged.respond != Some(Respond::Result)
        {
            let problem = "goes with respond = \"result\" alone";
            mistakes.push(self.mistake("on_late", problem));
        }
        if let Some(DeadLetters::Queue(queue)) = &own.dead_letter
            && (["", "true", "false"].contains(&queue.as_str()) || queue.contains(['{', '}']))
        {
            let problem =
                "expected true or false without quotes, or a task queue's name without holes";
            mistakes.push(self.mistake("dead_letter", problem));
        }
    }

    fn check_templates(&self, mistakes: &mut Vec<Mistake>) {
        for written in self.own.templates() {
            let problem = match written {
                Written { name: Some(""), .. } => Some("\"\" is no name".to_owned()),
                Written {
                    key: "memo",
                    name: Some(name),
                    ..
                } if OWN_MEMO.contains(&name) => {
                    Some(format!("{name:?} is always there, expected another name"))
                }
                Written { name, template, .. } => template.type_mismatch(name.is_none()),
            };
            mistakes.extend(problem.map(|problem| self.mistake(written.key, problem)));
        }
    }

    /// One value for all workflows finds nothing that the source or the type would not.
    fn check_attributes(&self, warnings: &mut Vec<Mistake>) {
        let attributes = self.own.search_attributes.iter().flatten();
        let fixed = attributes.filter_map(|(name, template)| Some((name, template.literal()?)));
        warnings.extend(fixed.map(|(name, text)| {
            let is_variable = VARIABLES.contains(&text);
            let hole = if is_variable { text } else { "tenant" };
            let text = format!(
                "{name} has no hole: every workflow gets the same text, expected one such as \"{{{hole}}}\"; if that is meant, a hole with a text in it says so: \"{{'…'}}\""
            );
            self.mistake("search_attributes", text)
        }));
    }

    /// A header that the source does not keep is never there.
    fn check_headers(&self, warnings: &mut Vec<Mistake>) {
        let templates = self.own.templates();
        let in_condition =
            (self.when.iter().flat_map(|when| when.headers())).map(|it| ("when", it));
        let in_templates = templates.iter().flat_map(|written| {
            let names = written.template.headers();
            names.map(|name| (written.key, name))
        });
        let never_there = in_condition
            .chain(in_templates)
            .filter(|(_, name)| !self.provider.keeps(name) && !is_own(name));
        warnings.extend(never_there.map(|(key, name)| {
            let text = format!(
                "headers never has {name:?}: the source does not keep that header, see keep_headers"
            );
            self.mistake(key, text)
        }));
    }

    fn place_of_workflow_id(&self) -> String {
        if self.own.workflow_id.is_some() {
            return self.places.of("workflow_id");
        }
        let source = &self.entry.places;
        if self.entry.overrides.workflow_id.is_none() && source.has("provider") {
            return source.of("provider") + ".workflow_id";
        }
        source.of("workflow_id")
    }

    fn mistake(&self, key: &str, problem: impl Into<String>) -> Mistake {
        Mistake::new(self.places.of(key), problem)
    }
}

//! What a source's events become: what the provider says by default, the source otherwise, and
//! each of its routes for some of them.

mod reach;

use std::sync::Arc;

use webhook_core::action::{Action, ConflictPolicy, Options, Respond, ReusePolicy};
use webhook_core::event::OWN_HEADERS;
use webhook_core::expression::Expression;
use webhook_core::expression::check::VARIABLES;
use webhook_core::expression::template::Template;
use webhook_core::provider::Provider;
use webhook_core::route::{OWN_MEMO, Route, Settings};

use super::Mistake;
use super::file;
use super::file::route::{DeadLetter, Says};
use super::reader::Places;
use crate::cli::ServeArgs;

/// The routes in their order, the source itself last.
pub(super) fn routes(
    args: &ServeArgs,
    entry: &file::Source,
    provider: &Provider,
    mistakes: &mut Vec<Mistake>,
    warnings: &mut Vec<Mistake>,
) -> Vec<Route> {
    let mut base = entry.says.clone();
    let queue = base.task_queue.take();
    let queue = queue.unwrap_or_else(|| provider.task_queue.clone());
    let per_topic = args.no_global_queue || args.global_queue == Some(false);
    base.task_queue = Some(if per_topic { queue.per_topic() } else { queue });
    let mut routes = Vec::new();
    reach::check(&entry.routes, warnings);
    for (index, route) in entry.routes.iter().enumerate() {
        let says = route.says.clone().or(&base);
        if route.says.action.is_some() || !route.places.has("action") {
            let action = says.action.unwrap_or_default();
            unused(&route.says, action, &route.places, mistakes);
        }
        let place = Place {
            own: &route.places,
            own_says: &route.says,
            when: route.when.as_ref(),
            entry,
        };
        place.check(&says, provider, mistakes, warnings);
        // Without a condition, which was a mistake, it is never made use of.
        routes.extend(route.when.clone().map(|when| Route {
            name: format!("route {}", index + 1),
            when: Some(when),
            settings: settings(args, says, provider),
        }));
    }
    let place = Place {
        own: &entry.places,
        own_says: &entry.says,
        when: None,
        entry,
    };
    place.check(&base, provider, mistakes, warnings);
    routes.push(Route {
        name: "the source itself".to_owned(),
        when: None,
        settings: settings(args, base, provider),
    });
    routes
}

fn settings(args: &ServeArgs, says: Says, provider: &Provider) -> Settings {
    let or_webhook = |name: Option<Template>| name.unwrap_or_else(|| fixed("webhook"));
    let action = says.action.unwrap_or_default();
    Settings {
        action,
        workflow_type: says
            .workflow_type
            .unwrap_or_else(|| provider.workflow_type.clone()),
        workflow_id: says
            .workflow_id
            .unwrap_or_else(|| provider.workflow_id.clone()),
        // Which workflows are started here is known once all sources are.
        is_given_id: action == Action::Signal,
        task_queue: says
            .task_queue
            .unwrap_or_else(|| provider.task_queue.clone()),
        signal: or_webhook(says.signal),
        update: or_webhook(says.update),
        respond: says.respond.unwrap_or_default(),
        on_late: says.on_late.unwrap_or_default(),
        on_missing: says.on_missing.unwrap_or_default(),
        options: Options {
            reuse_policy: says.reuse_policy,
            conflict_policy: says.conflict_policy,
            execution_timeout: says.execution_timeout,
            run_timeout: says.run_timeout,
            task_timeout: says.task_timeout,
            start_delay: says.start_delay,
            retry: says.retry,
            priority: says.priority,
            fairness_weight: says.fairness_weight,
            versioning_override: says.versioning_override,
        },
        fairness_key: says.fairness_key,
        search_attributes: says.search_attributes.unwrap_or_default(),
        memo: says.memo.unwrap_or_default(),
        summary: says.summary,
        details: says.details,
        format: args.payload_format.or(says.format).unwrap_or_default(),
        compression: says.compress.unwrap_or_default(),
        dead_letter: match says.dead_letter {
            Some(DeadLetter::Switch(false)) => None,
            Some(DeadLetter::Queue(queue)) => Some(queue.into()),
            Some(DeadLetter::Switch(true)) | None => Some(Arc::from(DEAD_LETTERS)),
        },
    }
}

/// Where the settings of a route come from, for mistakes.
struct Place<'a> {
    own: &'a Places,
    own_says: &'a Says,
    when: Option<&'a Expression>,
    entry: &'a file::Source,
}

impl Place<'_> {
    fn check(
        &self,
        says: &Says,
        provider: &Provider,
        mistakes: &mut Vec<Mistake>,
        warnings: &mut Vec<Mistake>,
    ) {
        // An action that cannot be read was a mistake already.
        if self.own_says.action.is_some() || !self.own.has("action") {
            self.check_workflow_id(says, provider, mistakes, warnings);
        }
        self.check_policies(says, mistakes);
        self.check_templates(mistakes);
        self.check_attributes(warnings);
        self.check_headers(provider, warnings);
    }

    fn check_workflow_id(
        &self,
        says: &Says,
        provider: &Provider,
        mistakes: &mut Vec<Mistake>,
        warnings: &mut Vec<Mistake>,
    ) {
        let action = says.action.unwrap_or_default();
        let id = says.workflow_id.as_ref().unwrap_or(&provider.workflow_id);
        let needs_entity = !matches!(action, Action::Start | Action::Drop);
        let place = self.workflow_id();
        if needs_entity && says.workflow_id.is_none() {
            // One that cannot be read was a mistake already.
            if !self.own.has("workflow_id") && !self.entry.places.has("workflow_id") {
                let problem =
                    "missing: it says which workflow, expected one such as \"order:{body.id}\"";
                mistakes.push(Mistake::new(self.own.of("workflow_id"), problem));
            }
        } else if needs_entity && id.names("event_id") {
            let text = "has {event_id}: no two events reach the same workflow, expected one such as \"order:{body.id}\"";
            warnings.push(Mistake::new(place, text));
        } else if action.is_per_event() && id.is_constant() {
            let problem = "has no {event_id}: different events would be one workflow, expected one such as \"{name}:{event_id}\"";
            mistakes.push(Mistake::new(place, problem));
        } else if action.is_per_event() && !id.names("event_id") {
            let text = "has no {event_id}: events for which it gives the same id count as one, the others are answered as duplicates";
            warnings.push(Mistake::new(place, text));
        }
    }

    fn check_policies(&self, says: &Says, mistakes: &mut Vec<Mistake>) {
        let mut wrong = |key, problem: &str| mistakes.push(Mistake::new(self.own.of(key), problem));
        let reuse = says.reuse_policy.unwrap_or(ReusePolicy::AllowDuplicate);
        if says.conflict_policy == Some(ConflictPolicy::TerminateExisting)
            && reuse != ReusePolicy::AllowDuplicate
        {
            wrong(
                "conflict_policy",
                "goes with reuse_policy = \"allow-duplicate\" alone, which is its default then",
            );
        }
        if self.own_says.on_late.is_some()
            && says.action == Some(Action::UpdateWithStart)
            && says.respond != Some(Respond::Result)
        {
            wrong("on_late", "goes with respond = \"result\" alone");
        }
        if let Some(DeadLetter::Queue(queue)) = &self.own_says.dead_letter
            && (["", "true", "false"].contains(&queue.as_str()) || queue.contains(['{', '}']))
        {
            wrong(
                "dead_letter",
                "expected true or false without quotes, or a task queue's name without holes",
            );
        }
    }

    fn check_templates(&self, mistakes: &mut Vec<Mistake>) {
        for (key, template) in self.own_says.texts() {
            let problem = template.never_fits(true);
            mistakes.extend(problem.map(|problem| Mistake::new(self.own.of(key), problem)));
        }
        for (key, name, template) in self.own_says.values() {
            let mut problem = template.never_fits(false);
            if name.is_empty() {
                problem = Some("\"\" is no name".to_owned());
            } else if key == "memo" && OWN_MEMO.contains(&name) {
                let text = format!("{name:?} is always there, expected another name");
                problem = Some(text);
            }
            mistakes.extend(problem.map(|problem| Mistake::new(self.own.of(key), problem)));
        }
    }

    /// One value for all workflows finds nothing that the source or the type would not.
    fn check_attributes(&self, warnings: &mut Vec<Mistake>) {
        for (name, template) in self.own_says.search_attributes.iter().flatten() {
            if let Some(text) = template.fixed() {
                let hole = if VARIABLES.contains(&text) {
                    text
                } else {
                    "tenant"
                };
                let text = format!(
                    "{name} has no hole: every workflow gets the same text, expected one such as \"{{{hole}}}\"; if that is meant, a hole with a text in it says so: \"{{'…'}}\""
                );
                warnings.push(Mistake::new(self.own.of("search_attributes"), text));
            }
        }
    }

    /// A header that the source does not keep is never there.
    fn check_headers(&self, provider: &Provider, warnings: &mut Vec<Mistake>) {
        let mut warn = |key, name: &str| {
            if !provider.keeps(name) && !OWN_HEADERS.contains(&name) {
                let text = format!(
                    "headers never has {name:?}: the source does not keep that header, see keep_headers"
                );
                warnings.push(Mistake::new(self.own.of(key), text));
            }
        };
        let named = self.when.iter().flat_map(|when| when.headers());
        named.for_each(|name| warn("when", name));
        for (key, template) in self.own_says.texts() {
            template.headers().for_each(|name| warn(key, name));
        }
        for (key, _, template) in self.own_says.values() {
            template.headers().for_each(|name| warn(key, name));
        }
    }

    fn workflow_id(&self) -> String {
        if self.own_says.workflow_id.is_some() {
            return self.own.of("workflow_id");
        }
        let source = &self.entry.places;
        if self.entry.says.workflow_id.is_none() && source.has("provider") {
            return source.of("provider") + ".workflow_id";
        }
        source.of("workflow_id")
    }
}

/// Keys of a route that its action makes no use of.
fn unused(says: &Says, action: Action, places: &Places, mistakes: &mut Vec<Mistake>) {
    use Action::{Signal, SignalWithStart, Start, UpdateWithStart};
    const STARTS: &[Action] = &[Start, SignalWithStart, UpdateWithStart];
    const ALL: &[Action] = &[Start, SignalWithStart, UpdateWithStart, Signal];
    let keys: [(&str, bool, &[Action]); 26] = [
        ("workflow_id", says.workflow_id.is_some(), ALL),
        ("format", says.format.is_some(), ALL),
        ("compress", says.compress.is_some(), ALL),
        ("dead_letter", says.dead_letter.is_some(), ALL),
        ("workflow_type", says.workflow_type.is_some(), STARTS),
        ("task_queue", says.task_queue.is_some(), STARTS),
        ("reuse_policy", says.reuse_policy.is_some(), STARTS),
        ("conflict_policy", says.conflict_policy.is_some(), &[Start]),
        (
            "execution_timeout",
            says.execution_timeout.is_some(),
            STARTS,
        ),
        ("run_timeout", says.run_timeout.is_some(), STARTS),
        ("task_timeout", says.task_timeout.is_some(), STARTS),
        (
            "start_delay",
            says.start_delay.is_some(),
            &[Start, SignalWithStart],
        ),
        ("retry", says.retry.is_some(), STARTS),
        ("priority", says.priority.is_some(), STARTS),
        ("fairness_key", says.fairness_key.is_some(), STARTS),
        ("fairness_weight", says.fairness_weight.is_some(), STARTS),
        (
            "versioning_override",
            says.versioning_override.is_some(),
            STARTS,
        ),
        (
            "search_attributes",
            says.search_attributes.is_some(),
            STARTS,
        ),
        ("memo", says.memo.is_some(), STARTS),
        ("summary", says.summary.is_some(), STARTS),
        ("details", says.details.is_some(), STARTS),
        ("signal", says.signal.is_some(), &[Signal, SignalWithStart]),
        ("update", says.update.is_some(), &[UpdateWithStart]),
        ("respond", says.respond.is_some(), &[UpdateWithStart]),
        ("on_late", says.on_late.is_some(), &[UpdateWithStart]),
        ("on_missing", says.on_missing.is_some(), &[Signal]),
    ];
    for (key, is_there, actions) in keys {
        if is_there && !actions.contains(&action) {
            let problem = format!(
                "action = {:?} makes no use of it: leave it out",
                action.word()
            );
            mistakes.push(Mistake::new(places.of(key), problem));
        }
    }
}

fn fixed(name: &str) -> Template {
    Template::try_from(name.to_owned()).expect("a name is a template")
}

/// The task queue of dead letters.
pub const DEAD_LETTERS: &str = "webhook_dead_letters";

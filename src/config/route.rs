//! What a source's events become: what the provider says by default, the source otherwise, and
//! each of its routes for some of them.

mod reach;
mod validate;

use std::sync::Arc;

use webhook_core::action::{Action, DeadLetters};
use webhook_core::expression::template::Template;
use webhook_core::provider::Provider;
use webhook_core::route::{Route, Settings};

use self::validate::Validator;
use super::Mistake;
use super::file;
use super::file::route::Overrides;
use crate::cli::ServeArgs;

/// The routes in their order, the source's default route last.
pub(super) fn routes(
    args: &ServeArgs,
    entry: &file::Source,
    provider: &Provider,
    mistakes: &mut Vec<Mistake>,
    warnings: &mut Vec<Mistake>,
) -> Vec<Route> {
    let base = of_source(args, entry, provider);
    reach::check(&entry.routes, warnings);
    let mut routes = Vec::new();
    for (index, route) in entry.routes.iter().enumerate() {
        let overrides = route.overrides.clone().or(&base);
        let validator = Validator {
            places: &route.places,
            own: &route.overrides,
            when: route.when.as_ref(),
            merged: &overrides,
            entry,
            provider,
        };
        validator.unused_keys(mistakes);
        validator.check(mistakes, warnings);
        // Without a condition, which was a mistake, it is never made use of.
        routes.extend(route.when.clone().map(|when| Route {
            name: format!("route {}", index + 1),
            when: Some(when),
            settings: settings(args, overrides, provider),
        }));
    }
    let validator = Validator {
        places: &entry.places,
        own: &entry.overrides,
        when: None,
        merged: &base,
        entry,
        provider,
    };
    validator.check(mistakes, warnings);
    routes.push(Route {
        name: "the source itself".to_owned(),
        when: None,
        settings: settings(args, base, provider),
    });
    routes
}

/// What the source says, with the task queue that flags make of it.
fn of_source(args: &ServeArgs, entry: &file::Source, provider: &Provider) -> Overrides {
    let queue = (entry.overrides.task_queue.clone()).unwrap_or_else(|| provider.task_queue.clone());
    let per_topic = args.no_global_queue || args.global_queue == Some(false);
    Overrides {
        task_queue: Some(if per_topic { queue.per_topic() } else { queue }),
        ..entry.overrides.clone()
    }
}

fn settings(args: &ServeArgs, overrides: Overrides, provider: &Provider) -> Settings {
    let or_webhook = |name: Option<Template>| name.unwrap_or_else(|| fixed("webhook"));
    let or = |name: Option<Template>, default: &Template| name.unwrap_or_else(|| default.clone());
    let action = overrides.action.unwrap_or_default();
    Settings {
        action,
        options: overrides.options(),
        workflow_type: or(overrides.workflow_type, &provider.workflow_type),
        workflow_id: or(overrides.workflow_id, &provider.workflow_id),
        // Which workflows are started here is known once all sources are.
        is_given_id: action == Action::Signal,
        task_queue: or(overrides.task_queue, &provider.task_queue),
        signal: or_webhook(overrides.signal),
        update: or_webhook(overrides.update),
        respond: overrides.respond.unwrap_or_default(),
        on_late: overrides.on_late.unwrap_or_default(),
        on_missing: overrides.on_missing.unwrap_or_default(),
        search_attributes: overrides.search_attributes.unwrap_or_default(),
        memo: overrides.memo.unwrap_or_default(),
        format: (args.payload_format.or(overrides.format)).unwrap_or_default(),
        compression: overrides.compress.unwrap_or_default(),
        dead_letter: match overrides.dead_letter {
            Some(DeadLetters::Switch(false)) => None,
            Some(DeadLetters::Queue(queue)) => Some(queue.into()),
            Some(DeadLetters::Switch(true)) | None => Some(Arc::from(DEAD_LETTERS)),
        },
    }
}

fn fixed(name: &str) -> Template {
    Template::try_from(name.to_owned()).expect("a name is a template")
}

/// The task queue of dead letters.
pub const DEAD_LETTERS: &str = "webhook_dead_letters";

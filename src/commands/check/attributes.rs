//! `check`: search attributes, those of the routes and the forwarder's own, and their registration.

use std::collections::BTreeMap;

use temporalio_client::Connection;

use super::{Finding, Problem, Table};
use crate::config::Config;
use crate::temporal::attributes::{Missing, NOT_REGISTERED, expected, own, registered};
use crate::temporal::connect::Settings;
use crate::temporal::index::LEFT_OUT;

/// A row for those of the routes and one for our own, if there are any.
pub(super) async fn rows(
    config: &Config,
    connection: &Connection,
    settings: &Settings,
    register: bool,
    table: &mut Table,
) {
    let asking = Asking {
        connection,
        settings,
        register,
    };
    let of_routes = expected(&config.sources);
    if !of_routes.is_empty() {
        let found = asking.finding(&of_routes, is_wrong).await;
        table.row("attributes", found);
    }
    if config.index {
        let own = own();
        let found = asking.finding(&own, is_left_out).await;
        table.row("index", asking.of_type(&own, found).await);
    }
    if register && of_routes.is_empty() && !config.index {
        let text = "--register-search-attributes: no route sets one, and [temporal] index is off";
        table.row("attributes", Err(Problem::Warning(text.to_owned())));
    }
}

struct Asking<'a> {
    connection: &'a Connection,
    settings: &'a Settings,
    register: bool,
}

impl Asking<'_> {
    async fn finding(
        &self,
        expected: &BTreeMap<String, &'static str>,
        otherwise: fn(&Missing<'_>, &Settings) -> Problem,
    ) -> Finding {
        let (connection, settings) = (self.connection, self.settings);
        let missing = Missing::of(expected, connection, settings)
            .await
            .map_err(|text| Problem::Warning(format!("not asked: {text}")))?;
        if missing.is_empty() {
            let names: Vec<_> = expected.keys().map(String::as_str).collect();
            return Ok(format!("{} registered", names.join(", ")));
        }
        if !self.register {
            return Err(otherwise(&missing, settings));
        }
        match missing.register(connection, settings).await {
            Ok(()) => Ok(format!("{} registered now", missing.with_types())),
            Err(error) => Err(Problem::Wrong(format!(
                "{} could not be registered: {error}{}",
                missing.with_types(),
                missing.elsewhere(settings)
            ))),
        }
    }

    /// Ours are of one type, whoever registered them.
    async fn of_type(&self, own: &BTreeMap<String, &'static str>, found: Finding) -> Finding {
        let known = match &found {
            Ok(_) => registered(self.connection, &self.settings.namespace).await,
            Err(_) => return found,
        };
        let known = known.unwrap_or_default();
        let others = own.iter().filter_map(|(name, kind)| {
            let registered = known.get(name).filter(|registered| *registered != kind)?;
            Some(format!("{name} is registered as {registered}, not {kind}"))
        });
        let others: Vec<_> = others.collect();
        if others.is_empty() {
            return found;
        }
        Err(Problem::Warning(format!(
            "{}: events are started without it",
            others.join(", ")
        )))
    }
}

/// A start with one of a route's that is not registered is refused, and would become a dead letter.
fn is_wrong(missing: &Missing<'_>, settings: &Settings) -> Problem {
    Problem::Wrong(format!(
        "{} {NOT_REGISTERED}; this registers it (if the type is right), or --register-search-attributes does:\n  {}",
        missing.names(),
        missing.commands(settings).join("\n  ")
    ))
}

/// Our own cost no event.
fn is_left_out(missing: &Missing<'_>, _: &Settings) -> Problem {
    Problem::Warning(format!("{} {LEFT_OUT}", missing.names()))
}

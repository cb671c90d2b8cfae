//! Whether the search attributes of the routes are registered: for `check`, and after a reload.

use std::collections::BTreeMap;

use temporalio_client::Connection;
use temporalio_common::protos::temporal::api::operatorservice::v1::ListSearchAttributesRequest;
use tonic::IntoRequest;
use webhook_core::expression::template::Template;
use webhook_core::expression::types::Type;
use webhook_core::source::Source;

use super::{Finding, Trouble};
use crate::temporal::connect::Settings;
use crate::temporal::{link, status};

/// The names that some route sets, each with Temporal's type for its values.
pub fn wanted(sources: &[Source]) -> BTreeMap<String, &'static str> {
    let routes = sources.iter().flat_map(|source| &source.routes);
    let attributes = routes.flat_map(|route| &route.settings.search_attributes);
    attributes
        .map(|(name, template)| (name.clone(), kind(template)))
        .collect()
}

/// A start with one that is not registered is refused, and would become a dead letter.
pub(super) async fn registered(
    connection: &Connection,
    settings: &Settings,
    wanted: BTreeMap<String, &'static str>,
) -> Finding {
    let missing = missing(connection, settings, &wanted).await;
    let missing = missing.map_err(|text| Trouble::Warning(format!("not asked: {text}")))?;
    if missing.is_empty() {
        let names: Vec<_> = wanted.into_keys().collect();
        return Ok(format!("{} registered", names.join(", ")));
    }
    Err(Trouble::Wrong(format!(
        "{} {NOT_REGISTERED}; this registers it (if the type is right):\n  {}",
        names(&missing),
        commands(settings, &missing).join("\n  ")
    )))
}

/// Warns of those that are not registered. That Temporal cannot be asked now is no warning: what
/// connects to it says so.
pub async fn warn(settings: &Settings, wanted: BTreeMap<String, &'static str>) {
    let missing = match link::connect(settings).await {
        Ok(connection) => missing(&connection, settings, &wanted).await,
        Err(problem) => Err(problem),
    };
    match missing {
        Ok(missing) if missing.is_empty() => {}
        Ok(missing) => tracing::warn!(
            attributes = names(&missing),
            register = commands(settings, &missing).join("; "),
            "search attributes {NOT_REGISTERED}"
        ),
        Err(error) => tracing::debug!(error, "search attributes were not asked for"),
    }
}

type Missing<'w> = Vec<(&'w str, &'static str)>;

/// Those that Temporal does not know.
///
/// # Errors
/// Not every account may ask.
async fn missing<'w>(
    connection: &Connection,
    settings: &Settings,
    wanted: &'w BTreeMap<String, &'static str>,
) -> Result<Missing<'w>, String> {
    let request = ListSearchAttributesRequest {
        namespace: settings.namespace.clone(),
    };
    let mut service = connection.operator_service();
    let answer = service.list_search_attributes(request.into_request()).await;
    let known = answer.map_err(|error| status::text(&error))?.into_inner();
    let is_known = |name: &str| {
        known.custom_attributes.contains_key(name) || known.system_attributes.contains_key(name)
    };
    let wanted = wanted.iter().map(|(name, kind)| (name.as_str(), *kind));
    Ok(wanted.filter(|(name, _)| !is_known(name)).collect())
}

fn names(missing: &Missing<'_>) -> String {
    let names: Vec<_> = missing.iter().map(|(name, _)| *name).collect();
    names.join(", ")
}

/// What registers them, one command each.
fn commands(settings: &Settings, missing: &Missing<'_>) -> Vec<String> {
    let (address, namespace) = (&settings.address, &settings.namespace);
    let command = |(name, kind): &(&str, &str)| {
        format!(
            "temporal operator search-attribute create --address {address} --namespace {namespace} --name {name} --type {kind}"
        )
    };
    missing.iter().map(command).collect()
}

/// Temporal's type for the values that the template gives.
fn kind(template: &Template) -> &'static str {
    match template.result() {
        Type::Bool => "Bool",
        Type::Int | Type::Uint => "Int",
        Type::Double => "Double",
        Type::Timestamp => "Datetime",
        Type::List(_) => "KeywordList",
        _ => "Keyword",
    }
}

const NOT_REGISTERED: &str = "not registered: events that set it would be dead letters";

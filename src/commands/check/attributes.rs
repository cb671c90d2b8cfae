//! `check`: whether the search attributes of the routes are registered.

use std::collections::BTreeMap;

use temporalio_client::Connection;
use temporalio_common::protos::temporal::api::operatorservice::v1::ListSearchAttributesRequest;
use tonic::IntoRequest;

use super::{Finding, Trouble};
use crate::core::config::source::Source;
use crate::core::expression::template::Template;
use crate::core::expression::types::Type;
use crate::temporal::connect::Settings;
use crate::temporal::status;

/// The names that some route sets.
pub(super) fn wanted(sources: &[Source]) -> BTreeMap<&str, &Template> {
    let routes = sources.iter().flat_map(|source| &source.routes);
    let attributes = routes.flat_map(|route| &route.settings.search_attributes);
    attributes
        .map(|(name, template)| (name.as_str(), template))
        .collect()
}

/// A start with one that is not registered is refused, and would become a dead letter.
pub(super) async fn registered(
    connection: &Connection,
    settings: &Settings,
    wanted: BTreeMap<&str, &Template>,
) -> Finding {
    let request = ListSearchAttributesRequest {
        namespace: settings.namespace.clone(),
    };
    let mut service = connection.operator_service();
    let known = match service.list_search_attributes(request.into_request()).await {
        Ok(answer) => answer.into_inner(),
        // Not every account may ask.
        Err(error) => {
            return Err(Trouble::Warning(format!(
                "not asked: {}",
                status::text(&error)
            )));
        }
    };
    let is_known = |name: &str| {
        known.custom_attributes.contains_key(name) || known.system_attributes.contains_key(name)
    };
    let names: Vec<_> = wanted.keys().copied().collect();
    let unknown = || wanted.iter().filter(|(name, _)| !is_known(name));
    if unknown().next().is_none() {
        return Ok(format!("{} registered", names.join(", ")));
    }
    let commands: String = unknown()
        .map(|(name, template)| {
            format!(
                "\n  temporal operator search-attribute create --address {} --namespace {} --name {name} --type {}",
                settings.address,
                settings.namespace,
                kind(template)
            )
        })
        .collect();
    let unknown: Vec<_> = unknown().map(|(name, _)| *name).collect();
    Err(Trouble::Wrong(format!(
        "{} not registered: events that set it would be dead letters; this registers it (if the type is right):{commands}",
        unknown.join(", "),
    )))
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

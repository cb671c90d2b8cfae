//! `check`: whether the search attributes of the routes are registered.

use std::collections::BTreeSet;

use temporalio_client::Connection;
use temporalio_common::protos::temporal::api::operatorservice::v1::ListSearchAttributesRequest;
use tonic::IntoRequest;

use super::{Finding, Trouble};
use crate::core::config::source::Source;
use crate::temporal::connect::Settings;
use crate::temporal::status;

/// The names that some route sets.
pub(super) fn wanted(sources: &[Source]) -> BTreeSet<&str> {
    let routes = sources.iter().flat_map(|source| &source.routes);
    let attributes = routes.flat_map(|route| &route.settings.search_attributes);
    attributes.map(|(name, _)| name.as_str()).collect()
}

/// A start with one that is not registered is refused, and would become a dead letter.
pub(super) async fn registered(
    connection: &Connection,
    settings: &Settings,
    wanted: BTreeSet<&str>,
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
    let is_known = |name: &&str| {
        known.custom_attributes.contains_key(*name) || known.system_attributes.contains_key(*name)
    };
    let (known, unknown): (Vec<_>, Vec<_>) = wanted.into_iter().partition(is_known);
    if unknown.is_empty() {
        return Ok(format!("{} registered", known.join(", ")));
    }
    Err(Trouble::Wrong(format!(
        "{} not registered: events that set it would be dead letters; \
         temporal operator search-attribute create --namespace {} --name {} --type Keyword registers one",
        unknown.join(", "),
        settings.namespace,
        unknown[0]
    )))
}

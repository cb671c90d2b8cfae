//! Whether the search attributes of the routes are registered: for `check`, and after a reload.

use std::collections::BTreeMap;

use temporalio_client::Connection;
use temporalio_common::protos::temporal::api::operatorservice::v1::ListSearchAttributesRequest;
use tonic::IntoRequest;
use webhook_core::expression::template::Template;
use webhook_core::expression::types::Type;
use webhook_core::source::Source;

use super::connect::Settings;
use super::{link, status};

/// The names that some route sets, each with Temporal's type for its values.
pub fn expected(sources: &[Source]) -> BTreeMap<String, &'static str> {
    let routes = sources.iter().flat_map(|source| &source.routes);
    let attributes = routes.flat_map(|route| &route.settings.search_attributes);
    attributes
        .map(|(name, template)| (name.clone(), kind(template)))
        .collect()
}

/// Those of `expected` that Temporal does not know.
pub struct Missing<'w>(Vec<(&'w str, &'static str)>);

impl<'w> Missing<'w> {
    /// Asks for them.
    ///
    /// # Errors
    /// Not every account may ask.
    pub async fn of(
        expected: &'w BTreeMap<String, &'static str>,
        connection: &Connection,
        settings: &Settings,
    ) -> Result<Self, String> {
        let request = ListSearchAttributesRequest {
            namespace: settings.namespace.clone(),
        };
        let mut service = connection.operator_service();
        let answer = service.list_search_attributes(request.into_request()).await;
        let known = answer.map_err(|error| status::text(&error))?.into_inner();
        let is_known = |name: &str| {
            known.custom_attributes.contains_key(name) || known.system_attributes.contains_key(name)
        };
        let expected = expected.iter().map(|(name, kind)| (name.as_str(), *kind));
        Ok(Self(expected.filter(|(name, _)| !is_known(name)).collect()))
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// For people.
    pub fn names(&self) -> String {
        let names: Vec<_> = self.0.iter().map(|(name, _)| *name).collect();
        names.join(", ")
    }

    /// What registers them, one command each.
    pub fn commands(&self, settings: &Settings) -> Vec<String> {
        let (address, namespace) = (&settings.address, &settings.namespace);
        let command = |(name, kind): &(&str, &str)| {
            format!(
                "temporal operator search-attribute create --address {address} --namespace {namespace} --name {name} --type {kind}"
            )
        };
        self.0.iter().map(command).collect()
    }
}

/// Warns of those that are not registered. That Temporal cannot be asked now is no warning: what
/// connects to it says so.
pub async fn warn(settings: &Settings, expected: BTreeMap<String, &'static str>) {
    let missing = match link::connect(settings).await {
        Ok(connection) => Missing::of(&expected, &connection, settings).await,
        Err(problem) => Err(problem),
    };
    match missing {
        Ok(missing) if missing.is_empty() => {}
        Ok(missing) => tracing::warn!(
            attributes = missing.names(),
            register = missing.commands(settings).join("; "),
            "search attributes {NOT_REGISTERED}"
        ),
        Err(error) => tracing::debug!(error, "search attributes were not asked for"),
    }
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

/// What becomes of it.
pub const NOT_REGISTERED: &str = "not registered: events that set it would be dead letters";

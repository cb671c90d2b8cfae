//! Which search attributes are registered, and which should be: for `check`, and after a reload.

use std::collections::BTreeMap;
use std::time::Duration;

use temporalio_client::Connection;
use temporalio_common::protos::temporal::api::enums::v1::IndexedValueType;
use temporalio_common::protos::temporal::api::operatorservice::v1::{
    AddSearchAttributesRequest, ListSearchAttributesRequest,
};
use tokio::time::sleep;
use tonic::IntoRequest;
use webhook_core::expression::template::Template;
use webhook_core::expression::types::Type;
use webhook_core::index;
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
        let known = registered(connection, &settings.namespace).await?;
        let expected = expected.iter().map(|(name, kind)| (name.as_str(), *kind));
        Ok(Self(
            expected
                .filter(|(name, _)| !known.contains_key(*name))
                .collect(),
        ))
    }

    /// Registers them, and waits until Temporal says that it has them.
    ///
    /// # Errors
    /// What Temporal says.
    pub async fn register(
        &self,
        connection: &Connection,
        settings: &Settings,
    ) -> Result<(), String> {
        let types = self.0.iter().filter_map(|(name, kind)| {
            let (_, value) = KINDS.into_iter().find(|(known, _)| known == kind)?;
            Some(((*name).to_owned(), value.into()))
        });
        let request = AddSearchAttributesRequest {
            namespace: settings.namespace.clone(),
            search_attributes: types.collect(),
        };
        let mut service = connection.operator_service();
        let answer = service.add_search_attributes(request.into_request()).await;
        answer.map_err(|error| status::text(&error))?;
        for _ in 0..ROUNDS {
            let known = registered(connection, &settings.namespace).await?;
            if self.0.iter().all(|(name, _)| known.contains_key(*name)) {
                return Ok(());
            }
            sleep(PAUSE).await;
        }
        Err("Temporal took them, and does not list them yet".to_owned())
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

    /// For people, each with its type.
    pub fn with_types(&self) -> String {
        let all = self.0.iter().map(|(name, kind)| format!("{name} ({kind})"));
        all.collect::<Vec<_>>().join(", ")
    }

    /// Where else they are registered, if Temporal does not let everybody.
    pub fn elsewhere(&self, settings: &Settings) -> String {
        if !settings.is_cloud() {
            return String::new();
        }
        let namespace = &settings.namespace;
        let pairs = self
            .0
            .iter()
            .map(|(name, kind)| format!(" --search-attribute {name}={kind}"));
        let pairs: String = pairs.collect();
        format!("\n  tcld namespace search-attributes add --namespace {namespace}{pairs}")
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

/// Those that Temporal has, its own included: names and types.
///
/// # Errors
/// Not every account may ask.
pub async fn registered(
    connection: &Connection,
    namespace: &str,
) -> Result<BTreeMap<String, &'static str>, String> {
    let request = ListSearchAttributesRequest {
        namespace: namespace.to_owned(),
    };
    let mut service = connection.operator_service();
    let answer = service.list_search_attributes(request.into_request()).await;
    let known = answer.map_err(|error| status::text(&error))?.into_inner();
    let all = known
        .custom_attributes
        .into_iter()
        .chain(known.system_attributes);
    let named = all.map(|(name, value)| {
        let kind = KINDS.into_iter().find(|(_, known)| *known as i32 == value);
        (name, kind.map_or("another type", |(kind, _)| kind))
    });
    Ok(named.collect())
}

/// Those of our own.
pub fn own() -> BTreeMap<String, &'static str> {
    let names = index::NAMES.into_iter();
    names.map(|name| (name.to_owned(), KEYWORD)).collect()
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
        _ => KEYWORD,
    }
}

/// Temporal's types as its CLI names them.
const KINDS: [(&str, IndexedValueType); 7] = [
    ("Text", IndexedValueType::Text),
    (KEYWORD, IndexedValueType::Keyword),
    ("Int", IndexedValueType::Int),
    ("Double", IndexedValueType::Double),
    ("Bool", IndexedValueType::Bool),
    ("Datetime", IndexedValueType::Datetime),
    ("KeywordList", IndexedValueType::KeywordList),
];
/// A text that is found whole or by its beginning.
pub const KEYWORD: &str = "Keyword";
/// How often it is asked whether it has them.
const ROUNDS: usize = 50;
const PAUSE: Duration = Duration::from_millis(200);
/// What becomes of it.
pub const NOT_REGISTERED: &str = "not registered: events that set it would be dead letters";

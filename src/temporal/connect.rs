//! The connection's settings: Temporal's own variables and temporal.toml by the official client's
//! loader, what the operator said on top.

use std::collections::HashMap;
use std::time::Duration;

use temporalio_client::envconfig::{ClientConfigProfile, LoadClientConfigProfileOptions};
use temporalio_client::{ClientKeepAliveOptions, ConnectionOptions, GrpcCompression};
use temporalio_common::envconfig::load_client_config_profile;

use crate::core::config::{Mistake, Temporal};

/// Everything a connection needs.
#[derive(Debug, Clone)]
pub struct Settings {
    /// For the client.
    pub options: ConnectionOptions,
    /// The namespace.
    pub namespace: String,
    /// The address, for messages.
    pub address: String,
}

/// Loads the settings.
///
/// # Errors
/// A profile that is not there, files that cannot be read, an address that is none.
pub fn settings(said: &Temporal) -> Result<Settings, Mistake> {
    let wrong = |error: &dyn std::fmt::Display| {
        Mistake::new(
            "Temporal connection (--endpoint, TEMPORAL_*, temporal.toml)",
            error.to_string(),
        )
    };
    let load = LoadClientConfigProfileOptions::builder().build();
    let variables = variables().map_err(|name| wrong(&format!("{name} is not UTF-8")))?;
    let mut profile: ClientConfigProfile =
        load_client_config_profile(load, Some(&variables)).map_err(|error| wrong(&error))?;
    if let Some(address) = &said.address {
        profile.address = Some(address.clone());
    }
    let address = profile
        .address
        .get_or_insert_with(|| DEFAULT_ADDRESS.to_owned())
        .clone();
    let namespace = said
        .namespace
        .clone()
        .or_else(|| profile.namespace.clone())
        .unwrap_or_else(|| DEFAULT_NAMESPACE.to_owned());
    let mut options = ConnectionOptions::try_from(profile).map_err(|error| wrong(&error))?;
    options.identity = format!("{}@{}", crate::cli::NAME, std::process::id());
    options.connect_timeout = Some(CONNECT_TIMEOUT);
    // Encrypted payloads do not get smaller.
    options.grpc_compression = GrpcCompression::None;
    // One channel: the connector tries every address of a name and resolves anew at each
    // reconnect. Balancing over them would keep an address that nobody listens on (`::1` of
    // `localhost`) in the rotation.
    options.dns_load_balancing = None;
    options.keep_alive = Some(keep_alive());
    if namespace.is_empty() {
        return Err(wrong(&"the namespace is empty"));
    }
    Ok(Settings {
        options,
        namespace,
        address,
    })
}

/// Temporal's own variables. The loader would panic at any variable that is not UTF-8.
///
/// # Errors
/// The name of one of Temporal's whose value is not.
fn variables() -> Result<HashMap<String, String>, String> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value)))
        .filter(|(name, _)| name.starts_with("TEMPORAL_"))
        .map(|(name, value)| match value.into_string() {
            Ok(value) => Ok((name, value)),
            Err(_) => Err(name),
        })
        .collect()
}

fn keep_alive() -> ClientKeepAliveOptions {
    let mut keep_alive = ClientKeepAliveOptions::default();
    keep_alive.interval = KEEP_ALIVE_INTERVAL;
    keep_alive.timeout = KEEP_ALIVE_TIMEOUT;
    keep_alive
}

const DEFAULT_ADDRESS: &str = "localhost:7233";
const DEFAULT_NAMESPACE: &str = "default";
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// Not below 10 s: Temporal's frontend closes connections that ping more often.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(11);
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(4);

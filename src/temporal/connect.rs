//! The connection's settings: temporal.toml and Temporal's own variables as the official client's
//! loader reads them, the configuration file between the two, flags on top.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

use temporalio_client::envconfig::{
    ClientConfigProfile, ConfigError, DataSource, LoadClientConfigProfileOptions,
};
use temporalio_client::{ClientKeepAliveOptions, ConnectionOptions, GrpcCompression};
use temporalio_common::envconfig::load_client_config_profile;

use self::credentials::{check_api_key, check_metadata, proxy};
use crate::cli::ServeArgs;
use crate::config::file::Temporal as TemporalSection;
use crate::config::reader::explain;
use crate::config::{Environment, Mistake, resolve};

mod credentials;
mod settings;
mod tls;

pub use self::settings::Settings;
use self::settings::is_cloud;

/// Loads the settings.
///
/// # Errors
/// Every mistake: a profile that is not there, files that cannot be read or are no PEM, what no
/// header can hold, an address that is none.
pub fn settings(
    args: &ServeArgs,
    section: &TemporalSection,
    environment: &dyn Environment,
) -> Result<Settings, Vec<Mistake>> {
    let variables = variables()
        .map_err(|name| vec![Mistake::new(name, "not UTF-8, which Temporal asks for")])?;
    Loader::new(args, section, environment, &variables).load()
}

/// Temporal's own variables; an empty one is as good as none. The loader would panic at any
/// variable that is not UTF-8.
///
/// # Errors
/// The name of one of Temporal's whose value is not.
fn variables() -> Result<HashMap<String, String>, String> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value)))
        .filter(|(name, _)| name.starts_with("TEMPORAL_"))
        .filter(|(name, value)| !value.is_empty() || name.starts_with(META_VARIABLE))
        .map(|(name, value)| match value.into_string() {
            Ok(value) => Ok((name, value)),
            Err(_) => Err(name),
        })
        .collect()
}

/// What is known while loading.
struct Loader<'a> {
    args: &'a ServeArgs,
    section: &'a TemporalSection,
    environment: &'a dyn Environment,
    variables: &'a HashMap<String, String>,
    /// How mistakes name the profile of temporal.toml.
    profile: String,
    mistakes: Vec<Mistake>,
}

impl<'a> Loader<'a> {
    fn new(
        args: &'a ServeArgs,
        section: &'a TemporalSection,
        environment: &'a dyn Environment,
        variables: &'a HashMap<String, String>,
    ) -> Self {
        Self {
            args,
            section,
            environment,
            variables,
            profile: DEFAULT_FILE.to_owned(),
            mistakes: Vec::new(),
        }
    }

    fn load(mut self) -> Result<Settings, Vec<Mistake>> {
        let mut profile = self.profile();
        self.overlay(&mut profile);
        self.apply_variables(&mut profile);
        profile.address = self.args.endpoint.clone().or(profile.address);
        profile.namespace = self.args.namespace.clone().or(profile.namespace);
        profile.api_key = profile.api_key.filter(|key| !key.is_empty());

        let address = profile
            .address
            .get_or_insert_with(|| DEFAULT_ADDRESS.to_owned())
            .clone();
        let namespace = profile
            .namespace
            .get_or_insert_with(|| DEFAULT_NAMESPACE.to_owned())
            .clone();
        if namespace.is_empty() {
            let place = self.place(&["TEMPORAL_NAMESPACE"], "namespace");
            self.wrong(place, "the namespace is empty");
        }
        self.check_scheme(&mut profile);
        check_api_key(&mut self, &profile);
        check_metadata(&mut self, &profile);
        let certificate = tls::read(&mut self, &mut profile);
        let proxy = proxy(&mut self);
        let options = self.options(profile);
        match options {
            Some(mut options) if self.mistakes.is_empty() => {
                options.http_connect_proxy = proxy;
                Ok(Settings {
                    options,
                    namespace,
                    ui: self.section.ui.clone().or_else(|| cloud_ui(&address)),
                    address,
                    connections: self.section.connections.unwrap_or(DEFAULT_CONNECTIONS),
                    certificate,
                })
            }
            _ => Err(self.mistakes),
        }
    }

    /// What temporal.toml says, by the client's loader.
    fn profile(&mut self) -> ClientConfigProfile {
        let named = self
            .variables
            .get("TEMPORAL_CONFIG_FILE")
            .map(PathBuf::from)
            .or_else(|| self.section.config_file.clone());
        let Some(path) = named.clone().or_else(default_file) else {
            return ClientConfigProfile::default();
        };
        let shown = path.display().to_string();
        let bytes = match self.environment.read(&path) {
            Ok(bytes) => bytes,
            // Without a file of their own most people have none.
            Err(error) if named.is_some() || path.exists() => {
                let place = self.place(&["TEMPORAL_CONFIG_FILE"], "config_file");
                self.wrong(place, format!("{shown}: {error}"));
                return ClientConfigProfile::default();
            }
            Err(_) => Vec::new(),
        };
        let name = self
            .variables
            .get("TEMPORAL_PROFILE")
            .or(self.section.profile.as_ref())
            .cloned();
        self.profile = format!("{shown} [profile.{}]", name.as_deref().unwrap_or("default"));
        let load = LoadClientConfigProfileOptions::builder()
            .config_source(DataSource::Data(bytes.clone()))
            .maybe_config_file_profile(name)
            .disable_env(true)
            .build();
        match load_client_config_profile(load, Some(&HashMap::new())) {
            Ok(profile) => return profile,
            Err(ConfigError::ProfileNotFound(name)) => {
                let place = self.place(&["TEMPORAL_PROFILE"], "profile");
                self.wrong(place, format!("{shown} has no [profile.{name}]"));
            }
            Err(error) => {
                let (line, problem) = reason(&error, &bytes);
                self.wrong(format!("{shown}{line}"), problem);
            }
        }
        ClientConfigProfile::default()
    }

    /// Puts what our file says over it.
    fn overlay(&mut self, profile: &mut ClientConfigProfile) {
        let section = self.section;
        profile.address = section.address.clone().or_else(|| profile.address.take());
        profile.namespace = section
            .namespace
            .clone()
            .or_else(|| profile.namespace.take());
        let decides = !self.variables.contains_key("TEMPORAL_API_KEY");
        if let Some(reference) = section.api_key.as_ref().filter(|_| decides) {
            match resolve(reference, self.environment) {
                Ok(key) => {
                    let key = String::from_utf8_lossy(key.reveal()).into_owned();
                    profile.api_key = Some(key);
                }
                Err(problem) => self.wrong(section.places.of("api_key"), problem),
            }
        }
        for (name, (place, reference)) in &section.grpc_meta {
            match resolve(reference, self.environment) {
                Ok(value) => {
                    let value = String::from_utf8_lossy(value.reveal()).into_owned();
                    profile.grpc_meta.insert(name.clone(), value);
                }
                Err(problem) => self.wrong(place.clone(), problem),
            }
        }
        if let Some(tls) = &section.tls {
            tls::overlay(tls, profile.tls.get_or_insert_default());
        }
    }

    /// Puts what Temporal's variables say over it, by the client's loader.
    fn apply_variables(&mut self, profile: &mut ClientConfigProfile) {
        for name in SWITCHES {
            let value = self.variables.get(name).map(|value| value.to_lowercase());
            if value.is_some_and(|value| !["true", "false", "1", "0"].contains(&value.as_str())) {
                self.wrong((*name).to_owned(), "expected true or false");
            }
        }
        if let Some(tls) = &mut profile.tls {
            tls::make_way(tls, self.variables);
        }
        if let Err(error) = profile.load_from_env(Some(self.variables)) {
            let problem = reason(&error, &[]).1;
            self.wrong("TEMPORAL_*".to_owned(), problem);
        }
    }

    /// A scheme says whether there is TLS. The client would send over plain HTTP whatever the rest
    /// of the settings asks for.
    fn check_scheme(&mut self, profile: &mut ClientConfigProfile) {
        let address = profile.address.as_deref().unwrap_or_default();
        let Some((scheme, _)) = address.split_once("://") else {
            let port = address
                .rsplit_once(':')
                .map(|(_, port)| port.parse::<u16>());
            if !matches!(port, Some(Ok(_))) {
                let place = self.address_place();
                self.wrong(
                    place,
                    "no port: expected one such as \"localhost:7233\", or a URL",
                );
            }
            return;
        };
        let disabled = profile.tls.as_ref().map(|tls| tls.disabled == Some(true));
        let problem = match (scheme, disabled) {
            ("https", Some(true)) => "https://, but TLS is disabled",
            ("https", None) => {
                profile.tls = Some(temporalio_common::envconfig::ClientConfigTLS::default());
                return;
            }
            ("http", Some(false)) => "http:// is without TLS, and there are settings for TLS",
            ("http", None) if profile.api_key.is_some() => {
                "http:// is without TLS, and there is an API key: it would travel in the clear"
            }
            ("http" | "https", _) => return,
            _ => "expected host:port, or a URL with http:// or https://",
        };
        let place = self.address_place();
        self.wrong(place, problem);
    }

    fn options(&mut self, profile: ClientConfigProfile) -> Option<ConnectionOptions> {
        let mut options = match ConnectionOptions::try_from(profile) {
            Ok(options) => options,
            Err(error) => {
                let place = self.address_place();
                self.wrong(place, reason(&error, &[]).1);
                return None;
            }
        };
        options.identity = format!("{}@{}", crate::cli::NAME, std::process::id());
        options.connect_timeout = Some(CONNECT_TIMEOUT);
        // Off by default: encrypted payloads do not get smaller, and the others are small.
        options.grpc_compression = match self.section.compression {
            Some(true) => GrpcCompression::Gzip,
            _ => GrpcCompression::None,
        };
        // One channel to a connection: the connector tries every address of a name and resolves anew at each
        // reconnect. Balancing over them would keep an address that nobody listens on (`::1` of
        // `localhost`) in the rotation.
        options.dns_load_balancing = None;
        options.keep_alive = Some(keep_alive());
        Some(options)
    }

    fn address_place(&self) -> String {
        match &self.args.endpoint {
            Some(_) => "--endpoint (TEMPORAL_ENDPOINT)".to_owned(),
            None => self.place(&["TEMPORAL_ADDRESS"], "address"),
        }
    }

    /// How a mistake names a key of `[temporal]`: by who has the last word on it.
    fn place(&self, variables: &[&str], key: &str) -> String {
        let ours = self.section.places.has(key);
        self.place_of(variables, ours.then(|| self.section.places.of(key)), key)
    }

    /// The same: these variables, our file if it has the key, the profile.
    fn place_of(&self, variables: &[&str], ours: Option<String>, key: &str) -> String {
        let set = |name: &&&str| self.variables.contains_key(**name);
        let variable = variables.iter().find(set).map(|name| (*name).to_owned());
        variable
            .or(ours)
            .unwrap_or_else(|| format!("{} {key}", self.profile))
    }

    fn wrong(&mut self, place: String, problem: impl Into<String>) {
        self.mistakes.push(Mistake::new(place, problem));
    }
}

/// The client's error without what stands in the file: it may be a secret. And the line, `:7`.
fn reason(error: &ConfigError, text: &[u8]) -> (String, String) {
    let ConfigError::LoadError(inner) = error else {
        return (String::new(), error.to_string());
    };
    match inner.downcast_ref::<toml::de::Error>() {
        Some(error) => {
            let before = text.get(..error.span().unwrap_or_default().start);
            let lines = before.unwrap_or_default().iter().filter(|&&b| b == b'\n');
            (format!(":{}", lines.count() + 1), explain(error.message()))
        }
        None => (String::new(), inner.to_string()),
    }
}

/// Where every SDK looks.
fn default_file() -> Option<PathBuf> {
    Some(dirs::config_dir()?.join("temporalio").join(DEFAULT_FILE))
}

fn keep_alive() -> ClientKeepAliveOptions {
    let mut keep_alive = ClientKeepAliveOptions::default();
    keep_alive.interval = KEEP_ALIVE_INTERVAL;
    keep_alive.timeout = KEEP_ALIVE_TIMEOUT;
    keep_alive
}

/// Temporal Cloud has one web interface for all.
fn cloud_ui(address: &str) -> Option<String> {
    is_cloud(address).then(|| CLOUD_UI.to_owned())
}

const CLOUD_UI: &str = "https://cloud.temporal.io";
/// Where Temporal is unless somebody says otherwise.
pub const DEFAULT_ADDRESS: &str = "localhost:7233";
/// The namespace unless somebody says otherwise.
pub const DEFAULT_NAMESPACE: &str = "default";
/// One may freeze.
const DEFAULT_CONNECTIONS: usize = 2;
const DEFAULT_FILE: &str = "temporal.toml";
/// For TCP, proxy and TLS.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// Not below 10 s: Temporal's frontend closes connections that ping more often.
pub(super) const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(11);
pub(super) const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(4);
/// A header of every call; an empty one removes what temporal.toml says.
const META_VARIABLE: &str = "TEMPORAL_GRPC_META_";
/// The loader takes anything else for nothing, and there would be no TLS.
const SWITCHES: [&str; 2] = ["TEMPORAL_TLS", "TEMPORAL_TLS_DISABLE_HOST_VERIFICATION"];

#[cfg(test)]
mod tests;

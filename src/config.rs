//! What the person typed (flags, environment, file) -> [`Config`], what the program needs: once,
//! every mistake collected. After this no code checks a setting again.

pub mod acme;
pub mod admin;
pub mod clients;
pub mod codec_server;
pub mod environment;
pub mod file;
mod ids;
pub mod large;
pub mod listen;
pub mod outline;
pub mod provider;
pub mod reader;
pub mod route;
pub mod secret;
pub mod source;
pub mod tls;
mod traces;
mod weak;

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use webhook_core::client::Proxies;
use webhook_core::codec::Codec;
use webhook_core::codec::key::Key;
use webhook_core::handshake::Handshake;
use webhook_core::provider::values::IdleTimeout;
use webhook_core::secret::Secret;
use webhook_core::source::Source;

use self::admin::Admin;
use self::file::source::VerifyWord;
use self::file::{File, Metrics};
use self::large::Large;
use self::secret::SecretRef;
pub use self::secret::resolve;
use self::tls::Tls;
use crate::cli::ServeArgs;

/// All settings, checked.
#[derive(Debug)]
pub struct Config {
    /// What senders connect with; `None`: plain HTTP.
    pub tls: Option<Tls>,
    /// How long a stop waits for requests in flight.
    pub drain_timeout: Duration,
    /// How long a connection may do nothing between two requests.
    pub idle_timeout: Duration,
    /// How many connections one peer may hold; `None`: all.
    pub max_connections_per_peer: Option<usize>,
    /// Who may say whom a request is from; `None`: nobody.
    pub proxies: Option<Arc<Proxies>>,
    /// Who may ask the admin listener.
    pub admin: Admin,
    /// Encrypts payloads; without keys they are stored as they are.
    pub codec: Codec,
    /// Where large payloads are stored; `None`: they are refused.
    pub large: Option<Large>,
    /// Which labels there are, and how often task queues are asked about.
    pub metrics: Metrics,
    /// Whether events are started with search attributes of our own.
    pub index: bool,
    /// Whether spans are sent to a collector.
    pub traces: bool,
    /// Whether a sender's trace is continued.
    pub trust_traceparent: bool,
    /// Whether the file names any source: else there is the one of the flags.
    pub has_written_sources: bool,
    /// At least one, each with a path of its own.
    pub sources: Vec<Source>,
    /// What works, but should be otherwise.
    pub warnings: Vec<Mistake>,
}

/// PEM texts that were seen to fit together.
#[derive(Debug)]
pub struct Identity {
    /// The chain, leaf first.
    pub cert: Vec<u8>,
    /// The leaf's private key.
    pub key: Secret,
}

/// What a configuration may ask of the world.
pub trait Environment {
    /// The variable's bytes, `None` if it is not set.
    fn var(&self, name: &str) -> Option<Vec<u8>>;
    /// The bytes of a file, or why there are none.
    fn read(&self, path: &Path) -> Result<Vec<u8>, String>;
    /// The token of an address handshake whose source names none: nobody has one but `dev`.
    fn verify_token(&self) -> Option<Secret> {
        None
    }
    /// Whether certificate chain and key (PEM) can serve TLS together.
    fn check_identity(&self, identity: &Identity) -> Result<(), String>;
    /// Whether there is an authority in this text (PEM) that certificates can be checked by.
    fn check_authorities(&self, _pem: &[u8]) -> Result<(), String> {
        Ok(())
    }
    /// Whether this text (PEM) has a revocation list of each of these authorities.
    fn check_revocation(&self, _authorities: &[u8], _pem: &[u8]) -> Result<(), String> {
        Ok(())
    }
    /// What may keep senders from trusting a chain that can serve.
    fn doubts(&self, _identity: &Identity) -> Vec<String> {
        Vec::new()
    }
    /// The host names and addresses that the chain's leaf is for.
    fn names(&self, _identity: &Identity) -> Vec<String> {
        Vec::new()
    }
}

/// A world in which there is nothing: for tests of what needs no file and no variable.
#[derive(Debug)]
pub struct Nothing;

impl Environment for Nothing {
    fn var(&self, _: &str) -> Option<Vec<u8>> {
        None
    }

    fn read(&self, _: &Path) -> Result<Vec<u8>, String> {
        Err("no such file".to_owned())
    }

    fn check_identity(&self, _: &Identity) -> Result<(), String> {
        Ok(())
    }
}

/// One thing wrong with the settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// The setting's name.
    pub place: String,
    /// What is wrong with it and what would be accepted.
    pub problem: String,
}

impl Mistake {
    /// A mistake of the setting `place`.
    pub fn new(place: impl Into<String>, problem: impl Into<String>) -> Self {
        Self {
            place: place.into(),
            problem: problem.into(),
        }
    }
}

impl From<Mistake> for Vec<Mistake> {
    fn from(mistake: Mistake) -> Self {
        vec![mistake]
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.problem)
    }
}

impl Config {
    /// Makes the configuration, or names every mistake.
    pub fn new(
        args: &ServeArgs,
        file: &File,
        environment: &dyn Environment,
    ) -> Result<Self, Vec<Mistake>> {
        let mut mistakes = Vec::new();
        let mut warnings = warnings(file);
        warnings.extend(hidden_keys(file, environment));
        let tls = Tls::new(args, file, environment, &mut mistakes, &mut warnings);
        let config = Self {
            tls,
            drain_timeout: args
                .drain_timeout
                .or(file.server.drain_timeout)
                .unwrap_or(DRAIN_TIMEOUT),
            idle_timeout: args
                .idle_timeout
                .or(file.server.idle_timeout)
                .unwrap_or(IdleTimeout::DEFAULT),
            max_connections_per_peer: args
                .max_connections_per_peer
                .or(file.server.max_connections_per_peer),
            proxies: file.server.proxies.clone().map(Arc::new),
            admin: Admin::new(args, file, environment, &mut mistakes, &mut warnings),
            codec: codec(file, environment, &mut mistakes),
            large: (file.large.as_ref())
                .and_then(|written| Large::new(written, environment, &mut mistakes)),
            metrics: file.metrics.clone(),
            traces: traces::wanted(environment, &mut mistakes),
            trust_traceparent: file.server.trust_traceparent.unwrap_or_default(),
            index: file.temporal.index.unwrap_or_default(),
            has_written_sources: !file.sources.is_empty(),
            sources: source::sources(args, file, environment, &mut mistakes, &mut warnings),
            warnings,
        };
        if mistakes.is_empty() {
            Ok(config)
        } else {
            Err(mistakes)
        }
    }
}

/// A variable that is no secret.
fn text(environment: &dyn Environment, name: &str) -> Option<String> {
    let bytes = environment.var(name)?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// The payload keys: `AES_KEY` alone if it decides, or else those of the file.
pub fn codec(file: &File, environment: &dyn Environment, mistakes: &mut Vec<Mistake>) -> Codec {
    let entries = || file.encryption.iter().flatten();
    // A file that names the variable AES_KEY says under which id it is known.
    let is_in_file =
        entries().any(|entry| matches!(&entry.key, SecretRef::Env(name) if name == "AES_KEY"));
    if let Some(digits) = environment.var("AES_KEY").filter(|_| !is_in_file) {
        let id = text(environment, "AES_KEY_ID").unwrap_or_else(|| AES_KEY_ID.to_owned());
        let digits = String::from_utf8_lossy(&digits);
        let key = keep(mistakes, "AES_KEY", Key::from_hex(&id, digits.trim()));
        let others = keys(file, environment, mistakes)
            .into_iter()
            .filter(|key| key.id() != id);
        return Codec::new(key.into_iter().chain(others).collect());
    }
    if environment.var("AES_KEY_ID").is_some() {
        mistakes.push(Mistake::new(
            "AES_KEY_ID",
            "set, but AES_KEY does not decide: set both, or name the key in [encryption]",
        ));
    }
    Codec::new(keys(file, environment, mistakes))
}

/// Those of `[encryption]`.
fn keys(file: &File, environment: &dyn Environment, mistakes: &mut Vec<Mistake>) -> Vec<Key> {
    let entries = file.encryption.iter().flatten();
    let keys = entries.filter_map(|entry| {
        let place = &entry.place;
        let secret = keep(mistakes, place, resolve(&entry.key, environment))?;
        let digits = String::from_utf8_lossy(secret.reveal());
        keep(mistakes, place, Key::from_hex(&entry.id, digits.trim()))
    });
    keys.collect()
}

/// The variable decides with which key is encrypted, whatever the file puts first.
fn hidden_keys(file: &File, environment: &dyn Environment) -> Option<Mistake> {
    let mut keys = file.encryption.iter().flatten();
    let is_hidden = environment.var("AES_KEY").is_some()
        && keys.clone().next().is_some()
        && !keys.any(|entry| matches!(&entry.key, SecretRef::Env(name) if name == "AES_KEY"));
    let text = "is set, and goes before [encryption]: its key encrypts, those of the file only decrypt. To rotate, unset it, or name it in the file: \"env:AES_KEY\"";
    is_hidden.then(|| Mistake::new("AES_KEY", text))
}

/// Secrets that stand in the file itself; a proxy's URL is one if it has a password.
fn literal_secrets(file: &File) -> Option<Mistake> {
    let of_sources = (file.sources.iter())
        .flat_map(|source| source.secrets.iter().flatten())
        .map(|entry| &entry.secret);
    let keys = file.encryption.iter().flatten().map(|entry| &entry.key);
    let proxy = file.temporal.proxy.iter().filter(
        |proxy| matches!(proxy, SecretRef::Literal(Some(url)) if url.reveal().contains(&b'@')),
    );
    let tokens = file.admin.iter().filter_map(|admin| admin.token.as_ref());
    let tickets = file.server.ticket_keys.iter();
    let literals = of_sources
        .chain(keys)
        .chain(tokens.chain(tickets).map(|(_, secret)| secret))
        .chain(&file.temporal.api_key)
        .chain(proxy)
        .filter(|secret| matches!(secret, SecretRef::Literal(_)))
        .count();
    let text = format!(
        "{literals} of its secrets stand in the file itself: \"env:NAME\" and \"file:PATH\" keep them out of copies and repositories"
    );
    (literals > 0).then(|| Mistake::new("--config (TWF_CONFIG)", text))
}

fn warnings(file: &File) -> Vec<Mistake> {
    let mut warnings: Vec<_> = literal_secrets(file).into_iter().collect();
    warnings.extend(file.large.as_ref().and_then(large::Written::warning));
    for source in &file.sources {
        if file.large.is_none()
            && source
                .body_limit
                .is_some_and(|limit| limit > DEFAULT_MAX_PAYLOAD)
        {
            let text = "over 2 MiB, and a namespace takes no more, encoded, unless it was raised: without [large_payloads] an event over its limit is a dead letter if it fits compressed, else answered 413";
            warnings.push(Mistake::new(source.places.of("body_limit"), text));
        }
        if source.verify == Some(VerifyWord::AddressHandshake) {
            let text = "weak: whoever sends from an authorised address is believed";
            warnings.push(Mistake::new(source.places.of("verify"), text));
        }
        let handshake = source
            .provider
            .as_ref()
            .and_then(|provider| provider.handshake);
        if handshake == Some(Handshake::Meta) && source.verify_token.is_none() {
            let text = "missing: without it every handshake of the sender's is answered 403";
            warnings.push(Mistake::new(source.places.of("verify_token"), text));
        }
    }
    warnings
}

fn keep<T, E: fmt::Display>(
    mistakes: &mut Vec<Mistake>,
    place: &str,
    result: Result<T, E>,
) -> Option<T> {
    result
        .map_err(|error| mistakes.push(Mistake::new(place, error.to_string())))
        .ok()
}

/// The default of `AES_KEY_ID`.
pub const AES_KEY_ID: &str = "default";
/// Bytes of a start's payloads that a namespace takes, encoded, unless it says otherwise.
pub const DEFAULT_MAX_PAYLOAD: usize = 2 * 1024 * 1024;
const DRAIN_TIMEOUT: Duration = Duration::from_secs(20);

#[cfg(test)]
mod tests;

//! What the person typed (flags, environment, file) -> [`Config`], what the program needs: once,
//! every mistake collected. After this no code checks a setting again.

pub mod file;
pub mod secret;

use std::collections::HashSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use self::file::{File, SecretRef};
use self::secret::Secret;
use super::codec::Key;
use super::payload::Format;
use super::provider::{self, Provider, Signature};
use super::route::Template;
use crate::cli::ServeArgs;

/// All settings, checked.
#[derive(Debug)]
pub struct Config {
    /// Certificate and key; `None`: plain HTTP.
    pub tls: Option<Identity>,
    /// How long a stop waits for requests in flight.
    pub drain_timeout: Duration,
    /// Where Temporal is.
    pub temporal: Temporal,
    /// Encrypts payloads; `None`: they are stored as they are.
    pub sealing: Option<Key>,
    /// At least one, each with a path of its own.
    pub sources: Vec<Source>,
}

/// What the operator said about Temporal; what is `None` Temporal's own files and variables decide.
#[derive(Debug, Clone, Default)]
pub struct Temporal {
    /// `host:port` or a URL.
    pub address: Option<String>,
    /// The namespace.
    pub namespace: Option<String>,
}

/// PEM texts that were seen to fit together.
#[derive(Debug)]
pub struct Identity {
    /// The chain, leaf first.
    pub cert: Vec<u8>,
    /// The leaf's private key.
    pub key: Secret,
}

/// One path, one provider, its secrets, and what its events start.
#[derive(Debug)]
pub struct Source {
    /// The path senders post to.
    pub path: String,
    /// Who they are.
    pub provider: &'static Provider,
    /// How to know them.
    pub verification: Verification,
    /// Where workers look for the workflow.
    pub task_queue: Template,
    /// The workflow's type.
    pub workflow_type: Template,
    /// The workflow's id.
    pub workflow_id: Template,
    /// What the worker gets.
    pub format: Format,
    /// Largest body, bytes.
    pub body_limit: usize,
    /// Time from the request's first byte to our answer.
    pub deadline: Duration,
}

/// How a source knows its sender.
#[derive(Debug)]
pub enum Verification {
    /// By a signature under any of the secrets; never empty.
    Signature(&'static Signature, Vec<NamedSecret>),
    /// Not at all: the operator asked for it by name.
    DangerUnverified,
}

/// A secret and the setting it came from (`SHOPIFY_WEBHOOKS_KEY`), for the metric.
#[derive(Debug)]
pub struct NamedSecret {
    /// Not secret.
    pub name: String,
    /// The secret.
    pub secret: Secret,
}

/// Where to listen: `host` may be a name, `port` 0 means any free one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listen {
    /// Address or name.
    pub host: String,
    /// Port.
    pub port: u16,
    /// The setting's name, for messages.
    pub setting: &'static str,
}

/// What a configuration may ask of the world.
pub trait Outside {
    /// The variable's value, `None` if it is not set.
    fn env(&self, name: &str) -> Option<String>;
    /// The bytes of a file, or why there are none.
    fn read(&self, path: &Path) -> Result<Vec<u8>, String>;
    /// Whether certificate chain and key (PEM) can serve TLS together.
    fn check_identity(&self, identity: &Identity) -> Result<(), String>;
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

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.problem)
    }
}

impl Config {
    /// Makes the configuration, or names every mistake.
    pub fn new(args: &ServeArgs, file: &File, outside: &dyn Outside) -> Result<Self, Vec<Mistake>> {
        let mut mistakes = Vec::new();
        let config = Self {
            tls: tls(args, file, outside, &mut mistakes),
            drain_timeout: args
                .drain_timeout
                .or(file.server.drain_timeout)
                .unwrap_or(DRAIN_TIMEOUT),
            temporal: Temporal {
                address: args
                    .endpoint
                    .clone()
                    .or_else(|| outside.env("TEMPORAL_ADDRESS"))
                    .or_else(|| file.temporal.address.clone()),
                namespace: args
                    .namespace
                    .clone()
                    .or_else(|| file.temporal.namespace.clone()),
            },
            sealing: sealing(file, outside, &mut mistakes),
            sources: sources(args, file, outside, &mut mistakes),
        };
        if mistakes.is_empty() {
            Ok(config)
        } else {
            Err(mistakes)
        }
    }
}

/// Where the public listener listens.
pub fn listen(args: &ServeArgs, file: &File) -> Result<Listen, Mistake> {
    let from_file = file
        .server
        .listen
        .as_deref()
        .map(|text| parse_listen(text, "[server] listen"))
        .transpose()?;
    let flags = args.host.is_some() || args.port.is_some();
    let setting = match &from_file {
        Some(listen) if !flags => listen.setting,
        _ => "--host, --port (TWF_HOST, TWF_PORT)",
    };
    let (host, port) = from_file
        .map(|listen| (listen.host, listen.port))
        .unwrap_or_else(|| (HOST.to_owned(), PORT));
    Ok(Listen {
        host: args.host.clone().unwrap_or(host),
        port: args.port.unwrap_or(port),
        setting,
    })
}

/// Where the admin listener listens, if there is one.
pub fn admin(args: &ServeArgs, file: &File) -> Result<Option<Listen>, Mistake> {
    let flag = args
        .admin
        .as_deref()
        .map(|text| (text, "--admin (TWF_ADMIN)"));
    let from_file = file
        .admin
        .as_ref()
        .map(|admin| (admin.listen.as_str(), "[admin] listen"));
    flag.or(from_file)
        .map(|(text, setting)| parse_listen(text, setting))
        .transpose()
}

fn parse_listen(text: &str, setting: &'static str) -> Result<Listen, Mistake> {
    text.rsplit_once(':')
        .and_then(|(host, port)| Some((host.trim_matches(['[', ']']), port.parse().ok()?)))
        .filter(|(host, _)| !host.is_empty())
        .map(|(host, port)| Listen {
            host: host.to_owned(),
            port,
            setting,
        })
        .ok_or_else(|| {
            Mistake::new(
                setting,
                format!("{text:?}: expected ADDRESS:PORT, such as 127.0.0.1:9000"),
            )
        })
}

fn tls(
    args: &ServeArgs,
    file: &File,
    outside: &dyn Outside,
    mistakes: &mut Vec<Mistake>,
) -> Option<Identity> {
    if args.no_tls {
        return None;
    }
    let in_file = &file.server.tls;
    let cert = pick(
        &args.cert,
        "--cert (TWF_CERT)",
        &in_file.cert,
        "[server.tls] cert",
        CERT,
    );
    let key = pick(
        &args.key,
        "--key (TWF_KEY)",
        &in_file.key,
        "[server.tls] key",
        KEY,
    );
    let pems = (outside.read(cert.1), outside.read(key.1));
    let problems: Vec<_> = [(cert, pems.0.as_ref().err()), (key, pems.1.as_ref().err())]
        .into_iter()
        .filter_map(|((place, path), error)| {
            Some((place, format!("{}: {}", path.display(), error?)))
        })
        .collect();
    if let (Ok(cert_pem), Ok(key_pem)) = pems {
        let place = format!(
            "{} {}, {} {}",
            cert.0,
            cert.1.display(),
            key.0,
            key.1.display()
        );
        let identity = Secret::new(key_pem)
            .ok_or_else(|| "the key file is empty".to_owned())
            .map(|key| Identity {
                cert: cert_pem,
                key,
            })
            .and_then(|identity| outside.check_identity(&identity).map(|()| identity));
        return keep(mistakes, &place, identity);
    }
    let last = problems.len() - 1;
    mistakes.extend(
        problems
            .into_iter()
            .enumerate()
            .map(|(index, (place, problem))| {
                // the advice once, below the last of them
                let advice = if index == last { NO_CERTIFICATE } else { "" };
                Mistake::new(place, problem + advice)
            }),
    );
    None
}

/// The path that counts, and the setting it came from.
fn pick<'a>(
    flag: &'a Option<PathBuf>,
    flag_name: &'static str,
    in_file: &'a Option<PathBuf>,
    file_name: &'static str,
    default: &'static str,
) -> (&'static str, &'a Path) {
    match (flag, in_file) {
        (Some(path), _) => (flag_name, path),
        (None, Some(path)) => (file_name, path),
        (None, None) => (flag_name, Path::new(default)),
    }
}

fn sealing(file: &File, outside: &dyn Outside, mistakes: &mut Vec<Mistake>) -> Option<Key> {
    if let Some(digits) = outside.env("AES_KEY") {
        let id = outside
            .env("AES_KEY_ID")
            .unwrap_or_else(|| AES_KEY_ID.to_owned());
        return keep(mistakes, "AES_KEY", Key::from_hex(&id, digits.trim()));
    }
    if outside.env("AES_KEY_ID").is_some() {
        mistakes.push(Mistake::new(
            "AES_KEY_ID",
            "set, but AES_KEY is not: set both or none",
        ));
    }
    let mut keys = Vec::new();
    for (index, entry) in file.encryption.iter().flat_map(|e| &e.keys).enumerate() {
        let place = format!("[encryption] keys[{index}]");
        let secret = keep(mistakes, &place, resolve(&entry.key, outside));
        let key = secret.map(|secret| {
            Key::from_hex(&entry.id, String::from_utf8_lossy(secret.reveal()).trim())
        });
        keys.extend(key.and_then(|key| keep(mistakes, &place, key)));
    }
    if file.encryption.as_ref().is_some_and(|e| e.keys.is_empty()) {
        mistakes.push(Mistake::new(
            "[encryption] keys",
            "empty: give a key or leave [encryption] out",
        ));
    }
    keys.into_iter().next()
}

fn sources(
    args: &ServeArgs,
    file: &File,
    outside: &dyn Outside,
    mistakes: &mut Vec<Mistake>,
) -> Vec<Source> {
    let verify = args.validate_hmac.unwrap_or(true) && !args.no_validate_hmac;
    let mut entries: Vec<(String, file::Source)> = Vec::new();
    if file.source.is_empty() {
        let mut shopify = default_source("shopify", !verify);
        shopify.secrets = vec![SecretRef::Env(SHOPIFY_KEY.to_owned())];
        entries.push((shopify.path.clone(), shopify));
    }
    for (index, entry) in file.source.iter().enumerate() {
        let mut entry = entry.clone();
        entry.danger_accept_unverified |= !verify;
        entries.push((format!("[[source]] {} ({})", index + 1, entry.path), entry));
    }
    if args.generic_unverified {
        entries.push((
            "--generic-unverified".to_owned(),
            default_source("generic", true),
        ));
    }
    let mut paths = HashSet::new();
    let mut sources = Vec::new();
    for (place, entry) in entries {
        if !paths.insert(entry.path.clone()) {
            mistakes.push(Mistake::new(
                &place,
                format!("another source has the path {:?}, too", entry.path),
            ));
        }
        match source(args, entry, outside) {
            Ok(source) => sources.push(source),
            Err(problems) => mistakes.extend(problems.into_iter().map(|p| Mistake::new(&place, p))),
        }
    }
    sources
}

fn default_source(provider: &str, danger_accept_unverified: bool) -> file::Source {
    file::Source {
        path: format!("/temporal/{provider}"),
        provider: provider.to_owned(),
        secrets: Vec::new(),
        danger_accept_unverified,
        task_queue: None,
        workflow_type: None,
        workflow_id: None,
        format: None,
        body_limit: None,
        deadline: None,
    }
}

fn source(
    args: &ServeArgs,
    entry: file::Source,
    outside: &dyn Outside,
) -> Result<Source, Vec<String>> {
    let mut problems = Vec::new();
    if !is_path(&entry.path) {
        problems.push(format!(
            "path {:?}: expected a path such as \"/temporal/shopify\"",
            entry.path
        ));
    }
    let Some(provider) = provider::find(&entry.provider) else {
        problems.push(format!(
            "unknown provider {:?}, expected one of: {}",
            entry.provider,
            provider::names()
        ));
        return Err(problems);
    };
    let verification = verification(&entry, provider, outside);
    if !problems.is_empty() {
        problems.extend(verification.err().into_iter().flatten());
        return Err(problems);
    }
    let queue = entry
        .task_queue
        .unwrap_or_else(|| provider.task_queue.clone());
    let per_topic = args.no_global_queue || args.global_queue == Some(false);
    Ok(Source {
        path: entry.path,
        provider,
        verification: verification?,
        task_queue: if per_topic { queue.per_topic() } else { queue },
        workflow_type: entry
            .workflow_type
            .unwrap_or_else(|| provider.workflow_type.clone()),
        workflow_id: entry
            .workflow_id
            .unwrap_or_else(|| provider.workflow_id.clone()),
        format: args.payload_format.or(entry.format).unwrap_or_default(),
        body_limit: entry.body_limit.unwrap_or(BODY_LIMIT),
        deadline: entry.deadline.unwrap_or(provider.deadline),
    })
}

/// No source is open by accident: without a verifier it must say `danger_accept_unverified`.
fn verification(
    entry: &file::Source,
    provider: &'static Provider,
    outside: &dyn Outside,
) -> Result<Verification, Vec<String>> {
    if entry.danger_accept_unverified {
        return Ok(Verification::DangerUnverified);
    }
    let Some(signature) = &provider.signature else {
        return Err(vec![format!(
            "provider {:?} signs nothing: danger_accept_unverified = true accepts whatever anybody sends",
            provider.name
        )]);
    };
    let mut secrets = Vec::new();
    let mut problems = Vec::new();
    for reference in &entry.secrets {
        match resolve(reference, outside) {
            Ok(secret) => secrets.push(NamedSecret {
                name: reference.to_string(),
                secret,
            }),
            Err(problem) => problems.push(format!("{problem}; signatures are verified with it")),
        }
    }
    if entry.secrets.is_empty() {
        problems.push("no secrets: without one no signature can be checked".to_owned());
    }
    if problems.is_empty() {
        Ok(Verification::Signature(signature, secrets))
    } else {
        Err(problems)
    }
}

fn resolve(reference: &SecretRef, outside: &dyn Outside) -> Result<Secret, String> {
    match reference {
        SecretRef::Env(name) => outside
            .env(name)
            .ok_or_else(|| format!("{name} is not set"))
            .and_then(|text| {
                Secret::new(text.into_bytes()).ok_or_else(|| format!("{name} is empty"))
            }),
        SecretRef::File(path) => {
            let shown = path.display();
            let mut bytes = outside
                .read(path)
                .map_err(|error| format!("{shown}: {error}"))?;
            if bytes.last() == Some(&b'\n') {
                bytes.pop();
            }
            Secret::new(bytes).ok_or_else(|| format!("{shown}: the file is empty"))
        }
    }
}

impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "env:{name}"),
            Self::File(path) => write!(f, "file:{}", path.display()),
        }
    }
}

fn is_path(path: &str) -> bool {
    path.starts_with('/')
        && !RESERVED.contains(&path)
        && path
            .bytes()
            .all(|b| b.is_ascii_graphic() && !b"?#%\\{}\"<>|^`".contains(&b))
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

/// The default of `--host`.
pub const HOST: &str = "0.0.0.0";
/// The default of `--port`.
pub const PORT: u16 = 5000;
/// The default of `--cert`, as certbot names it.
pub const CERT: &str = "fullchain.pem";
/// The default of `--key`, as certbot names it.
pub const KEY: &str = "privkey.pem";
/// The default of `AES_KEY_ID`.
pub const AES_KEY_ID: &str = "default";
/// The variable with the Shopify app's client secret.
pub const SHOPIFY_KEY: &str = "SHOPIFY_WEBHOOKS_KEY";
const DRAIN_TIMEOUT: Duration = Duration::from_secs(20);
const BODY_LIMIT: usize = 2 * 1024 * 1024;
/// Answered by the server itself.
pub const RESERVED: [&str; 3] = ["/", "/health/live", "/health/ready"];
const NO_CERTIFICATE: &str = "
  for a first try, `temporal-webhook-forwarder dev` makes a self-signed certificate;
  behind a proxy that terminates TLS, --no-tls serves plain HTTP;
  certs/README.md says where certificates come from";

#[cfg(test)]
mod tests;

//! Sources: the one of the flags, or those of the file; each with a verifier or the operator's
//! explicit consent to have none.

use ::core::net::IpAddr;
use std::collections::HashSet;
use std::ops::RangeInclusive;
use std::time::Duration;

use http::Method;
use ipnet::IpNet;

use super::file::{self, File, SecretEntry, SecretRef, VerifyWord};
use super::secret::Secret;
use super::{Mistake, Outside, resolve};
use crate::cli::ServeArgs;
use crate::core::handshake::Handshake;
use crate::core::payload::Format;
use crate::core::provider::scheme::Scheme;
use crate::core::provider::{Provider, catalogue};
use crate::core::verify::key::Key;
use crate::core::verify::{Circumstances, Verifier};

/// One path, one provider, its secrets, and what its events start.
#[derive(Debug)]
pub struct Source {
    /// The path senders post to.
    pub path: String,
    /// Who they are, with what this source says otherwise.
    pub provider: Provider,
    /// How to know them.
    pub verification: Verification,
    /// What a handshake has to show.
    pub verify_token: Option<Secret>,
    /// What else verification needs to know.
    pub circumstances: Circumstances,
    /// The networks that may send; empty: all.
    pub allow: Vec<IpNet>,
    /// Public keys may be fetched from the provider's hosts.
    pub fetch_keys: bool,
    /// What the worker gets.
    pub format: Format,
    /// Largest body, bytes.
    pub body_limit: usize,
}

/// How a source knows its sender.
#[derive(Debug)]
pub enum Verification {
    /// By a signature under any of the secrets; neither list is empty.
    Signature {
        /// Every scheme that a secret fits.
        verifiers: Vec<Verifier>,
        /// What the verifiers' indices mean.
        secrets: Vec<NamedSecret>,
    },
    /// By its address, after a GET from there with the verify token. Weak: see the documentation.
    AddressHandshake {
        /// What the GET has to show.
        token: Secret,
        /// For how long.
        authorised_for: Duration,
    },
    /// Not at all: the operator asked for it by name.
    DangerUnverified,
}

/// A secret and the setting it came from (`env:SHOPIFY_WEBHOOKS_KEY`), for the metric.
#[derive(Debug)]
pub struct NamedSecret {
    /// Not secret.
    pub name: String,
    /// The tenant whose requests alone it verifies.
    pub tenant: Option<String>,
    /// The secret.
    pub secret: Secret,
}

impl Source {
    /// Whether this address may send.
    pub fn allows(&self, address: IpAddr) -> bool {
        self.allow.is_empty()
            || self
                .allow
                .iter()
                .any(|network| network.contains(&address.to_canonical()))
    }
}

impl Source {
    /// Whether a request with this method may be an event or a handshake.
    pub fn takes(&self, method: &Method, query: Option<&str>) -> bool {
        let greets = matches!(self.verification, Verification::AddressHandshake { .. })
            || self.provider.handshake.is_some_and(Handshake::uses_get);
        self.provider.methods.contains(method)
            || *method == Method::GET && greets && query.is_some()
    }
}

/// All sources, or every mistake in them.
pub(super) fn sources(
    args: &ServeArgs,
    file: &File,
    outside: &dyn Outside,
    mistakes: &mut Vec<Mistake>,
) -> Vec<Source> {
    let verify = args.validate_hmac.unwrap_or(true) && !args.no_validate_hmac;
    let mut entries = file.sources.clone();
    if entries.is_empty() {
        let mut shopify = default_source("shopify", "/temporal/shopify");
        let secret = SecretRef::Env(SHOPIFY_KEY.to_owned());
        shopify.secrets = vec![SecretEntry {
            tenant: None,
            secret,
        }];
        entries.push(shopify);
    }
    for entry in &mut entries {
        entry.danger_accept_unverified |= !verify;
    }
    if args.generic_unverified {
        let mut generic = default_source("generic", "--generic-unverified");
        generic.danger_accept_unverified = true;
        entries.push(generic);
    }
    let mut paths = HashSet::new();
    let mut sources = Vec::new();
    for entry in entries {
        let place = entry.place.clone();
        let mut problems = Vec::new();
        if !paths.insert(entry.path.clone()) {
            problems.push(format!(
                "path: another source has the path {:?}, too",
                entry.path
            ));
        }
        sources.extend(source(args, entry, outside, &mut problems));
        mistakes.extend(
            problems
                .into_iter()
                .map(|problem| Mistake::new(&place, problem)),
        );
    }
    sources
}

fn default_source(provider: &str, place: &str) -> file::Source {
    file::Source {
        place: place.to_owned(),
        path: format!("/temporal/{provider}"),
        provider: catalogue::find(provider).cloned(),
        ..file::Source::default()
    }
}

fn source(
    args: &ServeArgs,
    entry: file::Source,
    outside: &dyn Outside,
    problems: &mut Vec<String>,
) -> Option<Source> {
    if !is_path(&entry.path) {
        problems.push(format!(
            "path {:?}: expected a path such as \"/temporal/shopify\"",
            entry.path
        ));
    }
    if entry
        .deadline
        .is_some_and(|deadline| !DEADLINES.contains(&deadline))
    {
        problems.push("deadline: expected 500ms to 60s".to_owned());
    }
    if entry
        .body_limit
        .is_some_and(|limit| !BODY_LIMITS.contains(&limit))
    {
        problems.push("body_limit: expected 1KiB to 50MiB".to_owned());
    }
    let token = entry
        .verify_token
        .as_ref()
        .map(|reference| resolve(reference, outside));
    let verify_token = token.and_then(|token| {
        token
            .map_err(|p| problems.push(format!("verify_token: {p}")))
            .ok()
    });
    let mut provider = entry.provider.clone()?;
    let verification = verification(&entry, &provider, verify_token.as_ref(), outside, problems);
    circumstances(&entry, &provider, problems);
    let id = entry.workflow_id.as_ref().unwrap_or(&provider.workflow_id);
    if !id.names_event() {
        problems.push(
            "workflow_id: must contain {event_id}: without it different events are one workflow"
                .to_owned(),
        );
    }
    let per_topic = args.no_global_queue || args.global_queue == Some(false);
    let file::Source {
        path,
        public_url,
        params,
        allow,
        ..
    } = entry;
    overwrite(&mut provider.task_queue, entry.task_queue);
    overwrite(&mut provider.workflow_type, entry.workflow_type);
    overwrite(&mut provider.workflow_id, entry.workflow_id);
    overwrite(&mut provider.deadline, entry.deadline);
    overwrite(&mut provider.success_status, entry.success_status);
    overwrite(&mut provider.keep_headers, entry.keep_headers);
    overwrite(&mut provider.id, entry.event_id);
    overwrite(&mut provider.topic, entry.topic);
    overwrite(&mut provider.tenant, entry.tenant);
    if per_topic {
        provider.task_queue = provider.task_queue.per_topic();
    }
    Some(Source {
        path,
        provider,
        verification: verification?,
        verify_token,
        circumstances: Circumstances { public_url, params },
        allow: allow
            .into_iter()
            .map(|file::Network(network)| network)
            .collect(),
        fetch_keys: entry.fetch_keys,
        format: args.payload_format.or(entry.format).unwrap_or_default(),
        body_limit: entry.body_limit.unwrap_or(BODY_LIMIT),
    })
}

fn overwrite<T>(setting: &mut T, said: Option<T>) {
    if let Some(said) = said {
        *setting = said;
    }
}

/// No source is open by accident: without a verifier it must say `danger_accept_unverified`.
fn verification(
    entry: &file::Source,
    provider: &Provider,
    token: Option<&Secret>,
    outside: &dyn Outside,
    problems: &mut Vec<String>,
) -> Option<Verification> {
    if entry.danger_accept_unverified {
        return Some(Verification::DangerUnverified);
    }
    if entry.verify == Some(VerifyWord::AddressHandshake) {
        if token.is_none() && entry.verify_token.is_none() {
            problems.push("verify_token: missing: an address handshake has to show it".to_owned());
        }
        return Some(Verification::AddressHandshake {
            token: token?.clone(),
            authorised_for: entry.authorised_for.unwrap_or(AUTHORISED_FOR),
        });
    }
    if provider.schemes.is_empty() {
        problems.push(format!(
            "provider {:?} signs nothing: danger_accept_unverified = true accepts whatever anybody sends",
            provider.name
        ));
        return None;
    }
    let fetches = entry.fetch_keys
        && provider
            .schemes
            .iter()
            .any(|scheme| scheme.key_url.is_some());
    if entry.fetch_keys && !fetches {
        problems.push(format!(
            "fetch_keys: {} publishes no keys that could be fetched",
            provider.title
        ));
    }
    if entry.secrets.is_empty() && !fetches {
        problems.push("secrets: missing: without one no signature can be checked".to_owned());
    }
    let mut secrets = Vec::new();
    for SecretEntry {
        tenant,
        secret: reference,
    } in &entry.secrets
    {
        match resolve(reference, outside) {
            Ok(secret) => secrets.push(NamedSecret {
                name: reference.to_string(),
                tenant: tenant.clone(),
                secret,
            }),
            Err(problem) => problems.push(format!("{problem}; signatures are verified with it")),
        }
    }
    let verifiers = verifiers(provider, &secrets, fetches, problems);
    (!verifiers.is_empty()).then_some(Verification::Signature { verifiers, secrets })
}

/// Each secret for each scheme that it fits; one that fits none is a mistake. What a scheme of the
/// provider takes for a public key is for such schemes only: as a shared secret, everybody has it.
fn verifiers(
    provider: &Provider,
    secrets: &[NamedSecret],
    fetches: bool,
    problems: &mut Vec<String>,
) -> Vec<Verifier> {
    let is_public = |named: &NamedSecret| {
        let mut forms = provider.schemes.iter().map(|scheme| scheme.secret);
        forms.any(|form| form.is_public() && Key::new(form, &named.secret).is_ok())
    };
    let keys_of = |scheme: &Scheme| {
        let keys = secrets.iter().enumerate();
        keys.filter(|(_, named)| scheme.secret.is_public() || !is_public(named))
            .filter_map(|(index, named)| {
                Some((index, Key::new(scheme.secret, &named.secret).ok()?))
            })
            .collect()
    };
    for named in secrets {
        let mut tried = provider
            .schemes
            .iter()
            .map(|scheme| Key::new(scheme.secret, &named.secret));
        if let Some(Err(expected)) = tried.next()
            && !tried.any(|key| key.is_ok())
        {
            problems.push(format!("secret {}: {expected}", named.name));
        }
    }
    let verifiers = provider.schemes.iter().map(|scheme| Verifier {
        scheme: scheme.clone(),
        keys: keys_of(scheme),
    });
    verifiers
        .filter(|verifier: &Verifier| {
            !verifier.keys.is_empty() || fetches && verifier.scheme.key_url.is_some()
        })
        .collect()
}

fn circumstances(entry: &file::Source, provider: &Provider, problems: &mut Vec<String>) {
    let needs_url = provider
        .schemes
        .iter()
        .any(|scheme| scheme.signed.needs_url());
    match &entry.public_url {
        None if needs_url && !entry.danger_accept_unverified => problems.push(format!(
            "public_url: missing: {} signs the URL, and only you know how it is seen from outside",
            provider.title
        )),
        Some(url)
            if !url.starts_with("https://") && !url.starts_with("http://")
                || url.contains(['?', '#']) =>
        {
            problems.push(format!("public_url {url:?}: expected a URL such as \"https://hooks.example.com{}\", without a query", entry.path));
        }
        _ => {}
    }
    for name in provider
        .schemes
        .iter()
        .flat_map(|scheme| scheme.signed.params())
    {
        if !entry.params.iter().any(|(key, _)| key == name) {
            problems.push(format!(
                "params.{name}: missing: {} signs it",
                provider.title
            ));
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

/// The variable with the Shopify app's client secret.
pub const SHOPIFY_KEY: &str = "SHOPIFY_WEBHOOKS_KEY";
/// Answered by the server itself.
const RESERVED: [&str; 3] = ["/", "/health/live", "/health/ready"];
const DEADLINES: RangeInclusive<Duration> = Duration::from_millis(500)..=Duration::from_secs(60);
const BODY_LIMITS: RangeInclusive<usize> = 1024..=50 * 1024 * 1024;
const BODY_LIMIT: usize = 2 * 1024 * 1024;
const AUTHORISED_FOR: Duration = Duration::from_secs(24 * 60 * 60);

//! Sources: the one of the flags, or those of the file; each with a verifier or the operator's
//! explicit consent to have none.

mod capture;
mod certificate;
mod entries;
mod limits;

use std::collections::HashSet;
use std::time::Duration;

use http::Method;
use webhook_core::provider::locator::Locator;
use webhook_core::provider::scheme::Scheme;
use webhook_core::provider::{CREDENTIALS, Provider};
use webhook_core::secret::Secret;
use webhook_core::source::{NamedSecret, Source, Verification};
use webhook_core::verify::key::Key;
use webhook_core::verify::{Verifier, VerifyContext};

pub use self::entries::{entries, one};
use super::file::source::{Network, VerifyWord};
use super::file::{self, File};
use super::reader::Places;
use super::{Environment, Mistake, ids, keep, resolve, route, weak};
use crate::cli::ServeArgs;

/// All sources, or every mistake in them.
pub(super) fn sources(
    args: &ServeArgs,
    file: &File,
    environment: &dyn Environment,
    mistakes: &mut Vec<Mistake>,
    warnings: &mut Vec<Mistake>,
) -> Vec<Source> {
    let entries = entries(args, file);
    let names = ids::names(&entries, mistakes);
    ids::check(&entries, &names, mistakes, warnings);
    let mut paths = HashSet::new();
    let mut sources = Vec::new();
    for (entry, name) in entries.into_iter().zip(names) {
        if !entry.path.is_empty() && !paths.insert(entry.path.clone()) {
            let problem = format!("another source has the path {:?}, too", entry.path);
            mistakes.push(Mistake::new(entry.places.of("path"), problem));
        } else if let Some(other) = paths.iter().find(|other| are_mixed_up(other, &entry.path)) {
            let problem = format!(
                "events of {other:?} could be taken for its own: of two paths one must not be the other with \":\" and more"
            );
            mistakes.push(Mistake::new(entry.places.of("path"), problem));
        }
        let required = certificate::required(args, &entry, &file.server.clients, mistakes);
        let source = source(args, name, entry, environment, mistakes, warnings);
        sources.extend(source.map(|source| Source {
            client_certificate: required,
            ..source
        }));
    }
    ids::reach_what_is_started(&mut sources);
    sources
}

/// Whether `{path}:{event_id}` may be the same for events of both: "/a" and "b:c", "/a:b" and "c".
fn are_mixed_up(one: &str, other: &str) -> bool {
    let longer_by_colon = |long: &str, short: &str| {
        long.strip_prefix(short)
            .is_some_and(|more| more.starts_with(':'))
    };
    longer_by_colon(one, other) || longer_by_colon(other, one)
}

fn source(
    args: &ServeArgs,
    name: Option<String>,
    mut entry: file::Source,
    environment: &dyn Environment,
    mistakes: &mut Vec<Mistake>,
    warnings: &mut Vec<Mistake>,
) -> Option<Source> {
    let place = entry.places.of("verify_token");
    let verify_token = match &entry.verify_token {
        Some(reference) => keep(mistakes, &place, resolve(reference, environment)),
        None if entry.verify == Some(VerifyWord::AddressHandshake) => environment.verify_token(),
        None => None,
    };
    let secrets = secrets(&entry, environment, mistakes);
    let mut provider = entry.provider.clone()?;
    let verification = verification(&entry, &provider, verify_token.as_ref(), secrets, mistakes);
    if let Some(verification) = &verification {
        warnings.extend(weak::doubts(verification, verify_token.as_ref(), &place));
    }
    verify_context(&entry, &provider, mistakes);
    let routes = route::routes(args, &entry, &provider, mistakes, warnings);
    overwrite(&mut provider, &mut entry);
    let capture = capture::capture(&entry, &provider, mistakes, warnings);
    warnings.extend(credentials(&provider, &entry.places));
    warnings.extend(limits::doubts(&entry, &provider));
    let block = limits::block(&entry, &provider, mistakes);
    mistakes.extend(same_for_every_get(&provider, &entry.places));
    let file::Source {
        path,
        public_url,
        params,
        allow,
        rate_limit,
        cors_origins,
        ..
    } = entry;
    Some(Source {
        name: name?,
        path,
        provider,
        verification: verification?,
        client_certificate: None,
        verify_token,
        verify_context: VerifyContext { public_url, params },
        allow: allow.into_iter().map(|Network(network)| network).collect(),
        rate_limit,
        block,
        cors_origins: (cors_origins.into_iter().flatten())
            .map(|file::limits::Origin(text)| text)
            .collect(),
        fetch_keys: entry.fetch_keys,
        routes,
        body_limit: entry.body_limit.unwrap_or(BODY_LIMIT),
        capture,
    })
}

/// What a source may say otherwise than its provider: the file's key, and the provider's field.
macro_rules! overwritable {
    ($($key:ident: $field:ident,)+) => {
        /// Puts what the source says in place of what its provider says.
        fn overwrite(provider: &mut Provider, entry: &mut file::Source) {
            $(if let Some(value) = entry.$key.take() {
                provider.$field = value;
            })+
        }

        /// Takes these settings from a provider: the file's key of each, and how it reads.
        pub fn take_overwritable(provider: &mut Provider) -> Vec<(&'static str, String)> {
            vec![$((
                stringify!($key),
                format!("{:?}", std::mem::take(&mut provider.$field)),
            )),+]
        }
    };
}

overwritable! {
    event_id: id,
    topic: topic,
    tenant: tenant,
    keep_headers: keep_headers,
    json_fields: json_fields,
    deadline: deadline,
    success_status: success_status,
}

/// Headers that are named to be kept and are not.
fn credentials(provider: &Provider, places: &Places) -> Option<Mistake> {
    let mut named = (provider.keep_headers.iter())
        .map(|pattern| pattern.to_string().trim_end_matches('*').to_owned())
        .filter(|name| CREDENTIALS.contains(&name.as_str()));
    let problem = format!(
        "{} is never kept: credentials reach no worker, no expression and no dead letter",
        named.next()?
    );
    Some(Mistake::new(places.of("keep_headers"), problem))
}

/// A GET has no body: the hash of nothing would make one event of all of them.
fn same_for_every_get(provider: &Provider, places: &Places) -> Option<Mistake> {
    let gets = provider.methods.contains(&Method::GET);
    if !gets || !provider.id.contains(&Locator::BodySha256) {
        return None;
    }
    let key = if places.has("event_id") {
        "event_id"
    } else {
        "provider.id"
    };
    let problem = "body-sha256 is the same for every GET, which has no body: all but the first would be lost, expected \"request-sha256\", the hash of the query, too";
    Some(Mistake::new(places.of(key), problem))
}

/// The secrets that are there; without verification they do not matter.
fn secrets(
    entry: &file::Source,
    environment: &dyn Environment,
    mistakes: &mut Vec<Mistake>,
) -> Vec<NamedSecret> {
    if entry.danger_accept_unverified {
        return Vec::new();
    }
    let secrets = entry.secrets.iter().flatten().filter_map(|entry| {
        let secret = resolve(&entry.secret, environment)
            .map_err(|problem| format!("{problem}; signatures are verified with it"));
        Some(NamedSecret {
            name: entry.secret.to_string(),
            place: entry.place.clone(),
            tenant: entry.tenant.clone(),
            secret: keep(mistakes, &entry.place, secret)?,
        })
    });
    secrets.collect()
}

/// No source is open by accident: without a verifier it must say `danger_accept_unverified`.
fn verification(
    entry: &file::Source,
    provider: &Provider,
    token: Option<&Secret>,
    secrets: Vec<NamedSecret>,
    mistakes: &mut Vec<Mistake>,
) -> Option<Verification> {
    let mut wrong = |key: &str, problem: &str| {
        mistakes.push(Mistake::new(entry.places.of(key), problem));
    };
    if entry.danger_accept_unverified {
        return Some(Verification::DangerUnverified);
    }
    if entry.verify == Some(VerifyWord::AddressHandshake) {
        if entry.verify_token.is_none() && token.is_none() {
            wrong(
                "verify_token",
                "missing: an address handshake has to show it, expected \"env:NAME\" or \"file:PATH\"",
            );
        }
        return Some(Verification::AddressHandshake {
            token: token?.clone(),
            authorised_for: entry.authorised_for.unwrap_or(AUTHORISED_FOR),
        });
    }
    let has_secrets = entry.secrets.as_ref().is_none_or(|it| !it.is_empty());
    if entry.verify == Some(VerifyWord::ClientCertificate) && !has_secrets && !entry.fetch_keys {
        return Some(Verification::ClientCertificate);
    }
    if provider.schemes.is_empty() {
        let problem = format!(
            "{:?} signs nothing: danger_accept_unverified = true accepts whatever anybody sends",
            provider.name
        );
        wrong("provider", &problem);
        return None;
    }
    let fetches = entry.fetch_keys
        && provider
            .schemes
            .iter()
            .any(|scheme| scheme.key_url.is_some());
    if entry.fetch_keys && !fetches {
        let problem = format!(
            "{} publishes no keys that could be fetched: leave it out",
            provider.title
        );
        wrong("fetch_keys", &problem);
    }
    if !fetches && entry.secrets.as_ref().is_some_and(Vec::is_empty) {
        wrong(
            "secrets",
            "missing: without one no signature can be checked, expected [\"env:NAME\"] or [\"file:PATH\"]",
        );
    }
    let verifiers = verifiers(provider, &secrets, fetches, mistakes);
    (!verifiers.is_empty()).then_some(Verification::Signature { verifiers, secrets })
}

/// Each secret for each scheme that it fits; one that fits none is a mistake. What a scheme of the
/// provider takes for a public key is for such schemes only: as a shared secret, everybody has it.
fn verifiers(
    provider: &Provider,
    secrets: &[NamedSecret],
    fetches: bool,
    mistakes: &mut Vec<Mistake>,
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
            let problem = format!("{}: {expected}", named.name);
            mistakes.push(Mistake::new(&named.place, problem));
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

fn verify_context(entry: &file::Source, provider: &Provider, mistakes: &mut Vec<Mistake>) {
    if entry.danger_accept_unverified {
        return;
    }
    let schemes = provider.schemes.iter();
    let needs_url = schemes.clone().any(|scheme| scheme.signed.needs_url());
    if entry.public_url.is_none() && needs_url {
        let problem = format!(
            "missing: {} signs the URL, and only you know how it is seen from outside: expected one such as \"https://hooks.example.com{}\"",
            provider.title, entry.path
        );
        mistakes.push(Mistake::new(entry.places.of("public_url"), problem));
    }
    for name in schemes.flat_map(|scheme| scheme.signed.params()) {
        if !entry.params.iter().any(|(key, _)| key == name) {
            let problem = format!(
                "{name} is missing: {} signs it, expected params = {{ {name} = \"…\" }}",
                provider.title
            );
            mistakes.push(Mistake::new(entry.places.of("params"), problem));
        }
    }
}

/// The variable with the Shopify app's client secret.
pub const SHOPIFY_KEY: &str = "SHOPIFY_WEBHOOKS_KEY";
const BODY_LIMIT: usize = 2 * 1024 * 1024;
const AUTHORISED_FOR: Duration = Duration::from_secs(24 * 60 * 60);

//! What a delivery is made of, and where it goes: from the flags, or from the configuration of the
//! forwarder that is to take it.

use std::path::{Path, PathBuf};

use clap::FromArgMatches;
use webhook_core::provider::Provider;
use webhook_core::secret::Secret;
use webhook_core::similar::did_you_mean;
use webhook_core::source::{NamedSecret, Source, Verification};

use crate::cli::send::SendArgs;
use crate::cli::{Cli, NAME, ServeArgs};
use crate::commands::{Failure, dev_data, sign};
use crate::config::file::{self, File};
use crate::config::provider::catalogue;
use crate::config::secret::SecretRef;
use crate::config::source::{self, SHOPIFY_KEY};
use crate::config::{Environment, Identity, listen, resolve};
use crate::load::{self, SystemEnvironment};

/// What a delivery is made of, and where it goes.
pub(super) struct Target {
    /// Whose it is, with the sample that was asked for.
    pub(super) provider: Provider,
    /// Signs it; `None`: nothing does.
    pub(super) secret: Option<Secret>,
    /// Whose that secret is, if it is not everybody's.
    pub(super) tenant: Option<String>,
    /// Where it goes.
    pub(super) url: String,
    /// The URL that is signed, if it is another.
    pub(super) public_url: Option<String>,
    /// What else is signed.
    pub(super) params: Vec<(String, String)>,
}

impl Target {
    /// What the flags say, and where they say nothing, the file.
    ///
    /// # Errors
    /// A file with mistakes; a provider, source or sample that is not there; no secret.
    pub(super) fn new(args: &SendArgs) -> Result<Self, Failure> {
        let from_environment = || serve_args().map(|args| args.config);
        let config = match (&args.config, &args.source) {
            (Some(path), _) => Some(path.clone()),
            (None, Some(_)) => from_environment()?,
            (None, None) => None,
        };
        let mut target = match (config, &args.provider) {
            (Some(path), _) => Self::from_file(args, &path)?,
            (None, Some(name)) if args.source.is_none() => Self::from_flags(args, name)?,
            (None, _) => {
                let problem = "--source is one of a configuration file: give --config FILE, too";
                return Err(Failure::Usage(problem.to_owned()));
            }
        };
        target.public_url = args.public_url.clone().or(target.public_url);
        target.tenant = args.tenant.clone().or(target.tenant);
        target
            .params
            .retain(|(name, _)| !args.params.iter().any(|(param, _)| param == name));
        target.params.extend(args.params.iter().cloned());
        if let Some(name) = &args.sample {
            target.provider.sample = sample(&target.provider, name)?;
        }
        Ok(target)
    }

    fn from_flags(args: &SendArgs, name: &str) -> Result<Self, Failure> {
        let provider =
            catalogue::find(name).ok_or_else(|| Failure::Usage(catalogue::unknown(name)))?;
        let url = || format!("https://localhost:5000/temporal/{name}");
        Ok(Self {
            secret: secret(args, provider)?,
            provider: provider.clone(),
            tenant: None,
            url: args.url.clone().unwrap_or_else(url),
            public_url: None,
            params: Vec::new(),
        })
    }

    fn from_file(args: &SendArgs, path: &Path) -> Result<Self, Failure> {
        let serve = serve_args()?;
        let (file, mistakes) = load::file(Some(path), &SendEnvironment)?;
        if !mistakes.is_empty() {
            return Err(Failure::Configuration(mistakes));
        }
        let mut entry = chosen(source::entries(&serve, &file), args)?;
        let url = match &args.url {
            Some(url) => url.clone(),
            None => url(&serve, &file, &entry.path)?,
        };
        let from_flag = args.secret.as_deref().map(secret_of_flag).transpose()?;
        // With a secret at hand those of the file do not matter: they may be public keys.
        let is_open = entry.danger_accept_unverified;
        entry.danger_accept_unverified |= from_flag.is_some();
        let source =
            source::one(&serve, entry, &SendEnvironment).map_err(Failure::Configuration)?;
        let (secret, tenant) = match (from_flag, &source.verification) {
            (Some(secret), _) => (Some(secret).filter(|_| !is_open), None),
            (None, Verification::Signature { secrets, .. }) => signing(&source, secrets, args)?,
            (None, _) => (None, None),
        };
        Ok(Self {
            secret,
            tenant,
            url,
            public_url: source.verify_context.public_url,
            params: source.verify_context.params,
            provider: source.provider,
        })
    }
}

/// What `serve` would be told by the environment here.
fn serve_args() -> Result<ServeArgs, Failure> {
    let matches = Cli::definition().try_get_matches_from([NAME]);
    let cli = matches.and_then(|matches| Cli::from_arg_matches(&matches));
    cli.map(|cli| cli.serve)
        .map_err(|error| Failure::Usage(error.to_string()))
}

/// The source that is meant.
fn chosen(sources: Vec<file::Source>, args: &SendArgs) -> Result<file::Source, Failure> {
    let provider = |source: &file::Source| source.provider.as_ref().map(|p| p.name.clone());
    let all: Vec<_> = sources.iter().map(|source| source.path.clone()).collect();
    let list = all.join(", ");
    let fits = |source: &file::Source| {
        let by_provider = args.provider.is_none() || provider(source) == args.provider;
        let by_name = args.source.as_ref().is_none_or(|name| {
            let last = source.path.rsplit('/').next();
            [source.name().ok().as_deref(), Some(&source.path), last].contains(&Some(name))
        });
        by_provider && by_name
    };
    // What is said in full goes before what is a part of it.
    let exact = |source: &file::Source| {
        args.source
            .as_ref()
            .is_some_and(|name| source.path == *name || source.name().is_ok_and(|own| own == *name))
    };
    let (mut fitting, _): (Vec<_>, Vec<_>) = sources.into_iter().partition(fits);
    if fitting.len() > 1 && fitting.iter().any(exact) {
        fitting.retain(exact);
    }
    match (fitting.len(), &args.source, &args.provider) {
        (1, ..) => Ok(fitting.remove(0)),
        (0, Some(name), _) => {
            let suggestion = did_you_mean(name, all.iter().map(String::as_str));
            let problem =
                format!("--source: no source {name:?}{suggestion}, expected one of {list}");
            Err(Failure::Usage(problem))
        }
        (0, None, Some(name)) => {
            let problem =
                format!("no source of the file is one of {name:?}: --source says which of {list}");
            Err(Failure::Usage(problem))
        }
        _ => {
            let fitting: Vec<_> = fitting.iter().map(|source| source.path.as_str()).collect();
            let list = fitting.join(", ");
            let problem = format!("several sources fit: --source says which of {list}");
            Err(Failure::Usage(problem))
        }
    }
}

/// Where the forwarder of this file listens, seen from the same machine.
fn url(serve: &ServeArgs, file: &File, path: &str) -> Result<String, Failure> {
    let listen = listen::public(serve, file.server.listen.as_deref())?;
    if listen.port == 0 {
        let problem = "the port is any free one: --url says where it listens";
        return Err(Failure::Usage(problem.to_owned()));
    }
    let host = match listen.host.as_str() {
        "0.0.0.0" | "::" => "localhost".to_owned(),
        host if host.contains(':') => format!("[{host}]"),
        host => host.to_owned(),
    };
    let scheme = if serve.no_tls { "http" } else { "https" };
    Ok(format!("{scheme}://{host}:{}{path}", listen.port))
}

/// The first of the source's secrets that is the tenant's and can sign.
fn signing(
    source: &Source,
    secrets: &[NamedSecret],
    args: &SendArgs,
) -> Result<(Option<Secret>, Option<String>), Failure> {
    let is_theirs = |named: &&NamedSecret| match (&named.tenant, &args.tenant) {
        (Some(theirs), Some(wanted)) => theirs == wanted,
        _ => true,
    };
    let path = &source.path;
    if !secrets.iter().any(|named| is_theirs(&named)) {
        let tenants: Vec<_> = (secrets.iter())
            .filter_map(|named| named.tenant.as_deref())
            .collect();
        let wanted = args.tenant.as_deref().unwrap_or_default();
        let suggestion = did_you_mean(wanted, tenants.iter().copied());
        let problem = format!(
            "--tenant: {path} has no secret of {wanted:?}{suggestion}, expected one of {}",
            tenants.join(", ")
        );
        return Err(Failure::Usage(problem));
    }
    let mut theirs = secrets.iter().filter(is_theirs);
    match theirs.find(|named| can_sign(&source.provider, &named.secret)) {
        Some(named) => Ok((Some(named.secret.clone()), named.tenant.clone())),
        None => Err(Failure::Usage(format!(
            "{path} has the sender's public key, which signs nothing: --secret takes a private one (PKCS#8 PEM)"
        ))),
    }
}

/// Whether a delivery can be signed with this secret.
pub(in crate::commands) fn can_sign(provider: &Provider, secret: &Secret) -> bool {
    let mut schemes = provider.schemes.iter();
    schemes.any(|scheme| !scheme.secret.is_public() && sign::sign(scheme, secret, b"").is_some())
}

fn sample(provider: &Provider, name: &str) -> Result<webhook_core::provider::Sample, Failure> {
    let known = || provider.samples.keys().map(String::as_str);
    provider.samples.get(name).cloned().ok_or_else(|| {
        let known_names = match known().collect::<Vec<_>>() {
            none if none.is_empty() => format!("{} has one sample only", provider.name),
            names => format!("expected one of: {}", names.join(", ")),
        };
        let suggestion = did_you_mean(name, known());
        Failure::Usage(format!(
            "--sample: unknown sample {name:?}{suggestion}, {known_names}"
        ))
    })
}

/// The secret of a sender of the catalogue, without a file.
fn secret(args: &SendArgs, provider: &Provider) -> Result<Option<Secret>, Failure> {
    if provider.schemes.is_empty() {
        return Ok(None);
    }
    if let Some(text) = &args.secret {
        return secret_of_flag(text).map(Some);
    }
    let variable = format!(
        "{}_WEBHOOKS_KEY",
        provider.name.to_ascii_uppercase().replace('-', "_")
    );
    // The secret that `dev` made is Shopify's.
    let is_shopify = provider.name == "shopify";
    let reference = SystemEnvironment
        .var(&variable)
        .map(|_| SecretRef::Env(variable.clone()))
        .or_else(|| dev_data::secret().filter(|_| is_shopify).map(SecretRef::from))
        .ok_or_else(|| {
            Failure::Usage(format!(
                "no secret to sign with: give --secret or set {variable}, or name the forwarder's --config"
            ))
        })?;
    resolved(&reference).map(Some)
}

/// What `--secret` means.
fn secret_of_flag(text: &str) -> Result<Secret, Failure> {
    resolved(&SecretRef::from(text.to_owned()))
}

fn resolved(reference: &SecretRef) -> Result<Secret, Failure> {
    let secret = resolve(reference, &SystemEnvironment);
    secret.map_err(|problem| Failure::Usage(format!("--secret: {problem}")))
}

/// The real world, and the secret that `dev` made if there is no other.
struct SendEnvironment;

impl Environment for SendEnvironment {
    fn var(&self, name: &str) -> Option<Vec<u8>> {
        let of_dev = || dev_data::secret().filter(|_| name == SHOPIFY_KEY);
        SystemEnvironment
            .var(name)
            .or_else(|| of_dev().map(String::into_bytes))
    }

    fn read(&self, path: &Path) -> Result<Vec<u8>, String> {
        SystemEnvironment.read(path)
    }

    fn verify_token(&self) -> Option<Secret> {
        // Nothing is compared with it here.
        Secret::new(b"any".to_vec())
    }

    fn check_identity(&self, identity: &Identity) -> Result<(), String> {
        SystemEnvironment.check_identity(identity)
    }

    fn names(&self, identity: &Identity) -> Vec<String> {
        SystemEnvironment.names(identity)
    }
}

/// The file as a shell in another folder would name it.
pub(in crate::commands) fn absolute(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

//! Sources: the one of the flags, or those of the file; each with a verifier or the operator's
//! explicit consent to have none.

use std::collections::HashSet;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::file::{self, File, SecretRef};
use super::secret::Secret;
use super::{Mistake, Outside, resolve};
use crate::cli::ServeArgs;
use crate::core::payload::Format;
use crate::core::provider::{self, Provider, Signature};
use crate::core::route::Template;

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

/// All sources, or every mistake in them.
pub(super) fn sources(
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

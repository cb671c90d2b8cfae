//! The sources as somebody wrote them, and one of them checked alone.

use webhook_core::source::Source;

use super::{SHOPIFY_KEY, source};
use crate::cli::ServeArgs;
use crate::config::file::source::SecretEntry;
use crate::config::file::{self, File};
use crate::config::provider::catalogue;
use crate::config::reader::Places;
use crate::config::secret::SecretRef;
use crate::config::{Environment, Mistake};

/// The sources as somebody wrote them: those of the file, or the one of the flags.
pub fn entries(args: &ServeArgs, file: &File) -> Vec<file::Source> {
    let verify = args.validate_hmac.unwrap_or(true) && !args.no_validate_hmac;
    let mut entries = file.sources.clone();
    if entries.is_empty() {
        let mut shopify = default_source("shopify", "/temporal/shopify");
        let secret = SecretRef::Env(SHOPIFY_KEY.to_owned());
        shopify.secrets = Some(vec![SecretEntry {
            tenant: None,
            place: "/temporal/shopify".to_owned(),
            secret,
        }]);
        entries.push(shopify);
    }
    for entry in &mut entries {
        entry.danger_accept_unverified |= !verify;
        entry.block_of_server.clone_from(&file.server.block);
    }
    if args.generic_unverified {
        let mut generic = default_source("generic", "--generic-unverified");
        generic.danger_accept_unverified = true;
        entries.push(generic);
    }
    entries
}

/// One of the [`entries`], for who sends to it: nothing else of the file is looked at.
///
/// # Errors
/// Every mistake in it.
pub fn one(
    args: &ServeArgs,
    entry: file::Source,
    environment: &dyn Environment,
) -> Result<Source, Vec<Mistake>> {
    let mut mistakes = Vec::new();
    let name = entry.name().ok();
    let source = source(
        args,
        name,
        entry,
        environment,
        &mut mistakes,
        &mut Vec::new(),
    );
    source.filter(|_| mistakes.is_empty()).ok_or(mistakes)
}

fn default_source(provider: &str, place: &str) -> file::Source {
    file::Source {
        places: Places::outside(place),
        path: format!("/temporal/{provider}"),
        provider: catalogue::find(provider).cloned(),
        ..file::Source::default()
    }
}

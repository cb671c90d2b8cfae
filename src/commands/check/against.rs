//! `check --against`: what another file, or the same one before, makes of events otherwise.

use std::path::Path;

use super::{Problem, Table};
use crate::cli::ServeArgs;
use crate::commands::Failure;
use crate::config::Mistake;
use crate::config::file::File;
use crate::config::outline::{self, Fact, Outline};
use crate::load::{self, SystemEnvironment};

/// Prints a row for each difference, or that there is none. Secrets are not looked at.
///
/// # Errors
/// A file that cannot be read, or is no TOML.
pub(super) fn run(old: &Path, args: &ServeArgs, table: &mut Table) -> Result<(), Failure> {
    let (old_file, mistakes) =
        load::file(Some(old), &SystemEnvironment).map_err(|mistake| Mistake {
            place: mistake.place.replace("--config (TWF_CONFIG)", "--against"),
            ..mistake
        })?;
    if old_file.is_broken {
        return Err(Failure::Configuration(mistakes));
    }
    // It may be of another version, or be the one that is being mended.
    for mistake in mistakes {
        table.row("not compared", Err(Problem::Warning(mistake.to_string())));
    }
    let (new_file, _) = load::file(args.config.as_deref(), &SystemEnvironment)?;
    let old_name = old.display().to_string();
    let mut differences = Differences {
        old: &old_name,
        table,
        count: 0,
    };
    differences.compare_files(&old_file, &new_file, args);
    if differences.count == 0 {
        let text = format!("no source's ids, queues, types or payloads differ from {old_name}");
        table.row("the same", Ok(text));
    }
    Ok(())
}

struct Differences<'d> {
    old: &'d str,
    table: &'d mut Table,
    count: usize,
}

impl Differences<'_> {
    fn compare_files(&mut self, old: &File, new: &File, args: &ServeArgs) {
        self.compare_facts("all sources", &outline::common(old), &outline::common(new));
        let old = outline::outlines(args, old);
        let new = outline::outlines(args, new);
        for source in &old {
            match new.iter().find(|other| other.path == source.path) {
                Some(other) => self.compare_sources(source, other),
                None => self.row("source", format!("{}: only in {}", source.path, self.old)),
            }
        }
        for source in &new {
            if !old.iter().any(|other| other.path == source.path) {
                self.row("source", format!("{}: not in {}", source.path, self.old));
            }
        }
    }

    fn compare_sources(&mut self, old: &Outline, new: &Outline) {
        self.compare_facts(&old.path, &old.facts, &new.facts);
        for (when, facts) in &old.routes {
            let what = route_title(&old.path, when.as_deref());
            match new.routes.iter().find(|(other, _)| other == when) {
                Some((_, others)) => self.compare_facts(&what, facts, others),
                None => self.row("route", format!("{what}: only in {}", self.old)),
            }
        }
        let is_old = |when: &Option<String>| old.routes.iter().any(|(other, _)| other == when);
        let (kept, added): (Vec<_>, Vec<_>) = new
            .routes
            .iter()
            .map(|(when, _)| when)
            .partition(|when| is_old(when));
        for when in added {
            let what = route_title(&new.path, when.as_deref());
            self.row("route", format!("{what}: not in {}", self.old));
        }
        let mut before = old.routes.iter().map(|(when, _)| when);
        if !kept.iter().all(|when| before.any(|other| other == *when)) {
            let text = format!(
                "{}: in another order, and the first that holds decides",
                new.path
            );
            self.row("routes", text);
        }
        // What the file does not say, the version of the program does.
        for default in &old.before {
            let is_still = new.before.iter().any(|other| other.key == default.key);
            if is_still {
                let text = format!(
                    "{}: {:?} before sources had names; {} = {:?} keeps it",
                    new.path, default.was, default.key, default.kept_by
                );
                self.row(default.key, text);
            }
        }
    }

    fn compare_facts(&mut self, what: &str, old: &[Fact], new: &[Fact]) {
        let value = |facts: &[Fact], key| {
            let mut facts = facts.iter();
            let fact = facts.find(|(other, _)| *other == key);
            fact.map_or_else(|| "none".to_owned(), |(_, value)| format!("{value:?}"))
        };
        let more = new
            .iter()
            .filter(|(key, _)| !old.iter().any(|(other, _)| other == key));
        for (key, _) in old.iter().chain(more) {
            let (was, is) = (value(old, *key), value(new, *key));
            if was != is {
                self.row(key, format!("{what}: {was} -> {is}"));
            }
        }
    }

    fn row(&mut self, key: &str, text: String) {
        self.count += 1;
        self.table.row(key, Err(Problem::Warning(text)));
    }
}

/// `/temporal/shopify, when = 'topic == "orders/create"'`
fn route_title(path: &str, when: Option<&str>) -> String {
    match when {
        Some(when) => format!("{path}, when = '{when}'"),
        None => path.to_owned(),
    }
}

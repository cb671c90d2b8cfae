//! `check`: every mistake of the configuration, then what Temporal says about it. What is about
//! everything comes first, then what is about each source, then an event.

mod against;
mod ask;
mod attributes;
mod event;
mod repeats;
mod settings;

use std::fmt::Display;

use webhook_core::source::Source;

use super::{Failure, block_on, say};
use crate::cli::CheckArgs;
use crate::config::Config;
use crate::load::{self, Loaded, SystemEnvironment};
use crate::temporal::connect::Settings;

/// Prints the table.
///
/// # Errors
/// [`Failure::Configuration`], or [`Failure::Reported`] with 78 if a row says `wrong`.
pub fn run(args: &CheckArgs) -> Result<(), Failure> {
    let Loaded {
        config,
        public,
        admin,
        temporal,
    } = Loaded::new(&args.serve, &SystemEnvironment).map_err(Failure::Configuration)?;
    let (config, public, _, temporal) =
        load::all(config, public, admin, temporal).map_err(Failure::Configuration)?;
    let mut table = Table::default();
    table.row("configuration", Ok(paths(&config.sources)));
    for warning in &config.warnings {
        table.row("configuration", Err(Problem::Warning(warning.to_string())));
    }
    table.row("clock", settings::clock());
    for finding in settings::certificates(&config) {
        table.row("certificate", finding);
    }
    for finding in settings::acme(&config, public.port) {
        table.row("acme", finding);
    }
    if let Some(finding) = settings::clients(&config) {
        table.row("clients", finding);
    }
    if let Some(text) = settings::tickets(&config) {
        table.row("tickets", Ok(text));
    }
    table.row("encryption", settings::encryption(&config));
    table.row("connection", settings::connection(&temporal));
    block_on(async {
        online(&config, &temporal, args, &mut table).await;
        Ok(())
    })?;
    if let Some(old) = &args.against {
        table.heading(format_args!("--against {}", old.display()));
        against::run(old, &args.serve, &mut table)?;
    }
    if let Some(file) = &args.event {
        table.heading(format_args!("--event {}", file.display()));
        event::run(file, &config, &mut table)?;
    }
    table.end()
}

/// What needs Temporal, if it is to be asked, and a group of rows for each source.
async fn online(config: &Config, temporal: &Settings, args: &CheckArgs, table: &mut Table) {
    let namespace = match args.offline {
        true => None,
        false => {
            let register = args.register_search_attributes;
            ask::namespace(config, temporal, register, table).await
        }
    };
    for source in &config.sources {
        table.heading(format_args!("{} ({})", source.path, source.provider.name));
        table.row("ids", Ok(settings::ids(source)));
        table.row("verified", settings::verification(source));
        table.row("repeats", repeats::finding(source, namespace.as_ref()));
        if let Some(namespace) = &namespace {
            namespace.workers(source, table).await;
        }
    }
}

/// What a row says: fine; it works, but; or wrong.
type Finding = Result<String, Problem>;

enum Problem {
    Warning(String),
    Wrong(String),
}

/// Printed row by row: asking Temporal can take a moment.
#[derive(Default)]
struct Table {
    wrong: usize,
    warnings: usize,
}

impl Table {
    /// Begins a group of rows.
    fn heading(&self, text: impl Display) {
        // If it cannot be said, the exit code still tells.
        let _ = say(format_args!("\n{text}"));
    }

    fn row(&mut self, what: &str, finding: Finding) {
        let (mark, text) = match finding {
            Ok(text) => ("ok", text),
            Err(Problem::Warning(text)) => {
                self.warnings += 1;
                ("warning", text)
            }
            Err(Problem::Wrong(text)) => {
                self.wrong += 1;
                ("WRONG", text)
            }
        };
        let _ = say(format_args!("{what:<14} {mark:<8} {text}"));
    }

    /// The last line.
    ///
    /// # Errors
    /// [`Failure::Reported`] with 78 if a row says `wrong`.
    fn end(&self) -> Result<(), Failure> {
        let s = if self.warnings == 1 { "" } else { "s" };
        let _ = say(format_args!(
            "\n{} wrong, {} warning{s}",
            self.wrong, self.warnings
        ));
        match self.wrong {
            0 => Ok(()),
            _ => Err(Failure::Reported(78)),
        }
    }
}

pub(super) fn paths(sources: &[Source]) -> String {
    let paths: Vec<_> = sources.iter().map(|source| source.path.as_str()).collect();
    paths.join(", ")
}

//! `providers`: the catalogue as a table, or one entry as it is written.

use webhook_core::provider::Provider;
use webhook_core::provider::locator::Locator;

use super::{Failure, say};
use crate::cli::ProvidersArgs;
use crate::config::provider::catalogue;

/// Prints the catalogue or an entry.
///
/// # Errors
/// An unknown name.
pub fn run(args: &ProvidersArgs) -> Result<(), Failure> {
    if let Some(crate::cli::ProvidersCommand::Show { name }) = &args.command {
        let text = catalogue::text(name).ok_or_else(|| Failure::Usage(catalogue::unknown(name)))?;
        return Ok(say(text.trim_end())?);
    }
    let header = [
        "NAME",
        "SCHEME",
        "ID",
        "TOPIC",
        "TENANT",
        "HANDSHAKE",
        "REPEATS",
    ]
    .map(str::to_owned);
    let rows: Vec<_> = std::iter::once(header)
        .chain(catalogue::all().iter().map(row))
        .collect();
    let widths: Vec<_> = (0..COLUMNS)
        .map(|column| {
            rows.iter()
                .map(|row| row[column].chars().count())
                .max()
                .unwrap_or(0)
        })
        .collect();
    for row in rows {
        let cells = row
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:<width$}"));
        say(cells.collect::<Vec<_>>().join("  ").trim_end())?;
    }
    Ok(())
}

fn row(provider: &Provider) -> [String; COLUMNS] {
    let mut schemes: Vec<_> = provider
        .schemes
        .iter()
        .map(|scheme| scheme.algorithm.to_string())
        .collect();
    schemes.dedup();
    let first = |places: &[Locator]| {
        places
            .first()
            .map_or_else(|| "-".to_owned(), ToString::to_string)
    };
    [
        provider.name.clone(),
        if schemes.is_empty() {
            "none".to_owned()
        } else {
            schemes.join(", ")
        },
        first(&provider.id),
        first(&provider.topic),
        first(&provider.tenant),
        provider
            .handshake
            .map_or_else(|| "-".to_owned(), |handshake| handshake.to_string()),
        provider.repeats.to_string(),
    ]
}

const COLUMNS: usize = 7;

//! The variables of flags, before clap sees them.

use super::Mistake;
use crate::cli::{Cli, NAME};

/// What is wrong with the variables of flags: each is checked by itself, so that one run finds
/// all.
pub fn mistakes() -> Vec<Mistake> {
    let definition = Cli::definition();
    let mistake = |arg: &clap::Arg| {
        let name = arg.get_env()?.to_string_lossy().into_owned();
        let value = std::env::var_os(&name)?;
        let place = format!("{name} (--{})", arg.get_long().unwrap_or_default());
        if value.is_empty() {
            return Some(Mistake::new(place, "empty: give a value or unset it"));
        }
        let alone = clap::Arg::new("value")
            .allow_hyphen_values(true)
            .value_parser(arg.get_value_parser().clone());
        let command = clap::Command::new(NAME).no_binary_name(true).arg(alone);
        let error = command.try_get_matches_from([value]).err()?;
        let text = error.to_string();
        let paragraph = text.lines().take_while(|line| !line.is_empty());
        let problem = paragraph.map(str::trim).collect::<Vec<_>>().join(" ");
        Some(Mistake::new(
            place,
            problem.replace("error: ", "").replace(" for '[value]'", ""),
        ))
    };
    definition.get_arguments().filter_map(mistake).collect()
}

//! `events`: what was received, listed or shown.

pub(super) mod letter;
pub(super) mod list;
pub(super) mod show;

use super::connected::Configured;
use super::{Failure, block_on};
use crate::cli::events::{EventsArgs, EventsCommand};
use crate::events::filter::Filter;

/// Lists events, or shows one.
///
/// # Errors
/// What was asked for cannot be; no Temporal; no such event.
pub fn run(args: &EventsArgs) -> Result<(), Failure> {
    let configured = Configured::load_to_read(args.serve())?;
    block_on(async {
        let connected = configured.connect().await?;
        match &args.command {
            None => list::run(&connected, &args.list, Filter::default()).await,
            Some(EventsCommand::Show(args)) => show::run(&connected, args, false).await,
        }
    })
}

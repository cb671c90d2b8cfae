//! `dead-letters`: what could not start, and what to do with it.

use anyhow::anyhow;
use webhook_core::dead_letter::WORKFLOW_TYPE;
use webhook_core::outcome::Execution;

use super::connected::{Configured, Connected};
use super::events::letter::letter;
use super::events::{list, show};
use super::{Failure, block_on, replay, say};
use crate::cli::events::{DeadLettersArgs, DeadLettersCommand, DiscardArgs, ReplayLettersArgs};
use crate::cli::replay::ReplayArgs;
use crate::events::filter::Filter;
use crate::events::item::Item;
use crate::temporal::status;

/// Lists, shows, replays or discards.
///
/// # Errors
/// What was asked for cannot be; no Temporal; no such dead letter; what failed.
pub fn run(args: &DeadLettersArgs) -> Result<(), Failure> {
    let configured = Configured::load_to_read(args.serve())?;
    let letters = block_on_value(async {
        let connected = configured.connect().await?;
        match &args.command {
            None => list::run(&connected, &args.list, Filter::open_dead_letters()).await?,
            Some(DeadLettersCommand::Show(args)) => show::run(&connected, args, true).await?,
            Some(DeadLettersCommand::Discard(args)) => discard(&connected, args).await?,
            Some(DeadLettersCommand::Replay(args)) => return all(&connected, &args.ids).await,
        }
        Ok(Vec::new())
    })?;
    match &args.command {
        Some(DeadLettersCommand::Replay(args)) => replay::run(&replayed(args, letters)),
        _ => Ok(()),
    }
}

fn block_on_value<T>(future: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let mut value = None;
    block_on(async {
        value = Some(future.await?);
        Ok(())
    })?;
    Ok(value.expect("it has come to its end"))
}

/// The flags with which `replay` does it.
fn replayed(args: &ReplayLettersArgs, letters: Vec<Item>) -> ReplayArgs {
    ReplayArgs {
        workflow_ids: letters
            .into_iter()
            .map(|letter| letter.workflow_id)
            .collect(),
        run_id: None,
        query: None,
        dry_run: args.dry_run,
        rate: 10,
        limit: None,
        keep: false,
        url: None,
        insecure: false,
        serve: args.serve.clone(),
    }
}

async fn discard(connected: &Connected, args: &DiscardArgs) -> Result<(), Failure> {
    let why = args.why.trim();
    if why.is_empty() {
        return Err(Failure::Usage(
            "--why: empty: say why, for whoever finds it later".to_owned(),
        ));
    }
    for letter in all(connected, &args.ids).await? {
        let run = Execution {
            workflow_id: letter.workflow_id.clone(),
            run_id: letter.run_id.clone(),
        };
        let temporal = &connected.temporal;
        let terminated = async {
            let input = temporal.run_input(&run, WORKFLOW_TYPE).await?;
            let reason = format!("discarded: {why}");
            temporal
                .terminate(&run.workflow_id, &input.first_run_id, &reason)
                .await
        };
        terminated.await.map_err(|error| {
            anyhow!(
                "{}: not discarded: {}",
                letter.workflow_id,
                status::text(&error)
            )
        })?;
        say(format_args!(
            "discarded  {}",
            list::plain(&letter.workflow_id)
        ))?;
    }
    Ok(())
}

/// The open dead letters of these ids; if one is none, nothing is done with the others.
async fn all(connected: &Connected, ids: &[String]) -> Result<Vec<Item>, Failure> {
    let mut letters: Vec<Item> = Vec::new();
    for id in ids {
        let letter = letter(connected, id).await?;
        if letter.close_time.is_some() {
            let status = letter.status.to_lowercase();
            let text =
                format!("{id}: this dead letter is {status} already: it was replayed or discarded");
            return Err(anyhow!(text).into());
        }
        if letters.iter().all(|other| other.run_id != letter.run_id) {
            letters.push(letter);
        }
    }
    Ok(letters)
}

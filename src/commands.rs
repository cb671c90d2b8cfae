//! The subcommands, a file each, and how they fail.

pub mod check;
pub mod codec_server;
mod connected;
pub mod dead_letters;
pub mod dev;
mod dev_data;
pub mod events;
pub mod health;
pub mod providers;
pub mod replay;
pub mod send;
pub mod serve;
pub mod sign;

use std::fmt::Display;
use std::future::Future;
use std::io::{self, Write};

use clap_complete::Shell;
use tokio::runtime::Runtime;

use crate::cli::{Cli, Command, NAME, SECRET_VARIABLES};
use crate::config::Mistake;

/// Why a command did not succeed.
#[derive(Debug)]
pub enum Failure {
    /// Exit code 78; every mistake gets a line.
    Configuration(Vec<Mistake>),
    /// Exit code 64.
    Usage(String),
    /// This exit code; what is wrong was already said.
    Reported(u8),
    /// Exit code 1.
    Other(anyhow::Error),
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Other(error.into())
    }
}

impl From<Mistake> for Failure {
    fn from(mistake: Mistake) -> Self {
        Self::Configuration(vec![mistake])
    }
}

/// Runs what the command line says.
///
/// # Errors
/// See [`Failure`].
pub fn run(cli: Cli) -> Result<(), Failure> {
    match cli.command {
        _ if cli.wants_environment() => Ok(say(environment_help().trim_end())?),
        None => serve::run(&cli.serve),
        Some(Command::Serve(args)) => serve::run(&args),
        Some(Command::Dev(args)) => dev::run(args),
        Some(Command::Send(args)) => send::run(&args),
        Some(Command::Check(args)) => check::run(&args),
        Some(Command::Providers(args)) => providers::run(&args),
        Some(Command::Replay(args)) => replay::run(&args),
        Some(Command::Events(args)) => events::run(&args),
        Some(Command::DeadLetters(args)) => dead_letters::run(&args),
        Some(Command::CodecServer(args)) => codec_server::run(&args),
        Some(Command::Health(args)) => health::run(&args),
        Some(Command::Completions { shell }) => Ok(say(completions(shell)?.trim_end())?),
        Some(Command::Man) => {
            let mut page = Vec::new();
            clap_mangen::Man::new(Cli::definition()).render(&mut page)?;
            Ok(say(String::from_utf8(page)?.trim_end())?)
        }
    }
}

/// Prints a line; that its reader has left (`| head`) is no failure.
fn say(text: impl Display) -> Result<(), io::Error> {
    match writeln!(io::stdout(), "{text}") {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

fn completions(shell: Shell) -> Result<String, anyhow::Error> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::definition(), NAME, &mut script);
    // For bash it spells a name with hyphens in two ways, so that no flag of a subcommand is ever
    // completed: https://github.com/clap-rs/clap/issues/6421
    let [wrong, right] = ["__subcmd__", "__"].map(|hyphen| NAME.replace('-', hyphen));
    Ok(String::from_utf8(script)?.replace(&wrong, &right))
}

/// Runs a command's future to its end.
fn block_on(future: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    let runtime = Runtime::new()?;
    let result = runtime.block_on(future);
    // What still runs is not waited for: whatever is not acknowledged, its sender sends again.
    runtime.shutdown_background();
    result
}

fn environment_help() -> String {
    let command = Cli::definition();
    let flags = command.get_arguments().filter_map(|arg| {
        let name = arg.get_env()?.to_string_lossy().into_owned();
        let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
        let flag = arg.get_long().map(|long| format!("--{long}: {help}"))?;
        Some((name, flag))
    });
    let secrets = SECRET_VARIABLES
        .iter()
        .map(|(name, help)| ((*name).to_owned(), (*help).to_owned()));
    let mut text = "Environment variables; a flag beats its variable, a variable beats the configuration file\n\n".to_owned();
    for (name, help) in secrets.chain(flags) {
        text.push_str(&format!("  {name}\n          {help}\n"));
    }
    text
}

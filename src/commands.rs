//! The subcommands, a file each, and what they share: loading the configuration, failing.

pub mod check;
pub mod dev;
pub mod send;
pub mod serve;

use std::future::Future;
use std::path::Path;

use clap::CommandFactory;
use tokio::runtime::Runtime;

use crate::cli::{Cli, Command, NAME, SECRET_VARIABLES, ServeArgs};
use crate::core::config::file::File;
use crate::core::config::{Identity, Mistake, Outside};
use crate::server::tls;

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

/// Runs what the command line says.
///
/// # Errors
/// See [`Failure`].
pub fn run(cli: Cli) -> Result<(), Failure> {
    match cli.command {
        _ if cli.serve.help_env_vars => {
            print!("{}", environment_help());
            Ok(())
        }
        None => serve::run(&cli.serve, &World),
        Some(Command::Serve(args)) => serve::run(&args, &World),
        Some(Command::Dev(args)) => dev::run(args),
        Some(Command::Send(args)) => send::run(&args),
        Some(Command::Check(args)) => check::run(&args),
        Some(Command::Completions { shell }) => {
            clap_complete::generate(shell, &mut Cli::command(), NAME, &mut std::io::stdout());
            Ok(())
        }
        Some(Command::Man) => {
            Ok(clap_mangen::Man::new(Cli::command()).render(&mut std::io::stdout())?)
        }
    }
}

/// Runs a command's future to its end.
fn block_on(future: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    let runtime = Runtime::new()?;
    let result = runtime.block_on(future);
    // What still runs is not waited for: whatever is not acknowledged, its sender sends again.
    runtime.shutdown_background();
    result
}

/// The real environment, files and TLS library.
pub struct World;

impl Outside for World {
    fn env(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    fn read(&self, path: &Path) -> Result<Vec<u8>, String> {
        std::fs::read(path).map_err(|error| error.to_string())
    }

    fn check_identity(&self, identity: &Identity) -> Result<(), String> {
        tls::acceptor(identity).map(drop)
    }
}

/// Reads the configuration file, if there is one.
///
/// # Errors
/// An unreadable file; the first mistake in it, with its place.
pub fn load_file(args: &ServeArgs, outside: &dyn Outside) -> Result<File, Mistake> {
    let Some(path) = &args.config else {
        return Ok(File::default());
    };
    let wrong = |problem: String| {
        Mistake::new(format!("--config (TWF_CONFIG) {}", path.display()), problem)
    };
    let bytes = outside.read(path).map_err(wrong)?;
    let text = String::from_utf8(bytes).map_err(|_| wrong("the file is not UTF-8".to_owned()))?;
    toml::from_str(&text).map_err(|error| {
        let before = &text[..error.span().map_or(0, |span| span.start)];
        let line = before.matches('\n').count() + 1;
        // Never the line itself: a secret may stand in it.
        wrong(format!("line {line}: {}", error.message()))
    })
}

fn environment_help() -> String {
    let command = Cli::command();
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

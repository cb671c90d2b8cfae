//! `temporal-webhook-forwarder`: arguments in, exit code out. No logic lives here.

use std::process::ExitCode;

use clap::Parser;
use temporal_webhook_forwarder::cli::Cli;
use temporal_webhook_forwarder::commands::{self, Failure};

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // A broken pipe is nobody's concern here.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { EX_USAGE } else { 0 });
        }
    };
    match commands::run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Configuration(mistakes)) => {
            for mistake in mistakes {
                eprintln!("error: {mistake}");
            }
            ExitCode::from(EX_CONFIG)
        }
        Err(Failure::Usage(text)) => {
            eprintln!("error: {text}");
            ExitCode::from(EX_USAGE)
        }
        Err(Failure::Reported(code)) => ExitCode::from(code),
        Err(Failure::Other(error)) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// sysexits.h: the command was used wrongly.
const EX_USAGE: u8 = 64;
/// sysexits.h: something is wrong with the configuration.
const EX_CONFIG: u8 = 78;

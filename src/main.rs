//! `temporal-webhook-forwarder`: arguments in, exit code out. No logic lives here.

use std::process::ExitCode;

use temporal_webhook_forwarder::cli::Cli;
use temporal_webhook_forwarder::commands::{self, Failure};
use temporal_webhook_forwarder::config::environment;
use tikv_jemallocator::Jemalloc;

/// Requests begin on one thread and end on another: a fifth of an event's processor time went to the system's
/// allocator, and to waiting for it.
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

fn main() -> ExitCode {
    let mistakes = environment::mistakes();
    let result = match Cli::from_process() {
        Err(error) if mistakes.is_empty() || !error.use_stderr() => {
            // A broken pipe is nobody's concern here.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { EX_USAGE } else { 0 });
        }
        Ok(cli) if mistakes.is_empty() || !cli.serves() => commands::run(cli),
        _ => Err(Failure::Configuration(mistakes)),
    };
    match result {
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

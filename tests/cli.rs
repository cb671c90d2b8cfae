//! The command line without Temporal: help, exit codes, and every mistake in one run.

#[allow(dead_code, reason = "the other test binary uses the rest")]
#[path = "support/certs.rs"]
mod certs;
#[allow(dead_code, reason = "the other test binary uses the rest")]
#[path = "support/process.rs"]
mod process;

mod cli {
    mod configuration;
    mod run;
    mod usage;
}

//! The command line without Temporal: help, exit codes, and every mistake in one run.

#[allow(dead_code, reason = "the other test binary uses the rest")]
#[path = "support/authority.rs"]
mod authority;
#[allow(dead_code, reason = "the other test binary uses the rest")]
#[path = "support/certs.rs"]
mod certs;
#[path = "support/chain.rs"]
mod chain;
#[allow(dead_code, reason = "the other test binary uses the rest")]
#[path = "support/process.rs"]
mod process;
#[allow(dead_code, reason = "the other test binary uses the rest")]
#[path = "support/run.rs"]
mod run;

mod cli {
    mod acme;
    mod against;
    mod certificates;
    mod check_event;
    mod client_certificates;
    mod command_line;
    mod completions;
    mod configuration;
    mod corpus;
    mod filters;
    mod install;
    mod keys;
    mod llms;
    mod page;
    mod pages;
    mod readme;
    mod routes_page;
    mod secrets;
    mod troubleshooting;
    mod usage;

    use super::{process, run};
}

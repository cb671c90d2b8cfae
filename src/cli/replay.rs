//! The flags of `replay`.

use clap::{ArgGroup, Args};

use super::ServeArgs;

/// Flags of `replay`.
#[derive(Debug, Clone, Args)]
#[command(group(ArgGroup::new("events").required(true).args(["workflow_ids", "query"])))]
pub struct ReplayArgs {
    /// A workflow whose events to take; may be given several times
    #[arg(long = "workflow-id", value_name = "ID")]
    pub workflow_ids: Vec<String>,
    /// Which run of the workflow [default: the newest]
    #[arg(
        long,
        value_name = "ID",
        requires = "workflow_ids",
        conflicts_with = "query"
    )]
    pub run_id: Option<String>,
    /// The workflows that this visibility query finds, the oldest first
    #[arg(long, conflicts_with = "workflow_ids")]
    pub query: Option<String>,
    /// Change nothing: say which route and which workflow each event would get
    #[arg(long)]
    pub dry_run: bool,
    /// At most so many events a second
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub rate: u32,
    /// Stop after so many events, failed ones included [default: no limit]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub limit: Option<u64>,
    /// Do not terminate dead letters whose events are in Temporal now
    #[arg(long)]
    pub keep: bool,
    /// Post the original request there instead; without a path, to the source's. Terminates no dead letter
    #[arg(long)]
    pub url: Option<String>,
    /// Accept any certificate of --url, such as the self-signed one of `dev`
    #[arg(long, requires = "url")]
    pub insecure: bool,
    /// Everything `serve` takes: what is not about listening counts.
    #[command(flatten)]
    pub serve: ServeArgs,
}

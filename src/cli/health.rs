//! Flags of `health`.

use clap::Args;

use super::ServeArgs;

/// Flags of `health`.
#[derive(Debug, Clone, Args)]
pub struct HealthArgs {
    /// Only whether it answers, with or without Temporal: what decides on restarts
    #[arg(long)]
    pub live: bool,
    /// Where to ask, with or without a path [default: where `serve` listens on this machine]
    #[arg(long)]
    pub url: Option<String>,
    /// Take any certificate from --url, too: on loopback it is not verified anyhow
    #[arg(long, requires = "url")]
    pub insecure: bool,
    /// Everything `serve` takes.
    #[command(flatten)]
    pub serve: ServeArgs,
}

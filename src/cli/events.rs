//! The flags of `events` and `dead-letters`.

use clap::{Args, Subcommand};

use super::ServeArgs;

/// Flags of `events`.
#[derive(Debug, Clone, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct EventsArgs {
    /// What to do; without one: list
    #[command(subcommand)]
    pub command: Option<EventsCommand>,
    /// Which.
    #[command(flatten)]
    pub list: ListArgs,
    /// Everything `serve` takes: what is not about listening counts.
    #[command(flatten)]
    pub serve: ServeArgs,
}

/// Subcommands of `events`.
#[derive(Debug, Clone, Subcommand)]
pub enum EventsCommand {
    /// Show one event: what was received, decrypted with the configured keys, and where it is now
    Show(Box<ShowArgs>),
}

/// Flags of `dead-letters`.
#[derive(Debug, Clone, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct DeadLettersArgs {
    /// What to do; without one: list
    #[command(subcommand)]
    pub command: Option<DeadLettersCommand>,
    /// Which.
    #[command(flatten)]
    pub list: ListArgs,
    /// Everything `serve` takes: what is not about listening counts.
    #[command(flatten)]
    pub serve: ServeArgs,
}

/// Subcommands of `dead-letters`.
#[derive(Debug, Clone, Subcommand)]
pub enum DeadLettersCommand {
    /// Show one: why it could not start, and what was received
    Show(Box<ShowArgs>),
    /// Start them again, as the configuration has it now
    ///
    /// As `replay --workflow-id` does: each takes the route that the configuration has for it now, with the
    /// source's own policies, so doing it twice is safe (`duplicate`). Once its event is in Temporal, the dead
    /// letter is terminated (reason `replayed`). Exit code 1 if anything failed: what failed stays where it is.
    Replay(Box<ReplayLettersArgs>),
    /// End them without starting anything
    ///
    /// The dead letter's workflow is terminated in Temporal, with `discarded: ` and the reason: it is in no
    /// list of open ones any more, and is found as long as Temporal retains it (`--status terminated`). A later
    /// delivery of the same event is answered 200 and is not parked again; it starts if the route is mended
    /// by then.
    Discard(Box<DiscardArgs>),
}

/// Which events, and how they are shown.
#[derive(Debug, Clone, Args)]
pub struct ListArgs {
    /// What happened, as the sender says it (`orders/create`)
    #[arg(long)]
    pub topic: Option<String>,
    /// A source's name or path
    #[arg(long)]
    pub source: Option<String>,
    /// Whose it is, as the sender says it (`a.myshopify.com`)
    #[arg(long)]
    pub tenant: Option<String>,
    /// Started then or later: how long ago (1h, 30m, 7d), or a time in UTC (2026-11-26T08:00:00Z)
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// Started then or earlier
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,
    /// Running, Completed, Failed, Canceled, Terminated, ContinuedAsNew, TimedOut or Paused
    #[arg(long)]
    pub status: Option<String>,
    /// The beginning of a workflow's id, of an event's id or of a type; if none begins so, what source, topic, tenant or event id contains
    #[arg(short, value_name = "TEXT")]
    pub q: Option<String>,
    /// A condition in Temporal's own language, such as 'OrderName = "#1001"'
    #[arg(long)]
    pub query: Option<String>,
    /// How many, 1 to 100 [default: 50]
    #[arg(long, value_name = "N")]
    pub limit: Option<String>,
    /// Where the page before ended, as it said; with the same filters
    #[arg(long)]
    pub cursor: Option<String>,
    /// How many to leave out first, up to 1000
    #[arg(long, value_name = "N")]
    pub offset: Option<String>,
    /// Page after page, to the last
    #[arg(long, conflicts_with_all = ["limit", "offset"])]
    pub all: bool,
    /// How it is written.
    #[command(flatten)]
    pub form: FormArgs,
}

/// How what is found is written.
#[derive(Debug, Clone, Args)]
pub struct FormArgs {
    /// JSON: the default where the output is no terminal
    #[arg(long)]
    pub json: bool,
    /// For people: the default on a terminal
    #[arg(long, conflicts_with = "json")]
    pub table: bool,
}

/// Flags of `show`.
#[derive(Debug, Clone, Args)]
pub struct ShowArgs {
    /// A workflow's id, or the event's own id
    pub id: String,
    /// Which run of the workflow [default: the newest]
    #[arg(long, value_name = "ID")]
    pub run_id: Option<String>,
    /// How it is written.
    #[command(flatten)]
    pub form: FormArgs,
    /// Everything `serve` takes: what is not about listening counts.
    #[command(flatten)]
    pub serve: ServeArgs,
}

/// Flags of `dead-letters replay`.
#[derive(Debug, Clone, Args)]
pub struct ReplayLettersArgs {
    /// Workflows' ids (`dead-letter:…`), or the events' own ids
    #[arg(required = true, value_name = "ID")]
    pub ids: Vec<String>,
    /// Change nothing: say which route and which workflow each event would get
    #[arg(long)]
    pub dry_run: bool,
    /// Everything `serve` takes: what is not about listening counts.
    #[command(flatten)]
    pub serve: ServeArgs,
}

/// Flags of `dead-letters discard`.
#[derive(Debug, Clone, Args)]
pub struct DiscardArgs {
    /// Workflows' ids (`dead-letter:…`), or the events' own ids
    #[arg(required = true, value_name = "ID")]
    pub ids: Vec<String>,
    /// Why: for whoever finds it in Temporal later
    #[arg(long, value_name = "TEXT")]
    pub why: String,
    /// Everything `serve` takes: what is not about listening counts.
    #[command(flatten)]
    pub serve: ServeArgs,
}

impl EventsArgs {
    /// Those of `serve` that are meant.
    pub const fn serve(&self) -> &ServeArgs {
        match &self.command {
            None => &self.serve,
            Some(EventsCommand::Show(args)) => &args.serve,
        }
    }
}

impl DeadLettersArgs {
    /// Those of `serve` that are meant.
    pub const fn serve(&self) -> &ServeArgs {
        match &self.command {
            None => &self.serve,
            Some(DeadLettersCommand::Show(args)) => &args.serve,
            Some(DeadLettersCommand::Replay(args)) => &args.serve,
            Some(DeadLettersCommand::Discard(args)) => &args.serve,
        }
    }
}

impl ListArgs {
    /// The parameters that were given, by their names on the admin listener.
    pub fn parameters(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let all = [
            ("topic", &self.topic),
            ("source", &self.source),
            ("tenant", &self.tenant),
            ("since", &self.since),
            ("until", &self.until),
            ("status", &self.status),
            ("q", &self.q),
            ("query", &self.query),
            ("limit", &self.limit),
            ("cursor", &self.cursor),
            ("offset", &self.offset),
        ];
        all.into_iter()
            .filter_map(|(name, value)| Some((name, value.as_deref()?)))
    }
}

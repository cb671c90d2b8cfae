//! The command line: every flag with its environment variable. What a person types; what the
//! program needs is made from it, once, by `config::Config::new`.

pub mod codec_server;
mod command;
pub mod events;
pub mod health;
pub mod log;
pub mod replay;
pub mod send;

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{BoolishValueParser, PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};
use webhook_core::payload::Format;
use webhook_core::provider::values::{ConnectionsPerPeer, IdleTimeout};

pub use self::command::Command;
use self::log::{LogFilter, LogFormat};

/// Verifies webhooks and starts exactly one Temporal workflow per event.
///
/// Without a subcommand it serves. To try it on one machine, with a Temporal dev server, a
/// self-signed certificate and a secret of its own: `temporal-webhook-forwarder dev`.
#[derive(Debug, Parser)]
#[command(name = NAME, version, args_conflicts_with_subcommands = true, after_help = AFTER_HELP)]
pub struct Cli {
    /// What to do; without one: serve
    #[command(subcommand)]
    pub command: Option<Command>,
    /// The flags of `serve`.
    #[command(flatten)]
    pub serve: ServeArgs,
}

impl Cli {
    /// The command line's definition.
    pub fn definition() -> clap::Command {
        // What stands in the environment is not for a help text.
        let mut command = each(Self::command(), &|c| {
            c.mut_args(|arg| arg.hide_env_values(true))
        });
        command = command.mut_subcommand("dev", |dev| {
            DEV_DEFAULTS.iter().fold(dev, |dev, (flag, help)| {
                dev.mut_arg(*flag, |arg| arg.help(*help))
            })
        });
        // Those of its own come first, and alone.
        let shared = ServeArgs::augment_args(clap::Command::new(NAME));
        let is_shared =
            |arg: &clap::Arg| shared.get_arguments().any(|a| a.get_id() == arg.get_id());
        for name in ["dev", "check", "replay", "events", "dead-letters", "health"] {
            command = command.mut_subcommand(name, |c| {
                each(c, &|c| {
                    c.mut_args(|arg| match is_shared(&arg) {
                        true => arg.help_heading("As for `serve`"),
                        false => arg,
                    })
                })
            });
        }
        command
    }

    /// Parses the process's arguments.
    ///
    /// # Errors
    /// What clap has to say, help and version included.
    pub fn from_process() -> Result<Self, clap::Error> {
        Self::from_arg_matches(&Self::definition().try_get_matches()?)
    }

    /// Whether flags of `serve` matter.
    pub const fn serves(&self) -> bool {
        matches!(
            self.command,
            None | Some(
                Command::Serve(_)
                    | Command::Dev(_)
                    | Command::Check(_)
                    | Command::Replay(_)
                    | Command::Events(_)
                    | Command::DeadLetters(_)
                    | Command::Health(_)
            )
        )
    }

    /// Whether the list of environment variables was asked for.
    pub const fn wants_environment(&self) -> bool {
        let serve = match &self.command {
            Some(Command::Serve(args)) => args,
            Some(Command::Dev(args)) => &args.serve,
            Some(Command::Check(args)) => &args.serve,
            Some(Command::Replay(args)) => &args.serve,
            Some(Command::Events(args)) => args.serve(),
            Some(Command::DeadLetters(args)) => args.serve(),
            Some(Command::Health(args)) => &args.serve,
            _ => &self.serve,
        };
        serve.help_env_vars
    }
}

/// The command and all below it, changed.
fn each(command: clap::Command, change: &dyn Fn(clap::Command) -> clap::Command) -> clap::Command {
    let names = command.get_subcommands().map(|c| c.get_name().to_owned());
    let names: Vec<_> = names.collect();
    let below = |command: clap::Command, name| command.mut_subcommand(name, |c| each(c, change));
    names.into_iter().fold(change(command), below)
}

/// Flags of `serve`. Precedence: flag, environment, configuration file, default.
#[derive(Debug, Default, Clone, Args)]
pub struct ServeArgs {
    /// Configuration file (TOML)
    #[arg(long, value_name = "FILE", env = "TWF_CONFIG")]
    pub config: Option<PathBuf>,
    /// Address to listen on [default: 0.0.0.0]
    #[arg(long, value_name = "ADDRESS", env = "TWF_HOST")]
    pub host: Option<String>,
    /// Port to listen on; 0: any free one [default: 5000]
    #[arg(long, env = "TWF_PORT")]
    pub port: Option<u16>,
    /// Certificate chain, PEM [default: fullchain.pem]
    #[arg(long, value_name = "FILE", env = "TWF_CERT")]
    pub cert: Option<PathBuf>,
    /// The certificate's private key, PEM [default: privkey.pem]
    #[arg(long, value_name = "FILE", env = "TWF_KEY")]
    pub key: Option<PathBuf>,
    /// Plain HTTP: for use behind a proxy that terminates TLS
    #[arg(long, env = "TWF_NO_TLS", value_parser = BoolishValueParser::new())]
    pub no_tls: bool,
    /// Temporal's address [default: localhost:7233; TEMPORAL_ADDRESS and temporal.toml are read, too]
    #[arg(long, value_name = "HOST:PORT", env = "TEMPORAL_ENDPOINT")]
    pub endpoint: Option<String>,
    /// Temporal namespace [default: default]
    #[arg(long, env = "TEMPORAL_NAMESPACE")]
    pub namespace: Option<String>,
    /// One task queue for all topics: the default
    #[arg(long, env = "TWF_GLOBAL_QUEUE", num_args = 0, default_missing_value = "true",
          value_parser = BoolishValueParser::new(), overrides_with = "no_global_queue")]
    pub global_queue: Option<bool>,
    /// One task queue per topic: `shopify_webhooks:{topic}`
    #[arg(long, overrides_with = "global_queue")]
    pub no_global_queue: bool,
    /// Verify signatures: the default
    #[arg(long, env = "TWF_VALIDATE_HMAC", num_args = 0, default_missing_value = "true",
          value_parser = BoolishValueParser::new(), overrides_with = "no_validate_hmac")]
    pub validate_hmac: Option<bool>,
    /// DANGER: accept webhooks that anybody may have sent
    #[arg(long, overrides_with = "validate_hmac")]
    pub no_validate_hmac: bool,
    /// Also serve /temporal/generic, whose requests nobody has to sign
    #[arg(long, env = "TWF_GENERIC_UNVERIFIED", value_parser = BoolishValueParser::new())]
    pub generic_unverified: bool,
    /// What the worker gets [default: json]
    #[arg(long, value_name = "FORMAT", env = "TWF_PAYLOAD_FORMAT", value_parser = formats())]
    pub payload_format: Option<Format>,
    /// Admin listener for health, metrics and what happened, such as 127.0.0.1:9000 [default: none]
    #[arg(long, value_name = "ADDRESS:PORT", env = "TWF_ADMIN")]
    pub admin: Option<String>,
    /// Where the token is that callers of the admin listener must show (`Authorization: Bearer …`): `env:NAME` or `file:PATH`. Without one it answers everything on loopback, elsewhere health and metrics only
    #[arg(long, value_name = "SECRET", env = "TWF_ADMIN_TOKEN")]
    pub admin_token: Option<String>,
    /// How long a stop waits for requests in flight [default: 20s]
    #[arg(long, value_name = "DURATION", env = "TWF_DRAIN_TIMEOUT", value_parser = humantime::parse_duration)]
    pub drain_timeout: Option<Duration>,
    /// How long a connection may do nothing between two requests, 1s to 1h: more than a balancer before it waits [default: 75s]
    #[arg(long, value_name = "DURATION", env = "TWF_IDLE_TIMEOUT", value_parser = IdleTimeout::parse)]
    pub idle_timeout: Option<Duration>,
    /// How many connections one address may hold (IPv6: one /64), 1 to 10000: behind a balancer, where all have its address, only with `trusted_proxies`. Without it one may hold all
    #[arg(long, value_name = "COUNT", env = "TWF_MAX_CONNECTIONS_PER_PEER", value_parser = ConnectionsPerPeer::parse)]
    pub max_connections_per_peer: Option<usize>,
    /// How log lines are written, on standard error [default: text on a terminal, json elsewhere]
    #[arg(long, value_name = "FORMAT", env = "TWF_LOG_FORMAT")]
    pub log_format: Option<LogFormat>,
    /// Which lines are logged: a level for all (off, error, warn, info, debug), and others for parts of the program: `info,forward=warn,temporal=debug` [default: info]
    #[arg(long, value_name = "FILTER", env = "TWF_LOG_FILTER", value_parser = LogFilter::parse)]
    pub log_filter: Option<LogFilter>,
    /// Log more: never a body, a secret or a signature
    #[arg(short, long, env = "TWF_DEBUG", value_parser = BoolishValueParser::new())]
    pub debug: bool,
    /// List every environment variable and exit
    #[arg(long)]
    pub help_env_vars: bool,
}

/// Flags of `dev`.
#[derive(Debug, Clone, Args)]
pub struct DevArgs {
    /// The `temporal` program, if a dev server must be started [default: found on PATH, then in the Go bin folder]
    #[arg(long, value_name = "FILE", env = "TEMPORAL_BIN")]
    pub temporal_bin: Option<PathBuf>,
    /// Everything `serve` takes.
    #[command(flatten)]
    pub serve: ServeArgs,
}

/// Flags of `check`.
#[derive(Debug, Clone, Args)]
pub struct CheckArgs {
    /// Only the configuration: do not ask Temporal
    #[arg(long)]
    pub offline: bool,
    /// Register the search attributes that are missing: those of the routes, and with `[temporal] index` the forwarder's own. A namespace of Temporal Cloud takes them from `tcld` or its web interface only
    #[arg(long, conflicts_with = "offline")]
    pub register_search_attributes: bool,
    /// A request as HTTP/1.1 writes it (`send --print http`; `-`: standard input): print which route it takes and exactly what Temporal would be asked, without asking
    #[arg(long, value_name = "FILE")]
    pub event: Option<PathBuf>,
    /// Another configuration file, such as the one in use: list the sources whose ids, task queues, types or payloads differ from it. Differences are warnings, not mistakes
    #[arg(long, value_name = "OLD")]
    pub against: Option<PathBuf>,
    /// Everything `serve` takes.
    #[command(flatten)]
    pub serve: ServeArgs,
}

/// Flags of `providers`.
#[derive(Debug, Clone, Args)]
pub struct ProvidersArgs {
    /// What to print; without one: the table
    #[command(subcommand)]
    pub command: Option<ProvidersCommand>,
}

/// Subcommands of `providers`.
#[derive(Debug, Clone, Subcommand)]
pub enum ProvidersCommand {
    /// Print an entry as it is written (TOML): a starting point for a sender of your own
    Show {
        /// A name from the table
        name: String,
    },
}

/// The program's name.
pub const NAME: &str = "temporal-webhook-forwarder";

/// Environment variables that are no flag's: secrets do not belong on a command line.
pub const SECRET_VARIABLES: &[(&str, &str)] = &[
    (
        "SHOPIFY_WEBHOOKS_KEY",
        "The store's webhook secret or the Shopify app's client secret: verifies signatures",
    ),
    (
        "AES_KEY",
        "Payload key, 32, 48 or 64 hex digits: encrypts what Temporal stores",
    ),
    (
        "AES_KEY_ID",
        "The name under which workers know that key [default: default]",
    ),
    (
        "TEMPORAL_ADDRESS, TEMPORAL_API_KEY, TEMPORAL_TLS*, TEMPORAL_PROFILE, TEMPORAL_CONFIG_FILE, TEMPORAL_GRPC_META_*",
        "As every Temporal SDK reads them",
    ),
    (
        "OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_EXPORTER_OTLP_*, OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES, OTEL_TRACES_SAMPLER, OTEL_SDK_DISABLED",
        "As every OpenTelemetry SDK reads them: with an endpoint, traces are sent there (http/protobuf)",
    ),
];

/// Where `dev` has another default than `serve`.
const DEV_DEFAULTS: [(&str, &str); 7] = [
    (
        "log_format",
        "How log lines are written, on standard error [default: text]",
    ),
    (
        "host",
        "Address to listen on [default: that of the file, or else 127.0.0.1]",
    ),
    (
        "cert",
        "Certificate chain, PEM [default: that of the file, or else one for localhost, made once]",
    ),
    (
        "key",
        "The certificate's private key, PEM [default: that of the certificate]",
    ),
    (
        "endpoint",
        "Temporal's address [default: localhost:7233; if nothing answers there, a dev server is started]",
    ),
    (
        "admin",
        "Admin listener for health, metrics and what happened [default: that of the file, or else 127.0.0.1:9000]",
    ),
    (
        "config",
        "Configuration file (TOML) [default: none: /temporal/shopify, with a secret that is made once]",
    ),
];

const AFTER_HELP: &str = "\
Secrets come from the environment (SHOPIFY_WEBHOOKS_KEY, AES_KEY) or the configuration file, never
from flags: see --help-env-vars.
Exit codes: 0 fine, 64 usage, 78 configuration, 1 anything else.";

/// The payload formats by name, each with its line of help.
fn formats() -> impl TypedValueParser<Value = Format> {
    let values = Format::ALL.map(|format| {
        PossibleValue::new(format.name()).help(match format {
            Format::Json => "JSON: `{\"headers\": {…}, \"data\": …}`",
            Format::JsonString => "The same text once more encoded, as a JSON string",
            Format::CloudEvents => "CloudEvents 1.0 in JSON; the headers are in the memo",
            Format::Raw => "The body's bytes as sent; the headers are in the memo",
            Format::Protobuf => {
                "The whole request as a message `webhook.forwarder.v1.WebhookEvent`"
            }
            Format::JsonProtobuf => "The same message in JSON, the body as text if it is UTF-8",
        })
    });
    PossibleValuesParser::new(values).map(|name| {
        let named = Format::ALL.into_iter().find(|format| format.name() == name);
        named.expect("one of the names")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_flag_of_serve_with_a_value_has_an_environment_variable() {
        for arg in Cli::command().get_arguments() {
            let id = arg.get_id().as_str();
            let negation_or_help = id.starts_with("no_global") || id.starts_with("no_validate");
            if negation_or_help || ["help", "version", "help_env_vars"].contains(&id) {
                continue;
            }
            assert!(
                arg.get_env().is_some(),
                "--{id} has no environment variable"
            );
        }
    }
}

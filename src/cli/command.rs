//! The subcommands, and what `--help` says of each.

use clap::Subcommand;

use super::codec_server::CodecServerArgs;
use super::events::{DeadLettersArgs, EventsArgs};
use super::health::HealthArgs;
use super::replay::ReplayArgs;
use super::send::SendArgs;
use super::{CheckArgs, DevArgs, ProvidersArgs, ServeArgs};

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Receive webhooks and start workflows (the default)
    Serve(ServeArgs),
    /// Run everything on this machine for a first try
    ///
    /// Starts a Temporal dev server if none answers at the endpoint, makes a self-signed
    /// certificate and a secret, serves, and prints what to type next. Unless told otherwise it
    /// listens on 127.0.0.1, with the admin listener on 127.0.0.1:9000.
    Dev(DevArgs),
    /// Sign a sample webhook as a provider would and post it
    Send(SendArgs),
    /// Check the configuration, then ask Temporal whether it will work
    ///
    /// Reports every mistake of the configuration in one run. Exit code 0, or 78 if something is
    /// wrong.
    Check(CheckArgs),
    /// List the senders that the forwarder knows
    Providers(ProvidersArgs),
    /// Take events out of workflow histories and send them on their way again
    ///
    /// Dead letters, once the configuration or Temporal is mended; then without --dry-run:
    ///
    ///   temporal-webhook-forwarder replay --config forwarder.toml --dry-run \
    ///     --query 'WorkflowType="WebhookDeadLetter" AND ExecutionStatus="Running"'
    ///
    /// Each event takes the route that the configuration has for it now. A dead letter is started
    /// with the source's own policies, so doing it twice is safe (`duplicate`), and terminated
    /// (reason `replayed`) once its event is in Temporal. Other workflows, and each of their
    /// signals and updates, are done once more: a closed one is started again, one that runs goes
    /// on (`duplicate`). Nothing is parked: what fails is said.
    ///
    /// --url posts the original request to a forwarder, which verifies it as ever. It has to be
    /// kept whole: in a dead letter, or in the formats `protobuf` and `json-protobuf`. Signed
    /// timestamps (Stripe, Slack, most others) are too old then; signatures of the body alone
    /// (Shopify, GitHub) hold; tokens in headers are never kept.
    ///
    /// Exit code 0 if all went well or the query found nothing, 1 if anything failed.
    #[command(verbatim_doc_comment)]
    Replay(Box<ReplayArgs>),
    /// List what was received, or show one event: what it was, and where it is now
    ///
    ///   temporal-webhook-forwarder events --config forwarder.toml --topic orders/create --since 1h
    ///   temporal-webhook-forwarder events --config forwarder.toml -q 1001
    ///   temporal-webhook-forwarder events show ID --config forwarder.toml
    ///
    /// Asks Temporal, whichever replica took the event and however long ago, as long as Temporal
    /// retains it. The newest come first. Without `[temporal] index` topics and tenants are looked
    /// for in the memos of what Temporal lists: the last line says of how many. A page that says
    /// `--cursor` goes on there, whatever arrives meanwhile.
    ///
    /// `show` prints headers and body, decrypted with the configured keys.
    ///
    /// On a terminal a table, elsewhere (or with --json) JSON: a page as GET /events of the admin
    /// listener has it, with --all one event a line.
    #[command(verbatim_doc_comment)]
    Events(Box<EventsArgs>),
    /// List what could not start, and show it, start it again, or discard it
    ///
    ///   temporal-webhook-forwarder dead-letters --config forwarder.toml
    ///   temporal-webhook-forwarder dead-letters show ID --config forwarder.toml
    ///   temporal-webhook-forwarder dead-letters replay ID --config forwarder.toml --dry-run
    ///   temporal-webhook-forwarder dead-letters discard ID --why 'a test of ours' --config forwarder.toml
    ///
    /// Lists those that are open, the newest first; --status terminated lists those that were
    /// replayed or discarded, as long as Temporal retains them. An ID is the event's own, or that of
    /// the dead letter's workflow. Many at once: `replay --query`.
    #[command(verbatim_doc_comment)]
    DeadLetters(Box<DeadLettersArgs>),
    /// Let Temporal's web interface and CLI show encrypted and compressed payloads
    ///
    /// Temporal's remote codec protocol with the keys of `serve`: AES_KEY, or `[encryption]` of the
    /// configuration file. Whoever may ask it sees every event that they can find in Temporal, so
    /// without a token it listens on loopback addresses only. To look at a workflow:
    ///
    ///   temporal-webhook-forwarder codec-server --config forwarder.toml
    ///   temporal workflow show --workflow-id ID --detailed --codec-endpoint http://127.0.0.1:8081
    ///
    /// For the web interface: `temporal server start-dev --ui-codec-endpoint http://127.0.0.1:8081`,
    /// or the glasses on its page. Keys, token and certificate are read again when their files change.
    #[command(verbatim_doc_comment)]
    CodecServer(CodecServerArgs),
    /// Ask a running forwarder whether it takes webhooks
    ///
    ///   temporal-webhook-forwarder health            whether it is ready: Temporal takes events
    ///   temporal-webhook-forwarder health --live     whether it answers at all
    ///
    /// Asks the listener for webhooks on this machine, where flags, variables and the configuration
    /// file say that `serve` listens: give both the same, best by TWF_CONFIG. Of one's own server the
    /// certificate is not verified. For a container's health check --live is the right question: a
    /// restart brings no Temporal back.
    ///
    /// One line says what is the matter. Exit code 0, or 1 if it is not so, or nobody answers within
    /// 5 s.
    #[command(verbatim_doc_comment)]
    Health(Box<HealthArgs>),
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page (roff)
    Man,
}

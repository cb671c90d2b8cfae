//! Workers of the official SDKs, with their OpenTelemetry interceptors, go on with our trace.

use std::cell::Cell;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use opentelemetry_proto::tonic::trace::v1::Span;
use uuid::Uuid;

use super::{PARENT, SPAN, TRACE, is_webhook, traced};
use crate::support::collector::Collector;
use crate::support::configured::Configured;
use crate::support::delivery::Delivery;
use crate::support::forwarder::{AES, Forwarder, ForwarderConfig};
use crate::support::install;
use crate::support::sender::Sender;
use crate::support::telemetry;
use crate::support::temporal::Temporal;
use crate::support::wait::{PATIENCE, run, until};
use crate::support::worker::Worker;

#[test]
fn a_python_worker_has_our_span_for_a_parent_whether_or_not_payloads_are_encrypted() {
    run(async {
        for aes in [None, Some(AES)] {
            continues(&python, aes).await;
        }
    });
}

#[test]
fn a_go_worker_has_our_span_for_a_parent() {
    run(async { continues(&go, None).await });
}

/// Sender's span -> ours -> our call's -> the worker's.
async fn continues(worker: &dyn Fn() -> Command, aes: Option<(&'static str, &'static str)>) {
    let collector = Collector::start().await;
    let (queue, forwarder) = start(&collector, aes, "").await;
    let _worker = spawn(worker(), &queue, &collector).await;
    let order = Delivery::order().with("traceparent", PARENT);
    let answer = Sender::new(&forwarder).send(&order).await;
    assert_eq!(answer.outcome(), "200 started");
    let webhook = collector
        .span("the webhook", |_, span| is_webhook(span))
        .await;
    assert_eq!(hex::encode(&webhook.trace_id), TRACE);
    assert_eq!(hex::encode(&webhook.parent_span_id), SPAN);
    let call = collector
        .span("the call", |_, span| {
            span.name == "StartWorkflow:ShopifyWebhook"
        })
        .await;
    assert_eq!(call.parent_span_id, webhook.span_id);
    let workflow = collector.span("the worker's", |service, span| {
        service == "worker" && span.name == "RunWorkflow:ShopifyWebhook"
    });
    let workflow = workflow.await;
    assert_eq!(workflow.trace_id, webhook.trace_id);
    assert_eq!(workflow.parent_span_id, call.span_id);
}

/// The interceptor links the spans of signals and updates to who sent them: their parent is the workflow.
#[test]
fn a_python_worker_links_signals_and_updates_to_our_spans() {
    run(async {
        let collector = Collector::start().await;
        let id = Uuid::new_v4().simple().to_string();
        let route = |topic: &str, action: &str| {
            format!(
                "[[source.route]]\nwhen = 'topic == \"{topic}\"'\naction = '{action}'\nworkflow_type = 'Entity'\nworkflow_id = 'entity:{id}'\n"
            )
        };
        let routes = [
            route("a", "signal-with-start"),
            route("b", "signal").replace("workflow_type = 'Entity'\n", ""),
            route("c", "update-with-start"),
        ];
        let (queue, forwarder) = start(&collector, None, &routes.concat()).await;
        let _worker = spawn(python(), &queue, &collector).await;
        let sender = Sender::new(&forwarder);
        for (topic, outcome, ours, theirs) in [
            (
                "a",
                "200 signalled",
                "SignalWithStartWorkflow:Entity",
                "HandleSignal:webhook",
            ),
            (
                "b",
                "200 signalled",
                "SignalWorkflow:webhook",
                "HandleSignal:webhook",
            ),
            (
                "c",
                "200 updated",
                "UpdateWithStartWorkflow:webhook",
                "HandleUpdate:webhook",
            ),
        ] {
            // Of what a worker replays, since a task of it took too long on a busy machine, its interceptor makes
            // no span: then the next event has one.
            let asked = Cell::new(Instant::now() - ANOTHER);
            until(theirs, 2 * PATIENCE, async || {
                if asked.get().elapsed() >= ANOTHER {
                    let event = Delivery::order().with("X-Shopify-Topic", topic);
                    assert_eq!(sender.send(&event).await.outcome(), outcome, "{topic}");
                    asked.set(Instant::now());
                }
                is_linked(&collector.spans(), ours, theirs)
            })
            .await;
        }
        let call = collector
            .span("the start", |_, span| {
                span.name == "SignalWithStartWorkflow:Entity"
            })
            .await;
        let workflow = collector
            .span("the workflow", |_, span| span.name == "RunWorkflow:Entity")
            .await;
        assert_eq!(workflow.parent_span_id, call.span_id);
    });
}

/// Whether a span of the worker's is linked to one of our calls.
fn is_linked(spans: &[(String, Span)], ours: &str, theirs: &str) -> bool {
    let calls = || spans.iter().filter(|(_, span)| span.name == ours);
    let mut handled =
        (spans.iter()).filter(|(service, span)| service == "worker" && span.name == theirs);
    handled.any(|(_, span)| {
        let mut links = span.links.iter();
        links.any(|link| {
            calls()
                .any(|(_, call)| (&call.span_id, &call.trace_id) == (&link.span_id, &link.trace_id))
        })
    })
}

/// How long a span is waited for before another event goes out.
const ANOTHER: Duration = Duration::from_secs(15);

/// A forwarder that trusts its senders, and the task queue that it starts workflows on.
async fn start(
    collector: &Collector,
    aes: Option<(&'static str, &'static str)>,
    routes: &str,
) -> (String, Forwarder) {
    let queue = format!("traced-{}", Uuid::new_v4().simple());
    let configured = Configured::new(&format!(
        "[server]\ntrust_traceparent = true\n[[source]]\npath = '/temporal/shopify'\nprovider = 'shopify'\nsecrets = ['env:SHOPIFY_WEBHOOKS_KEY']\ntask_queue = '{queue}'\ndeadline = '30s'\n{routes}"
    ));
    let config = ForwarderConfig {
        aes,
        ..configured.plain()
    };
    (queue, Forwarder::start(traced(collector, config)).await)
}

async fn spawn(mut command: Command, queue: &str, collector: &Collector) -> Worker {
    let address = Temporal::shared().await.address();
    let env = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url.as_str()),
        ("AES_KEY", AES.0),
        ("AES_KEY_ID", AES.1),
    ];
    Worker::spawn(&mut command, &address, queue, &env)
}

fn python() -> Command {
    let mut command = Command::new(telemetry::python());
    command.arg(telemetry::folder().join("worker.py"));
    command
}

fn go() -> Command {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    let build = || install::go_program(&telemetry::folder().join("worker"), "traced-worker");
    Command::new(PROGRAM.get_or_init(build))
}

//! One trace: the sender's span, ours, the worker's; sent to a collector that OpenTelemetry's variables name.

mod workers;

use std::collections::BTreeSet;

use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use reqwest::Method;
use uuid::Uuid;

use crate::support::collector::{Collector, text};
use crate::support::configured::Configured;
use crate::support::delivery::{Delivery, SHOPIFY, SIGNATURE};
use crate::support::forwarder::{Forwarder, ForwarderConfig};
use crate::support::leaks;
use crate::support::sender::Sender;
use crate::support::telemetry::openmetrics;
use crate::support::temporal::Temporal;
use crate::support::wait::{PATIENCE, eventually, run, until};

#[test]
fn without_a_collector_there_is_no_trace_and_nothing_of_one_in_temporal() {
    run(async {
        let forwarder = Forwarder::start(ForwarderConfig::default()).await;
        let order = Delivery::order().with("traceparent", PARENT);
        let answer = Sender::new(&forwarder).send(&order).await;
        assert_eq!(answer.outcome(), "200 started");
        assert!(forwarder.request_line(answer.request_id())["trace_id"].is_null());
        let start = Temporal::shared().await.start_of(&order.id).await;
        let headers = start.header.unwrap_or_default().fields;
        assert!(!headers.contains_key(TRACER_DATA), "{headers:?}");
    });
}

#[test]
fn a_webhook_is_two_spans_which_say_what_became_of_it() {
    run(async {
        let collector = Collector::start().await;
        let forwarder = Forwarder::start(traced(&collector, ForwarderConfig::default())).await;
        // Nobody said that it is to be trusted.
        let order = Delivery::order().with("traceparent", PARENT);
        let answer = Sender::new(&forwarder).send(&order).await;
        assert_eq!(answer.outcome(), "200 started");
        let webhook = collector
            .span("the webhook", |_, span| is_webhook(span))
            .await;
        assert_ne!(hex::encode(&webhook.trace_id), TRACE, "the sender's");
        assert!(webhook.parent_span_id.is_empty());
        assert_eq!(webhook.name, format!("POST {SHOPIFY}"));
        for (key, expected) in [
            ("webhook.outcome", "started"),
            ("webhook.source", SHOPIFY),
            ("webhook.event_id", &order.id),
            ("webhook.topic", "orders/create"),
            ("http.response.status_code", "200"),
        ] {
            assert_eq!(
                text(&webhook.attributes, key).as_deref(),
                Some(expected),
                "{key}"
            );
        }
        let call = collector
            .span("the call", |_, span| span.kind() == SpanKind::Client)
            .await;
        assert_eq!(call.name, "StartWorkflow:ShopifyWebhook");
        assert_eq!(
            (&call.trace_id, &call.parent_span_id),
            (&webhook.trace_id, &webhook.span_id)
        );
        let services: BTreeSet<_> = collector
            .spans()
            .into_iter()
            .map(|(service, _)| service)
            .collect();
        assert_eq!(services, ["temporal-webhook-forwarder".to_owned()].into());
        let trace_id = hex::encode(&webhook.trace_id);
        assert_eq!(
            forwarder.request_line(answer.request_id())["trace_id"],
            trace_id
        );
        let start = Temporal::shared().await.start_of(&order.id).await;
        let header = &start.header.expect("a header").fields[TRACER_DATA];
        assert_eq!(header.metadata["encoding"], b"json/plain");
        let expected = format!(
            r#"{{"traceparent":"00-{trace_id}-{}-01"}}"#,
            hex::encode(&call.span_id)
        );
        assert_eq!(String::from_utf8_lossy(&header.data), expected);

        // And its duration names it.
        let page =
            Delivery::bare(Method::GET, "/metrics").with("Accept", "application/openmetrics-text");
        let page = Sender::plain(&forwarder.admin.to_string())
            .page(&page)
            .await;
        let family = &openmetrics(&page.text)["webhook_forwarder_request_duration_seconds"];
        assert_eq!(
            family["exemplars"][0]["labels"]["trace_id"], trace_id,
            "{}",
            page.text
        );
    });
}

#[test]
fn spans_have_no_word_of_a_caller_who_is_not_proven_and_headers_for_the_collector_stay_secret() {
    run(async {
        let collector = Collector::start().await;
        leaks::forbid("collector-token-1");
        let config = traced(&collector, ForwarderConfig::default());
        let config = with(
            config,
            "OTEL_EXPORTER_OTLP_HEADERS",
            "authorization=Bearer collector-token-1",
        );
        let config = with(config, "OTEL_SERVICE_NAME", "hooks");
        let mut forwarder = Forwarder::start(config).await;
        let word = Uuid::new_v4().simple().to_string();
        let forged = Delivery::order()
            .with(SIGNATURE, format!("{word}="))
            .with("X-Shopify-Topic", &word)
            .with("X-Shopify-Shop-Domain", &word)
            .with("User-Agent", &word)
            .with("traceparent", PARENT)
            .with_id(&word);
        assert_eq!(Sender::new(&forwarder).send(&forged).await.status, 401);
        forwarder.signal("TERM");
        assert_eq!(forwarder.wait(PATIENCE).code(), Some(0));
        // What is left is sent at the end.
        let all = collector.spans();
        let [(service, span)] = &all[..] else {
            panic!("one span: {all:?}");
        };
        assert_eq!(service, "hooks");
        assert_eq!(
            text(&span.attributes, "webhook.outcome").as_deref(),
            Some("invalid_signature")
        );
        assert!(!format!("{all:?}").contains(&word), "{all:?}");
        let headers = collector.headers();
        assert_eq!(headers[0]["authorization"], "Bearer collector-token-1");
    });
}

#[test]
fn a_collector_that_is_away_costs_no_event_and_is_said_once() {
    run(async {
        let collector = Collector::start().await;
        let (url, address) = (
            collector.url.clone(),
            collector.url["http://".len()..].to_owned(),
        );
        drop(collector);
        let config = with(
            ForwarderConfig::default(),
            "OTEL_EXPORTER_OTLP_ENDPOINT",
            &url,
        );
        let forwarder = Forwarder::start(with(config, "OTEL_BSP_SCHEDULE_DELAY", "100")).await;
        let sender = Sender::new(&forwarder);
        let said = |message: &str| {
            let lines = forwarder.log_lines();
            lines.iter().filter(|line| line.contains(message)).count()
        };
        until("it is said", PATIENCE, async || {
            let answer = sender.send(&Delivery::order()).await;
            assert_eq!(answer.outcome(), "200 started");
            said("spans cannot be sent") > 0
        })
        .await;
        let again = eventually("the port is free", PATIENCE, async || {
            tokio::net::TcpListener::bind(&address).await.ok().map(drop)
        });
        again.await;
        let collector = Collector::at(&address).await;
        until("it is said", PATIENCE, async || {
            sender.send(&Delivery::order()).await;
            said("are sent to the collector again") > 0
        })
        .await;
        assert_eq!(said("spans cannot be sent"), 1);
        assert!(!collector.spans().is_empty());
    });
}

#[test]
fn a_sender_that_is_trusted_has_its_trace_continued() {
    run(async {
        let collector = Collector::start().await;
        let configured = Configured::new(TRUSTING);
        let forwarder = Forwarder::start(traced(&collector, configured.plain())).await;
        let sender = Sender::new(&forwarder);
        let order = Delivery::order().with("traceparent", PARENT);
        assert_eq!(sender.send(&order).await.outcome(), "200 started");
        let webhook = collector
            .span("the webhook", |_, span| is_webhook(span))
            .await;
        assert_eq!(hex::encode(&webhook.trace_id), TRACE);
        assert_eq!(hex::encode(&webhook.parent_span_id), SPAN);
        // One that is not kept there is not kept here.
        let unsampled = PARENT
            .replace("-01", "-00")
            .replace(TRACE, &TRACE.replace('4', "5"));
        let order = Delivery::order().with("traceparent", &unsampled);
        let answer = sender.send(&order).await;
        assert_eq!(answer.outcome(), "200 started");
        let start = Temporal::shared().await.start_of(&order.id).await;
        let header = &start.header.expect("a header").fields[TRACER_DATA];
        let header = String::from_utf8_lossy(&header.data).into_owned();
        assert!(
            header.contains("-00\"") && header.contains(&TRACE.replace('4', "5")),
            "{header}"
        );
        // And one that is broken begins anew.
        let mut twice = Delivery::order().with("traceparent", PARENT);
        twice.headers.extend(twice.headers.last().cloned());
        let signed = PARENT.replacen('4', "+", 1);
        for order in [
            Delivery::order().with("traceparent", "00-nonsense-01"),
            Delivery::order().with("traceparent", &signed),
            twice,
        ] {
            assert_eq!(sender.send(&order).await.outcome(), "200 started");
            let found = collector.span("a trace of its own", |_, span| {
                text(&span.attributes, "webhook.event_id").as_ref() == Some(&order.id)
            });
            assert!(found.await.parent_span_id.is_empty());
        }
        // Of a state nobody has to pass on more than 512 characters.
        for (state, is_kept) in [
            ("a=".to_owned() + &"b".repeat(255), true),
            ("a=b,".repeat(200), false),
        ] {
            let order = Delivery::order()
                .with("traceparent", PARENT)
                .with("tracestate", &state);
            assert_eq!(sender.send(&order).await.outcome(), "200 started");
            let start = Temporal::shared().await.start_of(&order.id).await;
            let header = &start.header.expect("a header").fields[TRACER_DATA];
            let header = String::from_utf8_lossy(&header.data).into_owned();
            assert_eq!(header.contains("tracestate"), is_kept, "{header}");
        }
    });
}

fn is_webhook(span: &Span) -> bool {
    span.kind() == SpanKind::Server && text(&span.attributes, "webhook.source").is_some()
}

/// Sends its spans there, soon.
fn traced(collector: &Collector, config: ForwarderConfig) -> ForwarderConfig {
    let config = with(config, "OTEL_EXPORTER_OTLP_ENDPOINT", &collector.url);
    with(config, "OTEL_BSP_SCHEDULE_DELAY", "100")
}

/// With one more variable.
fn with(config: ForwarderConfig, name: &'static str, value: &str) -> ForwarderConfig {
    let value: &'static str = String::leak(value.to_owned());
    let env = [config.env, &[(name, value)]].concat();
    ForwarderConfig {
        env: Vec::leak(env),
        ..config
    }
}

const TRACER_DATA: &str = "_tracer-data";
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN: &str = "00f067aa0ba902b7";
const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const TRUSTING: &str = "[server]
trust_traceparent = true
[[source]]
path = '/temporal/shopify'
provider = 'shopify'
secrets = ['env:SHOPIFY_WEBHOOKS_KEY']
";

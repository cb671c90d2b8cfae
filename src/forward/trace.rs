//! One webhook as a trace: a span for the webhook, and one for each call to Temporal, which the worker's spans
//! have for a parent. Without a collector there is none of this.

use std::time::SystemTime;

use http::HeaderMap;
use http::request::Parts;
use opentelemetry::propagation::{Extractor, TextMapPropagator};
use opentelemetry::trace::{
    Span as _, SpanBuilder, SpanContext, SpanKind, Status, TraceContextExt, Tracer,
};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{SdkTracer, Span};
use tokio::time::Instant;
use webhook_core::event::Event;
use webhook_core::outcome::{Execution, Outcome, Reject};
use webhook_core::payload;
use webhook_core::route::Verb;
use webhook_core::source::Source;

use crate::temporal::{Call, Done};

/// Begins traces.
pub struct Traces {
    tracer: SdkTracer,
    /// Whether a sender's trace is continued.
    trusts: bool,
}

impl Traces {
    /// Senders' traces are continued if they are trusted; else each webhook begins one of its own.
    pub const fn new(tracer: SdkTracer, trusts: bool) -> Self {
        Self { tracer, trusts }
    }

    /// The span of a webhook whose first byte came then.
    pub fn webhook(&self, source: &Source, parts: &Parts, first_byte: Instant) -> Webhook<'_> {
        let method = parts.method.to_string();
        let name = format!("{method} {}", source.path);
        let began = SystemTime::now() - first_byte.elapsed();
        let builder = SpanBuilder::from_name(name)
            .with_kind(SpanKind::Server)
            .with_start_time(began)
            .with_attributes([
                KeyValue::new("http.request.method", method),
                KeyValue::new("http.route", source.path.clone()),
                KeyValue::new("webhook.source", source.path.clone()),
                KeyValue::new("webhook.provider", source.provider.name.clone()),
            ]);
        let parent = match self.trusts {
            true => {
                let headers = Headers(&parts.headers);
                TraceContextPropagator::new().extract_with_context(&Context::new(), &headers)
            }
            false => Context::new(),
        };
        Webhook {
            traces: self,
            span: self.tracer.build_with_context(builder, &parent),
        }
    }
}

struct Headers<'h>(&'h HeaderMap);

impl Extractor for Headers<'_> {
    /// What stands there once, and as the recommendation (W3C Trace Context) writes it: the library takes a `+`
    /// for a digit, and the worker's history keeps whatever state is passed on.
    fn get(&self, key: &str) -> Option<&str> {
        let mut values = self.0.get_all(key).iter();
        let (Some(value), None) = (values.next(), values.next()) else {
            return None;
        };
        let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f' | b'-');
        value.to_str().ok().filter(|text| match key {
            "traceparent" => text.bytes().all(is_digit),
            _ => text.len() <= MAX_STATE,
        })
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(|name| name.as_str()).collect()
    }
}

/// The span of one webhook.
pub struct Webhook<'t> {
    traces: &'t Traces,
    span: Span,
}

impl<'t> Webhook<'t> {
    /// The trace's id, for the log.
    pub fn id(&self) -> [u8; 16] {
        self.span.span_context().trace_id().to_bytes()
    }

    /// The trace's id if the trace is kept: metrics name no other.
    pub fn kept(&self) -> Option<[u8; 16]> {
        let is_kept = self.span.span_context().is_sampled();
        is_kept.then(|| self.id())
    }

    /// What calls to Temporal are parts of.
    pub fn parent(&self) -> Parent<'t> {
        Parent {
            traces: self.traces,
            context: self.span.span_context().clone(),
        }
    }

    /// It was answered so. Of what a caller says, what a proven event says of itself.
    pub fn end(mut self, outcome: &'static str, status: u16, event: Option<&Event>) {
        let span = &mut self.span;
        span.set_attribute(KeyValue::new("webhook.outcome", outcome));
        span.set_attribute(KeyValue::new(
            "http.response.status_code",
            i64::from(status),
        ));
        if let Some(event) = event {
            span.set_attribute(KeyValue::new("webhook.event_id", event.id.clone()));
            let topic = event.topic.clone();
            let topic = topic.map(|topic| KeyValue::new("webhook.topic", topic));
            topic
                .into_iter()
                .for_each(|topic| span.set_attribute(topic));
        }
        if status >= 500 {
            span.set_status(Status::error(outcome));
        }
        span.end();
    }
}

/// A webhook's span, for the spans of its calls.
#[derive(Clone)]
pub struct Parent<'t> {
    traces: &'t Traces,
    context: SpanContext,
}

impl Parent<'_> {
    /// The span of this call, which is written into it: the worker's are its children.
    pub fn call(&self, call: &mut Call) -> CallSpan {
        // As the SDKs' own interceptors name theirs.
        let name = match &call.verb {
            Verb::Start => format!("StartWorkflow:{}", call.workflow_type),
            Verb::SignalWithStart { .. } => {
                format!("SignalWithStartWorkflow:{}", call.workflow_type)
            }
            Verb::Signal { signal, .. } => format!("SignalWorkflow:{signal}"),
            Verb::UpdateWithStart { update, .. } => format!("UpdateWithStartWorkflow:{update}"),
        };
        let builder = SpanBuilder::from_name(name)
            .with_kind(SpanKind::Client)
            .with_attributes([KeyValue::new(
                "temporalWorkflowID",
                call.workflow_id.clone(),
            )]);
        let parent = Context::new().with_remote_span_context(self.context.clone());
        let span = self.traces.tracer.build_with_context(builder, &parent);
        call.trace = Some(payload::serialized(&carrier(span.span_context())));
        CallSpan(span)
    }
}

/// As the SDKs' OpenTelemetry interceptors read it.
fn carrier(context: &SpanContext) -> serde_json::Map<String, serde_json::Value> {
    let parent = format!(
        "00-{}-{}-{:02x}",
        context.trace_id(),
        context.span_id(),
        context.trace_flags().to_u8()
    );
    let state = context.trace_state().header();
    let state = (!state.is_empty()).then(|| ("tracestate".to_owned(), state.into()));
    let parent = ("traceparent".to_owned(), parent.into());
    [parent].into_iter().chain(state).collect()
}

/// Characters of a `tracestate` that everybody has to pass on.
const MAX_STATE: usize = 512;

/// The span of one call to Temporal.
pub struct CallSpan(Span);

impl CallSpan {
    /// Temporal said this.
    pub fn end(mut self, said: &Result<Done, Reject>) {
        let run = |execution: &Execution| KeyValue::new("temporalRunID", execution.run_id.clone());
        match said {
            Ok(Done::Outcome(outcome)) => {
                self.0
                    .set_attribute(KeyValue::new("webhook.outcome", outcome.label()));
                let run = outcome.execution().map(run);
                run.into_iter().for_each(|run| self.0.set_attribute(run));
            }
            Ok(Done::Result(execution, _)) => {
                let outcome = Outcome::Updated(execution.clone()).label();
                self.0
                    .set_attribute(KeyValue::new("webhook.outcome", outcome));
                self.0.set_attribute(run(execution));
            }
            Err(reject) => self.0.set_status(Status::error(reject.row().label)),
        }
        self.0.end();
    }
}

//! What is said of a request that has ended: one log line and one metric; and of a refused one what
//! helps to find out why, without its body, its signature or a secret.

use std::borrow::Cow;
use std::net::IpAddr;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use webhook_core::event::short;
use webhook_core::hint::hint;
use webhook_core::limit::Block;
use webhook_core::outcome::{Fault, Reject};
use webhook_core::provider::locator::Locator;
use webhook_core::request::media_type;
use webhook_core::shown::{readable, shown};
use webhook_core::source::Source;

use crate::forward::answer::Completion;
use crate::forward::context::RequestContext;
use crate::forward::flood::Flood;
use crate::telemetry::{DEAD_LETTERS, REQUEST_DURATION, REQUESTS};

/// What the log says of a refused request besides the reason. What the caller wrote is escaped and
/// cut.
#[derive(Default)]
struct RefusalFields {
    peer: Option<IpAddr>,
    method: Option<String>,
    path: Option<String>,
    claimed_tenant: Option<String>,
    claimed_topic: Option<String>,
    claimed_event_id: Option<String>,
    secrets_tried: Option<usize>,
    clock_off_seconds: Option<i64>,
    body_bytes: Option<usize>,
    content_type: Option<String>,
    hint: Option<&'static str>,
}

impl RefusalFields {
    /// Looks at the head, and at the first bytes of a body whose signature does not hold.
    fn new(context: &RequestContext<'_>, reject: &Reject) -> Self {
        let parts = context.parts;
        let mut fields = Self {
            peer: Some(context.peer.to_canonical()),
            ..Self::default()
        };
        match reject {
            Reject::NotFound(_) => fields.path = Some(shown(parts.uri.path())),
            Reject::MethodNotAllowed(..) => fields.method = Some(shown(parts.method.as_str())),
            Reject::InvalidSignature(unproven) => {
                fields.secrets_tried = unproven.secrets_tried;
                fields.clock_off_seconds = unproven.clock_skew;
                let content_type = parts.headers.get(CONTENT_TYPE);
                fields.content_type = content_type.map(shown);
                fields.body_bytes = context.unproven_body.as_ref().map(Bytes::len);
            }
            _ => {}
        }
        if let Some((source, _)) = context.source.filter(|_| context.event.is_none()) {
            let provider = &source.provider;
            fields.claimed_tenant = claimed(&provider.tenant, parts);
            fields.claimed_topic = claimed(&provider.topic, parts);
            fields.claimed_event_id = claimed(&provider.id, parts);
            if let (Some(_), Some(body)) = (fields.secrets_tried, &context.unproven_body) {
                fields.hint = hint(provider, media_type(&parts.headers).as_deref(), body);
            }
        }
        fields
    }
}

/// What the head says in the first of these places where it says anything. The body is not read
/// before its signature holds.
pub(super) fn claimed(places: &[Locator], parts: &Parts) -> Option<String> {
    let query = parts.uri.query().unwrap_or_default();
    places.iter().find_map(|place| match place.parts() {
        [Locator::Header(name), ..] => parts.headers.get(name).map(shown),
        [Locator::Query(name), ..] => {
            let mut fields = form_urlencoded::parse(query.as_bytes());
            let found = fields.find(|(key, _)| key == name);
            found.map(|(_, value)| shown(value.as_bytes()))
        }
        _ => None,
    })
}

/// A request that was not handled to its end: its head did not arrive, or its task panicked.
pub fn count(reject: &Reject) {
    let labels = [("source", NO_SOURCE), ("outcome", reject.row().label)];
    metrics::counter!(REQUESTS, &labels).increment(1);
}

/// From now on nothing of the address is looked at for a while.
pub fn blocked(source: &Source, block: &Block, client: IpAddr) {
    let (source, peer) = (&source.path, client.to_canonical());
    let (bad_signatures, seconds) = (block.bad_signatures, block.lasts.as_secs());
    tracing::warn!(source, %peer, bad_signatures, seconds, "an address is blocked");
}

/// How it ended, in the words of the table of outcomes; a page has none.
pub fn outcome(result: &Result<Completion, Reject>) -> Option<&'static str> {
    match result {
        Ok(Completion::Event(outcome)) => Some(outcome.label()),
        Ok(Completion::Handshake(_)) => Some("handshake"),
        Ok(Completion::Page(_)) => None,
        Err(reject) => Some(reject.row().label),
    }
}

/// One log line and one metric for each request to a source, and for each that fits nothing; a page is not
/// worth them, and of a flood of refusals not all get a line.
pub fn report(context: &RequestContext<'_>, result: &Result<Completion, Reject>, stray: &Flood) {
    let elapsed = context.first_byte.elapsed();
    let source = context.source.map_or(NO_SOURCE, |(source, _)| &source.path);
    if let Ok(Completion::Page(page)) = result {
        let status = page.status().as_u16();
        return tracing::debug!(request_id = context.id, status, "page");
    }
    let Some(outcome) = outcome(result) else {
        return;
    };
    let trace = context.trace.as_ref();
    match context.source {
        // What a test sends is no traffic.
        Some(_) if context.is_test => {}
        Some((_, metrics)) => {
            let kept = trace.and_then(|trace| trace.kept());
            metrics.count(outcome, elapsed, context.event.as_deref(), kept);
        }
        None => {
            let labels = [("source", NO_SOURCE), ("outcome", outcome)];
            metrics::counter!(REQUESTS, &labels).increment(1);
            metrics::histogram!(REQUEST_DURATION, &labels).record(elapsed.as_secs_f64());
        }
    }
    let ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
    let (request_id, event) = (context.id, context.event.as_deref());
    let tenant = event.and_then(|event| label(event.tenant.as_deref()));
    let topic = event.and_then(|event| label(event.topic.as_deref()));
    let (tenant, topic) = (tenant.as_deref(), topic.as_deref());
    let (event_id, route) = (event.map(|event| event.id.as_str()), context.route);
    let trace_id = trace.map(|trace| hex::encode(trace.id()));
    let trace_id = trace_id.as_deref();
    macro_rules! line {
        ($level:ident, $($extra:tt)*) => {
            tracing::$level!(request_id, source, tenant, topic, event_id, route, outcome, $($extra)*, ms, trace_id, "request")
        };
    }
    let (reject, fields) = match result {
        Err(reject) => {
            let flood = context.source.map_or(stray, |(_, metrics)| &metrics.flood);
            if !flood.has_room(outcome) {
                return;
            }
            (reject, RefusalFields::new(context, reject))
        }
        Ok(Completion::Page(_) | Completion::Handshake(_)) => {
            return line!(info, workflow_id = None::<&str>);
        }
        Ok(Completion::Event(outcome)) => {
            let execution = outcome.execution();
            let readable_id = execution.map(|execution| readable(&execution.workflow_id));
            let workflow_id = readable_id.as_deref();
            let Some(cause) = &context.parked else {
                return match event.and_then(|event| event.hint) {
                    Some(hint) => line!(warn, workflow_id, hint),
                    None => line!(info, workflow_id),
                };
            };
            let labels = [
                ("source", source.to_owned()),
                ("reason", cause.label().to_owned()),
            ];
            metrics::counter!(DEAD_LETTERS, &labels).increment(1);
            let reason = &*readable(&cause.reason);
            return line!(error, workflow_id, reason);
        }
    };
    let peer = fields.peer.map(tracing::field::display);
    let (method, path) = (fields.method.as_deref(), fields.path.as_deref());
    let claimed_tenant = fields.claimed_tenant.as_deref();
    let claimed_topic = fields.claimed_topic.as_deref();
    let claimed_event_id = fields.claimed_event_id.as_deref();
    let content_type = fields.content_type.as_deref();
    let RefusalFields {
        secrets_tried,
        clock_off_seconds,
        body_bytes,
        hint,
        ..
    } = fields;
    macro_rules! refusal {
        ($level:ident) => {
            line!(
                $level,
                reason = reject.reason(),
                peer,
                method,
                path,
                claimed_tenant,
                claimed_topic,
                claimed_event_id,
                secrets_tried,
                clock_off_seconds,
                body_bytes,
                content_type,
                hint
            )
        };
    }
    match reject.row().fault {
        Fault::Caller => refusal!(info),
        Fault::Moment => refusal!(warn),
        Fault::Configuration | Fault::Operator => refusal!(error),
    }
}

/// What a proven sender says: for a line of the log, cut.
fn label(text: Option<&str>) -> Option<Cow<'_, str>> {
    text.map(|text| match short(text, LONGEST) {
        Cow::Borrowed(text) => readable(text),
        Cow::Owned(text) => Cow::Owned(readable(&text).into_owned()),
    })
}

/// Characters of a label.
const LONGEST: usize = 200;
/// The label of requests that fit no source.
pub const NO_SOURCE: &str = "none";

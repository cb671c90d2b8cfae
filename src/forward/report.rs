//! What is said of a request that has ended: one log line and one metric; and of a refused one what
//! helps to find out why, without its body, its signature or a secret.

use std::net::IpAddr;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use tokio::time::Instant;
use webhook_core::dead_letter::Cause;
use webhook_core::event::{Event, short};
use webhook_core::hint::hint;
use webhook_core::outcome::{Fault, Outcome, Reject};
use webhook_core::provider::locator::Locator;
use webhook_core::request::media_type;
use webhook_core::shown::{readable, shown};
use webhook_core::source::Source;

use crate::telemetry::{DEAD_LETTERS, REQUEST_DURATION, REQUESTS};

/// What is known of a request, filled in as it becomes known: after verification, where there is
/// any.
#[derive(Default)]
pub struct Trail<'a> {
    /// Whose path it has.
    pub source: Option<&'a Source>,
    tenant: Option<String>,
    topic: Option<String>,
    event_id: Option<String>,
    /// What the sender of an event may not have meant.
    hint: Option<&'static str>,
    /// The route it took, if the source has any.
    pub route: Option<&'a str>,
    /// Why it became a dead letter, or should have.
    pub parked: Option<Cause>,
    /// The raw body, from when it is read until the sender is proven: for its length and its look.
    pub body: Option<Bytes>,
}

impl Trail<'_> {
    /// The sender is proven: this is what it says.
    pub fn know(&mut self, event: &Event) {
        let label = |label: &Option<String>| {
            let label = label.as_deref();
            label.map(|label| readable(&short(label, LONGEST)).into_owned())
        };
        self.tenant = label(&event.tenant);
        self.topic = label(&event.topic);
        self.event_id = Some(event.id.clone());
        self.hint = event.hint;
    }
}

/// How a request ended.
pub enum Ended<'a> {
    /// It is in Temporal, or dropped.
    Event(&'a Outcome),
    /// A handshake was answered.
    Handshake,
    /// It is not acknowledged: the head that it had, and whence it came.
    Refused(&'a Reject, &'a Parts, IpAddr),
}

/// What the log says of a refused request besides the reason. What the caller wrote is escaped and
/// cut.
#[derive(Default)]
struct Refused {
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

impl Refused {
    /// Looks at the head, and at the first bytes of a body whose signature does not hold.
    fn new(trail: &Trail<'_>, parts: &Parts, peer: IpAddr, reject: &Reject) -> Self {
        let mut refused = Self {
            peer: Some(peer.to_canonical()),
            ..Self::default()
        };
        match reject {
            Reject::NotFound(_) => refused.path = Some(shown(parts.uri.path())),
            Reject::MethodNotAllowed(..) => refused.method = Some(shown(parts.method.as_str())),
            Reject::InvalidSignature(unproven) => {
                refused.secrets_tried = unproven.secrets_tried;
                refused.clock_off_seconds = unproven.clock_off;
                let content_type = parts.headers.get(CONTENT_TYPE);
                refused.content_type = content_type.map(shown);
                refused.body_bytes = trail.body.as_ref().map(Bytes::len);
            }
            _ => {}
        }
        if let Some(source) = trail.source.filter(|_| trail.event_id.is_none()) {
            let provider = &source.provider;
            refused.claimed_tenant = claimed(&provider.tenant, parts);
            refused.claimed_topic = claimed(&provider.topic, parts);
            refused.claimed_event_id = claimed(&provider.id, parts);
            if let (Some(_), Some(body)) = (refused.secrets_tried, &trail.body) {
                refused.hint = hint(provider, media_type(&parts.headers).as_deref(), body);
            }
        }
        refused
    }
}

/// What the head says in the first of these places where it says anything. The body is not read
/// before its signature holds.
fn claimed(places: &[Locator], parts: &Parts) -> Option<String> {
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
    let labels = [("source", "none"), ("outcome", reject.row().label)];
    metrics::counter!(REQUESTS, &labels).increment(1);
}

/// One log line and one metric for each request to a source, and for each that fits nothing.
pub fn report(trail: &Trail<'_>, request_id: &str, first_byte: Instant, ended: &Ended<'_>) {
    let elapsed = first_byte.elapsed();
    let source = trail.source.map_or("none", |source| &source.path);
    let outcome = match ended {
        Ended::Event(outcome) => outcome.label(),
        Ended::Handshake => "handshake",
        Ended::Refused(reject, ..) => reject.row().label,
    };
    let labels = [
        ("source", source.to_owned()),
        ("outcome", outcome.to_owned()),
    ];
    metrics::counter!(REQUESTS, &labels).increment(1);
    metrics::histogram!(REQUEST_DURATION, &labels).record(elapsed.as_secs_f64());
    let ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
    let (tenant, topic) = (trail.tenant.as_deref(), trail.topic.as_deref());
    let (event_id, route) = (trail.event_id.as_deref(), trail.route);
    macro_rules! line {
        ($level:ident, $($extra:tt)*) => {
            tracing::$level!(request_id, source, tenant, topic, event_id, route, outcome, $($extra)*, ms, "request")
        };
    }
    let (reject, refused) = match ended {
        Ended::Refused(reject, parts, peer) => (reject, Refused::new(trail, parts, *peer, reject)),
        Ended::Handshake => return line!(info, workflow_id = None::<&str>),
        Ended::Event(outcome) => {
            let execution = outcome.execution();
            let workflow_id = execution.map(|execution| readable(&execution.workflow_id));
            let workflow_id = workflow_id.as_deref();
            let Some(cause) = &trail.parked else {
                return match trail.hint {
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
    let peer = refused.peer.map(tracing::field::display);
    let (method, path) = (refused.method.as_deref(), refused.path.as_deref());
    let claimed_tenant = refused.claimed_tenant.as_deref();
    let claimed_topic = refused.claimed_topic.as_deref();
    let claimed_event_id = refused.claimed_event_id.as_deref();
    let content_type = refused.content_type.as_deref();
    let Refused {
        secrets_tried,
        clock_off_seconds,
        body_bytes,
        hint,
        ..
    } = refused;
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

/// Characters of a label.
const LONGEST: usize = 200;

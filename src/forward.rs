//! The story of one webhook, top to bottom: request -> verified -> event -> plan -> Temporal ->
//! answer.

use std::sync::Arc;
use std::time::Duration;

use http::request::Parts;
use http::{Request, StatusCode, Version};
use hyper::body::Incoming;
use prost::Message;
use temporalio_common::protos::temporal::api::common::v1::{Memo, Payload, Payloads};
use tokio::sync::Semaphore;
use tokio::time::Instant;
use uuid::Uuid;

use crate::answer::{self, Answer};
use crate::core::codec::Key;
use crate::core::config::source::{Source, Verification};
use crate::core::event::Event;
use crate::core::outcome::{Fault, Outcome, Reject};
use crate::core::payload;
use crate::core::request::{Proof, Received, Verified};
use crate::core::route::Plan;
use crate::core::verify::verify;
use crate::pages::{Pages, about};
use crate::server::intake;
use crate::telemetry::{Gauge, IN_FLIGHT, KEY_USED, REQUEST_DURATION, REQUESTS};
use crate::temporal::{Start, Temporal};

/// What every request needs.
pub struct Forwarder<T> {
    /// The pages that are no source.
    pub pages: Pages<T>,
    sources: Vec<Source>,
    sealing: Option<Key>,
    temporal: Arc<T>,
    starts: Semaphore,
    memory: Semaphore,
}

/// What a request's log line and metrics say, filled in as it becomes known. Nothing that an
/// unverified caller sent gets here.
#[derive(Default)]
struct Trail<'a> {
    source: Option<&'a str>,
    topic: Option<String>,
    event_id: Option<String>,
}

impl<T: Temporal> Forwarder<T> {
    /// A forwarder for these sources.
    pub fn new(sources: Vec<Source>, sealing: Option<Key>, temporal: Arc<T>) -> Self {
        Self {
            pages: Pages::new(Arc::clone(&temporal)),
            sources,
            sealing,
            temporal,
            starts: Semaphore::new(MAX_STARTS),
            memory: Semaphore::new(MAX_MEMORY),
        }
    }

    /// Answers one request whose first byte came at `first_byte`.
    pub async fn answer(&self, request: Request<Incoming>, first_byte: Instant) -> Answer {
        let _in_flight = Gauge::enter(IN_FLIGHT);
        let request_id = Uuid::new_v4().simple().to_string();
        let (parts, mut body) = request.into_parts();
        let mut trail = Trail::default();
        let handled = self.handle(&parts, &mut body, first_byte, &mut trail).await;
        let mut answer = match handled {
            Ok(Handled::Page(answer)) => answer,
            Ok(Handled::Event(outcome)) => {
                self.report(&trail, &request_id, first_byte, Ok(&outcome));
                answer::success(&outcome)
            }
            Err(reject) => {
                self.report(&trail, &request_id, first_byte, Err(&reject));
                answer::problem(&reject, &request_id)
            }
        };
        answer::identify(&mut answer, &request_id);
        let stalled = answer.status() == StatusCode::REQUEST_TIMEOUT;
        let done = !stalled && intake::discard(&parts, body).await;
        if !done && parts.version < Version::HTTP_2 {
            answer::close(&mut answer);
        }
        answer
    }

    async fn handle<'a>(
        &'a self,
        parts: &Parts,
        body: &mut Incoming,
        first_byte: Instant,
        trail: &mut Trail<'a>,
    ) -> Result<Handled, Reject> {
        intake::check_head(parts)?;
        let path = parts.uri.path();
        if let Some(page) = self.pages.page(&parts.method, path).await? {
            return Ok(Handled::Page(page));
        }
        let source = self.source(path)?;
        trail.source = Some(&source.path);
        if !source.provider.methods.contains(&parts.method) {
            return about(source, &parts.method).map(Handled::Page);
        }
        let deadline = first_byte + source.deadline - ANSWER_RESERVE;
        let (received, _held) =
            intake::receive(parts, body, source.body_limit, deadline, &self.memory).await?;
        let verified = prove(source, received)?;
        let event = Event::new(&verified, source.provider, &source.path)?;
        trail.event_id = Some(event.id.clone());
        trail.topic.clone_from(&event.topic);
        let plan = Plan::new(&event, source)?;
        let start = self.start(source, &event, plan)?;
        let full = |_| Reject::Unavailable("too many starts in flight".to_owned());
        let _place = self.starts.try_acquire().map_err(full)?;
        self.temporal
            .start(start, deadline)
            .await
            .map(Handled::Event)
    }

    fn source(&self, path: &str) -> Result<&Source, Reject> {
        self.sources
            .iter()
            .find(|source| source.path == path)
            .ok_or(Reject::NotFound)
    }

    fn start(&self, source: &Source, event: &Event, plan: Plan) -> Result<Start, Reject> {
        let input = self.seal(payload::encode(source.format, event));
        let memo = plan
            .memo
            .into_iter()
            .map(|(name, value)| (name.to_owned(), self.seal(payload::text(&value))))
            .collect();
        let payloads = Payloads {
            payloads: vec![input],
        };
        if payloads.encoded_len() > MAX_PAYLOAD {
            return Err(Reject::TooLarge(
                "encoded, the event is over Temporal's limit of 2 MiB",
            ));
        }
        let [input] = <[Payload; 1]>::try_from(payloads.payloads).unwrap_or_default();
        Ok(Start {
            workflow_id: plan.workflow_id,
            workflow_type: plan.workflow_type,
            task_queue: plan.task_queue,
            input,
            memo: Memo { fields: memo },
            request_id: Uuid::new_v4().to_string(),
        })
    }

    fn seal(&self, payload: Payload) -> Payload {
        match &self.sealing {
            Some(key) => key.seal(&payload, nonce()),
            None => payload,
        }
    }

    /// One log line and one metric for each request to a source, and for each that fits nothing.
    fn report(
        &self,
        trail: &Trail<'_>,
        request_id: &str,
        first_byte: Instant,
        result: Result<&Outcome, &Reject>,
    ) {
        let elapsed = first_byte.elapsed();
        let source = trail.source.unwrap_or("none");
        let outcome = result.map_or_else(|reject| reject.row().label, Outcome::label);
        let labels = [
            ("source", source.to_owned()),
            ("outcome", outcome.to_owned()),
        ];
        metrics::counter!(REQUESTS, &labels).increment(1);
        metrics::histogram!(REQUEST_DURATION, &labels).record(elapsed.as_secs_f64());
        let ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
        let Trail {
            topic, event_id, ..
        } = trail;
        let (topic, event_id) = (topic.as_deref(), event_id.as_deref());
        macro_rules! line {
            ($level:ident, $($extra:tt)*) => {
                tracing::$level!(request_id, source, topic, event_id, outcome, $($extra)*, ms, "request")
            };
        }
        match result {
            Ok(done) => line!(info, workflow_id = done.execution().workflow_id),
            Err(reject) => match reject.row().fault {
                Fault::Caller => line!(info, reason = reject.reason()),
                Fault::Moment => line!(warn, reason = reject.reason()),
                Fault::Operator => line!(error, reason = reject.reason()),
            },
        }
    }
}

enum Handled {
    Event(Outcome),
    Page(Answer),
}

fn prove(source: &Source, received: Received) -> Result<Verified, Reject> {
    let (signature, secrets) = match &source.verification {
        Verification::DangerUnverified => return Ok(Verified::danger_unverified(received)),
        Verification::Signature(signature, secrets) => (signature, secrets),
    };
    let verified = verify(
        signature,
        secrets.iter().map(|named| &named.secret),
        received,
    )
    .map_err(Reject::InvalidSignature)?;
    if let Proof::Secret(index) = verified.proof() {
        let labels = [
            ("source", source.path.clone()),
            ("key", secrets[index].name.clone()),
        ];
        metrics::counter!(KEY_USED, &labels).increment(1);
    }
    Ok(verified)
}

fn nonce() -> [u8; 12] {
    let mut nonce = [0; 12];
    aws_lc_rs::rand::fill(&mut nonce).expect("the system gives random numbers");
    nonce
}

/// Starts at a time; over it: 503 at once, the sender tries again.
const MAX_STARTS: usize = 512;
/// Bytes of all bodies at a time; over it: the same.
const MAX_MEMORY: usize = 256 * 1024 * 1024;
/// Temporal takes a start's payloads up to 2 MiB, encoded.
const MAX_PAYLOAD: usize = 2 * 1024 * 1024;
/// Of the deadline, what is left for writing the answer.
const ANSWER_RESERVE: Duration = Duration::from_millis(150);

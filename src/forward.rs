//! The story of one webhook, top to bottom: request -> verified -> event -> plan -> Temporal ->
//! answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, HOST, TRANSFER_ENCODING};
use http::request::Parts;
use http::{Method, Request, StatusCode, Version};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::{Body, Incoming};
use prost::Message;
use serde_json::json;
use temporalio_common::protos::temporal::api::common::v1::{Memo, Payload, Payloads};
use tokio::sync::{Mutex, Semaphore};
use tokio::time::{Instant, timeout_at};
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
use crate::telemetry::{Gauge, IN_FLIGHT, KEY_USED, REQUEST_DURATION, REQUESTS};
use crate::temporal::{Start, Temporal};

/// What every request needs.
pub struct Forwarder<T> {
    sources: Vec<Source>,
    sealing: Option<Key>,
    temporal: Arc<T>,
    slots: Semaphore,
    draining: AtomicBool,
    readiness: Mutex<Option<(Instant, Result<(), String>)>>,
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
            sources,
            sealing,
            temporal,
            slots: Semaphore::new(MAX_IN_FLIGHT),
            draining: AtomicBool::new(false),
            readiness: Mutex::new(None),
        }
    }

    /// From now on not ready: the process is about to stop.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// Answers one request whose first byte came at `first_byte`.
    pub async fn answer(&self, request: Request<Incoming>, first_byte: Instant) -> Answer {
        let _in_flight = Gauge::enter(IN_FLIGHT);
        let request_id = Uuid::new_v4().simple().to_string();
        let (parts, mut body) = request.into_parts();
        let mut trail = Trail::default();
        let mut answer = match self.handle(&parts, &mut body, first_byte, &mut trail).await {
            Ok(Handled::Page(answer)) => answer,
            Ok(Handled::Event(outcome)) => {
                self.report(&trail, &request_id, first_byte, Ok(&outcome));
                answer::success(&outcome, &request_id)
            }
            Err(reject) => {
                self.report(&trail, &request_id, first_byte, Err(&reject));
                answer::problem(&reject, &request_id)
            }
        };
        if !discard(body).await && parts.version < Version::HTTP_2 {
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
        check_head(parts)?;
        if let Some(page) = self.page(parts).await? {
            return Ok(Handled::Page(page));
        }
        let source = self.source(parts.uri.path())?;
        trail.source = Some(&source.path);
        if !source.provider.methods.contains(&parts.method) {
            return about(source, &parts.method).map(Handled::Page);
        }
        let _slot = self
            .slots
            .try_acquire()
            .map_err(|_| Reject::Unavailable("too many requests in flight".to_owned()))?;

        let deadline = first_byte + source.deadline;
        let received = receive(parts, body, source, deadline).await?;
        let verified = prove(source, received)?;
        let event = Event::new(&verified, source.provider, &source.path)?;
        trail.event_id = Some(event.id.clone());
        trail.topic.clone_from(&event.topic);
        let plan = Plan::new(&event, source)?;
        let start = self.start(source, &event, plan)?;
        self.temporal
            .start(start, deadline - ANSWER_RESERVE)
            .await
            .map(Handled::Event)
    }

    /// The pages that are no source.
    async fn page(&self, parts: &Parts) -> Result<Option<Answer>, Reject> {
        let page = match parts.uri.path() {
            "/" => answer::json_answer(StatusCode::OK, &json!({ "name": crate::cli::NAME })),
            "/health/live" => self.live(),
            "/health/ready" => self.ready().await,
            _ => return Ok(None),
        };
        if is_read(&parts.method) {
            Ok(Some(page))
        } else {
            Err(Reject::MethodNotAllowed("GET, HEAD"))
        }
    }

    /// `/health/live`: the process answers.
    pub fn live(&self) -> Answer {
        answer::json_answer(StatusCode::OK, &json!({ "status": "live" }))
    }

    /// `/health/ready`: Temporal would take a start now, and we are not stopping. Asks Temporal
    /// at most once a second.
    pub async fn ready(&self) -> Answer {
        if self.draining.load(Ordering::Relaxed) {
            let body = json!({ "status": "not ready", "reason": "stopping" });
            return answer::json_answer(StatusCode::SERVICE_UNAVAILABLE, &body);
        }
        let mut cached = self.readiness.lock().await;
        let state = match cached.take() {
            Some((at, state)) if at.elapsed() < READINESS_CACHE => (at, state),
            _ => {
                let state = self.temporal.ready().await;
                if let Err(reason) = &state {
                    tracing::debug!(reason, "not ready");
                }
                (Instant::now(), state)
            }
        };
        let ready = state.1.is_ok();
        *cached = Some(state);
        drop(cached);
        if ready {
            answer::json_answer(StatusCode::OK, &json!({ "status": "ready" }))
        } else {
            let body =
                json!({ "status": "not ready", "reason": "Temporal does not answer as it should" });
            answer::json_answer(StatusCode::SERVICE_UNAVAILABLE, &body)
        }
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

/// What hyper leaves to the application: exactly one Host, no transfer coding but `chunked`, no
/// content coding (nothing is inflated here, and the signature is over the raw bytes).
fn check_head(parts: &Parts) -> Result<(), Reject> {
    let mut hosts = parts.headers.get_all(HOST).iter();
    let authority = parts.uri.authority().map(http::uri::Authority::as_str);
    let one_host = match (hosts.next(), hosts.next(), authority) {
        (_, Some(_), _) => false,
        (Some(host), None, Some(authority)) => host.as_bytes() == authority.as_bytes(),
        (Some(host), None, None) => !host.is_empty(),
        (None, None, authority) => {
            authority.is_some() && parts.version >= Version::HTTP_2
                || parts.version < Version::HTTP_11
        }
    };
    if !one_host {
        return Err(Reject::Malformed("not exactly one Host"));
    }
    let mut codings = parts.headers.get_all(TRANSFER_ENCODING).iter();
    if codings.any(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"chunked"))
        || parts.headers.get_all(TRANSFER_ENCODING).iter().count() > 1
    {
        return Err(Reject::Malformed("a Transfer-Encoding other than chunked"));
    }
    if parts.headers.contains_key(CONTENT_ENCODING) {
        return Err(Reject::UnsupportedType("a Content-Encoding"));
    }
    Ok(())
}

/// A source's answer to a method that carries no events: for load balancers and people.
fn about(source: &Source, method: &Method) -> Result<Answer, Reject> {
    let takes_get = source.provider.methods.contains(&Method::GET);
    if is_read(method) && !takes_get {
        let body =
            json!({ "status": "ok", "source": source.path, "provider": source.provider.name });
        return Ok(answer::json_answer(StatusCode::OK, &body));
    }
    Err(Reject::MethodNotAllowed(if takes_get {
        "GET, POST"
    } else {
        "POST, GET, HEAD"
    }))
}

/// The whole body, raw, under the source's limit and deadline.
async fn receive(
    parts: &Parts,
    body: &mut Incoming,
    source: &Source,
    deadline: Instant,
) -> Result<Received, Reject> {
    let at = SystemTime::now();
    let over = Reject::TooLarge("the body is over the source's limit");
    if body.size_hint().lower() > source.body_limit as u64 {
        return Err(over);
    }
    let collecting = Limited::new(body, source.body_limit).collect();
    let body = match timeout_at(deadline - ANSWER_RESERVE, collecting).await {
        Ok(Ok(collected)) => collected.to_bytes(),
        Ok(Err(error)) if error.is::<LengthLimitError>() => return Err(over),
        Ok(Err(_)) => return Err(Reject::Malformed("the body broke off")),
        Err(_) => return Err(Reject::TooSlow),
    };
    Ok(Received {
        method: parts.method.clone(),
        query: parts.uri.query().map(str::to_owned),
        headers: parts.headers.clone(),
        body,
        at,
    })
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

/// Reads on for a moment after an early answer, so that the client is still listening when the
/// answer comes; `false`: there is more, and the connection is good for nothing.
async fn discard(mut body: Incoming) -> bool {
    if body.is_end_stream() {
        return true;
    }
    let until = Instant::now() + DISCARD_TIME;
    let mut bytes = 0;
    while bytes <= DISCARD_BYTES {
        match timeout_at(until, body.frame()).await {
            Ok(None) => return true,
            Ok(Some(Ok(frame))) => bytes += frame.data_ref().map_or(0, Bytes::len),
            Ok(Some(Err(_))) | Err(_) => return false,
        }
    }
    false
}

fn is_read(method: &Method) -> bool {
    *method == Method::GET || *method == Method::HEAD
}

fn nonce() -> [u8; 12] {
    let mut nonce = [0; 12];
    aws_lc_rs::rand::fill(&mut nonce).expect("the system gives random numbers");
    nonce
}

/// Requests to sources at a time; over it: 503 at once, the sender tries again.
const MAX_IN_FLIGHT: usize = 512;
/// Temporal takes a start's payloads up to 2 MiB, encoded.
const MAX_PAYLOAD: usize = 2 * 1024 * 1024;
/// Of the deadline, what is left for writing the answer.
const ANSWER_RESERVE: Duration = Duration::from_millis(150);
const READINESS_CACHE: Duration = Duration::from_secs(1);
const DISCARD_BYTES: usize = 256 * 1024;
const DISCARD_TIME: Duration = Duration::from_millis(500);

//! The story of one webhook, top to bottom: request -> verified -> event -> Temporal ->
//! answer.

pub mod admit;
pub mod answer;
pub mod context;
pub mod cors;
pub mod dispatch;
pub mod encode;
pub mod fetch;
pub mod flood;
pub mod hints;
pub mod intake;
pub mod journal;
pub mod limits;
pub mod metrics;
pub mod pages;
pub mod prepare;
pub mod queues;
pub mod report;
pub mod settings;
pub mod trace;
pub mod trial;

use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use http::{Request, Version};
use tokio::time::Instant;
use webhook_core::outcome::Reject;
use webhook_core::request::Received;
use webhook_core::request_kind::{self, RequestKind};
use webhook_core::verify::key::Key;

use self::admit::Authorised;
use self::answer::{Answer, Completion};
use self::context::{Arrival, RequestContext};
use self::dispatch::Dispatcher;
use self::fetch::Keys;
use self::flood::Flood;
use self::hints::Hints;
use self::intake::RawBody;
use self::journal::Journal;
use self::limits::steps::Effort;
use self::limits::{Held, Limits, Sizes};
use self::pages::{Pages, about};
use self::prepare::{Arrived, Prepared, prepare};
use self::queues::Queues;
use self::report::{NO_SOURCE, report};
pub use self::settings::Settings;
use self::trace::Traces;
use self::trial::Trial;
use crate::telemetry::{Gauge, IN_FLIGHT};
use crate::temporal::{self, Temporal};

/// What every request needs.
pub struct Forwarder<T> {
    /// The pages that are no source.
    pub pages: Pages<T>,
    /// Who works on the task queues of the sources.
    pub queues: Queues,
    settings: RwLock<Arc<Settings>>,
    temporal: Arc<T>,
    authorised: Arc<Authorised>,
    keys: Keys,
    hints: Hints,
    /// Refusals of requests that fit no source.
    stray: Flood,
    limits: Limits,
    buckets: usize,
    in_flight: ::metrics::Gauge,
    /// For whoever asks what happened; `None`: nobody can.
    journal: Option<Arc<Journal>>,
    /// For a collector; `None`: there is none.
    traces: Option<Traces>,
}

impl<T: Temporal> Forwarder<T> {
    /// A forwarder with these settings, and limits of these sizes.
    pub fn new(settings: Settings, temporal: Arc<T>, sizes: &Sizes) -> Self {
        Self {
            pages: Pages::new(Arc::clone(&temporal)),
            queues: Queues::default(),
            settings: RwLock::new(Arc::new(settings.limited(None, sizes.buckets))),
            temporal,
            authorised: Arc::new(Authorised::new(sizes.authorised)),
            keys: Keys::default(),
            hints: Hints::default(),
            stray: Flood::new(NO_SOURCE),
            limits: Limits::new(sizes),
            buckets: sizes.buckets,
            in_flight: ::metrics::gauge!(IN_FLIGHT),
            journal: None,
            traces: None,
        }
    }

    /// The same, and what happens is noted there.
    #[must_use]
    pub fn with_journal(self, journal: Arc<Journal>) -> Self {
        Self {
            journal: Some(journal),
            ..self
        }
    }

    /// The settings in use now.
    pub fn settings(&self) -> Arc<Settings> {
        Arc::clone(&self.settings.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Where events go.
    pub fn temporal(&self) -> &T {
        &self.temporal
    }

    /// What is held of its limits now.
    pub fn held(&self) -> Held {
        self.limits.held()
    }

    /// From the first request on spans are made of it.
    pub fn traced(self, traces: Traces) -> Self {
        Self {
            traces: Some(traces),
            ..self
        }
    }

    /// From the next request on these settings; requests in flight finish on what they began with.
    pub fn replace(&self, settings: Settings) {
        let mut current = self
            .settings
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        *current = Arc::new(settings.limited(Some(&**current), self.buckets));
    }

    /// The task queues on which sources start workflows, those that depend on the event apart, and how often to
    /// ask about them.
    pub fn task_queues(&self) -> (Vec<String>, Duration) {
        let settings = self.settings();
        let of_all = settings.sources.iter().flat_map(temporal::queues::of);
        let names: BTreeSet<_> = of_all.flatten().collect();
        let names = names.into_iter().map(str::to_owned).collect();
        (names, settings.observed.task_queue_interval)
    }

    /// Refusals that got no log line of their own since this was called last.
    pub fn say_what_was_left_out(&self) {
        let settings = self.settings();
        let of_sources = settings.metrics.iter().map(|metrics| &metrics.flood);
        of_sources
            .chain([&self.stray])
            .for_each(Flood::say_what_was_left_out);
    }

    /// Answers one request.
    pub async fn answer(
        &self,
        request: Request<impl RawBody>,
        request_id: &str,
        arrival: Arrival,
    ) -> Answer {
        self.answer_as(request, request_id, arrival, None).await
    }

    /// The same, of what the operator sends to try.
    pub async fn try_out(
        &self,
        request: Request<impl RawBody>,
        request_id: &str,
        arrival: Arrival,
        trial: Trial,
    ) -> Answer {
        self.answer_as(request, request_id, arrival, Some(trial))
            .await
    }

    async fn answer_as(
        &self,
        request: Request<impl RawBody>,
        request_id: &str,
        arrival: Arrival,
        trial: Option<Trial>,
    ) -> Answer {
        let _in_flight = Gauge::enter(&self.in_flight);
        let settings = self.settings();
        let (parts, mut body) = request.into_parts();
        let proxies = settings.proxies.as_ref().filter(|_| trial.is_none());
        let (peer, first_byte) = (arrival.peer.ip(), arrival.first_byte);
        let client = proxies.map_or(peer, |proxies| proxies.client(peer, &parts.headers));
        let mut context = RequestContext::new(request_id, &parts, first_byte, client);
        context.certificate = arrival.certificate;
        context.is_test = trial.is_some();
        let result = self.handle(&settings, &mut body, &mut context, trial).await;
        self.note_signature(&settings, &context, &result);
        report(&context, &result, &self.stray);
        if let Some(journal) = &self.journal {
            journal.note(&context, &result);
        }
        let hopeless = matches!(result, Err(Reject::TooSlow(_) | Reject::Malformed(_)));
        // What is left of a body is not coming; or, of broken HTTP, where the request ends is anybody's guess.
        let broken = hopeless && intake::check_head(&parts).is_err();
        let outcome = report::outcome(&result);
        let mut answer = answer::of(result, &context);
        if let Some((source, _)) = context.source {
            cors::say_who_may_read(source, &parts.headers, answer.headers_mut());
        }
        if let Some((trace, outcome)) = context.trace.take().zip(outcome) {
            trace.end(outcome, answer.status().as_u16(), context.event.as_deref());
        }
        drop(context);
        let usable = !broken && body.is_end_stream()
            || !hopeless && intake::discard(&parts, body, first_byte + LATEST).await;
        if !usable && parts.version < Version::HTTP_2 {
            answer::close(&mut answer);
        }
        answer
    }

    async fn handle<'a>(
        &'a self,
        settings: &'a Arc<Settings>,
        body: &mut impl RawBody,
        context: &mut RequestContext<'a>,
        trial: Option<Trial>,
    ) -> Result<Completion, Reject> {
        let (parts, peer) = (context.parts, context.peer);
        intake::check_head(parts)?;
        let path = parts.uri.path();
        if let Some(page) = self.pages.page(&parts.method, path).await? {
            return Ok(Completion::Page(page));
        }
        let index = self.find(settings, path)?;
        let source = &settings.sources[index];
        context.source = Some((source, &settings.metrics[index]));
        if !source.allows(peer) {
            return Err(Reject::Forbidden("the address may not send to this source"));
        }
        if let Some(answer) = cors::preflight(source, parts) {
            return answer.map(Completion::Page);
        }
        match RequestKind::of(source, &parts.method, parts.uri.query(), &parts.headers) {
            RequestKind::Webhook => {}
            RequestKind::Probe => return Ok(Completion::Page(about(source))),
            RequestKind::NotAllowed => return Err(request_kind::refusal(source, &parts.method)),
        }
        if let (Some(block), None) = (&source.block, &trial) {
            self.limits.blocks.check(block, &source.path, peer)?;
        }
        if let (Some(limiter), None) = (&settings.limiters[index], &trial) {
            limiter.charge_client(peer)?;
        }
        admit::check_certificate(source, context.certificate.as_deref())?;
        if let Some(traces) = &self.traces {
            context.trace = Some(Box::new(traces.webhook(source, parts, context.first_byte)));
        }
        intake::check_coding(parts)?;
        admit::check_head(source, &parts.headers)?;
        let deadline = context.first_byte + source.provider.deadline - ANSWER_RESERVE;
        let memory = &self.limits.memory;
        let received = intake::receive(parts, body, source.body_limit, deadline, memory).await;
        let (received, memory) = received?;
        context.unproven_body = Some(received.body.clone());
        context.body_bytes = Some(received.body.len());
        if source.capture.is_some() {
            context.captured_body.clone_from(&context.unproven_body);
        }
        let (received, keys) = if source.fetch_keys {
            Box::pin(self.fetch_keys(settings, index, received, deadline)).await?
        } else {
            (received, Vec::new())
        };
        let arrived = Arrived {
            settings: Arc::clone(settings),
            source: index,
            received,
            memory,
            peer,
            certificate: context.certificate.clone(),
            authorised: Arc::clone(&self.authorised),
            keys,
            trial,
        };
        let prepared = prepare(arrived, &self.limits.steps, deadline).await;
        let event = match prepared {
            Ok(Prepared::Event(event)) => event,
            Ok(Prepared::Handshake(reply)) => return Ok(Completion::Handshake(reply)),
            Err(refused) => {
                if refused.is_proven {
                    context.unproven_body = None;
                    context.is_proven = true;
                }
                return Err(refused.reject);
            }
        };
        context.unproven_body = None;
        context.is_proven = true;
        context.event = Some(Arc::clone(&event.event));
        let dispatcher = Dispatcher {
            temporal: &*self.temporal,
            settings,
            limits: &self.limits,
            deadline,
            trace: context.trace.as_ref().map(|trace| trace.parent()),
        };
        let outcome = dispatcher.dispatch(index, event, context).await;
        outcome.map(Completion::Event)
    }

    /// For `[server] block`: who signs badly too often is not heard for a while.
    fn note_signature(
        &self,
        settings: &Settings,
        context: &RequestContext<'_>,
        result: &Result<Completion, Reject>,
    ) {
        let Some((source, metrics)) = context.source.filter(|_| !context.is_test) else {
            return;
        };
        let Some(block) = &source.block else {
            return;
        };
        let (blocks, client) = (&self.limits.blocks, context.peer);
        if context.is_proven {
            return blocks.note_good(&source.path, client);
        }
        // A proxy is everybody who comes through it.
        let is_proxy = || {
            settings
                .proxies
                .as_ref()
                .is_some_and(|it| it.trusts(client))
        };
        if matches!(result, Err(Reject::InvalidSignature(_)))
            && !is_proxy()
            && blocks.note_bad(block, &source.path, client)
        {
            metrics.count_blocked();
            report::blocked(source, block, client);
        }
    }

    /// The public keys that the request needs of its sender.
    async fn fetch_keys(
        &self,
        settings: &Arc<Settings>,
        source: usize,
        received: Received,
        deadline: Instant,
    ) -> Result<(Received, Vec<Option<Arc<Key>>>), Reject> {
        let (effort, settings) = (Effort::of_request(&received), Arc::clone(settings));
        // The key's URL may stand in a long body; while it is fetched, nobody waits for this one's place.
        let find = move || {
            let wanted = fetch::wanted(&settings.sources[source], &received);
            wanted.map(|wanted| (received, wanted))
        };
        let (received, wanted) = self.limits.steps.run(effort, deadline, find).await??;
        if !wanted.iter().any(Option::is_some) {
            return Ok((received, Vec::new()));
        }
        Ok((received, self.keys.get(wanted, deadline).await?))
    }

    fn find(&self, settings: &Settings, path: &str) -> Result<usize, Reject> {
        let mut sources = settings.sources.iter();
        let found = sources.position(|source| source.path == path);
        found.ok_or_else(|| {
            let meant = self.hints.is_due().then(|| settings.paths.closest(path));
            Reject::NotFound(meant.flatten().map_or_else(
                || "no source has this path".to_owned(),
                |meant| format!("no source has this path: did you mean {meant}?"),
            ))
        })
    }
}

/// When the remains of a body are not waited for any longer, from the first byte.
const LATEST: Duration = Duration::from_secs(2);
/// Of the deadline, what is left for writing the answer.
const ANSWER_RESERVE: Duration = Duration::from_millis(150);

#[cfg(test)]
mod tests;

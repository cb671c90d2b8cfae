//! The story of one webhook, top to bottom: request -> verified -> event -> Temporal ->
//! answer.

pub mod admit;
pub mod answer;
pub mod dispatch;
pub mod fetch;
pub mod hints;
pub mod intake;
pub mod pages;
pub mod report;
pub mod turn;

use std::net::IpAddr;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use http::request::Parts;
use http::{Method, Request, Version};
use hyper::body::{Body, Incoming};
use tokio::sync::Semaphore;
use tokio::time::Instant;
use webhook_core::codec::Codec;
use webhook_core::event::Event;
use webhook_core::handshake::Reply;
use webhook_core::outcome::{Outcome, Reject};
use webhook_core::provider::Provider;
use webhook_core::request::Received;
use webhook_core::similar::Paths;
use webhook_core::source::Source;
use webhook_core::verify::key::Key;
use webhook_core::visit::{self, Visit};

use self::admit::{Admitted, Authorised, admit, check_tenant};
use self::answer::Answer;
use self::dispatch::Dispatch;
use self::fetch::Keys;
use self::hints::Hints;
use self::pages::{Pages, about};
use self::report::{Ended, Trail, report};
use self::turn::{Turn, Turns, work_on};
use crate::storage::Store;
use crate::telemetry::{Gauge, IN_FLIGHT};
use crate::temporal::Temporal;

/// What every request needs.
pub struct Forwarder<T> {
    /// The pages that are no source.
    pub pages: Pages<T>,
    settings: RwLock<Arc<Settings>>,
    temporal: Arc<T>,
    authorised: Authorised,
    keys: Keys,
    hints: Hints,
    calls: Semaphore,
    memory: Semaphore,
    turns: Turns,
}

/// What a reload replaces: whole, between two requests.
pub struct Settings {
    /// At least one.
    pub sources: Vec<Source>,
    /// Encrypts payloads; without keys they are stored as they are.
    pub codec: Codec,
    /// Where large payloads are stored; `None`: they are refused.
    pub large: Option<Store>,
    /// Those of the sources, for whoever asks for one that is nearly the same.
    paths: Paths,
}

impl Settings {
    /// Of at least one source.
    pub fn new(sources: Vec<Source>, codec: Codec, large: Option<Store>) -> Self {
        let paths = sources.iter().map(|source| source.path.as_str());
        Self {
            paths: Paths::new(paths),
            sources,
            codec,
            large,
        }
    }
}

impl<T: Temporal> Forwarder<T> {
    /// A forwarder with these settings.
    pub fn new(settings: Settings, temporal: Arc<T>) -> Self {
        Self {
            pages: Pages::new(Arc::clone(&temporal)),
            settings: RwLock::new(Arc::new(settings)),
            temporal,
            authorised: Authorised::default(),
            keys: Keys::default(),
            hints: Hints::default(),
            calls: Semaphore::new(MAX_CALLS),
            memory: Semaphore::new(MAX_MEMORY),
            turns: Turns::default(),
        }
    }

    /// From the next request on these settings; requests in flight finish on what they began with.
    pub fn replace(&self, settings: Settings) {
        *self
            .settings
            .write()
            .unwrap_or_else(PoisonError::into_inner) = Arc::new(settings);
    }

    /// Answers one request whose first byte came at `first_byte` from `peer`.
    pub async fn answer(
        &self,
        request: Request<Incoming>,
        request_id: &str,
        first_byte: Instant,
        peer: IpAddr,
    ) -> Answer {
        let _in_flight = Gauge::enter(IN_FLIGHT);
        let settings = Arc::clone(&self.settings.read().unwrap_or_else(PoisonError::into_inner));
        let (parts, mut body) = request.into_parts();
        let mut trail = Trail::default();
        let from = From { first_byte, peer };
        let handled = self
            .handle(&settings, &parts, &mut body, from, &mut trail)
            .await;
        let ended = match &handled {
            Ok(Handled::Page(_)) => None,
            Ok(Handled::Handshake(_)) => Some(Ended::Handshake),
            Ok(Handled::Event(outcome, _)) => Some(Ended::Event(outcome)),
            Err(reject) => Some(Ended::Refused(reject, &parts, peer)),
        };
        if let Some(ended) = &ended {
            report(&trail, request_id, first_byte, ended);
        }
        let hopeless = matches!(handled, Err(Reject::TooSlow(_) | Reject::Malformed(_)));
        let mut answer = match handled {
            Ok(Handled::Page(answer)) => {
                tracing::debug!(request_id, status = answer.status().as_u16(), "page");
                answer
            }
            Ok(Handled::Handshake(reply)) => answer::handshake(&reply),
            Ok(Handled::Event(outcome, provider)) => answer::success(outcome, provider),
            Err(reject) => answer::problem(&reject, request_id),
        };
        answer::identify(&mut answer, request_id);
        if parts.method == Method::HEAD {
            answer::without_body(&mut answer);
        }
        // What is left of a body is not coming; or where it ends is anybody's guess.
        let usable = body.is_end_stream()
            || !hopeless && intake::discard(&parts, body, first_byte + LATEST).await;
        if !usable && parts.version < Version::HTTP_2 {
            answer::close(&mut answer);
        }
        answer
    }

    async fn handle<'a>(
        &self,
        settings: &'a Settings,
        parts: &Parts,
        body: &mut Incoming,
        from: From,
        trail: &mut Trail<'a>,
    ) -> Result<Handled<'a>, Reject> {
        intake::check_head(parts)?;
        let path = parts.uri.path();
        if let Some(page) = self.pages.page(&parts.method, path).await? {
            return Ok(Handled::Page(page));
        }
        let mut sources = settings.sources.iter();
        let found = sources.find(|source| source.path == path);
        let source = found.ok_or_else(|| self.not_found(settings, path))?;
        trail.source = Some(source);
        if !source.allows(from.peer) {
            return Err(Reject::Forbidden("the address may not send to this source"));
        }
        match Visit::of(source, &parts.method, parts.uri.query(), &parts.headers) {
            Visit::Webhook => {}
            Visit::Look => return Ok(Handled::Page(about(source))),
            Visit::Neither => {
                return Err(visit::refusal(source, &parts.method));
            }
        }
        intake::check_coding(parts)?;
        admit::check_head(source, &parts.headers)?;
        let deadline = from.first_byte + source.provider.deadline - ANSWER_RESERVE;
        let (received, held) =
            intake::receive(parts, body, source.body_limit, deadline, &self.memory).await?;
        let size = received.body.len();
        trail.body = Some(received.body.clone());
        let (turn, fetched) = self.turn_with_keys(source, &received, deadline).await?;
        let admitted = work_on(size, || {
            admit(source, received, from.peer, &self.authorised, &fetched)
        })?;
        let verified = match admitted {
            Admitted::Webhook(verified) => verified,
            Admitted::Handshake(reply) => return Ok(Handled::Handshake(reply)),
        };
        trail.body = None;
        let proof = source.verified_by(verified.proof());
        let event = work_on(size, || {
            Event::new(&verified, &source.provider, &source.path, proof)
        })?;
        check_tenant(source, verified.proof(), event.tenant.as_deref())?;
        admit::count_key(source, verified.proof());
        trail.know(&event);
        let dispatch = Dispatch {
            temporal: &*self.temporal,
            codec: &settings.codec,
            large: settings.large.as_ref(),
            memory: &self.memory,
            calls: &self.calls,
            turns: &self.turns,
            deadline,
        };
        let dispatched = dispatch.event(turn, source, &event).await;
        drop(held);
        let has_routes = source.routes.len() > 1;
        let route = dispatched.route.filter(|_| has_routes);
        trail.route = route.map(|route| route.name.as_str());
        trail.parked = dispatched.parked;
        dispatched
            .result
            .map(|outcome| Handled::Event(outcome, &source.provider))
    }

    /// A turn for what was received, and the public keys that it needs of its sender.
    async fn turn_with_keys(
        &self,
        source: &Source,
        received: &Received,
        deadline: Instant,
    ) -> Result<(Turn<'_>, Vec<Option<Arc<Key>>>), Reject> {
        let size = received.body.len();
        let turn = self.turns.take(size, deadline).await?;
        let wanted = work_on(size, || fetch::wanted(source, received))?;
        if !wanted.iter().any(Option::is_some) {
            return Ok((turn, Vec::new()));
        }
        // Nobody waits for a key host in the others' way.
        drop(turn);
        let fetched = self.keys.get(wanted, deadline).await?;
        Ok((self.turns.take(size, deadline).await?, fetched))
    }

    fn not_found(&self, settings: &Settings, path: &str) -> Reject {
        let meant = self.hints.is_due().then(|| settings.paths.closest(path));
        Reject::NotFound(meant.flatten().map_or_else(
            || "no source has this path".to_owned(),
            |meant| format!("no source has this path: did you mean {meant}?"),
        ))
    }
}

/// When and whence a request came.
#[derive(Clone, Copy)]
struct From {
    first_byte: Instant,
    peer: IpAddr,
}

enum Handled<'a> {
    Event(Outcome, &'a Provider),
    Handshake(Reply),
    Page(Answer),
}

/// Calls to Temporal at a time; over it: 503 at once, the sender tries again.
const MAX_CALLS: usize = 512;
/// Bytes of all bodies at a time; over it: the same.
const MAX_MEMORY: usize = 256 * 1024 * 1024;
/// When the remains of a body are not waited for any longer, from the first byte.
const LATEST: Duration = Duration::from_secs(2);
/// Of the deadline, what is left for writing the answer.
const ANSWER_RESERVE: Duration = Duration::from_millis(150);

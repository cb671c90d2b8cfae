//! What is computed for a webhook once its body is there: verification, event, route, plan, encoding. No
//! waiting, no network; short bodies here and now, long ones in one step apart.

use std::net::IpAddr;
use std::sync::Arc;

use tokio::time::Instant;
use webhook_core::client_certificate::ClientCertificate;
use webhook_core::event::Event;
use webhook_core::expression::cost::Allowance;
use webhook_core::handshake::Reply;
use webhook_core::outcome::Reject;
use webhook_core::request::Received;
use webhook_core::route::{self, Plan, Route};
use webhook_core::source::Source;
use webhook_core::variables;
use webhook_core::verify::key::Key;

use crate::forward::admit::{Admitted, Authorised, admit, check_tenant};
use crate::forward::encode;
use crate::forward::limits::memory::Share;
use crate::forward::limits::steps::{Effort, Steps};
use crate::forward::settings::Settings;
use crate::forward::trial::Trial;
use crate::temporal;

/// A request to a source, its body and everything that verifies it.
pub struct Arrived {
    /// The settings that it is handled with.
    pub settings: Arc<Settings>,
    /// The index of its source.
    pub source: usize,
    /// The request.
    pub received: Received,
    /// The bytes of its body.
    pub memory: Share,
    /// Whence it came.
    pub peer: IpAddr,
    /// What its client showed in the TLS handshake.
    pub certificate: Option<Arc<ClientCertificate>>,
    /// Who has shown a verify token.
    pub authorised: Arc<Authorised>,
    /// Public keys that were fetched for it.
    pub keys: Vec<Option<Arc<Key>>>,
    /// If the operator sent it, to try.
    pub trial: Option<Trial>,
}

/// What it is, and what is to be done.
pub enum Prepared {
    /// This is what the sender wants to hear.
    Handshake(Reply),
    /// An event.
    Event(PlannedEvent),
}

/// An event, and what Temporal is to be asked for.
pub struct PlannedEvent {
    /// Its sender is proven.
    pub event: Arc<Event>,
    /// What becomes of it.
    pub planned: Planned,
    /// The bytes of its body.
    pub memory: Share,
}

/// What becomes of an event.
pub struct Planned {
    /// The index of its route.
    pub route: usize,
    /// `None`: it is dropped. An error: it can never start as configured.
    pub call: Result<Option<Box<temporal::Call>>, String>,
}

/// Why a request is not accepted.
pub struct Refused {
    /// The reason.
    pub reject: Reject,
    /// Its sender was proven before.
    pub is_proven: bool,
}

/// Prepares it: at once if it is short and cheap, else apart.
///
/// # Errors
/// Those of [`admit`], [`Event::new`] and [`check_tenant`]; [`Reject::Unavailable`] if it takes too long.
pub async fn prepare(
    arrived: Arrived,
    steps: &Steps,
    deadline: Instant,
) -> Result<Prepared, Refused> {
    let late = |is_proven| move |reject| Refused { reject, is_proven };
    let effort = Effort::of_request(&arrived.received);
    if effort.is_long() {
        let work = move || match admitted(arrived)? {
            Read::Handshake(reply) => Ok(Prepared::Handshake(reply)),
            Read::Event(read) => Ok(Prepared::Event(read.planned())),
        };
        let prepared = Box::pin(steps.apart(effort, deadline, work)).await;
        return prepared.map_err(late(false))?;
    }
    let read = match admitted(arrived)? {
        Read::Handshake(reply) => return Ok(Prepared::Handshake(reply)),
        Read::Event(read) => read,
    };
    let planned = match read.plan(Allowance::Brief) {
        Some(planned) => PlannedEvent {
            event: read.event,
            memory: read.memory,
            planned,
        },
        None => {
            let work = move || read.planned();
            let planned = Box::pin(steps.apart(effort, deadline, work)).await;
            planned.map_err(late(true))?
        }
    };
    Ok(Prepared::Event(planned))
}

enum Read {
    Handshake(Reply),
    Event(ReadEvent),
}

struct ReadEvent {
    settings: Arc<Settings>,
    source: usize,
    trial: Option<Trial>,
    event: Arc<Event>,
    memory: Share,
}

fn admitted(arrived: Arrived) -> Result<Read, Refused> {
    let refused = |is_proven| move |reject| Refused { reject, is_proven };
    let Arrived { settings, peer, .. } = arrived;
    let source = &settings.sources[arrived.source];
    let metrics = &settings.metrics[arrived.source];
    let (keys, authorised) = (&arrived.keys, &arrived.authorised);
    let shown = arrived.certificate.as_deref();
    let admitted = admit(
        source,
        metrics,
        arrived.received,
        peer,
        shown,
        authorised,
        keys,
    );
    let verified = match admitted.map_err(refused(false))? {
        Admitted::Webhook(verified) => verified,
        Admitted::Handshake(reply) => return Ok(Read::Handshake(reply)),
    };
    let proof = source.verified_by(verified.proof());
    let mut event =
        Event::new(&verified, &source.provider, &source.path, proof).map_err(refused(true))?;
    if settings.proxies.is_some() {
        event.name_client(peer);
    }
    let tenant = event.tenant.as_deref();
    check_tenant(source, verified.proof(), tenant).map_err(refused(true))?;
    metrics.count_secret(verified.proof());
    if let (Some(limiter), None) = (&settings.limiters[arrived.source], &arrived.trial) {
        let charged = limiter.charge_event(&event, &source.name);
        charged.map_err(refused(true))?;
    }
    if let Some(holder) = holder(source, shown) {
        event.name_certificate(holder);
    }
    if arrived.trial.is_some() {
        event.mark_as_test();
    }
    Ok(Read::Event(ReadEvent {
        source: arrived.source,
        trial: arrived.trial,
        event: Arc::new(event),
        memory: arrived.memory,
        settings,
    }))
}

/// Whose good certificate the client has shown, whether or not the source asks for one.
fn holder<'a>(source: &'a Source, shown: Option<&'a ClientCertificate>) -> Option<&'a str> {
    let ClientCertificate::Good(names) = shown? else {
        return None;
    };
    let required = source.client_certificate.as_ref();
    required.map_or_else(
        || Some(names.first()),
        |required| required.holder(shown).ok(),
    )
}

impl ReadEvent {
    /// With the full allowance.
    fn planned(self) -> PlannedEvent {
        let planned = self.plan(Allowance::Full);
        PlannedEvent {
            event: self.event,
            memory: self.memory,
            planned: planned.expect("the full allowance is never cut short"),
        }
    }

    /// `None`: the allowance did not suffice.
    fn plan(&self, allowance: Allowance) -> Option<Planned> {
        let (event, settings) = (&self.event, &self.settings);
        let source = &self.settings.sources[self.source];
        let (route, plan) = planned_within(allowance, source, event)?;
        let call = plan.and_then(|plan| match plan {
            Plan::Drop => Ok(None),
            Plan::Call(mut call) => {
                if let Some(trial) = &self.trial {
                    trial.divert(&mut call)?;
                }
                let call = encode::with_event(settings, *call, event, event.key());
                Ok(Some(call))
            }
        });
        Some(Planned { route, call })
    }
}

/// The event's route, and what it says of the event. A body that cannot be read is the source's own
/// matter: no route can look into it.
pub fn planned<'s>(source: &'s Source, event: &Event) -> (&'s Route, Result<Plan, String>) {
    let planned = planned_within(Allowance::Full, source, event);
    let (route, plan) = planned.expect("the full allowance is never cut short");
    (&source.routes[route], plan)
}

/// `None`: the allowance did not suffice.
fn planned_within(
    allowance: Allowance,
    source: &Source,
    event: &Event,
) -> Option<(usize, Result<Plan, String>)> {
    if let Some(problem) = event.broken {
        return Some((source.routes.len() - 1, Err(problem.to_owned())));
    }
    let mut scope = variables::scope(event, &source.name).with_allowance(allowance);
    let (index, plan) = match route::choose(&source.routes, &mut scope) {
        Ok(index) => {
            let settings = &source.routes[index].settings;
            (index, settings.plan(event, &mut scope))
        }
        Err((index, problem)) => (index, Err(problem)),
    };
    let plan = plan.map_err(|problem| format!("{}: {problem}", source.routes[index].name));
    (!scope.is_cut_short()).then_some((index, plan))
}

//! From an event to what Temporal says of it: the route, the payload, the call; and the dead
//! letter, if it can never be as configured.

use std::collections::HashMap;

use prost::Message;
use temporalio_common::protos::temporal::api::common::v1::{
    Memo, Payload, Payloads, SearchAttributes,
};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;
use uuid::Uuid;
use webhook_core::codec::{Codec, Compression};
use webhook_core::dead_letter::{self, Cause, Kind, Letter};
use webhook_core::event::Event;
use webhook_core::large::Claim;
use webhook_core::outcome::{Execution, Outcome, Reject};
use webhook_core::payload;
use webhook_core::respond;
use webhook_core::route::{self, Call, Plan, Route, Verb};
use webhook_core::source::Source;
use webhook_core::variables;

use crate::forward::turn::{Turn, Turns, work_on};
use crate::storage::{Store, Stored};
use crate::telemetry::SEALS;
use crate::temporal::{self, Done, Temporal};

/// What a dispatch needs besides the event.
pub struct Dispatch<'a, T> {
    /// Where events go.
    pub temporal: &'a T,
    /// Encrypts payloads.
    pub codec: &'a Codec,
    /// Where large payloads are stored.
    pub large: Option<&'a Store>,
    /// Bytes of all bodies and payloads.
    pub memory: &'a Semaphore,
    /// Calls at a time.
    pub calls: &'a Semaphore,
    /// For long bodies that are encoded.
    pub turns: &'a Turns,
    /// When the answer has to be there.
    pub deadline: Instant,
}

/// What became of an event, and how.
pub struct Dispatched<'s> {
    /// An error: it is not stored.
    pub result: Result<Outcome, Reject>,
    /// The route that it took, if it got so far.
    pub route: Option<&'s Route>,
    /// Why it was parked, or should have been.
    pub parked: Option<Cause>,
}

impl<T: Temporal> Dispatch<'_, T> {
    /// Does with the event what its source says, in the turn that it was read in.
    pub async fn event<'s>(
        &self,
        turn: Turn<'_>,
        source: &'s Source,
        event: &Event,
    ) -> Dispatched<'s> {
        let (route, planned) = planned(source, event);
        let result = match planned {
            Ok(plan) => self.carry_out_in(turn, plan, event, event.key()).await,
            Err(reason) => {
                drop(turn);
                Err(Reject::Unstartable(reason))
            }
        };
        let (result, parked) = match (result, &route.settings.dead_letter) {
            (Err(reject), Some(queue)) => match Cause::of(reject) {
                Ok(cause) => {
                    let letter = letter(source, route, event, &cause, queue);
                    (self.park(event, letter).await, Some(cause))
                }
                Err(reject) => (Err(reject), None),
            },
            (result, _) => (result, None),
        };
        let result = match result {
            Err(Reject::Oversized(problem)) if self.large.is_none() => Err(Reject::Oversized(
                format!("{problem}: [large_payloads] stores such events in S3"),
            )),
            result => result,
        };
        Dispatched {
            result,
            route: Some(route),
            parked,
        }
    }

    /// Does what is planned. Temporal takes no signal or update twice whose event key it has seen.
    ///
    /// # Errors
    /// What Temporal says, or [`Reject::Oversized`], or no place for it.
    pub async fn carry_out(
        &self,
        plan: Plan,
        event: &Event,
        event_key: String,
    ) -> Result<Outcome, Reject> {
        let turn = self.turns.take(event.body.len(), self.deadline).await?;
        self.carry_out_in(turn, plan, event, event_key).await
    }

    async fn carry_out_in(
        &self,
        turn: Turn<'_>,
        plan: Plan,
        event: &Event,
        event_key: String,
    ) -> Result<Outcome, Reject> {
        match plan {
            Plan::Drop => Ok(Outcome::Dropped),
            Plan::Call(call) => {
                let encode = || payload::encode(call.format, event);
                let payload = work_on(event.body.len(), encode);
                self.perform_in(turn, *call, payload, event_key).await
            }
        }
    }

    /// Whole, with those search attributes that Temporal takes, compressed if that alone makes it fit.
    async fn park(&self, event: &Event, mut letter: Letter<'_>) -> Result<Outcome, Reject> {
        let reason = &letter.cause.reason;
        // Each round there are fewer attributes, or it is compressed.
        loop {
            let start = || dead_letter::start(event, letter.clone());
            let (call, payload) = work_on(event.body.len(), start);
            match self.perform(call, payload, event.key()).await {
                Ok(Outcome::Started(execution)) => return Ok(Outcome::DeadLettered(execution)),
                Ok(Outcome::Duplicate(execution)) => {
                    return self.parked_before(execution, reason).await;
                }
                Ok(outcome) => return Ok(outcome),
                Err(Reject::Oversized(_)) if !letter.compress => letter.compress = true,
                Err(Reject::Oversized(problem)) => {
                    let text = format!("{reason}; as a dead letter, compressed, {problem}");
                    return Err(Reject::Oversized(text));
                }
                Err(Reject::Unstartable(refusal)) if !letter.search_attributes.is_empty() => {
                    dead_letter::leave_out(&mut letter.search_attributes, &refusal);
                }
                Err(reject) => {
                    return Err(Reject::Unavailable(format!(
                        "{reason}; and its dead letter cannot be stored: {}",
                        reject.reason()
                    )));
                }
            }
        }
    }

    /// The event is stored if the workflow that has its dead letter's id is one: anybody may have
    /// started another under it.
    async fn parked_before(&self, execution: Execution, reason: &str) -> Result<Outcome, Reject> {
        let begun = format!("{reason}; and its dead letter cannot be stored");
        let workflow_type = self.temporal.type_of(&execution, self.deadline).await;
        match workflow_type {
            Ok(Some(name)) if name == dead_letter::WORKFLOW_TYPE => {
                Ok(Outcome::DeadLettered(execution))
            }
            Ok(Some(name)) => Err(Reject::Refused(format!(
                "{begun}: the workflow {:?} is no {}, but a {name:?}",
                execution.workflow_id,
                dead_letter::WORKFLOW_TYPE
            ))),
            Ok(None) => Err(Reject::Unavailable(format!(
                "{begun}: Temporal has just forgotten the one that was there"
            ))),
            Err(reject) => Err(Reject::Unavailable(format!("{begun}: {}", reject.reason()))),
        }
    }

    /// Encodes and calls.
    ///
    /// # Errors
    /// What Temporal says, or [`Reject::Oversized`], or no place for it.
    async fn perform(
        &self,
        call: Call,
        payload: Payload,
        event_key: String,
    ) -> Result<Outcome, Reject> {
        let turn = self.turns.take(payload.data.len(), self.deadline).await?;
        self.perform_in(turn, call, payload, event_key).await
    }

    async fn perform_in(
        &self,
        turn: Turn<'_>,
        call: Call,
        payload: Payload,
        event_key: String,
    ) -> Result<Outcome, Reject> {
        let call = self.encoded(call, payload, event_key);
        let _encoded = self.remember(call.input.encoded_len())?;
        drop(turn);
        let full = |_| Reject::Unavailable("too many starts in flight".to_owned());
        let _place = self.calls.try_acquire().map_err(full)?;
        let call = match self.large {
            Some(store) => match store.prepare(call, self.temporal, self.deadline).await? {
                Stored::Call(call) => *call,
                Stored::Duplicate(execution) => return Ok(Outcome::Duplicate(execution)),
            },
            None => call,
        };
        match self.temporal.call(call, self.deadline).await? {
            Done::Outcome(outcome) => Ok(outcome),
            Done::Result(execution, result) => self.reply(execution, result).await,
        }
    }

    /// So many bytes of the memory budget.
    fn remember(&self, size: usize) -> Result<SemaphorePermit<'_>, Reject> {
        let full = |_| Reject::Unavailable("too many bodies in memory".to_owned());
        let size = u32::try_from(size).unwrap_or(u32::MAX);
        self.memory.try_acquire_many(size).map_err(full)
    }

    async fn reply(
        &self,
        execution: Execution,
        mut result: Option<Payload>,
    ) -> Result<Outcome, Reject> {
        let claim = result.as_ref().map(Claim::of).transpose();
        let claim = claim.map_err(Reject::Refused)?.flatten();
        let _stored = match (claim, self.large) {
            (Some(claim), Some(store)) => {
                let share = self.remember(claim.size)?;
                result = Some(store.get(&claim, self.deadline).await?);
                Some(share)
            }
            (Some(_), None) => {
                let reason = "the workflow's result is in external storage, and there is no [large_payloads]";
                return Err(Reject::Refused(reason.to_owned()));
            }
            (None, _) => None,
        };
        let result = result.map(|result| self.codec.decode(result)).transpose();
        let result = result.map_err(|error| Reject::Refused(error.to_string()))?;
        respond::reply(result.as_ref())
            .map(|reply| Outcome::Replied(execution, reply))
            .map_err(Reject::Refused)
    }

    fn encoded(&self, call: Call, payload: Payload, event_key: String) -> temporal::Call {
        let input = Payloads {
            payloads: vec![self.encode(payload, call.compression)],
        };
        let sealed = |payload| self.encode(payload, Compression::None);
        // A signal starts nothing that could have them, and each takes a nonce.
        let starts = !matches!(call.verb, Verb::Signal { .. });
        let fields: HashMap<_, _> = call
            .memo
            .into_iter()
            .filter(|_| starts)
            .map(|(name, value)| (name, sealed(payload::value(&value))))
            .collect();
        let attributes = call.search_attributes.into_iter();
        let attributes = attributes.map(|(name, value)| (name, payload::value(&value)));
        let indexed_fields: HashMap<_, _> = attributes.collect();
        let text = |text: String| starts.then(|| sealed(payload::text(&text)));
        temporal::Call {
            verb: call.verb,
            workflow_id: call.workflow_id,
            workflow_type: call.workflow_type,
            task_queue: call.task_queue,
            options: call.options.encode(text),
            input,
            memo: Memo { fields },
            search_attributes: (!indexed_fields.is_empty())
                .then_some(SearchAttributes { indexed_fields }),
            request_id: Uuid::new_v4().to_string(),
            event_key,
        }
    }

    fn encode(&self, payload: Payload, compression: Compression) -> Payload {
        let drawn = || {
            let key = self.codec.keys().first().map(|key| key.id().to_owned());
            metrics::counter!(SEALS, "key" => key.unwrap_or_default()).increment(1);
            nonce()
        };
        let encode = |payload| self.codec.encode(payload, compression, drawn);
        work_on(payload.data.len(), || encode(payload))
    }
}

/// The event's route, and what it says of the event. A body that cannot be read is the source's own
/// matter: no route can look into it.
pub fn planned<'s>(source: &'s Source, event: &Event) -> (&'s Route, Result<Plan, String>) {
    let itself = source.itself();
    if let Some(problem) = event.broken {
        return (itself, Err(problem.to_owned()));
    }
    let plan = || {
        let mut scope = variables::of(event, &source.name);
        match route::choose(&source.routes, &mut scope) {
            Ok(route) => {
                let plan = route.settings.plan(event, &mut scope);
                (
                    route,
                    plan.map_err(|problem| format!("{}: {problem}", route.name)),
                )
            }
            Err((route, problem)) => (route, Err(format!("{}: {problem}", route.name))),
        }
    };
    work_on(event.body.len(), plan)
}

fn letter<'a>(
    source: &Source,
    route: &'a Route,
    event: &Event,
    cause: &'a Cause,
    task_queue: &'a str,
) -> Letter<'a> {
    let attributes = || {
        let scope = &mut variables::of(event, &source.name);
        route.settings.attributes(scope)
    };
    Letter {
        route: &route.name,
        cause,
        task_queue,
        search_attributes: work_on(event.body.len(), attributes),
        compress: cause.kind == Kind::TooLarge,
    }
}

/// A nonce that was never used before.
pub fn nonce() -> [u8; 12] {
    let mut nonce = [0; 12];
    aws_lc_rs::rand::fill(&mut nonce).expect("the system gives random numbers");
    nonce
}

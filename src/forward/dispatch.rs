//! From a planned event to what Temporal says of it: the call, the workflow's reply; and the dead letter,
//! if it can never be as configured.

mod park;

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use webhook_core::dead_letter::Cause;
use webhook_core::event::Event;
use webhook_core::large::Claim;
use webhook_core::outcome::{Execution, Outcome, Reject};
use webhook_core::proto::Payload;
use webhook_core::respond;
use webhook_core::route::{Plan, Verb};

use self::park::Parking;
use crate::forward::context::RequestContext;
use crate::forward::encode;
use crate::forward::limits::Limits;
use crate::forward::limits::calls::{CallLimit, check_time};
use crate::forward::limits::steps::Effort;
use crate::forward::prepare::{Planned, PlannedEvent};
use crate::forward::settings::Settings;
use crate::forward::trace::Parent;
use crate::storage::Stored;
use crate::temporal::payload::arguments_len;
use crate::temporal::{Call, Done, Temporal};

/// Asks Temporal on behalf of one request.
pub struct Dispatcher<'a, T> {
    /// Where events go.
    pub temporal: &'a T,
    /// What is configured.
    pub settings: &'a Arc<Settings>,
    /// What a call has to have.
    pub limits: &'a Limits,
    /// When the answer has to be there.
    pub deadline: Instant,
    /// What calls are a part of; `None`: nobody traces them.
    pub trace: Option<Parent<'a>>,
}

impl<'a, T: Temporal> Dispatcher<'a, T> {
    /// Does with the event of the source of this index what was planned, and notes in the context which
    /// way it went.
    ///
    /// # Errors
    /// It is not stored, and why.
    pub async fn dispatch(
        &self,
        source: usize,
        event: PlannedEvent,
        context: &mut RequestContext<'a>,
    ) -> Result<Outcome, Reject> {
        let settings: &'a Arc<Settings> = self.settings;
        let PlannedEvent {
            event,
            planned: Planned { route, call },
            memory: _memory,
        } = event;
        let routes = &settings.sources[source].routes;
        context.route = (routes.len() > 1).then_some(&routes[route].name);
        let sent = match call {
            Ok(None) => Ok(Outcome::Dropped),
            Ok(Some(call)) => {
                let took = &mut context.temporal_took;
                self.send(&event.source, call, took).await
            }
            Err(reason) => Err(Reject::Unstartable(reason)),
        };
        let stored = match sent {
            // A test that cannot start is nobody's to look after.
            Err(reject) if routes[route].settings.dead_letter.is_some() && !context.is_test => {
                let cause = Cause::of(reject)?;
                context.parked = Some(cause.clone());
                let parking = Parking::new(Arc::clone(settings), (source, route), event, cause);
                // Seldom, and large.
                Box::pin(self.park(parking, &mut context.temporal_took)).await
            }
            sent => sent,
        };
        match stored {
            Err(Reject::Oversized(problem)) if settings.large.is_none() => Err(Reject::Oversized(
                format!("{problem}: [large_payloads] stores such events in S3"),
            )),
            result => result,
        }
    }

    /// Does what is planned. Temporal takes no signal or update twice whose event key it has seen.
    ///
    /// # Errors
    /// What Temporal says, or [`Reject::Oversized`], or no place for it.
    pub async fn execute(
        &self,
        plan: Plan,
        event: Event,
        event_key: String,
    ) -> Result<Outcome, Reject> {
        let Plan::Call(call) = plan else {
            return Ok(Outcome::Dropped);
        };
        let (settings, source) = (Arc::clone(self.settings), event.source.clone());
        let effort = Effort::of(event.body.len());
        let encode = move || encode::with_event(&settings, *call, &event, event_key);
        let call = self.limits.steps.run(effort, self.deadline, encode).await?;
        self.send(&source, call, &mut None).await
    }

    /// Asks Temporal for a call of the source at this path, and adds how long that took.
    async fn send(
        &self,
        source: &str,
        call: Box<Call>,
        took: &mut Option<Duration>,
    ) -> Result<Outcome, Reject> {
        let _encoded = self.limits.memory.take(arguments_len(&call.input))?;
        let _permit = self.class(&call).acquire(source, self.deadline).await?;
        let mut call = match &self.settings.large {
            Some(store) => {
                match Box::pin(store.prepare(call, self.temporal, self.deadline)).await? {
                    Stored::Call(call) => call,
                    Stored::Duplicate(execution) => return Ok(Outcome::Duplicate(execution)),
                }
            }
            None => call,
        };
        check_time(self.deadline)?;
        let asked = Instant::now();
        // Apart: without a trace the future has no place for one.
        let span = self
            .trace
            .as_ref()
            .map(|trace| Box::new(trace.call(&mut call)));
        let done = self.temporal.call(call, self.deadline).await;
        if let Some(span) = span {
            span.end(&done);
        }
        *took = Some(took.unwrap_or_default() + asked.elapsed());
        match done? {
            Done::Outcome(outcome) => Ok(outcome),
            Done::Result(execution, result) => Box::pin(self.reply(execution, result)).await,
        }
    }

    /// Whoever waits for a worker or for S3 is not in the way of who does not.
    fn class(&self, call: &Call) -> &CallLimit {
        let is_stored = || {
            let large = self.settings.large.as_ref();
            large.is_some_and(|store| store.takes(call))
        };
        if matches!(call.verb, Verb::UpdateWithStart { .. }) || is_stored() {
            &self.limits.waiting_calls
        } else {
            &self.limits.starts
        }
    }

    async fn reply(
        &self,
        execution: Execution,
        result: Option<Payload>,
    ) -> Result<Outcome, Reject> {
        let claim = match &result {
            Some(result) => Claim::of(result).map_err(Reject::Refused)?,
            None => None,
        };
        let (result, _stored) = match (claim, &self.settings.large) {
            (Some(claim), Some(store)) => {
                let share = self.limits.memory.take(claim.size)?;
                (Some(store.get(&claim, self.deadline).await?), Some(share))
            }
            (Some(_), None) => {
                let reason = "the workflow's result is in external storage, and there is no [large_payloads]";
                return Err(Reject::Refused(reason.to_owned()));
            }
            (None, _) => (result, None),
        };
        let codec = &self.settings.codec;
        let decoded = result
            .map(|result| codec.decode(result))
            .transpose()
            .map_err(|error| Reject::Refused(error.to_string()))?;
        respond::reply(decoded.as_ref())
            .map(|reply| Outcome::Replied(execution, reply))
            .map_err(Reject::Refused)
    }
}

//! An event that can never start as configured, as a workflow of its own: with those search attributes that
//! Temporal takes, compressed if that alone makes it fit.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};
use webhook_core::dead_letter::{self, Cause, DeadLetterStart, Kind};
use webhook_core::event::Event;
use webhook_core::expression::cost::Allowance;
use webhook_core::outcome::{Execution, Outcome, Reject};
use webhook_core::variables;

use super::Dispatcher;
use crate::forward::encode;
use crate::forward::limits::steps::Effort;
use crate::forward::settings::Settings;
use crate::temporal::{Call, Temporal};

/// What becomes a dead letter, and how.
pub(super) struct Parking {
    settings: Arc<Settings>,
    source: usize,
    route: usize,
    event: Arc<Event>,
    cause: Cause,
    /// `None`: not read yet, or too costly to be read on this thread.
    attributes: Option<Map<String, Value>>,
    compress: bool,
}

impl Parking {
    /// Of the source and its route of these indices.
    pub(super) fn new(
        settings: Arc<Settings>,
        (source, route): (usize, usize),
        event: Arc<Event>,
        cause: Cause,
    ) -> Self {
        let mut parking = Self {
            compress: cause.kind == Kind::TooLarge,
            attributes: None,
            settings,
            source,
            route,
            event,
            cause,
        };
        if !parking.effort().is_long() {
            parking.read_attributes(Allowance::Brief);
        }
        parking
    }

    fn effort(&self) -> Effort {
        Effort::of(self.event.body.len())
    }

    fn read_attributes(&mut self, allowance: Allowance) {
        let source = &self.settings.sources[self.source];
        let mut scope = variables::scope(&self.event, &source.name).with_allowance(allowance);
        let attributes = source.routes[self.route].settings.attributes(&mut scope);
        self.attributes = (!scope.is_cut_short()).then_some(attributes);
    }

    /// The call that stores it.
    fn encoded(mut self) -> (Self, Box<Call>) {
        if self.attributes.is_none() {
            self.read_attributes(Allowance::Full);
        }
        let route = &self.settings.sources[self.source].routes[self.route];
        let letter = DeadLetterStart {
            route: &route.name,
            cause: &self.cause,
            task_queue: route.settings.dead_letter.as_deref().unwrap_or_default(),
            search_attributes: self.attributes.clone().unwrap_or_default(),
            compress: self.compress,
        };
        let (call, argument) = dead_letter::start(&self.event, letter);
        let call = encode::with_argument(
            &self.settings,
            call,
            argument,
            &self.event,
            self.event.key(),
        );
        (self, call)
    }

    /// What can be changed after this refusal.
    ///
    /// # Errors
    /// Nothing can: it is not stored.
    fn change(&mut self, refusal: Reject) -> Result<(), Reject> {
        let reason = &self.cause.reason;
        let attributes = self.attributes.as_mut().filter(|left| !left.is_empty());
        match (refusal, attributes) {
            (Reject::Oversized(_), _) if !self.compress => self.compress = true,
            (Reject::Oversized(problem), _) => {
                let text = format!("{reason}; as a dead letter, compressed, {problem}");
                return Err(Reject::Oversized(text));
            }
            (Reject::Unstartable(refusal), Some(attributes)) => {
                dead_letter::remove_refused(attributes, &refusal);
            }
            (refusal, _) => return Err(not_stored(reason, refusal.reason())),
        }
        Ok(())
    }
}

impl<T: Temporal> Dispatcher<'_, T> {
    /// Stores it whole.
    ///
    /// # Errors
    /// Why it cannot be stored.
    pub(super) async fn park(
        &self,
        mut parking: Parking,
        took: &mut Option<Duration>,
    ) -> Result<Outcome, Reject> {
        let reason = parking.cause.reason.clone();
        // Each round there are fewer attributes, or it is compressed.
        loop {
            let (effort, is_read) = (parking.effort(), parking.attributes.is_some());
            let (steps, encode) = (&self.limits.steps, move || parking.encoded());
            let encoded = if is_read {
                steps.run(effort, self.deadline, encode).await
            } else {
                steps.apart(effort, self.deadline, encode).await
            };
            let call;
            (parking, call) = encoded.map_err(|reject| not_stored(&reason, reject.reason()))?;
            match self.send(&parking.event.source, call, took).await {
                Ok(Outcome::Started(execution)) => return Ok(Outcome::DeadLettered(execution)),
                Ok(Outcome::Duplicate(execution)) => {
                    return self.parked_before(execution, &reason).await;
                }
                Ok(outcome) => return Ok(outcome),
                Err(refusal) => parking.change(refusal)?,
            }
        }
    }

    /// The event is stored if the workflow that has its dead letter's id is one: anybody may have
    /// started another under it.
    async fn parked_before(&self, execution: Execution, reason: &str) -> Result<Outcome, Reject> {
        let workflow_type = self.temporal.type_of(&execution, self.deadline).await;
        match workflow_type {
            Ok(Some(name)) if name == dead_letter::WORKFLOW_TYPE => {
                Ok(Outcome::DeadLettered(execution))
            }
            Ok(Some(name)) => Err(Reject::Refused(format!(
                "{reason}; and its dead letter cannot be stored: the workflow {:?} is no {}, but a {name:?}",
                execution.workflow_id,
                dead_letter::WORKFLOW_TYPE
            ))),
            Ok(None) => {
                let why = "Temporal has just forgotten the one that was there";
                Err(not_stored(reason, why))
            }
            Err(reject) => Err(not_stored(reason, reject.reason())),
        }
    }
}

fn not_stored(reason: &str, why: &str) -> Reject {
    Reject::Unavailable(format!(
        "{reason}; and its dead letter cannot be stored: {why}"
    ))
}

//! A Temporal for tests that does what it is told: answers, late, lost or not at all; keeps ids apart and
//! says of each call when it came.

use std::collections::{HashMap, VecDeque};
use std::future::pending;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};
use webhook_core::outcome::{Execution, Outcome, Reject};
use webhook_core::route::Verb;

use super::payload::arguments_len;
use super::{Call, Done, Temporal};

/// Takes every call at once, unless told otherwise.
#[derive(Debug, Default)]
pub struct Fake {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// For the next calls, one each.
    next: VecDeque<Behaviour>,
    /// For all others.
    always: Option<Behaviour>,
    calls: Vec<Seen>,
    in_flight: usize,
    most_in_flight: usize,
    /// The types of the workflows that run, by id.
    running: HashMap<String, String>,
    /// Bytes of an argument that it takes.
    max_input: Option<usize>,
    not_ready: Option<String>,
    asked_if_ready: usize,
}

/// What it does with a call.
#[derive(Debug, Clone)]
pub enum Behaviour {
    /// Takes it after so long.
    Take(Duration),
    /// Takes it, and its answer is lost.
    LoseReply,
    /// Says this after so long, and takes nothing.
    Say(Duration, Result<Done, Reject>),
}

/// A call that came.
#[derive(Debug, Clone)]
pub struct Seen {
    /// When.
    pub at: Instant,
    /// By when its answer was wanted.
    pub deadline: Instant,
    /// What.
    pub call: Call,
}

impl Fake {
    /// The next call, after those that were told before, is treated so.
    pub fn next(&self, behaviour: Behaviour) {
        self.state().next.push_back(behaviour);
    }

    /// Every call of which nothing else was said is treated so.
    pub fn always(&self, behaviour: Behaviour) {
        self.state().always = Some(behaviour);
    }

    /// From now on no larger argument is taken.
    pub fn limit(&self, max_input: usize) {
        self.state().max_input = Some(max_input);
    }

    /// From now on it is ready, or not and why.
    pub fn set_ready(&self, ready: Result<(), &str>) {
        self.state().not_ready = ready.err().map(str::to_owned);
    }

    /// How often it was asked whether it is ready.
    pub fn asked_if_ready(&self) -> usize {
        self.state().asked_if_ready
    }

    /// All calls that came, in their order.
    pub fn calls(&self) -> Vec<Seen> {
        self.state().calls.clone()
    }

    /// How many were in flight at the same time, at most.
    pub fn most_in_flight(&self) -> usize {
        self.state().most_in_flight
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn behave(&self, call: &Call) -> Result<Done, Reject> {
        let behaviour = {
            let mut state = self.state();
            let next = state.next.pop_front();
            next.or_else(|| state.always.clone())
        };
        match behaviour.unwrap_or(Behaviour::Take(Duration::ZERO)) {
            Behaviour::Take(after) => {
                sleep(after).await;
                self.state().take(call)
            }
            Behaviour::LoseReply => {
                self.state().take(call)?;
                pending().await
            }
            Behaviour::Say(after, said) => {
                sleep(after).await;
                said
            }
        }
    }
}

impl State {
    fn take(&mut self, call: &Call) -> Result<Done, Reject> {
        let size = arguments_len(&call.input);
        if self.max_input.is_some_and(|most| size > most) {
            return Err(Reject::Oversized(format!("it has {size} bytes")));
        }
        let execution = Execution {
            workflow_id: call.workflow_id.clone(),
            run_id: "run".to_owned(),
        };
        let (id, name) = (call.workflow_id.clone(), call.workflow_type.clone());
        let before = self.running.insert(id, name);
        Ok(Done::Outcome(match call.verb {
            Verb::Start if before.is_some() => Outcome::Duplicate(execution),
            Verb::Start => Outcome::Started(execution),
            Verb::SignalWithStart { .. } | Verb::Signal { .. } => Outcome::Signalled(execution),
            Verb::UpdateWithStart { .. } => Outcome::Updated(execution),
        }))
    }
}

/// Counts a call as in flight.
struct InFlight<'a>(&'a Fake);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.state().in_flight -= 1;
    }
}

impl Temporal for Fake {
    async fn call(&self, call: Box<Call>, deadline: Instant) -> Result<Done, Reject> {
        {
            let mut state = self.state();
            state.calls.push(Seen {
                at: Instant::now(),
                deadline,
                call: Call::clone(&call),
            });
            state.in_flight += 1;
            state.most_in_flight = state.most_in_flight.max(state.in_flight);
        }
        let _in_flight = InFlight(self);
        let answer = timeout_at(deadline, self.behave(&call)).await;
        let late = "Temporal did not answer in time".to_owned();
        answer.unwrap_or(Err(Reject::Unavailable(late)))
    }

    async fn started(&self, id: &str, _: Instant) -> Result<Option<Execution>, Reject> {
        let is_there = self.state().running.contains_key(id);
        Ok(is_there.then(|| Execution {
            workflow_id: id.to_owned(),
            run_id: "run".to_owned(),
        }))
    }

    async fn type_of(&self, run: &Execution, _: Instant) -> Result<Option<String>, Reject> {
        Ok(self.state().running.get(&run.workflow_id).cloned())
    }

    fn namespace(&self) -> &str {
        "default"
    }

    async fn ready(&self) -> Result<(), String> {
        let mut state = self.state();
        state.asked_if_ready += 1;
        state.not_ready.clone().map_or(Ok(()), Err)
    }
}

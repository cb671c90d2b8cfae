//! Whether anybody works on the task queues of the sources: a 200 into a queue that nobody polls must not stay
//! silent.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use metrics::{Gauge, gauge};
use tokio::time::sleep;

use crate::telemetry::{BACKLOG_AGE, POLLERS};
use crate::temporal::queues::Polled;

/// What was last said of each, by name.
#[derive(Default)]
pub struct Queues(Mutex<BTreeMap<String, Queue>>);

/// What was last said of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueState {
    /// Its pollers and what waits for them.
    pub polled: Polled,
    /// When that was said.
    pub asked_at: SystemTime,
    /// Whether something waits, and nobody polls.
    pub is_deserted: bool,
}

struct Queue {
    state: QueueState,
    pollers: Gauge,
    backlog_age: Gauge,
}

impl Queues {
    /// Asks about all of these names, time and again, for ever. `names` and the pause between two rounds are as
    /// configured at that moment.
    pub async fn watch<F: Future<Output = Result<Polled, String>>>(
        &self,
        names: impl Fn() -> (Vec<String>, Duration),
        ask: impl Fn(String) -> F,
    ) {
        let mut was_over = false;
        loop {
            let (mut names, pause) = names();
            let is_over = names.len() > MOST;
            if is_over && !was_over {
                let task_queues = names.len();
                tracing::warn!(
                    task_queues,
                    asked = MOST,
                    "too many task queues to ask about all of them"
                );
            }
            was_over = is_over;
            names.truncate(MOST);
            self.forget_all_but(&names);
            let mut is_away = false;
            for name in &names {
                match ask(name.clone()).await {
                    Ok(polled) => self.note(name, polled),
                    // What connects to Temporal says what is wrong with it; the others would fail, too.
                    Err(error) => {
                        tracing::debug!(
                            task_queue = name,
                            error,
                            "not asked who polls the task queue"
                        );
                        is_away = true;
                        break;
                    }
                }
            }
            sleep(if is_away { pause.min(AWAY) } else { pause }).await;
        }
    }

    /// What is known now, for people.
    pub fn states(&self) -> BTreeMap<String, QueueState> {
        let queues = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let states = queues
            .iter()
            .map(|(name, queue)| (name.clone(), queue.state));
        states.collect()
    }

    fn note(&self, name: &str, polled: Polled) {
        let mut queues = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let was_deserted = queues
            .get(name)
            .is_some_and(|queue| queue.state.is_deserted);
        let state = QueueState {
            polled,
            asked_at: SystemTime::now(),
            is_deserted: polled.pollers == 0 && polled.backlog > 0,
        };
        let queue = queues.entry(name.to_owned()).or_insert_with(|| Queue {
            state,
            pollers: gauge!(POLLERS, "task_queue" => name.to_owned()),
            backlog_age: gauge!(BACKLOG_AGE, "task_queue" => name.to_owned()),
        });
        // Without a poller and with nothing to do it has none to miss, and none again.
        if polled.pollers > 0 || polled.backlog > 0 || !was_deserted {
            queue.state = state;
        }
        queue.pollers.set(polled.pollers as f64);
        queue.backlog_age.set(polled.backlog_age.as_secs_f64());
        let Polled {
            pollers,
            backlog,
            backlog_age,
        } = polled;
        let waits =
            humantime::format_duration(Duration::from_secs(backlog_age.as_secs())).to_string();
        match (was_deserted, queue.state.is_deserted) {
            (false, true) => {
                tracing::warn!(
                    task_queue = name,
                    backlog,
                    waits,
                    "nobody polls the task queue: what was started on it waits for a worker"
                );
            }
            (true, false) => {
                tracing::info!(
                    task_queue = name,
                    pollers,
                    backlog,
                    "the task queue has a worker again"
                );
            }
            _ => {}
        }
    }

    /// A gauge cannot be taken off the page: what it says no more is no number.
    fn forget_all_but(&self, names: &[String]) {
        let mut queues = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        queues.retain(|name, queue| {
            let stays = names.contains(name);
            if !stays {
                queue.pollers.set(f64::NAN);
                queue.backlog_age.set(f64::NAN);
            }
            stays
        });
    }
}

/// The pause after a question that Temporal did not answer.
const AWAY: Duration = Duration::from_secs(2);
/// Each is one call, and a label.
const MOST: usize = 100;

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};
    use std::future::ready;

    use tokio::time::timeout;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn every_queue_is_asked_about_once_a_round_and_no_more_than_a_hundred() {
        let asked = RefCell::new(Vec::new());
        let names = || {
            let names = (0..150).map(|n| format!("queue-{n:03}")).collect();
            (names, Duration::from_secs(60))
        };
        let queues = Queues::default();
        let ask = |name| {
            asked.borrow_mut().push(name);
            ready(Ok(polled(1, 0)))
        };
        let watching = queues.watch(names, ask);
        timeout(Duration::from_secs(150), watching).await.ok();
        assert_eq!(asked.borrow().len(), 300, "at 0, 60 and 120 s");
        assert_eq!(queues.states().len(), 100);
    }

    #[tokio::test(start_paused = true)]
    async fn a_queue_is_deserted_while_something_waits_and_nobody_polls() {
        let answers = [
            (Ok(polled(0, 0)), false),
            (Ok(polled(0, 3)), true),
            (Err("away".to_owned()), true),
            // Its workflows were terminated: still nobody is there.
            (Ok(polled(0, 0)), true),
            (Ok(polled(2, 3)), false),
            (Ok(polled(0, 0)), false),
        ];
        let round = Cell::new(0);
        let queues = Queues::default();
        let names = || (vec!["orders".to_owned()], Duration::from_secs(60));
        let ask = |_| {
            let this = round.replace(round.get() + 1);
            if this > 0 {
                let is_deserted = queues.states()["orders"].is_deserted;
                assert_eq!(is_deserted, answers[this - 1].1, "after {this}");
            }
            ready(answers[this].0.clone())
        };
        timeout(Duration::from_secs(280), queues.watch(names, ask))
            .await
            .ok();
        assert_eq!(round.get(), answers.len());
    }

    #[tokio::test(start_paused = true)]
    async fn a_queue_that_no_source_uses_any_more_is_forgotten() {
        let round = Cell::new(0);
        let queues = Queues::default();
        let names = || {
            round.set(round.get() + 1);
            let name = if round.get() > 1 { "new" } else { "old" };
            (vec![name.to_owned()], Duration::from_secs(60))
        };
        let ask = |_| ready(Ok(polled(1, 0)));
        timeout(Duration::from_secs(90), queues.watch(names, ask))
            .await
            .ok();
        assert_eq!(queues.states().into_keys().collect::<Vec<_>>(), ["new"]);
    }

    fn polled(pollers: usize, backlog: u64) -> Polled {
        Polled {
            pollers,
            backlog,
            backlog_age: Duration::from_secs(backlog),
        }
    }
}

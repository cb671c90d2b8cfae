//! Senders: so many events a second, each sent until it is taken; every fifth to both replicas at once; every seventh
//! again after it was taken and its workflow has ended.

use std::io::{IsTerminal, Write, stderr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use temporalio_client::Connection;
use temporalio_client::tonic::{Code, IntoRequest};
use temporalio_common::protos::temporal::api::workflowservice::v1::TerminateWorkflowExecutionRequest;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use super::Scale;
use super::ledger::Ledger;
use super::replicas::{COUNT, Doors};
use crate::support::delivery::Delivery;
use crate::support::history::{NAMESPACE, execution};
use crate::support::wait::PATIENCE;

/// What senders need to know.
#[derive(Debug, Clone)]
pub(super) struct Load {
    pub(super) ledger: Arc<Ledger>,
    pub(super) doors: Arc<Doors>,
    /// To end workflows.
    pub(super) temporal: Connection,
    /// Replicas are killed: their answers may break off.
    pub(super) kills: bool,
}

/// Senders at work.
#[derive(Debug)]
pub(super) struct Running {
    is_over: Arc<AtomicBool>,
    senders: JoinHandle<()>,
}

impl Running {
    /// No new events; ends when all are taken.
    pub(super) async fn finish(self) {
        self.is_over.store(true, Ordering::Relaxed);
        self.senders.await.expect("no sender panics");
    }
}

impl Load {
    /// Sends until told to stop.
    pub(super) fn start(self, name: &str, scale: Scale) -> Running {
        let is_over = Arc::new(AtomicBool::new(false));
        let senders = self.send(name.to_owned(), scale, Arc::clone(&is_over));
        Running {
            is_over,
            senders: tokio::spawn(senders),
        }
    }

    async fn send(self, name: String, scale: Scale, is_over: Arc<AtomicBool>) {
        let began = Instant::now();
        let order = Delivery::order();
        let mut ticks = interval(Duration::from_secs(1) / scale.rate);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut events = JoinSet::new();
        let mut said = 0;
        for number in 0.. {
            ticks.tick().await;
            // A machine that cannot keep up is asked no more than it is behind: thousands of repeats measure nothing.
            while events.len() >= BEHIND * scale.rate as usize && !is_over.load(Ordering::Relaxed) {
                if let Some(ended) = events.join_next().await {
                    ended.expect("no sender panics");
                }
            }
            if is_over.load(Ordering::Relaxed) {
                break;
            }
            let id = format!("{}{number}", self.ledger.prefix);
            events.spawn(self.clone().event(number, order.clone().with_id(&id)));
            while let Some(ended) = events.try_join_next() {
                ended.expect("no sender panics");
            }
            let seconds = began.elapsed().as_secs();
            if scale.is_long() && seconds > said {
                said = seconds;
                progress(&name, seconds, scale, &self.ledger);
            }
        }
        events.join_all().await;
    }

    async fn event(self, number: usize, order: Delivery) {
        self.ledger.sent(&order.id);
        let is_double = number.is_multiple_of(5);
        self.until_taken(number, &order, is_double).await;
        if number.is_multiple_of(7) {
            self.end(&order.id).await;
            self.until_taken(number + 1, &order, is_double).await;
        }
    }

    async fn until_taken(&self, number: usize, order: &Delivery, is_double: bool) {
        let mut pause = PAUSE;
        let taken = async {
            for turn in number.. {
                let (here, there) = (turn % COUNT, (turn + 1) % COUNT);
                let is_taken = if is_double {
                    let both = tokio::join!(
                        self.attempt(here, turn, order),
                        self.attempt(there, turn, order)
                    );
                    both.0 || both.1
                } else {
                    self.attempt(here, turn, order).await
                };
                if is_taken {
                    return;
                }
                // As senders do, lest their repeats be what keeps Temporal down.
                sleep(pause).await;
                pause = (pause * 2).min(PAUSE * 8);
            }
        };
        // The ledger says what was never taken.
        timeout(PATIENCE, taken).await.ok();
    }

    pub(super) async fn attempt(&self, replica: usize, turn: usize, order: &Delivery) -> bool {
        let sender = self.doors.sender(replica, turn / COUNT);
        let began = Instant::now();
        match sender.try_send(order).await {
            Ok(answer) => {
                let took = began.elapsed();
                self.ledger.answered(&order.id, replica, &answer, took)
            }
            Err(error) => {
                self.ledger.unanswered(&order.id, &error, self.kills);
                false
            }
        }
    }

    /// Its workflow ends, so that only Temporal's memory of it keeps a repeat from starting another.
    async fn end(&self, id: &str) {
        let ended = async {
            loop {
                let request = TerminateWorkflowExecutionRequest {
                    namespace: NAMESPACE.to_owned(),
                    workflow_execution: execution(id),
                    ..Default::default()
                };
                let mut service = self.temporal.workflow_service();
                let request = service.terminate_workflow_execution(request.into_request());
                match timeout(PAUSE * 4, request).await {
                    Ok(Ok(_)) => return,
                    // It has ended: the answer that said so was lost. Or it never was: the list will say so.
                    Ok(Err(status)) if status.code() == Code::NotFound => return,
                    _ => {}
                }
                sleep(PAUSE).await;
            }
        };
        if timeout(PATIENCE, ended).await.is_err() {
            self.ledger
                .fault(format!("lost: {id} was acked and cannot be ended"));
        }
    }
}

fn progress(name: &str, second: u64, scale: Scale, ledger: &Ledger) {
    let line = format!(
        "{name}: {second}/{} s, {}",
        scale.length.as_secs(),
        ledger.counts()
    );
    let mut stderr = stderr();
    if stderr.is_terminal() {
        write!(stderr, "\r\x1b[2K{line}").ok();
    } else if second.is_multiple_of(10) {
        writeln!(stderr, "{line}").ok();
    }
}

/// Before an event is sent again.
const PAUSE: Duration = Duration::from_millis(500);
/// Seconds' worth of events that are not taken yet.
const BEHIND: usize = 6;

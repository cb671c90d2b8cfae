//! Faults under load, one after the other, and what the ledger says in the end.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::Scale;
use super::ledger::Ledger;
use super::load::Load;
use super::replicas::{COUNT, Doors, Replicas};
use crate::support::proxy::ChaosProxy;
use crate::support::temporal::Temporal;

/// What breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    Refuse,
    Reset,
    BlackHole,
    FreezeOne,
    Delay,
    Throttle,
    KillTemporal,
    KillReplica,
    StopReplica,
    RollingRestart,
}

impl Fault {
    pub(super) const ALL: [Self; 10] = [
        Self::Refuse,
        Self::Reset,
        Self::BlackHole,
        Self::FreezeOne,
        Self::Delay,
        Self::Throttle,
        Self::KillTemporal,
        Self::KillReplica,
        Self::StopReplica,
        Self::RollingRestart,
    ];
}

/// Everything that a drill needs.
pub(super) struct Stage {
    name: String,
    scale: Scale,
    faults: Vec<Fault>,
    temporal: Temporal,
    proxy: ChaosProxy,
    replicas: Replicas,
    doors: Arc<Doors>,
    ledger: Arc<Ledger>,
}

impl Stage {
    pub(super) async fn set(name: &str, scale: Scale, faults: &[Fault]) -> Self {
        let temporal = Temporal::start(&[]).await;
        let proxy = ChaosProxy::start(temporal.address()).await;
        let doors = Arc::default();
        let replicas = Replicas::start(proxy.address(), &doors).await;
        Self {
            name: name.to_owned(),
            scale,
            faults: faults.to_vec(),
            temporal,
            proxy,
            replicas,
            doors,
            ledger: Arc::new(Ledger::new(scale)),
        }
    }

    /// Load and, in turn, calm, fault and return, for as long as there is time for a whole turn, and until each fault
    /// was there; what the ledger finds wrong.
    pub(super) async fn play(mut self) -> Vec<String> {
        let load = Load {
            ledger: Arc::clone(&self.ledger),
            doors: Arc::clone(&self.doors),
            temporal: self.temporal.connection().clone(),
            kills: self.faults.contains(&Fault::KillReplica),
        };
        let load = load.start(&self.name, self.scale);
        let (began, mut turn) = (Instant::now(), 0);
        let one = self.scale.calm + self.scale.fault;
        while turn < self.faults.len() || began.elapsed() + one <= self.scale.length {
            sleep(self.scale.calm).await;
            self.strike(self.faults[turn % self.faults.len()], turn)
                .await;
            self.ledger.returned();
            let patience = Instant::now() + self.scale.recovery;
            while !self.ledger.all_are_back() && Instant::now() < patience {
                sleep(Duration::from_millis(50)).await;
            }
            turn += 1;
        }
        sleep(self.scale.calm).await;
        load.finish().await;
        self.replicas.all_in_time(self.scale.answer);
        let faults = self.ledger.faults(&self.temporal).await;
        let counts = format!("{}: {turn} faults, {}", self.name, self.ledger.counts());
        println!("{counts}");
        for fault in &faults {
            println!("{}: {fault}", self.name);
        }
        faults
    }

    async fn strike(&mut self, fault: Fault, turn: usize) {
        let replica = turn % COUNT;
        let length = self.scale.fault;
        match fault {
            Fault::Refuse => self.proxy.refuse().await,
            Fault::BlackHole => self.proxy.black_hole().await,
            Fault::Delay => self.proxy.delay(TOO_LATE).await,
            Fault::Throttle => self.proxy.throttle(NARROW).await,
            Fault::FreezeOne => self.proxy.freeze_next(),
            Fault::KillTemporal => {
                self.temporal.kill();
                sleep(length / 2).await;
                return self.temporal.restart().await;
            }
            Fault::KillReplica => {
                self.replicas.kill(replica);
                sleep(length / 2).await;
                return self.replicas.replace(replica, &self.doors).await;
            }
            Fault::StopReplica => {
                let ended = self.replicas.stop(replica);
                self.note(ended);
                return self.replicas.replace(replica, &self.doors).await;
            }
            Fault::RollingRestart => {
                let before = self.ledger.counts().unanswered;
                for replica in 0..COUNT {
                    let ended = self.replicas.roll(replica, &self.doors).await;
                    self.note(ended);
                }
                let refused = self.ledger.counts().unanswered - before;
                // On a busy machine a sender may take long to get to a door that was open when it set out.
                if refused > 0 && self.scale.is_long() {
                    let what = "cut: times without an answer in a rolling restart";
                    self.ledger.fault(format!("{what}: {refused}"));
                }
                return;
            }
            Fault::Reset => {
                let began = Instant::now();
                while began.elapsed() < length {
                    self.proxy.cut();
                    sleep(Duration::from_millis(150)).await;
                }
                return;
            }
        }
        sleep(length).await;
        self.proxy.pass().await;
    }

    fn note(&self, ended: Result<(), String>) {
        if let Err(what) = ended {
            self.ledger.fault(what);
        }
    }
}

/// Over what senders wait, and what the forwarder does.
const TOO_LATE: Duration = Duration::from_secs(7);
/// Bytes in a second of a connection: for one event, perhaps.
const NARROW: usize = 2000;

//! Two forwarders before one Temporal, which come and go while senders send.

use std::sync::Mutex;
use std::time::Duration;

use tokio::time::sleep;

use crate::support::forwarder::{Forwarder, ForwarderConfig};
use crate::support::sender::Sender;

/// Where senders find them: the first over HTTP/2 and TLS, the second over plain HTTP/1.1.
#[derive(Debug, Default)]
pub(super) struct Doors([Mutex<Option<Vec<Sender>>>; COUNT]);

/// The programs.
#[derive(Debug)]
pub(super) struct Replicas {
    endpoint: String,
    running: [Forwarder; COUNT],
}

impl Replicas {
    pub(super) async fn start(endpoint: String, doors: &Doors) -> Self {
        let (first, second) = tokio::join!(start(&endpoint, 0), start(&endpoint, 1));
        let replicas = Self {
            endpoint,
            running: [first, second],
        };
        for number in 0..COUNT {
            doors.lead_to(number, replicas.running[number].senders());
        }
        replicas
    }

    /// SIGKILL; nobody listens there any more.
    pub(super) fn kill(&mut self, number: usize) {
        self.running[number].kill();
    }

    /// SIGTERM, and its end.
    pub(super) fn stop(&mut self, number: usize) -> Result<(), String> {
        self.running[number].signal("TERM");
        ended_well(&mut self.running[number])
    }

    /// Another in the place of one that has ended.
    pub(super) async fn replace(&mut self, number: usize, doors: &Doors) {
        self.running[number] = start(&self.endpoint, number).await;
        doors.lead_to(number, self.running[number].senders());
    }

    /// Another that is there before the old one is told to stop.
    pub(super) async fn roll(&mut self, number: usize, doors: &Doors) -> Result<(), String> {
        let next = start(&self.endpoint, number).await;
        let mut old = std::mem::replace(&mut self.running[number], next);
        doors.lead_to(number, self.running[number].senders());
        // Who has been led to the old one is there by then.
        sleep(Duration::from_millis(200)).await;
        old.signal("TERM");
        ended_well(&mut old)
    }

    /// By their own clock: of those that run.
    pub(super) fn all_in_time(&self, deadline: Duration) {
        for replica in &self.running {
            replica.all_in_time(deadline);
        }
    }

    pub(super) fn running(&self) -> &[Forwarder] {
        &self.running
    }
}

impl Doors {
    /// Doors of something else.
    pub(super) fn to(senders: Vec<Sender>) -> Self {
        let doors = Self::default();
        for number in 0..COUNT {
            doors.lead_to(number, senders.clone());
        }
        doors
    }

    /// One of the clients of each is another, with connections of its own.
    pub(super) fn churn(&self, replicas: &Replicas) {
        for (number, forwarder) in replicas.running.iter().enumerate() {
            let mut door = self.0[number].lock().expect("no holder panics");
            let senders = door.as_mut().expect("it was started");
            senders.rotate_left(1);
            senders[0] = Sender::new(forwarder);
        }
    }

    /// No sender has a connection any more.
    pub(super) fn shut(&self) {
        for door in &self.0 {
            *door.lock().expect("no holder panics") = None;
        }
    }

    fn lead_to(&self, number: usize, senders: Vec<Sender>) {
        *self.0[number].lock().expect("no holder panics") = Some(senders);
    }

    /// One of its clients, in turn: a connection of HTTP/2 takes a hundred requests at a time.
    pub(super) fn sender(&self, number: usize, turn: usize) -> Sender {
        let door = self.0[number].lock().expect("no holder panics");
        let senders = door.as_ref().expect("it was started");
        senders[turn % senders.len()].clone()
    }
}

trait Clients {
    fn senders(&self) -> Vec<Sender>;
}

impl Clients for Forwarder {
    fn senders(&self) -> Vec<Sender> {
        (0..8).map(|_| Sender::new(self)).collect()
    }
}

async fn start(endpoint: &str, number: usize) -> Forwarder {
    Forwarder::start(ForwarderConfig {
        endpoint: Some(endpoint.to_owned()),
        tls: number == 0,
        ..Default::default()
    })
    .await
}

fn ended_well(forwarder: &mut Forwarder) -> Result<(), String> {
    match forwarder.wait(DRAINED).code() {
        Some(0) => Ok(()),
        code => Err(format!(
            "odd: a replica that was told to stop ended with {code:?}"
        )),
    }
}

pub(super) const COUNT: usize = 2;
/// Its drain timeout is 5 s.
const DRAINED: Duration = Duration::from_secs(15);

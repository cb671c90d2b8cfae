//! One forwarder: the product from a request's head to the calls on its connections, as a process that may be
//! killed and comes back with nothing.

use std::mem;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request};
use http_body_util::BodyExt;
use http_body_util::combinators::UnsyncBoxBody;
use serde_json::Value;
use temporal_webhook_forwarder::forward::Forwarder;
use temporal_webhook_forwarder::forward::context::Arrival;
use temporal_webhook_forwarder::forward::limits::{Held, Sizes};
use temporal_webhook_forwarder::temporal::client::Client;
use tokio::sync::oneshot;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep, sleep_until};

use super::bugs::{Bug, Buggy};
use super::cluster::{self, Cluster};
use super::sources;

/// What a sender sends.
pub(crate) type Body = UnsyncBoxBody<Bytes, std::io::Error>;

/// What a sender hears.
#[derive(Debug)]
pub(crate) struct Heard {
    pub(crate) status: u16,
    /// The label of an outcome, or a refusal's title.
    pub(crate) says: String,
    pub(crate) asks_again: bool,
    pub(crate) after: Duration,
}

pub(crate) struct Replica {
    index: usize,
    cluster: Arc<Cluster>,
    sizes: Sizes,
    bug: Option<Bug>,
    /// `None`: killed.
    process: Mutex<Option<Process>>,
}

struct Process {
    client: Arc<Client>,
    forwarder: Arc<Forwarder<Buggy>>,
    used: Instant,
    /// Keeps connections; not when nothing happens for long, or each day would be 17,280 questions.
    keeper: AbortHandle,
    tasks: Vec<AbortHandle>,
}

impl Drop for Process {
    fn drop(&mut self) {
        self.keeper.abort();
        self.tasks.iter().for_each(AbortHandle::abort);
    }
}

impl Replica {
    pub(crate) fn new(
        index: usize,
        cluster: Arc<Cluster>,
        sizes: Sizes,
        bug: Option<Bug>,
    ) -> Arc<Self> {
        let replica = Arc::new(Self {
            index,
            cluster,
            sizes,
            bug,
            process: Mutex::new(None),
        });
        replica.begin();
        replica
    }

    fn process(&self) -> MutexGuard<'_, Option<Process>> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new process.
    pub(crate) fn begin(self: &Arc<Self>) {
        let network = self.cluster.network(self.index);
        let client = Client::over(network, cluster::settings(2));
        let temporal = Buggy {
            client: Arc::clone(&client),
            bug: self.bug,
            cluster: Arc::clone(&self.cluster),
        };
        let forwarder = Forwarder::new(sources::settings(), Arc::new(temporal), &self.sizes);
        *self.process() = Some(Process {
            keeper: self.keep(&client),
            client,
            forwarder: Arc::new(forwarder),
            used: Instant::now(),
            tasks: Vec::new(),
        });
    }

    /// What was in flight is gone.
    pub(crate) fn kill(&self) {
        *self.process() = None;
    }

    fn keep(self: &Arc<Self>, client: &Arc<Client>) -> AbortHandle {
        let (client, replica) = (Arc::clone(client), Arc::clone(self));
        let idle = async move {
            let mut until = Instant::now() + AWAKE;
            while Instant::now() < until {
                sleep_until(until).await;
                if let Some(process) = &*replica.process() {
                    until = process.used + AWAKE;
                }
            }
        };
        let keeping = async move {
            tokio::select! {
                biased;
                () = client.connect() => {}
                () = idle => {}
            }
        };
        tokio::spawn(keeping).abort_handle()
    }

    /// Something is about to happen.
    pub(crate) fn wake(self: &Arc<Self>) {
        if let Some(process) = &mut *self.process() {
            process.used = Instant::now();
            if process.keeper.is_finished() {
                process.keeper = self.keep(&process.client);
            }
        }
    }

    /// What a living process holds of its limits.
    pub(crate) fn held(&self) -> Option<Held> {
        self.process()
            .as_ref()
            .map(|process| process.forwarder.held())
    }

    /// The answer; `None`: there is none. Who hangs up after so long hears nothing either.
    pub(crate) async fn post(
        self: &Arc<Self>,
        request: Request<Body>,
        hangs_up: Option<Duration>,
    ) -> Option<Heard> {
        self.wake();
        let (say, heard) = oneshot::channel();
        {
            let mut process = self.process();
            let process = process.as_mut()?;
            let (forwarder, bug) = (Arc::clone(&process.forwarder), self.bug);
            let task = tokio::spawn(async move {
                let begun = Instant::now();
                let mut answering = Box::pin(async move {
                    let arrival = Arrival {
                        peer: (Ipv4Addr::LOCALHOST, 0).into(),
                        first_byte: begun,
                        certificate: None,
                    };
                    let answer = forwarder.answer(request, "simulated", arrival).await;
                    let (parts, body) = answer.into_parts();
                    let body = body.collect().await.expect("it is whole").to_bytes();
                    heard_of(
                        parts.status.as_u16(),
                        &parts.headers,
                        &body,
                        begun.elapsed(),
                    )
                });
                tokio::select! {
                    biased;
                    heard = &mut answering => drop(say.send(heard)),
                    () = sleep(hangs_up.unwrap_or(FOR_EVER)) => {
                        drop(say);
                        if bug == Some(Bug::PermitLeak) {
                            mem::forget(answering);
                        } else {
                            answering.await;
                        }
                    }
                }
            });
            process.tasks.push(task.abort_handle());
        }
        heard.await.ok()
    }
}

fn heard_of(status: u16, headers: &HeaderMap, body: &[u8], after: Duration) -> Heard {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let says = body["status"].as_str().or_else(|| body["title"].as_str());
    Heard {
        status,
        says: says.unwrap_or("in the sender's words").to_owned(),
        asks_again: headers.contains_key("retry-after"),
        after,
    }
}

const FOR_EVER: Duration = Duration::from_secs(3600);
/// After the last request.
const AWAKE: Duration = Duration::from_secs(20);

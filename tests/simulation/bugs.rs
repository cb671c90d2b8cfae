//! Bugs that are put in on purpose, around the product and not in it: a harness that does not find them
//! finds nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use temporal_webhook_forwarder::forward::limits::calls::LEAST_TIME;
use temporal_webhook_forwarder::temporal::client::Client;
use temporal_webhook_forwarder::temporal::{Call, Done, Temporal};
use tokio::time::Instant;
use webhook_core::options::ReusePolicy;
use webhook_core::outcome::{Execution, Outcome, Reject};
use webhook_core::route::Verb;

use super::cluster::Cluster;

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bug {
    /// Who hangs up takes what its request holds along.
    PermitLeak,
    /// 2xx, and then Temporal is asked.
    AckBeforeStore,
    /// Ids without the source's name.
    IdCollision,
    /// Starts again what is closed.
    AllowDuplicate,
    /// A new key for each delivery of a signal or an update.
    NewEventKey,
    /// Waits for Temporal for longer than the sender waits.
    LateAnswer,
    /// A Temporal that is away is taken for one that refuses the event.
    FinalRefusal,
    /// Asks at once again whom it has asked too often.
    RetryOnOverload,
}

/// The real client, or with a bug before it.
pub(crate) struct Buggy {
    pub(crate) client: Arc<Client>,
    pub(crate) bug: Option<Bug>,
    pub(crate) cluster: Arc<Cluster>,
}

impl Temporal for Buggy {
    async fn call(&self, mut call: Box<Call>, mut deadline: Instant) -> Result<Done, Reject> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let left = deadline.saturating_duration_since(Instant::now());
        if left < LEAST_TIME {
            let id = &call.workflow_id;
            let wrong =
                format!("nothing is sent that is too late: {id:?}, {left:?} before the end");
            self.cluster.model().wrongs.push(wrong);
        }
        match self.bug {
            Some(Bug::AckBeforeStore) if call.verb == Verb::Start => {
                let execution = Execution {
                    workflow_id: call.workflow_id.clone(),
                    run_id: "run".to_owned(),
                };
                let client = Arc::clone(&self.client);
                tokio::spawn(async move { client.call(call, deadline).await });
                return Ok(Done::Outcome(Outcome::Started(execution)));
            }
            Some(Bug::IdCollision) => {
                if let Some((_, id)) = call.workflow_id.split_once(':') {
                    call.workflow_id = id.to_owned();
                }
            }
            Some(Bug::AllowDuplicate) => {
                call.options.reuse_policy = Some(ReusePolicy::AllowDuplicate);
            }
            Some(Bug::NewEventKey) => {
                call.event_key += &NEXT.fetch_add(1, Ordering::Relaxed).to_string();
            }
            Some(Bug::LateAnswer) => deadline += Duration::from_secs(10),
            _ => {}
        }
        let again = (self.bug == Some(Bug::RetryOnOverload)).then(|| call.clone());
        let done = self.client.call(call, deadline).await;
        match done {
            Err(Reject::Unavailable(why)) if self.bug == Some(Bug::FinalRefusal) => {
                Err(Reject::Unstartable(why))
            }
            Err(Reject::Unavailable(why)) if why.contains("rate limit") && again.is_some() => {
                let again = again.expect("it was just there");
                self.client.call(again, deadline).await
            }
            done => done,
        }
    }

    async fn started(&self, id: &str, deadline: Instant) -> Result<Option<Execution>, Reject> {
        self.client.started(id, deadline).await
    }

    async fn type_of(&self, run: &Execution, deadline: Instant) -> Result<Option<String>, Reject> {
        self.client.type_of(run, deadline).await
    }

    fn namespace(&self) -> &str {
        self.client.namespace()
    }

    async fn ready(&self) -> Result<(), String> {
        self.client.ready().await
    }
}

//! The model of Temporal behind a network that delays, loses, breaks and freezes: what the real client's
//! connections are made of here.

use std::future::pending;
use std::io::{self, ErrorKind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use temporal_webhook_forwarder::temporal::connect::Settings;
use temporal_webhook_forwarder::temporal::lean::unframed;
use temporal_webhook_forwarder::temporal::link::{Line, Network, connect};
use temporal_webhook_forwarder::temporal::wire::Wire;
use temporalio_client::callback_based::{CallbackBasedGrpcService, GrpcSuccessResponse};
use temporalio_client::{ConnectionOptions, Url};
use tokio::time::{sleep, sleep_until};
use tonic::{Code, Status};

use super::attempts::{Attempt, Starts};
use super::model::{Model, NAMESPACE, Said};
use super::random::Random;
use super::trace::Trace;
use super::weather::{Kind, Weather};

/// Temporal, and the way there.
pub(crate) struct Cluster {
    model: Mutex<Model>,
    random: Mutex<Random>,
    weather: Weather,
    trace: Arc<Trace>,
    starts: Mutex<Starts>,
}

/// One connection of a replica.
struct Connection {
    cluster: Arc<Cluster>,
    replica: usize,
    made: Duration,
}

/// What becomes of one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Fine,
    /// It never comes.
    Lost,
    BrokenOnTheWay,
    /// Temporal says so, and has done nothing.
    Fails(Code),
    /// It was done, and nobody hears of it.
    ReplyLost,
    BrokenOnTheWayBack,
    /// It was done, and Temporal says that it failed.
    FailsAfterwards(Code),
}

impl Cluster {
    pub(crate) fn new(
        model: Model,
        weather: Weather,
        random: Random,
        trace: Arc<Trace>,
    ) -> Arc<Self> {
        Arc::new(Self {
            model: Mutex::new(model),
            random: Mutex::new(random),
            weather,
            trace,
            starts: Mutex::default(),
        })
    }

    pub(crate) fn model(&self) -> MutexGuard<'_, Model> {
        self.model.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn starts(&self) -> MutexGuard<'_, Starts> {
        self.starts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn random(&self) -> MutexGuard<'_, Random> {
        self.random.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The network as a replica sees it.
    pub(crate) fn network(self: &Arc<Self>, replica: usize) -> Network {
        let cluster = Arc::clone(self);
        Network {
            seed: self.random().draw(),
            dial: Box::new(move |settings| Box::pin(Arc::clone(&cluster).dial(replica, settings))),
        }
    }

    async fn dial(self: Arc<Self>, replica: usize, mut settings: Settings) -> Result<Line, String> {
        let trace = Arc::clone(&self.trace);
        let connection = Arc::new(Connection {
            made: self.trace.now(),
            cluster: self,
            replica,
        });
        let official = Arc::clone(&connection);
        settings.options.service_override = Some(CallbackBasedGrpcService {
            callback: Arc::new(move |request| {
                let connection = Arc::clone(&official);
                Box::pin(async move {
                    let answer = connection.call(&request.rpc, request.proto).await?;
                    Ok(GrpcSuccessResponse {
                        headers: Default::default(),
                        proto: answer,
                    })
                })
            }),
        });
        let official = connect(&settings).await;
        if let Err(why) = &official {
            trace.say(format!("    {replica} is not connected: {why}"));
        }
        let official = official?;
        let wire: Option<Arc<dyn Wire>> = Some(connection);
        Ok(Line { official, wire })
    }
}

impl Connection {
    async fn call(&self, method: &str, message: Bytes) -> Result<Vec<u8>, Status> {
        let cluster = &self.cluster;
        let attempt = (method == START).then(|| Attempt::begin(cluster, &message));
        let (there, back, fate) = self.draw();
        sleep(there).await;
        self.passes().await?;
        let trace = |what: &str| {
            if method != "DescribeNamespace" && method != "GetSystemInfo" {
                cluster
                    .trace
                    .say(format!("    {method} of {}: {what}", self.replica));
            }
        };
        for kind in self.weather() {
            match kind {
                Kind::Busy(share) if cluster.random().chance(share) => {
                    trace("busy");
                    attempt.iter().for_each(Attempt::is_refused);
                    let text = "namespace rate limit exceeded";
                    return Err(Status::resource_exhausted(text));
                }
                Kind::Refusing => {
                    trace("refused");
                    return Err(Status::permission_denied("Request unauthorized."));
                }
                _ => {}
            }
        }
        match fate {
            Fate::Lost => {
                trace("lost");
                pending::<()>().await;
            }
            Fate::BrokenOnTheWay => return Err(broken()),
            Fate::Fails(code) => {
                trace("fails");
                return Err(Status::new(code, "of the moment"));
            }
            _ => {}
        }
        let mut said = cluster.model().ask(method, &message);
        let answer = loop {
            match said {
                Said::Now(answer) => break answer,
                Said::NotBefore(Some(at), waiting) => {
                    sleep_until(at).await;
                    said = cluster.model().resume(waiting);
                }
                Said::NotBefore(None, _) => pending().await,
            }
        };
        trace(&match &answer {
            Ok(_) => format!("done, {fate:?}"),
            Err(status) => format!("{:?}, {fate:?}", status.code()),
        });
        match fate {
            Fate::ReplyLost => pending().await,
            Fate::BrokenOnTheWayBack => return Err(broken()),
            Fate::FailsAfterwards(code) => return Err(Status::new(code, "of the moment")),
            _ => {}
        }
        sleep(back).await;
        self.passes().await?;
        answer
    }

    /// The way there, the way back.
    fn draw(&self) -> (Duration, Duration, Fate) {
        let mut random = self.cluster.random();
        let millis = |most| (Duration::from_millis(1), Duration::from_millis(most));
        let mut way = || {
            let (least, most) = millis(40);
            random.spread(least, most)
        };
        let (mut there, mut back) = (way(), way());
        let mut fate = Fate::Fine;
        for kind in self.weather() {
            match kind {
                Kind::Slow(by) => {
                    let part = random.between(Duration::ZERO, by);
                    there += part;
                    back += by - part;
                }
                Kind::Flaky(share) if random.chance(share) => {
                    let code = random.pick(&[
                        Code::Unavailable,
                        Code::Internal,
                        Code::Unknown,
                        Code::Aborted,
                        Code::DataLoss,
                    ]);
                    fate = random.pick(&[
                        Fate::Lost,
                        Fate::BrokenOnTheWay,
                        Fate::Fails(code),
                        Fate::ReplyLost,
                        Fate::BrokenOnTheWayBack,
                        Fate::FailsAfterwards(code),
                    ]);
                }
                _ => {}
            }
        }
        (there, back, fate)
    }

    fn weather(&self) -> impl Iterator<Item = Kind> {
        let Cluster { weather, trace, .. } = &*self.cluster;
        weather.at(trace.now(), self.replica)
    }

    /// Whether what is under way now comes through.
    async fn passes(&self) -> Result<(), Status> {
        let Cluster { weather, trace, .. } = &*self.cluster;
        if weather.is_frozen(self.made, trace.now(), self.replica) {
            pending::<()>().await;
        }
        for kind in self.weather() {
            match kind {
                Kind::Down => return Err(refused()),
                Kind::BlackHole => pending().await,
                _ => {}
            }
        }
        Ok(())
    }
}

impl Wire for Connection {
    fn unary(
        self: Arc<Self>,
        method: &'static str,
        frame: Bytes,
        _: Duration,
    ) -> BoxFuture<'static, Result<Bytes, Status>> {
        Box::pin(async move {
            let answer = self.call(method, unframed(frame)?).await;
            answer.map(Bytes::from)
        })
    }

    fn answers(&self) -> BoxFuture<'_, ()> {
        Box::pin(async move { drop(self.call("GetSystemInfo", Bytes::new()).await) })
    }

    fn go_on_with(&self, _: &Settings) {}
}

fn broken() -> Status {
    Status::from_error(Box::new(io::Error::from(ErrorKind::ConnectionReset)))
}

fn refused() -> Status {
    let mut status = Status::unavailable("no connection");
    status.set_source(Arc::new(io::Error::from(ErrorKind::ConnectionRefused)));
    status
}

const START: &str = "StartWorkflowExecution";

/// Of a client of the cluster.
pub(crate) fn settings(connections: usize) -> Settings {
    let target = Url::parse("http://temporal:7233").expect("a URL");
    let mut options = ConnectionOptions::new(target).build();
    options.dns_load_balancing = None;
    Settings {
        options,
        namespace: NAMESPACE.to_owned(),
        address: "temporal:7233".to_owned(),
        ui: None,
        certificate: None,
        connections,
    }
}

//! One world: a cluster, replicas, senders, weather, all drawn from a seed; it is run to its end, and then looked
//! at.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use temporal_webhook_forwarder::forward::limits::{Held, Sizes};
use tokio::runtime::Builder;
use tokio::task::JoinSet;
use tokio::time::{sleep, sleep_until};

use super::bugs::Bug;
use super::cluster::Cluster;
use super::ledger::{Counts, Ledger};
use super::model::{Model, Rules};
use super::random::Random;
use super::replica::{Heard, Replica};
use super::sender::{Event, Tried, tried};
use super::sources;
use super::trace::Trace;
use super::weather::Weather;

pub(crate) struct World {
    pub(crate) replicas: Vec<Arc<Replica>>,
    pub(crate) trace: Arc<Trace>,
    cluster: Arc<Cluster>,
    weather: Weather,
    ledger: Mutex<Ledger>,
}

/// What came of it.
#[derive(Debug, Default)]
pub(crate) struct Report {
    /// Invariants that did not hold.
    pub(crate) broken: Vec<String>,
    pub(crate) counts: Counts,
    pub(crate) trace: Vec<String>,
}

/// From its beginning to its end, in a moment: time passes when there is nothing else to do.
pub(crate) fn run(seed: u64, bug: Option<Bug>) -> Report {
    let runtime = Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build();
    let runtime = runtime.expect("a runtime");
    runtime.block_on(World::live(seed, bug))
}

impl World {
    async fn live(seed: u64, bug: Option<Bug>) -> Report {
        let mut random = Random::new(seed);
        let trace = Arc::new(Trace::new());
        let count = 1 + random.below(3);
        let weather = Weather::draw(&mut random, count);
        let cluster = cluster(&mut random, &weather, &trace);
        let sizes = Sizes {
            memory: 64 * 1024,
            steps: 2,
            starts: 4,
            starts_per_source: 2 + random.below(3),
            waiting_calls: 4,
            waiting_calls_per_source: 3,
            authorised: 1,
            ..Sizes::default()
        };
        trace.say(format!("{count} replicas, {weather:?}"));
        let replica = |index| Replica::new(index, Arc::clone(&cluster), sizes.clone(), bug);
        let world = Arc::new(Self {
            replicas: (0..count).map(replica).collect(),
            ledger: Mutex::default(),
            trace,
            cluster,
            weather,
        });
        let mut counts = vec![0; sources::known().len()];
        let mut senders = JoinSet::new();
        let events = 8 + random.below(16);
        let events: Vec<_> = (0..events)
            .map(|number| Event::draw(&mut random, number, &mut counts))
            .collect();
        for event in &events {
            senders.spawn(event.clone().send(Arc::clone(&world), random.fork()));
        }
        tokio::join!(world.kill(), world.fail_over(), async {
            while let Some(ended) = senders.join_next().await {
                ended.expect("no sender panics");
            }
        });
        // For what nobody waits for any more.
        sleep(Duration::from_secs(60)).await;
        world.report(&events)
    }

    async fn kill(&self) {
        for (at, replica, away) in self.weather.kills.iter().copied() {
            sleep_until(self.trace.begun() + at).await;
            self.trace.say(format!("{replica} is killed"));
            self.replicas[replica].kill();
            sleep(away).await;
            self.replicas[replica].begin();
            self.trace.say(format!("{replica} is back"));
        }
    }

    async fn fail_over(&self) {
        let Some((at, lag)) = self.weather.fail_over else {
            return;
        };
        sleep_until(self.trace.begun() + at.saturating_sub(lag)).await;
        self.cluster.model().replicate();
        sleep_until(self.trace.begun() + at).await;
        self.trace.say("fail-over");
        self.cluster.model().fail_over();
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes what a sender has heard, of a request that came whole or did not.
    pub(crate) fn heard(
        &self,
        event: &Event,
        begun: Duration,
        is_whole: bool,
        heard: Option<&Heard>,
    ) -> Tried {
        self.trace.say(match heard {
            Some(heard) => format!("{} <- {} {}", event.mark, heard.status, heard.says),
            None => format!("{} <- nothing", event.mark),
        });
        let facts = self.cluster.model().facts(&event.mark);
        let in_calm = begun >= self.calm() && is_whole;
        self.ledger().note(event, heard, in_calm, &facts);
        tried(heard)
    }

    /// From here on nothing is wrong any more, and everybody had the time to find out.
    fn calm(&self) -> Duration {
        self.weather.calm + Duration::from_secs(15)
    }

    fn report(&self, events: &[Event]) -> Report {
        let mut ledger = self.ledger();
        for (index, replica) in self.replicas.iter().enumerate() {
            let held = replica.held().unwrap_or_default();
            if held != Held::default() {
                ledger.broken.push(format!(
                    "no leak: replica {index} holds {held:?} in the end"
                ));
            }
        }
        let mut model = self.cluster.model();
        let facts: BTreeMap<_, _> = events
            .iter()
            .map(|event| (event.mark.clone(), model.facts(&event.mark)))
            .collect();
        for event in events {
            ledger.close(event, &facts[&event.mark]);
        }
        ledger.broken.append(&mut model.wrongs);
        Report {
            broken: ledger.broken.clone(),
            counts: ledger.counts,
            trace: self.trace.take(),
        }
    }
}

fn cluster(random: &mut Random, weather: &Weather, trace: &Arc<Trace>) -> Arc<Cluster> {
    let hours = |n: u64| Duration::from_secs(n * 3600);
    let lives = (Duration::from_millis(500), hours(30));
    let workers_from = random.chance(300).then(|| {
        trace.begun()
            + random.spread(
                Duration::from_secs(1),
                weather.calm.max(Duration::from_secs(2)),
            )
    });
    let rules = Rules {
        retention: random.pick(&[hours(24), hours(72), hours(24 * 30)]),
        max_signals: random.pick(&[3, 10_000]),
        lives: Some(lives),
        accepts: Some(random.spread(Duration::from_millis(5), Duration::from_secs(4))),
        works: Duration::from_secs(6),
        workers_from,
    };
    let mut model = Model::new(rules, random.fork());
    for customer in 0..2 {
        let closes = random
            .chance(500)
            .then(|| trace.begun() + random.spread(lives.0, lives.1));
        model.begin(&format!("job:c{customer}"), closes);
    }
    Cluster::new(model, weather.clone(), random.fork(), Arc::clone(trace))
}

/// For finding out that nothing is wrong any more.
pub(crate) const RECOVERY: Duration = Duration::from_secs(7);

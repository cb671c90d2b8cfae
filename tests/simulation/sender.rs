//! Senders: what they send, and how long they go on, by the catalogue.

use std::io;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::Frame;
use temporal_webhook_forwarder::commands::sign::sign;
use tokio::time::{Instant, sleep, sleep_until};
use webhook_core::delivery::{Delivery, DeliveryOptions};
use webhook_core::provider::Provider;
use webhook_core::provider::repeats::{Failure, Repeats};

use super::random::Random;
use super::replica::{Body, Heard, Replica};
use super::sources;
use super::weather::BUSY;
use super::world::{RECOVERY, World};

/// Something that has happened at a sender's.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    /// The index of the source that it is for.
    pub(crate) source: usize,
    /// The sender's.
    id: String,
    /// The world's: no other event has it.
    pub(crate) mark: String,
    customer: String,
    /// What else is in the body, in bytes.
    padding: usize,
    /// When it is sent for the first time, and how long after that again, if it has to be.
    begins: Duration,
    again: Vec<Duration>,
    /// It is sent twice at once.
    is_doubled: bool,
}

/// One try, for the sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tried {
    Taken,
    /// With this status, or without an answer.
    Failed(Option<u16>),
}

impl Event {
    /// The `number`th of all, and of its source.
    pub(crate) fn draw(random: &mut Random, number: usize, counts: &mut [usize]) -> Self {
        let source = random.below(counts.len());
        counts[source] += 1;
        let provider = &sources::known()[source].0.provider;
        Self {
            source,
            id: format!("evt-{}", counts[source]),
            mark: format!("{}-{number}", &sources::known()[source].0.name),
            customer: format!("c{}", random.below(3)),
            padding: if random.chance(50) {
                random.below(20_000)
            } else {
                random.below(400)
            },
            begins: random.between(Duration::ZERO, BUSY),
            again: schedule(random, &provider.repeats),
            is_doubled: random.chance(100),
        }
    }

    pub(crate) fn provider(&self) -> &'static Provider {
        &sources::known()[self.source].0.provider
    }

    pub(crate) fn path(&self) -> &'static str {
        &sources::known()[self.source].0.path
    }

    /// A rule of the operator's drops it.
    pub(crate) fn is_dropped(&self) -> bool {
        self.path() == "/svix-b" && self.customer == "c0"
    }

    /// Sends it until it is taken, or for as long as it does.
    pub(crate) async fn send(self, world: Arc<World>, mut random: Random) {
        sleep(self.begins).await;
        let begun = Instant::now();
        for after in [Duration::ZERO]
            .into_iter()
            .chain(self.again.iter().copied())
        {
            // A forwarder that runs for days has not just begun to look for Temporal.
            sleep_until(begun + after.saturating_sub(RECOVERY)).await;
            world.replicas.iter().for_each(Replica::wake);
            sleep_until(begun + after).await;
            let tried = if self.is_doubled && after == Duration::ZERO {
                let mut other = random.fork();
                let tries = tokio::join!(
                    self.attempt(&world, &mut random),
                    self.attempt(&world, &mut other)
                );
                // It hears the one that it asked first.
                tries.0
            } else {
                self.attempt(&world, &mut random).await
            };
            if !self.goes_on_after(tried) {
                return;
            }
        }
    }

    async fn attempt(&self, world: &World, random: &mut Random) -> Tried {
        let replica = random.below(world.replicas.len());
        let hangs_up = random
            .chance(30)
            .then(|| random.spread(Duration::from_millis(1), Duration::from_secs(2)));
        let (body, is_whole) = body(random, self.body());
        let request = self.request(body);
        let begun = world.trace.now();
        world.trace.say(format!("{} -> {replica}", self.mark));
        let heard = world.replicas[replica].post(request, hangs_up).await;
        world.heard(self, begun, is_whole && hangs_up.is_none(), heard.as_ref())
    }

    /// By the catalogue; where it does not say, it goes on.
    fn goes_on_after(&self, tried: Tried) -> bool {
        let Tried::Failed(status) = tried else {
            return false;
        };
        let repeats = &self.provider().repeats;
        match status.and_then(|status| StatusCode::from_u16(status).ok()) {
            Some(status) => repeats.repeats(status).unwrap_or(true),
            None => match repeats {
                Repeats::For { on, .. } => on.is_empty() || on.contains(&Failure::NoAnswer),
                Repeats::Never => false,
                Repeats::Unknown => true,
            },
        }
    }

    /// Whether the catalogue says that it repeats what is answered 503.
    pub(crate) fn is_promised(&self) -> bool {
        let repeats = &self.provider().repeats;
        let is_long = repeats.span().is_some();
        is_long && repeats.repeats(StatusCode::SERVICE_UNAVAILABLE) != Some(false)
    }

    /// There may be no workflow for it, or one that takes no more.
    pub(crate) fn may_be_parked(&self) -> bool {
        ["/odd", "/strict", "/resume", "/entity"].contains(&self.path())
    }

    /// When nothing is wrong: who waits for a worker may find all places for that taken.
    pub(crate) fn tries_that_suffice(&self) -> usize {
        match self.path() {
            "/update" | "/ask" => 3,
            _ => 1,
        }
    }

    fn body(&self) -> Vec<u8> {
        let Self {
            id, mark, customer, ..
        } = self;
        let text = "x".repeat(self.padding);
        format!(
            r#"{{"id":"{id}","event_id":"{id}","metadata":{{"event_id":"{id}"}},"type":"order","mark":"{mark}","customer":"{customer}","text":"{text}"}}"#
        )
        .into_bytes()
    }

    fn request(&self, body: Body) -> Request<Body> {
        let (source, secret) = &sources::known()[self.source];
        let url = format!("https://hooks{}", source.path);
        let options = DeliveryOptions {
            id: &self.id,
            topic: None,
            tenant: None,
            body: Some(self.body()),
            now: SystemTime::now(),
            url: &url,
            params: &[],
        };
        let delivery = Delivery::signed(&source.provider, &options, &|scheme, signed| {
            sign(scheme, secret, signed)
        });
        let delivery = delivery.expect("the sample's sender signs");
        let mut request = Request::builder().method(delivery.method).uri(&source.path);
        request = request.header("host", "hooks");
        for (name, value) in &delivery.headers {
            request = request.header(name, value);
        }
        request.body(body).expect("a request")
    }
}

/// When it tries again, after the first time: with growing pauses, the last at the end of the span.
fn schedule(random: &mut Random, repeats: &Repeats) -> Vec<Duration> {
    let (span, tries) = match repeats {
        Repeats::Never => return Vec::new(),
        Repeats::Unknown => (Duration::from_secs(300), random.below(3)),
        Repeats::For { span, .. } => (*span, 3 + random.below(5)),
    };
    let growth = 1.5 + random.below(30) as f64 / 10.0;
    let whole = growth.powi(tries as i32) - 1.0;
    let times = (1..=tries).map(|n| {
        let part = (growth.powi(n as i32) - 1.0) / whole;
        let at = span.as_secs_f64() * part;
        // Nobody keeps the time to the millisecond.
        at * (0.97 + random.below(30) as f64 / 1000.0)
    });
    times.map(Duration::from_secs_f64).collect()
}

/// As it comes: at once, or in two parts, the second of which may not come, or be an error. And whether
/// all of it comes.
fn body(random: &mut Random, bytes: Vec<u8>) -> (Body, bool) {
    let bytes = Bytes::from(bytes);
    if !random.chance(100) {
        let never = |never| match never {};
        return (Full::new(bytes).map_err(never).boxed_unsync(), true);
    }
    let middle = random.below(bytes.len());
    let pause = random.spread(Duration::from_millis(1), Duration::from_secs(10));
    let (first, second) = (bytes.slice(..middle), bytes.slice(middle..));
    let breaks = random.chance(300);
    let second = match breaks {
        true => Err(io::Error::from(io::ErrorKind::ConnectionReset)),
        false => Ok(second),
    };
    let parts = [(Duration::ZERO, Ok(first)), (pause, second)];
    let parts = stream::iter(parts).then(|(pause, part)| async move {
        sleep(pause).await;
        part.map(Frame::data)
    });
    let is_whole = !breaks && pause < Duration::from_millis(200);
    (BodyExt::boxed_unsync(StreamBody::new(parts)), is_whole)
}

/// What an answer means to the sender.
pub(crate) fn tried(heard: Option<&Heard>) -> Tried {
    match heard {
        Some(heard) if (200..300).contains(&heard.status) => Tried::Taken,
        heard => Tried::Failed(heard.map(|heard| heard.status)),
    }
}

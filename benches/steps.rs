//! What each step of an event costs, by itself: `cargo bench --bench steps`.

mod fixture;

use std::hint::black_box;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use http::{HeaderMap, HeaderValue, Method};
use prost::Message;
use temporal_webhook_forwarder::config::file::Metrics;
use temporal_webhook_forwarder::forward::Settings;
use temporal_webhook_forwarder::forward::encode::with_event;
use temporal_webhook_forwarder::load::Loaded;
use temporal_webhook_forwarder::temporal::{Call, lean, request::Caller};
use webhook_core::event::Event;
use webhook_core::payload;
use webhook_core::proto::Payload;
use webhook_core::request::Received;
use webhook_core::route::{self, Plan};
use webhook_core::source::{Source, Verification};
use webhook_core::variables;
use webhook_core::verified::Verified;
use webhook_core::verify::verify;

use self::fixture::{Delivery, Fixed, SIZES};

fn steps(criterion: &mut Criterion) {
    let world = Fixed::new("http://127.0.0.1:7233");
    let loaded = Loaded::new(&fixture::arguments(), &world);
    let config = loaded.and_then(|loaded| loaded.config);
    let config = config.unwrap_or_else(|mistakes| panic!("{mistakes:?}"));
    let settings = Settings::new(config.sources, config.codec, None, &Metrics::default());
    for size in SIZES {
        let shopify = Bench::new(&settings, &fixture::shopify("/shopify", size));
        let stripe = Bench::new(&settings, &fixture::stripe("/stripe", size));
        let mut group = criterion.benchmark_group(format!("{} kB", size / 1000));
        group.throughput(Throughput::Bytes(size as u64));
        for (name, of) in [("shopify", &shopify), ("stripe", &stripe)] {
            group.bench_function(format!("verify {name}"), |b| {
                b.iter_batched(
                    || of.received(),
                    |received| of.verify(received),
                    BatchSize::SmallInput,
                );
            });
            group.bench_function(format!("locate {name}"), |b| {
                b.iter(|| of.event(&of.verified));
            });
        }
        group.bench_function("wrap JSON", |b| b.iter(|| shopify.payload()));
        let (payload, key) = (shopify.payload(), &settings.codec.keys()[0]);
        group.bench_function("seal", |b| {
            b.iter(|| key.seal(&payload, black_box([7; 12])));
        });
        for path in ["/shopify", "/shopify-header-routes", "/shopify-body-routes"] {
            let source = source(&settings, path);
            group.bench_function(format!("plan {path}"), |b| {
                b.iter(|| plan(source, &shopify.event));
            });
        }
        group.bench_function("wrap and seal all", |b| {
            b.iter_batched(
                || shopify.planned(),
                |plan| shopify.call(&settings, plan),
                BatchSize::SmallInput,
            );
        });
        let call = shopify.call(&settings, shopify.planned());
        group.bench_function("encode the request", |b| {
            b.iter_batched(|| call.clone(), encode, BatchSize::SmallInput);
        });
    }
}

/// A delivery at each stage.
struct Bench<'a> {
    source: &'a Source,
    received: Received,
    verified: Verified,
    event: Event,
}

impl<'a> Bench<'a> {
    fn new(settings: &'a Settings, delivery: &Delivery) -> Self {
        let source = source(settings, delivery.path);
        let received = received(delivery);
        let verified = prove(source, copy(&received));
        let event = locate(source, &verified);
        Self {
            source,
            received,
            verified,
            event,
        }
    }

    fn received(&self) -> Received {
        copy(&self.received)
    }

    fn verify(&self, received: Received) -> Verified {
        prove(self.source, received)
    }

    fn event(&self, verified: &Verified) -> Event {
        locate(self.source, verified)
    }

    fn planned(&self) -> route::Call {
        match plan(self.source, &self.event) {
            Plan::Call(call) => *call,
            Plan::Drop => panic!("the source drops its events"),
        }
    }

    /// As the forwarder makes it: the event in its format, it and each value of the memo sealed.
    fn call(&self, settings: &Settings, planned: route::Call) -> Call {
        *with_event(settings, planned, &self.event, self.event.key())
    }

    fn payload(&self) -> Payload {
        payload::encode(self.source.default_route().settings.format, &self.event)
    }
}

fn source<'s>(settings: &'s Settings, path: &str) -> &'s Source {
    let mut sources = settings.sources.iter();
    sources
        .find(|source| source.path == path)
        .expect("a source")
}

fn received(delivery: &Delivery) -> Received {
    let mut headers = HeaderMap::new();
    for (name, value) in &delivery.headers {
        headers.insert(*name, HeaderValue::from_str(value).expect("a header"));
    }
    Received {
        method: Method::POST,
        path: delivery.path.to_owned(),
        query: None,
        headers,
        body: delivery.body.clone().into(),
        at: SystemTime::now(),
    }
}

/// The body's bytes are shared.
fn copy(of: &Received) -> Received {
    Received {
        method: of.method.clone(),
        path: of.path.clone(),
        query: of.query.clone(),
        headers: of.headers.clone(),
        body: of.body.clone(),
        at: of.at,
    }
}

fn prove(source: &Source, received: Received) -> Verified {
    let Verification::Signature { verifiers, .. } = &source.verification else {
        panic!("{} has no secret", source.path);
    };
    let now = received.at;
    verify(
        verifiers,
        &source.verify_context,
        |_| true,
        &[],
        received,
        now,
    )
    .expect("a right signature")
}

fn locate(source: &Source, verified: &Verified) -> Event {
    Event::new(verified, &source.provider, &source.path, "env:KEY").expect("an event")
}

fn plan(source: &Source, event: &Event) -> Plan {
    let mut scope = variables::scope(event, &source.name);
    let index = route::choose(&source.routes, &mut scope).expect("a route");
    source.routes[index]
        .settings
        .plan(event, &mut scope)
        .expect("a plan")
}

fn encode(call: Call) -> Bytes {
    let caller = Caller {
        namespace: "default",
        identity: "bench",
    };
    let (start, payloads) = caller.start(call);
    let length = start.encoded_len() + payloads.encoded_len();
    lean::frame_of(&start, &payloads, length)
}

criterion_group! {
    name = all;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .sample_size(30);
    targets = steps
}
criterion_main!(all);

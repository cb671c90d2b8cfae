//! Load for long, with connections that come and go and a fault now and then: what a replica holds does not grow, and
//! in the end is what it was. A few seconds here; `make soak` takes half an hour.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::Scale;
use super::ledger::Ledger;
use super::load::Load;
use super::replicas::{COUNT, Doors, Replicas};
use crate::support::forwarder::Forwarder;
use crate::support::held::Held;
use crate::support::proxy::ChaosProxy;
use crate::support::temporal::Temporal;
use crate::support::wait::{PATIENCE, run, until};

#[test]
fn what_a_replica_holds_does_not_grow() {
    run(async {
        let (scale, minutes) = scale();
        let temporal = Temporal::start(&[]).await;
        let mut proxy = ChaosProxy::start(temporal.address()).await;
        let doors = Arc::new(Doors::default());
        let replicas = Replicas::start(proxy.address(), &doors).await;
        let before: Vec<_> = replicas.running().iter().map(held).collect();
        let ledger = Arc::new(Ledger::new(scale));
        let load = Load {
            ledger: Arc::clone(&ledger),
            doors: Arc::clone(&doors),
            temporal: temporal.connection().clone(),
            kills: false,
        };
        let load = load.start("soak", scale);
        let began = Instant::now();
        let mut samples = vec![Vec::new(); COUNT];
        let mut faults = 0;
        while began.elapsed() < scale.length {
            // Each sender's connections are others than before, sooner or later.
            for _ in 0..10 {
                doors.churn(&replicas);
                sleep(TICK / 10).await;
            }
            for (samples, replica) in samples.iter_mut().zip(replicas.running()) {
                samples.push((began.elapsed(), apart_from_clients(replica).await));
            }
            let due = scale.calm * (faults + 1) + scale.fault * faults;
            if began.elapsed() > due && due + scale.fault < scale.length {
                strike(&mut proxy, faults, scale.fault).await;
                ledger.returned();
                faults += 1;
            }
        }
        assert!(faults > 0, "there was no time for a fault");
        load.finish().await;
        doors.shut();
        for (before, replica) in before.iter().zip(replicas.running()) {
            until("it holds what it held", PATIENCE, async || {
                held(replica).is_back_at(before)
            })
            .await;
            let gauges = replica.metrics().await;
            for gauge in ["in_flight 0", "connections 0"] {
                let line = format!("webhook_forwarder_{gauge}");
                assert!(
                    gauges.lines().any(|known| known == line),
                    "{line}: {gauges}"
                );
            }
        }
        for (number, samples) in samples.iter().enumerate() {
            // The first fifth is for warming up.
            let warm = samples.len() / 5;
            let growth = |what: fn(&Held) -> f64| slope(&samples[warm..], what) * 600.0;
            let memory = growth(|held| held.kilobytes) / 1024.0;
            let (files, threads) = (growth(|held| held.files), growth(|held| held.threads));
            println!(
                "replica {number}: {memory:+.2} MiB, {files:+.2} descriptors, {threads:+.2} threads in 10 minutes; \
                 {:?} before, {:?} at last",
                before[number],
                samples.last().expect("there are some").1,
            );
            if minutes {
                assert!(memory < 1.0, "memory grows: {memory} MiB in 10 minutes");
                assert!(files < 5.0 && threads < 1.0, "{files} {threads}");
            }
        }
        println!("soak: {}", ledger.counts());
        let wrong = ledger.faults(&temporal).await;
        assert_eq!(wrong, [""; 0], "{}", ledger.counts());
    });
}

fn held(replica: &Forwarder) -> Held {
    Held::by(replica.id())
}

/// Without the descriptors of its clients' connections: how many they open is their matter.
async fn apart_from_clients(replica: &Forwarder) -> Held {
    let mut held = held(replica);
    let page = replica.metrics().await;
    let mut lines = page.lines();
    let open = lines.find_map(|line| line.strip_prefix("webhook_forwarder_connections "));
    held.files -= open.expect("a gauge").parse::<f64>().expect("a number");
    held
}

/// One that the connections to Temporal get over.
async fn strike(proxy: &mut ChaosProxy, number: u32, length: Duration) {
    match number % 5 {
        0 => proxy.refuse().await,
        1 => proxy.black_hole().await,
        2 => proxy.delay(Duration::from_secs(1)).await,
        3 => proxy.freeze_next(),
        _ => proxy.cut(),
    }
    sleep(length).await;
    proxy.pass().await;
}

/// `SOAK_MINUTES`, and whether it is that long.
fn scale() -> (Scale, bool) {
    let minutes = std::env::var("SOAK_MINUTES").ok();
    let minutes = minutes.map(|text| text.parse::<u64>().expect("SOAK_MINUTES is a number"));
    let rate = std::env::var("SOAK_RATE").ok();
    let rate = rate.map(|text| text.parse().expect("SOAK_RATE is a number"));
    let brief = Scale {
        length: Duration::from_secs(4),
        calm: Duration::from_secs(1),
        fault: Duration::from_secs(1),
        ..Scale::of_this_run()
    };
    let Some(minutes) = minutes else {
        return (brief, false);
    };
    let long = Scale {
        length: Duration::from_secs(60 * minutes),
        rate: rate.unwrap_or(200),
        calm: Duration::from_secs(60 * minutes) / 8,
        fault: Duration::from_secs(5),
        ..brief
    };
    (long, true)
}

/// Of the line that fits best, in a second.
fn slope(samples: &[(Duration, Held)], what: fn(&Held) -> f64) -> f64 {
    let count = samples.len() as f64;
    let points = samples
        .iter()
        .map(|(at, held)| (at.as_secs_f64(), what(held)));
    let (x, y) = points
        .clone()
        .fold((0.0, 0.0), |(x, y), point| (x + point.0, y + point.1));
    let (x, y) = (x / count, y / count);
    let (above, below) = points.fold((0.0, 0.0), |(above, below), point| {
        let from = point.0 - x;
        (above + from * (point.1 - y), below + from * from)
    });
    above / below
}

const TICK: Duration = Duration::from_millis(500);

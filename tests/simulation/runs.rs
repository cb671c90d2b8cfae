//! Many worlds: every invariant holds in each, each is the same whenever it is run, and bugs are found.

use std::env;
use std::time::Instant;

use indicatif::{ProgressBar, ProgressStyle};

use super::bugs::Bug;
use super::ledger::Counts;
use super::world::{Report, run};

/// As many as are run when nobody asks for more.
const FEW: u64 = 500;

#[test]
fn every_invariant_holds_in_every_world() {
    if let Some(seed) = number("SEED") {
        let report = run(seed, None);
        println!("{}", report.trace.join("\n"));
        return report.assert_fine(seed);
    }
    let seeds = number("SEEDS").unwrap_or(FEW);
    let from = number("FROM").unwrap_or(0);
    let bar = ProgressBar::new(seeds);
    let style = ProgressStyle::with_template("{wide_bar} {pos}/{len} worlds, {eta} left");
    bar.set_style(style.expect("a template"));
    let (begun, mut all) = (Instant::now(), Counts::default());
    for seed in from..from + seeds {
        let report = run(seed, None);
        report.assert_fine(seed);
        all.add(report.counts);
        bar.inc(1);
    }
    bar.finish_and_clear();
    let took = begun.elapsed();
    println!("{seeds} worlds in {took:.1?}: {all:?}");
    // A simulation in which nothing happens proves nothing.
    let Counts {
        events,
        tries,
        acked,
        ..
    } = all;
    assert!(tries > events + events / 4 && acked > events / 2, "{all:?}");
    if seeds >= FEW {
        let apart = [
            all.rolled_back,
            all.forgotten,
            all.again,
            all.not_repeated,
            all.given_up,
        ];
        assert!(!apart.contains(&0), "{all:?}");
    }
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    for seed in 0..40 {
        let (one, other) = (run(seed, None).trace, run(seed, None).trace);
        let mut both = one.iter().zip(&other);
        if let Some((one, other)) = both.find(|(one, other)| one != other) {
            panic!("seed {seed}:\n{one}\n{other}");
        }
        assert_eq!(one.len(), other.len(), "seed {seed}");
    }
    assert_ne!(run(1, None).trace, run(2, None).trace);
}

#[test]
fn every_bug_that_is_put_in_on_purpose_is_found() {
    for (bug, invariant) in [
        (Bug::PermitLeak, "no leak"),
        (Bug::AckBeforeStore, "no 2xx without Temporal's word"),
        (Bug::IdCollision, "no 2xx without Temporal's word"),
        (Bug::AllowDuplicate, "once"),
        (Bug::NewEventKey, "once"),
        (Bug::LateAnswer, "an answer within the deadline"),
        (Bug::FinalRefusal, "only what can never start is parked"),
        (Bug::RetryOnOverload, "no retry on overload"),
    ] {
        let found = (0..FEW).find_map(|seed| {
            let report = run(seed, Some(bug));
            let broken = report.broken.into_iter();
            let mut of_it = broken.filter(|broken| broken.starts_with(invariant));
            of_it.next().map(|broken| (seed, broken))
        });
        let (seed, broken) = found.unwrap_or_else(|| panic!("{bug:?} is not found"));
        println!("{bug:?}: seed {seed}: {broken}");
    }
}

impl Report {
    fn assert_fine(&self, seed: u64) {
        let Self { broken, trace, .. } = self;
        if broken.is_empty() {
            return;
        }
        let last = trace.len().saturating_sub(200);
        panic!(
            "{}\n\n{}\n\nSEED={seed} cargo test --test simulation every_invariant -- --nocapture",
            trace[last..].join("\n"),
            broken.join("\n")
        );
    }
}

fn number(name: &str) -> Option<u64> {
    let text = env::var(name).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{name}={text}: expected a number")),
    )
}

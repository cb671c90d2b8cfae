//! Deterministic simulation: forwarders, senders and a model of Temporal in one thread, on a clock that jumps
//! from one thing that happens to the next, with all that goes wrong drawn from a seed.
//!
//! The product is real from a request's head down to the calls on its connections: admission, limits, deadlines,
//! retries, hedges, frozen connections and their replacement. Below is `cluster.rs`: a network that delays, loses
//! and breaks, and behind it `model.rs`. Why a tokio runtime of one thread with paused time: senders repeat over
//! days, which turmoil would go through in ticks; madsim wants another tokio below all libraries; and nothing here
//! needs sockets, for the seam is one trait, `temporal::wire`.
//!
//! `SEED=7` runs one world and prints its trace; `SEEDS=100000` that many: `make simulate`.

#[allow(dead_code, reason = "the other test binary uses the rest")]
mod support;

mod simulation {
    mod attempts;
    mod bugs;
    mod cluster;
    mod ledger;
    mod model;
    mod random;
    mod replica;
    mod runs;
    mod sender;
    mod sources;
    mod table;
    mod trace;
    mod weather;
    mod world;
}

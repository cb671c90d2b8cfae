//! End to end: the real binary, a real Temporal server, a real worker, a network that breaks.

mod support;

mod e2e {
    mod actions;
    mod admin;
    mod bodies;
    mod broken_http;
    mod catalogue;
    mod check;
    mod clients;
    mod codec_server;
    mod compression;
    mod connection;
    mod dead_letters;
    mod delivery;
    mod delivery_ids;
    mod dev;
    mod drill;
    mod duplicates;
    mod events;
    mod example;
    mod examples;
    mod fetch;
    mod formats;
    mod forms;
    mod frozen;
    mod full;
    mod generic;
    mod handshakes;
    mod harness;
    mod ids;
    mod index;
    mod labels;
    mod large;
    mod limits;
    mod metrics;
    mod operations;
    mod outage;
    mod payload;
    mod queues;
    mod refusal_log;
    mod refusals;
    mod reload;
    mod replay;
    mod resets;
    mod routes;
    mod sdk;
    mod send;
    mod shutdown;
    mod slow;
    mod tenants;
    mod text_log;
    mod visits;
    mod worker;
    mod workers;
}

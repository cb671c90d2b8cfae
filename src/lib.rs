//! Stands between webhook senders and Temporal: verifies the sender's signature, can encrypt the
//! payload in Temporal's codec format, starts exactly one workflow per event, and answers 2xx
//! only then. It keeps no state.
//!
//! - [`webhook_core`]: decides everything, does no IO
//! - [`config`]: everything a person typed, checked
//! - [`forward`]: the story of one webhook, top to bottom
//! - [`server`]: sockets, TLS, limits, drain
//! - [`storage`]: large payloads, stored in S3
//! - [`temporal`]: the connection to Temporal, its answers
//! - [`events`]: what was received, as Temporal has it
//! - [`admin`]: health and metrics
//! - [`codec_server`]: Temporal's remote codec protocol
//! - [`acme`]: certificates that an authority issues by itself
//! - [`systemd`]: sockets and messages, where it runs the process
//! - [`commands`]: one file per subcommand
//!
//! `ARCHITECTURE.md` has the map and the invariants.

pub mod acme;
pub mod admin;
pub mod cli;
pub mod codec_server;
pub mod commands;
pub mod config;
pub mod events;
pub mod expiry;
pub mod forward;
pub mod load;
pub mod reload;
pub mod server;
pub mod storage;
pub mod systemd;
pub mod telemetry;
pub mod temporal;
pub mod tls;

//! The pure core: it decides everything and does no IO. The clock, nonces, the environment and
//! files come in as arguments, so every decision can be tested with fixed values.

pub mod action;
pub mod base64;
pub mod client;
pub mod client_certificate;
pub mod codec;
pub mod dead_letter;
pub mod delivery;
pub mod event;
pub mod expression;
pub mod form;
pub mod handshake;
pub mod hint;
pub mod holes;
pub mod index;
pub mod keys;
pub mod large;
pub mod limit;
pub mod options;
pub mod outcome;
pub mod payload;
pub mod proto;
pub mod provider;
pub mod replay;
pub mod request;
pub mod request_kind;
pub mod respond;
pub mod route;
pub mod secret;
pub mod shown;
pub mod similar;
pub mod source;
pub mod variables;
pub mod verified;
pub mod verify;

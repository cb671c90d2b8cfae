//! What is known of a request while it is handled: its head from the beginning, the rest as it becomes known.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use tokio::time::Instant;
use webhook_core::client_certificate::ClientCertificate;
use webhook_core::dead_letter::Cause;
use webhook_core::event::Event;
use webhook_core::source::Source;

use crate::forward::metrics::SourceMetrics;
use crate::forward::trace::Webhook;

/// How a request came.
#[derive(Debug, Clone)]
pub struct Arrival {
    /// Whose connection it came on.
    pub peer: SocketAddr,
    /// When its first byte was read; in HTTP/2, when its head was.
    pub first_byte: Instant,
    /// What its client has shown in the handshake.
    pub certificate: Option<Arc<ClientCertificate>>,
}

/// One request, for whoever handles it and for its log line.
pub struct RequestContext<'a> {
    /// Names it in the answer and in the log.
    pub id: &'a str,
    /// Its head.
    pub parts: &'a Parts,
    /// When it began: its deadline counts from here.
    pub first_byte: Instant,
    /// Whence it came: the client's address, as far as it is known.
    pub peer: IpAddr,
    /// What its client has shown in the handshake.
    pub certificate: Option<Arc<ClientCertificate>>,
    /// Whose path it has, and its metrics.
    pub source: Option<(&'a Source, &'a SourceMetrics)>,
    /// The raw body, from when it is read until the sender is proven: for its length and its look.
    pub unproven_body: Option<Bytes>,
    /// Whether its sender is proven.
    pub is_proven: bool,
    /// What it says, once its sender is proven.
    pub event: Option<Arc<Event>>,
    /// The route it took, if the source has any.
    pub route: Option<&'a str>,
    /// Why it became a dead letter, or should have.
    pub parked: Option<Cause>,
    /// Bytes of its body, once it is read.
    pub body_bytes: Option<usize>,
    /// The raw body, if its source keeps something of what is refused.
    pub captured_body: Option<Bytes>,
    /// How long Temporal took for it, if it was asked.
    pub temporal_took: Option<Duration>,
    /// Whether the operator sent it, to try.
    pub is_test: bool,
    /// Its span, if spans are made of webhooks.
    pub trace: Option<Box<Webhook<'a>>>,
}

impl<'a> RequestContext<'a> {
    /// Of a request of which nothing but the head is known.
    pub const fn new(id: &'a str, parts: &'a Parts, first_byte: Instant, peer: IpAddr) -> Self {
        Self {
            id,
            parts,
            first_byte,
            peer,
            certificate: None,
            source: None,
            unproven_body: None,
            is_proven: false,
            event: None,
            route: None,
            parked: None,
            body_bytes: None,
            captured_body: None,
            temporal_took: None,
            is_test: false,
            trace: None,
        }
    }
}

//! Every kind of connection that brings no request, with what the log says of it.

use super::Kind;

/// A handshake that succeeded.
pub(in crate::server) static OK: Kind = Kind::handshake("ok", "");
/// None in time.
pub(in crate::server) static TIMEOUT: Kind =
    Kind::handshake("timeout", "the client did not finish in 10 s");
pub(super) static UNTRUSTED: Kind = Kind::handshake(
    "untrusted",
    "the client does not trust our certificate: has it expired, is its name another, does fullchain.pem lack the intermediate?",
);
pub(super) static PLAIN_HTTP: Kind = Kind::handshake(
    "plain_http",
    "plain HTTP came to the TLS port: the client needs https://, or the forwarder --no-tls behind a proxy",
);
pub(super) static PROXY_LINE: Kind = Kind::handshake(
    "proxy_line",
    "a PROXY protocol header came before TLS: name the balancer in [server] trusted_proxies beside proxy_protocol = true, or switch it off there",
);
pub(super) static NOT_TLS: Kind = Kind::handshake("not_tls", "what came is neither TLS nor HTTP");
pub(super) static OLD_VERSION: Kind = Kind::handshake(
    "old_version",
    "the client speaks neither TLS 1.2 nor TLS 1.3",
);
pub(super) static INCOMPATIBLE: Kind = Kind::handshake(
    "incompatible",
    "the client has no cipher suite, group or signature algorithm in common with us",
);
pub(super) static NO_CLIENT_CERTIFICATE: Kind = Kind::handshake(
    "no_client_certificate",
    "the client showed no certificate, and client_ca asks for one",
);
pub(super) static CLIENT_CERTIFICATE: Kind = Kind::handshake(
    "client_certificate",
    "the client's certificate is not of client_ca, not valid now, or not made for clients",
);
pub(super) static NO_CERTIFICATE: Kind = Kind::handshake(
    "no_certificate",
    "there is no certificate yet: ACME is to bring one, and `no certificate could be ordered` in the log says what is in its way",
);
pub(super) static CLOSED: Kind = Kind::handshake(
    "closed",
    "the client went away in the middle; some do so if they do not trust the certificate",
);
pub(super) static OTHER: Kind = Kind::handshake("other", "the client does not keep to TLS");
pub(super) const HANDSHAKES: [&Kind; 13] = [
    &OK,
    &UNTRUSTED,
    &PLAIN_HTTP,
    &PROXY_LINE,
    &NOT_TLS,
    &OLD_VERSION,
    &INCOMPATIBLE,
    &NO_CLIENT_CERTIFICATE,
    &CLIENT_CERTIFICATE,
    &NO_CERTIFICATE,
    &CLOSED,
    &TIMEOUT,
    &OTHER,
];

pub(super) static MALFORMED: Kind = Kind::head("malformed", "a request's head is no HTTP/1.1");
pub(super) static TOO_LARGE: Kind = Kind::head(
    "too_large",
    "a request's head is over 32 KiB or 100 headers, or its URL is too long",
);
pub(super) static HTTP_PROXY_LINE: Kind = Kind::head(
    "proxy_line",
    "a PROXY protocol header came before HTTP: name the balancer in [server] trusted_proxies beside proxy_protocol = true, or switch it off there",
);
pub(super) static TLS: Kind = Kind::head(
    "tls",
    "TLS came to the plain HTTP port: the client needs http://, or the forwarder a certificate instead of --no-tls",
);
pub(super) static HTTP2_UNASKED: Kind = Kind::head(
    "http2_unasked",
    "HTTP/2 came where it was not agreed on: without TLS this port speaks HTTP/1.1",
);
pub(super) static HTTP2: Kind = Kind::head("http2", "the client does not keep to HTTP/2");
pub(super) const HEADS: [&Kind; 6] = [
    &MALFORMED,
    &TOO_LARGE,
    &HTTP_PROXY_LINE,
    &TLS,
    &HTTP2_UNASKED,
    &HTTP2,
];

/// A proxy said whose connection it is, or that it is its own.
pub(in crate::server) static PROXY_OK: Kind = Kind::proxy("ok", "");
pub(in crate::server) static PROXY_MISSING: Kind = Kind::proxy(
    "missing",
    "it does not begin with a PROXY protocol header, and proxy_protocol is true: switch it on at the balancer, or take the peer out of trusted_proxies",
);
pub(in crate::server) static PROXY_MALFORMED: Kind = Kind::proxy(
    "malformed",
    "what it begins with is no PROXY protocol header of version 1 or 2",
);
pub(in crate::server) static PROXY_CLOSED: Kind =
    Kind::proxy("closed", "the proxy went away in the middle of its header");
pub(in crate::server) static PROXY_TIMEOUT: Kind =
    Kind::proxy("timeout", "the proxy did not send its header in 10 s");
pub(super) const PROXIES: [&Kind; 5] = [
    &PROXY_OK,
    &PROXY_MISSING,
    &PROXY_MALFORMED,
    &PROXY_CLOSED,
    &PROXY_TIMEOUT,
];

/// The connection that was idle longest, closed for a new one.
pub(in crate::server) static EVICTED: Kind = Kind::shed(
    "idle",
    "as many connections are open as may be: the one that was idle longest is closed for a new one",
);
/// A new connection, none being idle.
pub(in crate::server) static FULL: Kind = Kind::shed(
    "full",
    "as many connections are open as may be, and each has a request in flight: a new one is closed",
);
/// A new connection of a peer whose share is taken, none of them being idle.
pub(in crate::server) static SHARE: Kind = Kind::shed(
    "peer",
    "the peer holds max_connections_per_peer, and each has a request in flight: a new one is closed",
);
pub(super) const SHEDS: [&Kind; 3] = [&EVICTED, &FULL, &SHARE];

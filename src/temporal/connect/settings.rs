//! What a connection is made with, checked.

use std::fmt;
use std::ops::Range;

use temporalio_client::{ConnectionOptions, GrpcCompression, HttpConnectProxyOptions, TlsOptions};

/// Everything a connection needs. Its `Debug` shows no secret.
#[derive(Clone)]
pub struct Settings {
    /// For the client.
    pub options: ConnectionOptions,
    /// The namespace.
    pub namespace: String,
    /// The address, for messages.
    pub address: String,
    /// How many connections there are to be.
    pub connections: usize,
    /// Where Temporal's web interface is, if that is known.
    pub ui: Option<String>,
    /// From when until when the client certificate is valid, Unix seconds, if there is one.
    pub certificate: Option<Range<i64>>,
}

impl Settings {
    /// Whether it is Temporal Cloud, where some things are done elsewhere.
    pub fn is_cloud(&self) -> bool {
        is_cloud(&self.address)
    }

    /// How the connection is secured, for people: `TLS with a client certificate, API key`.
    pub fn security(&self) -> String {
        let options = &self.options;
        let mut parts = vec![match &options.tls_options {
            None => "no TLS",
            Some(tls) if tls.client_tls_options.is_some() => "mTLS",
            Some(_) => "TLS",
        }];
        let tls = options.tls_options.as_ref();
        if tls.is_some_and(|tls| tls.server_root_ca_cert.is_some()) {
            parts.push("own CA");
        }
        if options.api_key.is_some() {
            parts.push("API key");
        }
        if options.headers.is_some() {
            parts.push("gRPC metadata");
        }
        let proxy = options
            .http_connect_proxy
            .as_ref()
            .map(|proxy| format!("through the proxy {}", proxy.target_addr));
        parts.extend(proxy.as_deref());
        if options.grpc_compression == GrpcCompression::Gzip {
            parts.push("gzip");
        }
        parts.join(", ")
    }

    /// What may be wrong if the server takes a connection and then closes it: with TLS 1.3 the
    /// reason often arrives too late.
    pub const fn doubt(&self) -> &'static str {
        match &self.options.tls_options {
            None => " (does the server ask for TLS?)",
            Some(tls) if tls.client_tls_options.is_none() => {
                " (does the server ask for a client certificate?)"
            }
            Some(_) => " (does the server accept the client certificate?)",
        }
    }

    /// Whether a connection made with the others serves these, too: all but what goes along with
    /// every call is equal.
    pub fn has_channel_of(&self, others: &Self) -> bool {
        let (one, other) = (&self.options, &others.options);
        self.connections == others.connections
            && one.target == other.target
            && one.grpc_compression == other.grpc_compression
            && proxy(one.http_connect_proxy.as_ref()) == proxy(other.http_connect_proxy.as_ref())
            && tls(one.tls_options.as_ref()) == tls(other.tls_options.as_ref())
    }

    /// Whether the connection is secured and used in the very same way.
    pub fn connects_as(&self, others: &Self) -> bool {
        let (one, other) = (&self.options, &others.options);
        self.has_channel_of(others) && one.api_key == other.api_key && one.headers == other.headers
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("address", &self.address)
            .field("namespace", &self.namespace)
            .field("security", &self.security())
            .finish_non_exhaustive()
    }
}

/// Whether Temporal Cloud is at this address.
pub(super) fn is_cloud(address: &str) -> bool {
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    CLOUD.iter().any(|domain| host.ends_with(domain))
}

const CLOUD: [&str; 2] = [".tmprl.cloud", ".api.temporal.io"];

fn proxy(proxy: Option<&HttpConnectProxyOptions>) -> Option<(&str, Option<&(String, String)>)> {
    proxy.map(|proxy| (proxy.target_addr.as_str(), proxy.basic_auth.as_ref()))
}

/// What a TLS session depends on: authority, name, certificate, key.
fn tls(tls: Option<&TlsOptions>) -> Option<[Option<&[u8]>; 4]> {
    tls.map(|tls| {
        let identity = tls.client_tls_options.as_ref();
        [
            tls.server_root_ca_cert.as_deref(),
            tls.domain.as_deref().map(str::as_bytes),
            identity.map(|identity| identity.client_cert.as_slice()),
            identity.map(|identity| identity.client_private_key.as_slice()),
        ]
    })
}

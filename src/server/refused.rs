//! Connections that bring no request: TLS handshakes that fail, HTTP that nobody can read, and those for
//! which there is no room. Counted by kind, and logged once a minute.

mod kinds;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::error::Error as _;
use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::sleep;
use tokio_rustls::rustls::{AlertDescription, Error, PeerIncompatible};

use self::kinds::*;
pub(super) use self::kinds::{
    EVICTED, FULL, OK, PROXY_CLOSED, PROXY_MALFORMED, PROXY_MISSING, PROXY_OK, PROXY_TIMEOUT,
    SHARE, TIMEOUT,
};
use crate::telemetry::{CONNECTIONS_SHED, HTTP_ERRORS, PROXY_HEADERS, TLS_HANDSHAKES};

/// One way to end, or to begin.
#[derive(Debug)]
pub struct Kind {
    metric: &'static str,
    label: &'static str,
    /// Of the label.
    value: &'static str,
    /// For the log; empty: it is not logged.
    reason: &'static str,
}

/// Counts kinds, and logs each once a minute at most.
#[derive(Debug, Clone)]
pub struct Refusals(Arc<Mutex<HashMap<Name, Minute>>>);

/// Metric and the label's value.
type Name = (&'static str, &'static str);

/// What came since the last line of a kind.
#[derive(Debug, Default)]
struct Minute {
    count: u64,
    last: Option<IpAddr>,
}

impl Refusals {
    /// Every kind has been counted 0 times.
    pub fn new() -> Self {
        for kind in all() {
            kind.count(0);
        }
        Self(Arc::default())
    }

    /// Counts one. The first is logged at once, what comes within a minute after it at its end.
    pub fn note(&self, kind: &'static Kind, peer: IpAddr) {
        kind.count(1);
        if kind.reason.is_empty() {
            return;
        }
        let peer = peer.to_canonical();
        let is_first = self.change(|minutes| {
            let is_first = !minutes.contains_key(&kind.name());
            let minute = minutes.entry(kind.name()).or_default();
            if !is_first {
                minute.count += 1;
                minute.last = Some(peer);
            }
            is_first
        });
        if is_first {
            kind.log(1, peer);
            tokio::spawn(self.clone().minutes(kind));
        }
    }

    /// A line at the end of each minute in which some came.
    async fn minutes(self, kind: &'static Kind) {
        loop {
            sleep(MINUTE).await;
            let minute = self.change(|minutes| {
                let minute = minutes.get_mut(&kind.name()).map(std::mem::take);
                let minute = minute.filter(|minute| minute.count > 0);
                if minute.is_none() {
                    minutes.remove(&kind.name());
                }
                minute
            });
            match minute.and_then(|Minute { count, last }| Some((count, last?))) {
                Some((count, peer)) => kind.log(count, peer),
                None => return,
            }
        }
    }

    fn change<R>(&self, change: impl FnOnce(&mut HashMap<Name, Minute>) -> R) -> R {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Default for Refusals {
    fn default() -> Self {
        Self::new()
    }
}

impl Kind {
    const fn handshake(value: &'static str, reason: &'static str) -> Self {
        Self {
            metric: TLS_HANDSHAKES,
            label: "result",
            value,
            reason,
        }
    }

    const fn head(value: &'static str, reason: &'static str) -> Self {
        Self {
            metric: HTTP_ERRORS,
            label: "kind",
            value,
            reason,
        }
    }

    const fn proxy(value: &'static str, reason: &'static str) -> Self {
        Self {
            metric: PROXY_HEADERS,
            label: "result",
            value,
            reason,
        }
    }

    const fn shed(value: &'static str, reason: &'static str) -> Self {
        Self {
            metric: CONNECTIONS_SHED,
            label: "reason",
            value,
            reason,
        }
    }

    const fn name(&self) -> Name {
        (self.metric, self.value)
    }

    fn count(&self, times: u64) {
        metrics::counter!(self.metric, self.label => self.value).increment(times);
    }

    fn log(&self, count: u64, peer: IpAddr) {
        let (kind, reason) = (self.value, self.reason);
        match self.metric {
            TLS_HANDSHAKES => tracing::info!(kind, count, %peer, reason, "TLS handshakes failed"),
            PROXY_HEADERS => {
                tracing::warn!(kind, count, %peer, reason, "connections of a trusted proxy closed");
            }
            HTTP_ERRORS => {
                tracing::info!(kind, count, %peer, reason, "requests could not be read");
            }
            _ => tracing::warn!(kind, count, %peer, reason, "connections closed for want of room"),
        }
    }
}

fn all() -> impl Iterator<Item = &'static Kind> {
    let kinds = HANDSHAKES.into_iter().chain(HEADS);
    kinds.chain(PROXIES).chain(SHEDS)
}

/// Why a handshake failed, by the client's first bytes, rustls' error, and whether a certificate is still to come.
pub(super) fn handshake(
    opening: &[u8],
    error: &io::Error,
    awaits_certificate: bool,
) -> &'static Kind {
    use PeerIncompatible as Lacks;
    let error = error.get_ref().and_then(|error| error.downcast_ref());
    match error {
        _ if is_proxy_line(opening) => &PROXY_LINE,
        _ if is_http(opening) => &PLAIN_HTTP,
        _ if opening.first() != Some(&HANDSHAKE_RECORD) => &NOT_TLS,
        Some(Error::AlertReceived(alert)) if distrusts(*alert) => &UNTRUSTED,
        Some(
            Error::AlertReceived(AlertDescription::ProtocolVersion)
            | Error::PeerIncompatible(
                Lacks::Tls12NotOffered
                | Lacks::Tls12NotOfferedOrEnabled
                | Lacks::ServerTlsVersionIsDisabledByOurConfig
                | Lacks::ServerDoesNotSupportTls12Or13
                | Lacks::SupportedVersionsExtensionRequired,
            ),
        ) => &OLD_VERSION,
        Some(Error::PeerIncompatible(_)) if is_old(opening) => &OLD_VERSION,
        Some(
            Error::PeerIncompatible(_) | Error::AlertReceived(AlertDescription::HandshakeFailure),
        ) => &INCOMPATIBLE,
        Some(Error::NoCertificatesPresented) => &NO_CLIENT_CERTIFICATE,
        Some(Error::InvalidCertificate(_)) => &CLIENT_CERTIFICATE,
        // That there was none to show has no name of its own there.
        Some(Error::General(_)) if awaits_certificate => &NO_CERTIFICATE,
        Some(_) => &OTHER,
        None => &CLOSED,
    }
}

/// Why hyper refused what should have been a request; `None`: it did not, the connection ended.
pub(super) fn http1(opening: &[u8], error: &hyper::Error) -> Option<&'static Kind> {
    error.is_parse().then_some(match opening {
        _ if is_proxy_line(opening) => &HTTP_PROXY_LINE,
        [HANDSHAKE_RECORD, 3, ..] => &TLS,
        _ if error.is_parse_version_h2() => &HTTP2_UNASKED,
        _ if error.is_parse_too_large() => &TOO_LARGE,
        _ => &MALFORMED,
    })
}

/// The same of HTTP/2, where the whole connection ends.
pub(super) fn http2(error: &hyper::Error) -> Option<&'static Kind> {
    let ended = error
        .source()
        .is_some_and(|source| source.is::<io::Error>());
    (!ended && !error.is_timeout() && !error.is_canceled()).then_some(&HTTP2)
}

/// By the version in the first message, after the headers of record and message: TLS 1.3 says 1.2 there, too.
fn is_old(opening: &[u8]) -> bool {
    opening
        .get(9..11)
        .is_some_and(|version| version < [3, 3].as_slice())
}

fn distrusts(alert: AlertDescription) -> bool {
    use AlertDescription as Alert;
    matches!(
        alert,
        Alert::UnknownCA
            | Alert::BadCertificate
            | Alert::UnsupportedCertificate
            | Alert::CertificateRevoked
            | Alert::CertificateExpired
            | Alert::CertificateUnknown
            | Alert::AccessDenied
            // another authority of the same name: the certificate's signature does not hold
            | Alert::DecryptError
    )
}

fn is_http(opening: &[u8]) -> bool {
    METHODS.iter().any(|method| opening.starts_with(method))
}

fn is_proxy_line(opening: &[u8]) -> bool {
    opening.starts_with(b"PROXY ") || opening.starts_with(PROXY_V2)
}

const METHODS: [&[u8]; 9] = [
    b"GET ",
    b"POST ",
    b"HEAD ",
    b"PUT ",
    b"PATCH ",
    b"DELETE ",
    b"OPTIONS ",
    b"CONNECT ",
    b"PRI ",
];
/// How the PROXY protocol's binary form begins.
const PROXY_V2: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
/// How TLS begins: the type of its first record.
const HANDSHAKE_RECORD: u8 = 22;
/// So many first bytes tell what a client speaks.
pub(super) const OPENING: usize = 16;
const MINUTE: Duration = Duration::from_secs(60);

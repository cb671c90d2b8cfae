//! What ends before there is a request: TLS handshakes and HTTP that nobody can read. Counted by kind,
//! and said once a minute.

use std::collections::HashMap;
use std::error::Error as _;
use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::sleep;
use tokio_rustls::rustls::{AlertDescription, Error, PeerIncompatible};

use crate::telemetry::{HTTP_ERRORS, TLS_HANDSHAKES};

/// One way to end, or to begin.
#[derive(Debug)]
pub struct Kind {
    metric: &'static str,
    label: &'static str,
    /// The metric's value of that label.
    word: &'static str,
    /// For the log; empty: nothing to say.
    says: &'static str,
}

/// Counts kinds, and logs each once a minute at most.
#[derive(Debug, Clone)]
pub struct Refusals(Arc<Mutex<HashMap<Name, Minute>>>);

/// Metric and word.
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
        for kind in HANDSHAKES.into_iter().chain(HEADS) {
            kind.count(0);
        }
        Self(Arc::default())
    }

    /// Counts one. The first is logged at once, what comes within a minute after it at its end.
    pub fn note(&self, kind: &'static Kind, peer: IpAddr) {
        kind.count(1);
        if kind.says.is_empty() {
            return;
        }
        let peer = peer.to_canonical();
        let is_first = self.with(|minutes| {
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
            let minute = self.with(|minutes| {
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

    fn with<R>(&self, change: impl FnOnce(&mut HashMap<Name, Minute>) -> R) -> R {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Default for Refusals {
    fn default() -> Self {
        Self::new()
    }
}

impl Kind {
    const fn handshake(word: &'static str, says: &'static str) -> Self {
        Self {
            metric: TLS_HANDSHAKES,
            label: "result",
            word,
            says,
        }
    }

    const fn head(word: &'static str, says: &'static str) -> Self {
        Self {
            metric: HTTP_ERRORS,
            label: "kind",
            word,
            says,
        }
    }

    const fn name(&self) -> Name {
        (self.metric, self.word)
    }

    fn count(&self, times: u64) {
        metrics::counter!(self.metric, self.label => self.word).increment(times);
    }

    fn log(&self, count: u64, peer: IpAddr) {
        let (kind, reason) = (self.word, self.says);
        if self.metric == TLS_HANDSHAKES {
            tracing::info!(kind, count, %peer, reason, "TLS handshakes failed");
        } else {
            tracing::info!(kind, count, %peer, reason, "requests could not be read");
        }
    }
}

/// Why a handshake failed, by the client's first bytes and rustls' error.
pub(super) fn handshake(opening: &[u8], error: &io::Error) -> &'static Kind {
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

/// A handshake that succeeded.
pub(super) static OK: Kind = Kind::handshake("ok", "");
/// None in time.
pub(super) static TIMEOUT: Kind = Kind::handshake("timeout", "the client did not finish in 10 s");
static UNTRUSTED: Kind = Kind::handshake(
    "untrusted",
    "the client does not trust our certificate: has it expired, is its name another, does fullchain.pem lack the intermediate?",
);
static PLAIN_HTTP: Kind = Kind::handshake(
    "plain_http",
    "plain HTTP came to the TLS port: the client needs https://, or the forwarder --no-tls behind a proxy",
);
static PROXY_LINE: Kind = Kind::handshake(
    "proxy_line",
    "a PROXY protocol header came before TLS: switch it off at the balancer",
);
static NOT_TLS: Kind = Kind::handshake("not_tls", "what came is neither TLS nor HTTP");
static OLD_VERSION: Kind = Kind::handshake(
    "old_version",
    "the client speaks neither TLS 1.2 nor TLS 1.3",
);
static INCOMPATIBLE: Kind = Kind::handshake(
    "incompatible",
    "the client has no cipher suite, group or signature algorithm in common with us",
);
static CLOSED: Kind = Kind::handshake(
    "closed",
    "the client went away in the middle; some do so if they do not trust the certificate",
);
static OTHER: Kind = Kind::handshake("other", "the client does not keep to TLS");
const HANDSHAKES: [&Kind; 10] = [
    &OK,
    &UNTRUSTED,
    &PLAIN_HTTP,
    &PROXY_LINE,
    &NOT_TLS,
    &OLD_VERSION,
    &INCOMPATIBLE,
    &CLOSED,
    &TIMEOUT,
    &OTHER,
];

static MALFORMED: Kind = Kind::head("malformed", "a request's head is no HTTP/1.1");
static TOO_LARGE: Kind = Kind::head(
    "too_large",
    "a request's head is over 32 KiB or 100 headers, or its URL is too long",
);
static HTTP_PROXY_LINE: Kind = Kind::head(
    "proxy_line",
    "a PROXY protocol header came before HTTP: switch it off at the balancer",
);
static TLS: Kind = Kind::head(
    "tls",
    "TLS came to the plain HTTP port: the client needs http://, or the forwarder a certificate instead of --no-tls",
);
static HTTP2_UNASKED: Kind = Kind::head(
    "http2_unasked",
    "HTTP/2 came where it was not agreed on: without TLS this port speaks HTTP/1.1",
);
static HTTP2: Kind = Kind::head("http2", "the client does not keep to HTTP/2");
const HEADS: [&Kind; 6] = [
    &MALFORMED,
    &TOO_LARGE,
    &HTTP_PROXY_LINE,
    &TLS,
    &HTTP2_UNASKED,
    &HTTP2,
];

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    #[test]
    fn no_two_kinds_have_one_name() {
        let names: Vec<_> = HANDSHAKES
            .into_iter()
            .chain(HEADS)
            .map(Kind::name)
            .collect();
        let mut once = names.clone();
        once.sort_unstable();
        once.dedup();
        assert_eq!(once.len(), names.len());
    }

    #[test]
    fn first_bytes_tell_what_a_client_speaks() {
        let garbage = io::Error::new(io::ErrorKind::InvalidData, Error::DecryptError);
        for (opening, word) in [
            (&b"GET / HTTP/1.1\r\n"[..], "plain_http"),
            (b"POST /temporal/s", "plain_http"),
            (b"PRI * HTTP/2.0\r\n", "plain_http"),
            (b"PROXY TCP4 192.0", "proxy_line"),
            (b"\r\n\r\n\0\r\nQUIT\n\x21\x11", "proxy_line"),
            (b"SSH-2.0-OpenSSH_", "not_tls"),
            (b"\x80\x2e\x01\x03\x01", "not_tls"),
            (b"\x16\x03\x01\x02\0\x01", "other"),
        ] {
            assert_eq!(handshake(opening, &garbage).word, word, "{opening:?}");
        }
    }

    #[test]
    fn an_alert_of_distrust_is_told_from_the_others() {
        use AlertDescription as Alert;
        for (alert, word) in [
            (Alert::UnknownCA, "untrusted"),
            (Alert::BadCertificate, "untrusted"),
            (Alert::CertificateUnknown, "untrusted"),
            (Alert::CertificateExpired, "untrusted"),
            (Alert::DecryptError, "untrusted"),
            (Alert::ProtocolVersion, "old_version"),
            (Alert::HandshakeFailure, "incompatible"),
            (Alert::InternalError, "other"),
        ] {
            let error = Error::AlertReceived(alert);
            let error = io::Error::new(io::ErrorKind::InvalidData, error);
            assert_eq!(handshake(b"\x16\x03\x01", &error).word, word, "{alert:?}");
        }
        let lacks = Error::PeerIncompatible(PeerIncompatible::SignatureAlgorithmsExtensionRequired);
        for (version, word) in [(2, "old_version"), (3, "incompatible")] {
            let opening = [22, 3, 1, 0, 49, 1, 0, 0, 45, 3, version, 7];
            let error = io::Error::new(io::ErrorKind::InvalidData, lacks.clone());
            assert_eq!(handshake(&opening, &error).word, word);
        }
        let gone = io::Error::from(io::ErrorKind::UnexpectedEof);
        assert_eq!(handshake(b"\x16\x03\x01", &gone).word, "closed");
    }

    /// What waits to be said of a kind: `None` once a minute has passed without one.
    fn waiting(refusals: &Refusals, kind: &Kind) -> Option<(u64, Option<IpAddr>)> {
        refusals.with(|minutes| {
            let minute = minutes.get(&kind.name())?;
            Some((minute.count, minute.last))
        })
    }

    #[tokio::test(start_paused = true)]
    async fn a_kind_is_said_at_once_and_then_once_a_minute() {
        let refusals = Refusals::new();
        refusals.note(&UNTRUSTED, PEER);
        assert_eq!(
            waiting(&refusals, &UNTRUSTED),
            Some((0, None)),
            "it is said"
        );
        for _ in 0..5 {
            refusals.note(&UNTRUSTED, PEER);
        }
        let five = Some((5, Some(PEER)));
        sleep(MINUTE - Duration::from_secs(1)).await;
        assert_eq!(waiting(&refusals, &UNTRUSTED), five);
        assert_eq!(waiting(&refusals, &PLAIN_HTTP), None, "each by itself");
        sleep(Duration::from_secs(2)).await;
        assert_eq!(
            waiting(&refusals, &UNTRUSTED),
            Some((0, None)),
            "they are said"
        );
        sleep(MINUTE).await;
        assert_eq!(
            waiting(&refusals, &UNTRUSTED),
            None,
            "a new one is said at once"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn success_says_nothing() {
        let refusals = Refusals::new();
        refusals.note(&OK, PEER);
        assert_eq!(waiting(&refusals, &OK), None);
    }
}

//! Kinds and when they are logged.

use tokio_rustls::rustls::CertificateError;

use super::*;

/// How TLS begins.
const HELLO: &[u8] = b"\x16\x03\x01";
const PEER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

#[test]
fn no_two_kinds_have_one_name() {
    let names: Vec<_> = all().map(Kind::name).collect();
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
        assert_eq!(
            handshake(opening, &garbage, true).value,
            word,
            "{opening:?}"
        );
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
        assert_eq!(handshake(HELLO, &error, true).value, word, "{alert:?}");
    }
    let lacks = Error::PeerIncompatible(PeerIncompatible::SignatureAlgorithmsExtensionRequired);
    for (version, word) in [(2, "old_version"), (3, "incompatible")] {
        let opening = [22, 3, 1, 0, 49, 1, 0, 0, 45, 3, version, 7];
        let error = io::Error::new(io::ErrorKind::InvalidData, lacks.clone());
        assert_eq!(handshake(&opening, &error, true).value, word);
    }
    for (error, word) in [
        (Error::NoCertificatesPresented, "no_client_certificate"),
        (
            Error::InvalidCertificate(CertificateError::Expired),
            "client_certificate",
        ),
    ] {
        let error = io::Error::new(io::ErrorKind::InvalidData, error);
        assert_eq!(handshake(HELLO, &error, true).value, word);
    }
    let gone = io::Error::from(io::ErrorKind::UnexpectedEof);
    assert_eq!(handshake(HELLO, &gone, true).value, "closed");
    let none = Error::General("no server certificate chain resolved".to_owned());
    let none = io::Error::new(io::ErrorKind::InvalidData, none);
    assert_eq!(handshake(HELLO, &none, true).value, "no_certificate");
    assert_eq!(handshake(HELLO, &none, false).value, "other");
}

/// What waits to be said of a kind: `None` once a minute has passed without one.
fn waiting(refusals: &Refusals, kind: &Kind) -> Option<(u64, Option<IpAddr>)> {
    refusals.change(|minutes| {
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

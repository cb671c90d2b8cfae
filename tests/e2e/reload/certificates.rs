//! Certificates: replaced without a restart, and warned of in time.

use std::fs;
use std::time::{Duration, SystemTime};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use super::{count, good, is_refusal, last_reload, nth_reload, text};
use crate::support::certs::Certificates;
use crate::support::configured::Configured;
use crate::support::forwarder::{Forwarder, ForwarderConfig};
use crate::support::raw;
use crate::support::wait::{PATIENCE, run, until};

#[test]
fn new_connections_see_the_new_certificate_and_open_ones_go_on() {
    run(async {
        let (one, other) = (Certificates::generate(), Certificates::generate());
        let configured = Configured::new(&format!(
            "[server.tls]\ncert = 'FOLDER/tls.crt'\nkey = 'FOLDER/tls.key'\n{}",
            good(0)
        ));
        let pair = |cert: &Certificates, key: &Certificates| {
            let read = |path| fs::read(path).expect("it was made");
            [("tls.crt", read(&cert.cert)), ("tls.key", read(&key.key))]
        };
        configured.mount("2026_1", &pair(&one, &one));
        let forwarder = Forwarder::start(ForwarderConfig {
            certificate_in_file: true,
            args: configured.args(),
            ..ForwarderConfig::default()
        })
        .await;
        let mut open = connect(&forwarder, &one)
            .await
            .expect("the first certificate");
        assert_eq!(leaf(&open), one.leaf());
        get(&mut open).await;

        configured.mount("2026_2", &pair(&other, &one));
        let line = forwarder.line("a pair that does not fit is refused", is_refusal);
        let expected = "the private key is not the certificate's";
        assert!(text(&line, "mistake").contains(expected), "{line}");
        assert!(text(&line, "mistake").contains("tls.crt"), "{line}");
        assert_eq!(last_reload(&forwarder).await, "0");
        let again = connect(&forwarder, &one).await.expect("the last good one");
        assert_eq!(leaf(&again), one.leaf());

        configured.mount("2026_3", &pair(&other, &other));
        until(
            "new connections see the new certificate",
            PATIENCE,
            || async { connect(&forwarder, &other).await.is_ok() },
        )
        .await;
        let new = connect(&forwarder, &other)
            .await
            .expect("the new certificate");
        assert_eq!(leaf(&new), other.leaf());
        assert!(
            connect(&forwarder, &one).await.is_err(),
            "the old one is gone"
        );
        assert_eq!(last_reload(&forwarder).await, "1");
        get(&mut open).await;
    });
}

#[test]
fn a_certificate_that_soon_expires_or_has_is_warned_of_at_start_and_when_it_is_replaced() {
    run(async {
        const DAY: u64 = 86_400;
        let now = SystemTime::now();
        let days =
            |days: u64| Certificates::valid_until(now + Duration::from_secs(days * DAY + 3600));
        let configured = Configured::new(&format!(
            "[server.tls]\ncert = 'FOLDER/tls.crt'\nkey = 'FOLDER/tls.key'\n{}",
            good(0)
        ));
        let show = |version: &str, certificates: &Certificates| {
            let read = |path| fs::read(path).expect("it was made");
            let files = [
                ("tls.crt", read(&certificates.cert)),
                ("tls.key", read(&certificates.key)),
            ];
            configured.mount(version, &files);
        };
        show("1", &days(13));
        let mut forwarder = Forwarder::start(ForwarderConfig {
            certificate_in_file: true,
            args: configured.args(),
            ..ForwarderConfig::default()
        })
        .await;
        let expect =
            |forwarder: &mut Forwarder, version: &str, certificates: &Certificates, said: &str| {
                show(version, certificates);
                forwarder.signal("HUP");
                forwarder.line(said, |line| {
                    line["level"] == "WARN" && line["message"] == said
                });
            };
        forwarder.line("it expires soon", |line| {
            line["level"] == "WARN" && line["message"] == "the certificate expires in 13 days"
        });
        let gone = Certificates::valid_until(now - Duration::from_secs(3 * DAY + 60));
        expect(
            &mut forwarder,
            "2",
            &gone,
            "the certificate expired 3 days ago",
        );
        show("3", &days(90));
        forwarder.signal("HUP");
        let line = nth_reload(&forwarder, 2);
        assert_eq!(text(&line, "changed"), "certificate replaced");
        let said = "the certificate expires in 4 days";
        expect(&mut forwarder, "4", &days(4), said);
        assert_eq!(count(&forwarder, "the certificate expire"), 3);
    });
}

async fn connect(
    forwarder: &Forwarder,
    certificates: &Certificates,
) -> std::io::Result<TlsStream<TcpStream>> {
    raw::connect_trusting(forwarder, certificates, "http/1.1").await
}

fn leaf(stream: &TlsStream<TcpStream>) -> tokio_rustls::rustls::pki_types::CertificateDer<'_> {
    let shown = stream.get_ref().1.peer_certificates();
    shown.expect("a server shows its certificate")[0].clone()
}

/// One request over a connection that stays open.
async fn get(stream: &mut TlsStream<TcpStream>) {
    let request = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n";
    stream.write_all(request).await.expect("it is open");
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await.expect("it is open");
    assert_eq!(&answer, b"HTTP/1.1 200");
    let mut rest = vec![0; 4096];
    let count = stream.read(&mut rest).await;
    assert!(count.expect("the rest comes at once") > 0);
}

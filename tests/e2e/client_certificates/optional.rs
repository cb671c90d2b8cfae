//! Certificates that nobody has to show: who shows none, or one that is not ours, is served as if there were
//! none; who shows any is never resumed.

use std::sync::Arc;
use std::time::SystemTime;

use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::HandshakeKind::{Full, Resumed};
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::version::{TLS12, TLS13};

use super::{start, visit};
use crate::support::authority::Authority;
use crate::support::certs::Certificates;
use crate::support::chain::Chain;
use crate::support::configured::Configured;
use crate::support::leaks;
use crate::support::wait::run;

#[test]
fn only_who_shows_none_is_resumed() {
    run(async {
        let (ours, theirs) = (Authority::new("ours"), Authority::new("theirs"));
        let (good, bad) = (ours.sign("x", &[]), theirs.sign("x", &[]));
        for tickets in ["", "ticket_keys = 'file:FOLDER/tickets'\n"] {
            let configured = Configured::new(&format!("{TEXT}{tickets}"));
            configured.write("ca.pem", &ours.pem());
            configured.write("tickets", TICKET_KEY);
            leaks::forbid(TICKET_KEY);
            let forwarder = start(&configured).await;
            for version in [&TLS13, &TLS12] {
                for (client, second) in [
                    (good.client(version, "http/1.1"), Full),
                    (bad.client(version, "http/1.1"), Full),
                    (Certificates::shared().client(version, "http/1.1"), Resumed),
                ] {
                    let client = Arc::new(client);
                    for expected in [Full, second, second] {
                        let kind = visit(&client, &forwarder).await;
                        assert_eq!(kind, Ok(expected), "{version:?} {tickets}");
                    }
                }
            }
        }
    });
}

/// Some senders have a certificate of their own, and show it to whoever asks.
#[test]
fn one_that_nobody_could_read_is_as_good_as_none() {
    run(async {
        let ours = Authority::new("ours");
        let configured = Configured::new(TEXT);
        configured.write("ca.pem", &ours.pem());
        let forwarder = start(&configured).await;
        let chain = Chain::generate(&["localhost"], SystemTime::now());
        let version_1 = CertificateDer::from_pem_slice(chain.version_1.as_bytes());
        let nonsense = CertificateDer::from(b"no certificate".to_vec());
        for shown in [version_1.expect("PEM"), nonsense] {
            for version in [&TLS13, &TLS12] {
                let mut identity = ours.sign("x", &[]);
                identity.chain = vec![shown.clone()];
                let client: Arc<ClientConfig> = Arc::new(identity.client(version, "http/1.1"));
                assert_eq!(visit(&client, &forwarder).await, Ok(Full), "{version:?}");
            }
        }
        let metrics = forwarder.metrics().await;
        let line = "webhook_forwarder_tls_handshakes_total{result=\"ok\"} 4\n";
        assert!(metrics.contains(line), "{metrics}");
    });
}

const TICKET_KEY: &str = "1f0e6b7c2d3a495867768594a3b2c1d0e1f2031425364758697a8b9cadbecfd0";
const TEXT: &str = "[server.tls]\nclient_ca = 'FOLDER/ca.pem'\nclient_certificate = 'optional'\n";

//! Client certificates: who shows a good one is let in, and nobody else; none is believed for longer
//! than it is looked at.

mod optional;
mod proof;

use std::fs;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::HandshakeKind::{self, Full};
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, ServerName};
use tokio_rustls::rustls::sign::{CertifiedKey, SingleCertAndKey};
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{ClientConfig, SupportedProtocolVersion};

use crate::support::certs::Certificates;
use crate::support::configured::Configured;
use crate::support::forwarder::{Forwarder, ForwarderConfig};
use crate::support::wait::{PATIENCE, run, until};

#[test]
fn a_good_one_is_let_in_each_time_anew_and_any_other_is_not() {
    run(async {
        let (good, stranger) = (Certificates::generate(), Certificates::generate());
        let expired = Certificates::valid_until(SystemTime::now() - Duration::from_secs(60));
        let forwarder = start(&configured(&[&good, &expired])).await;
        for version in [&TLS13, &TLS12] {
            let client = client(version, Some(&good));
            for _ in 0..3 {
                assert_eq!(visit(&client, &forwarder).await, Ok(Full), "{version:?}");
            }
            for (shown, alert) in [
                // Another authority of the same name: the signature does not hold.
                (Some(&stranger), "DecryptError"),
                (Some(&expired), "CertificateExpired"),
                (None, "CertificateRequired"),
            ] {
                let client = self::client(version, shown);
                let refused = visit(&client, &forwarder).await;
                let problem = refused.expect_err("it is not let in");
                assert!(problem.contains(alert), "{version:?} {alert}: {problem}");
            }
        }
        let metrics = forwarder.metrics().await;
        for (result, count) in [
            ("ok", 6),
            ("client_certificate", 4),
            ("no_client_certificate", 2),
        ] {
            let line =
                format!("webhook_forwarder_tls_handshakes_total{{result=\"{result}\"}} {count}\n");
            assert!(metrics.contains(&line), "{line}{metrics}");
        }
    });
}

#[test]
fn the_authority_is_replaced_while_it_runs_and_never_taken_away() {
    run(async {
        let (one, other) = (Certificates::generate(), Certificates::generate());
        let configured = configured(&[&one]);
        let forwarder = start(&configured).await;
        let [of_one, of_other] = [&one, &other].map(|it| client(&TLS13, Some(it)));
        let lets_in = async |client| visit(client, &forwarder).await.is_ok();
        assert!(lets_in(&of_one).await && !lets_in(&of_other).await);

        configured.rewrite("[server.tls]\n");
        let line = forwarder.line("nobody is let in by a line that is gone", |line| {
            line["message"] == "the new configuration is not used"
        });
        let mistake = line["mistake"].as_str().unwrap_or_default();
        assert!(
            mistake.contains("has no client_ca of [server.tls] any more"),
            "{line}"
        );
        let without = client(&TLS13, None);
        assert!(!lets_in(&without).await && lets_in(&of_one).await);

        write(&configured, &[&other]);
        configured.rewrite(TEXT);
        until("the new authority is in use", PATIENCE, async || {
            lets_in(&of_other).await
        })
        .await;
        assert!(!lets_in(&of_one).await);
    });
}

/// A folder in which these authorities are `client_ca`.
fn configured(authorities: &[&Certificates]) -> Configured {
    let configured = Configured::new(TEXT);
    write(&configured, authorities);
    configured
}

fn write(configured: &Configured, authorities: &[&Certificates]) {
    let read = |it: &&Certificates| fs::read_to_string(&it.ca).expect("it was made");
    let bundle: String = authorities.iter().map(read).collect();
    configured.write("ca.pem", &bundle);
}

async fn start(configured: &Configured) -> Forwarder {
    Forwarder::start(ForwarderConfig {
        args: configured.args(),
        ..ForwarderConfig::default()
    })
    .await
}

/// Shows this certificate.
fn client(
    version: &'static SupportedProtocolVersion,
    shown: Option<&Certificates>,
) -> Arc<ClientConfig> {
    let mut config = Certificates::shared().client(version, "http/1.1");
    if let Some(shown) = shown {
        let chain = vec![shown.leaf()];
        let key = PrivateKeyDer::from_pem_file(&shown.key).expect("a key");
        let identity = CertifiedKey::from_der(chain, key, &default_provider());
        let identity = SingleCertAndKey::from(identity.expect("they fit"));
        config.client_auth_cert_resolver = Arc::new(identity);
    }
    Arc::new(config)
}

/// One request: how the handshake went, or why there was no answer.
async fn visit(config: &Arc<ClientConfig>, forwarder: &Forwarder) -> Result<HandshakeKind, String> {
    let stream = TcpStream::connect(forwarder.public).await;
    let name = ServerName::try_from("localhost").expect("a name");
    let connector = TlsConnector::from(Arc::clone(config));
    let connected = connector.connect(name, stream.expect("it listens")).await;
    let mut stream = connected.map_err(|error| error.to_string())?;
    let request = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let written = stream.write_all(request).await;
    // In TLS 1.3 the client is done before the server has looked at its certificate.
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer).await;
    read.map_err(|error| error.to_string())?;
    written.map_err(|error| error.to_string())?;
    assert!(answer.starts_with(b"HTTP/1.1 200"), "{answer:?}");
    let kind = stream.get_ref().1.handshake_kind();
    Ok(kind.expect("the handshake is over"))
}

const TEXT: &str = "[server.tls]\nclient_ca = 'FOLDER/ca.pem'\n";

//! Certificates that an authority issues by itself: ordered from a real ACME server, renewed while webhooks
//! come, shared by replicas, and what is said where it fails.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::version::TLS13;

use crate::support::balancer::Balancer;
use crate::support::certs::Certificates;
use crate::support::configured::Configured;
use crate::support::delivery::Delivery;
use crate::support::forwarder::{Forwarder, ForwarderConfig};
use crate::support::pebble::Pebble;
use crate::support::sender::Sender;
use crate::support::temporal::free_port;
use crate::support::wait::{PATIENCE, eventually, run, until};

#[test]
fn one_is_ordered_and_renewed_under_load_and_no_request_fails() {
    run(async {
        let port = free_port();
        let pebble = Pebble::start(port, Duration::from_secs(30)).await;
        let configured = Configured::new(&text(&pebble, NAME, ""));
        let forwarder = start(&configured, port).await;
        let client = Arc::new(pebble.client("http/1.1"));
        let first = eventually("the first certificate", PATIENCE, async || {
            leaf(forwarder.public, NAME, &client).await.ok()
        });
        let first = first.await;

        let stop = Arc::new(AtomicBool::new(false));
        let mut senders = JoinSet::new();
        for alpn in ["http/1.1", "h2"] {
            let (stop, config) = (Arc::clone(&stop), pebble.client(alpn));
            let address = forwarder.public;
            senders.spawn(async move {
                let mut sent = 0;
                while !stop.load(Ordering::Relaxed) {
                    // A connection each: every one sees the certificate of the moment.
                    let sender = Sender::named(NAME, address, config.clone());
                    let answer = sender.send(&Delivery::order()).await;
                    assert_eq!(answer.outcome(), "200 started", "{answer:?}");
                    sent += 1;
                }
                sent
            });
        }
        until("it is renewed", PATIENCE, async || {
            let shown = leaf(forwarder.public, NAME, &client).await;
            shown.expect("there is always one") != first
        })
        .await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        stop.store(true, Ordering::Relaxed);
        let sent: Vec<usize> = senders.join_all().await;
        assert!(sent.iter().all(|sent| *sent > 20), "{sent:?}");
        let metrics = forwarder.metrics().await;
        for line in [
            "webhook_forwarder_acme_orders_total{result=\"ok\"} 2\n",
            "webhook_forwarder_acme_orders_total{result=\"failed\"} 0\n",
            "webhook_forwarder_certificate_expiry_timestamp_seconds{certificate=\"acme\"} ",
            "webhook_forwarder_certificate_lifetime_seconds{certificate=\"acme\"} ",
        ] {
            assert!(metrics.contains(line), "{line}{metrics}");
        }
        let used = |line: &serde_json::Value| {
            line["message"] == "the ordered certificate is in use" && line["domains"] == NAME
        };
        forwarder.line("it says so", used);
    });
}

#[test]
fn a_restart_shows_the_one_of_the_folder_and_orders_none() {
    run(async {
        let port = free_port();
        let pebble = Pebble::start(port, HOUR).await;
        let configured = Configured::new(&text(&pebble, NAME, ""));
        let client = Arc::new(pebble.client("http/1.1"));
        let mut forwarder = start(&configured, port).await;
        let first = eventually("the first certificate", PATIENCE, async || {
            leaf(forwarder.public, NAME, &client).await.ok()
        })
        .await;
        forwarder.signal("TERM");
        assert_eq!(forwarder.wait(PATIENCE).code(), Some(0));
        let again = start(&configured, port).await;
        assert_eq!(leaf(again.public, NAME, &client).await.ok(), Some(first));
        // Whoever names nobody is shown it, too; and there is nothing to see but for the authority.
        let anybody = leaf(again.public, "127.0.0.1", &client).await;
        assert!(
            anybody
                .expect_err("not its name")
                .contains("not valid for name")
        );
        let mut curious = pebble.client("acme-tls/1");
        curious.enable_sni = true;
        let shown = leaf(again.public, NAME, &Arc::new(curious)).await;
        assert!(shown.is_err(), "nothing is being proven");
        let metrics = again.metrics().await;
        let none = "webhook_forwarder_acme_orders_total{result=\"ok\"} 0\n";
        assert!(metrics.contains(none), "{metrics}");
        // Account and key are for this user alone.
        for file in ["account.json", "certificate.pem"] {
            let found = find(&configured.path("acme"), file);
            let mode = std::os::unix::fs::PermissionsExt::mode(
                &std::fs::metadata(found).expect("it is there").permissions(),
            );
            assert_eq!(mode & 0o777, 0o600, "{file}");
        }
    });
}

#[test]
fn of_two_replicas_with_one_folder_one_orders_and_both_show_it() {
    run(async {
        let ports = [free_port(), free_port()];
        let address = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        // The authority looks at whichever it meets.
        let balancer = Balancer::start(ports.map(address)).await;
        let pebble = Pebble::start(balancer.address.port(), HOUR).await;
        let configured = Configured::new(&text(&pebble, NAME, ""));
        let replicas = [
            start(&configured, ports[0]).await,
            start(&configured, ports[1]).await,
        ];
        let client = Arc::new(pebble.client("http/1.1"));
        let mut shown = Vec::new();
        for replica in &replicas {
            let leaf = eventually("a certificate", PATIENCE, async || {
                leaf(replica.public, NAME, &client).await.ok()
            });
            shown.push(leaf.await);
        }
        assert_eq!(shown[0], shown[1]);
        let mut ordered = 0;
        for replica in &replicas {
            let metrics = replica.metrics().await;
            let line = "webhook_forwarder_acme_orders_total{result=\"ok\"} 1\n";
            ordered += usize::from(metrics.contains(line));
        }
        assert_eq!(ordered, 1);
        assert!(balancer.taken().iter().all(|taken| *taken > 0));
    });
}

#[test]
fn what_goes_wrong_is_said_in_words_and_the_certificate_of_a_file_is_shown() {
    run(async {
        let nobody = free_port();
        let pebble = Pebble::start(nobody, HOUR).await;
        let own = Certificates::shared();
        let (cert, key) = (own.cert.display(), own.key.display());
        let files = format!("cert = '{cert}'\nkey = '{key}'\n");
        let configured = Configured::new(&text(&pebble, NAME, &files));
        let mut forwarder = start(&configured, free_port()).await;
        let line = forwarder.line("an order that fails", |line| {
            line["message"] == "no certificate could be ordered"
        });
        let problem = line["problem"].as_str().unwrap_or_default();
        assert!(problem.starts_with("hooks.example.com: "), "{line}");
        let said = format!("Failed to connect to 127.0.0.1:{nobody} for the tls-alpn-01 challenge");
        assert!(problem.contains(&said), "{line}");
        assert_eq!(
            (&line["level"], &line["next_try_seconds"]),
            (&"ERROR".into(), &300.into())
        );
        let metrics = forwarder.metrics().await;
        let failed = "webhook_forwarder_acme_orders_total{result=\"failed\"} 1\n";
        assert!(metrics.contains(failed), "{metrics}");
        let client = Arc::new(own.client(&TLS13, "http/1.1"));
        let shown = leaf(forwarder.public, "localhost", &client).await;
        assert_eq!(shown, Ok(own.leaf()));
        let sender = Sender::new(&forwarder);
        let answer = sender.send(&Delivery::order()).await;
        assert_eq!(answer.outcome(), "200 started");
        assert!(forwarder.is_running());
    });
}

#[test]
fn who_comes_before_there_is_a_certificate_is_not_blamed_for_it() {
    run(async {
        let nobody = free_port();
        let pebble = Pebble::start(nobody, HOUR).await;
        let configured = Configured::new(&text(&pebble, NAME, ""));
        let forwarder = start(&configured, free_port()).await;
        forwarder.line("an order that fails", |line| {
            line["message"] == "no certificate could be ordered"
        });
        let client = Arc::new(pebble.client("http/1.1"));
        let refused = leaf(forwarder.public, NAME, &client).await;
        assert!(refused.is_err(), "there is none: {refused:?}");
        let line = forwarder.line("a handshake that fails", |line| {
            line["message"] == "TLS handshakes failed"
        });
        assert_eq!(line["kind"], "no_certificate", "{line}");
        let reason = line["reason"].as_str().unwrap_or_default();
        assert!(
            reason.starts_with("there is no certificate yet: ACME"),
            "{line}"
        );
        let metrics = forwarder.metrics().await;
        for (result, count) in [("no_certificate", 1), ("other", 0)] {
            let line =
                format!("webhook_forwarder_tls_handshakes_total{{result=\"{result}\"}} {count}\n");
            assert!(metrics.contains(&line), "{line}{metrics}");
        }
    });
}

/// A configuration that orders for this name.
pub(super) fn text(pebble: &Pebble, name: &str, more: &str) -> String {
    let (directory, ca) = (&pebble.directory, Certificates::shared().ca.display());
    format!(
        "[server.tls]\n{more}[server.tls.acme]\ndomains = ['{name}']\nemail = 'ops@example.com'\ncache = 'FOLDER/acme'\ndirectory = '{directory}'\ndirectory_ca = '{ca}'\n{PATIENT}"
    )
}

pub(super) async fn start(configured: &Configured, port: u16) -> Forwarder {
    Forwarder::start(ForwarderConfig {
        port: Some(String::leak(port.to_string())),
        certificate_in_file: true,
        args: configured.args(),
        ..ForwarderConfig::default()
    })
    .await
}

/// What whoever asks for this name is shown, if he trusts it.
async fn leaf(
    address: SocketAddr,
    name: &'static str,
    client: &Arc<ClientConfig>,
) -> Result<CertificateDer<'static>, String> {
    let stream = TcpStream::connect(address)
        .await
        .map_err(|error| error.to_string())?;
    let name = ServerName::try_from(name).expect("a name");
    let connected = TlsConnector::from(Arc::clone(client))
        .connect(name, stream)
        .await;
    let connected = connected.map_err(|error| error.to_string())?;
    let shown = connected.get_ref().1.peer_certificates();
    Ok(shown.expect("a server shows one")[0].clone())
}

/// In the folder of the one authority.
fn find(folder: &Path, name: &str) -> std::path::PathBuf {
    let mut folders = std::fs::read_dir(folder).expect("it was made");
    let folder = folders.next().expect("one").expect("an entry").path();
    folder.join(name)
}

pub(super) const NAME: &str = "hooks.example.com";
/// A deadline that a busy machine does not miss.
const PATIENT: &str = "[[source]]
path = '/temporal/shopify'
provider = 'shopify'
secrets = ['env:SHOPIFY_WEBHOOKS_KEY']
deadline = '1m'
";
const HOUR: Duration = Duration::from_secs(3600);

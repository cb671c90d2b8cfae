//! Several certificates: each client is shown the one for the name that it asks for, and each is
//! replaced while the forwarder runs.

use std::fs;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::SupportedProtocolVersion;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::version::{TLS12, TLS13};

use crate::support::certs::Certificates;
use crate::support::configured::Configured;
use crate::support::forwarder::{Forwarder, ForwarderConfig};
use crate::support::wait::{PATIENCE, run, until};

#[test]
fn each_name_is_shown_its_certificate_and_all_others_the_first() {
    run(async {
        let [first, shops, hooks] = of_three();
        let configured = configured(&[&first, &shops, &hooks]);
        let forwarder = start(&configured).await;
        for version in [&TLS13, &TLS12] {
            for (name, expected) in [
                ("localhost", &first),
                ("one.shops.example", &shops),
                ("Two.Shops.Example", &shops),
                ("b.example", &hooks),
                // Its own name goes before the wildcard of another.
                ("own.shops.example", &hooks),
                // An address is no name: nothing is asked for.
                ("127.0.0.1", &first),
            ] {
                let shown = connect(&forwarder, version, name, expected).await;
                assert_eq!(shown, Ok(()), "{name}");
            }
            for name in ["elsewhere.example", "shops.example", "a.b.shops.example"] {
                let shown = connect(&forwarder, version, name, &first).await;
                let problem = shown.expect_err("it is not for this name");
                assert!(problem.contains("not valid for name"), "{name}: {problem}");
                let shown = connect(&forwarder, version, name, &shops).await;
                let problem = shown.expect_err("another authority's");
                assert!(problem.contains("BadSignature"), "{name}: {problem}");
            }
        }
    });
}

#[test]
fn each_is_replaced_alone_and_a_bad_one_changes_nothing() {
    run(async {
        let [first, shops, hooks] = of_three();
        let configured = configured(&[&first, &shops, &hooks]);
        let forwarder = start(&configured).await;
        let shown = async |name, expected| {
            let shown = connect(&forwarder, &TLS13, name, expected).await;
            shown.is_ok()
        };
        let file = configured.path("2.crt").display().to_string();
        let end = forwarder.metrics().await;
        assert!(
            expiry(&end, None) > 0.0 && expiry(&end, Some(&file)) > 0.0,
            "{end}"
        );

        let year = Duration::from_secs(400 * 86_400);
        let newer = Certificates::named(&["b.example"], SystemTime::now() + year);
        write(&configured, 2, &newer.cert, &hooks.key);
        let line = forwarder.line("a pair that does not fit", |line| {
            line["message"] == "the new configuration is not used"
        });
        let mistake = line["mistake"].as_str().unwrap_or_default();
        for part in [
            " server.certificate[2]: ",
            "2.crt, ",
            "the private key is not the certificate's",
        ] {
            assert!(mistake.contains(part), "{mistake}");
        }
        assert!(shown("b.example", &hooks).await && shown("one.shops.example", &shops).await);

        write(&configured, 2, &newer.cert, &newer.key);
        until("the new one is shown", PATIENCE, async || {
            shown("b.example", &newer).await
        })
        .await;
        assert!(shown("localhost", &first).await && shown("one.shops.example", &shops).await);
        assert!(
            !shown("own.shops.example", &newer).await && shown("own.shops.example", &shops).await,
            "the new one is not for this name"
        );
        let line = forwarder.line("a reload", |line| {
            line["message"] == "configuration reloaded"
        });
        let changed = "certificates of [[server.certificate]] changed";
        assert_eq!(line["changed"], changed);
        let renewed = forwarder.metrics().await;
        assert!(expiry(&renewed, Some(&file)) > expiry(&end, Some(&file)));
        assert_eq!(
            expiry(&renewed, None).total_cmp(&expiry(&end, None)),
            std::cmp::Ordering::Equal
        );

        configured.rewrite(&text(1));
        until("it is gone", PATIENCE, async || {
            !shown("b.example", &newer).await
        })
        .await;
        // What is no more never expires: no alert for ever.
        let gone = forwarder.metrics().await;
        assert!(expiry(&gone, Some(&file)).is_nan(), "{gone}");
    });
}

/// For this machine; for all shops; for one name, and one of a shop.
fn of_three() -> [Certificates; 3] {
    let end = SystemTime::now() + Duration::from_secs(365 * 86_400);
    let named = |names: &[&str]| Certificates::named(names, end);
    [
        named(&["localhost", "127.0.0.1"]),
        named(&["*.shops.example"]),
        named(&["B.example", "own.shops.example"]),
    ]
}

/// The first in `[server.tls]`, the others in `[[server.certificate]]`.
fn configured(all: &[&Certificates]) -> Configured {
    let configured = Configured::new(&text(all.len() - 1));
    for (index, certificates) in all.iter().enumerate() {
        write(&configured, index, &certificates.cert, &certificates.key);
    }
    configured
}

/// With so many besides the first.
fn text(others: usize) -> String {
    let pair = |index| format!("cert = 'FOLDER/{index}.crt'\nkey = 'FOLDER/{index}.key'\n");
    let others = (1..=others).map(|index| format!("[[server.certificate]]\n{}", pair(index)));
    format!("[server.tls]\n{}{}", pair(0), others.collect::<String>())
}

fn write(configured: &Configured, index: usize, cert: &std::path::Path, key: &std::path::Path) {
    let read = |path| fs::read_to_string(path).expect("it was made");
    configured.write(&format!("{index}.crt"), &read(cert));
    configured.write(&format!("{index}.key"), &read(key));
}

async fn start(configured: &Configured) -> Forwarder {
    Forwarder::start(ForwarderConfig {
        certificate_in_file: true,
        args: configured.args(),
        ..ForwarderConfig::default()
    })
    .await
}

/// Asks for this name, and trusts this authority only: what is wrong with what it is shown.
async fn connect(
    forwarder: &Forwarder,
    version: &'static SupportedProtocolVersion,
    name: &str,
    expected: &Certificates,
) -> Result<(), String> {
    let stream = TcpStream::connect(forwarder.public).await;
    let config = expected.client(version, "http/1.1");
    let name = ServerName::try_from(name.to_owned()).expect("a name");
    let connected = TlsConnector::from(Arc::new(config))
        .connect(name, stream.expect("it listens"))
        .await;
    let connected = connected.map_err(|error| error.to_string())?;
    let shown = connected.get_ref().1.peer_certificates();
    assert_eq!(shown.expect("a certificate")[0], expected.leaf());
    Ok(())
}

/// When the certificate of this file expires, as the metrics have it.
fn expiry(page: &str, file: Option<&str>) -> f64 {
    let label = file.map(|file| format!("{{certificate=\"{file}\"}}"));
    let name = format!(
        "webhook_forwarder_certificate_expiry_timestamp_seconds{} ",
        label.unwrap_or_default()
    );
    let value = page.lines().find_map(|line| line.strip_prefix(&name));
    let value = value.unwrap_or_else(|| panic!("no {name}\n{page}"));
    value.parse().expect("a number")
}

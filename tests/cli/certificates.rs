//! What `check` says of a certificate and its key: chains of every kind, made here.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, SystemTime};

use tempfile::TempDir;
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::crypto::aws_lc_rs::sign::any_supported_type;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::sign::{CertifiedKey, SingleCertAndKey};
use tokio_rustls::rustls::{ServerConfig, ServerConnection};

use super::run::Run;
use crate::certs::Certificates;
use crate::chain::Chain;

#[test]
fn a_whole_chain_is_fine_and_its_names_and_days_are_said() {
    let chain = chain();
    for rest in [
        chain.intermediate.clone(),
        chain.intermediate.clone() + &chain.root,
    ] {
        let run = check(&(chain.leaf.clone() + &rest), &chain.key);
        let table = run.fine();
        let row = "certificate    ok       hooks.example.com, 192.0.2.7, ::1: matches its key, expires in 364 days\n";
        assert!(table.contains(row), "{table}");
        assert!(table.ends_with("\n0 wrong, 0 warnings\n"), "{table}");
    }
}

#[test]
fn what_serves_but_not_everybody_is_a_warning() {
    let Chain {
        leaf,
        intermediate,
        root,
        key,
        ..
    } = chain();
    let nameless = Chain::generate(&[], yesterday());
    let issuer = "certificate 2 of the file is not the issuer of certificate 1 (CN=Intermediate of the tests): the leaf goes first";
    for (cert, key, says) in [
        (
            leaf.clone(),
            &key,
            "the leaf is alone: senders that do not know its issuer (CN=Intermediate of the tests) refuse it",
        ),
        (leaf.clone() + &root, &key, issuer),
        (leaf.clone() + &root + &intermediate, &key, issuer),
        (leaf.clone() + &leaf + &intermediate, &key, issuer),
        (
            nameless.leaf + &nameless.intermediate,
            &nameless.key,
            "the certificate has no subjectAltName",
        ),
    ] {
        let table = check(&cert, key).fine();
        let beginning = "configuration  warning  --cert (TWF_CERT) cert.pem: ";
        let mut lines = table
            .lines()
            .filter_map(|line| line.strip_prefix(beginning));
        assert!(lines.any(|line| line.starts_with(says)), "{says}: {table}");
    }
}

#[test]
fn what_cannot_serve_is_said_in_words() {
    let Chain {
        leaf,
        intermediate,
        root,
        key,
        version_1,
    } = chain();
    let other = chain_of_another();
    let whole = leaf.clone() + &intermediate;
    let relabelled = key.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
    let header = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00112233445566778899AABBCCDDEEFF\n\n";
    let lines = key.lines().filter(|line| !line.starts_with("-----"));
    let old_style = format!(
        "{header}{}\n-----END RSA PRIVATE KEY-----\n",
        lines.collect::<Vec<_>>().join("\n")
    );
    let der = CertificateDer::from_pem_slice(leaf.as_bytes())
        .expect("a certificate")
        .to_vec();
    let key_der = PrivateKeyDer::from_pem_slice(key.as_bytes())
        .expect("a key")
        .secret_der()
        .to_vec();
    let leaf_last = intermediate.clone() + &leaf;
    let leaf_amid = root + &leaf + &intermediate;
    let old_and_chain = version_1.clone() + &intermediate;
    let encrypted = "the key file is encrypted, and there is nobody to ask for its passphrase";
    let mixed_up = "are the two files mixed up?";
    let cases: [(&str, &[u8], &[u8], &str); 12] = [
        (
            "leaf last",
            leaf_last.as_bytes(),
            key.as_bytes(),
            "the leaf goes first: the private key is that of certificate 2 of 2 in the file",
        ),
        (
            "leaf in the middle",
            leaf_amid.as_bytes(),
            key.as_bytes(),
            "the private key is that of certificate 2 of 3",
        ),
        (
            "another key",
            whole.as_bytes(),
            other.key.as_bytes(),
            "the private key is not the certificate's",
        ),
        (
            "encrypted",
            whole.as_bytes(),
            relabelled.as_bytes(),
            encrypted,
        ),
        (
            "encrypted, old style",
            whole.as_bytes(),
            old_style.as_bytes(),
            encrypted,
        ),
        ("mixed up", key.as_bytes(), leaf.as_bytes(), mixed_up),
        (
            "certificate twice",
            whole.as_bytes(),
            leaf.as_bytes(),
            mixed_up,
        ),
        (
            "DER",
            &der,
            key.as_bytes(),
            "the certificate file is DER, not PEM: openssl x509 -inform der",
        ),
        (
            "DER key",
            whole.as_bytes(),
            &key_der,
            "the key file is DER, not PEM: openssl pkey -inform der",
        ),
        (
            "version 1",
            version_1.as_bytes(),
            key.as_bytes(),
            "the certificate is X.509 version 1, which no TLS client accepts: make one of version 3, with a subjectAltName",
        ),
        (
            "version 1 and its chain",
            old_and_chain.as_bytes(),
            key.as_bytes(),
            "is X.509 version 1",
        ),
        (
            "nothing",
            b"nothing\n",
            key.as_bytes(),
            "the certificate file holds no PEM certificate",
        ),
    ];
    for (name, cert, key, says) in cases {
        let run = check(cert, key);
        run.misconfigured(&["cert.pem", says]);
        assert_eq!(run.stderr.lines().count(), 1, "{name}: {run:?}");
        assert!(!run.stderr.contains("PRIVATE KEY"), "{name}: {run:?}");
    }
}

#[test]
fn each_of_several_has_a_row_and_what_nobody_is_shown_is_a_warning() {
    let end = SystemTime::now() + Duration::from_secs(90 * 86_400 + 3600);
    let named = |names: &[&str]| Certificates::named(names, end);
    let folder = TempDir::new().expect("a temporary folder can be made");
    let mut text = "[server.tls]\nticket_keys = 'file:tickets'\n".to_owned();
    for (index, certificates) in [
        named(&["hooks.example.com"]),
        named(&["*.shops.example", "HOOKS.example.com"]),
        named(&["192.0.2.7"]),
    ]
    .iter()
    .enumerate()
    {
        let pair = [("cert", &certificates.cert), ("key", &certificates.key)];
        if index > 0 {
            text += "[[server.certificate]]\n";
        }
        for (key, file) in pair {
            let name = format!("{key}{index}.pem");
            fs::copy(file, folder.path().join(&name)).expect("the folder is writable");
            text += &format!("{key} = '{name}'\n");
        }
    }
    text +=
        "[[source]]\npath = '/a'\nprovider = 'shopify'\nsecrets = ['env:SHOPIFY_WEBHOOKS_KEY']\n";
    fs::write(folder.path().join("f.toml"), &text).expect("the folder is writable");
    fs::write(folder.path().join("tickets"), TICKETS).expect("the folder is writable");
    let check = || {
        let secret = [("SHOPIFY_WEBHOOKS_KEY", "shpss_certificates_0")];
        let args = ["check", "--offline", "--config", "f.toml"];
        Run::inside(folder.path(), &args, &secret)
    };
    let table = check().fine();
    for row in [
        "configuration  warning  f.toml:5 server.certificate[1]: not shown for hooks.example.com: the certificate of [server.tls] cert cert0.pem is for it, too, and comes first\n",
        "configuration  warning  f.toml:8 server.certificate[2]: never shown: ",
        "certificate    ok       hooks.example.com: matches its key, expires in 90 days\n",
        "certificate    ok       *.shops.example, HOOKS.example.com: matches its key, expires in 90 days\n",
        "certificate    ok       192.0.2.7: matches its key, expires in 90 days\n",
        "tickets        ok       the first of 2 keys seals, all open\n",
    ] {
        assert!(table.contains(row), "{row}{table}");
    }
    assert!(table.ends_with("\n0 wrong, 2 warnings\n"), "{table}");

    fs::copy(
        folder.path().join("key0.pem"),
        folder.path().join("key2.pem"),
    )
    .expect("a copy");
    fs::remove_file(folder.path().join("key1.pem")).expect("it is there");
    fs::write(folder.path().join("tickets"), "00\n").expect("the folder is writable");
    let run = check();
    run.misconfigured(&[
        "f.toml:2 server.tls.ticket_keys: file:tickets, line 1: expected 64 hex digits",
        "f.toml:5 server.certificate[1]: key1.pem: No such file",
        "f.toml:8 server.certificate[2]: cert2.pem, key2.pem: the private key is not the certificate's",
    ]);
    assert_eq!(run.stderr.lines().count(), 3, "{run:?}");
}

#[test]
fn an_authority_for_clients_is_one_and_goes_without_tickets() {
    let own = Certificates::generate();
    let folder = TempDir::new().expect("a temporary folder can be made");
    let source =
        "[[source]]\npath = '/a'\nprovider = 'shopify'\nsecrets = ['env:SHOPIFY_WEBHOOKS_KEY']\n";
    let check = |authorities: &Path, more: &str| {
        let files = [&*own.cert, &*own.key, authorities].map(Path::display);
        let [cert, key, ca] = files;
        let text = format!(
            "[server.tls]\ncert = '{cert}'\nkey = '{key}'\nclient_ca = '{ca}'\n{more}{source}"
        );
        fs::write(folder.path().join("f.toml"), text).expect("the folder is writable");
        fs::write(folder.path().join("tickets"), TICKETS).expect("the folder is writable");
        let secret = [("SHOPIFY_WEBHOOKS_KEY", "shpss_certificates_0")];
        let args = ["check", "--offline", "--config", "f.toml"];
        Run::inside(folder.path(), &args, &secret)
    };
    let table = check(&own.ca, "").fine();
    assert!(
        table.contains("clients        ok       only with a certificate of client_ca"),
        "{table}"
    );
    let run = check(&own.key, "");
    run.misconfigured(&[
        "f.toml:4 server.tls.client_ca: ",
        "holds a private key and no certificate",
    ]);
    let run = check(Path::new("nowhere.pem"), "");
    run.misconfigured(&["f.toml:4 server.tls.client_ca: nowhere.pem: No such file"]);
    let run = check(&own.ca, "ticket_keys = 'file:tickets'\n");
    run.misconfigured(&["f.toml:5 server.tls.ticket_keys: of no use beside client_ca"]);
}

#[test]
fn one_that_is_not_valid_yet_is_wrong() {
    let chain = Chain::generate(
        NAMES,
        SystemTime::now() + Duration::from_secs(5 * 3600 + 60),
    );
    let run = check(&(chain.leaf.clone() + &chain.intermediate), &chain.key);
    assert_eq!(run.code, Some(78), "{run:?}");
    let row = "certificate    WRONG    hooks.example.com, 192.0.2.7, ::1: not valid yet, but in 5 hours: is the clock right?\n";
    assert!(run.stdout.contains(row), "{run:?}");
    assert!(run.stdout.ends_with("\n1 wrong, 0 warnings\n"), "{run:?}");
}

#[test]
fn so_is_what_is_wrong_with_temporals() {
    let Chain {
        leaf,
        intermediate,
        root,
        key,
        version_1,
    } = Chain::generate(&["localhost"], yesterday());
    let of_the_same_name = chain_of_another().root;
    let stranger = fs::read_to_string(&Certificates::generate().ca).expect("it was made");
    let whole = leaf + &intermediate;
    for (served, trusted, says) in [
        (
            version_1,
            &root,
            "Temporal's certificate cannot be read; if it is X.509 version 1, it needs one of version 3",
        ),
        (
            whole.clone(),
            &of_the_same_name,
            "the authority that signed Temporal's certificate is not one that is trusted",
        ),
        (
            whole,
            &stranger,
            "the authority that signed Temporal's certificate is not one that is trusted",
        ),
    ] {
        let port = serve(&served, &key);
        let folder = TempDir::new().expect("a temporary folder can be made");
        let source = "[[source]]\npath = '/a'\nprovider = 'shopify'\nsecrets = ['env:SHOPIFY_WEBHOOKS_KEY']\n";
        let text = format!(
            "[temporal]\naddress = 'localhost:{port}'\ntls = {{ ca = 'ca.pem' }}\n{source}"
        );
        fs::write(folder.path().join("f.toml"), text).expect("the folder is writable");
        fs::write(folder.path().join("ca.pem"), trusted).expect("the folder is writable");
        let secret = [("SHOPIFY_WEBHOOKS_KEY", "shpss_certificates_0")];
        let run = Run::inside(
            folder.path(),
            &["check", "--no-tls", "--config", "f.toml"],
            &secret,
        );
        assert_eq!(run.code, Some(78), "{run:?}");
        let row = format!("temporal       WRONG    localhost:{port}: {says}");
        assert!(run.stdout.contains(&row), "{run:?}");
    }
}

/// A TLS server that shows this chain, whatever clients think of it, until the test ends.
fn serve(chain: &str, key: &str) -> u16 {
    let chain = CertificateDer::pem_slice_iter(chain.as_bytes());
    let chain = chain.collect::<Result<Vec<_>, _>>().expect("certificates");
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).expect("a key");
    let key = any_supported_type(&key).expect("a key");
    let shown = SingleCertAndKey::from(CertifiedKey::new(chain, key));
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the provider has them")
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(shown));
    let config = Arc::new(config);
    let listener = TcpListener::bind("localhost:0").expect("a port");
    let port = listener.local_addr().expect("it is bound").port();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut session = ServerConnection::new(Arc::clone(&config)).expect("a session");
            // The client refuses; what becomes of the session does not matter.
            while session.is_handshaking() && session.complete_io(&mut stream).is_ok() {}
        }
    });
    port
}

fn chain() -> Chain {
    Chain::generate(NAMES, yesterday())
}

fn chain_of_another() -> Chain {
    Chain::generate(NAMES, yesterday())
}

/// So that 364 days and some hours are left.
fn yesterday() -> SystemTime {
    SystemTime::now() - Duration::from_secs(43_200)
}

fn check(cert: impl AsRef<[u8]>, key: impl AsRef<[u8]>) -> Run {
    let folder = TempDir::new().expect("a temporary folder can be made");
    fs::write(folder.path().join("cert.pem"), cert).expect("the folder is writable");
    fs::write(folder.path().join("key.pem"), key).expect("the folder is writable");
    let args = [
        "check",
        "--offline",
        "--cert",
        "cert.pem",
        "--key",
        "key.pem",
    ];
    let secret = [("SHOPIFY_WEBHOOKS_KEY", "shpss_certificates_0")];
    Run::inside(folder.path(), &args, &secret)
}

const NAMES: &[&str] = &["hooks.example.com", "192.0.2.7", "::1"];

/// Two keys of session tickets.
const TICKETS: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff
ffeeddccbbaa99887766554433221100ffeeddccbbaa99887766554433221100
";

//! Pebble: a real ACME server, the one that Let's Encrypt tests clients with. Its certificates last as long as a
//! test wants.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::version::TLS13;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::certs::Certificates;
use super::program::Program;
use super::run_folder;
use super::sender::Sender;
use super::temporal::{free_port, go_program};
use super::wait::{PATIENCE, eventually};

/// Runs until it is dropped.
pub(crate) struct Pebble {
    /// Its URL.
    pub(crate) directory: String,
    root: CertificateDer<'static>,
    names: JoinHandle<()>,
    _program: Program,
    _folder: TempDir,
}

impl Pebble {
    /// Looks for names on this port of this machine, and certifies them for so long.
    pub(crate) async fn start(tls_port: u16, validity: Duration) -> Self {
        let own = Certificates::shared();
        let (port, management) = (free_port(), free_port());
        let (resolver, names) = resolver().await;
        let config = json!({ "pebble": {
            "listenAddress": format!("127.0.0.1:{port}"),
            "managementListenAddress": format!("127.0.0.1:{management}"),
            "certificate": own.cert,
            "privateKey": own.key,
            "httpPort": 1,
            "tlsPort": tls_port,
            "retryAfter": { "authz": 1, "order": 1 },
            "keyAlgorithm": "ecdsa",
            "profiles": { "default": { "description": "", "validityPeriod": validity.as_secs() } },
        }});
        let folder = TempDir::new_in(run_folder()).expect("the folder of the run is writable");
        let file = folder.path().join("pebble.json");
        fs::write(&file, config.to_string()).expect("the folder is writable");
        let binary = go_program("PEBBLE_BIN", "pebble");
        let mut command = Command::new(binary.expect("Pebble: `make pebble`, or set PEBBLE_BIN"));
        command
            .env_clear()
            // It would rest for up to 15 s before it looks; and take yesterday's proof for today's.
            .envs([("PEBBLE_VA_NOSLEEP", "1"), ("PEBBLE_AUTHZREUSE", "0")])
            .args(["-dnsserver", &resolver.to_string(), "-config"])
            .arg(&file);
        let program = Program::start("Pebble", &mut command);
        let asked = Sender::configured(
            &format!("127.0.0.1:{management}"),
            own.client(&TLS13, "http/1.1"),
        );
        let root = eventually("Pebble says whom to trust", PATIENCE, async || {
            let page = super::delivery::Delivery::bare(reqwest::Method::GET, "/roots/0");
            let answer = asked.try_ask(&page).await.ok()?;
            CertificateDer::from_pem_slice(answer.text.as_bytes()).ok()
        });
        Self {
            directory: format!("https://localhost:{port}/dir"),
            root: root.await,
            names,
            _program: program,
            _folder: folder,
        }
    }

    /// A client that trusts this authority alone.
    pub(crate) fn client(&self, alpn: &str) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots.add(self.root.clone()).expect("it is an authority");
        let mut config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_protocol_versions(&[&TLS13])
            .expect("the provider has the version")
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![alpn.as_bytes().to_vec()];
        config
    }
}

impl Drop for Pebble {
    fn drop(&mut self) {
        self.names.abort();
    }
}

/// A DNS server (over TCP, as Pebble asks) that says of every name that it is this machine.
async fn resolver() -> (SocketAddr, JoinHandle<()>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
    let listener = listener.expect("a port is free");
    let address = listener.local_addr().expect("it is bound");
    let answering = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(async move { answer_all(stream).await.ok() });
        }
    });
    (address, answering)
}

/// Each message stands after its length.
async fn answer_all(mut stream: TcpStream) -> std::io::Result<()> {
    loop {
        let mut query = vec![0; usize::from(stream.read_u16().await?)];
        stream.read_exact(&mut query).await?;
        let answer = answer(&query);
        let length = u16::try_from(answer.len()).expect("it is short");
        stream.write_u16(length).await?;
        stream.write_all(&answer).await?;
    }
}

/// RFC 1035, 4.1: a header of 12 bytes, then the question: labels, an empty one, type, class.
fn answer(query: &[u8]) -> Vec<u8> {
    let mut end = 12;
    while query[end] != 0 {
        end += usize::from(query[end]) + 1;
    }
    let question = &query[12..end + 5];
    let is_ipv4 = query[end + 1..end + 3] == [0, 1];
    let mut answer = query[..2].to_vec();
    // A response, without error; one question, one answer or none.
    answer.extend([0x81, 0x80, 0, 1, 0, u8::from(is_ipv4), 0, 0, 0, 0]);
    answer.extend(question);
    if is_ipv4 {
        // The name of the question; type A, class IN, no time to live, four bytes.
        answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, 127, 0, 0, 1]);
    }
    answer
}

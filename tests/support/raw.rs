//! Bytes as we like them, for requests that no HTTP client would make.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::version::TLS13;

use super::certs::Certificates;
use super::forwarder::Forwarder;

/// A connection below HTTP, with TLS if the forwarder has it.
pub(crate) async fn connect(forwarder: &Forwarder) -> Box<dyn Stream> {
    if forwarder.tls {
        Box::new(connect_tls(forwarder, "http/1.1").await)
    } else {
        let stream = TcpStream::connect(forwarder.public).await;
        Box::new(stream.expect("it listens"))
    }
}

pub(crate) async fn connect_tls(forwarder: &Forwarder, alpn: &str) -> TlsStream<TcpStream> {
    let connected = connect_trusting(forwarder, Certificates::shared(), alpn).await;
    connected.expect("a handshake")
}

/// As a client that trusts only these.
pub(crate) async fn connect_trusting(
    forwarder: &Forwarder,
    certificates: &Certificates,
    alpn: &str,
) -> std::io::Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(forwarder.public).await;
    let config = certificates.client(&TLS13, alpn);
    let name = ServerName::try_from("localhost").expect("a name");
    TlsConnector::from(std::sync::Arc::new(config))
        .connect(name, stream.expect("it listens"))
        .await
}

/// Sends these bytes, then reads until the server closes.
pub(crate) async fn exchange(forwarder: &Forwarder, request: &[u8]) -> String {
    let mut stream = connect(forwarder).await;
    stream.write_all(request).await.expect("it reads");
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer);
    let read = tokio::time::timeout(Duration::from_secs(30), read).await;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    // A close without TLS's goodbye is a close too.
    read.unwrap_or_else(|_| panic!("the connection stays open after {answer:?}"))
        .ok();
    answer
}

/// What a socket does, encrypted or not.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

//! The TLS handshake: within its deadline, and how it ended.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::server::TlsStream;
use webhook_core::client_certificate::ClientCertificate;

use super::refused::{self, Kind, OPENING};
use crate::tls::Acceptor;

/// The encrypted stream, and what certificate its client has shown.
type Opened = (TlsStream<TcpStream>, Option<Arc<ClientCertificate>>);

/// The encrypted stream; `None`: it failed. The kind says how it ended, if the client said anything.
pub(super) async fn handshake(
    stream: TcpStream,
    tls: Acceptor,
    limit: Duration,
) -> (Option<Opened>, Option<&'static Kind>) {
    match timeout(limit, open(stream, &tls)).await {
        Ok(Ok(stream)) => (Some(stream), Some(&refused::OK)),
        Ok(Err(None)) => {
            tracing::debug!("a connection ended before its first byte");
            (None, None)
        }
        Ok(Err(Some((opening, error)))) => {
            tracing::debug!(%error, "TLS handshake failed");
            let awaits_certificate = tls.awaits_certificate();
            let kind = refused::handshake(&opening, &error, awaits_certificate);
            (None, Some(kind))
        }
        Err(_) => (None, Some(&refused::TIMEOUT)),
    }
}

/// An error comes with the client's first bytes; `None`: there were none.
async fn open(stream: TcpStream, tls: &Acceptor) -> Result<Opened, Option<(Vec<u8>, io::Error)>> {
    let mut opening = [0; OPENING];
    let count = stream.peek(&mut opening).await.unwrap_or_default();
    if count == 0 {
        return Err(None);
    }
    let opened = tls.accept(stream).await;
    opened.map_err(|error| Some((opening[..count].to_vec(), error)))
}

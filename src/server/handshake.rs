//! The TLS handshake: within its deadline, and how it ended.

use std::io;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::refused::{self, Kind, OPENING};

/// The encrypted stream; `None`: it failed. The kind says how it ended, if the client said anything.
pub(super) async fn handshake(
    stream: TcpStream,
    tls: TlsAcceptor,
    limit: Duration,
) -> (Option<TlsStream<TcpStream>>, Option<&'static Kind>) {
    match timeout(limit, open(stream, tls)).await {
        Ok(Ok(stream)) => (Some(stream), Some(&refused::OK)),
        Ok(Err(None)) => {
            tracing::debug!("a connection ended before its first byte");
            (None, None)
        }
        Ok(Err(Some((opening, error)))) => {
            tracing::debug!(%error, "TLS handshake failed");
            (None, Some(refused::handshake(&opening, &error)))
        }
        Err(_) => (None, Some(&refused::TIMEOUT)),
    }
}

/// An error comes with the client's first bytes; `None`: there were none.
async fn open(
    stream: TcpStream,
    tls: TlsAcceptor,
) -> Result<TlsStream<TcpStream>, Option<(Vec<u8>, io::Error)>> {
    let mut opening = [0; OPENING];
    let count = stream.peek(&mut opening).await.unwrap_or_default();
    if count == 0 {
        return Err(None);
    }
    let opened = tls.accept(stream).await;
    opened.map_err(|error| Some((opening[..count].to_vec(), error)))
}

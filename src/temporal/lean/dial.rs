//! How a connection is made: TCP, perhaps through a proxy, perhaps TLS, HTTP/2.

use std::io;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use h2::client::{Builder, SendRequest};
use http::uri::{Authority, InvalidUri, Scheme};
use temporalio_client::{HttpConnectProxyOptions, TlsOptions};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use tonic::Status;

use crate::temporal::connect::{CONNECT_TIMEOUT, Settings};

/// A byte stream, whatever is below it.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// An HTTP/2 connection, which has to be driven.
pub(super) type Connection = h2::client::Connection<Box<dyn Stream>, Bytes>;

/// What a connection is made with, checked.
pub(super) struct Dial {
    /// `host:port`
    target: String,
    authority: String,
    proxy: Option<HttpConnectProxyOptions>,
    tls: Option<(TlsConnector, ServerName<'static>)>,
}

impl Dial {
    pub(super) fn new(settings: &Settings) -> Result<Self, String> {
        let options = &settings.options;
        let url = &options.target;
        let host = url.host_str().ok_or("the address has no host")?;
        let port = url
            .port_or_known_default()
            .ok_or("the address has no port")?;
        let target = format!("{host}:{port}");
        let tls = options.tls_options.as_ref();
        let domain = tls.and_then(|tls| tls.domain.clone());
        let name = domain
            .clone()
            .unwrap_or_else(|| host.trim_matches(['[', ']']).to_owned());
        let tls = tls.map(|tls| {
            let name = ServerName::try_from(name).map_err(|error| error.to_string())?;
            Ok::<_, String>((connector(tls)?, name))
        });
        Ok(Self {
            authority: domain.unwrap_or_else(|| target.clone()),
            target,
            proxy: options.http_connect_proxy.clone(),
            tls: tls.transpose()?,
        })
    }

    /// `https` and the authority, as the official client has them.
    pub(super) fn origin(&self) -> Result<(Scheme, Authority), String> {
        let scheme = if self.tls.is_some() {
            Scheme::HTTPS
        } else {
            Scheme::HTTP
        };
        let authority = self.authority.parse();
        Ok((
            scheme,
            authority.map_err(|error: InvalidUri| error.to_string())?,
        ))
    }

    /// A new connection.
    ///
    /// # Errors
    /// With what the system says as its source.
    pub(super) async fn connection(&self) -> Result<(SendRequest<Bytes>, Connection), Status> {
        let connecting = timeout(CONNECT_TIMEOUT, self.connect());
        let connected = connecting
            .await
            .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        connected.map_err(|error| {
            let mut status = Status::unavailable("no connection");
            status.set_source(Arc::new(error));
            status
        })
    }

    async fn connect(&self) -> io::Result<(SendRequest<Bytes>, Connection)> {
        let stream = match &self.proxy {
            None => TcpStream::connect(&self.target).await?,
            Some(proxy) => self.tunnel(proxy).await?,
        };
        stream.set_nodelay(true)?;
        let stream: Box<dyn Stream> = match &self.tls {
            None => Box::new(stream),
            Some((tls, name)) => Box::new(tls.connect(name.clone(), stream).await?),
        };
        let mut http = Builder::new();
        http.enable_push(false);
        http.handshake(stream).await.map_err(io::Error::other)
    }

    /// A way through the proxy: from there on the bytes are the server's.
    async fn tunnel(&self, proxy: &HttpConnectProxyOptions) -> io::Result<TcpStream> {
        let mut stream = TcpStream::connect(&proxy.target_addr).await?;
        let host = &self.target;
        let mut head = format!("CONNECT {host} HTTP/1.1\r\nHost: {host}\r\n");
        if let Some((user, password)) = &proxy.basic_auth {
            let credentials = STANDARD.encode(format!("{user}:{password}"));
            head += &format!("Proxy-Authorization: Basic {credentials}\r\n");
        }
        stream.write_all((head + "\r\n").as_bytes()).await?;
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") && answer.len() < MAX_HEAD {
            // Byte by byte: what comes after is the server's.
            answer.push(stream.read_u8().await?);
        }
        let status = String::from_utf8_lossy(answer.get(9..12).unwrap_or_default());
        if answer.starts_with(b"HTTP/1.") && status.starts_with('2') {
            return Ok(stream);
        }
        let why = format!("the proxy does not connect: status {status}");
        Err(io::Error::other(why))
    }
}

/// The same authorities, and the same client certificate, as the official client's.
fn connector(tls: &TlsOptions) -> Result<TlsConnector, String> {
    let mut roots = RootCertStore::empty();
    match &tls.server_root_ca_cert {
        Some(pem) => {
            let authorities: Vec<_> = certificates(pem)?;
            roots.add_parsable_certificates(authorities);
        }
        None => {
            let found = rustls_native_certs::load_native_certs();
            roots.add_parsable_certificates(found.certs);
        }
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots);
    let mut config = match &tls.client_tls_options {
        None => builder.with_no_client_auth(),
        Some(identity) => {
            let key = PrivateKeyDer::from_pem_slice(&identity.client_private_key);
            let key = key.map_err(|error| error.to_string())?;
            let chain = certificates(&identity.client_cert)?;
            let with = builder.with_client_auth_cert(chain, key);
            with.map_err(|error| error.to_string())?
        }
    };
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(TlsConnector::from(Arc::new(config)))
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let read: Result<_, _> = CertificateDer::pem_slice_iter(pem).collect();
    read.map_err(|error| error.to_string())
}

/// Of a proxy's answer, in bytes.
const MAX_HEAD: usize = 8 * 1024;

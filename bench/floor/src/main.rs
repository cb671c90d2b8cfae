//! The least that such a server can cost: hyper and rustls as the program uses them, the body read whole, then one raw
//! tonic `StartWorkflowExecution` with that body as its input; without an address of Temporal only the 200.
//! `floor LISTEN CERT KEY [TEMPORAL]`

mod start;

use std::convert::Infallible;
use std::env::args;
use std::error::Error;
use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ServerConfig, version};
use tonic::transport::{Channel, Endpoint};

type Failure = Box<dyn Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let args: Vec<String> = args().skip(1).collect();
    let (listen, cert, key, temporal) = match args.as_slice() {
        [listen, cert, key] => (listen, cert, key, None),
        [listen, cert, key, temporal] => (listen, cert, key, Some(temporal)),
        _ => return Err("usage: floor LISTEN CERT KEY [TEMPORAL]".into()),
    };
    let acceptor = acceptor(cert, key)?;
    let channel = temporal.map(|address| connect(address)).transpose()?;
    let listener = TcpListener::bind(listen).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(serve(stream, acceptor.clone(), channel.clone()));
    }
}

fn acceptor(cert: &str, key: &str) -> Result<TlsAcceptor, Failure> {
    let chain = CertificateDer::pem_file_iter(cert)?.collect::<Result<Vec<_>, _>>()?;
    let key = PrivateKeyDer::from_pem_file(key)?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_protocol_versions(&[&version::TLS13, &version::TLS12])?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

fn connect(address: &str) -> Result<Channel, Failure> {
    Ok(Endpoint::from_shared(format!("http://{address}"))?.connect_lazy())
}

async fn serve(stream: TcpStream, acceptor: TlsAcceptor, channel: Option<Channel>) {
    let _ = stream.set_nodelay(true);
    let Ok(stream) = acceptor.accept(stream).await else {
        return;
    };
    let service = service_fn(move |request| answer(request, channel.clone()));
    let mut server = auto::Builder::new(TokioExecutor::new());
    server
        .http2()
        .max_concurrent_streams(100)
        .initial_stream_window_size(256 * 1024)
        .initial_connection_window_size(1024 * 1024);
    let _ = server.serve_connection(TokioIo::new(stream), service).await;
}

async fn answer(
    request: Request<Incoming>,
    channel: Option<Channel>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let is_event = request.method() == Method::POST;
    let status = match (request.into_body().collect().await, channel) {
        (Ok(body), Some(channel)) if is_event => match start::start(channel, body.to_bytes()).await
        {
            Ok(()) => StatusCode::OK,
            Err(_) => StatusCode::SERVICE_UNAVAILABLE,
        },
        (Ok(_), _) => StatusCode::OK,
        (Err(_), _) => StatusCode::BAD_REQUEST,
    };
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    Ok(response)
}

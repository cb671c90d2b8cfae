//! What stands before a Temporal that is not on this machine: TLS, client certificates, an API
//! key. It passes calls on to the real server and remembers what it saw.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http_body_util::{Either, Empty};
use hyper::body::Incoming;
use hyper::client::conn::http2::SendRequest;
use hyper::header::HeaderMap;
use hyper::service::service_fn;
use hyper::{Request, Response, Uri, client, server};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};

use super::certs::Certificates;
use super::raw::Stream;
use super::temporal::Temporal;

/// A reverse proxy for gRPC. Dropping it closes its door.
#[derive(Debug)]
pub(crate) struct Gateway {
    address: SocketAddr,
    state: Arc<State>,
    accepting: JoinHandle<()>,
}

/// One call.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    /// Which method: `StartWorkflowExecution`.
    pub(crate) method: String,
    pub(crate) headers: HeaderMap,
    /// The client's, if it had to show one.
    pub(crate) certificate: Option<CertificateDer<'static>>,
    /// Calls with the same number came over the same connection.
    pub(crate) connection: usize,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value.map_or("", |value| value.to_str().expect("ASCII"))
    }
}

#[derive(Debug, Default)]
struct State {
    target: String,
    key: Mutex<Option<String>>,
    seen: Mutex<Vec<Seen>>,
}

impl Gateway {
    /// Without TLS.
    pub(crate) async fn plain() -> Self {
        Self::start(None).await
    }

    /// Shows these certificates.
    pub(crate) async fn tls(own: &Certificates) -> Self {
        Self::start(Some(acceptor(own, &[]))).await
    }

    /// Besides, lets only those in whose certificate is of one of these authorities.
    pub(crate) async fn mtls(own: &Certificates, trusted: &[&Certificates]) -> Self {
        Self::start(Some(acceptor(own, trusted))).await
    }

    async fn start(acceptor: Option<TlsAcceptor>) -> Self {
        let state = Arc::new(State {
            target: Temporal::shared().await.address(),
            ..State::default()
        });
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let listener = listener.expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        let accepting = tokio::spawn(accept(listener, acceptor, Arc::clone(&state)));
        Self {
            address,
            state,
            accepting,
        }
    }

    /// From now on only calls with this API key are passed on.
    pub(crate) fn require_key(&self, key: &str) {
        *self.state.key.lock().expect("no holder panics") = Some(key.to_owned());
    }

    pub(crate) fn address(&self) -> String {
        self.address.to_string()
    }

    /// The starts so far, refused ones included.
    pub(crate) fn starts(&self) -> Vec<Seen> {
        let seen = self.state.seen.lock().expect("no holder panics");
        let starts = seen.iter().filter(|seen| seen.method == START);
        starts.cloned().collect()
    }

    pub(crate) fn last_start(&self) -> Seen {
        self.starts().pop().expect("a start came by")
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

fn acceptor(own: &Certificates, trusted: &[&Certificates]) -> TlsAcceptor {
    let provider = Arc::new(default_provider());
    let chain = CertificateDer::pem_file_iter(&own.cert).expect("it was made");
    let chain = chain.collect::<Result<_, _>>().expect("PEM");
    let key = PrivateKeyDer::from_pem_file(&own.key).expect("PEM");
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .expect("the provider has them");
    let builder = if trusted.is_empty() {
        builder.with_no_client_auth()
    } else {
        let mut roots = RootCertStore::empty();
        for authority in trusted {
            roots.extend(authority.roots().roots);
        }
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
        builder.with_client_cert_verifier(verifier.build().expect("there are roots"))
    };
    let mut config = builder.with_single_cert(chain, key).expect("they fit");
    config.alpn_protocols = vec![b"h2".to_vec()];
    TlsAcceptor::from(Arc::new(config))
}

async fn accept(listener: TcpListener, acceptor: Option<TlsAcceptor>, state: Arc<State>) {
    let mut number = 0;
    while let Ok((stream, _)) = listener.accept().await {
        number += 1;
        let (acceptor, state) = (acceptor.clone(), Arc::clone(&state));
        tokio::spawn(async move {
            let (stream, certificate): (Box<dyn Stream>, _) = match acceptor {
                None => (Box::new(stream), None),
                Some(acceptor) => {
                    let Ok(stream) = acceptor.accept(stream).await else {
                        return;
                    };
                    let shown = stream.get_ref().1.peer_certificates();
                    let shown = shown.map(|chain| chain[0].clone().into_owned());
                    (Box::new(stream), shown)
                }
            };
            serve(stream, certificate, number, state).await;
        });
    }
}

/// One connection of the client's, for which there is one to the server.
async fn serve(
    stream: Box<dyn Stream>,
    certificate: Option<CertificateDer<'static>>,
    connection: usize,
    state: Arc<State>,
) {
    let Ok(upstream) = TcpStream::connect(&state.target).await else {
        return;
    };
    let upstream = client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(upstream));
    let (sender, driver) = upstream.await.expect("Temporal speaks HTTP/2");
    let driver = tokio::spawn(driver);
    let service = service_fn(|request: Request<Incoming>| {
        let seen = Seen {
            method: request
                .uri()
                .path()
                .rsplit('/')
                .next()
                .unwrap_or_default()
                .to_owned(),
            headers: request.headers().clone(),
            certificate: certificate.clone(),
            connection,
        };
        state.seen.lock().expect("no holder panics").push(seen);
        pass_on(request, sender.clone(), Arc::clone(&state))
    });
    let server = server::conn::http2::Builder::new(TokioExecutor::new());
    let served = server.serve_connection(TokioIo::new(stream), service);
    served.await.ok();
    driver.abort();
}

async fn pass_on(
    mut request: Request<Incoming>,
    mut sender: SendRequest<Incoming>,
    state: Arc<State>,
) -> Result<Response<Either<Incoming, Empty<Bytes>>>, hyper::Error> {
    let key = state.key.lock().expect("no holder panics").clone();
    let shown = request.headers().get("authorization");
    if let Some(key) = key
        && shown.is_none_or(|shown| shown != &format!("Bearer {key}"))
    {
        let refusal = Response::builder()
            .header("content-type", "application/grpc")
            .header("grpc-status", "16")
            .header("grpc-message", "this API key is not known");
        let refusal = refusal.body(Either::Right(Empty::new()));
        return Ok(refusal.expect("valid headers"));
    }
    let path = request.uri().path().to_owned();
    let uri: Result<Uri, _> = format!("http://{}{path}", state.target).parse();
    *request.uri_mut() = uri.expect("a URI");
    Ok(sender.send_request(request).await?.map(Either::Left))
}

const START: &str = "StartWorkflowExecution";

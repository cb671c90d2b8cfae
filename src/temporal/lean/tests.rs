//! Against a server that speaks HTTP/2 and does what it is told.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};

use h2::server::SendResponse;
use h2::{Reason, server};
use http::Response;
use temporalio_client::{ConnectionOptions, Url};
use temporalio_common::protos::temporal::api::workflowservice::v1::{
    StartWorkflowExecutionRequest, StartWorkflowExecutionResponse,
};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use super::*;

/// What to do with a call.
#[derive(Debug, Clone, Copy)]
enum Act {
    /// A message in pieces, then trailers.
    Answer,
    TrailersOnly,
    /// Another HTTP status, and nothing of gRPC.
    Status(u16),
    NoStatus,
    Refuse,
    /// Answers this one, and says that it takes no more on this connection.
    GoAway,
    Cut,
    Never,
}

/// The calls' heads and lengths, in their order; how many connections came; who was cancelled.
struct Server {
    address: SocketAddr,
    calls: mpsc::UnboundedReceiver<(HeaderMap, usize)>,
    cancelled: mpsc::UnboundedReceiver<Reason>,
    connections: Arc<AtomicUsize>,
}

impl Server {
    async fn start(acts: &'static [Act]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound");
        let connections = Arc::new(AtomicUsize::new(0));
        let ((saw, calls), (lost, cancelled)) =
            (mpsc::unbounded_channel(), mpsc::unbounded_channel());
        let count = Arc::clone(&connections);
        let next = Arc::new(AtomicUsize::new(0));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::Relaxed);
                let (saw, lost, next) = (saw.clone(), lost.clone(), Arc::clone(&next));
                tokio::spawn(async move {
                    let mut connection = server::handshake(stream).await.expect("HTTP/2");
                    while let Some(Ok((request, respond))) = connection.accept().await {
                        let act = acts[next.fetch_add(1, Ordering::Relaxed) % acts.len()];
                        if matches!(act, Act::Cut) {
                            return;
                        }
                        if matches!(act, Act::GoAway) {
                            connection.graceful_shutdown();
                        }
                        tokio::spawn(serve(act, request, respond, saw.clone(), lost.clone()));
                    }
                });
            }
        });
        Self {
            address,
            calls,
            cancelled,
            connections,
        }
    }

    async fn client(&self) -> Arc<Lean> {
        let agent = ["rust", "1"].map(str::to_owned);
        let lean = Lean::connect(&settings(self.address, "one"), agent).await;
        lean.expect("connected")
    }
}

fn settings(address: SocketAddr, key: &str) -> Settings {
    let url = Url::parse(&format!("http://{address}")).expect("a URL");
    let mut options = ConnectionOptions::new(url).build();
    options.api_key = Some(key.to_owned());
    options.headers = Some([("x-team".to_owned(), "hooks".to_owned())].into());
    Settings {
        options,
        namespace: "orders".to_owned(),
        address: address.to_string(),
        connections: 1,
        ui: None,
        certificate: None,
    }
}

async fn serve(
    act: Act,
    request: Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
    saw: mpsc::UnboundedSender<(HeaderMap, usize)>,
    lost: mpsc::UnboundedSender<Reason>,
) {
    let (head, mut body) = request.into_parts();
    let mut length = 0;
    while let Some(Ok(chunk)) = body.data().await {
        length += chunk.len();
        let released = body.flow_control().release_capacity(chunk.len());
        released.expect("it was received");
    }
    saw.send((head.headers, length)).ok();
    let refusal = [("grpc-status", "6"), ("grpc-message", "already%20there")];
    match act {
        Act::Refuse => return respond.send_reset(Reason::REFUSED_STREAM),
        Act::Never => {
            let why = std::future::poll_fn(|context| respond.poll_reset(context)).await;
            lost.send(why.expect("a reset")).ok();
            return;
        }
        _ => {}
    }
    let mut response = Response::new(());
    if let Act::Status(status) = act {
        *response.status_mut() = StatusCode::from_u16(status).expect("a status");
    }
    if matches!(act, Act::TrailersOnly) {
        for (name, value) in refusal {
            let value = HeaderValue::from_static(value);
            response.headers_mut().insert(name, value);
        }
    }
    let ends = matches!(act, Act::TrailersOnly | Act::Status(_));
    let mut stream = respond.send_response(response, ends).expect("open");
    if ends {
        return;
    }
    let answer = StartWorkflowExecutionResponse {
        run_id: "r".repeat(100_000),
        started: true,
        ..StartWorkflowExecutionResponse::default()
    };
    let mut answer = frame(&answer);
    let rest = answer.split_off(3);
    stream.send_data(answer, false).expect("open");
    let no_status = matches!(act, Act::NoStatus);
    stream.send_data(rest, no_status).expect("open");
    if !no_status {
        let trailers = [(
            HeaderName::from_static("grpc-status"),
            HeaderValue::from_static("0"),
        )]
        .into_iter()
        .collect();
        stream.send_trailers(trailers).expect("open");
    }
}

async fn start(lean: &Lean, length: usize) -> Result<StartWorkflowExecutionResponse, Status> {
    let message = StartWorkflowExecutionRequest {
        identity: "x".repeat(length),
        ..StartWorkflowExecutionRequest::default()
    };
    let left = Duration::from_millis(2500);
    let answer = lean.call("StartWorkflowExecution", frame(&message), left);
    let answer = StartWorkflowExecutionResponse::decode(answer.await?);
    Ok(answer.expect("a message"))
}

#[tokio::test]
async fn a_call_of_a_mebibyte_is_answered_and_carries_what_belongs_to_it() {
    let mut server = Server::start(&[Act::Answer]).await;
    let lean = server.client().await;
    let answer = start(&lean, 1024 * 1024).await.expect("an answer");
    assert!(answer.started && answer.run_id.len() == 100_000);
    let (headers, length) = server.calls.recv().await.expect("a call");
    assert!(length > 1024 * 1024, "the whole message: {length}");
    for (name, value) in [
        ("te", "trailers"),
        ("content-type", "application/grpc"),
        ("grpc-timeout", "2500m"),
        ("temporal-namespace", "orders"),
        ("authorization", "Bearer one"),
        ("x-team", "hooks"),
        ("client-name", "rust"),
    ] {
        assert_eq!(headers[name], value, "{name}");
    }
    lean.go_on_with(&settings(server.address, "two"));
    start(&lean, 0).await.expect("an answer");
    let (headers, _) = server.calls.recv().await.expect("a call");
    assert_eq!(headers["authorization"], "Bearer two");
    assert_eq!(server.connections.load(Ordering::Relaxed), 1, "it goes on");
}

#[tokio::test]
async fn every_end_of_a_call_has_its_status() {
    let acts = &[
        Act::TrailersOnly,
        Act::Status(503),
        Act::Status(403),
        Act::NoStatus,
        Act::Refuse,
    ];
    let server = Server::start(acts).await;
    let lean = server.client().await;
    let mut said = Vec::new();
    for _ in acts {
        let error = start(&lean, 9).await.expect_err("no success");
        let transient = super::super::status::may_be_over_in_a_moment(&error);
        said.push((error.code(), transient));
        if error.code() == Code::AlreadyExists {
            assert_eq!(error.message(), "already there", "decoded");
        }
    }
    let expected = [
        (Code::AlreadyExists, false),
        (Code::Unavailable, true),
        (Code::PermissionDenied, false),
        (Code::Unknown, true),
        (Code::Unavailable, true),
    ];
    assert_eq!(said, expected);
}

#[tokio::test]
async fn a_connection_that_goes_away_or_breaks_is_made_anew() {
    let acts = &[Act::GoAway, Act::Answer, Act::Cut, Act::Answer];
    let server = Server::start(acts).await;
    let lean = server.client().await;
    start(&lean, 9).await.expect("what was begun is answered");
    start(&lean, 9).await.expect("on another connection");
    let broken = start(&lean, 9).await.expect_err("cut off");
    let status = super::super::status::may_be_over_in_a_moment(&broken);
    assert!(status, "it may be tried again: {broken:?}");
    start(&lean, 9).await.expect("on a third");
    assert_eq!(server.connections.load(Ordering::Relaxed), 3);
}

#[tokio::test]
async fn where_nobody_listens_the_system_says_why() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound");
    drop(listener);
    let lean = Lean::connect(&settings(address, "k"), ["", ""].map(str::to_owned)).await;
    let why = lean.err().expect("nobody is there");
    assert!(why.contains("Connection refused"), "{why}");
}

#[tokio::test]
async fn a_call_that_is_dropped_is_cancelled() {
    let mut server = Server::start(&[Act::Never]).await;
    let lean = server.client().await;
    tokio::select! {
        _ = start(&lean, 9) => panic!("nobody answers"),
        _ = server.calls.recv() => {}
    }
    assert_eq!(server.cancelled.recv().await, Some(Reason::CANCEL));
}

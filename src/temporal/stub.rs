//! A Temporal that answers as a test says, over real gRPC: for what the real one says seldom, or not
//! when it is wanted.

use std::future::pending;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};

use bytes::{BufMut, Bytes, BytesMut};
use h2::RecvStream;
use h2::server::SendResponse;
use http::{HeaderMap, Request, Response};
use prost::Message;
use temporalio_client::{ConnectionOptions, Url};
use temporalio_common::protos::temporal::api::workflowservice::v1::GetSystemInfoResponse;
use tokio::net::{TcpListener, TcpStream};
use tonic::Status;

use super::client::Client;
use super::connect::Settings;

/// What a method answers.
pub(super) enum Answer {
    /// An encoded message.
    Message(Vec<u8>),
    /// An error.
    Status(Status),
    /// Nothing, for ever.
    Nothing,
}

impl Answer {
    /// This message.
    pub(super) fn message(message: &impl Message) -> Self {
        Self::Message(message.encode_to_vec())
    }
}

/// By the method's name, and how often it was called before.
type Script = dyn Fn(&str, usize) -> Answer + Send + Sync;

/// The server, and a client of it.
pub(super) struct Stub {
    /// Connected.
    pub(super) client: Arc<Client>,
    received: Arc<Mutex<Vec<String>>>,
}

impl Stub {
    /// One that knows how to say what it is, and this.
    pub(super) async fn with_script(
        script: impl Fn(&str, usize) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .expect("a port is free");
        let address = listener.local_addr().expect("it is bound").to_string();
        let received = Arc::new(Mutex::new(Vec::new()));
        let (script, seen): (Arc<Script>, _) = (Arc::new(script), Arc::clone(&received));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&script), Arc::clone(&seen)));
            }
        });
        let target = Url::parse(&format!("http://{address}")).expect("a URL");
        let settings = Settings {
            options: ConnectionOptions::new(target).build(),
            namespace: "default".to_owned(),
            address,
            ui: None,
            certificate: None,
            connections: 1,
        };
        let client = Client::connected(settings).await.expect("it is there");
        Self { client, received }
    }

    /// How often this method was called.
    pub(super) fn calls(&self, method: &str) -> usize {
        count(&self.received, method)
    }
}

fn count(received: &Mutex<Vec<String>>, method: &str) -> usize {
    let received = received.lock().expect("no holder panics");
    received.iter().filter(|name| *name == method).count()
}

async fn serve(stream: TcpStream, script: Arc<Script>, received: Arc<Mutex<Vec<String>>>) {
    let mut connection = h2::server::handshake(stream)
        .await
        .expect("it speaks HTTP/2");
    while let Some(Ok((request, respond))) = connection.accept().await {
        let (script, received) = (Arc::clone(&script), Arc::clone(&received));
        tokio::spawn(async move {
            // Whoever asked may have given up.
            handle(request, respond, &*script, &received).await.ok();
        });
    }
}

async fn handle(
    request: Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
    script: &Script,
    received: &Mutex<Vec<String>>,
) -> Result<(), h2::Error> {
    let (parts, mut body) = request.into_parts();
    while let Some(chunk) = body.data().await {
        let count = chunk?.len();
        body.flow_control().release_capacity(count)?;
    }
    let (_, method) = parts.uri.path().rsplit_once('/').expect("a method's path");
    let answer = if method == "GetSystemInfo" {
        Answer::message(&GetSystemInfoResponse::default())
    } else {
        let before = count(received, method);
        let mut received = received.lock().expect("no holder panics");
        received.push(method.to_owned());
        drop(received);
        script(method, before)
    };
    match answer {
        Answer::Nothing => pending().await,
        Answer::Status(status) => {
            let (parts, ()) = status.into_http().into_parts();
            respond.send_response(Response::from_parts(parts, ()), true)?;
        }
        Answer::Message(message) => {
            let head = Response::builder()
                .header("content-type", "application/grpc")
                .body(())
                .expect("a head");
            let mut sending = respond.send_response(head, false)?;
            let mut frame = BytesMut::from(&[0_u8][..]);
            frame.put_u32(u32::try_from(message.len()).expect("it is short"));
            frame.put(&message[..]);
            sending.send_data(frame.freeze(), false)?;
            let mut trailers = HeaderMap::new();
            trailers.insert("grpc-status", 0.into());
            sending.send_trailers(trailers)?;
        }
    }
    Ok(())
}

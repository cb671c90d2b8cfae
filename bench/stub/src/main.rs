//! A Temporal that answers at once and starts nothing: it counts calls and remembers workflow ids.
//! `stub LISTEN REPORT`: whoever connects to REPORT gets, as lines, what came since the last report: `call COUNT METHOD`,
//! `id COUNT WORKFLOW_ID`.

mod message;

use std::collections::HashMap;
use std::env::args;
use std::error::Error;
use std::fmt::Write;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::{Bytes, BytesMut};
use h2::server::{Builder, SendResponse};
use http::{HeaderMap, HeaderValue, Request, Response};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};

type Failure = Box<dyn Error + Send + Sync>;

/// What came since the last report.
#[derive(Default)]
struct Seen {
    calls: HashMap<String, u64>,
    ids: HashMap<Vec<u8>, u64>,
}

type Shared = Arc<Mutex<Seen>>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let args: Vec<String> = args().skip(1).collect();
    let [listen, report] = args.as_slice() else {
        return Err("usage: stub LISTEN REPORT".into());
    };
    let seen = Shared::default();
    tokio::spawn(reports(TcpListener::bind(report).await?, Arc::clone(&seen)));
    let listener = TcpListener::bind(listen).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(connection(stream, Arc::clone(&seen)));
    }
}

async fn reports(listener: TcpListener, seen: Shared) {
    while let Ok((mut stream, _)) = listener.accept().await {
        let Seen { calls, ids } = std::mem::take(&mut *lock(&seen));
        let mut text = String::new();
        for (method, count) in calls {
            let _ = writeln!(text, "call {count} {method}");
        }
        for (id, count) in ids {
            let _ = writeln!(text, "id {count} {}", String::from_utf8_lossy(&id));
        }
        let _ = stream.write_all(text.as_bytes()).await;
    }
}

async fn connection(stream: TcpStream, seen: Shared) -> Result<(), Failure> {
    stream.set_nodelay(true)?;
    let mut connection = Builder::new()
        .initial_window_size(4 << 20)
        .initial_connection_window_size(64 << 20)
        .max_frame_size(1 << 20)
        .handshake::<_, Bytes>(stream)
        .await?;
    while let Some(call) = connection.accept().await {
        let (request, respond) = call?;
        tokio::spawn(answer(request, respond, Arc::clone(&seen)));
    }
    Ok(())
}

async fn answer(
    request: Request<h2::RecvStream>,
    mut respond: SendResponse<Bytes>,
    seen: Shared,
) -> Result<(), Failure> {
    let (head, mut body) = request.into_parts();
    let method = head.uri.path().rsplit('/').next().unwrap_or_default();
    let mut message = BytesMut::new();
    while let Some(data) = body.data().await {
        let data = data?;
        body.flow_control().release_capacity(data.len())?;
        message.extend_from_slice(&data);
    }
    let id = message::workflow_id(method, &message);
    {
        let mut seen = lock(&seen);
        *seen.calls.entry(method.to_owned()).or_default() += 1;
        if let Some(id) = id {
            *seen.ids.entry(id).or_default() += 1;
        }
    }
    let mut response = Response::new(());
    let grpc = HeaderValue::from_static("application/grpc");
    response.headers_mut().insert("content-type", grpc);
    let status = |code| HeaderMap::from_iter([(STATUS, HeaderValue::from_static(code))]);
    match message::answer(method) {
        Some(frame) => {
            let mut stream = respond.send_response(response, false)?;
            stream.send_data(Bytes::from_static(frame), false)?;
            stream.send_trailers(status("0"))?;
        }
        None => {
            eprintln!("stub: no answer to {method}");
            response.headers_mut().extend(status("12"));
            respond.send_response(response, true)?;
        }
    }
    Ok(())
}

fn lock(seen: &Shared) -> std::sync::MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

const STATUS: http::HeaderName = http::HeaderName::from_static("grpc-status");

//! Unary calls on an HTTP/2 connection of our own, for what is asked for each event: the message is
//! encoded once, into one buffer, and the headers are made beforehand. A call costs a third of what
//! the official client's costs.

mod dial;

use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use futures_util::future::BoxFuture;
use h2::client::SendRequest;
use h2::{Ping, PingPong, RecvStream};
use http::uri::{self, Authority, PathAndQuery, Scheme};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Uri, Version};
use prost::Message;
use temporalio_common::protos::temporal::api::workflowservice::v1::GetSystemInfoRequest;
use tokio::time::{Instant, sleep, timeout};
use tonic::{Code, Status};

use self::dial::Dial;
use super::connect::{KEEP_ALIVE_INTERVAL, KEEP_ALIVE_TIMEOUT, Settings};
use super::wire::Wire;

/// A connection that is made anew when it is lost.
pub struct Lean {
    dial: Dial,
    scheme: Scheme,
    authority: Authority,
    /// Name and version.
    agent: [String; 2],
    headers: RwLock<HeaderMap>,
    current: Mutex<Option<SendRequest<Bytes>>>,
    /// Who makes it anew, and when that failed last, with what.
    dialling: tokio::sync::Mutex<Option<(Instant, Status)>>,
}

impl Lean {
    /// Connects, under the name and version of the official client.
    ///
    /// # Errors
    /// Why that failed.
    pub async fn connect(settings: &Settings, agent: [String; 2]) -> Result<Arc<Self>, String> {
        let dial = Dial::new(settings)?;
        let (scheme, authority) = dial.origin()?;
        let lean = Self {
            scheme,
            authority,
            dial,
            headers: RwLock::new(headers(settings, &agent)),
            agent,
            current: Mutex::default(),
            dialling: tokio::sync::Mutex::default(),
        };
        let sender = lean.sender().await;
        sender.map_err(|error| super::status::text(&error))?;
        Ok(Arc::new(lean))
    }

    /// One attempt of this method of the workflow service, as gRPC lays it down; the answer's message.
    /// Dropped, it is cancelled.
    ///
    /// # Errors
    /// Temporal's, or with a source: it was not reached.
    pub async fn call(&self, method: &str, frame: Bytes, left: Duration) -> Result<Bytes, Status> {
        let request = self.request(method, left)?;
        let mut sender = self.sender().await?;
        let (response, mut body) = sender.send_request(request, false).map_err(broken)?;
        // It waits for the peer's window by itself, whatever its size.
        body.send_data(frame, true).map_err(broken)?;
        let (head, mut body) = response.await.map_err(broken)?.into_parts();
        if let Some(status) = Status::from_header_map(&head.headers) {
            return Err(status);
        }
        if head.status != StatusCode::OK {
            return Err(of_http(head.status));
        }
        let answer = read(&mut body).await?;
        let trailers = body.trailers().await.map_err(broken)?;
        let status = trailers.as_ref().and_then(Status::from_header_map);
        match status {
            Some(status) if status.code() == Code::Ok => unframed(answer),
            Some(status) => Err(status),
            None => Err(Status::unknown("the answer ended without a status")),
        }
    }

    fn request(&self, method: &str, left: Duration) -> Result<Request<()>, Status> {
        let invalid = |error: http::Error| Status::internal(error.to_string());
        let path = PathAndQuery::from_maybe_shared([SERVICE, method].concat());
        let mut uri = uri::Parts::default();
        uri.scheme = Some(self.scheme.clone());
        uri.authority = Some(self.authority.clone());
        uri.path_and_query = Some(path.map_err(|error| invalid(error.into()))?);
        let mut request = Request::new(());
        *request.method_mut() = Method::POST;
        *request.version_mut() = Version::HTTP_2;
        *request.uri_mut() = Uri::from_parts(uri).map_err(|error| invalid(error.into()))?;
        let headers = self.headers.read().unwrap_or_else(PoisonError::into_inner);
        request.headers_mut().clone_from(&headers);
        // Eight digits at most: milliseconds are enough for a day.
        let left = format!("{}m", left.as_millis().min(99_999_999));
        if let Ok(left) = HeaderValue::try_from(left) {
            request.headers_mut().insert(TIMEOUT, left);
        }
        Ok(request)
    }

    /// Ready for a stream: of the connection that is there, unless it is closed or going away, else of
    /// another.
    async fn sender(&self) -> Result<SendRequest<Bytes>, Status> {
        match self.ready().await {
            Some(sender) => Ok(sender),
            // Seldom, and large.
            None => Box::pin(self.anew()).await,
        }
    }

    async fn anew(&self) -> Result<SendRequest<Bytes>, Status> {
        let mut failed = self.dialling.lock().await;
        if let Some(sender) = self.ready().await {
            return Ok(sender);
        }
        if let Some((at, error)) = &*failed
            && at.elapsed() < BREATH
        {
            return Err(error.clone());
        }
        match self.dial.connection().await {
            Ok((sender, connection)) => {
                tokio::spawn(drive(connection));
                *self.current.lock().unwrap_or_else(PoisonError::into_inner) = Some(sender.clone());
                *failed = None;
                sender.ready().await.map_err(broken)
            }
            Err(error) => {
                *failed = Some((Instant::now(), error.clone()));
                Err(error)
            }
        }
    }

    async fn ready(&self) -> Option<SendRequest<Bytes>> {
        let current = self
            .current
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        current?.ready().await.ok()
    }
}

impl Wire for Lean {
    fn unary(
        self: Arc<Self>,
        method: &'static str,
        frame: Bytes,
        left: Duration,
    ) -> BoxFuture<'static, Result<Bytes, Status>> {
        Box::pin(async move { self.call(method, frame, left).await })
    }

    fn answers(&self) -> BoxFuture<'_, ()> {
        let left = Duration::from_secs(60);
        let frame = frame(&GetSystemInfoRequest::default());
        Box::pin(async move { drop(self.call("GetSystemInfo", frame, left).await) })
    }

    fn go_on_with(&self, settings: &Settings) {
        let mut current = self.headers.write().unwrap_or_else(PoisonError::into_inner);
        *current = headers(settings, &self.agent);
    }
}

/// The message behind gRPC's prefix: not compressed, and so many bytes.
pub fn frame(message: &impl Message) -> Bytes {
    frame_of(message, &(), message.encoded_len())
}

/// The same of a message in two parts, which together have this length.
pub fn frame_of(message: &impl Message, rest: &impl Message, length: usize) -> Bytes {
    let mut frame = BytesMut::with_capacity(PREFIX + length);
    frame.put_u8(0);
    frame.put_u32(u32::try_from(length).unwrap_or(u32::MAX));
    message.encode_raw(&mut frame);
    rest.encode_raw(&mut frame);
    frame.freeze()
}

/// The message in a frame.
///
/// # Errors
/// It is none, or compressed.
pub fn unframed(mut answer: Bytes) -> Result<Bytes, Status> {
    if answer.len() < PREFIX || answer[0] != 0 {
        return Err(Status::internal("the answer is no uncompressed message"));
    }
    Ok(answer.split_off(PREFIX))
}

async fn read(body: &mut RecvStream) -> Result<Bytes, Status> {
    let mut whole = BytesMut::new();
    while let Some(chunk) = body.data().await {
        let chunk = chunk.map_err(broken)?;
        let window = body.flow_control();
        window.release_capacity(chunk.len()).map_err(broken)?;
        if whole.len() + chunk.len() > MAX_ANSWER {
            return Err(Status::out_of_range("the answer is over 128 MiB"));
        }
        whole.extend_from_slice(&chunk);
    }
    Ok(whole.freeze())
}

/// Until the connection ends, or its peer answers no ping.
async fn drive(mut connection: dial::Connection) {
    let pings = connection.ping_pong().expect("it is asked for once");
    tokio::select! {
        _ = connection => {}
        () = stays(pings) => {}
    }
}

async fn stays(mut pings: PingPong) {
    loop {
        sleep(KEEP_ALIVE_INTERVAL).await;
        let pong = timeout(KEEP_ALIVE_TIMEOUT, pings.ping(Ping::opaque()));
        if !matches!(pong.await, Ok(Ok(_))) {
            return;
        }
    }
}

fn headers(settings: &Settings, [name, version]: &[String; 2]) -> HeaderMap {
    let options = &settings.options;
    let bearer = options.api_key.as_ref().map(|key| format!("Bearer {key}"));
    let ours = [
        ("user-agent", Some(crate::cli::NAME)),
        ("client-name", Some(name.as_str())),
        ("client-version", Some(version.as_str())),
        ("temporal-namespace", Some(settings.namespace.as_str())),
        ("authorization", bearer.as_deref()),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some((name, value?)));
    let metadata = options
        .headers
        .iter()
        .flatten()
        .map(|(name, value)| (name.as_str(), value.as_str()));
    // The last of a name counts: the operator's own beat ours, but not what gRPC is.
    let all = ours.chain(metadata).chain(GRPC);
    all.filter_map(|(name, value)| {
        let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
        Some((name, HeaderValue::from_str(value).ok()?))
    })
    .collect()
}

fn broken(error: h2::Error) -> Status {
    Status::from_error(Box::new(error))
}

/// By gRPC's table for answers that are none of gRPC's.
fn of_http(status: StatusCode) -> Status {
    let code = match status.as_u16() {
        401 => Code::Unauthenticated,
        403 => Code::PermissionDenied,
        404 => Code::Unimplemented,
        429 | 502..=504 => Code::Unavailable,
        _ => Code::Unknown,
    };
    Status::new(
        code,
        format!("what answered is no gRPC server: HTTP status {status}"),
    )
}

const SERVICE: &str = "/temporal.api.workflowservice.v1.WorkflowService/";
const GRPC: [(&str, &str); 2] = [("te", "trailers"), ("content-type", "application/grpc")];
const TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");
/// Of a message: whether it is compressed, and its length.
const PREFIX: usize = 5;
/// As of Temporal's own clients: a page of a list may be long.
const MAX_ANSWER: usize = 128 * 1024 * 1024;
/// After a connection could not be made: those who wait for it fail with it, and do not each try.
const BREATH: Duration = Duration::from_millis(50);

#[cfg(test)]
mod tests;

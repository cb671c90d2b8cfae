//! Temporal's remote codec protocol: what its web interface and its CLI ask to show what is
//! encrypted or compressed. Whoever may ask can read, so: a token, or loopback only; and of web
//! pages those of the operator's origins alone.

pub mod connections;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use bytes::Bytes;
use http::header::{
    AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, ORIGIN, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout};
use tower_http::cors::CorsLayer;

use crate::core::codec::{Codec, Compression, remote};
use crate::core::config::secret::Secret;
use crate::dispatch::nonce;

/// Who may ask, and with which keys they are answered.
pub struct Rules {
    /// The first key encodes, any decodes.
    pub codec: Codec,
    /// What a caller has to show; `None`: nothing.
    pub token: Option<Secret>,
    /// The origins whose pages may ask.
    pub origins: Vec<String>,
}

/// Whose connection a request came on.
#[derive(Clone, Copy)]
pub struct Peer(pub SocketAddr);

struct Shared {
    rules: Rules,
    at_work: Semaphore,
}

/// What is asked for.
#[derive(Clone, Copy)]
enum Operation {
    Encode,
    Decode,
}

/// What a request's log line says besides.
#[derive(Clone)]
struct Told {
    operation: &'static str,
    payloads: usize,
    reason: Option<String>,
}

/// `POST /encode` and `/decode`, the same below a namespace, and what browsers ask before.
pub fn router(rules: Rules) -> Router {
    let origins = rules.origins.iter();
    let origins: Vec<_> = origins
        .filter_map(|origin| HeaderValue::from_str(origin).ok())
        .collect();
    let cors = CorsLayer::new()
        .allow_origin(origins)
        .allow_methods([Method::POST])
        .allow_headers([CONTENT_TYPE, AUTHORIZATION, EXTRAS, NAMESPACE])
        .allow_credentials(true)
        // A web interface elsewhere that asks a codec server on the viewer's own machine.
        .allow_private_network(true)
        .max_age(PREFLIGHT);
    let shared = Arc::new(Shared {
        rules,
        at_work: Semaphore::new(MAX_AT_WORK),
    });
    type Sent = Result<Bytes, BytesRejection>;
    let encode = post(|State(shared): State<Arc<Shared>>, body: Sent| {
        convert(shared, Operation::Encode, body)
    });
    let decode = post(|State(shared): State<Arc<Shared>>, body: Sent| {
        convert(shared, Operation::Decode, body)
    });
    Router::new()
        .route("/encode", encode.clone())
        .route("/decode", decode.clone())
        .route("/{namespace}/encode", encode)
        .route("/{namespace}/decode", decode)
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .layer(middleware::from_fn_with_state(
            Arc::clone(&shared),
            check_token,
        ))
        .layer(cors)
        .layer(middleware::from_fn_with_state(
            Arc::clone(&shared),
            check_origin,
        ))
        .layer(middleware::from_fn(report))
        .with_state(shared)
}

/// One log line a request: who looked.
async fn report(request: Request, next: Next) -> Response {
    let began = Instant::now();
    let peer = request.extensions().get::<Peer>();
    let peer = peer.map(|Peer(address)| address.to_string());
    let namespace = request.headers().get(NAMESPACE);
    let namespace = namespace.and_then(|value| value.to_str().ok());
    let namespace = namespace.filter(|text| !text.is_empty());
    let namespace = namespace.map(|text| text.chars().take(MAX_SHOWN).collect::<String>());
    let preflight = request.method() == Method::OPTIONS;
    let mut answer = next.run(request).await;
    let headers = answer.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    let told = answer.extensions_mut().remove::<Told>();
    let operation = told.as_ref().map(|told| told.operation);
    let payloads = told.as_ref().map(|told| told.payloads);
    let reason = told.as_ref().and_then(|told| told.reason.as_deref());
    let status = answer.status().as_u16();
    let ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    macro_rules! line {
        ($level:ident) => {
            tracing::$level!(
                peer, operation, namespace, payloads, status, reason, ms, "request"
            )
        };
    }
    match status {
        _ if preflight => line!(debug),
        ..400 => line!(info),
        _ => line!(warn),
    }
    answer
}

/// A page of another origin is refused whatever it asks: a browser always says whose page it is,
/// even where a name was made to point to this machine.
async fn check_origin(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    let mut said = request.headers().get_all(ORIGIN).iter();
    let allowed = |origin: &HeaderValue| {
        let mut origins = shared.rules.origins.iter();
        origins.any(|allowed| allowed.as_bytes() == origin.as_bytes())
    };
    if said.all(allowed) {
        return next.run(request).await;
    }
    refuse(
        StatusCode::FORBIDDEN,
        "pages of this origin may not ask: --origin names those that may",
    )
}

async fn check_token(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    if let Some(token) = &shared.rules.token
        && !bearer(request.headers()).is_some_and(|shown| token.equals(shown))
    {
        let mut answer = refuse(
            StatusCode::UNAUTHORIZED,
            "expected Authorization: Bearer and the token of this codec server",
        );
        let challenge = HeaderValue::from_static("Bearer");
        answer.headers_mut().insert(WWW_AUTHENTICATE, challenge);
        return answer;
    }
    match timeout(PATIENCE, next.run(request)).await {
        Ok(answer) => answer,
        Err(_) => refuse(StatusCode::REQUEST_TIMEOUT, "the request was too slow"),
    }
}

/// What stands after `Bearer` in the one Authorization header.
fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let mut said = headers.get_all(AUTHORIZATION).iter();
    let (said, None) = (said.next()?.as_bytes(), said.next()) else {
        return None;
    };
    let (scheme, token) = said.split_at_checked("bearer ".len())?;
    scheme
        .eq_ignore_ascii_case(b"bearer ")
        .then(|| token.trim_ascii())
}

async fn convert(
    shared: Arc<Shared>,
    operation: Operation,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let mut told = Told {
        operation: operation.name(),
        payloads: 0,
        reason: None,
    };
    let result = match body {
        Ok(body) => operation.run(shared, body, &mut told).await,
        Err(rejection) => Err((rejection.status(), rejection.body_text())),
    };
    let mut answer = match result {
        Ok(json) => ([(CONTENT_TYPE, "application/json")], Body::from(json)).into_response(),
        Err((status, reason)) => {
            let answer = refuse(status, &reason);
            told.reason = Some(reason);
            answer
        }
    };
    answer.extensions_mut().insert(told);
    answer
}

impl Operation {
    const fn name(self) -> &'static str {
        match self {
            Self::Encode => "encode",
            Self::Decode => "decode",
        }
    }

    /// Not on the threads of the runtime: megabytes take a while.
    async fn run(self, shared: Arc<Shared>, body: Bytes, told: &mut Told) -> Converted {
        let _place = shared.at_work.acquire().await;
        let task = Arc::clone(&shared);
        let converted = spawn_blocking(move || self.convert(&task.rules.codec, body)).await;
        let (payloads, converted) = converted.map_err(|_| {
            let text = "the codec server has a defect".to_owned();
            (StatusCode::INTERNAL_SERVER_ERROR, text)
        })?;
        told.payloads = payloads;
        converted.map_err(|reason| (StatusCode::BAD_REQUEST, reason))
    }

    /// How many payloads it is about, and the answer's body or what is wrong.
    fn convert(self, codec: &Codec, body: Bytes) -> (usize, Result<Vec<u8>, String>) {
        let payloads = match remote::read(&body) {
            Ok(payloads) => payloads,
            Err(problem) => return (0, Err(problem.to_owned())),
        };
        drop(body);
        let count = payloads.len();
        let encode = |payload| codec.encode(payload, Compression::None, nonce);
        let payloads = match self {
            Self::Encode => Ok(payloads.into_iter().map(encode).collect()),
            Self::Decode => codec.decode_all(payloads),
        };
        let written = payloads.map(|payloads| remote::write(&payloads));
        (count, written.map_err(|error| error.to_string()))
    }
}

/// The answer's body, or status and text of a refusal.
type Converted = Result<Vec<u8>, (StatusCode, String)>;

fn refuse(status: StatusCode, text: &str) -> Response {
    (status, format!("{text}\n")).into_response()
}

/// The namespace that the viewer looks at.
const NAMESPACE: HeaderName = HeaderName::from_static("x-namespace");
/// Temporal's web interface sends its id token so.
const EXTRAS: HeaderName = HeaderName::from_static("authorization-extras");
/// Temporal's own messages are at most 4 MiB, and base64 adds a third.
const BODY_LIMIT: usize = 16 * 1024 * 1024;
/// Requests that are encoded or decoded at a time; others wait.
const MAX_AT_WORK: usize = 4;
/// From the whole head to the answer.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a browser need not ask again.
const PREFLIGHT: Duration = Duration::from_secs(3600);
/// Of a namespace, in characters: the caller chose it.
const MAX_SHOWN: usize = 200;

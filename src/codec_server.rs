//! Temporal's remote codec protocol: what its web interface and its CLI ask to show what is
//! encrypted or compressed. Whoever may ask can read, so: a token, or loopback only; and of web
//! pages those of the operator's origins alone.

mod admission;
mod convert;

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use http::header::{CACHE_CONTROL, ORIGIN, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderName, HeaderValue, Method, StatusCode};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use webhook_core::codec::Codec;
use webhook_core::secret::Secret;
use webhook_core::shown::shown;

use self::convert::Operation;
use crate::server::refused::Refusals;
use crate::server::service::{Arrival, Service, pages};
use crate::server::{Limits, Listener};
use crate::tls::Certificate;

/// Which callers are answered, and with which keys.
pub struct Rules {
    /// The first key encodes, any decodes.
    pub codec: Codec,
    /// What a caller has to show; `None`: nothing.
    pub token: Option<Secret>,
}

/// The rules in use: replaced between two requests.
pub struct InUse(RwLock<Arc<Rules>>);

struct Shared {
    rules: Arc<InUse>,
    /// The origins whose pages may ask.
    origins: Vec<HeaderValue>,
    at_work: Semaphore,
}

/// What a request's log line says besides: handlers hand it to [`report`] in the response's extensions.
#[derive(Clone, Default)]
struct Details {
    operation: Option<&'static str>,
    payloads: Option<usize>,
    /// Why it was refused, or what of it could not be done.
    reason: Option<String>,
}

impl InUse {
    /// Begins with these.
    pub fn new(rules: Rules) -> Self {
        Self(RwLock::new(Arc::new(rules)))
    }

    /// From the next request on these.
    pub fn replace(&self, rules: Rules) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(rules);
    }

    fn current(&self) -> Arc<Rules> {
        let rules = self.0.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&rules)
    }
}

/// The listener, not yet running.
pub fn listener(
    socket: TcpListener,
    certificate: Option<Arc<Certificate>>,
    router: Router,
) -> Listener<impl Service> {
    Listener {
        name: "codec",
        socket,
        certificate,
        limits: Limits::operator(DRAIN),
        proxies: None,
        refusals: Some(Refusals::new()),
        service: pages(router),
    }
}

/// `POST /encode` and `/decode`, the same below a namespace, and what browsers ask before.
pub fn router(rules: Arc<InUse>, origins: &[String]) -> Router {
    let origins: Vec<_> = origins
        .iter()
        .filter_map(|origin| HeaderValue::from_str(origin).ok())
        .collect();
    let cors = admission::cors(&origins);
    let shared = Arc::new(Shared {
        rules,
        origins,
        at_work: Semaphore::new(MAX_AT_WORK),
    });
    let encode = post(|State(shared): State<Arc<Shared>>, body: convert::Sent| {
        convert::convert(shared, Operation::Encode, body)
    });
    let decode = post(|State(shared): State<Arc<Shared>>, body: convert::Sent| {
        convert::convert(shared, Operation::Decode, body)
    });
    let state = || Arc::clone(&shared);
    Router::new()
        .route("/encode", encode.clone())
        .route("/decode", decode.clone())
        .route("/{namespace}/encode", encode)
        .route("/{namespace}/decode", decode)
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .layer(middleware::from_fn_with_state(
            state(),
            admission::check_token,
        ))
        .layer(cors)
        .layer(middleware::from_fn_with_state(
            state(),
            admission::check_origin,
        ))
        .layer(middleware::from_fn(report))
        .with_state(shared)
}

/// One log line a request: who looked, and who was refused why.
async fn report(request: Request, next: Next) -> Response {
    let began = Instant::now();
    let arrival = request.extensions().get::<Arrival>();
    let peer = arrival.map(|arrival| arrival.peer.to_string());
    let namespace = request.headers().get(NAMESPACE).and_then(text);
    let origin = request.headers().get(ORIGIN).and_then(text);
    let preflight = request.method() == Method::OPTIONS;
    let asked = format!("{} {}", request.method(), request.uri().path());
    let mut answer = next.run(request).await;
    let headers = answer.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    let Details {
        operation,
        payloads,
        reason,
    } = answer.extensions_mut().remove().unwrap_or_default();
    let reason = reason.or_else(|| elsewhere(answer.status(), &asked));
    let status = answer.status().as_u16();
    let ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    macro_rules! line {
        ($level:ident) => {
            tracing::$level!(
                peer, origin, operation, namespace, payloads, status, reason, ms, "request"
            )
        };
    }
    match status {
        400.. => line!(warn),
        _ if reason.is_some() => line!(warn),
        _ if preflight => line!(debug),
        _ => line!(info),
    }
    answer
}

/// Why a request was asked in vain.
fn elsewhere(status: StatusCode, asked: &str) -> Option<String> {
    let is_elsewhere = [StatusCode::NOT_FOUND, StatusCode::METHOD_NOT_ALLOWED].contains(&status);
    is_elsewhere.then(|| {
        format!(
            "{}: expected POST /encode or /decode, or the same below one segment",
            shown(asked)
        )
    })
}

/// What the caller wrote; `None`: nothing.
fn text(value: &HeaderValue) -> Option<String> {
    Some(shown(value)).filter(|text| !text.is_empty())
}

/// The text goes to the caller, the reason to the log.
fn refuse(status: StatusCode, text: &str, reason: String) -> Response {
    let mut answer = (status, format!("{text}\n")).into_response();
    answer.extensions_mut().insert(Details {
        reason: Some(reason),
        ..Details::default()
    });
    answer
}

/// The namespace that the viewer looks at.
const NAMESPACE: HeaderName = HeaderName::from_static("x-namespace");
/// Temporal's own messages are at most 4 MiB, and base64 adds a third.
const BODY_LIMIT: usize = 16 * 1024 * 1024;
/// Requests that are encoded or decoded at a time; others wait.
const MAX_AT_WORK: usize = 4;
const DRAIN: Duration = Duration::from_secs(5);

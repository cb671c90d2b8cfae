//! What answers the requests of a listener: the forwarder, or a router.

use std::convert::Infallible;
use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use bytes::Bytes;
use http::{Request, Response};
use hyper::body::{Body, Incoming};
use hyper::service::Service as _;
use hyper_util::service::TowerToHyperService;
use tokio::time::Instant;
use uuid::Uuid;
use webhook_core::outcome::Reject;

use crate::forward::Forwarder;
use crate::forward::answer::{Answer, identify, problem};
use crate::forward::report;
use crate::temporal::Temporal;

/// How a request came.
#[derive(Debug, Clone, Copy)]
pub struct Arrival {
    /// Whose connection it came on.
    pub peer: SocketAddr,
    /// When its first byte was read; in HTTP/2, when its head was.
    pub first_byte: Instant,
}

/// A function from requests to answers.
pub trait Service: Clone + Send + Sync + 'static {
    /// Of the answer.
    type Body: Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>>
        + Send
        + Unpin
        + 'static;

    /// Answers one request.
    fn call(
        &self,
        request: Request<Incoming>,
        arrival: Arrival,
    ) -> impl Future<Output = Response<Self::Body>> + Send + 'static;
}

impl<F, R, B> Service for F
where
    F: Fn(Request<Incoming>, Arrival) -> R + Clone + Send + Sync + 'static,
    R: Future<Output = Response<B>> + Send + 'static,
    B: Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>> + Send + Unpin + 'static,
{
    type Body = B;

    fn call(
        &self,
        request: Request<Incoming>,
        arrival: Arrival,
    ) -> impl Future<Output = Response<B>> + Send + 'static {
        self(request, arrival)
    }
}

/// Webhooks. Each request runs as a task of its own: a client that leaves does not leave a start
/// without its log line, and a panic ends one request, not the connection.
pub fn webhooks<T: Temporal>(forwarder: Arc<Forwarder<T>>) -> impl Service {
    move |request: Request<Incoming>, arrival: Arrival| {
        let forwarder = Arc::clone(&forwarder);
        let request_id = Uuid::new_v4().simple().to_string();
        let id = request_id.clone();
        let Arrival { peer, first_byte } = arrival;
        let task = tokio::spawn(async move {
            let peer = peer.ip();
            forwarder.answer(request, &id, first_byte, peer).await
        });
        async move { task.await.unwrap_or_else(|_| panicked(&request_id)) }
    }
}

fn panicked(request_id: &str) -> Answer {
    tracing::error!(request_id, "a request's task panicked");
    let reject = Reject::Internal("panic");
    report::count(&reject);
    let mut answer = problem(&reject, request_id);
    identify(&mut answer, request_id);
    answer
}

/// Pages. A handler finds the [`Arrival`] among the request's extensions.
pub fn pages(router: Router) -> impl Service {
    let router = TowerToHyperService::new(router);
    move |mut request: Request<Incoming>, arrival: Arrival| {
        request.extensions_mut().insert(arrival);
        let answer = router.call(request);
        async move {
            answer
                .await
                .unwrap_or_else(|never: Infallible| match never {})
        }
    }
}

//! What answers the requests of a listener: the forwarder, or a router.

use std::convert::Infallible;
use std::error::Error;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum::Router;
use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http::{Request, Response};
use hyper::body::{Body, Incoming};
use hyper::service::Service as _;
use hyper_util::service::TowerToHyperService;
use tokio::runtime::Handle;
use uuid::Uuid;
use webhook_core::outcome::Reject;

use crate::forward::Forwarder;
use crate::forward::answer::{Answer, identify, problem};
pub use crate::forward::context::Arrival;
use crate::forward::report;
use crate::temporal::Temporal;

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

/// Webhooks. A client that leaves does not leave a start without its log line, and a panic ends one
/// request, not the connection.
pub fn webhooks<T: Temporal>(forwarder: Arc<Forwarder<T>>) -> impl Service {
    move |request: Request<Incoming>, arrival: Arrival| {
        let forwarder = Arc::clone(&forwarder);
        let whole = async move {
            let request_id = Uuid::new_v4().simple().to_string();
            let answering = forwarder.answer(request, &request_id, arrival);
            let answer = AssertUnwindSafe(answering).catch_unwind().await;
            answer.unwrap_or_else(|_| panicked(&request_id))
        };
        ToItsEnd(Some(whole.boxed()))
    }
}

/// A future that is a part of the connection's task, for as long as there is a connection, and then
/// goes on as a task of its own: most come to their end without the price of one.
struct ToItsEnd<R: Send + 'static>(Option<BoxFuture<'static, R>>);

impl<R: Send + 'static> Future for ToItsEnd<R> {
    type Output = R;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<R> {
        let future = self.0.as_mut().expect("it is not polled after its end");
        let result = ready!(future.as_mut().poll(cx));
        self.0 = None;
        Poll::Ready(result)
    }
}

impl<R: Send + 'static> Drop for ToItsEnd<R> {
    fn drop(&mut self) {
        if let (Some(rest), Ok(runtime)) = (self.0.take(), Handle::try_current()) {
            runtime.spawn(rest);
        }
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::sync::oneshot;
    use tokio::time::{sleep, timeout};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_has_begun_goes_to_its_end_without_its_connection() {
        let (ended, end) = oneshot::channel();
        let work = async move {
            sleep(Duration::from_secs(3)).await;
            ended.send(()).ok();
        };
        let mut work = ToItsEnd(Some(work.boxed()));
        let begun = timeout(Duration::from_secs(1), &mut work).await;
        assert!(begun.is_err(), "it takes longer");
        drop(work);
        end.await.expect("it ends");
    }
}

//! A collector of traces: OTLP over HTTP, as the forwarder and the workers send it.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::routing::post;
use http::{HeaderMap, StatusCode};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::wait::{PATIENCE, eventually};

/// A running collector. Dropping it stops it.
#[derive(Debug)]
pub(crate) struct Collector {
    pub(crate) url: String,
    received: Arc<Received>,
    serving: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Received {
    /// Service and span.
    spans: Mutex<Vec<(String, Span)>>,
    headers: Mutex<Vec<HeaderMap>>,
}

impl Collector {
    pub(crate) async fn start() -> Self {
        Self::at("127.0.0.1:0").await
    }

    /// At this address.
    pub(crate) async fn at(address: &str) -> Self {
        let socket = TcpListener::bind(address).await.expect("a port");
        let url = format!("http://{}", socket.local_addr().expect("it is bound"));
        let received = Arc::<Received>::default();
        let router = Router::new()
            .route("/v1/traces", post(take))
            .with_state(Arc::clone(&received));
        let serving = tokio::spawn(async move {
            axum::serve(socket, router).await.ok();
        });
        Self {
            url,
            received,
            serving,
        }
    }

    /// Waits for a span that is wanted.
    pub(crate) async fn span(&self, what: &str, wanted: impl Fn(&str, &Span) -> bool) -> Span {
        let find = || {
            let spans = self.received.spans.lock().expect("no holder panics");
            let found = spans.iter().find(|(service, span)| wanted(service, span));
            found.map(|(_, span)| span.clone())
        };
        eventually(what, PATIENCE, async || find()).await
    }

    /// All until now, each with its service.
    pub(crate) fn spans(&self) -> Vec<(String, Span)> {
        self.received
            .spans
            .lock()
            .expect("no holder panics")
            .clone()
    }

    /// Of every request.
    pub(crate) fn headers(&self) -> Vec<HeaderMap> {
        let headers = self.received.headers.lock().expect("no holder panics");
        headers.clone()
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn take(
    State(received): State<Arc<Received>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Vec<u8>, StatusCode> {
    let request = ExportTraceServiceRequest::decode(body).map_err(|_| StatusCode::BAD_REQUEST)?;
    let spans = request.resource_spans.into_iter().flat_map(|of_resource| {
        let service = service(of_resource.resource.as_ref());
        let spans = of_resource.scope_spans.into_iter().flat_map(|it| it.spans);
        spans.map(move |span| (service.clone(), span))
    });
    received
        .spans
        .lock()
        .expect("no holder panics")
        .extend(spans);
    received
        .headers
        .lock()
        .expect("no holder panics")
        .push(headers);
    Ok(ExportTraceServiceResponse::default().encode_to_vec())
}

fn service(resource: Option<&Resource>) -> String {
    let attributes = resource.map_or(&[][..], |resource| &resource.attributes);
    text(attributes, "service.name").unwrap_or_default()
}

/// The attribute's value.
pub(crate) fn text(attributes: &[KeyValue], key: &str) -> Option<String> {
    let found = attributes.iter().find(|attribute| attribute.key == key)?;
    match found.value.as_ref()? {
        AnyValue {
            value: Some(Value::StringValue(text)),
        } => Some(text.clone()),
        AnyValue {
            value: Some(Value::IntValue(number)),
        } => Some(number.to_string()),
        _ => None,
    }
}

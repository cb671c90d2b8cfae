//! Traces on their way to a collector: OTLP over HTTP, as OpenTelemetry's variables say.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use opentelemetry::trace::TracerProvider;
use opentelemetry::{Key, KeyValue};
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};
use reqwest::{Client, redirect};
use tokio::runtime::Handle;
use tokio::task::spawn_blocking;

use crate::cli::NAME;

/// Spans are sent for as long as it lives.
pub struct Exported(SdkTracerProvider);

impl Exported {
    /// Everything as the variables say; a collector that is not there is no mistake.
    ///
    /// # Errors
    /// What the SDK does not take.
    pub fn start() -> anyhow::Result<Self> {
        let client = Client::builder()
            .redirect(redirect::Policy::none())
            .timeout(TIMEOUT)
            .build()?;
        let collector = Collector {
            client,
            runtime: Handle::current(),
            is_failing: AtomicBool::new(false),
        };
        let exporter = SpanExporter::builder()
            .with_http()
            .with_protocol(Protocol::HttpBinary)
            .with_http_client(collector)
            .build()?;
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            .with_resource(resource())
            .build();
        Ok(Self(provider))
    }

    /// What begins spans.
    pub fn tracer(&self) -> SdkTracer {
        self.0.tracer(NAME)
    }

    /// Sends what is left, for a moment.
    pub async fn finish(self) {
        let finished = spawn_blocking(move || self.0.shutdown_with_timeout(LAST)).await;
        if !matches!(finished, Ok(Ok(()))) {
            tracing::warn!("the last spans were not sent");
        }
    }
}

/// Our own name, unless a variable says another.
fn resource() -> Resource {
    let resource = Resource::builder().build();
    let name = resource.get(&Key::new("service.name"));
    let is_unnamed = name.is_none_or(|name| name.as_str().starts_with("unknown_service"));
    let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
    let builder = Resource::builder().with_attribute(version);
    match is_unnamed {
        true => builder.with_service_name(NAME).build(),
        false => builder.build(),
    }
}

/// The SDK sends from a thread of its own, which has no runtime; and says nothing of what fails.
struct Collector {
    client: Client,
    runtime: Handle,
    is_failing: AtomicBool,
}

impl Collector {
    fn note(&self, error: Option<&reqwest::Error>) {
        let was_failing = self.is_failing.swap(error.is_some(), Ordering::Relaxed);
        match error {
            // The URL may have a password in it.
            Some(error) if !was_failing => {
                let error = error.status().map_or_else(
                    || {
                        let cause = std::error::Error::source(error);
                        cause.map_or_else(|| "no answer".to_owned(), ToString::to_string)
                    },
                    |status| status.to_string(),
                );
                tracing::warn!(error, "spans cannot be sent to the collector");
            }
            None if was_failing => tracing::info!("spans are sent to the collector again"),
            _ => {}
        }
    }
}

impl HttpClient for Collector {
    fn send_bytes<'s, 'f>(
        &'s self,
        request: Request<Bytes>,
    ) -> Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'f>>
    where
        's: 'f,
        Self: 'f,
    {
        Box::pin(async move {
            let client = self.client.clone();
            let request = reqwest::Request::try_from(request)?;
            let sending = self.runtime.spawn(async move {
                let answer = client.execute(request).await?.error_for_status()?;
                let status = answer.status();
                Ok::<_, reqwest::Error>((status, answer.bytes().await?))
            });
            let sent = sending.await?;
            self.note(sent.as_ref().err());
            let (status, body) = sent?;
            Ok(Response::builder().status(status).body(body)?)
        })
    }
}

impl fmt::Debug for Collector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Collector")
    }
}

/// For one batch.
const TIMEOUT: Duration = Duration::from_secs(10);
/// For the last spans, at the end.
const LAST: Duration = Duration::from_secs(2);

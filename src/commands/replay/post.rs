//! `replay --url`: the original request, posted to a forwarder.

use http::header::{CONNECTION, CONTENT_LENGTH, HOST, TRANSFER_ENCODING};
use http::{HeaderName, Method};
use reqwest::{Client, Url};
use webhook_core::payload::protobuf::WebhookEvent;

use super::report::Line;
use crate::cli::replay::ReplayArgs;
use crate::commands::{Failure, send};

/// Where to.
pub(super) struct Target {
    client: Client,
    url: Url,
}

impl Target {
    /// Where `--url` says; `None` if nobody says.
    pub(super) fn of(args: &ReplayArgs) -> Result<Option<Self>, Failure> {
        let Some(text) = &args.url else {
            return Ok(None);
        };
        let url = (Url::parse(text).ok())
            .filter(|url| ["http", "https"].contains(&url.scheme()))
            .ok_or_else(|| {
                Failure::Usage(format!(
                    "--url {text:?}: expected a URL such as https://HOST:PORT or https://HOST:PORT/PATH"
                ))
            })?;
        let client = send::client(args.insecure)?;
        Ok(Some(Self { client, url }))
    }

    /// The URL of one event.
    pub(super) fn url(&self, message: &WebhookEvent) -> Url {
        let mut url = self.url.clone();
        if url.path() == "/" {
            url.set_path(&message.source);
        }
        if !message.query.is_empty() {
            url.set_query(Some(&message.query));
        }
        url
    }

    /// Posts it; what is not a success is an error.
    pub(super) async fn post(&self, mut message: WebhookEvent) -> Result<Line, String> {
        let url = self.url(&message);
        let method: Method = message.method.parse().map_err(|_| "its method is none")?;
        let body = message.take_body();
        let mut request = self.client.request(method, url.clone()).body(body);
        for (name, value) in message.headers {
            let header =
                HeaderName::try_from(&name).map_err(|_| format!("{name:?} is no header"))?;
            if !CONNECTION_HEADERS.contains(&header) {
                request = request.header(header, value);
            }
        }
        let answer = send::answer(request)
            .await
            .map_err(|error| format!("{error:#}"))?;
        let is_success = answer.status().is_success();
        let outcome = send::outcome(answer).await;
        if !is_success || outcome.ends_with(" dead_lettered") {
            return Err(format!("{} answered {outcome}", shown(url)));
        }
        Ok(Line::new("posted", message.id, &outcome))
    }
}

/// Without a password.
pub(super) fn shown(mut url: Url) -> String {
    // Only a URL that has no host has no place for them.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.into()
}

/// Made anew.
const CONNECTION_HEADERS: [HeaderName; 4] = [HOST, CONTENT_LENGTH, CONNECTION, TRANSFER_ENCODING];

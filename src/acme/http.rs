//! How the authority is asked: over the HTTP client that there is.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use instant_acme::{BodyWrapper, BytesResponse, Error, HttpClient};
use reqwest::{Certificate, Client, redirect};

use crate::config::acme::Acme;

pub(super) struct Http(Client);

impl Http {
    /// Trusts the system's authorities, or those of the settings.
    pub(super) fn new(settings: &Acme) -> Result<Self, String> {
        let mut client = Client::builder()
            .timeout(PATIENCE)
            .redirect(redirect::Policy::none());
        if let Some(pem) = &settings.authorities {
            let trusted = Certificate::from_pem_bundle(pem);
            client = client.tls_certs_only(trusted.map_err(|error| error.to_string())?);
        }
        client.build().map(Self).map_err(|error| error.to_string())
    }
}

impl HttpClient for Http {
    fn request(
        &self,
        request: http::Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, Error>> + Send>> {
        let client = self.0.clone();
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            let body = body.collect().await.map_err(other)?.to_bytes();
            let request = http::Request::from_parts(parts, body);
            let request = reqwest::Request::try_from(request).map_err(other)?;
            let response = client.execute(request).await.map_err(in_words)?;
            let response = http::Response::from(response);
            let (parts, body) = response.into_parts();
            let body = body.collect().await.map_err(other)?.to_bytes();
            let response = http::Response::from_parts(parts, Full::new(body));
            Ok(BytesResponse::from(response))
        })
    }
}

fn other(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::Other(error.into())
}

/// With what is below it: the client's own words say no more than that something failed.
fn in_words(error: reqwest::Error) -> Error {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(error) = cause {
        text += &format!(": {error}");
        cause = error.source();
    }
    other(text)
}

/// For each request.
const PATIENCE: Duration = Duration::from_secs(30);

//! A webhook as a provider would send it: the other side of [`verify`](super::verify), for `send`
//! and for tests.

use super::config::secret::Secret;
use super::provider::{Locator, Provider};
use super::verify::sign;

/// A signed request, ready to be posted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// The raw body.
    pub body: Vec<u8>,
}

/// What a delivery is about; what is `None` the provider's sample says.
#[derive(Debug, Clone, Default)]
pub struct About<'a> {
    /// The event's id.
    pub id: &'a str,
    /// Its topic.
    pub topic: Option<&'a str>,
    /// Its tenant.
    pub tenant: Option<&'a str>,
}

impl Delivery {
    /// Signs `body` as `provider` does; without a secret the signature header is left out.
    pub fn new(
        provider: &Provider,
        about: &About<'_>,
        body: Vec<u8>,
        secret: Option<&Secret>,
    ) -> Self {
        let sample = &provider.sample;
        let labels = [
            (&provider.id, Some(about.id)),
            (&provider.topic, about.topic.or(sample.topic.as_deref())),
            (&provider.tenant, about.tenant.or(sample.tenant.as_deref())),
        ];
        let mut headers = vec![("content-type".to_owned(), "application/json".to_owned())];
        for (name, value) in &sample.headers {
            headers.push((name.to_ascii_lowercase(), value.clone()));
        }
        for (places, value) in labels {
            headers.extend(header(places).zip(value.map(str::to_owned)));
        }
        if let Some((signature, secret)) = provider.signature.as_ref().zip(secret) {
            headers.extend(header(&signature.locations).zip(Some(sign(signature, secret, &body))));
        }
        Self { headers, body }
    }
}

/// The first header among the places.
fn header(places: &[Locator]) -> Option<String> {
    places.iter().find_map(|place| match place {
        Locator::Header(name) => Some(name.as_str().to_owned()),
        Locator::RequestSha256 => None,
    })
}

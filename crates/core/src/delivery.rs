//! A webhook as a provider would send it: the other side of [`verify`](super::verify), for `send`
//! and for tests.

mod place;

use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};

use super::provider::Provider;
use super::provider::locator::Locator;
use super::provider::scheme::{Encoding, Format, Scheme, Timestamp, TimestampLocation, Unit};
use super::request::{FORM, Received};
use super::verify::signed::Scope;

/// A signed request, ready to be posted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// POST, if the provider sends so.
    pub method: Method,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// What the URL is followed by, without `?`.
    pub query: Option<String>,
    /// The raw body.
    pub body: Vec<u8>,
}

/// What a delivery is about; what is `None` the provider's sample says.
#[derive(Debug, Clone)]
pub struct DeliveryOptions<'a> {
    /// The event's id.
    pub id: &'a str,
    /// Its topic.
    pub topic: Option<&'a str>,
    /// Its tenant.
    pub tenant: Option<&'a str>,
    /// The body; `None`: the sample's.
    pub body: Option<Vec<u8>>,
    /// When it is signed.
    pub now: SystemTime,
    /// The URL as the sender knows it, without a query.
    pub url: &'a str,
    /// The provider's `{param:NAME}`.
    pub params: &'a [(String, String)],
}

/// The signature of these bytes under a scheme; `None` if the secret at hand is not for it.
pub type Signer<'a> = dyn Fn(&Scheme, &[u8]) -> Option<Vec<u8>> + 'a;

impl Delivery {
    /// The delivery, unsigned.
    pub fn unsigned(provider: &Provider, options: &DeliveryOptions<'_>) -> Self {
        Self::build(provider, options, &write_time(Unit::S, options.now))
    }

    /// Signs as `provider` does, under the first of its schemes that `sign` is able to.
    ///
    /// # Errors
    /// Why it cannot be signed.
    pub fn signed(
        provider: &Provider,
        options: &DeliveryOptions<'_>,
        sign: &Signer<'_>,
    ) -> Result<Self, &'static str> {
        let mut problem = "the provider signs nothing";
        for scheme in &provider.schemes {
            let unit = scheme.timestamp.as_ref().map(|timestamp| timestamp.unit);
            let ts = write_time(unit.unwrap_or_default(), options.now);
            match Self::build(provider, options, &ts).sign(scheme, &ts, options, sign) {
                Ok(delivery) => return Ok(delivery),
                Err(error) => problem = error,
            }
        }
        Err(problem)
    }

    fn build(provider: &Provider, options: &DeliveryOptions<'_>, ts: &str) -> Self {
        let sample = &provider.sample;
        let fill = |text: &str| text.replace("{id}", options.id).replace("{ts}", ts);
        let post = provider.methods.contains(&Method::POST);
        let other = provider.methods.first().filter(|_| !post);
        let mut delivery = Self {
            method: other.cloned().unwrap_or(Method::POST),
            headers: Vec::new(),
            query: sample.query.as_deref().map(fill),
            body: options.body.clone().unwrap_or_default(),
        };
        if delivery.method != Method::GET {
            delivery.set("content-type", "application/json");
        }
        if options.body.is_none() && delivery.method != Method::GET {
            delivery.body = fill(&sample.body).into_bytes();
            delivery.default_body(provider);
        }
        for (name, value) in &sample.headers {
            delivery.set(&name.to_ascii_lowercase(), &fill(value));
        }
        let labels = [
            (&provider.id, Some(options.id), None),
            (&provider.topic, options.topic, sample.topic.as_deref()),
            (&provider.tenant, options.tenant, sample.tenant.as_deref()),
        ];
        for (index, (places, chosen, sample_value)) in labels.into_iter().enumerate() {
            if let (Some(name), Some(value)) = (header(places), chosen.or(sample_value)) {
                delivery.set(&name, value);
            }
            // Another place may go before the header. A body of the caller's own is sent as it is.
            if let Some(value) = chosen.filter(|_| options.body.is_none()) {
                let is_id = index == 0;
                if !is_id || header(places).is_none() {
                    delivery.put_first(places, value, is_id);
                }
            }
        }
        delivery
    }

    /// A body for a provider of an operator's own that has no sample: in the form in which its
    /// labels are.
    fn default_body(&mut self, provider: &Provider) {
        if !self.body.is_empty() {
            return;
        }
        let all = || {
            [&provider.id, &provider.topic, &provider.tenant]
                .into_iter()
                .flatten()
        };
        let in_form = all().any(|place| matches!(place, Locator::Form(_)));
        let in_json = all().any(|place| matches!(place, Locator::Json(_)));
        if in_form && !in_json {
            self.set("content-type", FORM);
            self.body = b"hello=world".to_vec();
        } else {
            self.body = br#"{"hello":"world"}"#.to_vec();
        }
    }

    fn sign(
        mut self,
        scheme: &Scheme,
        ts: &str,
        options: &DeliveryOptions<'_>,
        sign: &Signer<'_>,
    ) -> Result<Self, &'static str> {
        if let Some(Timestamp {
            location: TimestampLocation::At(Locator::Header(name)),
            ..
        }) = &scheme.timestamp
        {
            self.set(name.as_str(), ts);
        }
        if scheme.body_sha256.is_some() {
            return Err("the sample cannot be signed under this scheme");
        }
        let received = self.received(options.now);
        let query = self.query.as_ref();
        let url = query.map_or_else(
            || options.url.to_owned(),
            |query| format!("{}?{query}", options.url),
        );
        let scope = Scope {
            received: &received,
            timestamp: Some(ts),
            url: Some(&url),
            params: options.params,
        };
        let signed = scheme.signed.render(&scope)?;
        let bytes = sign(scheme, &signed.whole())
            .ok_or("the secret is not of the kind that the provider signs with")?;
        let signature = match scheme.encoding {
            Encoding::Hex => hex::encode(bytes),
            Encoding::Base64 => STANDARD.encode(bytes),
            Encoding::Text => String::from_utf8(bytes).map_err(|_| "a token must be text")?,
        };
        let value = match (&scheme.format, &scheme.timestamp) {
            (Format::Plain, _) => format!("{}{signature}", scheme.prefix),
            (Format::List { tag }, _) => format!("{tag},{signature}"),
            (
                Format::Kv { separator, key },
                Some(Timestamp {
                    location: TimestampLocation::Kv(time),
                    ..
                }),
            ) => {
                format!("{time}={ts}{separator}{key}={signature}")
            }
            (Format::Kv { key, .. }, _) => format!("{key}={signature}"),
        };
        match scheme.locations.first() {
            Some(Locator::Header(name)) => self.set(name.as_str(), &value),
            Some(place @ Locator::Query(_)) => self.put(place, &value),
            Some(Locator::Json(_) | Locator::Form(_)) => {
                let body = String::from_utf8_lossy(&self.body).replace("{signature}", &value);
                self.body = body.into_bytes();
            }
            _ => return Err("the scheme has no place for a signature"),
        }
        Ok(self)
    }

    fn set(&mut self, name: &str, value: &str) {
        match self
            .headers
            .iter_mut()
            .find(|(existing, _)| existing == name)
        {
            Some((_, existing)) => value.clone_into(existing),
            None => self.headers.push((name.to_owned(), value.to_owned())),
        }
    }

    fn received(&self, at: SystemTime) -> Received {
        let mut headers = HeaderMap::new();
        for (name, value) in &self.headers {
            if let (Ok(name), Ok(value)) =
                (name.parse::<HeaderName>(), HeaderValue::from_str(value))
            {
                headers.append(name, value);
            }
        }
        Received {
            method: self.method.clone(),
            path: String::new(),
            query: self.query.clone(),
            headers,
            body: Bytes::from(self.body.clone()),
            at,
        }
    }
}

fn write_time(unit: Unit, now: SystemTime) -> String {
    let since = now
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or(Duration::ZERO);
    match unit {
        Unit::S => since.as_secs().to_string(),
        Unit::Ms => since.as_millis().to_string(),
        Unit::Rfc3339 => humantime::format_rfc3339_seconds(now).to_string(),
    }
}

/// The first header among the places, or that a place begins with.
fn header(places: &[Locator]) -> Option<String> {
    places.iter().find_map(|place| match place {
        Locator::Header(name) => Some(name.as_str().to_owned()),
        Locator::Joined(parts) => header(parts.get(..1)?),
        _ => None,
    })
}

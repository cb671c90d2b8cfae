//! Who makes the requests: an ordinary HTTP client, which holds every answer to what all owe.

use std::net::SocketAddr;
use std::time::Duration;

use reqwest::header::HeaderMap;
use reqwest::{Client, Error, Method, Version};
use serde_json::Value;
use tokio_rustls::rustls::version::TLS13;
use tokio_rustls::rustls::{ClientConfig, SupportedProtocolVersion};

use super::certs::Certificates;
use super::delivery::Delivery;
use super::forwarder::Forwarder;
use super::leaks::CANARY;
use super::wait::{PATIENCE, eventually};

/// A client of one address.
#[derive(Debug, Clone)]
pub(crate) struct Sender {
    client: Client,
    base: String,
}

impl Sender {
    /// HTTP/2 over TLS 1.3, or plain HTTP/1.1 if the forwarder has no TLS.
    pub(crate) fn new(forwarder: &Forwarder) -> Self {
        let address = forwarder.public.to_string();
        if forwarder.tls {
            Self::over(&address, &TLS13, "h2")
        } else {
            Self::plain(&address)
        }
    }

    /// Over this TLS version and this HTTP version (by its ALPN name).
    pub(crate) fn over(address: &str, tls: &'static SupportedProtocolVersion, alpn: &str) -> Self {
        Self::configured(address, Certificates::shared().client(tls, alpn))
    }

    /// As this client, which knows by itself where the name is.
    pub(crate) fn named(name: &str, address: SocketAddr, config: ClientConfig) -> Self {
        let client = Client::builder()
            .no_proxy()
            .resolve(name, address)
            .tls_backend_preconfigured(config);
        Self {
            client: client.build().expect("a valid client"),
            base: format!("https://{name}:{}", address.port()),
        }
    }

    /// As this client.
    pub(crate) fn configured(address: &str, config: ClientConfig) -> Self {
        let client = Client::builder()
            .no_proxy()
            .tls_backend_preconfigured(config);
        Self {
            client: client.build().expect("a valid client"),
            base: format!("https://{address}"),
        }
    }

    /// As a client that has this address, over plain HTTP.
    pub(crate) fn from_address(forwarder: &Forwarder, address: &str) -> Self {
        Self::from_address_to(address, &forwarder.public.to_string())
    }

    /// As [`Self::from_address`], to this address.
    pub(crate) fn from_address_to(address: &str, to: &str) -> Self {
        let address: std::net::IpAddr = address.parse().expect("an address");
        let client = Client::builder().no_proxy().local_address(address).build();
        Self {
            client: client.expect("a valid client"),
            base: format!("http://{to}"),
        }
    }

    pub(crate) fn plain(address: &str) -> Self {
        let client = Client::builder().no_proxy().build();
        Self {
            client: client.expect("a valid client"),
            base: format!("http://{address}"),
        }
    }

    pub(crate) async fn send(&self, delivery: &Delivery) -> Answer {
        self.try_send(delivery).await.expect("an answer")
    }

    /// One attempt, which fails as a sender's does: no connection, no answer, or none in time.
    pub(crate) async fn try_send(&self, delivery: &Delivery) -> Result<Answer, Error> {
        let answer = self.fetch(delivery).await?;
        // The answer to a HEAD has no body to look at.
        if delivery.method != Method::HEAD {
            answer.check();
        }
        Ok(answer)
    }

    /// Sends until it is taken, as a sender does: 503 and broken connections mean "again".
    pub(crate) async fn send_until_taken(&self, delivery: &Delivery) -> Answer {
        let what = format!("event {} is taken", delivery.id);
        eventually(&what, PATIENCE, || async {
            match self.try_send(delivery).await {
                Ok(answer) if answer.status == 200 => return Some(answer),
                Ok(answer) => assert_eq!(answer.status, 503, "{answer:?}"),
                Err(_) => {}
            }
            tokio::time::sleep(PAUSE).await;
            None
        })
        .await
    }

    /// A page for people, load balancers or scrapers.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.page(&Delivery::bare(Method::GET, path)).await
    }

    /// The same, with headers.
    pub(crate) async fn page(&self, page: &Delivery) -> Answer {
        self.fetch(page).await.expect("an answer")
    }

    /// The same, with these headers.
    pub(crate) async fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        let page = Delivery::bare(Method::GET, path);
        let page = headers
            .iter()
            .fold(page, |page, (name, value)| page.with(name, *value));
        self.fetch(&page).await.expect("an answer")
    }

    /// The status alone of the answer to a HEAD.
    pub(crate) async fn head(&self, path: &str) -> u16 {
        let head = Delivery::bare(Method::HEAD, path);
        self.ask(&head).await.status
    }

    /// Any request that is no webhook.
    pub(crate) async fn ask(&self, request: &Delivery) -> Answer {
        self.fetch(request).await.expect("an answer")
    }

    /// The same, of what may not be there.
    pub(crate) async fn try_ask(&self, request: &Delivery) -> Result<Answer, Error> {
        self.fetch(request).await
    }

    async fn fetch(&self, delivery: &Delivery) -> Result<Answer, Error> {
        let url = format!("{}{}", self.base, delivery.path);
        let mut request = self.client.request(delivery.method.clone(), url);
        for (name, value) in &delivery.headers {
            request = request.header(name, value.as_slice());
        }
        let request = request.body(delivery.body.clone()).timeout(GIVES_UP);
        let response = request.send().await?;
        Ok(Answer {
            status: response.status().as_u16(),
            version: response.version(),
            headers: response.headers().clone(),
            text: response.text().await?,
        })
    }
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) version: Version,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value.map_or("", |value| value.to_str().expect("a header of ASCII"))
    }

    pub(crate) fn request_id(&self) -> &str {
        self.header("x-request-id")
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    /// Status and, of a success, its name: `200 started`.
    pub(crate) fn outcome(&self) -> String {
        match self.status {
            200 => format!("200 {}", self.json()["status"].as_str().unwrap_or("?")),
            status => status.to_string(),
        }
    }

    /// The id of the run that holds the event.
    pub(crate) fn run_id(&self) -> String {
        let run_id = self.json()["run_id"].as_str().map(str::to_owned);
        run_id.unwrap_or_else(|| panic!("no run: {self:?}"))
    }

    /// What every answer to a webhook owes its sender.
    fn check(&self) {
        assert!(!self.request_id().is_empty(), "no X-Request-Id: {self:?}");
        assert!(!matches!(self.status, 406 | 410), "{self:?}");
        assert!(!self.text.contains(CANARY), "it echoes the body: {self:?}");
        if self.status < 400 {
            return;
        }
        let problem = "application/problem+json";
        assert_eq!(self.header("content-type"), problem, "{self:?}");
        assert_eq!(self.json()["status"], self.status, "{self:?}");
        assert_eq!(self.json()["request_id"], self.request_id(), "{self:?}");
        if matches!(self.status, 429 | 503) {
            let seconds: u32 = self.header("retry-after").parse().expect("Retry-After");
            assert!((1..60).contains(&seconds), "{self:?}");
        }
    }
}

/// An answer that takes longer than this is a failure of the test, whatever it says.
const GIVES_UP: Duration = Duration::from_secs(60);

/// Between two attempts of an impatient sender.
const PAUSE: Duration = Duration::from_millis(200);

/// Until when Shopify has its answer, which gives up after 5 s.
pub(crate) const DEADLINE: Duration = Duration::from_secs(4);

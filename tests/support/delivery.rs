//! The requests that senders make, signed by an implementation of our own.

use std::time::SystemTime;

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use uuid::Uuid;

use super::forwarder::SECRET;
use super::leaks::{self, CANARY};

/// One request, which its sender makes as often as it must.
#[derive(Debug, Clone)]
pub(crate) struct Delivery {
    pub(crate) id: String,
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, Vec<u8>)>,
    pub(crate) body: Vec<u8>,
}

impl Delivery {
    /// An order as Shopify sends it, with a new id, signed with the shared secret.
    pub(crate) fn order() -> Self {
        Self::shopify(order_body())
    }

    /// Any body as Shopify sends it: JSON by its type, signed.
    pub(crate) fn shopify(body: impl Into<Vec<u8>>) -> Self {
        let id = Uuid::new_v4().to_string();
        Self::bare(Method::POST, SHOPIFY)
            .with("Content-Type", "application/json")
            .with("X-Shopify-Topic", "orders/create")
            .with("X-Shopify-Shop-Domain", "e2e.myshopify.com")
            .with("X-Shopify-API-Version", "2026-10")
            .with_id(&id)
            .with_body(body)
            .signed(SECRET)
    }

    /// A request with nothing but a method and a path.
    pub(crate) fn bare(method: Method, path: &str) -> Self {
        Self {
            id: String::new(),
            method,
            path: path.to_owned(),
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    pub(crate) fn with_body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// Chooses the event's id.
    pub(crate) fn with_id(mut self, id: &str) -> Self {
        self.id = id.to_owned();
        self.with("X-Shopify-Webhook-Id", id)
    }

    /// Signs it (again), as its body now is.
    pub(crate) fn signed(self, secret: &str) -> Self {
        let signature = STANDARD.encode(hmac(secret, &self.body));
        self.with(SIGNATURE, &signature)
    }

    /// Sets a header, in place of an equally named one. No log may show a signature.
    pub(crate) fn with(self, name: &str, value: impl AsRef<[u8]>) -> Self {
        let mut delivery = self.without(name);
        let value = value.as_ref().to_vec();
        if name == SIGNATURE && value.len() > 8 {
            leaks::forbid(&String::from_utf8_lossy(&value));
        }
        delivery.headers.push((name.to_owned(), value));
        delivery
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(n, _)| !n.eq_ignore_ascii_case(name));
        self
    }

    /// Its head in HTTP/1.1, as bytes, on a connection that is kept.
    pub(crate) fn head(&self) -> Vec<u8> {
        let length = self.body.len();
        let mut head = format!(
            "{} {} HTTP/1.1\r\nHost: localhost\r\n",
            self.method, self.path
        );
        head.push_str(&format!("Content-Length: {length}\r\n"));
        for (name, _) in &self.headers {
            head.push_str(&format!("{name}: {}\r\n", self.header(name)));
        }
        head.push_str("\r\n");
        head.into_bytes()
    }

    pub(crate) fn header(&self, name: &str) -> String {
        let mut headers = self.headers.iter();
        let found = headers.find(|(n, _)| n.eq_ignore_ascii_case(name));
        let (_, value) = found.expect("the header is there");
        String::from_utf8(value.clone()).expect("text")
    }
}

/// HMAC-SHA256 over the raw body, as Shopify documents it.
pub(crate) fn hmac(secret: &str, body: &[u8]) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    hmac::sign(&key, body).as_ref().to_vec()
}

/// An order with the canary in it; no two are equal.
pub(crate) fn order_body() -> String {
    let number = Uuid::new_v4().as_u128();
    format!(r#"{{"id":820982911946154508,"note":"{CANARY}","number":{number},"total":"409.94"}}"#)
}

/// The path of the default source.
pub(crate) const SHOPIFY: &str = "/temporal/shopify";

/// The header that carries Shopify's signature.
pub(crate) const SIGNATURE: &str = "X-Shopify-Hmac-Sha256";

/// Unix seconds.
pub(crate) fn unix_now() -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    now.expect("after 1970").as_secs()
}

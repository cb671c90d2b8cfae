//! A webhook as received, and the proof that its signature held: [`Received`] -> [`Verified`].

use std::fmt;
use std::time::SystemTime;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, Method};

/// One request to a source, its body complete and untouched.
pub struct Received {
    /// `GET` or `POST`.
    pub method: Method,
    /// The raw query, without the `?`.
    pub query: Option<String>,
    /// All headers, names in lower case.
    pub headers: HeaderMap,
    /// The raw body, byte for byte.
    pub body: Bytes,
    /// When the request arrived, by this machine's clock.
    pub at: SystemTime,
}

impl Received {
    /// The header's value if the header is there exactly once and is printable ASCII.
    pub fn single_header(&self, name: &HeaderName) -> Option<&str> {
        let mut values = self.headers.get_all(name).iter();
        match (values.next(), values.next()) {
            (Some(value), None) => value.to_str().ok(),
            _ => None,
        }
    }
}

/// Neither the body nor a header's value: both may hold what no log may hold.
impl fmt::Debug for Received {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Received")
            .field("method", &self.method)
            .field("body_bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// A request whose sender is proven, or which the operator accepts unproven. Only
/// [`verify`](super::verify::verify) and [`Verified::danger_unverified`] make one.
#[derive(Debug)]
pub struct Verified {
    received: Received,
    proof: Proof,
}

/// Why a request was let through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// The signature matched the source's secret of this index.
    Secret(usize),
    /// The operator switched verification off for the source.
    Unverified,
}

impl Verified {
    /// For [`verify`](super::verify::verify) alone: the signature matched secret `index`.
    pub(in crate::core) const fn by_secret(received: Received, index: usize) -> Self {
        Self {
            received,
            proof: Proof::Secret(index),
        }
    }

    /// Lets a request through without any proof: the operator asked for it by name.
    pub const fn danger_unverified(received: Received) -> Self {
        Self {
            received,
            proof: Proof::Unverified,
        }
    }

    /// The request itself.
    pub const fn received(&self) -> &Received {
        &self.received
    }

    /// What proved it.
    pub const fn proof(&self) -> Proof {
        self.proof
    }
}

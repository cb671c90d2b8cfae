//! The proof that a request is its sender's: [`Received`] -> [`Verified`].

use std::borrow::Cow;

use super::client_certificate::{ClientCertificate, RequiredCertificate};
use super::provider::locator::Locator;
use super::request::Received;
use super::verify::signed::Coverage;

/// A request whose sender is proven, or which the operator accepts unproven. Only
/// [`verify`](super::verify::verify), [`Verified::by_address`], [`Verified::by_certificate`] and
/// [`Verified::danger_unverified`] make one.
#[derive(Debug)]
pub struct Verified {
    received: Received,
    proof: Proof,
    coverage: Coverage,
}

/// Why a request was let through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// The signature matched the source's secret of this index.
    Secret(usize),
    /// The signature matched a key that was fetched from the sender's host.
    FetchedKey,
    /// The sender's address was authorised by a handshake.
    Address,
    /// Its connection's client has shown a certificate that the source asks for.
    ClientCertificate,
    /// The operator switched verification off for the source.
    Unverified,
}

impl Verified {
    /// For [`verify`](super::verify::verify) alone: the signature matched what `proof` says, and
    /// covers so much.
    pub(crate) const fn by_signature(received: Received, proof: Proof, coverage: Coverage) -> Self {
        Self {
            received,
            proof,
            coverage,
        }
    }

    /// The request's address was authorised by a handshake with the verify token. Weak: whoever
    /// shares the address shares the authority.
    pub const fn by_address(received: Received) -> Self {
        Self {
            received,
            proof: Proof::Address,
            coverage: Coverage::Nothing,
        }
    }

    /// The request came on a connection whose client has shown a certificate that the source asks for.
    ///
    /// # Errors
    /// It has not, or the source asks for none.
    pub fn by_certificate(
        received: Received,
        required: Option<&RequiredCertificate>,
        shown: Option<&ClientCertificate>,
    ) -> Result<Self, Cow<'static, str>> {
        let required = required.ok_or("the source asks for no client certificate")?;
        required.holder(shown)?;
        Ok(Self {
            received,
            proof: Proof::ClientCertificate,
            coverage: Coverage::Nothing,
        })
    }

    /// Lets a request through without any proof: the operator asked for it by name.
    pub const fn danger_unverified(received: Received) -> Self {
        Self {
            received,
            proof: Proof::Unverified,
            coverage: Coverage::Nothing,
        }
    }

    /// The request itself.
    pub const fn received(&self) -> &Received {
        &self.received
    }

    /// What the proof covers.
    pub(crate) const fn coverage(&self) -> &Coverage {
        &self.coverage
    }

    /// Whether the signature covers what stands in this place, by itself or with all around it.
    pub fn signs(&self, place: &Locator) -> bool {
        self.coverage.covers(place, self.received.is_query())
    }

    /// Whether the signature covers this place by itself, as the sender's words name it.
    pub fn names(&self, place: &Locator) -> bool {
        self.coverage.names(place)
    }

    /// Whether an event may be the query: it is signed, or nothing is.
    pub fn admits_query(&self) -> bool {
        self.coverage.admits_query()
    }

    /// What proved it.
    pub const fn proof(&self) -> Proof {
        self.proof
    }
}

//! Who may in: the address list, the sender's handshakes, the proof that a request is the
//! sender's.

use std::borrow::Cow;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::{HeaderMap, Method, StatusCode};
use serde_json::json;
use tokio::time::Instant;
use webhook_core::client_certificate::ClientCertificate;
use webhook_core::handshake::{Refusal, Reply};
use webhook_core::outcome::Reject;
use webhook_core::provider::locator::{Locator, Lookup};
use webhook_core::request::Received;
use webhook_core::request_kind;
use webhook_core::secret::Secret;
use webhook_core::shown::shown;
use webhook_core::source::{NamedSecret, Source, Verification};
use webhook_core::verified::{Proof, Verified};
use webhook_core::verify::key::Key;
use webhook_core::verify::{VerifyError, verify};

use crate::forward::limits::Sizes;
use crate::forward::metrics::SourceMetrics;

/// What a request is.
pub enum Admitted {
    /// A webhook of the sender's.
    Webhook(Box<Verified>),
    /// No event: this is what the sender wants to hear.
    Handshake(Reply),
}

/// Before the body is read: a signature that belongs in a header has to be there.
///
/// # Errors
/// [`Reject::InvalidSignature`]
pub fn check_head(source: &Source, headers: &HeaderMap) -> Result<(), Reject> {
    let Verification::Signature { verifiers, .. } = &source.verification else {
        return Ok(());
    };
    let places = || {
        verifiers
            .iter()
            .flat_map(|verifier| &verifier.scheme.locations)
    };
    let may_be_there = places().any(|place| match place {
        Locator::Header(name) => headers.contains_key(name),
        _ => true,
    });
    if may_be_there || source.provider.handshake.is_some() {
        Ok(())
    } else {
        Err(Reject::InvalidSignature("no signature".into()))
    }
}

/// Before the body is read: the certificate that the source asks for has to be its client's.
///
/// # Errors
/// [`Reject::InvalidSignature`]
pub fn check_certificate(source: &Source, shown: Option<&ClientCertificate>) -> Result<(), Reject> {
    let Some(required) = &source.client_certificate else {
        return Ok(());
    };
    let holder = required.holder(shown);
    holder.map(drop).map_err(unproven)
}

fn unproven(reason: Cow<'static, str>) -> Reject {
    Reject::InvalidSignature(reason.into())
}

/// Decides about a request to `source` from `peer`, whose client has `shown` this.
///
/// # Errors
/// [`Reject::InvalidSignature`], [`Reject::Forbidden`], [`Reject::MethodNotAllowed`] for a GET that
/// is no handshake
pub fn admit(
    source: &Source,
    metrics: &SourceMetrics,
    received: Received,
    peer: IpAddr,
    shown: Option<&ClientCertificate>,
    authorised: &Authorised,
    fetched: &[Option<Arc<Key>>],
) -> Result<Admitted, Reject> {
    let handshake = source.provider.handshake;
    if let Some(handshake) = handshake {
        let key = shared_key(source, 0);
        let reply = handshake.unsigned(&received, key, source.verify_token.as_ref());
        if let Some(reply) = reply.map_err(refused)? {
            return Ok(Admitted::Handshake(reply));
        }
    }
    let greets = matches!(source.verification, Verification::AddressHandshake { .. });
    if !greets && !source.provider.methods.contains(&received.method) {
        return Err(request_kind::refusal(source, &received.method));
    }
    let now = received.at;
    let verified = match &source.verification {
        Verification::DangerUnverified => Verified::danger_unverified(received),
        Verification::ClientCertificate => {
            let required = source.client_certificate.as_ref();
            Verified::by_certificate(received, required, shown).map_err(unproven)?
        }
        Verification::AddressHandshake {
            token,
            authorised_for,
        } => {
            if received.method == Method::GET {
                return greet(source, &received, peer, token, *authorised_for, authorised)
                    .map(Admitted::Handshake);
            }
            if !authorised.holds(&source.path, peer) {
                return Err(Reject::InvalidSignature(
                    "the address is not authorised".into(),
                ));
            }
            Verified::by_address(received)
        }
        Verification::Signature { verifiers, secrets } => {
            let claimed = claimed_tenant(source, secrets, &received);
            let may = |index: usize| match (&secrets[index].tenant, &claimed) {
                (Some(tenant), Some(claimed)) => tenant == claimed,
                _ => true,
            };
            verify(
                verifiers,
                &source.verify_context,
                may,
                fetched,
                received,
                now,
            )
            .map_err(|unproven| Reject::InvalidSignature(of_tenant(unproven, claimed.as_deref())))?
        }
    };
    if let Some(handshake) = handshake {
        let index = match verified.proof() {
            Proof::Secret(index) => index,
            Proof::FetchedKey | Proof::Address | Proof::ClientCertificate | Proof::Unverified => 0,
        };
        let reply = handshake.signed(verified.received(), shared_key(source, index));
        if let Some(reply) = reply.map_err(refused)? {
            metrics.count_secret(verified.proof());
            return Ok(Admitted::Handshake(reply));
        }
    }
    Ok(Admitted::Webhook(Box::new(verified)))
}

/// After the signature: the event's tenant must be the one whose secret it was.
///
/// # Errors
/// [`Reject::InvalidSignature`]
pub fn check_tenant(source: &Source, proof: Proof, tenant: Option<&str>) -> Result<(), Reject> {
    let (Verification::Signature { secrets, .. }, Proof::Secret(index)) =
        (&source.verification, proof)
    else {
        return Ok(());
    };
    match &secrets[index].tenant {
        Some(owner) if Some(owner.as_str()) != tenant => {
            let reason = match tenant {
                None => "the secret is a tenant's, and the request names none",
                Some(_) => "the secret is another tenant's",
            };
            Err(Reject::InvalidSignature(reason.into()))
        }
        _ => Ok(()),
    }
}

/// Where no secret could count, that is the reason: the tenant is not in the table.
fn of_tenant(unproven: VerifyError, claimed: Option<&str>) -> VerifyError {
    match claimed {
        Some(tenant) if unproven.secrets_tried == Some(0) => VerifyError {
            reason: format!("no secret for tenant {}", shown(tenant)).into(),
            ..unproven
        },
        _ => unproven,
    }
}

/// Addresses that have shown a verify token. Per replica and bounded: the longest waiting one
/// makes room.
#[derive(Debug)]
pub struct Authorised {
    until: Mutex<HashMap<(String, IpAddr), Instant>>,
    /// Addresses at a time.
    size: usize,
}

impl Default for Authorised {
    fn default() -> Self {
        Self::new(Sizes::default().authorised)
    }
}

impl Authorised {
    /// None yet, and never more than so many.
    pub fn new(size: usize) -> Self {
        Self {
            until: Mutex::default(),
            size,
        }
    }

    fn holds(&self, path: &str, address: IpAddr) -> bool {
        let table = self.until.lock().unwrap_or_else(PoisonError::into_inner);
        let until = table.get(&(path.to_owned(), address.to_canonical()));
        until.is_some_and(|until| *until > Instant::now())
    }

    fn add(&self, path: &str, address: IpAddr, lasts: Duration) {
        let mut table = self.until.lock().unwrap_or_else(PoisonError::into_inner);
        if table.len() >= self.size {
            table.retain(|_, until| *until > Instant::now());
            let first = table
                .iter()
                .min_by_key(|(_, until)| **until)
                .map(|(key, _)| key.clone());
            if let Some(first) = first.filter(|_| table.len() >= self.size) {
                table.remove(&first);
            }
        }
        table.insert(
            (path.to_owned(), address.to_canonical()),
            Instant::now() + lasts,
        );
    }
}

/// `GET ?verify_token=T` from an address that then may send.
fn greet(
    source: &Source,
    received: &Received,
    peer: IpAddr,
    token: &Secret,
    lasts: Duration,
    authorised: &Authorised,
) -> Result<Reply, Reject> {
    let given = Locator::Query("verify_token".to_owned()).find(received);
    if given == Lookup::Missing && !source.provider.methods.contains(&received.method) {
        return Err(request_kind::refusal(source, &received.method));
    }
    if !given
        .one()
        .is_some_and(|given| token.equals(given.as_bytes()))
    {
        return Err(Reject::InvalidSignature(
            "the verify token is missing or wrong".into(),
        ));
    }
    authorised.add(&source.path, peer, lasts);
    Ok(Reply {
        status: StatusCode::OK,
        content_type: "application/json",
        body: json!({ "status": "authorised", "seconds": lasts.as_secs() }).to_string(),
    })
}

/// The tenant that the request's head claims, if any secret is a tenant's. Chooses the secret and
/// nothing else: the body is not read before the signature holds.
fn claimed_tenant(source: &Source, secrets: &[NamedSecret], received: &Received) -> Option<String> {
    if secrets.iter().all(|named| named.tenant.is_none()) {
        return None;
    }
    let places = source.provider.tenant.iter();
    let mut heads = places.filter(|place| matches!(place, Locator::Header(_) | Locator::Query(_)));
    heads.find_map(|place| place.label(received).one())
}

fn shared_key(source: &Source, index: usize) -> Option<&Secret> {
    match &source.verification {
        Verification::Signature { secrets, .. } => secrets.get(index).map(|named| &named.secret),
        Verification::AddressHandshake { .. }
        | Verification::ClientCertificate
        | Verification::DangerUnverified => None,
    }
}

fn refused(refusal: Refusal) -> Reject {
    match refusal {
        Refusal::WrongToken => Reject::Forbidden("the verify token is wrong"),
        Refusal::NoToken => Reject::Malformed("the challenge is no token"),
    }
}

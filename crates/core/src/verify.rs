//! The signature check: over the raw bytes, in constant time, every secret tried.

mod hubspot;
pub mod key;
pub mod signed;
mod sns;
mod twilio;

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest;
use http::Method;

use self::key::Key;
use self::signed::Scope;
use super::base64::decode_base64;
use super::provider::locator::{Locator, Lookup};
use super::provider::scheme::{
    Algorithm, Encoding, Format, Scheme, Timestamp, TimestampLocation, Unit,
};
use super::request::Received;
use super::verified::{Proof, Verified};

/// A scheme and the keys that a source has for it.
#[derive(Debug)]
pub struct Verifier {
    /// How the sender signs.
    pub scheme: Scheme,
    /// With the index of the secret that each was made from.
    pub keys: Vec<(usize, Key)>,
}

/// What a source says about its sender, beyond secrets.
#[derive(Debug, Clone, Default)]
pub struct VerifyContext {
    /// The URL as the sender knows it, without the query.
    pub public_url: Option<String>,
    /// Values for `{param:NAME}`.
    pub params: Vec<(String, String)>,
}

/// Why a request is not proven to be its sender's: facts for the log, none of them secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifyError {
    /// In words.
    pub reason: Cow<'static, str>,
    /// The secrets and fetched keys that a signature was compared under, if it came to that.
    pub secrets_tried: Option<usize>,
    /// Of a right signature that is too old (or, below zero, too new): our clock less its time, in
    /// seconds.
    pub clock_skew: Option<i64>,
}

impl From<&'static str> for VerifyError {
    fn from(reason: &'static str) -> Self {
        Cow::Borrowed(reason).into()
    }
}

impl From<Cow<'static, str>> for VerifyError {
    fn from(reason: Cow<'static, str>) -> Self {
        Self {
            reason,
            secrets_tried: None,
            clock_skew: None,
        }
    }
}

impl fmt::Display for VerifyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

/// Proves the sender: any signature by any key under any scheme will do, of the secrets that are
/// usable and of the keys that were `fetched`, one for each verifier. `now` is compared with signed
/// timestamps.
///
/// # Errors
/// The reason of the first scheme whose signature is there.
pub fn verify(
    verifiers: &[Verifier],
    verify_context: &VerifyContext,
    is_usable: impl Fn(usize) -> bool,
    fetched: &[Option<Arc<Key>>],
    received: Received,
    now: SystemTime,
) -> Result<Verified, VerifyError> {
    let mut failed = None;
    for (index, verifier) in verifiers.iter().enumerate() {
        let fetched = fetched.get(index).and_then(Option::as_deref);
        match check(
            verifier,
            verify_context,
            &is_usable,
            fetched,
            &received,
            now,
        ) {
            Ok(secret) => {
                let proof = secret.map_or(Proof::FetchedKey, Proof::Secret);
                let coverage = verifier.scheme.coverage();
                return Ok(Verified::by_signature(received, proof, coverage));
            }
            Err(NO_SIGNATURE) => {}
            Err(reason) => failed = failed.or(Some((verifier, reason))),
        }
    }
    let Some((verifier, reason)) = failed else {
        return Err(NO_SIGNATURE.into());
    };
    Err(VerifyError {
        secrets_tried: (reason == NO_MATCH).then(|| count_keys(verifiers, is_usable, fetched)),
        clock_skew: Some(reason)
            .filter(|reason| *reason == OUT_OF_TIME)
            .and_then(|_| clock_skew(&verifier.scheme, &received, now)),
        ..reason.into()
    })
}

/// Each secret once, in however many schemes it may count.
fn count_keys(
    verifiers: &[Verifier],
    is_usable: impl Fn(usize) -> bool,
    fetched: &[Option<Arc<Key>>],
) -> usize {
    let keys = verifiers.iter().flat_map(|verifier| &verifier.keys);
    let own: BTreeSet<_> = keys
        .map(|(index, _)| *index)
        .filter(|i| is_usable(*i))
        .collect();
    own.len() + fetched.iter().flatten().count()
}

/// Our clock less the signed time, in seconds.
fn clock_skew(scheme: &Scheme, received: &Received, now: SystemTime) -> Option<i64> {
    let header = Locator::find_first(&scheme.locations, received).one()?;
    let timestamp = scheme.timestamp.as_ref()?;
    let text = timestamp_text(timestamp, scheme, &header, received).ok()?;
    let signed_at = parse_time(timestamp.unit, &text)?;
    let seconds = |apart: Duration| i64::try_from(apart.as_secs()).ok();
    match now.duration_since(signed_at) {
        Ok(old) => seconds(old),
        Err(new) => seconds(new.duration()).map(|seconds| -seconds),
    }
}

/// The index of the secret that matched, `None` for the fetched key. The signature is checked before the time: an answer
/// tells a guesser nothing.
fn check(
    verifier: &Verifier,
    verify_context: &VerifyContext,
    is_usable: &impl Fn(usize) -> bool,
    fetched: Option<&Key>,
    received: &Received,
    now: SystemTime,
) -> Result<Option<usize>, &'static str> {
    let scheme = &verifier.scheme;
    let header = match Locator::find_first(&scheme.locations, received) {
        Lookup::Missing => return Err(NO_SIGNATURE),
        Lookup::Ambiguous => {
            return Err("more than one signature header, or one that is not ASCII");
        }
        Lookup::One(text) => text,
    };
    let get = received.method == Method::GET;
    if get && scheme.algorithm != Algorithm::Token && !scheme.signed.covers_query() {
        return Err("a GET is its query, which is not signed");
    }
    let claimed = claimed_signatures(scheme, &header)?;
    let timestamp = scheme
        .timestamp
        .as_ref()
        .map(|t| timestamp_text(t, scheme, &header, received))
        .transpose()?;
    let key_id = scheme
        .key_id
        .as_ref()
        .and_then(|place| place.find(received).one());
    let urls = urls(verify_context.public_url.as_deref(), received);
    let candidates = if scheme.signed.needs_url() {
        urls.as_slice()
    } else {
        &[None]
    };
    let own = verifier
        .keys
        .iter()
        .filter(|(index, _)| is_usable(*index))
        .map(|(index, key)| (Some(*index), key));
    let keys: Vec<_> = own.chain(fetched.map(|key| (None, key))).collect();
    let allowed = (MAX_PUBLIC_CHECKS / keys.len().max(1)).max(2);
    if scheme.algorithm.is_public() && claimed.len() > allowed {
        return Err(TOO_MANY);
    }
    let mut rendered = None;
    for url in candidates {
        let scope = Scope {
            received,
            timestamp: timestamp.as_deref(),
            url: url.as_deref(),
            params: &verify_context.params,
        };
        let text = match rendered.take() {
            None => scheme.signed.render(&scope)?,
            Some(mut before) => {
                scheme.signed.render_url(&mut before, &scope)?;
                before
            }
        };
        let signed = rendered.insert(text);
        let mut keys = keys.iter();
        let matching = keys
            .find(|(_, key)| key.verifies(scheme.algorithm, key_id.as_deref(), signed, &claimed));
        if let Some((index, _)) = matching {
            check_body_hash(scheme, received)?;
            check_time(scheme.timestamp.as_ref(), timestamp.as_deref(), now)?;
            return Ok(*index);
        }
    }
    Err(NO_MATCH)
}

/// The signatures that a header claims: at least one.
fn claimed_signatures(scheme: &Scheme, header: &str) -> Result<Vec<Vec<u8>>, &'static str> {
    let texts: Vec<&str> = match &scheme.format {
        Format::Plain => header
            .strip_prefix(scheme.prefix.as_str())
            .into_iter()
            .collect(),
        Format::Kv { separator, key } => pairs(header, *separator)
            .filter(|(k, _)| k == key)
            .map(|(_, v)| v)
            .collect(),
        Format::List { tag } => header
            .split_ascii_whitespace()
            .filter_map(|part| part.split_once(','))
            .filter(|(t, _)| t == tag)
            .map(|(_, signature)| signature)
            .collect(),
    };
    if texts.len() > MAX_SIGNATURES {
        return Err(TOO_MANY);
    }
    let decoded: Vec<_> = texts
        .into_iter()
        .filter_map(|text| decode(scheme.encoding, text))
        .collect();
    if decoded.is_empty() {
        return Err("the signature is not written as the sender writes it");
    }
    Ok(decoded)
}

fn decode(encoding: Encoding, text: &str) -> Option<Vec<u8>> {
    match encoding {
        Encoding::Hex => hex::decode(text).ok(),
        Encoding::Base64 => decode_base64(text.as_bytes()),
        Encoding::Text => Some(text.as_bytes().to_vec()),
    }
    .filter(|bytes| !bytes.is_empty())
}

fn pairs(header: &str, separator: char) -> impl Iterator<Item = (&str, &str)> {
    header
        .split(separator)
        .filter_map(|pair| pair.trim().split_once('='))
}

fn timestamp_text(
    timestamp: &Timestamp,
    scheme: &Scheme,
    header: &str,
    received: &Received,
) -> Result<String, &'static str> {
    const MISSING: &str = "not exactly one timestamp";
    match (&timestamp.location, &scheme.format) {
        (TimestampLocation::At(place), _) => place.find(received).one().ok_or(MISSING),
        (TimestampLocation::Kv(key), Format::Kv { separator, .. }) => {
            let mut values = pairs(header, *separator).filter(|(k, _)| k == key);
            match (values.next(), values.next()) {
                (Some((_, value)), None) => Ok(value.to_owned()),
                _ => Err(MISSING),
            }
        }
        (TimestampLocation::Kv(_), _) => Err(MISSING),
    }
}

fn check_time(
    timestamp: Option<&Timestamp>,
    text: Option<&str>,
    now: SystemTime,
) -> Result<(), &'static str> {
    let (Some(timestamp), Some(text)) = (timestamp, text) else {
        return Ok(());
    };
    if timestamp.tolerance.is_zero() {
        return Ok(());
    }
    let signed_at = parse_time(timestamp.unit, text)
        .ok_or("the timestamp is not written as the sender writes it")?;
    let apart = now
        .duration_since(signed_at)
        .unwrap_or_else(|future| future.duration());
    if apart > timestamp.tolerance {
        return Err(OUT_OF_TIME);
    }
    Ok(())
}

fn parse_time(unit: Unit, text: &str) -> Option<SystemTime> {
    let number = || {
        text.bytes()
            .all(|b| b.is_ascii_digit())
            .then(|| text.parse().ok())
            .flatten()
    };
    let since = match unit {
        Unit::S => Duration::from_secs(number()?),
        Unit::Ms => Duration::from_millis(number()?),
        Unit::Rfc3339 => return parse_rfc3339(text),
    };
    SystemTime::UNIX_EPOCH.checked_add(since)
}

fn parse_rfc3339(text: &str) -> Option<SystemTime> {
    if let Ok(time) = humantime::parse_rfc3339(text) {
        return Some(time);
    }
    let (local, offset) = text.split_at_checked(text.len().checked_sub("+00:00".len())?)?;
    let (hours, minutes) = offset.get(1..)?.split_once(':')?;
    let number = |digits: &str| match digits.as_bytes() {
        [b'0'..=b'9', b'0'..=b'9'] => digits.parse::<u64>().ok(),
        _ => None,
    };
    let ahead = Duration::from_secs(number(hours)? * 3600 + number(minutes)? * 60);
    if local.ends_with('Z') {
        return None;
    }
    let local = humantime::parse_rfc3339(&format!("{local}Z")).ok()?;
    match offset.as_bytes().first()? {
        b'+' => local.checked_sub(ahead),
        b'-' => local.checked_add(ahead),
        _ => None,
    }
}

fn check_body_hash(scheme: &Scheme, received: &Received) -> Result<(), &'static str> {
    let Some(place) = &scheme.body_sha256 else {
        return Ok(());
    };
    let claimed = place
        .find(received)
        .one()
        .and_then(|text| hex::decode(text).ok());
    let actual = digest::digest(&digest::SHA256, &received.body);
    let claimed = claimed.ok_or("no hash of the body")?;
    verify_slices_are_equal(actual.as_ref(), &claimed).map_err(|_| "the body's hash does not match")
}

/// The URL as the sender may have signed it: some write the default port, some do not.
fn urls(public_url: Option<&str>, received: &Received) -> Vec<Option<String>> {
    let Some(base) = public_url else {
        return Vec::new();
    };
    let query = received.query.as_deref();
    let whole = query.map_or_else(|| base.to_owned(), |query| format!("{base}?{query}"));
    let (scheme, rest) = whole.split_once("://").unwrap_or(("https", &whole));
    let (host, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
    let port = if scheme == "http" { ":80" } else { ":443" };
    let other = match host.strip_suffix(port) {
        Some(bare) => format!("{scheme}://{bare}{path}"),
        None => format!("{scheme}://{host}{port}{path}"),
    };
    vec![Some(whole.clone()), Some(other)]
}

const NO_SIGNATURE: &str = "no signature";
const NO_MATCH: &str = "the signature does not match";
const OUT_OF_TIME: &str = "the timestamp is too far from our clock";
const TOO_MANY: &str = "too many signatures";
/// A header may hold several during a rotation.
const MAX_SIGNATURES: usize = 16;
/// A signature by a private key is work for each public key, and may read the whole body: so many
/// in all, or two for each key.
const MAX_PUBLIC_CHECKS: usize = 16;

#[cfg(test)]
mod tests;

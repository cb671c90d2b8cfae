//! `check`: what can be said of the settings without asking anybody.

use std::time::{Duration, SystemTime};

use webhook_core::action::Action;
use webhook_core::payload;
use webhook_core::source::{Source, Verification};

use super::{Finding, Problem};
use crate::acme;
use crate::config::{Config, Identity};
use crate::expiry::{Dated, now};
use crate::forward::encode::nonce;
use crate::temporal::connect::Settings;
use crate::tls;

/// How the source knows its sender.
pub(super) fn verification(source: &Source) -> Finding {
    let by = proof(source)?;
    let Some(required) = &source.client_certificate else {
        return Ok(by);
    };
    let whose = match required.subjects.as_slice() {
        [] => "of an authority in client_ca".to_owned(),
        subjects => format!("of {}", subjects.join(" or ")),
    };
    let and = if by.is_empty() { "by" } else { ", and" };
    Ok(format!("{by}{and} a client certificate {whose}"))
}

/// The certificate apart.
fn proof(source: &Source) -> Finding {
    match &source.verification {
        Verification::ClientCertificate => Ok(String::new()),
        Verification::Signature { secrets, .. } => {
            let mut names: Vec<_> = secrets.iter().map(|secret| secret.name.as_str()).collect();
            names.dedup();
            if source.fetch_keys {
                names.push("fetched keys");
            }
            Ok(format!("by {}", names.join(", ")))
        }
        Verification::AddressHandshake { .. } => Ok("by the address, after a handshake".to_owned()),
        Verification::DangerUnverified => Err(Problem::Warning(format!(
            "DANGER: {} accepts webhooks that anybody may have sent",
            source.path
        ))),
    }
}

/// What the ids of its workflows look like, those of routes first.
pub(super) fn ids(source: &Source) -> String {
    let mut ids: Vec<String> = Vec::new();
    for route in &source.routes {
        let (settings, is_itself) = (&route.settings, route.when.is_none());
        let id = settings
            .workflow_id
            .shown(&source.name, &source.provider.name, &source.path);
        let mut of = Vec::new();
        of.extend((!is_itself).then_some(route.name.as_str()));
        of.extend((settings.action != Action::Start).then(|| settings.action.name()));
        if settings.action != Action::Drop {
            ids.push(if of.is_empty() {
                id
            } else {
                format!("{id} ({})", of.join(", "))
            });
        }
    }
    match ids.is_empty() {
        true => "none: all events are dropped".to_owned(),
        false => ids.join(", "),
    }
}

/// Of each, for whom and for how long.
pub(super) fn certificates(config: &Config) -> Vec<Finding> {
    let Some(tls) = &config.tls else {
        return vec![Ok("none: plain HTTP".to_owned())];
    };
    let others = tls.others.iter().map(|other| &other.identity);
    let first = tls.identity.iter();
    first.chain(others).map(certificate).collect()
}

/// What is ordered, from whom, and what came of it so far. `port`: where webhooks are received.
pub(super) fn acme(config: &Config, port: u16) -> Vec<Finding> {
    let Some(acme) = config.tls.as_ref().and_then(|tls| tls.acme.as_ref()) else {
        return Vec::new();
    };
    let names = acme.domains.join(", ");
    let (url, folder) = (&acme.directory, acme.cache.display());
    let found = match acme::cached(acme) {
        Err(problem) => Err(Problem::Wrong(format!("{names}: {problem}"))),
        Ok(None) => Ok(format!(
            "{names}: ordered from {url} at the start: there is none in {folder}"
        )),
        Ok(Some(identity)) => certificate(&identity).map(|text| format!("{text}; from {url}")),
    };
    let mut findings = vec![found];
    if port != 443 {
        let text = format!(
            "the authority connects to port 443 of {names}: it has to lead to port {port} here"
        );
        findings.push(Err(Problem::Warning(text)));
    }
    let replicas = format!(
        "with several replicas, all need the folder {folder}, shared and with locks: the authority may look at any of them, and one orders for all; else run one, or take certificates from files"
    );
    findings.push(Ok(replicas));
    findings
}

fn certificate(identity: &Identity) -> Finding {
    let validity = tls::validity(&identity.cert)
        .ok_or_else(|| Problem::Wrong("its expiry cannot be read".to_owned()))?;
    let names = match tls::names(&identity.cert) {
        names if names.is_empty() => "no name".to_owned(),
        names => names.join(", "),
    };
    let left = validity.end - now();
    let days = left.div_euclid(86_400);
    let text = match days {
        ..0 => {
            return Err(Problem::Wrong(format!(
                "{names}: expired {} days ago",
                -days
            )));
        }
        0 | 1 => format!("{names}: matches its key, expires in {} hours", left / 3600),
        _ => format!("{names}: matches its key, expires in {days} days"),
    };
    if validity.start > now() {
        let hours = (validity.start - now()).div_euclid(3600);
        let text = format!("{names}: not valid yet, but in {hours} hours: is the clock right?");
        return Err(Problem::Wrong(text));
    }
    if Dated::server(&validity).is_soon(now()) {
        return Err(Problem::Warning(text));
    }
    Ok(text)
}

/// Which certificates clients show, if they are asked.
pub(super) fn clients(config: &Config) -> Option<Finding> {
    let clients = config.tls.as_ref()?.clients.as_ref()?;
    let mut text = match clients.required {
        true => "only with a certificate of client_ca, on every path of the public listener",
        false => "a certificate of client_ca where a source asks for it, any other counts as none",
    }
    .to_owned();
    let Some(lists) = &clients.revocation else {
        return Some(Ok(text + "; no revocation list"));
    };
    let validity = tls::revocation_validity(&lists.pem);
    let Some(validity) = validity else {
        return Some(Ok(text + "; none that is revoked"));
    };
    let left = validity.end - now();
    if left < 0 {
        text += &format!(
            "; {} should have been replaced {} hours ago, and still counts",
            lists.file,
            -left / 3600
        );
        return Some(Err(Problem::Warning(text)));
    }
    text += &format!(
        "; none that is revoked, as of {}, to be replaced within {} hours",
        lists.file,
        left / 3600
    );
    Some(Ok(text))
}

/// How many keys session tickets are sealed with, if they are the settings' own.
pub(super) fn tickets(config: &Config) -> Option<String> {
    let keys = config.tls.as_ref()?.ticket_keys.len();
    match keys {
        0 => None,
        1 => Some("1 key seals and opens them".to_owned()),
        _ => Some(format!("the first of {keys} keys seals, all open")),
    }
}

/// How Temporal is reached, and for how long the client certificate will do.
pub(super) fn connection(settings: &Settings) -> Finding {
    let text = settings.security();
    let Some(validity) = &settings.certificate else {
        return Ok(text);
    };
    let left = validity.end - now();
    let days = left.div_euclid(86_400);
    if left < 0 {
        let text = format!("{text}: the client certificate expired {} days ago", -days);
        return Err(Problem::Wrong(text));
    }
    let text = match days {
        0 | 1 => format!(
            "{text}: the client certificate expires in {} hours",
            left / 3600
        ),
        _ => format!("{text}: the client certificate expires in {days} days"),
    };
    if Dated::client(validity).is_soon(now()) {
        return Err(Problem::Warning(text));
    }
    Ok(text)
}

/// What each key seals, the codec opens.
pub(super) fn encryption(config: &Config) -> Finding {
    let keys = config.codec.keys();
    let Some(first) = keys.first() else {
        return Ok("off: Temporal stores events as they are".to_owned());
    };
    let payload = payload::text("check");
    for key in keys {
        let opened = config.codec.decode(key.seal(&payload, nonce()));
        if opened.as_ref() != Ok(&payload) {
            let text = format!("key {:?} does not open what it sealed", key.id());
            return Err(Problem::Wrong(text));
        }
    }
    let others: Vec<_> = keys
        .iter()
        .skip(1)
        .map(|key| format!("{:?}", key.id()))
        .collect();
    let first = format!("key {:?}, round trip fine", first.id());
    Ok(if others.is_empty() {
        first
    } else {
        format!("{first}; only decrypting: {}", others.join(", "))
    })
}

/// A clock that was never set makes certificates and signed timestamps fail.
pub(super) fn clock() -> Finding {
    let now = SystemTime::now();
    let text = humantime::format_rfc3339_seconds(now).to_string();
    if now < SystemTime::UNIX_EPOCH + RELEASED {
        return Err(Problem::Wrong(format!(
            "{text}, which is before this program was written"
        )));
    }
    Ok(text)
}

/// 2026-11-01, since the Unix epoch.
const RELEASED: Duration = Duration::from_secs(1_793_491_200);

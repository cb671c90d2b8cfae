//! Who may ask the admin listener: by a name that is its own, since a page elsewhere can make a browser
//! come here under its own (DNS rebinding); from loopback, or with the token. Health and metrics are for
//! probes and scrapers, which have none.

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::header::{HOST, WWW_AUTHENTICATE};
use http::request::Parts;
use http::uri::Authority;
use http::{HeaderMap, HeaderValue, StatusCode};
use webhook_core::shown::shown;

use super::answer::problem;
use super::{index, metrics};
use crate::config::admin::Admin;
use crate::forward::hints::Hints;
use crate::forward::intake;
use crate::forward::pages::{LIVE, READY};
use crate::server::bearer::{NoToken, bearer};
use crate::server::service::Arrival;

/// The rules of one listener; token and names are replaced by a reload.
#[derive(Debug)]
pub struct Access {
    address: SocketAddr,
    /// The host that the operator wrote in its address.
    host: String,
    rules: RwLock<Arc<Admin>>,
    /// Whoever is refused does not choose how much is logged.
    lines: Hints,
    left_out: AtomicU64,
}

impl Access {
    /// Of the listener that is bound to this address, which was written as this host.
    pub fn new(address: SocketAddr, host: &str, rules: Admin) -> Self {
        Self {
            address,
            host: host.to_ascii_lowercase(),
            rules: RwLock::new(Arc::new(rules)),
            lines: Hints::default(),
            left_out: AtomicU64::new(0),
        }
    }

    /// From the next request on these.
    pub fn replace(&self, rules: Admin) {
        *self.rules.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(rules);
    }

    /// Whether other machines may reach it.
    pub fn is_public(&self) -> bool {
        !self.address.ip().to_canonical().is_loopback()
    }

    /// Whether callers show a token.
    pub fn has_token(&self) -> bool {
        self.rules().token.is_some()
    }

    fn rules(&self) -> Arc<Admin> {
        Arc::clone(&self.rules.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether a request for this host is meant for us. To an address no page of another name can bring a
    /// browser; which addresses lead here from elsewhere, only the network knows.
    fn is_ours(&self, rules: &Admin, host: &str) -> bool {
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        match host.trim_matches(['[', ']']).parse::<IpAddr>() {
            Ok(address) => self.is_public() || address.to_canonical().is_loopback(),
            Err(_) => host == "localhost" || host == self.host || rules.hosts.contains(&host),
        }
    }
}

/// Refuses what is not for its asker.
pub(super) async fn check(
    State(access): State<Arc<Access>>,
    request: Request,
    next: Next,
) -> Response {
    let (parts, body) = request.into_parts();
    match access.refusal(&parts) {
        Some(refusal) => {
            access.log(&refusal, &parts);
            refusal.answer()
        }
        None => next.run(Request::from_parts(parts, body)).await,
    }
}

/// Why a request is refused: for the caller, who is the operator, and for the log.
struct Refusal {
    status: StatusCode,
    title: &'static str,
    detail: String,
    /// Somebody may be trying: it is worth a line.
    is_odd: bool,
}

impl Access {
    fn refusal(&self, parts: &Parts) -> Option<Refusal> {
        let refusal = |status, title, detail: String| {
            Some(Refusal {
                status,
                title,
                detail,
                is_odd: true,
            })
        };
        if intake::check_head(parts).is_err() {
            let detail = "not exactly one Host, or a Transfer-Encoding other than chunked";
            return refusal(
                StatusCode::BAD_REQUEST,
                "malformed request",
                detail.to_owned(),
            );
        }
        let (rules, path) = (self.rules(), parts.uri.path());
        let is_open = [LIVE, READY, metrics::PATH].contains(&path);
        // Where everybody can ask for them, a page can, too.
        if is_open && self.is_public() {
            return None;
        }
        if let Some(host) = asked_for(parts).filter(|host| !self.is_ours(&rules, host)) {
            let detail = format!(
                "{} is no name of this listener: [admin] hosts = [\"…\"] lists those that it is reached by besides localhost and its address",
                shown(host)
            );
            return refusal(StatusCode::MISDIRECTED_REQUEST, "not for this host", detail);
        }
        if is_of_another_site(&parts.headers) {
            let detail = "a page of another site asks, not a person";
            return refusal(
                StatusCode::FORBIDDEN,
                "not for other sites",
                detail.to_owned(),
            );
        }
        if is_open {
            return None;
        }
        let Some(token) = &rules.token else {
            return self
                .is_public()
                .then(|| {
                    refusal(
                        StatusCode::FORBIDDEN,
                        "a token has to be configured",
                        self.needs_token(),
                    )
                })
                .flatten()
                .map(|it| Refusal {
                    is_odd: false,
                    ..it
                });
        };
        // The page itself says nothing, and asks for the token.
        if path == index::PATH {
            return None;
        }
        let shown = bearer(&parts.headers);
        let problem = match shown {
            Ok(shown) if token.equals(shown) => return None,
            Ok(_) => "the token is another than that of [admin] token or --admin-token",
            Err(NoToken::Missing) => MISSING,
            Err(NoToken::Several) => "there is more than one Authorization header",
            Err(NoToken::Malformed) => {
                "the Authorization header is not \"Bearer\", a space and a token"
            }
        };
        let refused = refusal(
            StatusCode::UNAUTHORIZED,
            "token required",
            problem.to_owned(),
        );
        refused.map(|it| Refusal {
            is_odd: shown != Err(NoToken::Missing),
            ..it
        })
    }

    fn log(&self, refusal: &Refusal, parts: &Parts) {
        let arrival = parts.extensions.get::<Arrival>();
        let peer = arrival.map(|arrival| arrival.peer.to_string());
        let (path, status) = (shown(parts.uri.path()), refusal.status.as_u16());
        let reason = &refusal.detail;
        if !refusal.is_odd {
            tracing::debug!(peer, path, status, reason, "admin request refused");
        } else if self.lines.is_due() {
            let before = self.left_out.swap(0, Ordering::Relaxed);
            let left_out = Some(before).filter(|count| *count > 0);
            tracing::warn!(
                peer,
                path,
                status,
                reason,
                left_out,
                "admin request refused"
            );
        } else {
            self.left_out.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn needs_token(&self) -> String {
        format!(
            "this listener ({}) can be reached from other machines and has no token, so it answers for health and metrics only: set [admin] token = \"file:PATH\" or --admin-token env:NAME, or listen on 127.0.0.1",
            self.address
        )
    }
}

impl Refusal {
    fn answer(&self) -> Response {
        let mut answer = problem(self.status, self.title, &self.detail);
        if self.status == StatusCode::UNAUTHORIZED {
            let challenge = HeaderValue::from_static("Bearer");
            answer.headers_mut().insert(WWW_AUTHENTICATE, challenge);
        }
        answer
    }
}

/// The host without its port: tunnels and mappings change that. `None`: HTTP/1.0 says none, and no browser
/// speaks that.
fn asked_for(parts: &Parts) -> Option<&str> {
    let header = || parts.headers.get(HOST).map(HeaderValue::as_bytes);
    let Some(authority) = parts.uri.authority() else {
        let text = str::from_utf8(header()?).unwrap_or("?");
        let is_whole = text
            .parse::<Authority>()
            .is_ok_and(|it| !it.as_str().contains('@') && has_port_or_none(text));
        return Some(if is_whole { without_port(text) } else { "?" });
    };
    Some(authority.host())
}

fn has_port_or_none(host: &str) -> bool {
    let port = host.strip_prefix(without_port(host)).unwrap_or_default();
    port.strip_prefix(':')
        .is_none_or(|port| port.parse::<u16>().is_ok())
}

fn without_port(host: &str) -> &str {
    let end = host.rfind(':').filter(|end| !host[*end..].contains(']'));
    end.map_or(host, |end| &host[..end])
}

/// Whether a browser says that a page of another origin asks in the background. What it would read, the browser
/// keeps from it; but it could take every seat of the stream. A link may lead here from anywhere.
fn is_of_another_site(headers: &HeaderMap) -> bool {
    let is = |name: &str, value: &str| headers.get(name).is_some_and(|it| it == value);
    let is_elsewhere = ["cross-site", "same-site"];
    is_elsewhere.iter().any(|site| is("sec-fetch-site", site)) && !is("sec-fetch-mode", "navigate")
}

/// Said at the start, of an address that is not loopback.
pub const WITHOUT_TOKEN: &str = "the admin listener can be reached from other machines and has no token: it answers for health and metrics only. [admin] token or --admin-token opens the rest, or listen on 127.0.0.1";
/// Said at the start, of an address that is not loopback and a token.
pub const IN_THE_CLEAR: &str = "the admin listener can be reached from other machines over plain HTTP: the token and what it shows can be read on the way, unless a proxy before this adds TLS";
const MISSING: &str =
    "this page needs the listener's token, as Authorization: Bearer TOKEN (never in the URL)";

#[cfg(test)]
mod tests;

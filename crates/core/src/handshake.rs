//! What a sender asks before or among its events, and the exact answer: challenges, pings,
//! confirmations. Sources: each provider's documentation, named in its catalogue file.

use std::fmt;

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{Method, StatusCode};
use serde::Deserialize;
use serde_json::json;

use super::provider::locator::{Locator, Lookup};
use super::request::{FORM, Received};
use super::secret::Secret;

/// The handshakes that senders have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Handshake {
    /// GET `hub.mode=subscribe&hub.challenge=N&hub.verify_token=T` -> N.
    Meta,
    /// Signed POST `{"type":"url_verification","challenge":C}` -> C; POST form `ssl_check=1&token=T`,
    /// which nobody signs -> 200.
    Slack,
    /// Signed POST `{"event":"endpoint.url_validation","payload":{"plainToken":P}}` -> P and its HMAC.
    Zoom,
    /// GET `?challenge=C` -> C.
    Dropbox,
    /// GET `?crc_token=K` -> the HMAC of K.
    X,
    /// Signed POST `{"type":1}` -> the same.
    DiscordInteractions,
    /// Signed POST `{"type":0}` -> 204.
    DiscordEvents,
    /// Unsigned POST form `webhook_id=N` -> 200.
    Woocommerce,
    /// Signed POST `topic: ping` -> 200.
    Intercom,
}

impl fmt::Display for Handshake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Meta => "meta",
            Self::Slack => "slack",
            Self::Zoom => "zoom",
            Self::Dropbox => "dropbox",
            Self::X => "x",
            Self::DiscordInteractions => "discord-interactions",
            Self::DiscordEvents => "discord-events",
            Self::Woocommerce => "woocommerce",
            Self::Intercom => "intercom",
        })
    }
}

/// An answer that is not about an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// Its status.
    pub status: StatusCode,
    /// Its type.
    pub content_type: &'static str,
    /// Its body.
    pub body: String,
}

impl Reply {
    fn text(body: String) -> Self {
        Self {
            status: StatusCode::OK,
            content_type: "text/plain",
            body,
        }
    }

    fn json(body: &serde_json::Value) -> Self {
        Self {
            status: StatusCode::OK,
            content_type: "application/json",
            body: body.to_string(),
        }
    }

    fn empty(status: StatusCode) -> Self {
        Self {
            status,
            content_type: "application/json",
            body: String::new(),
        }
    }
}

/// Why a handshake is not answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The verify token is not ours: 403, as Meta's documentation has it.
    WrongToken,
    /// What we would have to sign is no token, but could be an event.
    NoToken,
}

impl Handshake {
    /// The answer to a request that nobody has to sign, if this is one; `key` is the source's
    /// first shared secret, `verify_token` is its setting of that name.
    ///
    /// # Errors
    /// See [`Refusal`].
    pub fn unsigned(
        self,
        received: &Received,
        key: Option<&Secret>,
        verify_token: Option<&Secret>,
    ) -> Result<Option<Reply>, Refusal> {
        let get = received.method == Method::GET;
        let query = |name: &str| Locator::Query(name.to_owned()).find(received).one();
        match self {
            Self::Meta if get => {
                let Some(challenge) = query("hub.challenge") else {
                    return Ok(None);
                };
                let token_in_query = query("hub.verify_token").unwrap_or_default();
                let ours =
                    verify_token.is_some_and(|token| token.equals(token_in_query.as_bytes()));
                let subscribe = query("hub.mode").as_deref() == Some("subscribe");
                if !(ours && subscribe && is_challenge(&challenge)) {
                    return Err(Refusal::WrongToken);
                }
                Ok(Some(Reply::text(challenge)))
            }
            Self::Dropbox if get => match query("challenge") {
                Some(challenge) if is_challenge(&challenge) => Ok(Some(Reply::text(challenge))),
                Some(_) => Err(Refusal::NoToken),
                None => Ok(None),
            },
            // X signs events with the same key over the body: never sign what could be JSON with
            // anything in it, and see below.
            Self::X if get => match (query("crc_token"), key) {
                (Some(token), Some(key)) if is_challenge(&token) => {
                    let mac = hmac_sha256(key, token.as_bytes());
                    let response = format!("sha256={}", STANDARD.encode(mac));
                    Ok(Some(Reply::json(&json!({ "response_token": response }))))
                }
                (Some(_), _) => Err(Refusal::NoToken),
                (None, _) => Ok(None),
            },
            Self::Slack => {
                let signed = received.headers.contains_key("x-slack-signature");
                let check = !signed && is_slack_ssl_check(received);
                Ok(check.then(|| Reply::empty(StatusCode::OK)))
            }
            Self::Woocommerce => {
                Ok(is_woocommerce_ping(received).then(|| Reply::empty(StatusCode::OK)))
            }
            _ => Ok(None),
        }
    }

    /// The answer to a verified request that is no event, if this is one.
    ///
    /// # Errors
    /// See [`Refusal`].
    pub fn signed(
        self,
        received: &Received,
        key: Option<&Secret>,
    ) -> Result<Option<Reply>, Refusal> {
        let json_at = |path: &[&str]| {
            let path = path.iter().map(|&key| key.to_owned()).collect();
            match Locator::Json(path).find(received) {
                Lookup::One(text) => Some(text),
                Lookup::Missing | Lookup::Ambiguous => None,
            }
        };
        let is = |key: &str, value: &str| json_at(&[key]).as_deref() == Some(value);
        match self {
            Self::Slack if is("type", "url_verification") => {
                Ok(json_at(&["challenge"]).map(Reply::text))
            }
            Self::Slack if is_slack_ssl_check(received) => Ok(Some(Reply::empty(StatusCode::OK))),
            Self::Zoom if is("event", "endpoint.url_validation") => {
                let token = json_at(&["payload", "plainToken"]).filter(|token| is_challenge(token));
                // Zoom signs `v0:{ts}:{body}` with the same key: a token with a colon could be that.
                let (Some(token), Some(key)) = (token, key) else {
                    return Err(Refusal::NoToken);
                };
                let encrypted = hex::encode(hmac_sha256(key, token.as_bytes()));
                Ok(Some(Reply::json(
                    &json!({ "plainToken": token, "encryptedToken": encrypted }),
                )))
            }
            Self::DiscordInteractions
                if is("type", "1") && json_at(&["event", "type"]).is_none() =>
            {
                Ok(Some(Reply::json(&json!({ "type": 1 }))))
            }
            Self::DiscordEvents if is("type", "0") => {
                Ok(Some(Reply::empty(StatusCode::NO_CONTENT)))
            }
            // Whatever we might have signed as a challenge is no event.
            Self::X if std::str::from_utf8(&received.body).is_ok_and(is_challenge) => {
                Err(Refusal::NoToken)
            }
            Self::Intercom if is("topic", "ping") => Ok(Some(Reply::empty(StatusCode::OK))),
            _ => Ok(None),
        }
    }

    /// Whether GET requests belong to it.
    pub const fn uses_get(self) -> bool {
        matches!(self, Self::Meta | Self::Dropbox | Self::X)
    }
}

/// A token in which there is no room for a JSON object, several form fields or a signed string.
fn is_challenge(text: &str) -> bool {
    (1..=256).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"._~+/=-".contains(&b))
}

/// Slack's look at our certificate: `ssl_check=1&token=T` and nothing else. A command has more.
fn is_slack_ssl_check(received: &Received) -> bool {
    let is_form = received.method == Method::POST && received.media_type().as_deref() == Some(FORM);
    let mut fields = form_urlencoded::parse(&received.body);
    let mut next = || fields.next();
    let check = next().is_some_and(|(name, value)| name == "ssl_check" && value == "1");
    let token = next().is_some_and(|(name, value)| name == "token" && is_challenge(&value));
    is_form && check && token && next().is_none()
}

/// WooCommerce's ping before a webhook is activated: unsigned, and it starts nothing.
fn is_woocommerce_ping(received: &Received) -> bool {
    let signed = received.headers.contains_key("x-wc-webhook-signature");
    let mut fields = form_urlencoded::parse(&received.body);
    let is_number = |id: &str| !id.is_empty() && id.bytes().all(|b| b.is_ascii_digit());
    let one = fields
        .next()
        .is_some_and(|(name, id)| name == "webhook_id" && is_number(&id));
    !signed && one && fields.next().is_none()
}

fn hmac_sha256(key: &Secret, text: &[u8]) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key.reveal());
    hmac::sign(&key, text).as_ref().to_vec()
}

#[cfg(test)]
mod tests;

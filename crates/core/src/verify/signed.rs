//! The bytes that a sender signs: a template over the raw request, rendered byte for byte.

use std::borrow::Cow;

use serde::Deserialize;

use super::{hubspot, sns, twilio};
use crate::holes::pieces;
use crate::provider::locator::Locator;
use crate::request::Received;

/// `{ts}.{body}` and the like. Holes take raw bytes.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Signed(Vec<Piece>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Body,
    Timestamp,
    Method,
    Url,
    At(Locator),
    /// A value from the source's `params`.
    Param(String),
    /// The body's CRC-32, decimal (PayPal).
    BodyCrc32,
    /// A form's fields, sorted (Twilio).
    FormSorted,
    /// The URL with some escapes undone (HubSpot).
    UrlHubspot,
    /// The canonical text of a notification (AWS SNS).
    Sns,
}

/// What a signature that held covers.
#[derive(Debug, Clone)]
pub enum Coverage {
    /// Nothing: the proof is a token or an address, or there is none.
    Nothing,
    /// What the template says.
    Signed {
        /// See there.
        template: Signed,
        /// Whether a hash of the body is in what the template covers.
        body_hash: bool,
    },
}

impl Coverage {
    /// See [`Verified::names`](crate::verified::Verified::names).
    pub fn names(&self, place: &Locator) -> bool {
        match self {
            Self::Nothing => false,
            Self::Signed { template, .. } => template.places().any(|signed| signed == place),
        }
    }

    /// Whether it covers what stands in the place, in a request whose event `is_query` or not.
    pub fn covers(&self, place: &Locator, is_query: bool) -> bool {
        let Self::Signed {
            template,
            body_hash,
        } = self
        else {
            return false;
        };
        let has_body = || *body_hash || template.covers(&Locator::BodySha256);
        match place {
            Locator::Joined(parts) => parts.iter().all(|part| self.covers(part, is_query)),
            Locator::Form(_) if is_query => self.names(place) || template.needs_url(),
            Locator::RequestSha256 => template.needs_url() && has_body(),
            place if is_in_body(place) || *place == Locator::BodySha256 => {
                *body_hash || template.covers(place)
            }
            place => template.covers(place),
        }
    }

    /// See [`Verified::admits_query`](crate::verified::Verified::admits_query).
    pub fn admits_query(&self) -> bool {
        match self {
            Self::Nothing => true,
            Self::Signed { template, .. } => template.covers_query(),
        }
    }
}

const fn is_in_body(place: &Locator) -> bool {
    matches!(place, Locator::Json(_) | Locator::Form(_))
}

/// What a template is filled from.
pub struct Scope<'a> {
    /// The request.
    pub received: &'a Received,
    /// The timestamp as it was sent.
    pub timestamp: Option<&'a str>,
    /// The URL as the sender knows it.
    pub url: Option<&'a str>,
    /// The source's `params`.
    pub params: &'a [(String, String)],
}

impl Signed {
    /// Whether the sender's URL has to be known.
    pub fn needs_url(&self) -> bool {
        self.0.iter().any(Piece::is_url)
    }

    /// Whether each byte of the body counts.
    pub fn covers_body(&self) -> bool {
        let whole = |piece: &Piece| matches!(piece, Piece::Body | Piece::BodyCrc32);
        self.0.iter().any(whole)
    }

    /// Whether a timestamp is part of it.
    pub fn covers_timestamp(&self) -> bool {
        self.0.contains(&Piece::Timestamp)
    }

    /// Whether what stands at `place` is part of it.
    pub fn covers(&self, place: &Locator) -> bool {
        self.0.iter().any(|piece| match piece {
            Piece::At(signed) => signed == place,
            Piece::Body => is_in_body(place) || *place == Locator::BodySha256,
            // Not the body's hash: the same fields can be written in other bytes.
            Piece::FormSorted => is_in_body(place),
            Piece::Url | Piece::UrlHubspot => matches!(place, Locator::Query(_)),
            Piece::Sns => matches!(place, Locator::Json(path) if sns::signs(path)),
            _ => false,
        })
    }

    /// Whether the query, of which a GET's event is made, is part of it.
    pub fn covers_query(&self) -> bool {
        let query = |place: &Locator| matches!(place, Locator::Query(_) | Locator::Form(_));
        self.needs_url()
            || self
                .0
                .iter()
                .any(|piece| matches!(piece, Piece::At(place) if query(place)))
    }

    /// Whether it is the same for every request.
    pub fn is_constant(&self) -> bool {
        let fixed =
            |piece: &Piece| matches!(piece, Piece::Text(_) | Piece::Param(_) | Piece::Method);
        self.0.iter().all(fixed)
    }

    /// The places whose values are signed by themselves.
    pub fn places(&self) -> impl Iterator<Item = &Locator> {
        self.0.iter().filter_map(|piece| match piece {
            Piece::At(place) => Some(place),
            _ => None,
        })
    }

    /// The parameters that a source has to give.
    pub fn params(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|piece| match piece {
            Piece::Param(name) => Some(name.as_str()),
            Piece::Sns => Some(sns::TOPICS),
            _ => None,
        })
    }

    /// The bytes.
    ///
    /// # Errors
    /// Why a hole cannot be filled.
    pub fn render<'a>(&'a self, scope: &Scope<'a>) -> Result<Rendered<'a>, &'static str> {
        let parts = self.0.iter().map(|piece| piece.render(scope));
        parts.collect::<Result<_, _>>().map(Rendered)
    }

    /// The same request's bytes with the URL in another spelling: nothing else is read again.
    ///
    /// # Errors
    /// Why the URL's hole cannot be filled.
    pub fn render_url<'a>(
        &'a self,
        rendered: &mut Rendered<'a>,
        scope: &Scope<'a>,
    ) -> Result<(), &'static str> {
        for (part, piece) in rendered.0.iter_mut().zip(&self.0) {
            if piece.is_url() {
                *part = piece.render(scope)?;
            }
        }
        Ok(())
    }
}

impl Piece {
    const fn is_url(&self) -> bool {
        matches!(self, Self::Url | Self::UrlHubspot)
    }

    fn render<'a>(&'a self, scope: &Scope<'a>) -> Result<Cow<'a, [u8]>, &'static str> {
        let received = scope.received;
        let owned = |text: String| Cow::Owned(text.into_bytes());
        Ok(match self {
            Self::Text(text) => Cow::Borrowed(text.as_bytes()),
            Self::Body => Cow::Borrowed(&received.body),
            Self::Timestamp => Cow::Borrowed(scope.timestamp.ok_or(MISSING)?.as_bytes()),
            Self::Method => Cow::Borrowed(received.method.as_str().as_bytes()),
            Self::Url => Cow::Borrowed(scope.url.ok_or(MISSING)?.as_bytes()),
            Self::At(place) => owned(place.find(received).one().ok_or(MISSING)?),
            Self::Param(name) => Cow::Borrowed(scope.param(name)?.as_bytes()),
            Self::BodyCrc32 => owned(crc32fast::hash(&received.body).to_string()),
            Self::FormSorted => Cow::Owned(twilio::sorted_form(received).ok_or(MISSING)?),
            Self::UrlHubspot => owned(hubspot::decoded(scope.url.ok_or(MISSING)?)),
            Self::Sns => owned(sns::canonical(received, scope.param(sns::TOPICS)?)?),
        })
    }
}

/// Signed bytes, in parts: what the request has is borrowed, a long body above all.
pub struct Rendered<'a>(Vec<Cow<'a, [u8]>>);

impl Rendered<'_> {
    /// One after the other they are the signed bytes.
    pub fn parts(&self) -> impl Iterator<Item = &[u8]> {
        self.0.iter().map(|part| &**part)
    }

    /// In one piece: a copy, unless there is one part only.
    pub fn whole(&self) -> Cow<'_, [u8]> {
        match self.0.as_slice() {
            [only] => Cow::Borrowed(only),
            parts => Cow::Owned(parts.concat()),
        }
    }
}

impl<'a> Scope<'a> {
    fn param(&self, name: &str) -> Result<&'a str, &'static str> {
        let param = self.params.iter().find(|(key, _)| key == name);
        param.map(|(_, value)| value.as_str()).ok_or(MISSING)
    }
}

impl Default for Signed {
    fn default() -> Self {
        Self(vec![Piece::Body])
    }
}

impl TryFrom<String> for Signed {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        pieces(&text, VOCABULARY, Piece::Text, hole).map(Self)
    }
}

fn hole(name: &str) -> Option<Piece> {
    Some(match name {
        "body" => Piece::Body,
        "ts" => Piece::Timestamp,
        "method" => Piece::Method,
        "url" => Piece::Url,
        "body-crc32" => Piece::BodyCrc32,
        "form-sorted" => Piece::FormSorted,
        "url-hubspot" => Piece::UrlHubspot,
        "sns" => Piece::Sns,
        _ => match name.split_once(':')? {
            ("param", name) => Piece::Param(name.to_owned()),
            (kind @ ("header" | "json" | "form" | "query"), name) => {
                Piece::At(Locator::try_from(format!("{kind} {name}")).ok()?)
            }
            _ => return None,
        },
    })
}

const MISSING: &str = "a signed part of the request is missing";
const VOCABULARY: &str = "body, ts, method, url, header:NAME, json:PATH, form:NAME, query:NAME, param:NAME, body-crc32, form-sorted, url-hubspot, sns";

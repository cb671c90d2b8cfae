//! The token that a caller of an operator's listener shows.

use http::HeaderMap;
use http::header::AUTHORIZATION;

/// Why there is none to look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoToken {
    /// There is no Authorization header.
    Missing,
    /// There is more than one.
    Several,
    /// It is not `Bearer`, a space and a token.
    Malformed,
}

/// What stands after `Bearer` in the one Authorization header.
///
/// # Errors
/// See [`NoToken`].
pub fn bearer(headers: &HeaderMap) -> Result<&[u8], NoToken> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = match (values.next(), values.next()) {
        (None, _) => return Err(NoToken::Missing),
        (Some(_), Some(_)) => return Err(NoToken::Several),
        (Some(value), None) => value.as_bytes(),
    };
    let parts = value
        .split_at_checked("bearer ".len())
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case(b"bearer "));
    let token = parts.map(|(_, token)| token.trim_ascii());
    token
        .filter(|token| !token.is_empty())
        .ok_or(NoToken::Malformed)
}

//! Secrets as settings name them: `env:NAME`, `file:PATH`, or in the file itself.

use std::fmt;
use std::path::PathBuf;

use serde::Deserialize;
use webhook_core::secret::Secret;

use super::Environment;

/// A secret: `env:NAME`, `file:PATH`, or the text itself.
#[derive(Debug, Clone, Deserialize)]
#[serde(from = "String")]
pub enum SecretRef {
    /// An environment variable.
    Env(String),
    /// A file; one trailing newline is not part of the secret.
    File(PathBuf),
    /// The secret itself: works, with a warning.
    Literal(Option<Secret>),
}

impl From<String> for SecretRef {
    fn from(text: String) -> Self {
        match text.split_once(':') {
            Some(("env", name)) => Self::Env(name.to_owned()),
            Some(("file", path)) => Self::File(path.into()),
            _ => Self::Literal(Secret::new(text.into_bytes())),
        }
    }
}

/// The secret itself.
///
/// # Errors
/// A variable that is not set, a file that cannot be read, nothing in it.
pub fn resolve(reference: &SecretRef, environment: &dyn Environment) -> Result<Secret, String> {
    match reference {
        // Not repeated: it may be the secret itself.
        SecretRef::Env(name) if !is_variable(name) => Err(
            "no variable has such a name: expected one such as \"env:WEBHOOK_SECRET\"".to_owned(),
        ),
        SecretRef::Env(name) => environment
            .var(name)
            .ok_or_else(|| format!("{name} is not set"))
            .and_then(|text| Secret::new(text).ok_or_else(|| format!("{name} is empty"))),
        // Not repeated: it may be a secret all the same.
        SecretRef::Literal(Some(secret))
            if looks_meant(secret.reveal()) || names_a_variable(secret.reveal(), environment) =>
        {
            Err("no secret, it seems: expected \"env:NAME\" or \"file:PATH\"".to_owned())
        }
        SecretRef::Literal(secret) => secret
            .clone()
            .ok_or_else(|| "empty: expected \"env:NAME\" or \"file:PATH\"".to_owned()),
        SecretRef::File(path) => {
            let shown = path.display();
            let mut bytes = environment
                .read(path)
                .map_err(|error| format!("{shown}: {error}"))?;
            if bytes.last() == Some(&b'\n') {
                bytes.pop();
            }
            Secret::new(bytes).ok_or_else(|| format!("{shown}: the file is empty"))
        }
    }
}

/// What callers have to show in a header, named by a flag: never the text itself.
///
/// # Errors
/// Those of [`header_token`], and a literal.
pub fn token_of_flag(text: &str, environment: &dyn Environment) -> Result<Secret, String> {
    let reference = SecretRef::from(text.to_owned());
    if matches!(reference, SecretRef::Literal(_)) {
        return Err("expected \"env:NAME\" or \"file:PATH\": a token that stands in a command line is no secret".to_owned());
    }
    header_token(&reference, environment)
}

/// What callers have to show in a header.
///
/// # Errors
/// Those of [`resolve`], and a text that no header can carry.
pub fn header_token(
    reference: &SecretRef,
    environment: &dyn Environment,
) -> Result<Secret, String> {
    let token = resolve(reference, environment)?;
    let fits = token.reveal().iter().all(u8::is_ascii_graphic);
    fits.then_some(token).ok_or_else(|| {
        format!("{reference}: a token is printable ASCII without spaces, or no header can carry it")
    })
}

/// `ENV:NAME`, `flie:PATH`, `$NAME`: not what was meant.
fn looks_meant(text: &[u8]) -> bool {
    let Ok(text) = str::from_utf8(text) else {
        return false;
    };
    if let Some(name) = text.strip_prefix('$') {
        return is_variable(name.trim_matches(['{', '}']));
    }
    let Some((prefix, _)) = text.split_once(':') else {
        return false;
    };
    let mut letters: Vec<_> = prefix.trim().to_ascii_lowercase().into_bytes();
    letters.sort_unstable();
    [&b"env"[..], b"efil"].contains(&&*letters)
}

/// `WEBHOOK_SECRET`, without the `env:`.
fn names_a_variable(text: &[u8], environment: &dyn Environment) -> bool {
    let name = str::from_utf8(text).ok().filter(|name| is_variable(name));
    name.is_some_and(|name| environment.var(name).is_some())
}

fn is_variable(name: &str) -> bool {
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    name.bytes().all(word) && name.bytes().next().is_some_and(|b| !b.is_ascii_digit())
}

impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "env:{name}"),
            Self::File(path) => write!(f, "file:{}", path.display()),
            Self::Literal(_) => f.write_str("literal"),
        }
    }
}

//! Secrets that work, but are probably not what was meant, or easy to guess. None of them is said.

use webhook_core::secret::Secret;
use webhook_core::source::Verification;
use webhook_core::verify::key::Key;

use super::Mistake;

/// What is odd about the secrets of a source that are shared with its sender.
pub(super) fn doubts(
    verification: &Verification,
    token: Option<&Secret>,
    token_place: &str,
) -> Vec<Mistake> {
    let mut doubts = Vec::new();
    if let Verification::Signature { verifiers, secrets } = verification {
        for (index, named) in secrets.iter().enumerate() {
            let keys = verifiers.iter().flat_map(|verifier| &verifier.keys);
            let shared = keys.filter_map(|(of, key)| match key {
                Key::Shared(key) if *of == index => Some(key.reveal().len()),
                _ => None,
            });
            // Of several readings of a text the longest: one of them is an accident.
            let Some(length) = shared.max() else { continue };
            let problems = problems(&named.secret, length).into_iter();
            doubts.extend(
                problems.map(|problem| {
                    Mistake::new(&named.place, format!("{}: {problem}", named.name))
                }),
            );
        }
    }
    if let Some(token) = token {
        let is_all = matches!(verification, Verification::AddressHandshake { .. });
        let length = if is_all { token.reveal().len() } else { ENOUGH };
        let problems = problems(token, length).into_iter();
        doubts.extend(problems.map(|problem| Mistake::new(token_place, problem)));
    }
    doubts
}

/// What is odd about a token that callers show.
pub(super) fn token(token: &Secret) -> Option<&'static str> {
    (token.reveal().len() < ENOUGH).then_some(SHORT)
}

/// `length`: bytes of the key that the text stands for.
fn problems(secret: &Secret, length: usize) -> Vec<&'static str> {
    let bytes = secret.reveal();
    let mut problems = Vec::new();
    let ends = [bytes.first(), bytes.last()];
    if ends.iter().flatten().any(|byte| byte.is_ascii_whitespace()) {
        problems.push(SPACE);
    }
    if bytes.starts_with(BYTE_ORDER_MARK) {
        problems.push(MARK);
    }
    if length < ENOUGH {
        problems.push(SHORT);
    }
    problems
}

/// Bytes that nobody guesses.
const ENOUGH: usize = 16;
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
const SPACE: &str = "white space or a newline at an end, which is part of the secret: if the sender's has none, nothing verifies";
const MARK: &str = "a byte-order mark at its beginning, which is part of the secret: if the sender's has none, nothing verifies";
const SHORT: &str =
    "under 16 bytes, which can be found by trying: expected a longer one, made at random";

//! What a text becomes in an id or a name: printable ASCII, not too long, and no two texts alike.

use std::fmt::Write as _;

use aws_lc_rs::digest;

/// What a hole of a name may hold as it is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Escaping {
    /// Everything but a `%` that would be read as an escape: no two texts are written alike.
    Inner,
    /// No `:` either: it begins an id.
    Leading,
    /// Everything: it begins the id of a workflow that is there.
    Verbatim,
}

/// As Temporal's names and everybody's tools take it: `St%C3%B6rung`.
pub(super) fn push_escaped(out: &mut String, text: &str, escaping: Escaping) {
    let bytes = text.as_bytes();
    for (index, &byte) in bytes.iter().enumerate() {
        let is_escape = || {
            let digits = bytes.get(index + 1..=index + 2);
            digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
        };
        match byte {
            b':' if escaping == Escaping::Leading => out.push_str(COLON),
            b'%' if escaping != Escaping::Verbatim && is_escape() => out.push_str(PERCENT),
            b' '..=b'~' => out.push(char::from(byte)),
            _ => write!(out, "%{byte:02X}").expect("a string takes everything"),
        }
    }
}

/// An id that would begin as a dead letter's does, `dead-letter:`, has the colon as `%3A`.
pub(super) fn escape_dead_letter_prefix(id: &mut String) {
    let end = DEAD_LETTER.len();
    if id
        .strip_prefix(DEAD_LETTER)
        .is_some_and(|rest| rest.starts_with(':'))
    {
        id.replace_range(end..=end, COLON);
    }
}

/// Its beginning, `~` and a hash of the whole, if it is longer than `max` bytes: the same for the same
/// text, another one for every other.
pub(super) fn shortened(text: String, max: usize) -> String {
    if text.len() <= max {
        return text;
    }
    let hash = hex::encode(digest::digest(&digest::SHA256, text.as_bytes()));
    let mut end = max - 1 - HASH;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}~{}", &text[..end], &hash[..HASH])
}

/// What the ids of all dead letters begin with, and no source's name.
pub const DEAD_LETTER: &str = "dead-letter";
/// Hex digits of the SHA-256 in a shortened name.
const HASH: usize = 32;
const COLON: &str = "%3A";
const PERCENT: &str = "%25";

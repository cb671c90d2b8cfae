//! A caller's words in a log line: nothing that a terminal or a reader of lines obeys, and of what is
//! not proven nothing but printable ASCII, and not too much of it.

use std::borrow::Cow;
use std::fmt::Write;

/// What is no printable ASCII is percent-encoded, what is over 200 characters is cut.
pub fn shown(text: impl AsRef<[u8]>) -> String {
    let mut shown = String::new();
    for &byte in text.as_ref() {
        if shown.len() > LONGEST {
            break;
        }
        if (b' '..=b'~').contains(&byte) {
            shown.push(char::from(byte));
        } else {
            // Writing into a string does not fail.
            let _ = write!(shown, "%{byte:02X}");
        }
    }
    if shown.len() > LONGEST {
        shown.truncate(LONGEST - CUT.len());
        shown.push_str(CUT);
    }
    shown
}

/// A proven sender's words: letters of every language stay, control and format characters, odd spaces
/// and line separators are percent-encoded.
pub fn readable(text: &str) -> Cow<'_, str> {
    if text.chars().all(is_readable) {
        return Cow::Borrowed(text);
    }
    let mut readable = String::new();
    for character in text.chars() {
        if is_readable(character) {
            readable.push(character);
            continue;
        }
        for byte in character.encode_utf8(&mut [0; 4]).bytes() {
            // Writing into a string does not fail.
            let _ = write!(readable, "%{byte:02X}");
        }
    }
    Cow::Owned(readable)
}

/// What Rust prints as it is behind a letter: accents of their own too, which it escapes elsewhere.
fn is_readable(character: char) -> bool {
    if (' '..='~').contains(&character) {
        return true;
    }
    let mut text = [0; 5];
    text[0] = b'a';
    let length = 1 + character.encode_utf8(&mut text[1..]).len();
    let text = str::from_utf8(&text[..length]).unwrap_or_default();
    text.escape_debug().count() == 2
}

const LONGEST: usize = 200;
const CUT: &str = "...";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_proven_senders_words_only_letters_and_signs_stay() {
        for plain in [
            "",
            "orders/create",
            "St\u{f6}rung, caf\u{e9}; \"a\" 'b' \\ %",
            "e\u{301}",
            "\u{6ce8}\u{6587}",
            "\u{1f600}",
            "\u{627}\u{644}\u{639}",
        ] {
            assert_eq!(readable(plain), plain);
        }
        for (odd, expected) in [
            ("a\nb\tc\u{7f}", "a%0Ab%09c%7F"),
            ("\u{f6}\u{85}\u{9b}31m", "\u{f6}%C2%85%C2%9B31m"),
            ("\u{2028}\u{2029}", "%E2%80%A8%E2%80%A9"),
            ("a\u{202e}b\u{2066}", "a%E2%80%AEb%E2%81%A6"),
            (
                "\u{200b}\u{feff}\u{a0}\u{ad}",
                "%E2%80%8B%EF%BB%BF%C2%A0%C2%AD",
            ),
            ("\u{e0041}\u{fff9}", "%F3%A0%81%81%EF%BF%B9"),
        ] {
            assert_eq!(readable(odd), expected);
        }
    }

    #[test]
    fn a_callers_words_are_printable_and_short() {
        assert_eq!(shown("/a b?c"), "/a b?c");
        assert_eq!(shown("St\u{f6}rung\n\u{1b}[31m"), "St%C3%B6rung%0A%1B[31m");
        assert_eq!(shown(b"\xff"), "%FF");
        assert_eq!(shown("x".repeat(200)), "x".repeat(200));
        for long in ["x".repeat(201), "\n".repeat(5000), "\u{202e}".repeat(70)] {
            let shown = shown(long);
            assert!(shown.len() <= 200 && shown.ends_with("..."), "{shown}");
        }
    }
}

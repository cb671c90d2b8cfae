//! A caller's words in a log line: nothing but printable ASCII, and not too much of it.

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

const LONGEST: usize = 200;
const CUT: &str = "...";

#[cfg(test)]
mod tests {
    use super::*;

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

//! Where a value of JSON ends, by RFC 8259. No value is made, and nothing recurses: a third of what a general
//! reader costs that is told to ignore what it reads, and the body of each event is read so.

/// Behind the value that begins at `at`; `None`: it is not well-formed.
pub(super) fn value(text: &[u8], mut at: usize) -> Option<usize> {
    // What closes those objects and arrays that are open.
    let mut open = Vec::new();
    loop {
        match *text.get(at)? {
            b'"' => at = string(text, at)?,
            b'-' | b'0'..=b'9' => at = number(text, at)?,
            b'{' => {
                at = space(text, at + 1);
                if text.get(at) != Some(&b'}') {
                    open.push(b'}');
                    at = name(text, at)?;
                    continue;
                }
                at += 1;
            }
            b'[' => {
                at = space(text, at + 1);
                if text.get(at) != Some(&b']') {
                    open.push(b']');
                    continue;
                }
                at += 1;
            }
            b't' => at = literal(text, at, b"true")?,
            b'f' => at = literal(text, at, b"false")?,
            b'n' => at = literal(text, at, b"null")?,
            _ => return None,
        }
        loop {
            let Some(&closing) = open.last() else {
                return Some(at);
            };
            at = space(text, at);
            let next = *text.get(at)?;
            at += 1;
            if next == b',' {
                at = space(text, at);
                if closing == b'}' {
                    at = name(text, at)?;
                }
                break;
            }
            if next != closing {
                return None;
            }
            open.pop();
        }
    }
}

/// Behind a member's name and its colon: where its value begins.
fn name(text: &[u8], at: usize) -> Option<usize> {
    colon(text, string(text, at)?)
}

/// Behind the colon between a name and its value, and the white space around it.
pub(super) fn colon(text: &[u8], at: usize) -> Option<usize> {
    let at = space(text, at);
    (text.get(at) == Some(&b':')).then(|| space(text, at + 1))
}

/// Behind the white space.
pub(super) fn space(text: &[u8], mut at: usize) -> usize {
    while let Some(b' ' | b'\n' | b'\t' | b'\r') = text.get(at) {
        at += 1;
    }
    at
}

/// Behind the string. Which characters its escapes stand for is for whoever decodes it.
pub(super) fn string(text: &[u8], at: usize) -> Option<usize> {
    if text.get(at) != Some(&b'"') {
        return None;
    }
    let mut at = at + 1;
    loop {
        while let Some(eight) = text.get(at..).and_then(<[u8]>::first_chunk) {
            let plain = plain(u64::from_le_bytes(*eight));
            at += plain;
            if plain < 8 {
                break;
            }
        }
        match *text.get(at)? {
            b'"' => return Some(at + 1),
            b'\\' => at = escape(text, at)?,
            ..=0x1f => return None,
            _ => at += 1,
        }
    }
}

/// How many of eight bytes, the first in the lowest bits, come before a quote, a backslash or a control
/// character.
const fn plain(eight: u64) -> usize {
    const ONES: u64 = u64::MAX / 0xff;
    const HIGH: u64 = ONES << 7;
    // Has the high bit of the first byte that is below `limit`; a borrow may set others behind it.
    const fn below(bytes: u64, limit: u64) -> u64 {
        bytes.wrapping_sub(ONES * limit) & !bytes & HIGH
    }
    let quote = below(eight ^ (ONES * b'"' as u64), 1);
    let backslash = below(eight ^ (ONES * b'\\' as u64), 1);
    let found = quote | backslash | below(eight, 0x20);
    (found.trailing_zeros() / 8) as usize
}

fn escape(text: &[u8], at: usize) -> Option<usize> {
    match *text.get(at + 1)? {
        b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Some(at + 2),
        b'u' => {
            let digits = text.get(at + 2..at + 6)?;
            digits.iter().all(u8::is_ascii_hexdigit).then_some(at + 6)
        }
        _ => None,
    }
}

fn number(text: &[u8], at: usize) -> Option<usize> {
    let at = at + usize::from(text[at] == b'-');
    let mut at = match *text.get(at)? {
        b'0' => at + 1,
        _ => digits(text, at)?,
    };
    if text.get(at) == Some(&b'.') {
        at = digits(text, at + 1)?;
    }
    if let Some(b'e' | b'E') = text.get(at) {
        let is_signed = matches!(text.get(at + 1), Some(b'+' | b'-'));
        at = digits(text, at + 1 + usize::from(is_signed))?;
    }
    Some(at)
}

/// Behind at least one digit.
fn digits(text: &[u8], at: usize) -> Option<usize> {
    let rest = text.get(at..)?;
    let count = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    (count > 0).then_some(at + count)
}

fn literal(text: &[u8], at: usize, word: &[u8]) -> Option<usize> {
    let is_there = text[at..].starts_with(word);
    is_there.then_some(at + word.len())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::value::RawValue;

    use super::super::{Node, well_formed};

    /// Pieces that JSON is made of, and some that it is not.
    const PIECES: [&str; 40] = [
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"",
        "\\",
        "\\\"",
        "\\u",
        "00e9",
        "\\ud83d",
        "\\n",
        "\\x",
        "\"a\"",
        "\"name\":",
        "\"ninechars\"",
        "\u{e9}",
        "\u{1f600}",
        "\u{1f}",
        "\u{7f}",
        " ",
        "\t",
        "\r\n",
        "\u{a0}",
        "\u{feff}",
        "0",
        "12",
        "-",
        "+",
        ".",
        "e",
        "E",
        "1.5e-7",
        "01",
        "true",
        "false",
        "null",
        "nul",
        "{\"a\":[1,{}],\"b\":\"c\"}",
    ];

    fn check(text: &str) {
        let general = serde_json::from_str::<&RawValue>(text);
        let expected = general.as_ref().ok().map(|value| value.get());
        assert_eq!(well_formed(text), expected, "{text:?}");
        let node = Node::parse(text).map(|node| node.text().to_owned());
        assert_eq!(node.as_deref(), expected, "{text:?}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]

        #[test]
        fn it_takes_what_a_general_reader_takes(pieces in prop::collection::vec(prop::sample::select(&PIECES[..]), 0..14)) {
            check(&pieces.concat());
        }

        #[test]
        fn and_so_after_a_change_of_one_place(at in 0usize..400, piece in prop::sample::select(&PIECES[..]), cut in 0usize..3) {
            let whole = r##"{"id":820982911946154508,"name":"#9999 \"é\" 😀\u00e9","total":-0.50e+3,"items":[{"a":[],"b":{}},[[],[1,2 , 3]],null],"t" : true , "f":false,"long":"no escapes in this one, but many characters","":""}"##;
            let start = (0..=at.min(whole.len())).rev().find(|at| whole.is_char_boundary(*at)).unwrap_or(0);
            let end = (start + cut..=whole.len()).find(|at| whole.is_char_boundary(*at)).unwrap_or(whole.len());
            check(whole);
            check(&[&whole[..start], piece, &whole[end..]].concat());
        }

        #[test]
        fn strings_end_where_they_end_however_long_they_are(before in "[a-z]{0,20}", odd in any::<char>(), after in "[a-z]{0,20}") {
            check(&format!("\"{before}{odd}{after}\""));
            check(&format!("[\"{before}{odd}\", \"{after}\"]"));
        }
    }
}

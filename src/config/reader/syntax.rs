//! What is wrong with a text that is no TOML, as an operator would want to hear it. Never with the
//! text itself: a secret may stand in the line.

use std::ops::Range;

/// Something in the file that TOML's grammar does not take.
pub(super) struct Fault {
    /// Where, in bytes.
    pub(super) at: usize,
    /// The key whose value it is, if that can be told.
    pub(super) key: String,
    /// What is wrong, and what would be accepted.
    pub(super) problem: String,
}

/// What the parser found, in the file's order. Of a line with a text without quotes that is all
/// that is said: what else the parser says of it comes from there.
pub(super) fn faults(text: &str, errors: &[(Range<usize>, &str)]) -> Vec<Fault> {
    let mut found: Vec<_> = (errors.iter())
        .map(|(span, message)| fault(text, span.clone(), message))
        .collect();
    let line = |fault: &Fault| line_of(text, fault.at).start;
    let ours = found.iter().filter(|fault| is_ours(&fault.problem));
    let explained: Vec<_> = ours.map(line).collect();
    found.retain(|fault| is_ours(&fault.problem) || !explained.contains(&line(fault)));
    found.dedup_by(|one, other| {
        (line(one), &one.key, &one.problem) == (line(other), &other.key, &other.problem)
    });
    found
}

fn fault(text: &str, span: Range<usize>, message: &str) -> Fault {
    let said = |key: &str, problem: &str| Fault {
        at: span.start,
        key: key.to_owned(),
        problem: problem.to_owned(),
    };
    if message == "duplicate key" {
        return said(text.get(span.clone()).unwrap_or_default(), message);
    }
    let line = line_of(text, span.start);
    let whole = &text[line.clone()];
    if whole.trim_end_matches('\r').contains(is_control) {
        return said(first_key(whole).0, CONTROL);
    }
    if message.starts_with("key with no value") {
        let (key, rest) = first_key(whole);
        let colon = rest.starts_with(':');
        return said(
            if colon { key } else { "" },
            if colon { COLON } else { message },
        );
    }
    let (key, rest) = first_key(whole);
    if rest.strip_prefix('=').is_some_and(is_bare_hole) {
        return said(key, QUOTES);
    }
    if !is_guess(message) {
        return said("", message);
    }
    let start = value_start(&text[line.start..span.start]) + line.start;
    let value = text[start..line.end].trim();
    let key = key_before(&text[line.start..start]);
    let problem = match value.chars().next() {
        None | Some('#') => NO_VALUE,
        Some('“' | '”' | '„' | '‘' | '’' | '«' | '»') => TYPOGRAPHIC,
        Some('"' | '\'') => message,
        _ if is_switch(value) => SWITCH,
        _ => QUOTES,
    };
    said(key, problem)
}

/// What the parser says when it takes the first letter of a text for something else.
fn is_guess(message: &str) -> bool {
    [
        "string values must be quoted",
        "invalid boolean",
        "invalid float",
        "invalid date",
    ]
    .iter()
    .any(|beginning| message.starts_with(beginning))
}

fn is_ours(problem: &str) -> bool {
    [NO_VALUE, TYPOGRAPHIC, SWITCH, QUOTES, COLON, CONTROL].contains(&problem)
}

/// The bytes of the line around `at`, its end apart.
fn line_of(text: &str, at: usize) -> Range<usize> {
    let at = at.min(text.len());
    let start = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
    let end = text[at..]
        .find('\n')
        .map_or(text.len(), |newline| at + newline);
    start..end
}

/// Where the value begins in whose midst the parser gave up: behind what divides values.
fn value_start(before: &str) -> usize {
    let divider = before.rfind(['=', '[', ',', '{']);
    let start = divider.map_or(0, |at| at + 1);
    start + before[start..].len() - before[start..].trim_start().len()
}

/// The last key before a value: `id` in `keys = [{ id = `, `secrets` in `secrets = [`.
fn key_before(text: &str) -> &str {
    let Some((before, _)) = text.rsplit_once('=') else {
        return "";
    };
    let key = before.trim_end();
    &key[key.trim_end_matches(is_key).len()..]
}

/// The key with which a line begins, and what comes after it.
fn first_key(line: &str) -> (&str, &str) {
    let line = line.trim_start();
    let rest = line.trim_start_matches(is_key);
    (&line[..line.len() - rest.len()], rest.trim_start())
}

/// `{event_id}` without quotes, which begins as a table does.
fn is_bare_hole(value: &str) -> bool {
    let inside = (value.trim_start().strip_prefix('{')).and_then(|rest| rest.split_once('}'));
    inside.is_some_and(|(inside, _)| !inside.trim().is_empty() && !inside.contains('='))
}

/// What TOML takes nowhere, not even in a text or a comment.
fn is_control(c: char) -> bool {
    c.is_ascii_control() && c != '\t'
}

fn is_key(c: char) -> bool {
    c.is_ascii_alphanumeric() || "_-.".contains(c)
}

fn is_switch(value: &str) -> bool {
    let end = value.find([',', ']', '}', '#']).unwrap_or(value.len());
    let word = value[..end].trim().to_ascii_lowercase();
    ["true", "false", "yes", "no", "on", "off"].contains(&word.as_str())
}

const QUOTES: &str = "quotes are missing: a text stands in quotes, also an address, a duration or a size: \"…\", or '…' around what has \" in it";
const NO_VALUE: &str = "nothing stands after =, expected a value";
const TYPOGRAPHIC: &str = "typographic quotes, expected \"…\" or '…'";
const SWITCH: &str = "expected true or false, in lower case and without quotes";
const CONTROL: &str =
    "a control character stands in this line, which a text has only as an escape: \"\\u001b\"";
const COLON: &str = "a colon after a key, expected =";

#[cfg(test)]
mod tests {
    use super::super::Reader;

    fn said(text: &str) -> Vec<String> {
        let mistakes = Reader::new("f", text).0.into_mistakes();
        mistakes.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn every_text_without_quotes_is_told_by_its_line_and_key_and_not_repeated() {
        for value in [
            "hush",
            "hush words",
            "4s",
            "2MiB",
            "env:HUSH",
            "file:/run/hush",
            "/temporal/hush",
            "0.0.0.0:5000",
            "1.2.3",
            "my-hush",
            "@hush",
            "~/hush",
            "$HUSH",
            "2026-hush",
            "{hush}x",
            "topic == \"hush\"",
            "trueish",
            "nothing",
            "tenant",
            "https://hush.example",
        ] {
            let said = said(&format!("[s]\nx = 1\nkey = {value} # a comment\ny = 2\n"));
            let [one] = said.as_slice() else {
                panic!("{value}: {said:?}")
            };
            assert!(
                one.starts_with("f:3 key: quotes are missing: "),
                "{value}: {one}"
            );
            assert!(!one.to_lowercase().contains("hush"), "{value}: {one}");
        }
    }

    #[test]
    fn in_lists_and_tables_too() {
        for (text, places) in [
            ("secrets = [hush]", &["f:1 secrets"][..]),
            ("secrets = [\"a\", hush]", &["f:1 secrets"]),
            ("secrets = [\n  env:A,\n  env:B\n]", &["f:2", "f:3"]),
            ("keys = [{ id = a, key = b }]", &["f:1 id", "f:1 key"]),
            ("a.b = hush", &["f:1 a.b"]),
        ] {
            let said = said(text);
            assert_eq!(said.len(), places.len(), "{text}: {said:?}");
            for (said, place) in said.iter().zip(places) {
                assert!(
                    said.starts_with(&format!("{place}: quotes are missing")),
                    "{said}"
                );
            }
        }
    }

    #[test]
    fn what_is_no_text_is_told_otherwise() {
        for (text, expected) in [
            ("listen =", "f:1 listen: nothing stands after ="),
            ("listen = # later", "f:1 listen: nothing stands after ="),
            ("on = True", "f:1 on: expected true or false"),
            ("on = [yes, true]", "f:1 on: expected true or false"),
            ("a = “b”", "f:1 a: typographic quotes"),
            ("a: \"b\"", "f:1 a: a colon after a key"),
            ("a = \"b", "f:1: invalid basic string"),
            ("a = \u{1}hush", "f:1 a: a control character"),
            ("a = \u{1b}[31m", "f:1 a: a control character"),
            ("a = \"b\u{0}c\"", "f:1 a: a control character"),
            ("a = 1 # \u{7f}", "f:1 a: a control character"),
            ("a = 1,000", "f:1: unexpected key or value"),
        ] {
            let said = said(text);
            assert_eq!(said.len(), 1, "{text}: {said:?}");
            assert!(said[0].starts_with(expected), "{text}: {said:?}");
        }
    }
}

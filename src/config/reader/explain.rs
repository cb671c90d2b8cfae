//! What serde says of a value, as an operator would want to hear it.

use webhook_core::similar::did_you_mean;

/// What serde says about a value, in an operator's words, and without the value: it may be a
/// secret in the wrong place.
pub fn explain(message: &str) -> String {
    if let Some((found, expected)) = message
        .strip_prefix("invalid type: ")
        .and_then(|rest| rest.rsplit_once(", expected "))
    {
        let found = found.split(['`', '"']).next().unwrap_or_default().trim();
        return format!("expected {}, found {}", word(expected), kind(found));
    }
    let unknown = |what: &str| {
        let (word, expected) = message
            .strip_prefix(what)
            .and_then(|rest| rest.split_once(", expected "))?;
        let known = expected.split('`').skip(1).step_by(2);
        Some((word, did_you_mean(word.trim_matches('`'), known), expected))
    };
    if let Some((field, meant, expected)) = unknown("unknown field ") {
        return format!("unknown key {field}{meant}, expected {expected}");
    }
    match unknown("unknown variant ") {
        Some((_, meant, expected)) => format!("unknown value{meant}, expected {expected}"),
        None if message == "wanted string or table" => "expected a text in quotes".to_owned(),
        None => message.to_owned(),
    }
}

fn word(expected: &str) -> &str {
    match expected {
        "a sequence" => "a list",
        "a map" => "a table",
        "a boolean" => "true or false",
        "a string" | "path string" => "a text in quotes",
        "i64" => "a whole number",
        "f64" => "a number",
        other if other.starts_with("struct ") => "a table",
        other => other,
    }
}

pub(super) fn kind(found: &str) -> &str {
    match found {
        "string" => "a text",
        "integer" => "a number",
        "float" | "floating point" => "a number with a point",
        "boolean" => "true or false",
        "array" | "sequence" => "a list",
        "map" => "a table",
        other => other,
    }
}

//! What serde says of a value, as an operator would want to hear it.

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
    match message
        .strip_prefix("unknown variant ")
        .and_then(|rest| rest.split_once(", expected "))
    {
        Some((_, expected)) => format!("unknown value, expected {expected}"),
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

//! Conditions in the language of Temporal's visibility queries.

use std::time::SystemTime;

/// A text in a query. Quotes and backslashes have no place in one: the server takes what stands there for
/// them, whatever the escape (seen on 1.29).
pub fn literal(text: &str) -> Option<String> {
    let is_plain = |c: char| !c.is_control() && !matches!(c, '"' | '\'' | '\\');
    text.chars().all(is_plain).then(|| format!("\"{text}\""))
}

/// `None`: no query can say it.
pub fn equals(name: &str, value: &str) -> Option<String> {
    Some(format!("{name} = {}", literal(value)?))
}

/// `None`: no query can say it.
pub fn starts_with(name: &str, prefix: &str) -> Option<String> {
    Some(format!("{name} STARTS_WITH {}", literal(prefix)?))
}

/// All of them.
pub fn and(conditions: &[&str]) -> String {
    let conditions = conditions.iter().filter(|condition| !condition.is_empty());
    conditions.copied().collect::<Vec<_>>().join(" AND ")
}

/// One of them, in parentheses.
pub fn or(conditions: &[String]) -> String {
    match conditions {
        [one] => one.clone(),
        several => format!("({})", several.join(" OR ")),
    }
}

/// The condition, and started from `from` to `to`, both included.
pub fn between(condition: &str, from: SystemTime, to: SystemTime) -> String {
    let [from, to] = [from, to].map(humantime::format_rfc3339_nanos);
    let time = format!("StartTime >= \"{from}\" AND StartTime <= \"{to}\"");
    and(&[condition, &time])
}

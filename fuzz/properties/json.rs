//! A path of keys; the rest is JSON, or is not: our reader says what a general one says.

use serde_json::Value;
use serde_json::value::RawValue;
use webhook_core::provider::locator::{Locator, Lookup};

use super::input::{lines, received};

/// Whether there was anything to hold.
pub(crate) fn holds(data: &[u8]) -> bool {
    let ([path], body) = lines(data);
    let Ok(place) = Locator::try_from(format!("json {path}")) else {
        return false;
    };
    let Locator::Json(keys) = &place else {
        return false;
    };
    let found = place.find(&received("", "application/json", body));
    let text = std::str::from_utf8(body).ok();
    let general = text.map(serde_json::from_str::<&RawValue>);
    let Some(Ok(_)) = general else {
        assert!(
            !matches!(found, Lookup::One(_)),
            "found in what is no JSON: {found:?}"
        );
        return false;
    };
    // It recurses, and has an end to that.
    let Ok(value) = serde_json::from_slice::<Value>(body) else {
        return false;
    };
    let Lookup::One(found) = found else {
        return false;
    };
    let mut at = &value;
    for key in keys {
        at = match at {
            Value::Array(items) => key.parse().ok().and_then(|index: usize| items.get(index)),
            other => other.get(key),
        }
        .unwrap_or_else(|| panic!("{found:?} is found, and there is nothing at {key:?}"));
    }
    match at {
        Value::String(text) => assert_eq!(*text, found),
        Value::Bool(value) => assert_eq!(value.to_string(), found),
        Value::Number(_) => assert!(found.parse::<f64>().is_ok(), "{found:?}"),
        other => panic!("{found:?} is found where {other} is"),
    }
    true
}

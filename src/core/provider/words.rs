//! How durations, sizes, methods and statuses are written in files.

use std::time::Duration;

use http::{Method, StatusCode};
use serde::Deserialize;

/// `"4s"`, `"2h 30m"`.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(try_from = "String")]
pub struct Span(pub Duration);

impl TryFrom<String> for Span {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        humantime::parse_duration(&text)
            .map(Self)
            .map_err(|_| format!("{text:?} is no duration such as \"4s\""))
    }
}

/// `"512KiB"`, `"2MiB"`, `"1000"`: bytes.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(try_from = "String")]
pub struct Size(pub usize);

impl TryFrom<String> for Size {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let end = text
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(text.len());
        let (digits, unit) = text.split_at(end);
        let factor = match unit.trim() {
            "" | "B" => Some(1),
            "KiB" => Some(1 << 10),
            "MiB" => Some(1 << 20),
            _ => None,
        };
        factor
            .zip(digits.parse::<usize>().ok())
            .and_then(|(factor, digits)| digits.checked_mul(factor))
            .map(Self)
            .ok_or_else(|| format!("{text:?} is no size such as \"512KiB\" or \"2MiB\""))
    }
}

/// `["GET", "POST"]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "Vec<String>")]
pub struct Methods(pub Vec<Method>);

impl TryFrom<Vec<String>> for Methods {
    type Error = String;

    fn try_from(names: Vec<String>) -> Result<Self, String> {
        let methods = names.iter().map(|name| match name.as_str() {
            "GET" => Ok(Method::GET),
            "POST" => Ok(Method::POST),
            "PUT" => Ok(Method::PUT),
            other => Err(format!("{other:?}: expected \"GET\", \"POST\" or \"PUT\"")),
        });
        let methods = methods.collect::<Result<Vec<_>, _>>()?;
        if methods.is_empty() {
            return Err("expected at least one method".to_owned());
        }
        Ok(Self(methods))
    }
}

/// `200` to `299`.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(try_from = "u16")]
pub struct Success(pub StatusCode);

impl TryFrom<u16> for Success {
    type Error = String;

    fn try_from(number: u16) -> Result<Self, String> {
        StatusCode::from_u16(number)
            .ok()
            .filter(StatusCode::is_success)
            .map(Self)
            .ok_or_else(|| format!("{number}: expected 200 to 299"))
    }
}

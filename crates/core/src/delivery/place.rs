//! Puts a value into a request that is being written, where a place says.

use form_urlencoded::Serializer;
use http::Method;
use serde_json::{Map, Value};

use super::Delivery;
use crate::provider::locator::{Locator, Lookup};
use crate::request::FORM;

impl Delivery {
    /// Puts the value into the first place that has one, or else into the first of all. What has it
    /// already, as an id may with other text around it, and what is made of the request (a hash)
    /// stays as it is.
    pub(super) fn put_first(&mut self, places: &[Locator], value: &str, is_id: bool) {
        let received = self.received(std::time::SystemTime::UNIX_EPOCH);
        let found = places.iter().map(|place| (place, place.find(&received)));
        let target = found
            .into_iter()
            .find(|(_, found)| *found != Lookup::Missing);
        match target {
            Some((_, Lookup::One(text))) if text == value || is_id && text.contains(value) => {}
            Some((place, _)) => self.put(place, value),
            None => places
                .iter()
                .take(1)
                .for_each(|place| self.put(place, value)),
        }
    }

    /// Puts the value there.
    pub(super) fn put(&mut self, place: &Locator, value: &str) {
        let is_get = self.method == Method::GET;
        match place {
            Locator::Header(name) => self.set(name.as_str(), value),
            Locator::Query(name) => self.put_into_query(name, value),
            Locator::Form(name) if is_get => self.put_into_query(name, value),
            Locator::Form(name) if self.is_form() => {
                let body = String::from_utf8_lossy(&self.body);
                self.body = with_field(&body, name, value).into_bytes();
            }
            Locator::Json(path) => {
                if let Ok(mut json) = serde_json::from_slice(&self.body) {
                    set(&mut json, path, value);
                    self.body = json.to_string().into_bytes();
                }
            }
            Locator::Joined(parts) => parts.iter().take(1).for_each(|part| self.put(part, value)),
            _ => {}
        }
    }

    fn put_into_query(&mut self, name: &str, value: &str) {
        let query = self.query.as_deref().unwrap_or_default();
        self.query = Some(with_field(query, name, value));
    }

    fn is_form(&self) -> bool {
        let mut headers = self.headers.iter();
        headers.any(|(name, value)| name == "content-type" && value.starts_with(FORM))
    }
}

/// The fields with this one in place of an equally named one, or behind them.
fn with_field(fields: &str, name: &str, value: &str) -> String {
    let mut out = Serializer::new(String::new());
    let mut is_there = false;
    for (key, old) in form_urlencoded::parse(fields.as_bytes()) {
        let replace = key == name;
        is_there |= replace;
        out.append_pair(&key, if replace { value } else { &old });
    }
    if !is_there {
        out.append_pair(name, value);
    }
    out.finish()
}

/// A number stays one, if the value is one.
fn set(json: &mut Value, path: &[String], value: &str) {
    let Some((first, rest)) = path.split_first() else {
        *json = match value.parse::<u64>() {
            Ok(number) if json.is_number() => number.into(),
            _ => value.into(),
        };
        return;
    };
    let inner = match (json, first.parse::<usize>()) {
        (Value::Array(items), Ok(index)) => items.get_mut(index),
        (json, _) => {
            if !json.is_object() {
                *json = Map::new().into();
            }
            let map = json.as_object_mut();
            map.map(|map| map.entry(first).or_insert(Value::Null))
        }
    };
    if let Some(inner) = inner {
        set(inner, rest, value);
    }
}

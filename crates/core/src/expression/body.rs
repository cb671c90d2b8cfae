//! A JSON body as a CEL value, its texts borrowed from the body.

use std::cell::Cell;
use std::collections::HashMap;
use std::fmt;

use cel::common::types::{
    CelBool, CelDouble, CelInt, CelList, CelMap, CelMapKey, CelNull, CelString, CelUInt,
};
use cel::common::value::Val;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// Reads a body. Whole numbers that no 64 bits hold, and everything with a point or an exponent,
/// become doubles.
///
/// # Errors
/// More values than an expression may look at, or nested too deeply.
pub fn read(json: &[u8]) -> Result<Box<dyn Val + '_>, String> {
    let left = Cell::new(MAX_VALUES);
    let mut reader = serde_json::Deserializer::from_slice(json);
    let mut value = Seed(&left).deserialize(&mut reader);
    if value
        .as_ref()
        .is_err_and(|error| mentions(error, "hex escape"))
    {
        left.set(MAX_VALUES);
        let whole = without_halves(json);
        value = Seed(&left).deserialize(&mut serde_json::Deserializer::from_reader(&*whole));
    }
    value.map_err(|error| {
        if left.get() == 0 {
            format!("the body has more than {MAX_VALUES} values: too many for an expression")
        } else if mentions(&error, "recursion") {
            "the body is nested too deeply for an expression".to_owned()
        } else {
            "the body has a number that is too large for an expression".to_owned()
        }
    })
}

fn mentions(error: &serde_json::Error, word: &str) -> bool {
    error.to_string().contains(word)
}

/// Half a surrogate pair, as a sender makes it that cuts a text in an emoji, is the replacement
/// character then. `json` is well-formed.
fn without_halves(json: &[u8]) -> Vec<u8> {
    let code = |at: usize| {
        let hex = json.get(at..at + 6)?.strip_prefix(b"\\u")?;
        u16::from_str_radix(str::from_utf8(hex).ok()?, 16).ok()
    };
    let mut out = Vec::with_capacity(json.len());
    let mut at = 0;
    while at < json.len() {
        let length = match (code(at), code(at + 6)) {
            (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => 12,
            (Some(0xd800..=0xdfff), _) => {
                out.extend_from_slice(b"\\ufffd");
                at += 6;
                continue;
            }
            _ if json[at] == b'\\' => 2,
            _ => 1,
        };
        out.extend_from_slice(&json[at..at + length]);
        at += length;
    }
    out
}

#[derive(Clone, Copy)]
struct Seed<'a>(&'a Cell<u32>);

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Box<dyn Val + 'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        let left = self.0.get().checked_sub(1);
        self.0
            .set(left.ok_or_else(|| D::Error::custom("too many values"))?);
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Box<dyn Val + 'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Box::new(CelNull))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Box::new(CelBool::from(value)))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
        Ok(Box::new(CelInt::from(value)))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
        Ok(match i64::try_from(value) {
            Ok(value) => Box::new(CelInt::from(value)),
            Err(_) => Box::new(CelUInt::from(value)),
        })
    }

    fn visit_f64<E>(self, value: f64) -> Result<Self::Value, E> {
        Ok(Box::new(CelDouble::from(value)))
    }

    fn visit_borrowed_str<E>(self, value: &'de str) -> Result<Self::Value, E> {
        Ok(Box::new(CelString::from(value)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Self::Value, E> {
        Ok(Box::new(CelString::from(value.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let mut list: Vec<Box<dyn Val + 'de>> = Vec::new();
        while let Some(item) = items.next_element_seed(self)? {
            list.push(item);
        }
        Ok(Box::new(CelList::from(list)))
    }

    /// Of a name that comes twice, the last value counts, as in most readers.
    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        let mut map: HashMap<CelMapKey<'de>, Box<dyn Val + 'de>> = HashMap::new();
        while let Some(key) = entries.next_key::<String>()? {
            map.insert(CelMapKey::from(key), entries.next_value_seed(self)?);
        }
        Ok(Box::new(CelMap::from(map)))
    }
}

/// About 100 bytes of memory each.
const MAX_VALUES: u32 = 500_000;

//! The types of values, and sample values of each.

use std::fmt;
use std::sync::{Arc, LazyLock};

use cel::common::ast::LiteralValue;
use cel::{Context, Value};

use super::ENV;

/// The type of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Type {
    /// `true`, `false`
    Bool,
    /// A whole number of 64 bits.
    Int,
    /// The same, without a sign.
    Uint,
    /// A floating-point number.
    Double,
    /// Text.
    String,
    /// Bytes.
    Bytes,
    /// Nothing.
    Null,
    /// A point in time.
    Timestamp,
    /// A span of time.
    Duration,
    /// A list.
    List(Box<Self>),
    /// A map with texts as keys.
    Map(Box<Self>),
    /// Known only with the event.
    Dyn,
}

impl Type {
    /// Whether a value of this type may be one of the other.
    pub(super) fn may_be(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Dyn, _) | (_, Self::Dyn) => true,
            (Self::List(_), Self::List(_)) | (Self::Map(_), Self::Map(_)) => true,
            _ => self == other || (self.is_number() && other.is_number()),
        }
    }

    const fn is_number(&self) -> bool {
        matches!(self, Self::Int | Self::Uint | Self::Double)
    }

    /// Values of this type.
    pub(super) fn samples(&self) -> Vec<Value> {
        match self {
            Self::Dyn => ANY.clone(),
            Self::Bool => vec![Value::Bool(true)],
            Self::Int => vec![Value::Int(1)],
            Self::Uint => vec![Value::UInt(1)],
            Self::Double => vec![Value::Float(1.0)],
            Self::String => vec![Value::from("1")],
            Self::Bytes => vec![sample("b'1'")],
            Self::Null => vec![Value::Null],
            Self::Timestamp => vec![sample("timestamp('2026-01-01T00:00:00Z')")],
            Self::Duration => vec![sample("duration('1s')")],
            Self::List(item) => {
                let items = item.samples().into_iter();
                items
                    .map(|item| Value::List(Arc::new(vec![item])))
                    .collect()
            }
            Self::Map(value) => {
                let values = value.samples().into_iter();
                let map = |value| Value::from(std::collections::HashMap::from([("1", value)]));
                values.map(map).collect()
            }
        }
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bool => "true or false",
            Self::Int | Self::Uint => "a whole number",
            Self::Double => "a number with a point",
            Self::String => "a text",
            Self::Bytes => "bytes",
            Self::Null => "null",
            Self::Timestamp => "a time",
            Self::Duration => "a duration",
            Self::List(_) => "a list",
            Self::Map(_) => "a map",
            Self::Dyn => "a value of the event",
        })
    }
}

/// The type that all have, if they have one.
pub(super) fn common(types: Vec<Type>) -> Type {
    let mut types = types.into_iter();
    let Some(first) = types.next() else {
        return Type::Dyn;
    };
    if types.all(|kind| kind == first) {
        first
    } else {
        Type::Dyn
    }
}

/// Of a literal.
pub(super) const fn literal(value: &LiteralValue) -> Type {
    match value {
        LiteralValue::Boolean(_) => Type::Bool,
        LiteralValue::Bytes(_) => Type::Bytes,
        LiteralValue::Double(_) => Type::Double,
        LiteralValue::Int(_) => Type::Int,
        LiteralValue::Null => Type::Null,
        LiteralValue::String(_) => Type::String,
        LiteralValue::UInt(_) => Type::Uint,
    }
}

/// Of a value.
pub(super) fn kind(value: &Value) -> Type {
    match value {
        Value::Bool(_) => Type::Bool,
        Value::Int(_) => Type::Int,
        Value::UInt(_) => Type::Uint,
        Value::Float(_) => Type::Double,
        Value::String(_) => Type::String,
        Value::Bytes(_) => Type::Bytes,
        Value::Null => Type::Null,
        Value::Timestamp(_) => Type::Timestamp,
        Value::Duration(_) => Type::Duration,
        Value::List(items) => Type::List(Box::new(common(items.iter().map(kind).collect()))),
        Value::Map(map) => Type::Map(Box::new(common(map.map.values().map(kind).collect()))),
        _ => Type::Dyn,
    }
}

fn sample(text: &str) -> Value {
    let program = ENV.compile(text).expect("a sample compiles");
    program
        .execute(&Context::with_env(Arc::clone(&ENV)))
        .expect("a sample has a value")
}

static ANY: LazyLock<Vec<Value>> =
    LazyLock::new(|| SAMPLES.iter().map(|text| sample(text)).collect());

/// One value of each type, and what the optional syntax gives; of those that hold others, with
/// different ones, so that what comes out of them has no type.
const SAMPLES: [&str; 15] = [
    "'1'",
    "1",
    "1.0",
    "true",
    "null",
    "['1']",
    "[1]",
    "{'1': '1'}",
    "{'1': 1}",
    "optional.of('1')",
    "optional.of(1)",
    "timestamp('2026-01-01T00:00:00Z')",
    "duration('1s')",
    "b'1'",
    "1u",
];

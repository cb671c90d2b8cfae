//! The types of an expression, found before there is an event. The library has no checker of its
//! own: each call is tried with sample values of its arguments' types, and what the library
//! answers is the type, or the mistake.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, LazyLock};

use cel::common::ast::{
    CallExpr, ComprehensionExpr, EntryExpr, Expr, IdedExpr, LiteralValue, operators,
};
use cel::{Context, ExecutionError, Value};

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

/// Every variable that an expression may read.
pub const VARIABLES: [&str; 10] = [
    "event_id",
    "topic",
    "tenant",
    "provider",
    "source",
    "headers",
    "query",
    "body",
    "received_at",
    "verified",
];

/// The type of the expression's value, and the variables it reads.
///
/// # Errors
/// A name that is not there, types that do not fit.
pub fn check(expression: &IdedExpr) -> Result<(Type, BTreeSet<&'static str>), String> {
    let mut checker = Checker::default();
    let result = checker.check(expression)?;
    Ok((result, checker.read))
}

#[derive(Default)]
struct Checker {
    /// Variables of the loops around, the innermost last.
    loops: Vec<(String, Type)>,
    read: BTreeSet<&'static str>,
}

impl Checker {
    fn check(&mut self, expression: &IdedExpr) -> Result<Type, String> {
        match &expression.expr {
            Expr::Literal(value) => Ok(literal(value)),
            Expr::Ident(name) => self.variable(name),
            Expr::Select(select) => {
                let operand = self.check(&select.operand)?;
                match operand {
                    _ if select.test => Ok(Type::Bool),
                    Type::Map(values) => Ok(*values),
                    Type::Dyn => Ok(Type::Dyn),
                    other => Err(format!("{other} has no field {:?}", select.field)),
                }
            }
            Expr::Call(call) => self.call(call),
            Expr::Comprehension(comprehension) => self.comprehension(comprehension),
            Expr::List(list) => {
                let items = list.elements.iter().map(|item| self.check(item));
                let items = items.collect::<Result<Vec<_>, _>>()?;
                Ok(Type::List(Box::new(common(items))))
            }
            Expr::Map(map) => {
                let mut values = Vec::new();
                for entry in &map.entries {
                    if let EntryExpr::MapEntry(entry) = &entry.expr {
                        self.check(&entry.key)?;
                        values.push(self.check(&entry.value)?);
                    }
                }
                Ok(Type::Map(Box::new(common(values))))
            }
            Expr::Struct(object) => Err(format!("unknown type {:?}", object.type_name)),
            Expr::Unspecified => Err("cannot be read".to_owned()),
        }
    }

    fn variable(&mut self, name: &str) -> Result<Type, String> {
        if let Some((_, kind)) = self.loops.iter().rev().find(|(known, _)| known == name) {
            return Ok(kind.clone());
        }
        if let Some(known) = VARIABLES.iter().find(|known| **known == name) {
            self.read.insert(known);
            return Ok(match *known {
                "headers" | "query" => Type::Map(Box::new(Type::String)),
                "body" => Type::Dyn,
                "received_at" => Type::Timestamp,
                "verified" => Type::Bool,
                _ => Type::String,
            });
        }
        // The name of a type, as in `type(body) == map`.
        let ident = unnumbered(Expr::Ident(name.to_owned()));
        match Value::resolve(&ident, &Context::with_env(Arc::clone(&ENV))) {
            Ok(_) => Ok(Type::Dyn),
            Err(_) => Err(format!(
                "unknown variable {name:?}, expected one of {}",
                VARIABLES.join(", ")
            )),
        }
    }

    fn call(&mut self, call: &CallExpr) -> Result<Type, String> {
        let name = call.func_name.as_str();
        let library = call
            .target
            .as_deref()
            .filter(|target| self.is_library(target));
        let target = call.target.as_deref().filter(|_| library.is_none());
        let mut types = Vec::new();
        for operand in target.into_iter().chain(&call.args) {
            types.push(self.check(operand)?);
        }
        match (name, types.as_slice()) {
            (operators::LOGICAL_AND | operators::LOGICAL_OR, operands) => {
                match operands.iter().find(|kind| !kind.may_be(&Type::Bool)) {
                    Some(other) => Err(format!(
                        "{} of {other}, expected true or false",
                        spelled(name)
                    )),
                    None => Ok(Type::Bool),
                }
            }
            (operators::CONDITIONAL, [condition, yes, no]) => {
                if !condition.may_be(&Type::Bool) {
                    return Err(format!("?: of {condition}, expected true or false"));
                }
                Ok(common(vec![yes.clone(), no.clone()]))
            }
            (operators::EQUALS | operators::NOT_EQUALS, [left, right]) => {
                if left.may_be(right) {
                    Ok(Type::Bool)
                } else {
                    Err(format!("{left} is never equal to {right}"))
                }
            }
            _ => tried(name, library, target.is_some(), &types),
        }
    }

    /// `math` in `math.ceil(…)` is no variable.
    fn is_library(&self, target: &IdedExpr) -> bool {
        matches!(&target.expr, Expr::Ident(name)
            if !VARIABLES.contains(&name.as_str()) && !self.loops.iter().any(|(known, _)| known == name))
    }

    fn comprehension(&mut self, over: &ComprehensionExpr) -> Result<Type, String> {
        let (first, second) = match self.check(&over.iter_range)? {
            Type::List(item) if over.iter_var2.is_some() => (Type::Int, *item),
            Type::List(item) => (*item, Type::Dyn),
            Type::Map(value) => (Type::String, *value),
            Type::Dyn => (Type::Dyn, Type::Dyn),
            other => return Err(format!("{other} has no elements to go through")),
        };
        let before = self.loops.len();
        let start = match self.check(&over.accu_init)? {
            Type::List(_) => Type::List(Box::new(Type::Dyn)),
            Type::Map(_) => Type::Map(Box::new(Type::Dyn)),
            other => other,
        };
        self.loops.push((over.accu_var.clone(), start));
        self.loops.push((over.iter_var.clone(), first));
        let second = over.iter_var2.clone().map(|name| (name, second));
        self.loops.extend(second);
        self.check(&over.loop_cond)?;
        let step = self.check(&over.loop_step)?;
        if let Some((_, accumulated)) = self.loops.get_mut(before) {
            *accumulated = common(vec![accumulated.clone(), step]);
        }
        let result = self.check(&over.result);
        self.loops.truncate(before);
        result
    }
}

/// What the library says of the call with each kind of arguments that it may get.
fn tried(
    name: &str,
    library: Option<&IdedExpr>,
    is_method: bool,
    types: &[Type],
) -> Result<Type, String> {
    let names: Vec<_> = (0..types.len())
        .map(|index| format!("argument{index}"))
        .collect();
    let operands = names
        .iter()
        .map(|name| unnumbered(Expr::Ident(name.clone())));
    let mut args: Vec<_> = operands.collect();
    let target = match library {
        Some(library) => Some(library.clone()),
        None if is_method => Some(args.remove(0)),
        None => None,
    };
    let call = unnumbered(Expr::Call(CallExpr {
        func_name: name.to_owned(),
        target: target.map(Box::new),
        args,
    }));
    let mut results = Vec::new();
    let mut is_known = false;
    for values in combinations(types) {
        let mut context = Context::with_env(Arc::clone(&ENV));
        for (name, value) in names.iter().zip(values) {
            context.add_variable_from_value(name.clone(), value);
        }
        match Value::resolve(&call, &context) {
            Ok(value) => results.push(kind(&value)),
            Err(ExecutionError::UndeclaredReference(_)) => {}
            Err(error) => {
                is_known = true;
                if !is_of_types(&error) {
                    results.push(Type::Dyn);
                }
            }
        }
    }
    if !results.is_empty() {
        return Ok(common(results));
    }
    if !is_known {
        let kind = if is_method { "method" } else { "function" };
        return Err(format!("unknown {kind} {:?}", spelled(name)));
    }
    let types: Vec<_> = types.iter().map(Type::to_string).collect();
    Err(format!(
        "{} does not take {}",
        spelled(name),
        types.join(" and ")
    ))
}

/// Sample values for every kind that the arguments may have.
fn combinations(types: &[Type]) -> Vec<Vec<Value>> {
    let mut rows = vec![Vec::new()];
    for kind in types {
        let samples = kind.samples();
        rows = rows
            .iter()
            .flat_map(|row| {
                samples.iter().map(move |sample| {
                    let mut row: Vec<Value> = row.clone();
                    row.push(sample.clone());
                    row
                })
            })
            .collect();
        // A call of many unknown arguments: some will do.
        rows.truncate(MAX_TRIALS);
    }
    rows
}

/// Whether other values of the same types would not help.
const fn is_of_types(error: &ExecutionError) -> bool {
    use ExecutionError as E;
    matches!(
        error,
        E::NoSuchOverload(_)
            | E::UnsupportedTargetType { .. }
            | E::NotSupportedAsMethod { .. }
            | E::InvalidArgumentCount { .. }
            | E::UnexpectedType { .. }
            | E::ValuesNotComparable(..)
            | E::UnsupportedBinaryOperator(..)
            | E::UnsupportedIndex(..)
            | E::UnsupportedKeyType(_)
            | E::MissingArgumentOrTarget
    )
}

impl Type {
    /// Whether a value of this type may be one of the other.
    fn may_be(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Dyn | Self::Null, _) | (_, Self::Dyn | Self::Null) => true,
            (Self::List(_), Self::List(_)) | (Self::Map(_), Self::Map(_)) => true,
            _ => self == other || (self.is_number() && other.is_number()),
        }
    }

    const fn is_number(&self) -> bool {
        matches!(self, Self::Int | Self::Uint | Self::Double)
    }

    fn samples(&self) -> Vec<Value> {
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

/// What people write for an operator.
fn spelled(name: &str) -> &str {
    match name {
        operators::IN => "in",
        operators::INDEX | operators::OPT_INDEX => "[]",
        operators::NEGATE => "-",
        other => other.trim_matches('_').trim_matches('@'),
    }
}

/// The type that all have, if they have one.
fn common(types: Vec<Type>) -> Type {
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

const fn literal(value: &LiteralValue) -> Type {
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

fn kind(value: &Value) -> Type {
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

const fn unnumbered(expr: Expr) -> IdedExpr {
    IdedExpr { id: 0, expr }
}

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
const MAX_TRIALS: usize = 15 * 15 * 15;

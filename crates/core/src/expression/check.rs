//! The types of an expression, found before there is an event. The library has no checker of its
//! own: each call is tried with sample values of its arguments' types, and what the library
//! answers is the type, or the mistake.

use std::collections::BTreeSet;
use std::sync::Arc;

use cel::common::ast::{
    CallExpr, ComprehensionExpr, EntryExpr, Expr, IdedExpr, LiteralValue, operators,
};
use cel::{Context, ExecutionError, Value};

use super::ENV;
use super::mistake;
use super::types::{Type, common, kind, literal};
use crate::similar::did_you_mean;

/// Every variable that an expression may read.
pub const VARIABLES: [&str; 11] = [
    "name",
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

/// What an expression reads.
#[derive(Debug, Clone, Default)]
pub struct Reads {
    /// The variables.
    pub variables: BTreeSet<&'static str>,
    /// The headers, as far as it names them.
    pub headers: BTreeSet<String>,
}

/// The type of the expression's value, and what it reads.
///
/// # Errors
/// A name that is not there, types that do not fit, literals that never will do.
pub fn check(expression: &IdedExpr) -> Result<(Type, Reads), String> {
    let mut checker = Checker::default();
    let result = checker.check(expression)?;
    Ok((result, checker.reads))
}

#[derive(Default)]
struct Checker {
    /// Variables of the loops around, the innermost last.
    loops: Vec<(String, Type)>,
    reads: Reads,
    depth: usize,
}

impl Checker {
    fn check(&mut self, expression: &IdedExpr) -> Result<Type, String> {
        // Whatever reads it recurses, on threads with small stacks, too.
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(format!("more than {MAX_DEPTH} operators in a row"));
        }
        let result = self.check_kind(expression);
        self.depth -= 1;
        result
    }

    fn check_kind(&mut self, expression: &IdedExpr) -> Result<Type, String> {
        match &expression.expr {
            Expr::Literal(value) => Ok(literal(value)),
            Expr::Ident(name) => self.variable(name),
            Expr::Select(select) => {
                let operand = self.check(&select.operand)?;
                self.header(&select.operand, &select.field)?;
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
                let items = list
                    .elements
                    .iter()
                    .map(|item| self.check(item))
                    .collect::<Result<Vec<_>, _>>()?;
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
            self.reads.variables.insert(known);
            return Ok(match *known {
                "headers" | "query" => Type::Map(Box::new(Type::String)),
                "body" => Type::Dyn,
                "received_at" => Type::Timestamp,
                "verified" => Type::Bool,
                _ => Type::String,
            });
        }
        // The name of a type, as in `type(body) == map`.
        let ident = without_id(Expr::Ident(name.to_owned()));
        match Value::resolve(&ident, &Context::with_env(Arc::clone(&ENV))) {
            Ok(_) => Ok(Type::Dyn),
            Err(_) => Err(format!(
                "unknown variable {name:?}{}, expected one of {}",
                did_you_mean(name, VARIABLES),
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
        if let Some(problem) = mistake::unknown(call, library) {
            return Err(problem);
        }
        let mut types = Vec::new();
        for operand in target.into_iter().chain(&call.args) {
            let kind = self.check(operand);
            types.push(kind.map_err(|problem| mistake::suggest_brackets(call, problem))?);
        }
        self.headers(call)?;
        literals(call)?;
        match (name, types.as_slice()) {
            (operators::LOGICAL_AND | operators::LOGICAL_OR, operands) => {
                match operands.iter().find(|kind| !kind.may_be(&Type::Bool)) {
                    Some(other) => Err(format!(
                        "{} of {other}, expected true or false",
                        mistake::operator_name(name)
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

    /// `headers["x-a"]`, `headers[?"x-a"]` and `"x-a" in headers`.
    fn headers(&mut self, call: &CallExpr) -> Result<(), String> {
        let by_key = (call.func_name.as_str(), call.args.as_slice());
        let ((operators::INDEX | operators::OPT_INDEX, [map, key]) | (operators::IN, [key, map])) =
            by_key
        else {
            return Ok(());
        };
        match &key.expr {
            Expr::Literal(LiteralValue::String(name)) => self.header(map, name.inner()),
            _ => Ok(()),
        }
    }

    /// Notes the key if the map is `headers`.
    fn header(&mut self, map: &IdedExpr, name: &str) -> Result<(), String> {
        let is_headers = matches!(&map.expr, Expr::Ident(known) if known == "headers")
            && !self.loops.iter().any(|(known, _)| known == "headers");
        if !is_headers {
            return Ok(());
        }
        let lower = name.to_lowercase();
        if lower != name {
            return Err(format!(
                "headers have lower-case names: expected {lower:?} for {name:?}"
            ));
        }
        self.reads.headers.insert(lower);
        Ok(())
    }

    /// `math` in `math.ceil(…)` is no variable.
    fn is_library(&self, target: &IdedExpr) -> bool {
        matches!(&target.expr, Expr::Ident(name)
            if LIBRARIES.contains(&name.as_str()) && !self.loops.iter().any(|(known, _)| known == name))
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

/// A call of nothing but literals fails now or never. So does the pattern of `matches`.
fn literals(call: &CallExpr) -> Result<(), String> {
    let mut call = call.clone();
    if call.func_name == "matches" {
        let any = without_id(Expr::Literal(LiteralValue::String(String::new().into())));
        match (&mut call.target, call.args.as_mut_slice()) {
            (Some(text), [_]) => **text = any,
            (None, [text, _]) => *text = any,
            _ => {}
        }
    }
    let mut operands = call.target.as_deref().into_iter().chain(&call.args);
    if !operands.all(|operand| matches!(operand.expr, Expr::Literal(_))) {
        return Ok(());
    }
    let problem = mistake::failed_literals(&call);
    let context = Context::with_env(Arc::clone(&ENV));
    match Value::resolve(&without_id(Expr::Call(call)), &context) {
        Err(error) if !is_of_types(&error) => Err(problem),
        _ => Ok(()),
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
        .map(|name| without_id(Expr::Ident(name.clone())));
    let mut args: Vec<_> = operands.collect();
    let target = match library {
        Some(library) => Some(library.clone()),
        None if is_method => Some(args.remove(0)),
        None => None,
    };
    let call = without_id(Expr::Call(CallExpr {
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
        return Err(mistake::wrong_call_style(name, is_method));
    }
    let types: Vec<_> = types.iter().map(Type::to_string).collect();
    Err(format!(
        "{} does not take {}",
        mistake::operator_name(name),
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

const fn without_id(expr: Expr) -> IdedExpr {
    IdedExpr { id: 0, expr }
}

/// What stands before a function of theirs: `math` in `math.ceil(…)`.
pub const LIBRARIES: [&str; 4] = ["lists", "math", "optional", "strings"];
const MAX_TRIALS: usize = 15 * 15 * 15;
const MAX_DEPTH: usize = 128;

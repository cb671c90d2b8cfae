//! CEL (Common Expression Language, <https://cel.dev>) over an event: compiled and type-checked when
//! the configuration is loaded, bounded when it is evaluated.

pub mod body;
pub mod check;
pub mod cost;
mod direct;
pub mod implied;
mod mistake;
pub mod scope;
pub mod template;
pub mod types;

use std::fmt;
use std::sync::{Arc, LazyLock};

use cel::common::ast::{IdedExpr, operators};
use cel::{Env, ExecutionError, OverloadError, Value, extensions};

use self::check::Reads;
use self::direct::Condition;
use self::mistake::operator_name;
use self::scope::Scope;
use self::types::Type;

/// A compiled expression.
#[derive(Clone)]
pub struct Expression {
    text: Arc<str>,
    code: Arc<IdedExpr>,
    /// If it asks for no more than texts.
    direct: Option<Condition>,
    result: Type,
    reads: Reads,
}

/// Why an expression gave no value. Its text names keys and types, never values of the event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// A key or an index that the event has not; what is no map and no list has none.
    Missing(String),
    /// Everything else.
    Wrong(String),
}

impl Expression {
    /// Compiles and checks an expression.
    ///
    /// # Errors
    /// What is wrong with it: syntax, a name that is not there, types that do not fit.
    pub fn compile(text: &str) -> Result<Self, String> {
        if text.len() > MAX_TEXT {
            return Err(format!("longer than {MAX_TEXT} bytes"));
        }
        if is_deep(text) {
            return Err(format!(
                "more than {MAX_DEPTH} brackets, or ?:, in each other"
            ));
        }
        let links = text.bytes().filter(|byte| LINKS.contains(byte)).count();
        if links > MAX_LINKS {
            return Err(format!("more than {MAX_LINKS} operators"));
        }
        let program = ENV
            .compile(text)
            .map_err(|errors| mistake::syntax(text, &errors))?;
        let (result, reads) = check::check(program.expression())?;
        let mut code = program.expression().clone();
        cost::meter(&mut code);
        Ok(Self {
            text: text.into(),
            code: Arc::new(code),
            direct: Condition::of(program.expression()),
            result,
            reads,
        })
    }

    /// An expression that says yes or no.
    ///
    /// # Errors
    /// Those of [`Expression::compile`]; another type than `bool`.
    pub fn condition(text: &str) -> Result<Self, String> {
        let expression = Self::compile(text)?;
        match &expression.result {
            Type::Bool | Type::Dyn => Ok(expression),
            other => Err(format!(
                "gives {other}, expected true or false, as in 'topic == \"orders/create\"'"
            )),
        }
    }

    /// What it was compiled from.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The type of its value; [`Type::Dyn`] if it depends on the event.
    pub const fn result(&self) -> &Type {
        &self.result
    }

    /// Whether it reads the variable.
    pub fn reads(&self, variable: &str) -> bool {
        self.reads.variables.contains(variable)
    }

    /// The headers that it names.
    pub fn headers(&self) -> impl Iterator<Item = &str> {
        self.reads.headers.iter().map(String::as_str)
    }

    /// Its value for an event.
    ///
    /// # Errors
    /// See [`Failure`].
    pub fn evaluate(&self, scope: &mut Scope<'_>) -> Result<Value, Failure> {
        if self.reads("body") {
            scope.read_body().map_err(Failure::Wrong)?;
        }
        let mut budget = scope.budget;
        let context = scope.context();
        let value = cost::within(&mut budget, || Value::resolve(&self.code, context));
        scope.budget = budget;
        let value = value.map_err(|over| Failure::Wrong(over.to_owned()))?;
        value.map_err(|error| self.failure(&error))
    }

    /// Whether it holds for an event. A key that the event has not makes it false.
    ///
    /// # Errors
    /// Anything else that goes wrong.
    pub fn holds(&self, scope: &mut Scope<'_>) -> Result<bool, String> {
        let direct = self.direct.as_ref();
        if let Some(holds) = direct.and_then(|direct| direct.holds(scope)) {
            return Ok(holds);
        }
        match self.evaluate(scope) {
            Ok(Value::Bool(holds)) => Ok(holds),
            Ok(other) => Err(format!(
                "gives {}, expected true or false",
                display_name(&other.type_of().to_string())
            )),
            Err(Failure::Missing(_)) => Ok(false),
            Err(Failure::Wrong(problem)) => Err(problem),
        }
    }

    /// The library's texts may quote values of the event: these do not.
    fn failure(&self, error: &ExecutionError) -> Failure {
        use ExecutionError as E;
        match error {
            // A key that is computed is a value of the event.
            E::NoSuchKey(key) if self.text.contains(key.as_str()) => {
                Failure::Missing(format!("no such key: {key}"))
            }
            E::NoSuchKey(_) => Failure::Missing("no such key".to_owned()),
            E::IndexOutOfBounds(_) => Failure::Missing("no such index".to_owned()),
            E::NoSuchOverload(overload) => no_overload(overload),
            E::FunctionError { function, .. } => {
                Failure::Wrong(format!("{function}() cannot take this value"))
            }
            E::UnsupportedBinaryOperator(name, left, right) => Failure::Wrong(format!(
                "cannot {name} {} and {}",
                display_name(&left.type_of().to_string()),
                display_name(&right.type_of().to_string())
            )),
            E::ValuesNotComparable(left, right) => Failure::Wrong(format!(
                "{} and {} cannot be compared",
                display_name(&left.type_of().to_string()),
                display_name(&right.type_of().to_string())
            )),
            E::UnexpectedType { got, want } => Failure::Wrong(format!(
                "expected {}, found {}",
                display_name(want),
                display_name(got)
            )),
            E::DivisionByZero(_) | E::RemainderByZero(_) => {
                Failure::Wrong("division by zero".to_owned())
            }
            E::Overflow(..) => Failure::Wrong("a number is too large".to_owned()),
            _ => Failure::Wrong("the values have not the types that it needs".to_owned()),
        }
    }
}

impl fmt::Debug for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Expression({:?})", self.text)
    }
}

impl PartialEq for Expression {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Expression {}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(text) | Self::Wrong(text) => f.write_str(text),
        }
    }
}

/// Values whose types do not fit. `customer.email` of an event whose customer is `null` is a key that
/// it has not, as it is of an event without a customer.
fn no_overload(overload: &OverloadError) -> Failure {
    let types: Vec<_> = overload
        .argument_types()
        .iter()
        .map(|kind| display_name(kind))
        .collect();
    match (overload.function(), types.as_slice()) {
        (SELECT, [of, ..]) => Failure::Missing(format!("{of} has no keys")),
        (operators::INDEX, [of, by]) => Failure::Missing(format!("{of} has no items by {by}")),
        (name, types) => Failure::Wrong(format!(
            "{} does not take {}",
            operator_name(name),
            types.join(" and ")
        )),
    }
}

/// The library's name of a type, in words.
fn display_name(name: &str) -> &str {
    match name {
        "bool" => "true or false",
        "int" | "uint" => "a whole number",
        "double" | "float" => "a number with a point",
        "string" => "a text",
        "null_type" | "null" => "null",
        "timestamp" | "google.protobuf.Timestamp" => "a time",
        "duration" | "google.protobuf.Duration" => "a duration",
        "list" => "a list",
        "map" => "a map",
        "iterable" => "a list or a map",
        other => other,
    }
}

/// The library's grammar recurses, and has no limit that holds before the stack ends.
fn is_deep(text: &str) -> bool {
    let mut open = 0_usize;
    let mut before = b' ';
    let deepest = text.bytes().map(|byte| {
        match byte {
            // `a.?b` and `a[?b]` do not wait for a colon.
            b'?' if [b'.', b'['].contains(&before) => {}
            b'(' | b'[' | b'{' | b'?' => open += 1,
            b')' | b']' | b'}' => open = open.saturating_sub(1),
            _ => {}
        }
        before = byte;
        open
    });
    deepest.max().unwrap_or_default() > MAX_DEPTH
}

/// The standard functions, and the extensions for strings, lists and numbers.
fn environment() -> Env {
    let mut env = Env::stdlib();
    let declared = [
        env.add_extension(extensions::strings),
        env.add_extension(extensions::lists),
        env.add_extension(extensions::math),
        cost::declare(&mut env),
    ];
    assert!(
        declared.iter().all(Result::is_ok),
        "the libraries do not declare anything twice"
    );
    env
}

static ENV: LazyLock<Arc<Env>> = LazyLock::new(|| Arc::new(environment()));

/// The library's name of `a.b`.
const SELECT: &str = "_._";
/// Bytes of one expression.
const MAX_TEXT: usize = 4096;
const MAX_DEPTH: usize = 32;
/// Each of these may be one level more of the grammar's recursion, without a bracket: 1+1+1, a.b.c.
const LINKS: &[u8] = b"+-*/%.<>=!&|[";
const MAX_LINKS: usize = 800;

#[cfg(test)]
mod tests;

//! What is wrong with an expression, in the words of somebody who writes one.

use cel::common::ast::{CallExpr, Expr, IdedExpr, LiteralValue, operators};

use crate::similar::did_you_mean;

/// The first thing wrong, with its place where there are several words.
pub(super) fn syntax(text: &str, errors: &cel::ParseErrors) -> String {
    if text.trim().is_empty() {
        return "empty, expected a CEL expression".to_owned();
    }
    let Some(first) = errors.errors.first() else {
        return "no CEL expression".to_owned();
    };
    let (line, column) = first.pos;
    let problem = explain(text, line, column, &first.msg);
    if text.contains('\n') {
        format!("no CEL expression: line {line}, column {column}: {problem}")
    } else {
        format!("no CEL expression: column {column}: {problem}")
    }
}

/// A call of a function that is not there, or is not called like this.
pub(super) fn unknown(call: &CallExpr, library: Option<&IdedExpr>) -> Option<String> {
    let name = call.func_name.as_str();
    // Operators, and what the library's macros make.
    if !name.starts_with(|first: char| first.is_ascii_alphabetic()) || name.contains('@') {
        return None;
    }
    let full = match library.map(|library| &library.expr) {
        Some(Expr::Ident(library)) => format!("{library}.{name}"),
        _ => name.to_owned(),
    };
    if LOOPS.contains(&name) {
        return Some(format!(
            "{name}() takes a name and an expression, as in body.items.{name}(item, item.id == 1)"
        ));
    }
    if FUNCTIONS.contains(&full.as_str()) {
        return None;
    }
    let plain = plain(&full);
    let alias = ALIASES.iter().find(|(alias, _)| *alias == plain);
    let mut known = FUNCTIONS.iter().chain(&LOOPS);
    let similar = known.find(|known| self::plain(known) == plain);
    let suggestion = alias.map(|(_, name)| name).or(similar);
    Some(match suggestion {
        Some(suggestion) => format!("unknown function {full:?}, expected {suggestion:?}"),
        None => {
            let known = FUNCTIONS.iter().chain(&LOOPS).copied();
            format!("unknown function {full:?}{}", did_you_mean(&full, known))
        }
    })
}

/// A call of a function as a method, or the other way round.
pub(super) fn wrong_call_style(name: &str, is_method: bool) -> String {
    if is_method {
        format!("{name} is no method, expected {name}(…)")
    } else {
        format!("{name} is a method, expected one such as topic.{name}(…)")
    }
}

/// A call of literals that fails.
pub(super) fn failed_literals(call: &CallExpr) -> String {
    let operands = call.target.as_deref().into_iter().chain(&call.args);
    let text = operands
        .last()
        .map_or("this", |operand| match &operand.expr {
            Expr::Literal(LiteralValue::String(text)) => text.inner(),
            _ => "this",
        });
    match call.func_name.as_str() {
        "matches" => format!("{text:?} is no regular expression that can be read"),
        "timestamp" => {
            format!("{text:?} is no time, expected one such as \"2026-11-01T12:00:00Z\"")
        }
        "duration" => format!("{text:?} is no duration, expected one such as \"1h30m\""),
        name => format!("{} cannot take these values", operator_name(name)),
    }
}

/// `headers.x-test` is a difference.
pub(super) fn suggest_brackets(call: &CallExpr, problem: String) -> String {
    match call.args.first().map(|left| &left.expr) {
        Some(Expr::Select(left)) if call.func_name == operators::SUBSTRACT => format!(
            "{problem}; a key with a dash in it stands in brackets: [\"{}-…\"]",
            left.field
        ),
        _ => problem,
    }
}

/// What people write for an operator.
pub(super) fn operator_name(name: &str) -> &str {
    match name {
        operators::IN => "in",
        operators::INDEX | operators::OPT_INDEX => "[]",
        operators::NEGATE => "-",
        other => other.trim_matches('_').trim_matches('@'),
    }
}

/// What the grammar would have taken instead is a list of some thirty tokens: it is left out.
fn explain(text: &str, line: isize, column: isize, message: &str) -> String {
    let message = message
        .lines()
        .next()
        .unwrap_or_default()
        .trim_start_matches("Syntax error: ");
    if let Some(start) = message.strip_prefix("token recognition error at: ") {
        return token(start.trim_matches('\'').trim());
    }
    if let Some(missing) = message.strip_prefix("missing ")
        && let Some((what, _)) = missing.split_once(" at ")
    {
        return format!("{what} is missing here");
    }
    let message = message.split(" expecting ").next().unwrap_or_default();
    let found = message.split_once(" input ").map(|(_, found)| found);
    if let Some(found) = found {
        let found = found.trim_matches('\'');
        let before = before(text, line, column);
        let mut words = WORDS.iter();
        return match words.find(|(word, _)| *word == found || before.ends_with(word)) {
            Some((word, operator)) => format!("unexpected {word:?}, expected {operator:?}"),
            None if found == "<EOF>" => "the end comes too early".to_owned(),
            None if found == "}" || found == "{" => {
                format!("unexpected {found:?}: variables have no braces in an expression")
            }
            None => format!("unexpected {found:?}"),
        };
    }
    if let Some(name) = message.strip_prefix("reserved identifier: ") {
        return format!("{name:?} cannot be a name; a choice is CONDITION ? YES : NO");
    }
    match message {
        _ if message.contains("has()") => {
            "has() takes a key of something, as in has(body.customer)".to_owned()
        }
        _ if message.contains("_?_:_") => "a '?' without its ':'".to_owned(),
        _ if message.contains("IndexContext") => {
            "[] takes a name or a number; all elements: body.items.exists(item, item.id == 1)"
                .to_owned()
        }
        _ if message.starts_with("Incomplete") => "something is missing".to_owned(),
        other => other.to_owned(),
    }
}

fn token(start: &str) -> String {
    match start.chars().next() {
        Some('=') => "unexpected \"=\", expected \"==\"".to_owned(),
        Some('&') => "unexpected \"&\", expected \"&&\"".to_owned(),
        Some('|') => "unexpected \"|\", expected \"||\"".to_owned(),
        Some('"' | '\'') => "a text without its closing quote".to_owned(),
        Some('“' | '”' | '„' | '‘' | '’') => {
            "typographic quotes, expected \" or '".to_owned()
        }
        Some(other) => format!("unexpected {:?}", other.to_string()),
        None => "a text without its closing quote".to_owned(),
    }
}

/// What comes before the place, trimmed.
fn before(text: &str, line: isize, column: isize) -> &str {
    let line = usize::try_from(line - 1)
        .ok()
        .and_then(|line| text.lines().nth(line))
        .unwrap_or_default();
    let column = usize::try_from(column - 1).unwrap_or_default();
    let end = line
        .char_indices()
        .nth(column)
        .map_or(line.len(), |(end, _)| end);
    line[..end].trim_end()
}

/// Upper case and underscores apart.
fn plain(name: &str) -> String {
    name.replace('_', "").to_ascii_lowercase()
}

/// Every function that an expression may call, those of [`LOOPS`] apart.
pub(super) const FUNCTIONS: [&str; 69] = [
    "bool",
    "bytes",
    "double",
    "duration",
    "dyn",
    "has",
    "int",
    "size",
    "string",
    "timestamp",
    "type",
    "uint",
    "contains",
    "endsWith",
    "matches",
    "startsWith",
    "getDate",
    "getDayOfMonth",
    "getDayOfWeek",
    "getDayOfYear",
    "getFullYear",
    "getHours",
    "getMilliseconds",
    "getMinutes",
    "getMonth",
    "getSeconds",
    "charAt",
    "format",
    "indexOf",
    "join",
    "lastIndexOf",
    "lowerAscii",
    "replace",
    "reverse",
    "split",
    "strings.quote",
    "substring",
    "trim",
    "upperAscii",
    "distinct",
    "flatten",
    "lists.range",
    "slice",
    "sort",
    "math.abs",
    "math.bitAnd",
    "math.bitNot",
    "math.bitOr",
    "math.bitShiftLeft",
    "math.bitShiftRight",
    "math.bitXor",
    "math.ceil",
    "math.floor",
    "math.greatest",
    "math.isFinite",
    "math.isInf",
    "math.isNaN",
    "math.least",
    "math.round",
    "math.sign",
    "math.sqrt",
    "math.trunc",
    "hasValue",
    "or",
    "orValue",
    "value",
    "optional.none",
    "optional.of",
    "optional.ofNonZeroValue",
];
/// What goes through a list or a map, as the grammar's macros.
pub(super) const LOOPS: [&str; 9] = [
    "all",
    "exists",
    "exists_one",
    "existsOne",
    "filter",
    "map",
    "sortBy",
    "optMap",
    "optFlatMap",
];
const WORDS: [(&str, &str); 3] = [("and", "&&"), ("or", "||"), ("not", "!")];
/// What other languages call them.
const ALIASES: [(&str, &str); 19] = [
    ("any", "exists"),
    ("some", "exists"),
    ("every", "all"),
    ("count", "size"),
    ("len", "size"),
    ("length", "size"),
    ("includes", "contains"),
    ("lower", "lowerAscii"),
    ("tolower", "lowerAscii"),
    ("tolowercase", "lowerAscii"),
    ("upper", "upperAscii"),
    ("toupper", "upperAscii"),
    ("touppercase", "upperAscii"),
    ("match", "matches"),
    ("regex", "matches"),
    ("test", "matches"),
    ("float", "double"),
    ("number", "double"),
    ("str", "string"),
];

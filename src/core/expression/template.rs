//! Text with `{…}` holes, each hole an expression: ids, names, queues, attributes, memo.

use cel::Value;
use serde::Deserialize;

use super::scope::Scope;
use super::types::Type;
use super::{Expression, Failure};

/// Text with holes. A brace as such is `{"{"}`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Template(Vec<Piece>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Hole(Expression),
    /// May be empty in a name.
    Suffix(Expression),
}

impl Template {
    /// This template followed by `:{topic}`, for events that have one.
    pub fn per_topic(mut self) -> Self {
        let suffix = Expression::compile("topic == '' ? '' : ':' + topic");
        self.0.push(Piece::Suffix(suffix.expect("an expression")));
        self
    }

    /// Whether an expression in it reads the variable.
    pub fn names(&self, variable: &str) -> bool {
        self.expressions().any(|hole| hole.names(variable))
    }

    /// The headers that its expressions name.
    pub fn headers(&self) -> impl Iterator<Item = &str> {
        self.expressions().flat_map(Expression::headers)
    }

    /// Why it never is a text, whatever the event; as a value, a single hole may be anything.
    pub fn never_fits(&self, as_text: bool) -> Option<String> {
        if !as_text && matches!(self.0.as_slice(), [Piece::Hole(_)]) {
            return None;
        }
        let mut holes = self.expressions();
        let hole = holes.find(|hole| {
            matches!(
                hole.result(),
                Type::Bytes | Type::Duration | Type::List(_) | Type::Map(_)
            )
        })?;
        let problem = format!("gives {}, expected a text", hole.result());
        Some(no_text(hole, &problem))
    }

    /// Whether all events of a source get the same text.
    pub fn is_constant(&self) -> bool {
        let per_event = [
            "event_id",
            "topic",
            "tenant",
            "headers",
            "query",
            "body",
            "received_at",
        ];
        !per_event.iter().any(|variable| self.names(variable))
    }

    /// The type of its values: that of a single hole, else text.
    pub fn result(&self) -> &Type {
        match self.0.as_slice() {
            [Piece::Hole(hole)] => hole.result(),
            _ => &Type::String,
        }
    }

    /// The text, if it has no holes.
    pub fn fixed(&self) -> Option<&str> {
        match self.0.as_slice() {
            [Piece::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// An id or a name: not empty, no hole of it empty, at most 1,000 bytes.
    ///
    /// # Errors
    /// Which hole gives no text, and why.
    pub fn name(&self, scope: &mut Scope<'_>) -> Result<String, String> {
        let text = self.text_of(scope, true)?;
        if text.len() > MAX_NAME {
            return Err(format!(
                "is {} bytes long, Temporal takes {MAX_NAME}",
                text.len()
            ));
        }
        Ok(text)
    }

    /// A text, in which `null` is nothing.
    ///
    /// # Errors
    /// Which hole gives no text, and why.
    pub fn text(&self, scope: &mut Scope<'_>) -> Result<String, String> {
        self.text_of(scope, false)
    }

    /// A value: of a single hole, that of its expression; else the text.
    ///
    /// # Errors
    /// Which hole gives no value, and why.
    pub fn value(&self, scope: &mut Scope<'_>) -> Result<serde_json::Value, String> {
        match self.0.as_slice() {
            [Piece::Hole(hole)] => {
                let value = evaluated(hole, scope)?;
                // No JSON has it, the library would make it null.
                if matches!(value, Value::Float(number) if !number.is_finite()) {
                    return Err(no_text(hole, "gives no finite number"));
                }
                let json = value.json();
                json.map_err(|_| no_text(hole, "gives what JSON cannot say"))
            }
            _ => self.text(scope).map(serde_json::Value::String),
        }
    }

    fn text_of(&self, scope: &mut Scope<'_>, is_name: bool) -> Result<String, String> {
        let mut out = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => out.push_str(text),
                Piece::Suffix(hole) => out.push_str(&text(hole, evaluated(hole, scope)?)?),
                Piece::Hole(hole) => {
                    let text = text(hole, evaluated(hole, scope)?)?;
                    if text.is_empty() && is_name {
                        return Err(no_text(hole, "is empty"));
                    }
                    out.push_str(&text);
                }
            }
        }
        Ok(out)
    }

    fn expressions(&self) -> impl Iterator<Item = &Expression> {
        self.0.iter().filter_map(|piece| match piece {
            Piece::Text(_) => None,
            Piece::Hole(hole) | Piece::Suffix(hole) => Some(hole),
        })
    }
}

fn evaluated(hole: &Expression, scope: &mut Scope<'_>) -> Result<Value, String> {
    hole.evaluate(scope)
        .map_err(|failure: Failure| no_text(hole, &failure.to_string()))
}

fn text(hole: &Expression, value: Value) -> Result<String, String> {
    Ok(match value {
        Value::String(text) => text.to_string(),
        Value::Int(number) => number.to_string(),
        Value::UInt(number) => number.to_string(),
        Value::Bool(yes) => yes.to_string(),
        Value::Float(number) if number.abs() < EXACT => number.to_string(),
        // Two ids may be one such number.
        Value::Float(_) => return Err(no_text(hole, "is a number that lost digits")),
        Value::Timestamp(at) => at.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true),
        Value::Null => String::new(),
        other => {
            return Err(no_text(
                hole,
                &format!("gives a {}, not a text", other.type_of()),
            ));
        }
    })
}

fn no_text(hole: &Expression, problem: &str) -> String {
    format!("{{{}}}: {problem}", hole.text())
}

impl TryFrom<String> for Template {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut rest = text.as_str();
        while let Some((before, after)) = rest.split_once('{') {
            if !before.is_empty() {
                pieces.push(Piece::Text(before.to_owned()));
            }
            let (hole, behind) = hole(&text, after)?;
            pieces.push(Piece::Hole(hole));
            rest = behind;
        }
        if !rest.is_empty() {
            pieces.push(Piece::Text(rest.to_owned()));
        }
        if pieces.is_empty() {
            return Err("must not be empty".to_owned());
        }
        Ok(Self(pieces))
    }
}

/// The expression up to the first `}` before which there is one, and what comes after it: an
/// expression may have braces itself.
fn hole<'t>(text: &str, after: &'t str) -> Result<(Expression, &'t str), String> {
    let mut first = None;
    for (end, _) in after.match_indices('}') {
        match Expression::compile(&after[..end]) {
            Ok(expression) => return Ok((expression, &after[end + 1..])),
            Err(problem) => {
                first.get_or_insert_with(|| format!("{{{}}}: {problem}", &after[..end]));
            }
        }
    }
    if let Some(name) = after
        .strip_prefix('{')
        .and_then(|rest| rest.split('}').next())
    {
        return Err(format!(
            "{{{{{name}}}}}: one brace on each side is enough: {{{name}}}"
        ));
    }
    Err(first.unwrap_or_else(|| format!("{text:?}: a '{{' without its '}}'")))
}

/// Temporal's `limit.maxIDLength`, bytes.
const MAX_NAME: usize = 1000;
/// 2^53: up to here a double holds every whole number.
const EXACT: f64 = 9_007_199_254_740_992.0;

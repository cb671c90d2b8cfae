//! Text with `{…}` holes, each hole an expression: ids, names, queues, attributes, memo.

mod name;

use std::borrow::Cow;
use std::fmt;

use cel::Value;
use serde::Deserialize;

pub use self::name::DEAD_LETTER;
use self::name::{Escaping, escape_dead_letter_prefix, push_escaped, shortened};
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

/// What a shape is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// The same for all.
    Text(String),
    /// What the event brings in: at least one character, printable ASCII; no `:` at the beginning.
    Hole(String),
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Hole(expression) => write!(f, "{{{expression}}}"),
        }
    }
}

impl Template {
    /// This template followed by `:{topic}`, for events that have one.
    pub fn per_topic(mut self) -> Self {
        let suffix = Expression::compile("topic == '' ? '' : ':' + topic");
        self.0.push(Piece::Suffix(suffix.expect("an expression")));
        self
    }

    /// What the expression says, and nothing around it.
    pub fn of(expression: Expression) -> Self {
        Self(vec![Piece::Hole(expression)])
    }

    /// Whether an expression in it reads the variable.
    pub fn reads(&self, variable: &str) -> bool {
        self.expressions().any(|hole| hole.reads(variable))
    }

    /// The headers that its expressions name.
    pub fn headers(&self) -> impl Iterator<Item = &str> {
        self.expressions().flat_map(Expression::headers)
    }

    /// Why it never is a text, whatever the event; as a value, a single hole may be anything.
    pub fn type_mismatch(&self, as_text: bool) -> Option<String> {
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
        Some(hole_error(hole, &problem))
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
        !per_event.iter().any(|variable| self.reads(variable))
    }

    /// The type of its values: that of a single hole, else text.
    pub fn result(&self) -> &Type {
        match self.0.as_slice() {
            [Piece::Hole(hole)] => hole.result(),
            _ => &Type::String,
        }
    }

    /// The text, if it has no holes.
    pub fn literal(&self) -> Option<&str> {
        match self.0.as_slice() {
            [Piece::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// A name: a task queue's, a type's, a signal's, an update's. No hole of it is empty; what holes
    /// bring in that is no printable ASCII, or a `%` before two hex digits, is percent-encoded; over
    /// 1,000 bytes it is shortened.
    ///
    /// # Errors
    /// Which hole gives no text, and why.
    pub fn name(&self, scope: &mut Scope<'_>) -> Result<String, String> {
        Ok(shortened(self.text_of(scope, Kind::Name)?, MAX_NAME))
    }

    /// A workflow's id: a name in which a hole that begins it writes `:` as `%3A`, so that it never
    /// is another source's `{name}:…`; nor a dead letter's `dead-letter:…`, whatever it is made of.
    ///
    /// # Errors
    /// Those of [`Template::name`].
    pub fn id(&self, scope: &mut Scope<'_>) -> Result<String, String> {
        let mut id = self.text_of(scope, Kind::Id)?;
        escape_dead_letter_prefix(&mut id);
        Ok(shortened(id, MAX_NAME))
    }

    /// The id of a workflow that somebody else named: a name in which a hole that begins it stays as
    /// it was sent, `:` and `%` too.
    ///
    /// # Errors
    /// Those of [`Template::name`].
    pub fn verbatim_id(&self, scope: &mut Scope<'_>) -> Result<String, String> {
        Ok(shortened(self.text_of(scope, Kind::VerbatimId)?, MAX_NAME))
    }

    /// A fairness key: a name of at most 64 bytes, in which `null` is nothing.
    ///
    /// # Errors
    /// Those of [`Template::name`].
    pub fn key(&self, scope: &mut Scope<'_>) -> Result<String, String> {
        Ok(shortened(self.text_of(scope, Kind::Key)?, MAX_KEY))
    }

    /// A text, in which `null` is nothing.
    ///
    /// # Errors
    /// Which hole gives no text, and why.
    pub fn text(&self, scope: &mut Scope<'_>) -> Result<String, String> {
        self.text_of(scope, Kind::Text)
    }

    /// A value: of a single hole, that of its expression; else the text.
    ///
    /// # Errors
    /// Which hole gives no value, and why.
    pub fn value(&self, scope: &mut Scope<'_>) -> Result<serde_json::Value, String> {
        match self.0.as_slice() {
            [Piece::Hole(hole)] => {
                let value = evaluate_hole(hole, scope)?;
                // No JSON has it, the library would make it null.
                if matches!(value, Value::Float(number) if !number.is_finite()) {
                    return Err(hole_error(hole, "gives no finite number"));
                }
                let json = value.json();
                json.map_err(|_| hole_error(hole, "gives what JSON cannot say"))
            }
            _ => self.text(scope).map(serde_json::Value::String),
        }
    }

    fn text_of(&self, scope: &mut Scope<'_>, kind: Kind) -> Result<String, String> {
        let mut out = String::new();
        for (index, piece) in self.0.iter().enumerate() {
            let hole = match piece {
                Piece::Text(text) => {
                    out.push_str(text);
                    continue;
                }
                Piece::Hole(hole) | Piece::Suffix(hole) => hole,
            };
            let text = match scope.text(hole.text().trim()) {
                Some(text) => Cow::Borrowed(text),
                None => Cow::Owned(text(hole, evaluate_hole(hole, scope)?)?),
            };
            let is_name = matches!(kind, Kind::Name | Kind::Id | Kind::VerbatimId);
            let must_be = is_name && matches!(piece, Piece::Hole(_));
            if text.is_empty() && must_be {
                return Err(hole_error(hole, "is empty"));
            }
            match kind {
                Kind::Text => out.push_str(&text),
                Kind::Id if index == 0 => push_escaped(&mut out, &text, Escaping::Leading),
                Kind::VerbatimId if index == 0 => push_escaped(&mut out, &text, Escaping::Verbatim),
                _ => push_escaped(&mut out, &text, Escaping::Inner),
            }
        }
        Ok(out)
    }

    /// What all ids of the source of this name, provider and path have in common; `None` if it computes
    /// with name or path, and so keeps its source apart as it likes.
    pub fn shape(&self, name: &str, provider: &str, source: &str) -> Option<Vec<Part>> {
        let known = [("name", name), ("source", source), ("provider", provider)];
        let mut parts: Vec<Part> = Vec::new();
        for (index, piece) in self.0.iter().enumerate() {
            let part = match piece {
                Piece::Text(text) => Part::Text(text.clone()),
                Piece::Suffix(_) => Part::Text(PER_TOPIC.to_owned()),
                Piece::Hole(hole) => {
                    let expression = hole.text().trim();
                    if let Some((_, value)) = known.iter().find(|(name, _)| *name == expression) {
                        let mut text = String::new();
                        let escaping = if index == 0 {
                            Escaping::Leading
                        } else {
                            Escaping::Inner
                        };
                        push_escaped(&mut text, value, escaping);
                        Part::Text(text)
                    } else if hole.reads("name") || hole.reads("source") {
                        return None;
                    } else if hole.reads("provider") {
                        Part::Hole(format!("{expression} of {provider}"))
                    } else {
                        Part::Hole(expression.to_owned())
                    }
                }
            };
            match (parts.last_mut(), part) {
                (Some(Part::Text(before)), Part::Text(text)) => before.push_str(&text),
                (_, part) => parts.push(part),
            }
        }
        Some(parts)
    }

    /// For people: the template with what is known of the source in it, such as `github:{event_id}`.
    pub fn shown(&self, name: &str, provider: &str, source: &str) -> String {
        match self.shape(name, provider, source) {
            Some(parts) => parts.iter().map(ToString::to_string).collect(),
            None => format!("{self} of {name} at {source}"),
        }
    }

    fn expressions(&self) -> impl Iterator<Item = &Expression> {
        self.0.iter().filter_map(|piece| match piece {
            Piece::Text(_) => None,
            Piece::Hole(hole) | Piece::Suffix(hole) => Some(hole),
        })
    }
}

/// What a template makes.
#[derive(Clone, Copy)]
enum Kind {
    /// For people: as it is.
    Text,
    Name,
    Id,
    VerbatimId,
    Key,
}

fn evaluate_hole(hole: &Expression, scope: &mut Scope<'_>) -> Result<Value, String> {
    hole.evaluate(scope)
        .map_err(|failure: Failure| hole_error(hole, &failure.to_string()))
}

fn text(hole: &Expression, value: Value) -> Result<String, String> {
    Ok(match value {
        Value::String(text) => text.to_string(),
        Value::Int(number) => number.to_string(),
        Value::UInt(number) => number.to_string(),
        Value::Bool(yes) => yes.to_string(),
        Value::Float(number) if number.abs() < EXACT => number.to_string(),
        // Two ids may be one such number.
        Value::Float(_) => return Err(hole_error(hole, "is a number that lost digits")),
        Value::Timestamp(at) => at.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true),
        Value::Null => String::new(),
        other => {
            return Err(hole_error(
                hole,
                &format!("gives a {}, not a text", other.type_of()),
            ));
        }
    })
}

fn hole_error(hole: &Expression, problem: &str) -> String {
    format!("{{{}}}: {problem}", hole.text())
}

/// As it was written.
impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => f.write_str(text)?,
                Piece::Hole(hole) => write!(f, "{{{}}}", hole.text())?,
                Piece::Suffix(_) => f.write_str(PER_TOPIC)?,
            }
        }
        Ok(())
    }
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
/// Temporal's limit of a fairness key, bytes.
const MAX_KEY: usize = 64;
/// How people are shown [`Template::per_topic`].
const PER_TOPIC: &str = "[:{topic}]";
/// 2^53: up to here a double holds every whole number.
const EXACT: f64 = 9_007_199_254_740_992.0;

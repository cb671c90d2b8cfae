//! The variables of an expression: made when one is evaluated, the body read when one asks for it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::SystemTime;

use cel::Context;
use cel::common::types::{CelBool, CelBytes, CelMap, CelMapKey, CelString, CelTimestamp};
use cel::common::value::Val;
use chrono::{DateTime, Utc};

use super::cost::{Allowance, Budget};
use super::{ENV, body};

/// The variables that are texts, whatever the event.
pub const TEXTS: [&str; 6] = ["name", "event_id", "topic", "tenant", "provider", "source"];

/// The variables of one event, and what its expressions may still spend.
pub struct Scope<'v> {
    unread_body: UnreadBody<'v>,
    texts: [&'v str; TEXTS.len()],
    headers: &'v [(String, String)],
    /// Adds all others that it has from the beginning.
    others: Box<dyn Fn(&mut Variables<'v>) + 'v>,
    /// Once there was something to evaluate.
    variables: Option<Variables<'v>>,
    has_body: bool,
    allowance: Allowance,
    pub(super) budget: Budget,
}

/// The variables, as the library wants them.
pub struct Variables<'v>(Context<'v, 'v>);

/// What becomes the variable `body` once an expression names it.
#[derive(Debug, Clone, Copy)]
pub enum UnreadBody<'v> {
    /// Maps and lists.
    Json(&'v [u8]),
    /// A text.
    Text(&'v str),
    /// All else.
    Bytes(&'v [u8]),
}

impl<'v> Scope<'v> {
    /// Of the body, the texts in the order of [`TEXTS`], headers and others: most events have ids, names and
    /// conditions made of texts and headers alone.
    pub fn new(
        unread_body: UnreadBody<'v>,
        texts: [&'v str; TEXTS.len()],
        headers: &'v [(String, String)],
        others: impl Fn(&mut Variables<'v>) + 'v,
    ) -> Self {
        Self {
            unread_body,
            texts,
            headers,
            others: Box::new(others),
            variables: None,
            has_body: false,
            allowance: Allowance::Full,
            budget: Allowance::Full.budget(),
        }
    }

    /// With this allowance, nothing of it spent.
    #[must_use]
    pub const fn with_allowance(mut self, allowance: Allowance) -> Self {
        self.allowance = allowance;
        self.budget = allowance.budget();
        self
    }

    /// Whether a brief allowance did not suffice: then what came out counts for nothing.
    pub fn is_cut_short(&self) -> bool {
        self.allowance == Allowance::Brief && self.budget.is_over()
    }

    /// The value of an expression that is nothing but the name of a text.
    pub(super) fn text(&self, expression: &str) -> Option<&'v str> {
        let index = TEXTS.iter().position(|name| *name == expression);
        index.map(|index| self.texts[index])
    }

    /// Whether a variable of this name is a text.
    pub(super) fn has_text(name: &str) -> bool {
        TEXTS.contains(&name)
    }

    /// The value of this header.
    pub(super) fn header(&self, name: &str) -> Option<&'v str> {
        let mut headers = self.headers.iter().rev();
        let found = headers.find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    pub(super) fn context(&mut self) -> &Context<'v, 'v> {
        &self.variables().0
    }

    fn variables(&mut self) -> &mut Variables<'v> {
        let (texts, headers, others) = (&self.texts, self.headers, &self.others);
        self.variables.get_or_insert_with(|| {
            let mut variables = Variables(Context::with_env(Arc::clone(&ENV)));
            for (name, value) in TEXTS.iter().zip(texts) {
                variables.add(name, Box::new(CelString::from(*value)));
            }
            variables.texts("headers", headers.iter().cloned());
            others(&mut variables);
            variables
        })
    }

    /// Makes the variable `body`: JSON and forms as maps and lists, text as text, all else as bytes.
    ///
    /// # Errors
    /// A body that is too large or too deep to look into, or is no JSON where it should be.
    pub(super) fn read_body(&mut self) -> Result<(), String> {
        if self.has_body {
            return Ok(());
        }
        let value: Box<dyn Val + 'v> = match self.unread_body {
            UnreadBody::Json(json) => body::read(json)?,
            UnreadBody::Text(text) => Box::new(CelString::from(text)),
            UnreadBody::Bytes(bytes) => Box::new(CelBytes::from(bytes.to_vec())),
        };
        self.variables().add("body", value);
        self.has_body = true;
        Ok(())
    }
}

impl<'v> Variables<'v> {
    /// Adds a map of texts.
    pub fn texts(&mut self, name: &str, entries: impl Iterator<Item = (String, String)>) {
        self.add(name, map(entries));
    }

    /// Adds a moment.
    pub fn timestamp(&mut self, name: &str, at: SystemTime) {
        let at = CelTimestamp::from(time(at).fixed_offset());
        self.add(name, Box::new(at));
    }

    /// Adds a truth.
    pub fn flag(&mut self, name: &str, value: bool) {
        self.add(name, Box::new(CelBool::from(value)));
    }

    fn add(&mut self, name: &str, value: Box<dyn Val + 'v>) {
        self.0.add_variable_as_val(name, value);
    }
}

fn map<'v>(entries: impl Iterator<Item = (String, String)>) -> Box<dyn Val + 'v> {
    let entries = entries.map(|(name, value)| {
        let value: Box<dyn Val + 'v> = Box::new(CelString::from(value));
        (CelMapKey::from(name), value)
    });
    Box::new(CelMap::from(entries.collect::<HashMap<_, _>>()))
}

/// The standard library's time as chrono's, which the expressions' library takes.
pub(crate) fn time(at: SystemTime) -> DateTime<Utc> {
    DateTime::from(at)
}

//! The variables of an expression, the body read when one asks for it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::SystemTime;

use cel::Context;
use cel::common::types::{CelBool, CelBytes, CelMap, CelMapKey, CelString, CelTimestamp};
use cel::common::value::Val;
use chrono::{DateTime, Utc};

use super::cost::{Allowance, Budget};
use super::{ENV, body};

/// The variables of one event, and what its expressions may still spend.
pub struct Scope<'v> {
    unread_body: UnreadBody<'v>,
    context: Context<'v, 'v>,
    has_body: bool,
    allowance: Allowance,
    pub(super) budget: Budget,
}

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
    /// No variables yet but the body.
    pub fn new(unread_body: UnreadBody<'v>) -> Self {
        Self {
            unread_body,
            context: Context::with_env(Arc::clone(&ENV)),
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

    /// Adds a text.
    pub fn text(&mut self, name: &str, value: &'v str) {
        self.add(name, Box::new(CelString::from(value)));
    }

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
        self.context.add_variable_as_val(name, value);
    }

    pub(super) const fn context(&self) -> &Context<'v, 'v> {
        &self.context
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
        self.add("body", value);
        self.has_body = true;
        Ok(())
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

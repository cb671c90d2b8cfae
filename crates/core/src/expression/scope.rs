//! The variables of an expression: one event, its body read when an expression asks for it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::SystemTime;

use cel::Context;
use cel::common::types::{CelBool, CelBytes, CelMap, CelMapKey, CelString, CelTimestamp};
use cel::common::value::Val;
use chrono::{DateTime, Utc};

use super::{ENV, body, cost};
use crate::event::{Data, Event};

/// The variables of one event, and what its expressions may still spend.
pub struct Scope<'v> {
    event: &'v Event,
    context: Context<'v, 'v>,
    has_body: bool,
    pub(super) budget: cost::Budget,
}

impl<'v> Scope<'v> {
    /// The variables of an event of the source of this name. What the event has not is an empty text.
    pub fn new(event: &'v Event, name: &'v str) -> Self {
        let mut context = Context::with_env(Arc::clone(&ENV));
        let mut text = |name: &str, value: &'v str| {
            context.add_variable_as_val(name, Box::new(CelString::from(value)));
        };
        text("name", name);
        text("event_id", &event.id);
        text("topic", event.topic.as_deref().unwrap_or_default());
        text("tenant", event.tenant.as_deref().unwrap_or_default());
        text("provider", &event.provider);
        text("source", &event.source);
        let headers = event.headers.iter();
        let headers = headers.map(|(name, value)| (name.clone(), value.clone()));
        context.add_variable_as_val("headers", map(headers));
        let query = form_urlencoded::parse(event.query.as_bytes()).into_owned();
        context.add_variable_as_val("query", map(query));
        let at = CelTimestamp::from(time(event.received_at).fixed_offset());
        context.add_variable_as_val("received_at", Box::new(at));
        let verified = CelBool::from(event.is_verified());
        context.add_variable_as_val("verified", Box::new(verified));
        Self {
            event,
            context,
            has_body: false,
            budget: cost::FULL,
        }
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
        let value: Box<dyn Val + 'v> = match &self.event.data {
            Data::Json(json) | Data::Fields(json) => body::read(json)?,
            Data::Text(text) => Box::new(CelString::from(text.as_str())),
            Data::Binary(bytes) => Box::new(CelBytes::from(bytes.to_vec())),
        };
        self.context.add_variable_as_val("body", value);
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

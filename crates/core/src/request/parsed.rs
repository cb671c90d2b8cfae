//! What is read of a request, each part once however many ask for it: the fields of its query and of its form, its JSON.

use std::cell::OnceCell;

use http::Method;

use super::Received;
use super::json::{self, Node};
use crate::form::Field;

/// A request, and what was read of it so far.
pub struct Parsed<'r> {
    received: &'r Received,
    query: OnceCell<Vec<Field<'r>>>,
    form: OnceCell<Vec<Field<'r>>>,
    json: OnceCell<Option<Node<'r>>>,
}

impl<'r> Parsed<'r> {
    /// Nothing is read yet.
    pub const fn of(received: &'r Received) -> Self {
        Self {
            received,
            query: OnceCell::new(),
            form: OnceCell::new(),
            json: OnceCell::new(),
        }
    }

    /// The request.
    pub(crate) const fn received(&self) -> &'r Received {
        self.received
    }

    /// See [`Received::query_fields`].
    pub(crate) fn query_fields(&self) -> &[Field<'r>] {
        self.query.get_or_init(|| self.received.query_fields())
    }

    /// See [`Received::fields`].
    pub(crate) fn fields(&self) -> &[Field<'r>] {
        if self.received.method == Method::GET {
            return self.query_fields();
        }
        self.form.get_or_init(|| self.received.fields())
    }

    /// See [`Received::event_fields`].
    pub(crate) fn event_fields(&self) -> &[Field<'r>] {
        if self.received.is_query() {
            self.query_fields()
        } else {
            self.fields()
        }
    }

    /// The text of this field of a form, if it is there once and is UTF-8.
    pub(crate) fn json_field(&self, name: &str) -> Option<&str> {
        let fields = self.fields().iter();
        let mut named = fields.filter(|(key, _)| **key == *name.as_bytes());
        let (_, value) = named.next().filter(|_| named.next().is_none())?;
        str::from_utf8(value).ok()
    }

    /// The body as JSON, whatever the request says that it is; `None` if it is none.
    pub(crate) fn json(&self) -> Option<&Node<'r>> {
        let read = || Node::parse(self.received.body_text()?);
        self.json.get_or_init(read).as_ref()
    }

    /// The text of the JSON value that the body is; nothing is kept of it for who looks into it later.
    pub(crate) fn json_value(&self) -> Option<&'r str> {
        match self.json.get() {
            Some(json) => json.as_ref().map(Node::text),
            None => json::well_formed(self.received.body_text()?),
        }
    }
}

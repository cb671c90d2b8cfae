//! The search attributes of our own: which of them Temporal takes. One that is not registered would have
//! every start refused, so it is left out, and said.

use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use tonic::Code;
use webhook_core::dead_letter::contains_name;
use webhook_core::index::NAMES;
use webhook_core::outcome::Reject;

use super::payload::Fields;
use crate::telemetry::ATTRIBUTES_LEFT_OUT;

/// What is known of them; each is a bit, in the order of [`NAMES`].
#[derive(Debug, Default)]
pub struct Index {
    /// Somebody sets them, or asks for them.
    is_used: AtomicBool,
    /// Temporal said once which it has.
    is_asked: AtomicBool,
    /// Those that it does not take.
    refused: AtomicU8,
}

impl Index {
    /// Those that Temporal is known to have; none before it was asked.
    pub fn known(&self) -> [bool; NAMES.len()] {
        let refused = self.refused.load(Ordering::Relaxed);
        let is_asked = self.is_asked.load(Ordering::Relaxed);
        std::array::from_fn(|bit| is_asked && refused & (1 << bit) == 0)
    }

    pub(super) fn is_used(&self) -> bool {
        self.is_used.load(Ordering::Relaxed)
    }

    /// They are set, or asked for: from now on Temporal is asked which it has.
    pub fn use_it(&self) {
        self.is_used.store(true, Ordering::Relaxed);
    }

    /// Takes out what Temporal does not take, and counts it.
    pub(super) fn leave_out(&self, fields: &mut Fields) {
        self.use_it();
        let refused = self.refused.load(Ordering::Relaxed);
        if refused == 0 {
            return;
        }
        for (bit, name) in NAMES.into_iter().enumerate() {
            if refused & (1 << bit) != 0 && fields.remove(name).is_some() {
                metrics::counter!(ATTRIBUTES_LEFT_OUT, "attribute" => name).increment(1);
            }
        }
    }

    /// After the refusal of a call that had these: those that go along with it when it is made again. `None`:
    /// nothing was refused for their sake.
    pub(super) fn less(&self, mut fields: Fields, refusal: &str) -> Option<Fields> {
        if fields.is_empty() {
            return None;
        }
        let is_named = |name: &str| contains_name(refusal, name);
        let before = fields.len();
        fields.retain(|name, _| !is_named(name));
        if fields.len() < before {
            self.refuse(is_named, refusal);
        } else {
            fields.clear();
        }
        Some(fields)
    }

    /// From now on they are left out: the refusal names them. Says so once.
    fn refuse(&self, is_named: impl Fn(&str) -> bool, why: &str) {
        for (bit, name) in NAMES.into_iter().enumerate() {
            if is_named(name)
                && self.refused.fetch_or(1 << bit, Ordering::Relaxed) & (1 << bit) == 0
            {
                tracing::error!(attribute = name, why, "search attribute {LEFT_OUT}");
            }
        }
    }

    /// What Temporal has, by name and type.
    pub(super) fn learn(&self, is_known: impl Fn(&str) -> bool) {
        self.refuse(|name| !is_known(name), "not registered as Keyword");
        for (bit, name) in NAMES.into_iter().enumerate() {
            if is_known(name)
                && self.refused.fetch_and(!(1 << bit), Ordering::Relaxed) & (1 << bit) != 0
            {
                tracing::info!(
                    attribute = name,
                    "search attribute is registered now, and set again"
                );
            }
        }
        self.is_asked.store(true, Ordering::Relaxed);
    }
}

/// The text of a refusal that is for what the call says: it may be taken if it says less.
pub(super) fn refusal(reject: &Reject) -> Option<&str> {
    match reject {
        Reject::Unstartable(text) if text.starts_with(Code::InvalidArgument.description()) => {
            Some(text)
        }
        _ => None,
    }
}

/// What becomes of one.
pub const LEFT_OUT: &str = "not taken by Temporal: events are started without it, and not found by it. `check --register-search-attributes` registers it";

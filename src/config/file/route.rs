//! What a `[[source]]` and its `[[source.route]]` can say about events, as the person wrote it.

use webhook_core::action::{Action, DeadLetters, OnLate, OnMissing, Respond};
use webhook_core::codec::Compression;
use webhook_core::expression::Expression;
use webhook_core::expression::template::Template;
use webhook_core::options::{
    ConflictPolicy, Options, Priority, Retry, ReusePolicy, Timeout, Versioning, Weight,
};
use webhook_core::payload::Format;
use webhook_core::route_keys;

use super::values::{Condition, retry, template, templates, value, versioning};
use crate::config::reader::{Places, Reader, Section};

/// `[[source.route]]`
#[derive(Debug, Clone)]
pub struct Route {
    /// Its keys' names, for mistakes.
    pub places: Places,
    /// `None` if the file has none that can be one.
    pub when: Option<Expression>,
    /// What it says otherwise than its source.
    pub overrides: Overrides,
}

impl Route {
    pub(super) fn read<'t>(r: &mut Reader<'t>, mut s: Section<'t>) -> Self {
        let places = r.places(&s);
        let when = s.require(
            r,
            "when",
            "a condition such as 'topic == \"orders/create\"'",
        );
        let route = Self {
            places,
            when: when.map(|Condition(expression)| expression),
            overrides: Overrides::read(r, &mut s),
        };
        s.finish(r);
        route
    }
}

macro_rules! overrides {
    ($($group:ident {
        $($(#[$doc:meta])* $key:ident: $type:ty as $reading:ident, for $actions:expr;)*
    })*) => {
        /// Everything that a route may say otherwise than its source, and a source than its provider: the
        /// keys of the [table](webhook_core::keys).
        #[derive(Debug, Default, Clone)]
        pub struct Overrides {
            $($($(#[$doc])* pub $key: Option<$type>,)*)*
        }

        impl Overrides {
            pub(super) fn read<'t>(r: &mut Reader<'t>, s: &mut Section<'t>) -> Self {
                Self { $($($key: $reading(r, s, stringify!($key)),)*)* }
            }

            /// These, and where they say nothing, those of `base`.
            pub fn or(self, base: &Self) -> Self {
                Self { $($($key: self.$key.or_else(|| base.$key.clone()),)*)* }
            }

            /// Whether the key is there.
            pub fn has(&self, key: &str) -> bool {
                match key {
                    $($(stringify!($key) => self.$key.is_some(),)*)*
                    _ => false,
                }
            }

            /// Its templates.
            pub fn templates(&self) -> Vec<Written<'_>> {
                let mut written = Vec::new();
                $($(list!($reading, stringify!($key), &self.$key, written);)*)*
                written
            }
        }
    };
}

macro_rules! list {
    (template, $key:expr, $value:expr, $into:ident) => {
        $into.extend($value.iter().map(|template| Written {
            key: $key,
            name: None,
            template,
        }));
    };
    (templates, $key:expr, $value:expr, $into:ident) => {
        let entries = $value.iter().flatten();
        $into.extend(entries.map(|(name, template)| Written {
            key: $key,
            name: Some(name),
            template,
        }));
    };
    ($other:ident, $key:expr, $value:expr, $into:ident) => {};
}

macro_rules! options {
    (
        settings { $($settings:tt)* }
        values { $($(#[$vd:meta])* $value:ident: $vt:ty as $vr:ident, for $va:expr;)* }
        labels { $($(#[$ld:meta])* $label:ident: $lt:ty as $lr:ident, for $la:expr;)* }
        tables { $($tables:tt)* }
        texts { $($(#[$td:meta])* $text:ident: $tt:ty as $tr:ident, for $ta:expr;)* }
        verb { $($verb:tt)* }
    ) => {
        impl Overrides {
            /// Those that go to Temporal, whatever the action decides.
            pub fn options(&self) -> Options<Template> {
                Options {
                    $($value: self.$value.clone(),)*
                    $($label: self.$label.clone(),)*
                    $($text: self.$text.clone(),)*
                }
            }
        }
    };
}

route_keys!(overrides);
route_keys!(options);

/// A template, and where it stands.
#[derive(Debug)]
pub struct Written<'o> {
    /// The key.
    pub key: &'static str,
    /// Its name in the key's table: it makes a value. Else it makes a text.
    pub name: Option<&'o str>,
    /// What stands there.
    pub template: &'o Template,
}

//! Twilio's form: names sorted, each with its values, repeated values once and sorted.
//! <https://www.twilio.com/docs/usage/security>

use std::collections::{BTreeMap, BTreeSet};

use crate::core::request::{FORM, Received};

/// `None` if the request carries no form: then the fields would cover nothing.
pub(super) fn sorted_form(received: &Received) -> Option<Vec<u8>> {
    if received.media_type().as_deref() != Some(FORM) {
        return None;
    }
    let mut fields = BTreeMap::<String, BTreeSet<String>>::new();
    for (name, value) in form_urlencoded::parse(&received.body) {
        fields
            .entry(name.into_owned())
            .or_default()
            .insert(value.into_owned());
    }
    let mut out = Vec::new();
    for (name, values) in fields {
        for value in values {
            out.extend_from_slice(name.as_bytes());
            out.extend(value.into_bytes());
        }
    }
    Some(out)
}

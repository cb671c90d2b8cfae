//! Secrets in a file: one or a list of them. No mistake repeats what stands there.

use toml::Spanned;
use toml::de::DeValue;

use super::Reader;
use crate::config::secret::SecretRef;

/// One secret or a list of them.
pub(super) fn secrets<'t>(
    reader: &mut Reader<'t>,
    place: &str,
    value: Spanned<DeValue<'t>>,
) -> Vec<Placed> {
    let at = value.span().start;
    let (items, many) = match value.into_inner() {
        DeValue::Array(items) => (items.into_iter().collect(), true),
        other => (vec![Spanned::new(at..at, other)], false),
    };
    let read = items.into_iter().enumerate().filter_map(|(index, item)| {
        let at = item.span().start;
        let place = if many {
            format!("{place}[{}]", index + 1)
        } else {
            place.to_owned()
        };
        let secret = secret(item);
        if secret.is_none() {
            reader.mistake(at, &place, SECRET);
        }
        Some((reader.place(at, &place), secret?))
    });
    read.collect()
}

/// A secret, and how a mistake names its place.
pub type Placed = (String, SecretRef);

pub(super) fn secret(value: Spanned<DeValue<'_>>) -> Option<SecretRef> {
    match value.into_inner() {
        DeValue::String(text) => Some(SecretRef::from(text.into_owned())),
        _ => None,
    }
}

/// What is expected where a secret stands.
pub(super) const SECRET: &str = "expected a text: \"env:NAME\" or \"file:PATH\"";

//! Text with `{…}` holes, as templates and signed strings are written.

use super::similar::did_you_mean;

/// The text's pieces in their order: what stands between holes, and what `hole` makes of a name.
///
/// # Errors
/// A brace that is not closed, a name that `hole` does not know (`vocabulary` says which it does).
pub fn pieces<P>(
    text: &str,
    vocabulary: &str,
    plain: impl Fn(String) -> P,
    hole: impl Fn(&str) -> Option<P>,
) -> Result<Vec<P>, String> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, behind) = after
            .split_once('}')
            .ok_or_else(|| format!("{text:?}: a '{{' without its '}}'"))?;
        if !before.is_empty() {
            pieces.push(plain(before.to_owned()));
        }
        pieces.push(hole(name).ok_or_else(|| {
            let word = |name: &'_ str| name.split(':').next().unwrap_or_default().to_owned();
            let known: Vec<_> = vocabulary.split(", ").map(word).collect();
            let suggestion = did_you_mean(&word(name), known.iter().map(String::as_str));
            format!("{text:?}: unknown name {name:?}{suggestion}, expected one of {vocabulary}")
        })?);
        rest = behind;
    }
    if !rest.is_empty() {
        pieces.push(plain(rest.to_owned()));
    }
    Ok(pieces)
}

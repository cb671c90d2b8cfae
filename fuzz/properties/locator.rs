//! A place, a query, a content type; the rest is the body.

use webhook_core::provider::locator::{Locator, Lookup};

use super::input::{lines, received};

/// Whether there was anything to hold.
pub(crate) fn holds(data: &[u8]) -> bool {
    let ([place, query, content_type], body) = lines(data);
    let Ok(place) = Locator::try_from(place) else {
        return false;
    };
    // As it is shown it is read again.
    assert_eq!(Locator::try_from(place.to_string()).as_ref(), Ok(&place));
    let received = received(&query, &content_type, body);
    let strict = place.find(&received);
    assert_eq!(strict, place.find(&received));
    for lenient in [place.label(&received), place.id(&received)] {
        assert_ne!(lenient, Lookup::One(String::new()), "an empty label");
    }
    if !place.needs_body()
        && !matches!(
            place,
            Locator::Form(_) | Locator::RequestSha256 | Locator::Joined(_)
        )
    {
        let other = super::input::received(&query, &content_type, b"");
        assert_eq!(
            strict,
            place.find(&other),
            "the body has nothing to do with it"
        );
    }
    true
}

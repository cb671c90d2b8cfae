//! A template of signed bytes, a query, a content type; the rest is the body.

use webhook_core::verify::signed::{Scope, Signed};

use super::input::{lines, received};

/// Whether there was anything to hold.
pub(crate) fn holds(data: &[u8]) -> bool {
    let ([template, query, content_type], body) = lines(data);
    let Ok(signed) = Signed::try_from(template) else {
        return false;
    };
    let params = [("topics", "arn:aws:sns:eu-west-1:1:a"), ("a", "b")];
    let params = params.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let url = format!("https://hooks.example.com/temporal/test?{query}");
    let render = |body: &[u8]| {
        let received = received(&query, &content_type, body);
        let scope = Scope {
            received: &received,
            timestamp: Some("1795435200"),
            url: Some(&url),
            params: &params,
        };
        let rendered = signed.render(&scope).ok()?;
        let whole = rendered.whole().into_owned();
        assert_eq!(whole, rendered.parts().collect::<Vec<_>>().concat());
        Some(whole)
    };
    let whole = render(body);
    let is_rendered = whole.is_some();
    assert_eq!(whole, render(body));
    if let (true, [before @ .., last]) = (signed.covers_body(), body) {
        let other = [before, &[last ^ 1]].concat();
        // The rest of the template may ask for a body that can be read.
        if let (Some(whole), Some(other)) = (whole, render(&other)) {
            assert_ne!(whole, other, "a bit of the body that does not count");
        }
    }
    is_rendered
}

//! The live page: one file, compiled in. It asks `/stream` for everything, and its policy lets it load nothing
//! from elsewhere and run nothing but its own script.

use std::sync::LazyLock;

use aws_lc_rs::digest;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};

/// The page; it says nothing by itself.
pub(super) fn page() -> Response {
    let headers = [
        (
            CONTENT_TYPE,
            HeaderValue::from_static("text/html; charset=utf-8"),
        ),
        (CONTENT_SECURITY_POLICY, POLICY.clone()),
    ];
    (headers, PAGE).into_response()
}

/// Script and style of the page by their hashes, requests to this listener, the icon, nothing else.
static POLICY: LazyLock<HeaderValue> = LazyLock::new(|| {
    let (script, style) = (hash("script"), hash("style"));
    let policy = format!(
        "default-src 'none'; script-src '{script}'; style-src '{style}'; connect-src 'self'; img-src data:; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
    );
    HeaderValue::from_str(&policy).expect("it is ASCII")
});

/// Of what stands in the page's one element of this name.
fn hash(element: &str) -> String {
    let (begin, end) = (format!("<{element}>"), format!("</{element}>"));
    let inside = PAGE
        .split_once(&begin)
        .and_then(|(_, rest)| rest.split_once(&end));
    let (text, _) = inside.expect("the page has one");
    let digest = digest::digest(&digest::SHA256, text.as_bytes());
    format!("sha256-{}", STANDARD.encode(digest))
}

const PAGE: &str = include_str!("page/page.html");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_needs_nothing_but_itself() {
        for element in ["script", "style"] {
            let elements = PAGE.matches(&format!("<{element}")).count();
            assert_eq!(elements, 1, "one {element}, whose hash is in the policy");
        }
        // What a policy without 'unsafe-inline' would refuse, or what would be asked for elsewhere.
        for word in [
            " style=",
            " onclick=",
            " onload=",
            "@import",
            "url(",
            "src=",
            "<form action",
            "javascript:",
        ] {
            assert!(!PAGE.contains(word), "{word}");
        }
        let addresses = PAGE.match_indices("://");
        let others = addresses.filter(|(at, _)| !PAGE[*at..].starts_with("://www.w3.org/2000/svg"));
        let others: Vec<_> = others.map(|(at, _)| &PAGE[at..at + 20]).collect();
        assert_eq!(others, Vec::<&str>::new());
    }

    #[test]
    fn the_policy_names_no_unsafe_word() {
        let policy = POLICY.to_str().expect("ASCII");
        assert!(
            policy.contains("script-src 'sha256-") && !policy.contains("unsafe"),
            "{policy}"
        );
    }
}

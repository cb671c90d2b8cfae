//! What the look of a body says of a signature that does not hold, for senders of the catalogue.

use webhook_core::hint::hint;
use webhook_core::request::FORM;

use crate::config::provider::catalogue;

#[test]
fn no_sample_of_the_catalogue_looks_changed() {
    for provider in catalogue::all() {
        let said = provider.sample.headers.iter();
        let said = said.filter(|(name, _)| name.eq_ignore_ascii_case("content-type"));
        let media_type = said.map(|(_, value)| value.as_str()).next();
        let media_type = media_type.and_then(|text| text.split(';').next());
        let hint = hint(provider, media_type, provider.sample.body.as_bytes());
        let is_empty = provider.sample.body.is_empty();
        assert_eq!(hint.is_some(), is_empty, "{}: {hint:?}", provider.name);
    }
}

#[test]
fn what_was_written_anew_is_recognised() {
    let shopify = catalogue::find("shopify").expect("in the catalogue");
    let json = Some("application/json");
    for (media_type, body, word) in [
        (json, "{\n  \"id\": 1\n}", "pretty-printed"),
        (json, "[\r\n\t{}]", "pretty-printed"),
        (json, "\u{feff}{\n    \"id\": 1}", "pretty-printed"),
        (json, "\"{\\\"id\\\":1}\"", "encoded twice"),
        (json, "payload=%7B%22id%22%3A1%7D", "is a form"),
        (Some(FORM), "%7B%22id%22%3A1%7D=", "is a form"),
        (Some(FORM), "{\"id\":1}", "a form's"),
        (json, "", "empty"),
    ] {
        let hint = hint(shopify, media_type, body.as_bytes()).unwrap_or_default();
        assert!(hint.contains(word), "{body:?}: {hint:?}");
    }
    for body in [
        "{\"id\":1}",
        "{\"a\":\"b=c\"}",
        "{}\n",
        "[]",
        "<a b=\"c\"/>",
    ] {
        assert_eq!(hint(shopify, json, body.as_bytes()), None, "{body:?}");
    }
    let slack = catalogue::find("slack").expect("in the catalogue");
    let command = hint(slack, Some(FORM), b"token=x&command=%2Fweather");
    assert_eq!(command, None, "Slack has forms");
    let sns = catalogue::find("sns").expect("in the catalogue");
    let pretty = hint(
        sns,
        Some("text/plain"),
        b"{\n  \"Type\" : \"Notification\"\n}",
    );
    assert_eq!(pretty, None, "not the bytes are signed");
    let github = catalogue::find("github").expect("in the catalogue");
    let payload = hint(github, Some(FORM), b"payload=%7B%22zen%22%3A1%7D");
    assert_eq!(payload, None, "GitHub's own");
}

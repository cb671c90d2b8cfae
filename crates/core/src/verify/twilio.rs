//! Twilio's form: names sorted, each with its values, repeated values once and sorted.
//! <https://www.twilio.com/docs/usage/security>

use std::collections::{BTreeMap, BTreeSet};

use crate::form;
use crate::request::{FORM, Received};

/// `None` if the request carries no form: then the fields would cover nothing.
pub(super) fn sorted_form(received: &Received) -> Option<Vec<u8>> {
    if received.media_type().as_deref() != Some(FORM) {
        return None;
    }
    let mut fields = BTreeMap::<Vec<u8>, BTreeSet<Vec<u8>>>::new();
    for (name, value) in form::fields(&received.body) {
        fields
            .entry(name.into_owned())
            .or_default()
            .insert(value.into_owned());
    }
    let mut out = Vec::new();
    for (name, values) in fields {
        for value in values {
            out.extend_from_slice(&name);
            out.extend(value);
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use bytes::Bytes;
    use http::header::CONTENT_TYPE;
    use http::{HeaderMap, HeaderValue, Method};

    use super::*;

    fn sorted(content_type: &'static str, body: &[u8]) -> Option<Vec<u8>> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        sorted_form(&Received {
            path: String::new(),
            method: Method::POST,
            query: Some("not=signed".to_owned()),
            headers,
            body: Bytes::copy_from_slice(body),
            at: SystemTime::UNIX_EPOCH,
        })
    }

    #[test]
    fn fields_are_sorted_and_repeated_values_count_once() {
        for (body, expected) in [
            // The example of Twilio's documentation.
            (
                "CallSid=CA1234567890ABCDE&Caller=%2B14158675310&Digits=1234&From=%2B14158675310&To=%2B18005551212",
                "CallSidCA1234567890ABCDECaller+14158675310Digits1234From+14158675310To+18005551212",
            ),
            ("b=2&a=1", "a1b2"),
            ("a=2&a=1&a=2", "a1a2"),
            ("B=1&a=1&A=1", "A1B1a1"),
            ("a=x+y%20z&e=%C3%A9", "ax y zeé"),
            ("a&b=", "ab"),
            ("", ""),
        ] {
            let text = sorted(FORM, body.as_bytes()).expect("a form");
            assert_eq!(String::from_utf8(text).expect("text"), expected);
        }
    }

    #[test]
    fn what_is_no_form_has_no_text() {
        for content_type in [
            "application/json",
            "text/plain",
            "multipart/form-data; boundary=x",
        ] {
            assert_eq!(sorted(content_type, b"a=1"), None);
        }
        let with_charset = "Application/X-WWW-Form-Urlencoded; charset=utf-8";
        assert_eq!(sorted(with_charset, b"a=1"), Some(b"a1".to_vec()));
    }
}

//! Payloads as Temporal's remote codec protocol has them: `{"payloads": [{"metadata": {"encoding":
//! "<base64>", …}, "data": "<base64>"}]}`, protobuf's JSON form of `temporal.api.common.v1.Payloads`.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::proto::Payload;

/// Reads the payloads of a request.
///
/// # Errors
/// What is expected; nothing of what is there.
pub fn read(body: &[u8]) -> Result<Vec<Payload>, &'static str> {
    let request: Request = serde_json::from_slice(body).map_err(|_| EXPECTED)?;
    let payloads = request.payloads.unwrap_or_default().into_iter();
    payloads
        .map(|mut fields| {
            // Temporal's web interface writes an absent field as null.
            fields.retain(|_, value| !value.is_null());
            Payload::deserialize(Value::Object(fields)).map_err(|_| EXPECTED)
        })
        .collect()
}

/// Writes the payloads of an answer.
pub fn write(payloads: &[Payload]) -> Vec<u8> {
    json!({ "payloads": payloads }).to_string().into_bytes()
}

#[derive(Deserialize)]
struct Request {
    payloads: Option<Vec<Map<String, Value>>>,
}

const EXPECTED: &str = "expected {\"payloads\": [{\"metadata\": {…}, \"data\": \"…\"}]}, the values of metadata and data in base64";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload;

    #[test]
    fn the_form_is_that_of_the_protocol() {
        let written = write(&[payload::text("a")]);
        assert_eq!(
            String::from_utf8(written.clone()).expect("text"),
            r#"{"payloads":[{"metadata":{"encoding":"anNvbi9wbGFpbg=="},"data":"ImEi"}]}"#
        );
        assert_eq!(read(&written), Ok(vec![payload::text("a")]));
        assert_eq!(write(&[]), br#"{"payloads":[]}"#);
    }

    #[test]
    fn what_is_absent_null_or_in_another_base64_is_read() {
        let none: [&[u8]; 3] = [
            b"{}",
            br#"{"payloads":null}"#,
            br#"{"payloads":[],"later":1}"#,
        ];
        for body in none {
            assert_eq!(read(body), Ok(Vec::new()));
        }
        let body = br#"{"payloads":[{},{"data":null,"metadata":null},{"data":"-_8"}]}"#;
        let data = |bytes: &'static [u8]| Payload {
            data: bytes.into(),
            ..Payload::default()
        };
        assert_eq!(
            read(body),
            Ok(vec![data(b""), data(b""), data(b"\xfb\xff")])
        );
    }

    #[test]
    fn what_is_no_list_of_payloads_is_refused_without_being_repeated() {
        for body in [
            "",
            "hush",
            "[]",
            r#"{"payloads":{}}"#,
            r#"{"payloads":["hush"]}"#,
            r#"{"payloads":[{"data":"hush!"}]}"#,
            r#"{"payloads":[{"data":1}]}"#,
            r#"{"payloads":[{"metadata":{"encoding":1}}]}"#,
            r#"{"payloads":[{"hush":1}]}"#,
        ] {
            assert_eq!(read(body.as_bytes()), Err(EXPECTED), "{body}");
        }
    }
}

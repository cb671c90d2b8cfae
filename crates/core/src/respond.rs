//! A worker's result as an HTTP answer.

use bytes::Bytes;
use http::header::{
    CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, DATE, HOST, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::proto::Payload;

/// What the sender gets to hear.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// 200 to 599.
    pub status: StatusCode,
    /// Without those that belong to the connection.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Bytes,
}

/// `{"status": …, "headers": {…}, "body": …}`: an answer in all its parts.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Parts<'a> {
    status: u16,
    #[serde(default)]
    headers: serde_json::Map<String, serde_json::Value>,
    #[serde(borrow)]
    body: Option<&'a RawValue>,
}

/// The answer that an update's result, decoded, stands for: an object with `status`, and perhaps
/// `headers` and `body`, says all of it; anything else is the body of a 200, as JSON.
///
/// # Errors
/// A result that is no JSON, a status or a header that cannot be one.
pub fn reply(result: Option<&Payload>) -> Result<Reply, String> {
    let Some(payload) = result else {
        return Ok(json(StatusCode::OK, Bytes::new()));
    };
    match payload.encoding() {
        b"binary/null" => return Ok(json(StatusCode::OK, Bytes::new())),
        b"json/plain" | b"json/protobuf" => {}
        other => {
            let encoding = String::from_utf8_lossy(other);
            return Err(format!(
                "the workflow's result is {encoding:?}, expected json/plain"
            ));
        }
    }
    match serde_json::from_slice::<Parts<'_>>(&payload.data) {
        Ok(parts) => parts.reply(),
        Err(_) => Ok(json(StatusCode::OK, payload.data.clone())),
    }
}

impl Parts<'_> {
    fn reply(self) -> Result<Reply, String> {
        let status = StatusCode::from_u16(self.status)
            .ok()
            .filter(|status| (200..600).contains(&status.as_u16()))
            .ok_or_else(|| format!("the workflow's status {} is not 200 to 599", self.status))?;
        let body = match self.body.map(RawValue::get) {
            None | Some("null") => Bytes::new(),
            Some(raw) => match serde_json::from_str::<String>(raw) {
                Ok(text) => text.into(),
                Err(_) => {
                    return Ok(Reply {
                        headers: self.headers()?,
                        ..json(status, raw.to_owned().into())
                    }
                    .with_type(JSON));
                }
            },
        };
        let reply = Reply {
            status,
            headers: self.headers()?,
            body,
        };
        Ok(reply.with_type(TEXT))
    }

    fn headers(&self) -> Result<HeaderMap, String> {
        let mut headers = HeaderMap::new();
        let size = |(name, value): (&String, &serde_json::Value)| {
            name.len() + value.as_str().map_or(0, str::len)
        };
        if self.headers.iter().map(size).sum::<usize>() > MAX_HEADERS {
            return Err(format!(
                "the workflow's headers are over {MAX_HEADERS} bytes"
            ));
        }
        for (name, value) in &self.headers {
            let text = value
                .as_str()
                .and_then(|text| HeaderValue::from_str(text).ok());
            let header = HeaderName::try_from(name.as_str()).ok().zip(text);
            let (name, value) =
                header.ok_or_else(|| format!("the workflow's header {name:?} cannot be one"))?;
            if !CONNECTION_HEADERS.contains(&name) {
                headers.append(name, value);
            }
        }
        Ok(headers)
    }
}

impl Reply {
    fn with_type(mut self, default: HeaderValue) -> Self {
        if !self.body.is_empty() {
            self.headers.entry(CONTENT_TYPE).or_insert(default);
        }
        self
    }
}

fn json(status: StatusCode, body: Bytes) -> Reply {
    let reply = Reply {
        status,
        headers: HeaderMap::new(),
        body,
    };
    reply.with_type(JSON)
}

/// Bytes: what senders and proxies take.
const MAX_HEADERS: usize = 16 * 1024;
const JSON: HeaderValue = HeaderValue::from_static("application/json");
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

/// Ours to say.
const CONNECTION_HEADERS: [HeaderName; 10] = [
    CONNECTION,
    CONTENT_LENGTH,
    DATE,
    HOST,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload;

    fn reply_to(json: &str) -> Result<(u16, String, String), String> {
        let value: serde_json::Value = serde_json::from_str(json).expect("JSON");
        let reply = reply(Some(&payload::value(&value)))?;
        let kind = reply
            .headers
            .get(CONTENT_TYPE)
            .map_or("", |kind| kind.to_str().expect("ASCII"))
            .to_owned();
        let body = String::from_utf8(reply.body.to_vec()).expect("UTF-8");
        Ok((reply.status.as_u16(), kind, body))
    }

    #[test]
    fn a_result_is_the_body_unless_it_says_more() {
        let json = "application/json".to_owned();
        let text = "text/plain; charset=utf-8".to_owned();
        let none = String::new;
        for (result, expected) in [
            (
                "{\"type\":1}",
                (200, json.clone(), "{\"type\":1}".to_owned()),
            ),
            ("\"hello\"", (200, json.clone(), "\"hello\"".to_owned())),
            ("{\"status\":201}", (201, none(), none())),
            (
                "{\"status\":202,\"body\":\"hi\"}",
                (202, text, "hi".to_owned()),
            ),
            (
                "{\"status\":403,\"body\":{\"a\":1}}",
                (403, json.clone(), "{\"a\":1}".to_owned()),
            ),
            // No answer in parts: a result that happens to have a member of that name.
            (
                "{\"status\":\"paid\"}",
                (200, json.clone(), "{\"status\":\"paid\"}".to_owned()),
            ),
            (
                "{\"status\":1,\"x\":2}",
                (200, json, "{\"status\":1,\"x\":2}".to_owned()),
            ),
        ] {
            assert_eq!(reply_to(result), Ok(expected), "{result}");
        }
        for (status, fits) in [
            (99, false),
            (101, false),
            (199, false),
            (200, true),
            (599, true),
            (600, false),
        ] {
            let reply = reply_to(&format!("{{\"status\":{status}}}"));
            assert_eq!(reply.is_ok(), fits, "{status}");
        }
        assert!(reply_to("{\"status\":200,\"headers\":{\"a b\":\"c\"}}").is_err());
    }

    #[test]
    fn headers_have_a_limit() {
        let many: serde_json::Map<_, _> = (0..40_000)
            .map(|n| (format!("x-{n}"), "a".into()))
            .collect();
        for headers in [
            many.into(),
            serde_json::json!({ "x-long": "a".repeat(20_000) }),
        ] {
            let value = serde_json::json!({ "status": 200, "headers": headers });
            let problem = reply(Some(&payload::value(&value))).expect_err("too many");
            assert!(problem.contains("over 16384 bytes"), "{problem}");
        }
    }

    #[test]
    fn headers_pass_but_not_those_of_the_connection() {
        let value = serde_json::json!({
            "status": 200, "headers": {"X-A": "b", "Content-Length": "7", "Content-Type": "text/xml"}, "body": "<a/>",
        });
        let reply = reply(Some(&payload::value(&value))).expect("a reply");
        assert_eq!(reply.headers["x-a"], "b");
        assert_eq!(reply.headers[CONTENT_TYPE], "text/xml");
        assert!(!reply.headers.contains_key(CONTENT_LENGTH));
    }
}

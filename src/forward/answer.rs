//! Outcomes as HTTP answers: JSON on success, RFC 9457 problems on failure.

use bytes::Bytes;
use http::header::{
    ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER,
    X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderName, HeaderValue, Method, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Body;
use serde::Serialize;
use serde_json::json;
use webhook_core::handshake::Reply;
use webhook_core::outcome::{Outcome, RETRY_AFTER_SECONDS, Reject, retry_after};
use webhook_core::provider::Provider;
use webhook_core::respond as workflow;

use crate::forward::context::RequestContext;

/// An answer with its whole body.
pub type Answer = Response<Full<Bytes>>;

/// How a request ends that is not refused.
pub enum Completion {
    /// Its event is in Temporal, or dropped.
    Event(Outcome),
    /// It is no event: this is what the sender wants to hear.
    Handshake(Reply),
    /// It was only looked at.
    Page(Answer),
}

/// The answer to a request that ended so.
pub fn of(result: Result<Completion, Reject>, context: &RequestContext<'_>) -> Answer {
    let mut answer = match result {
        Ok(Completion::Event(outcome)) => {
            success(outcome, context.source.map(|(source, _)| &source.provider))
        }
        Ok(Completion::Handshake(reply)) => handshake(&reply),
        Ok(Completion::Page(answer)) => answer,
        Err(reject) => problem(&reject, context.id),
    };
    identify(&mut answer, context.id);
    if context.parts.method == Method::HEAD {
        without_body(&mut answer);
    }
    answer
}

/// The event is in Temporal, or dropped: said in our words, unless the sender wants its own, or the
/// workflow has said it.
fn success(outcome: Outcome, provider: Option<&Provider>) -> Answer {
    let status = match outcome {
        Outcome::Replied(_, reply) => return replied(reply),
        Outcome::Accepted(_) => StatusCode::ACCEPTED,
        _ => provider.map_or(StatusCode::OK, |provider| provider.success_status),
    };
    if let Some(body) = provider.and_then(|provider| provider.success_body.as_ref()) {
        let mut answer = Response::new(Full::new(Bytes::from(body.clone())));
        *answer.status_mut() = status;
        let content_type = match body.bytes().next() {
            None | Some(b'{' | b'[') => JSON,
            Some(b'<') => HeaderValue::from_static("text/xml"),
            Some(_) => HeaderValue::from_static("text/plain"),
        };
        answer.headers_mut().insert(CONTENT_TYPE, content_type);
        return answer;
    }
    if status == StatusCode::NO_CONTENT {
        let mut answer = Response::new(Full::default());
        *answer.status_mut() = status;
        answer.headers_mut().insert(CONTENT_TYPE, JSON);
        return answer;
    }
    let execution = outcome.execution();
    let body = SuccessBody {
        status: outcome.label(),
        workflow_id: execution.map(|execution| execution.workflow_id.as_str()),
        run_id: execution
            .map(|execution| execution.run_id.as_str())
            .filter(|run_id| !run_id.is_empty()),
    };
    json_answer(status, &body)
}

#[derive(Serialize)]
struct SuccessBody<'a> {
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    workflow_id: Option<&'a str>,
    /// A signal is answered without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    run_id: Option<&'a str>,
}

/// What the workflow wants the sender to hear.
fn replied(reply: workflow::Reply) -> Answer {
    let mut answer = Response::new(Full::new(reply.body));
    *answer.status_mut() = reply.status;
    *answer.headers_mut() = reply.headers;
    let headers = answer.headers_mut();
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

/// The answer to a handshake.
fn handshake(reply: &Reply) -> Answer {
    let mut answer = Response::new(Full::new(Bytes::from(reply.body.clone())));
    *answer.status_mut() = reply.status;
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(reply.content_type));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    answer
}

/// The event is not in Temporal. The caller learns only the short fixed text.
pub fn problem(reject: &Reject, request_id: &str) -> Answer {
    let row = reject.row();
    let body = json!({
        "type": "about:blank",
        "title": row.title,
        "status": row.status.as_u16(),
        "request_id": request_id,
    });
    let mut answer = json_answer(row.status, &body);
    let problem = HeaderValue::from_static("application/problem+json");
    answer.headers_mut().insert(CONTENT_TYPE, problem);
    if row.status == StatusCode::SERVICE_UNAVAILABLE {
        ask_again(&mut answer);
    }
    if let Reject::RateLimited(wait, _) = reject {
        let seconds = HeaderValue::from(retry_after(*wait));
        answer.headers_mut().insert(RETRY_AFTER, seconds);
    }
    if let Reject::MethodNotAllowed(allow, _) = reject {
        let allow = HeaderValue::from_str(allow).ok();
        let headers = answer.headers_mut();
        headers.extend(allow.map(|allow| (ALLOW, allow)));
    }
    answer
}

/// Says when to come again: some senders repeat nothing without that.
pub fn ask_again(answer: &mut Answer) {
    let seconds = HeaderValue::from_static(RETRY_AFTER_SECONDS);
    answer.headers_mut().insert(RETRY_AFTER, seconds);
}

/// Any other JSON answer.
pub fn json_answer(status: StatusCode, body: &impl Serialize) -> Answer {
    let body = serde_json::to_vec(body).expect("plain data always serialize");
    let mut answer = Response::new(Full::new(Bytes::from(body)));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, JSON);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

/// The same for a `HEAD`, with the length that the body had.
fn without_body(answer: &mut Answer) {
    let length = answer.body().size_hint().exact().unwrap_or_default();
    *answer.body_mut() = Full::default();
    let headers = answer.headers_mut();
    headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
}

/// Asks an HTTP/1 client not to send anything more on this connection.
pub fn close(answer: &mut Answer) {
    answer
        .headers_mut()
        .insert(CONNECTION, HeaderValue::from_static("close"));
}

/// Names the request, so that its log line can be found.
pub fn identify(answer: &mut Answer, request_id: &str) {
    if let Ok(value) = HeaderValue::from_str(request_id) {
        answer.headers_mut().insert(REQUEST_ID, value);
    }
}

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;
    use webhook_core::outcome::Execution;

    use super::*;
    use crate::config::provider::catalogue;

    #[test]
    fn a_sender_that_wants_its_own_words_gets_them() {
        let outcome = Outcome::Started(Execution {
            workflow_id: "w".to_owned(),
            run_id: "r".to_owned(),
        });
        let ours = r#"{"status":"started","workflow_id":"w","run_id":"r"}"#;
        for (name, status, content_type, body) in [
            ("square", 200, "application/json", ours),
            (
                "discord-interactions",
                200,
                "application/json",
                r#"{"type":5}"#,
            ),
            ("discord-events", 204, "application/json", ""),
            ("bigcommerce", 200, "application/json", ""),
        ] {
            let provider = catalogue::find(name).expect("in the catalogue");
            let answer = success(outcome.clone(), Some(provider));
            assert_eq!(answer.status(), status, "{name}");
            assert_eq!(answer.headers()[CONTENT_TYPE], content_type, "{name}");
            let text = tokio::runtime::Builder::new_current_thread()
                .build()
                .expect("a runtime")
                .block_on(answer.into_body().collect())
                .expect("a body");
            assert_eq!(text.to_bytes(), body, "{name}");
        }
    }
}

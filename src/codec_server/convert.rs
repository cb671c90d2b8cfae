//! What is answered: payloads encoded or decoded. One that this codec server has no key for is
//! answered as it came, so that it does not take the others with it.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::rejection::BytesRejection;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::StatusCode;
use http::header::CONTENT_TYPE;
use tokio::task::spawn_blocking;
use webhook_core::codec::{Codec, CodecError, Compression, remote};
use webhook_core::proto::Payload;

use super::{Details, Shared};
use crate::forward::encode::nonce;

/// A request's body.
pub(super) type Sent = Result<Bytes, BytesRejection>;

/// What is asked for.
#[derive(Clone, Copy)]
pub(super) enum Operation {
    Encode,
    Decode,
}

pub(super) async fn convert(shared: Arc<Shared>, operation: Operation, body: Sent) -> Response {
    let done = match body {
        Ok(body) => operation.run(shared, body).await,
        Err(rejection) => {
            let text = match rejection.status() {
                StatusCode::PAYLOAD_TOO_LARGE => "the body is over 16 MiB",
                _ => "the body could not be read to its end",
            };
            Done::refused(rejection.status(), text.to_owned())
        }
    };
    let (mut answer, reason) = match done.result {
        Ok(json) => {
            let json = ([(CONTENT_TYPE, "application/json")], Body::from(json));
            (json.into_response(), done.left)
        }
        Err((status, reason)) => {
            let text = (status, format!("{reason}\n"));
            (text.into_response(), Some(reason))
        }
    };
    answer.extensions_mut().insert(Details {
        operation: Some(operation.name()),
        payloads: Some(done.payloads),
        reason,
    });
    answer
}

/// What became of a request.
struct Done {
    /// How many it was about.
    payloads: usize,
    /// What is said of those that are answered as they came.
    left: Option<String>,
    /// The answer's body, or status and text of a refusal.
    result: Result<Vec<u8>, (StatusCode, String)>,
}

impl Done {
    const fn refused(status: StatusCode, reason: String) -> Self {
        Self {
            payloads: 0,
            left: None,
            result: Err((status, reason)),
        }
    }
}

impl Operation {
    const fn name(self) -> &'static str {
        match self {
            Self::Encode => "encode",
            Self::Decode => "decode",
        }
    }

    /// Not on the threads of the runtime: megabytes take a while.
    async fn run(self, shared: Arc<Shared>, body: Bytes) -> Done {
        let _place = shared.at_work.acquire().await;
        let rules = shared.rules.current();
        let done = spawn_blocking(move || self.convert(&rules.codec, body)).await;
        done.unwrap_or_else(|_| {
            let text = "the codec server has a defect".to_owned();
            Done::refused(StatusCode::INTERNAL_SERVER_ERROR, text)
        })
    }

    fn convert(self, codec: &Codec, body: Bytes) -> Done {
        let payloads = match remote::read(&body) {
            Ok(payloads) => payloads,
            Err(problem) => return Done::refused(StatusCode::BAD_REQUEST, problem.to_owned()),
        };
        drop(body);
        let count = payloads.len();
        let encode = |payload| codec.encode(payload, Compression::None, nonce);
        let converted = match self {
            Self::Encode => Ok((payloads.into_iter().map(encode).collect(), None)),
            Self::Decode => decode(codec, payloads),
        };
        let (result, left) = match converted {
            Ok((payloads, left)) => (Ok(remote::write(&payloads)), left),
            Err(problem) => (Err((StatusCode::BAD_REQUEST, problem.to_string())), None),
        };
        Done {
            payloads: count,
            left,
            result,
        }
    }
}

/// The payloads decoded, and what is said of those that are not. Nothing is answered if there is
/// none that could be, and that is not for want of the key alone: Temporal's CLI asks for each
/// payload by itself, and shows nothing of a workflow if one of them is refused.
fn decode(
    codec: &Codec,
    payloads: Vec<Payload>,
) -> Result<(Vec<Payload>, Option<String>), CodecError> {
    let (payloads, problems): (Vec<_>, Vec<_>) = codec.decode_each(payloads).into_iter().unzip();
    let count = payloads.len();
    let mut problems: Vec<_> = problems.into_iter().flatten().collect();
    let Some(first) = problems.first() else {
        return Ok((payloads, None));
    };
    let left = format!(
        "{} of {count} payloads answered as they came: {first}",
        problems.len()
    );
    let worst = problems
        .iter()
        .position(|problem| !problem.is_unknown_key());
    match worst {
        Some(worst) if problems.len() == count => Err(problems.swap_remove(worst)),
        _ => Ok((payloads, Some(left))),
    }
}

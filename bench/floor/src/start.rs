//! One `StartWorkflowExecution`, its message prebuilt but for the body.

use bytes::{Buf, BufMut, Bytes};
use http::uri::PathAndQuery;
use tonic::client::Grpc;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::transport::Channel;
use tonic::{Request, Status};

/// Starts a workflow with this body as its one argument.
pub async fn start(channel: Channel, body: Bytes) -> Result<(), Status> {
    let mut client = Grpc::new(channel);
    let unready = |error: tonic::transport::Error| Status::unavailable(error.to_string());
    client.ready().await.map_err(unready)?;
    let path = PathAndQuery::from_static(PATH);
    client.unary(Request::new(body), path, Prebuilt).await?;
    Ok(())
}

/// The message around a body. What comes back is not looked at.
struct Prebuilt;

impl Codec for Prebuilt {
    type Encode = Bytes;
    type Decode = ();
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Prebuilt {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, body: Bytes, out: &mut EncodeBuf<'_>) -> Result<(), Status> {
        // input (5) { payloads (1) { metadata (1), data (2) } }
        let data = 1 + length_of(body.len()) + body.len();
        let payload = METADATA.len() + data;
        let input = 1 + length_of(payload) + payload;
        out.reserve(HEAD.len() + 16 + input);
        out.put_slice(HEAD);
        for (tag, length) in [(0x2a, input), (0x0a, payload)] {
            out.put_u8(tag);
            put_length(out, length);
        }
        out.put_slice(METADATA);
        out.put_u8(0x12);
        put_length(out, body.len());
        out.put(body);
        Ok(())
    }
}

impl Decoder for Prebuilt {
    type Item = ();
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<()>, Status> {
        from.advance(from.remaining());
        Ok(Some(()))
    }
}

/// Bytes of a length as a varint.
fn length_of(length: usize) -> usize {
    (usize::BITS - (length | 1).leading_zeros()).div_ceil(7) as usize
}

fn put_length(out: &mut EncodeBuf<'_>, mut length: usize) {
    while length >= 0x80 {
        out.put_u8(length as u8 | 0x80);
        length >>= 7;
    }
    out.put_u8(length as u8);
}

const PATH: &str = "/temporal.api.workflowservice.v1.WorkflowService/StartWorkflowExecution";
/// namespace, workflow_id, workflow_type { name }, task_queue { name }, identity, request_id.
const HEAD: &[u8] = b"\x0a\x07default\x12\x24b54fe183-5bf8-4990-953b-eb3750e05d83\
\x1a\x10\x0a\x0eShopifyWebhook\x22\x12\x0a\x10shopify_webhooks\x4a\x05floor\
\x52\x240d3f87c3-5d7b-4a1b-9a3c-8a8fd7fdf2a1";
/// encoding: json/plain
const METADATA: &[u8] = b"\x0a\x16\x0a\x08encoding\x12\x0ajson/plain";

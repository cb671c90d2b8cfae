//! A Temporal that says its namespace's limits, as newer servers do: everything goes to the real
//! one, and into what that says of a namespace two numbers are put.

use std::net::Ipv4Addr;

use bytes::{BufMut, Bytes, BytesMut};
use h2::{RecvStream, SendStream};
use http::HeaderMap;
use prost::Message;
use temporalio_common::protos::temporal::api::namespace::v1::{NamespaceInfo, namespace_info};
use temporalio_common::protos::temporal::api::workflowservice::v1::DescribeNamespaceResponse;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What the namespace says from now on: the limits of a payload and of a memo, in bytes.
pub(crate) type Said = watch::Sender<(i64, i64)>;

/// Its address, and where to change what it says.
pub(crate) async fn saying(target: String, payload: i64, memo: i64) -> (String, Said) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
    let listener = listener.expect("a port is free");
    let address = listener.local_addr().expect("it is bound").to_string();
    let said = Said::new((payload, memo));
    let seen = said.subscribe();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(connection(stream, target.clone(), seen.clone()));
        }
    });
    (address, said)
}

async fn connection(stream: TcpStream, target: String, said: watch::Receiver<(i64, i64)>) {
    let onward = TcpStream::connect(target).await.expect("Temporal is there");
    let onward = h2::client::handshake(onward).await;
    let (client, running) = onward.expect("it speaks HTTP/2");
    tokio::spawn(running);
    let Ok(mut server) = h2::server::handshake(stream).await else {
        return;
    };
    while let Some(Ok((request, mut respond))) = server.accept().await {
        let (client, said) = (client.clone(), *said.borrow());
        tokio::spawn(async move {
            let (parts, body) = request.into_parts();
            let describes = parts.uri.path().ends_with("/DescribeNamespace");
            let (body, _) = whole(body).await?;
            let request = http::Request::from_parts(parts, ());
            let mut client = client.ready().await?;
            let (answer, mut sending) = client.send_request(request, false)?;
            send(&mut sending, body, None)?;
            let (parts, body) = answer.await?.into_parts();
            let (mut body, trailers) = whole(body).await?;
            if describes && !body.is_empty() {
                body = with_limits(&body, said);
            }
            let answer = http::Response::from_parts(parts, ());
            // An error may be all head.
            let ends = body.is_empty() && trailers.is_none();
            let mut sending = respond.send_response(answer, ends)?;
            if !ends {
                send(&mut sending, body, trailers)?;
            }
            Ok::<_, h2::Error>(())
        });
    }
}

async fn whole(mut body: RecvStream) -> Result<(Bytes, Option<HeaderMap>), h2::Error> {
    let mut bytes = BytesMut::new();
    while let Some(chunk) = body.data().await {
        let chunk = chunk?;
        body.flow_control().release_capacity(chunk.len())?;
        bytes.put(chunk);
    }
    Ok((bytes.freeze(), body.trailers().await?))
}

fn send(
    to: &mut SendStream<Bytes>,
    body: Bytes,
    trailers: Option<HeaderMap>,
) -> Result<(), h2::Error> {
    to.send_data(body, trailers.is_none())?;
    trailers.map_or(Ok(()), |trailers| to.send_trailers(trailers))
}

/// The same message with more at its end, which protobuf reads into what is before.
fn with_limits(message: &Bytes, (payload, memo): (i64, i64)) -> Bytes {
    let limits = namespace_info::Limits {
        blob_size_limit_error: payload,
        memo_size_limit_error: memo,
        ..Default::default()
    };
    let more = DescribeNamespaceResponse {
        namespace_info: Some(NamespaceInfo {
            limits: Some(limits),
            ..Default::default()
        }),
        ..Default::default()
    };
    assert_eq!(message[0], 0, "not compressed");
    let more = more.encode_to_vec();
    let length = u32::try_from(message.len() - 5 + more.len()).expect("it is short");
    let mut changed = BytesMut::from(&[0_u8][..]);
    changed.put_u32(length);
    changed.put(&message[5..]);
    changed.put(&more[..]);
    changed.freeze()
}

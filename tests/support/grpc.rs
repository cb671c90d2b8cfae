//! A man between the forwarder and Temporal, who changes what is asked or said as a test wants it.

use std::net::Ipv4Addr;
use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};
use h2::{RecvStream, SendStream};
use http::HeaderMap;
use tokio::net::{TcpListener, TcpStream};

/// What he does to messages, by the name of their call: `StartWorkflowExecution`.
pub(crate) trait Meddler: Send + Sync + 'static {
    fn asked(&self, _call: &str, message: Bytes) -> Bytes {
        message
    }

    fn said(&self, _call: &str, message: Bytes) -> Bytes {
        message
    }
}

/// His address.
pub(crate) async fn between(target: String, meddler: impl Meddler) -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
    let listener = listener.expect("a port is free");
    let address = listener.local_addr().expect("it is bound").to_string();
    let meddler = Arc::new(meddler);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(connection(stream, target.clone(), Arc::clone(&meddler)));
        }
    });
    address
}

/// A message as gRPC has it in a body.
pub(crate) fn framed(message: &[u8]) -> Bytes {
    let mut body = BytesMut::from(&[0_u8][..]);
    body.put_u32(u32::try_from(message.len()).expect("it is short"));
    body.put(message);
    body.freeze()
}

/// The message in a body.
pub(crate) fn unframed(body: &Bytes) -> Bytes {
    assert_eq!(body[0], 0, "not compressed");
    body.slice(5..)
}

async fn connection<M: Meddler>(stream: TcpStream, target: String, meddler: Arc<M>) {
    let onward = TcpStream::connect(target).await.expect("Temporal is there");
    let onward = h2::client::handshake(onward).await;
    let (client, running) = onward.expect("it speaks HTTP/2");
    tokio::spawn(running);
    let Ok(mut server) = h2::server::handshake(stream).await else {
        return;
    };
    while let Some(Ok((request, mut respond))) = server.accept().await {
        let (client, meddler) = (client.clone(), Arc::clone(&meddler));
        tokio::spawn(async move {
            let (parts, body) = request.into_parts();
            let call = parts.uri.path().rsplit('/').next().unwrap_or_default();
            let call = call.to_owned();
            let (body, _) = whole(body).await?;
            let request = http::Request::from_parts(parts, ());
            let mut client = client.ready().await?;
            let (answer, mut sending) = client.send_request(request, false)?;
            send(&mut sending, meddler.asked(&call, body), None)?;
            let (parts, body) = answer.await?.into_parts();
            let (mut body, trailers) = whole(body).await?;
            if !body.is_empty() {
                body = meddler.said(&call, body);
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

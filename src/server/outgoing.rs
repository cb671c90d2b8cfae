//! An answer's body on its way out: the connection is busy until all of it may be written.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};

use super::activity::Unsent;

/// Hands the body over, and is dropped when that is done.
pub(super) struct Outgoing<B> {
    body: B,
    /// What is left of the data that the body gave.
    rest: Bytes,
    pieces: Pieces,
    unsent: Unsent,
}

/// How data are handed over.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pieces {
    /// As they are: in HTTP/1, what was handed over and not written blocks the stream.
    Whole,
    /// HTTP/2 takes a piece as soon as the client's window has room for a byte, and keeps the rest. So
    /// the last byte goes by itself: when it is taken, the client has room for all.
    Small,
}

impl<B> Outgoing<B> {
    pub(super) fn new(body: B, is_http2: bool, unsent: Unsent) -> Self {
        Self {
            body,
            rest: Bytes::new(),
            pieces: if is_http2 {
                Pieces::Small
            } else {
                Pieces::Whole
            },
            unsent,
        }
    }

    fn next_piece(&mut self) -> Bytes {
        let length = self.rest.len();
        self.rest.split_to(match self.pieces {
            Pieces::Small if length > 1 => PIECE.min(length - 1),
            _ => length,
        })
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for Outgoing<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        if self.rest.is_empty() {
            match ready!(Pin::new(&mut self.body).poll_frame(cx)).map(|it| it.map(Frame::into_data))
            {
                Some(Ok(Ok(data))) if data.len() <= SHORT => {
                    return Poll::Ready(Some(Ok(Frame::data(data))));
                }
                Some(Ok(Ok(data))) => self.rest = data,
                Some(Ok(Err(other))) => return Poll::Ready(Some(Ok(other))),
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => return Poll::Ready(None),
            }
        }
        self.unsent.progress();
        Poll::Ready(Some(Ok(Frame::data(self.next_piece()))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let mut hint = self.body.size_hint();
        let rest = self.rest.len() as u64;
        match hint.exact() {
            Some(exact) => hint.set_exact(exact + rest),
            None => hint.set_lower(hint.lower() + rest),
        }
        hint
    }
}

/// As much as one frame of HTTP/2 holds.
const PIECE: usize = 16 * 1024;
/// One piece: every client has room for it.
const SHORT: usize = 1024;

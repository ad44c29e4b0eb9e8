//! The socket as tungstenite sees it: it reads from the socket and writes into the outbox.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::tcp::OwnedReadHalf;

use super::{Kind, Line};

/// Read half of the socket, with the session's outbox as its write half.
///
/// tungstenite writes pongs and closing frames by itself, each whole in one call, so they queue up
/// between the replies and never inside one.
pub(super) struct Wire<S> {
    pub(super) read: OwnedReadHalf,
    pub(super) conn: Arc<Line<S>>,
    /// Bytes read since the last message was complete.
    pub(super) pending: usize,
}

/// Tells a client that has not logged in and sends more than it may.
pub(super) const BEYOND: io::ErrorKind = io::ErrorKind::FileTooLarge;

impl<S: Kind> AsyncRead for Wire<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let outcome = Pin::new(&mut self.read).poll_read(cx, buf);
        self.pending += buf.filled().len() - before;
        let limit = self.conn.shared.limits.greeting;
        if self.pending > limit && !self.conn.state.has_login() {
            return Poll::Ready(Err(BEYOND.into()));
        }
        outcome
    }
}

impl<S> AsyncWrite for Wire<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.conn.outbox.send_frames(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

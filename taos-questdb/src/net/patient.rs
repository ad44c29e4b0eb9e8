use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A connection that goes on reading where it can no longer write.
///
/// A server that refuses a request before it has read the whole body answers and closes, whereupon the
/// rest of the body fails to go out. The answer has arrived by then and says why; so writes to a
/// closed connection count as done, and what can still be read decides.
pub(super) struct Patient<T> {
    io: T,
    /// Nobody takes what is written.
    closed: bool,
}

impl<T> Patient<T> {
    pub(super) fn new(io: T) -> Self {
        Self { io, closed: false }
    }

    fn judge(&mut self, done: Poll<io::Result<usize>>, whole: usize) -> Poll<io::Result<usize>> {
        use io::ErrorKind as K;
        match done {
            Poll::Ready(Err(error))
                if matches!(
                    error.kind(),
                    K::BrokenPipe | K::ConnectionReset | K::ConnectionAborted
                ) =>
            {
                self.closed = true;
                Poll::Ready(Ok(whole))
            }
            other => other,
        }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Patient<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buffer)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Patient<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.closed {
            return Poll::Ready(Ok(bytes.len()));
        }
        let done = Pin::new(&mut self.io).poll_write(cx, bytes);
        self.judge(done, bytes.len())
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let whole = pieces.iter().map(|piece| piece.len()).sum();
        if self.closed {
            return Poll::Ready(Ok(whole));
        }
        let done = Pin::new(&mut self.io).poll_write_vectored(cx, pieces);
        self.judge(done, whole)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.closed {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

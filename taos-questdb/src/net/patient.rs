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

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::{TcpListener, TcpStream};

    use super::*;

    /// The client's end of a connection whose server has answered and gone, without having read.
    async fn left() -> TcpStream {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap())
            .await
            .unwrap();
        let (mut server, _) = listener.accept().await.unwrap();
        client.write_all(b"never read").await.unwrap();
        server.write_all(b"answer").await.unwrap();
        server.readable().await.unwrap();
        drop(server);
        client
    }

    #[tokio::test]
    async fn what_a_server_said_before_it_left_is_read_although_nobody_takes_the_rest() {
        let rest = vec![0; 8_000_000];
        left().await.write_all(&rest).await.unwrap_err();

        let mut client = Patient::new(left().await);
        client.write_all(&rest).await.unwrap();
        client.flush().await.unwrap();
        let slices = [IoSlice::new(b"ab"), IoSlice::new(b"c")];
        assert_eq!(client.write_vectored(&slices).await.unwrap(), 3);
        let mut answer = [0; 6];
        client.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"answer");
        let end = client.read(&mut answer).await;
        assert!(matches!(end, Ok(0) | Err(_)), "{end:?}");
    }
}

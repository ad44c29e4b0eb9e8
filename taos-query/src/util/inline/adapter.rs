//! One implementation for blocking and asynchronous streams: the asynchronous one, which never waits
//! over a blocking stream.

use std::future::Future;
use std::io::{self, Error, ErrorKind, Read, Write};
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::FutureExt as _;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};

/// Memory that is taken before the first byte of a length that was read has come.
const TRUSTED: usize = 64 * 1024;

/// A blocking stream as one that is always ready.
pub(crate) struct Blocking<'a, S>(pub(crate) &'a mut S);

impl<R: Read> AsyncRead for Blocking<'_, R> {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let reader = &mut *self.get_mut().0;
        loop {
            match reader.read(buf.initialize_unfilled()) {
                Ok(count) => {
                    buf.advance(count);
                    return Poll::Ready(Ok(()));
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

impl<W: Write> AsyncWrite for Blocking<'_, W> {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let writer = &mut *self.get_mut().0;
        Poll::Ready(writer.write_all(buf).map(|()| buf.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.get_mut().0.flush())
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(cx)
    }
}

/// The outcome of work on [`Blocking`] streams.
pub(crate) fn now<T>(work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    work.now_or_never()
        .unwrap_or_else(|| Err(Error::other("a blocking stream was not ready")))
}

/// Reads `length` bytes. Memory grows with what arrives, not with what the length promises.
pub(crate) async fn read_bytes<R: AsyncRead + Unpin>(
    reader: &mut R,
    length: usize,
) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(length.min(TRUSTED));
    let limit = u64::try_from(length).unwrap_or(u64::MAX);
    let got = reader.take(limit).read_to_end(&mut bytes).await?;
    if got < length {
        return Err(Error::new(
            ErrorKind::UnexpectedEof,
            format!("{length} bytes are announced but only {got} follow"),
        ));
    }
    Ok(bytes)
}

/// Reads a text of `length` bytes.
pub(crate) async fn read_text<R: AsyncRead + Unpin>(
    reader: &mut R,
    length: usize,
) -> io::Result<String> {
    String::from_utf8(read_bytes(reader, length).await?).map_err(super::not_text)
}

/// Writes a text behind its length in `N` bytes.
pub(crate) async fn write_text<const N: usize, W: AsyncWrite + Unpin>(
    writer: &mut W,
    text: &str,
) -> io::Result<usize> {
    writer
        .write_all(&super::length_bytes::<N>(text.len())?)
        .await?;
    writer.write_all(text.as_bytes()).await?;
    Ok(N + text.len())
}

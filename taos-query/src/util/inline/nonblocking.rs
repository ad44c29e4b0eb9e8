use std::future::Future;
use std::io::Result;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use super::{InlineOpts, length_bytes, length_of, read_bytes, read_text, unwritten, with_length};

/// A value that can be written as bytes and read back; see [`Inlinable`](super::Inlinable).
pub trait AsyncInlinable {
    /// Reads a value.
    ///
    /// # Errors
    /// The reader's, and for bytes that are not such a value.
    fn read_inlined<R: AsyncRead + Send + Unpin>(
        reader: &mut R,
    ) -> impl Future<Output = Result<Self>> + Send
    where
        Self: Sized;

    /// Reads a value, or the mark that there are no more.
    ///
    /// # Errors
    /// As [`read_inlined`](Self::read_inlined).
    fn read_optional_inlined<R: AsyncRead + Send + Unpin>(
        reader: &mut R,
    ) -> impl Future<Output = Result<Option<Self>>> + Send
    where
        Self: Sized,
    {
        async move { Self::read_inlined(reader).await.map(Some) }
    }

    /// Writes the value and returns the number of bytes.
    ///
    /// # Errors
    /// The writer's, and for a name that is too long for the layout.
    fn write_inlined<W: AsyncWrite + Send + Unpin>(
        &self,
        wtr: &mut W,
    ) -> impl Future<Output = Result<usize>> + Send;

    /// As [`write_inlined`](Self::write_inlined), with wishes.
    ///
    /// # Errors
    /// As that.
    fn write_inlined_with<W: AsyncWrite + Send + Unpin>(
        &self,
        wtr: &mut W,
        opts: InlineOpts,
    ) -> impl Future<Output = Result<usize>> + Send {
        let _ = opts;
        self.write_inlined(wtr)
    }

    /// The bytes of the value; none if it cannot be written.
    fn inlined(&self) -> impl Future<Output = Vec<u8>> + Send
    where
        Self: Sync,
    {
        async move {
            let mut bytes = Vec::new();
            match self.write_inlined(&mut bytes).await {
                Ok(_) => bytes,
                Err(error) => unwritten(&error),
            }
        }
    }

    /// The bytes of the value with those that are not printable ASCII escaped.
    fn printable_inlined(&self) -> impl Future<Output = String> + Send
    where
        Self: Sync,
    {
        async move { self.inlined().await.escape_ascii().to_string() }
    }
}

/// Every reader gives lengths, texts and values.
pub trait AsyncInlinableRead: AsyncRead + Unpin + Send {
    /// Reads a length of `N` bytes, 1 to 8.
    ///
    /// # Errors
    /// The reader's.
    fn read_len_with_width<const N: usize>(
        &mut self,
    ) -> impl Future<Output = Result<usize>> + Send {
        async move {
            let mut bytes = [0; N];
            self.read_exact(&mut bytes).await?;
            length_of(bytes)
        }
    }

    /// Reads bytes in front of which stands the length of all, itself included, in `N` bytes; they are
    /// returned with it.
    ///
    /// # Errors
    /// The reader's, and for a length less than `N`.
    fn read_len_with_data<const N: usize>(&mut self) -> impl Future<Output = Result<Vec<u8>>> + Send
    where
        Self: Sized,
    {
        async move {
            let length = self.read_len_with_width::<N>().await?;
            with_length::<N, _>(self, length).await
        }
    }

    /// Reads bytes behind their length in `N` bytes.
    ///
    /// # Errors
    /// The reader's.
    fn read_inlined_bytes<const N: usize>(&mut self) -> impl Future<Output = Result<Vec<u8>>> + Send
    where
        Self: Sized,
    {
        async move {
            let length = self.read_len_with_width::<N>().await?;
            read_bytes(self, length).await
        }
    }

    /// Reads a text behind its length in `N` bytes.
    ///
    /// # Errors
    /// The reader's, and for bytes that are not UTF-8.
    fn read_inlined_str<const N: usize>(&mut self) -> impl Future<Output = Result<String>> + Send
    where
        Self: Sized,
    {
        async move {
            let length = self.read_len_with_width::<N>().await?;
            read_text(self, length).await
        }
    }

    /// Reads a value.
    ///
    /// # Errors
    /// As [`AsyncInlinable::read_inlined`].
    fn read_inlinable<T: AsyncInlinable>(&mut self) -> impl Future<Output = Result<T>> + Send
    where
        Self: Sized,
    {
        T::read_inlined(self)
    }
}

impl<T: AsyncRead + Send + Unpin> AsyncInlinableRead for T {}

/// Every writer takes lengths, texts and values.
pub trait AsyncInlinableWrite: AsyncWrite + Send + Unpin {
    /// Writes a length as `N` bytes, 1 to 8.
    ///
    /// # Errors
    /// The writer's, and when the length does not fit.
    fn write_len_with_width<const N: usize>(
        &mut self,
        len: usize,
    ) -> impl Future<Output = Result<usize>> + Send {
        async move {
            self.write_all(&length_bytes::<N>(len)?).await?;
            Ok(N)
        }
    }

    /// Writes bytes behind their length in `N` bytes.
    ///
    /// # Errors
    /// The writer's, and when the length does not fit.
    fn write_inlined_bytes<const N: usize>(
        &mut self,
        bytes: &[u8],
    ) -> impl Future<Output = Result<usize>> + Send {
        async move {
            let head = self.write_len_with_width::<N>(bytes.len()).await?;
            self.write_all(bytes).await?;
            Ok(head + bytes.len())
        }
    }

    /// Writes a text behind its length in `N` bytes.
    ///
    /// # Errors
    /// The writer's, and when the length does not fit.
    fn write_inlined_str<const N: usize>(
        &mut self,
        s: &str,
    ) -> impl Future<Output = Result<usize>> + Send {
        self.write_inlined_bytes::<N>(s.as_bytes())
    }

    /// Writes a value.
    ///
    /// # Errors
    /// As [`AsyncInlinable::write_inlined`].
    fn write_inlinable<T: AsyncInlinable + Sync>(
        &mut self,
        value: &T,
    ) -> impl Future<Output = Result<usize>> + Send
    where
        Self: Sized,
    {
        value.write_inlined(self)
    }
}

impl<T: AsyncWrite + Send + Unpin> AsyncInlinableWrite for T {}

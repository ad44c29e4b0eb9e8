//! Messages of a topic as the server packs them, to be replayed into another database.

use std::io::{self, Error, ErrorKind, Read, Write};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use crate::util::{AsyncInlinable, Blocking, Inlinable, now, read_bytes};

/// A raw message: its type and its bytes (tmq-raw §4).
///
/// # Dumps
///
/// [`Inlinable`] and [`AsyncInlinable`] write it as the number of bytes in 4 bytes, the type in 2, and
/// the bytes, all little-endian, as the published crate does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawData {
    raw_type: u16,
    raw: Bytes,
}

/// A raw message; the name that meta messages go by.
pub type RawMeta = RawData;

impl RawData {
    /// A message of this type.
    pub fn new(raw_type: u16, raw: impl Into<Bytes>) -> Self {
        Self {
            raw_type,
            raw: raw.into(),
        }
    }

    /// The type of the message (tmq-raw §4).
    pub const fn raw_type(&self) -> u16 {
        self.raw_type
    }

    /// Number of bytes.
    pub const fn raw_len(&self) -> usize {
        self.raw.len()
    }

    /// The bytes.
    pub fn raw_slice(&self) -> &[u8] {
        &self.raw
    }

    /// The bytes, shared.
    pub const fn raw(&self) -> &Bytes {
        &self.raw
    }
}

impl RawData {
    async fn dump<W: AsyncWrite + Unpin>(&self, writer: &mut W) -> io::Result<usize> {
        let length = u32::try_from(self.raw.len()).map_err(|_| {
            let text = "a raw message of more than 4 GiB cannot be written";
            Error::new(ErrorKind::InvalidInput, text)
        })?;
        writer.write_u32_le(length).await?;
        writer.write_u16_le(self.raw_type).await?;
        writer.write_all(&self.raw).await?;
        Ok(size_of::<u32>() + size_of::<u16>() + self.raw.len())
    }

    async fn restore<R: AsyncRead + Unpin>(reader: &mut R) -> io::Result<Self> {
        let length = reader.read_u32_le().await?;
        let raw_type = reader.read_u16_le().await?;
        let length = usize::try_from(length).map_err(Error::other)?;
        Ok(Self::new(raw_type, read_bytes(reader, length).await?))
    }
}

impl Inlinable for RawData {
    fn read_inlined<R: Read>(reader: &mut R) -> io::Result<Self> {
        now(Self::restore(&mut Blocking(reader)))
    }

    fn write_inlined<W: Write>(&self, wtr: &mut W) -> io::Result<usize> {
        now(self.dump(&mut Blocking(wtr)))
    }
}

impl AsyncInlinable for RawData {
    async fn read_inlined<R: AsyncRead + Send + Unpin>(reader: &mut R) -> io::Result<Self> {
        Self::restore(reader).await
    }

    async fn write_inlined<W: AsyncWrite + Send + Unpin>(&self, wtr: &mut W) -> io::Result<usize> {
        self.dump(wtr).await
    }
}

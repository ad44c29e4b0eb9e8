//! Values as bytes in a file or stream, one behind the other.
//!
//! The layouts are those of the published crate, so that dumps of either can be restored by the
//! other; they are written down at [`RawBlock`](crate::RawBlock#dumps) and
//! [`RawData`](crate::RawData#dumps). All numbers are little-endian.

mod adapter;
mod nonblocking;

use std::collections::BTreeMap;
use std::io::{Error, ErrorKind, Read, Result, Write};

pub(crate) use adapter::{Blocking, now, read_bytes, read_text, write_text};
pub use nonblocking::{AsyncInlinable, AsyncInlinableRead, AsyncInlinableWrite};

/// Wishes of one who writes; none are known yet.
#[derive(Debug, Clone, Default)]
pub struct InlineOpts {
    /// Wishes by name.
    pub opts: BTreeMap<String, String>,
}

/// A value that can be written as bytes and read back.
pub trait Inlinable {
    /// Reads a value.
    ///
    /// # Errors
    /// The reader's, and for bytes that are not such a value.
    fn read_inlined<R: Read>(reader: &mut R) -> Result<Self>
    where
        Self: Sized;

    /// Reads a value, or the mark that there are no more.
    ///
    /// # Errors
    /// As [`read_inlined`](Self::read_inlined).
    fn read_optional_inlined<R: Read>(reader: &mut R) -> Result<Option<Self>>
    where
        Self: Sized,
    {
        Self::read_inlined(reader).map(Some)
    }

    /// Writes the value and returns the number of bytes.
    ///
    /// # Errors
    /// The writer's, and for a name that is too long for the layout.
    fn write_inlined<W: Write>(&self, wtr: &mut W) -> Result<usize>;

    /// As [`write_inlined`](Self::write_inlined), with wishes.
    ///
    /// # Errors
    /// As that.
    fn write_inlined_with<W: Write>(&self, wtr: &mut W, opts: InlineOpts) -> Result<usize> {
        let _ = opts;
        self.write_inlined(wtr)
    }

    /// The bytes of the value; none if it cannot be written.
    fn inlined(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        match self.write_inlined(&mut bytes) {
            Ok(_) => bytes,
            Err(error) => unwritten(&error),
        }
    }

    /// The bytes of the value with those that are not printable ASCII escaped.
    fn printable_inlined(&self) -> String {
        self.inlined().escape_ascii().to_string()
    }
}

/// What stands for a value that cannot be written, where the signature has no room for an error.
fn unwritten(error: &Error) -> Vec<u8> {
    tracing::error!(%error, "the value cannot be written");
    Vec::new()
}

/// The length as `N` bytes.
fn length_bytes<const N: usize>(length: usize) -> Result<[u8; N]> {
    let too_long = || {
        Error::new(
            ErrorKind::InvalidInput,
            format!("a length of {length} does not fit into {N} bytes"),
        )
    };
    let all = u64::try_from(length).map_err(|_| too_long())?.to_le_bytes();
    let (kept, cut) = all.split_at_checked(N).ok_or_else(too_long)?;
    if cut.iter().any(|byte| *byte != 0) {
        return Err(too_long());
    }
    kept.try_into().map_err(|_| too_long())
}

/// The length that `N` bytes say.
fn length_of<const N: usize>(bytes: [u8; N]) -> Result<usize> {
    let mut all = [0; 8];
    if let Some(low) = all.get_mut(..N) {
        low.copy_from_slice(&bytes);
        if let Ok(length) = usize::try_from(u64::from_le_bytes(all)) {
            return Ok(length);
        }
    }
    Err(Error::new(
        ErrorKind::InvalidData,
        format!("{N} bytes of length say more than memory can hold"),
    ))
}

fn not_text(error: std::string::FromUtf8Error) -> Error {
    Error::new(ErrorKind::InvalidData, error)
}

macro_rules! write_numbers {
    ($($name:ident: $ty:ty;)*) => {$(
        #[doc = concat!("Writes a [`", stringify!($ty), "`] and returns its size.")]
        ///
        /// # Errors
        /// The writer's.
        fn $name(&mut self, value: $ty) -> Result<usize> {
            let bytes = value.to_le_bytes();
            self.write_all(&bytes)?;
            Ok(bytes.len())
        }
    )*};
}

/// Every writer takes numbers, texts and values.
pub trait InlinableWrite: Write {
    /// Writes a length as `N` bytes, 1 to 8.
    ///
    /// # Errors
    /// The writer's, and when the length does not fit.
    fn write_len_with_width<const N: usize>(&mut self, len: usize) -> Result<usize> {
        self.write_all(&length_bytes::<N>(len)?)?;
        Ok(N)
    }

    write_numbers! {
        write_u8_le: u8;
        write_u16_le: u16;
        write_u32_le: u32;
        write_i64_le: i64;
        write_u64_le: u64;
        write_u128_le: u128;
    }

    /// Writes bytes behind their length in `N` bytes.
    ///
    /// # Errors
    /// The writer's, and when the length does not fit.
    fn write_inlined_bytes<const N: usize>(&mut self, bytes: &[u8]) -> Result<usize> {
        let head = self.write_len_with_width::<N>(bytes.len())?;
        self.write_all(bytes)?;
        Ok(head + bytes.len())
    }

    /// Writes a text behind its length in `N` bytes.
    ///
    /// # Errors
    /// The writer's, and when the length does not fit.
    fn write_inlined_str<const N: usize>(&mut self, s: &str) -> Result<usize> {
        self.write_inlined_bytes::<N>(s.as_bytes())
    }

    /// Writes a value.
    ///
    /// # Errors
    /// As [`Inlinable::write_inlined`].
    fn write_inlinable<T: Inlinable>(&mut self, value: &T) -> Result<usize>
    where
        Self: Sized,
    {
        value.write_inlined(self)
    }
}

impl<T: Write> InlinableWrite for T {}

macro_rules! read_numbers {
    ($($name:ident: $ty:ty;)*) => {$(
        #[doc = concat!("Reads a [`", stringify!($ty), "`].")]
        ///
        /// # Errors
        /// The reader's.
        fn $name(&mut self) -> Result<$ty> {
            let mut bytes = [0; size_of::<$ty>()];
            self.read_exact(&mut bytes)?;
            Ok(<$ty>::from_le_bytes(bytes))
        }
    )*};
}

/// Every reader gives numbers, texts and values.
pub trait InlinableRead: Read {
    /// Reads a length of `N` bytes, 1 to 8.
    ///
    /// # Errors
    /// The reader's.
    fn read_len_with_width<const N: usize>(&mut self) -> Result<usize> {
        let mut bytes = [0; N];
        self.read_exact(&mut bytes)?;
        length_of(bytes)
    }

    read_numbers! {
        read_u8: u8;
        read_u16: u16;
        read_u32: u32;
        read_u64: u64;
        read_u128: u128;
        read_f32: f32;
        read_f64: f64;
    }

    /// Reads bytes in front of which stands the length of all, itself included, in `N` bytes; they are
    /// returned with it.
    ///
    /// # Errors
    /// The reader's, and for a length less than `N`.
    fn read_len_with_data<const N: usize>(&mut self) -> Result<Vec<u8>>
    where
        Self: Sized,
    {
        let length = self.read_len_with_width::<N>()?;
        now(with_length::<N, _>(&mut Blocking(self), length))
    }

    /// Reads bytes behind their length in `N` bytes.
    ///
    /// # Errors
    /// The reader's.
    fn read_inlined_bytes<const N: usize>(&mut self) -> Result<Vec<u8>>
    where
        Self: Sized,
    {
        let length = self.read_len_with_width::<N>()?;
        now(read_bytes(&mut Blocking(self), length))
    }

    /// Reads a text behind its length in `N` bytes.
    ///
    /// # Errors
    /// The reader's, and for bytes that are not UTF-8.
    fn read_inlined_str<const N: usize>(&mut self) -> Result<String>
    where
        Self: Sized,
    {
        String::from_utf8(self.read_inlined_bytes::<N>()?).map_err(not_text)
    }

    /// Reads a value.
    ///
    /// # Errors
    /// As [`Inlinable::read_inlined`].
    fn read_inlinable<T: Inlinable>(&mut self) -> Result<T>
    where
        Self: Sized,
    {
        T::read_inlined(self)
    }
}

impl<T: Read> InlinableRead for T {}

/// The rest of bytes whose length counts itself, behind that length.
async fn with_length<const N: usize, R: tokio::io::AsyncRead + Unpin>(
    reader: &mut R,
    length: usize,
) -> Result<Vec<u8>> {
    let rest = length.checked_sub(N).ok_or_else(|| {
        Error::new(
            ErrorKind::InvalidData,
            format!("a length of {length} does not even count its own {N} bytes"),
        )
    })?;
    let mut bytes = length_bytes::<N>(length)?.to_vec();
    bytes.append(&mut read_bytes(reader, rest).await?);
    Ok(bytes)
}

#[cfg(test)]
mod tests;

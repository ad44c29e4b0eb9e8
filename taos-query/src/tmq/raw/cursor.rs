//! The numbers and texts of tmq-raw §1, checked against the end of the bytes.

use super::bad;
use crate::error::RawResult;

/// Bytes, and how far they have been read.
pub(super) struct Cursor<'a> {
    all: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(super) const fn new(all: &'a [u8], at: usize) -> Self {
        Self { all, at }
    }

    pub(super) const fn at(&self) -> usize {
        self.at
    }

    pub(super) fn rest(&self) -> &'a [u8] {
        self.all.get(self.at..).unwrap_or_default()
    }

    pub(super) fn take(&mut self, len: usize) -> RawResult<&'a [u8]> {
        let Some(part) = self.rest().get(..len) else {
            return Err(bad(format!(
                "{len} bytes are needed at offset {}, but it ends at {}",
                self.at,
                self.all.len()
            )));
        };
        self.at += len;
        Ok(part)
    }

    pub(super) fn array<const N: usize>(&mut self) -> RawResult<[u8; N]> {
        let part = self.take(N)?;
        Ok(part.first_chunk::<N>().copied().unwrap_or([0; N]))
    }

    pub(super) fn u8(&mut self) -> RawResult<u8> {
        self.array().map(|[byte]| byte)
    }

    pub(super) fn i64(&mut self) -> RawResult<i64> {
        self.array().map(i64::from_le_bytes)
    }

    /// A number of things, in four bytes.
    pub(super) fn count(&mut self, what: &str) -> RawResult<usize> {
        let count = self.array().map(i32::from_le_bytes)?;
        usize::try_from(count).map_err(|_| bad(format!("{count} {what} before offset {}", self.at)))
    }

    /// Seven bits a byte, the lowest first; at most five bytes.
    #[inline]
    pub(super) fn varint(&mut self) -> RawResult<u32> {
        if let Some(&byte) = self.all.get(self.at)
            && byte < 0x80
        {
            self.at += 1;
            return Ok(byte.into());
        }
        self.long_varint()
    }

    fn long_varint(&mut self) -> RawResult<u32> {
        let start = self.at;
        let mut value = 0_u64;
        for shift in [0, 7, 14, 21, 28] {
            let byte = self.u8()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return u32::try_from(value)
                    .map_err(|_| bad(format!("the number at offset {start} is too large")));
            }
        }
        Err(bad(format!("the number at offset {start} is too long")))
    }

    pub(super) fn zigzag(&mut self) -> RawResult<i32> {
        let value = self.varint()?;
        Ok((value >> 1).cast_signed() ^ -(value & 1).cast_signed())
    }

    pub(super) fn binary(&mut self) -> RawResult<&'a [u8]> {
        let len = self.varint()?;
        self.take(usize::try_from(len).unwrap_or(usize::MAX))
    }

    /// A text whose length counts the NUL behind it.
    pub(super) fn text(&mut self) -> RawResult<&'a str> {
        let start = self.at;
        let bytes = self.binary()?;
        let text = bytes.strip_suffix(&[0]).unwrap_or(bytes);
        std::str::from_utf8(text)
            .map_err(|_| bad(format!("the name at offset {start} is not UTF-8")))
    }
}

//! Bounds-checked reading of little-endian numbers from a received frame.

use bytes::Bytes;

/// What was missing: how many bytes were wanted at which offset of a frame of which length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{want} bytes are needed at offset {at}, but the frame ends at {len}")]
pub(crate) struct Short {
    at: usize,
    want: usize,
    len: usize,
}

#[derive(Clone)]
pub(crate) struct Reader<'a> {
    data: &'a Bytes,
    at: usize,
}

impl<'a> Reader<'a> {
    pub(crate) const fn new(data: &'a Bytes) -> Self {
        Self { data, at: 0 }
    }

    pub(crate) fn remaining(&self) -> usize {
        self.data.len().saturating_sub(self.at)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Short> {
        let short = Short {
            at: self.at,
            want: N,
            len: self.data.len(),
        };
        let rest = self.data.get(self.at..).ok_or(short)?;
        let value = rest.first_chunk::<N>().ok_or(short)?;
        self.at += N;
        Ok(*value)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, Short> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(crate) fn u16(&mut self) -> Result<u16, Short> {
        self.array().map(u16::from_le_bytes)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, Short> {
        self.array().map(u32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self) -> Result<u64, Short> {
        self.array().map(u64::from_le_bytes)
    }

    /// The next `len` bytes as a view of the frame, without a copy.
    pub(crate) fn bytes(&mut self, len: u32) -> Result<Bytes, Short> {
        let want = usize::try_from(len).unwrap_or(usize::MAX);
        if want > self.remaining() {
            return Err(Short {
                at: self.at,
                want,
                len: self.data.len(),
            });
        }
        let view = self.data.slice(self.at..self.at + want);
        self.at += want;
        Ok(view)
    }

    pub(crate) fn rest(&mut self) -> Bytes {
        let view = self.data.slice(self.at.min(self.data.len())..);
        self.at = self.data.len();
        view
    }
}

//! Writing the numbers and texts that [`Cursor`](super::wire::Cursor) reads.

/// Bytes as they come to be.
#[derive(Debug, Default)]
pub(super) struct Out(pub(super) Vec<u8>);

impl Out {
    pub(super) fn raw(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    pub(super) fn u8(&mut self, value: u8) {
        self.0.push(value);
    }

    pub(super) fn i32(&mut self, value: i32) {
        self.raw(&value.to_le_bytes());
    }

    pub(super) fn i64(&mut self, value: i64) {
        self.raw(&value.to_le_bytes());
    }

    pub(super) fn length(&mut self, length: usize) {
        self.raw(&u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes());
    }

    pub(super) fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.u8((value & 0x7f) as u8 | 0x80);
            value >>= 7;
        }
        self.u8((value & 0x7f) as u8);
    }

    pub(super) fn zigzag(&mut self, value: i64) {
        self.varint((value << 1).cast_unsigned() ^ (value >> 63).cast_unsigned());
    }

    /// A number of things, in the signed form.
    pub(super) fn count(&mut self, count: usize) {
        self.zigzag(i64::try_from(count).unwrap_or(i64::MAX));
    }

    pub(super) fn binary(&mut self, bytes: &[u8]) {
        self.varint(bytes.len() as u64);
        self.raw(bytes);
    }

    pub(super) fn text(&mut self, text: &str) {
        self.varint(text.len() as u64 + 1);
        self.raw(text.as_bytes());
        self.u8(0);
    }

    /// A part behind its length.
    pub(super) fn part(&mut self, fill: impl FnOnce(&mut Self)) {
        let mut part = Self::default();
        fill(&mut part);
        self.length(part.0.len());
        self.raw(&part.0);
    }
}

use bytes::Bytes;

use crate::ingress::Buffer;

/// The lines of a buffer on their way. However the flush ends, also when its future is dropped, they
/// go back.
pub(super) struct Lent<'a> {
    buffer: &'a mut Buffer,
    lines: Bytes,
}

impl<'a> Lent<'a> {
    pub(super) fn take(buffer: &'a mut Buffer) -> Self {
        let lines = Bytes::from(buffer.take_bytes());
        Self { buffer, lines }
    }

    /// Shares the memory of the lines.
    pub(super) fn lines(&self) -> Bytes {
        self.lines.clone()
    }
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        // Without a copy, unless somebody still holds the lines.
        self.buffer
            .restore_bytes(Vec::from(std::mem::take(&mut self.lines)));
    }
}

//! Rows gathered in memory until they are flushed (questdb §4).

mod columns;
mod escape;
mod ilp;
mod qwp;
mod state;
#[cfg(test)]
mod tests;
mod text;

use std::fmt;

pub(crate) use self::ilp::IlpBuffer;
pub(crate) use self::qwp::{Encoder as QwpEncoder, QwpBuffer, SymbolTable};
pub use self::state::Bookmark;
use crate::error::{Result, error};
use crate::ingress::ProtocolVersion;

/// The longest name of a table or column where nothing else is said, in bytes.
pub(crate) const DEFAULT_MAX_NAME_LEN: usize = 127;

/// Rows gathered in memory. A sender sends them; the buffer can be filled and sent again and again.
///
/// A row is a table, its symbols, its other columns, and [`at`](Self::at) or
/// [`at_now`](Self::at_now), in this order:
///
/// ```
/// use taos_questdb::ingress::{Buffer, ProtocolVersion, TimestampNanos};
///
/// let mut buffer = Buffer::new(ProtocolVersion::V1);
/// buffer
///     .table("trades")?
///     .symbol("symbol", "ETH-USD")?
///     .column_f64("price", 2615.54)?
///     .column_i64("n", -42)?
///     .at(TimestampNanos::new(1_700_000_000_123_456_789))?;
/// assert_eq!(
///     buffer.as_bytes(),
///     b"trades,symbol=ETH-USD price=2615.54,n=-42i 1700000000123456789\n"
/// );
/// assert_eq!(buffer.row_count(), 1);
/// # taos_questdb::Result::Ok(())
/// ```
///
/// A call out of order fails and changes nothing. A row given up in the middle is dropped by going
/// back to a marker set before it:
///
/// ```
/// use taos_questdb::ingress::Buffer;
///
/// let mut buffer = Buffer::default();
/// buffer.table("t")?.column_i64("i", 1)?.at_now()?;
/// buffer.set_marker()?;
/// buffer.table("t")?.symbol("s", "x")?;
/// assert!(buffer.check_can_flush().is_err());
/// buffer.rewind_to_marker()?;
/// assert_eq!(buffer.as_bytes(), b"t i=1i\n");
/// # taos_questdb::Result::Ok(())
/// ```
#[derive(Clone)]
pub struct Buffer {
    inner: Inner,
}

#[derive(Clone)]
pub(crate) enum Inner {
    Ilp(IlpBuffer),
    Qwp(Box<QwpBuffer>),
}

/// Version 1 of the line protocol.
impl Default for Buffer {
    fn default() -> Self {
        Self::new(ProtocolVersion::V1)
    }
}

impl fmt::Debug for Buffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Buffer")
            .field("kind", &if self.ilp().is_some() { "lines" } else { "qwp" })
            .field("protocol_version", &self.protocol_version())
            .field("rows", &self.row_count())
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}

impl Buffer {
    /// A buffer of lines of this version, with names of up to 127 bytes.
    pub fn new(protocol_version: ProtocolVersion) -> Self {
        Self::with_max_name_len(protocol_version, DEFAULT_MAX_NAME_LEN)
    }

    /// A buffer of lines of this version, with names of up to `max_name_len` bytes.
    pub fn with_max_name_len(protocol_version: ProtocolVersion, max_name_len: usize) -> Self {
        Self::with_init_capacity_and_max_name_len(protocol_version, 0, max_name_len)
    }

    /// The same with memory for `init_capacity` bytes of lines.
    pub fn with_init_capacity_and_max_name_len(
        protocol_version: ProtocolVersion,
        init_capacity: usize,
        max_name_len: usize,
    ) -> Self {
        Self {
            inner: Inner::Ilp(IlpBuffer::new(
                protocol_version,
                init_capacity,
                max_name_len,
            )),
        }
    }

    /// A buffer of columns for QWP over WebSocket, with names of up to 127 bytes.
    pub fn new_qwp_ws() -> Self {
        Self::qwp_ws_with_max_name_len(DEFAULT_MAX_NAME_LEN)
    }

    /// A buffer of columns for QWP over WebSocket, with names of up to `max_name_len` bytes.
    pub fn qwp_ws_with_max_name_len(max_name_len: usize) -> Self {
        Self {
            inner: Inner::Qwp(Box::new(QwpBuffer::new(max_name_len))),
        }
    }

    /// The version of the lines; version 1 for buffers of columns.
    pub fn protocol_version(&self) -> ProtocolVersion {
        match &self.inner {
            Inner::Ilp(lines) => lines.version(),
            Inner::Qwp(_) => ProtocolVersion::V1,
        }
    }

    /// Makes room for this many more bytes. Buffers of columns take it as a hint.
    pub fn reserve(&mut self, additional: usize) {
        match &mut self.inner {
            Inner::Ilp(lines) => lines.reserve(additional),
            Inner::Qwp(columns) => columns.reserve(additional),
        }
    }

    /// Bytes of the rows so far, the unfinished one included. Buffers of columns estimate it.
    pub fn len(&self) -> usize {
        match &self.inner {
            Inner::Ilp(lines) => lines.len(),
            Inner::Qwp(columns) => columns.len(),
        }
    }

    /// True when there is no row, not even an unfinished one.
    pub fn is_empty(&self) -> bool {
        match &self.inner {
            Inner::Ilp(lines) => lines.len() == 0,
            Inner::Qwp(columns) => columns.is_empty(),
        }
    }

    /// Rows completed by [`at`](Self::at) or [`at_now`](Self::at_now).
    pub fn row_count(&self) -> usize {
        match &self.inner {
            Inner::Ilp(lines) => lines.rows(),
            Inner::Qwp(columns) => columns.row_count(),
        }
    }

    /// True while all rows are of one table, so that a flush over HTTP is applied whole or not at
    /// all. Always false for buffers of columns.
    pub fn transactional(&self) -> bool {
        match &self.inner {
            Inner::Ilp(lines) => lines.one_table(),
            Inner::Qwp(_) => false,
        }
    }

    /// Bytes the buffer has memory for.
    pub fn capacity(&self) -> usize {
        match &self.inner {
            Inner::Ilp(lines) => lines.capacity(),
            Inner::Qwp(columns) => columns.capacity(),
        }
    }

    /// The lines as they will be sent; empty for buffers of columns, which are encoded when they are
    /// flushed.
    pub fn as_bytes(&self) -> &[u8] {
        match &self.inner {
            Inner::Ilp(lines) => lines.as_bytes(),
            Inner::Qwp(_) => &[],
        }
    }

    /// Remembers this point for [`rewind_to_marker`](Self::rewind_to_marker), in place of any other.
    ///
    /// # Errors
    /// `InvalidApiCall` in the middle of a row.
    pub fn set_marker(&mut self) -> Result<()> {
        self.bookmark().map(drop)
    }

    /// Remembers this point, in place of any other, and gives it an identity.
    ///
    /// # Errors
    /// `InvalidApiCall` in the middle of a row.
    pub fn bookmark(&mut self) -> Result<Bookmark> {
        match &mut self.inner {
            Inner::Ilp(lines) => lines.bookmark(),
            Inner::Qwp(columns) => columns.bookmark(),
        }
    }

    /// Drops all rows since the marker or bookmark, and the marker with them.
    ///
    /// # Errors
    /// `InvalidApiCall` when none is set.
    pub fn rewind_to_marker(&mut self) -> Result<()> {
        match &mut self.inner {
            Inner::Ilp(lines) => lines.rewind_to_marker(),
            Inner::Qwp(columns) => columns.rewind_to_marker(),
        }
    }

    /// Drops all rows since this bookmark, and the bookmark with them.
    ///
    /// # Errors
    /// `InvalidApiCall` when it is another buffer's, or no longer set.
    pub fn rewind_to_bookmark(&mut self, bookmark: Bookmark) -> Result<()> {
        match &mut self.inner {
            Inner::Ilp(lines) => lines.rewind_to_bookmark(bookmark),
            Inner::Qwp(columns) => columns.rewind_to_bookmark(bookmark),
        }
    }

    /// Forgets the marker or bookmark; nothing happens when none is set.
    pub fn clear_marker(&mut self) {
        match &mut self.inner {
            Inner::Ilp(lines) => lines.clear_marker(),
            Inner::Qwp(columns) => columns.clear_marker(),
        }
    }

    /// Forgets this bookmark if it is the one that is set.
    pub fn clear_bookmark(&mut self, bookmark: Bookmark) {
        match &mut self.inner {
            Inner::Ilp(lines) => lines.clear_bookmark(bookmark),
            Inner::Qwp(columns) => columns.clear_bookmark(bookmark),
        }
    }

    /// Drops all rows and the marker; the memory stays for the next rows.
    pub fn clear(&mut self) {
        match &mut self.inner {
            Inner::Ilp(lines) => lines.clear(),
            Inner::Qwp(columns) => columns.clear(),
        }
    }

    /// Says whether a flush may follow, which it may unless a row is unfinished.
    ///
    /// # Errors
    /// `InvalidApiCall` naming the calls that may follow instead.
    pub fn check_can_flush(&self) -> Result<()> {
        match &self.inner {
            Inner::Ilp(lines) => lines.state().check(state::Call::Flush),
            Inner::Qwp(columns) => columns.check_can_flush(),
        }
    }
}

/// For senders.
impl Buffer {
    /// Everything that is checked before lines are sent, in the order of questdb §5.7. False when
    /// there is nothing to send.
    ///
    /// # Errors
    /// `InvalidApiCall` for a buffer of columns, an unfinished row, too many bytes, or rows of two
    /// tables in a transaction; `ProtocolVersionError` when the sender has another version.
    pub(crate) fn check_flush(
        &self,
        max_buf_size: usize,
        version: ProtocolVersion,
        transactional: bool,
    ) -> Result<bool> {
        let Inner::Ilp(lines) = &self.inner else {
            return Err(error!(
                InvalidApiCall,
                "a buffer of columns for QWP cannot be flushed as lines; take one from \
                 `Sender::new_buffer`"
            ));
        };
        self.check_can_flush()?;
        if lines.len() == 0 {
            return Ok(false);
        }
        if lines.len() > max_buf_size {
            return Err(error!(
                InvalidApiCall,
                "the buffer has {} bytes, the limit of a flush is {max_buf_size} (`max_buf_size`): flush \
                 more often, or raise it",
                lines.len()
            ));
        }
        if lines.version() != version {
            return Err(error!(
                ProtocolVersionError,
                "the buffer has version {} of the line protocol, the sender {version}; take buffers \
                 from `Sender::new_buffer`",
                lines.version()
            ));
        }
        if transactional && !lines.one_table() {
            return Err(error!(
                InvalidApiCall,
                "a transactional flush takes rows of one table, the buffer has rows of several"
            ));
        }
        Ok(true)
    }

    pub(crate) fn ilp(&self) -> Option<&IlpBuffer> {
        match &self.inner {
            Inner::Ilp(lines) => Some(lines),
            Inner::Qwp(_) => None,
        }
    }

    pub(crate) fn qwp(&self) -> Option<&QwpBuffer> {
        match &self.inner {
            Inner::Ilp(_) => None,
            Inner::Qwp(columns) => Some(columns),
        }
    }

    /// Takes the lines out without a copy; [`restore_bytes`](Self::restore_bytes) must bring them
    /// back before anything else is done. Empty for buffers of columns.
    pub(crate) fn take_bytes(&mut self) -> Vec<u8> {
        match &mut self.inner {
            Inner::Ilp(lines) => lines.take_bytes(),
            Inner::Qwp(_) => Vec::new(),
        }
    }

    /// As [`IlpBuffer::adopt`]; nothing happens to buffers of columns.
    pub(crate) fn adopt(&mut self, lines: Vec<u8>) {
        if let Inner::Ilp(rows) = &mut self.inner {
            rows.adopt(lines);
        }
    }

    pub(crate) fn restore_bytes(&mut self, bytes: Vec<u8>) {
        if let Inner::Ilp(lines) = &mut self.inner {
            lines.restore_bytes(bytes);
        }
    }
}

//! The bytes of QWP, without I/O: what both directions share, and each direction's own messages.

mod column;
pub(crate) mod egress;
mod header;
mod reader;
mod reply;
mod varint;

pub(crate) use column::ColumnType;
pub(crate) use header::{HEADER_LEN, Header, flags};
pub(crate) use reader::Reader;
pub(crate) use reply::{Reply, TableSeq};
pub(crate) use varint::{put_string, put_varint};

/// Longest name of a table or column in bytes (questdb §12.4).
pub(crate) const MAX_NAME_LEN: usize = 127;

/// Most columns of one table block (questdb §12.4).
pub(crate) const MAX_COLUMNS: usize = 2048;

/// Bytes of a bitmap with one bit for each of `rows` rows.
pub(crate) const fn bitmap_len(rows: usize) -> usize {
    rows.div_ceil(8)
}

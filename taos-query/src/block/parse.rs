//! The one place where malformed blocks are found (raw-block §1 to §4).

use std::sync::OnceLock;

use super::ColumnBuilder;
use super::text::ColumnText;
use crate::common::Ty;
use crate::{ErrorKind, RawError, RawResult};

/// Bytes before the schema.
pub(super) const HEADER_LEN: usize = 28;
/// Bytes of a column in the schema.
const SCHEMA_ENTRY: usize = 5;
/// Flag bit of a block that describes its columns.
pub(super) const SCHEMA_PRESENT: u32 = 0x8000_0000;
/// No server creates more columns than this (4,096), so a longer list is a lie.
const MAX_COLUMNS: usize = 65_536;

/// Header fields and columns of a checked block.
#[derive(Debug)]
pub(super) struct Layout {
    pub(super) rows: usize,
    pub(super) group_id: u64,
    /// Bytes of the block; what follows in the buffer is not its own.
    pub(super) length: usize,
    pub(super) columns: Box<[Column]>,
}

/// Where a column lies in the block; every range has been checked.
#[derive(Debug)]
pub(crate) struct Column {
    pub(crate) ty: Ty,
    pub(crate) precision: u8,
    pub(crate) scale: u8,
    /// The type info of the schema entry as one number.
    pub(crate) info: u32,
    /// Start of the NULL bitmap or of the offsets.
    pub(crate) head: usize,
    /// Start of the values.
    pub(crate) data: usize,
    pub(crate) data_len: usize,
    /// The text of an NCHAR column, made at the first access.
    pub(crate) text: OnceLock<ColumnText>,
}

impl Column {
    /// The only column of a buffer that holds a builder's two parts, one behind the other.
    pub(super) fn of_cells(builder: &ColumnBuilder) -> Self {
        Self {
            ty: builder.ty(),
            precision: 0,
            scale: 0,
            info: u32::from_le_bytes(builder.info()),
            head: 0,
            data: builder.head_len(),
            data_len: builder.values().len(),
            text: OnceLock::new(),
        }
    }

    /// The only column of a buffer with the NULL flags in its first `head` bytes and `data_len` bytes
    /// of cells behind them.
    pub(super) fn of_fixed(ty: Ty, head: usize, data_len: usize) -> Self {
        Self {
            ty,
            precision: 0,
            scale: 0,
            info: u32::try_from(ty.fixed_length()).unwrap_or_default(),
            head: 0,
            data: head,
            data_len,
            text: OnceLock::new(),
        }
    }
}

fn bad(message: String) -> RawError {
    RawError::of(
        ErrorKind::Protocol,
        format!("malformed raw block: {message}"),
    )
}

/// `N` bytes at `at`, zeros beyond the end; callers have checked the range.
#[inline]
pub(crate) fn array<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    bytes
        .get(at..)
        .and_then(|rest| rest.first_chunk::<N>())
        .copied()
        .unwrap_or([0; N])
}

fn size(bytes: &[u8], at: usize, what: &str) -> RawResult<usize> {
    let value = i32::from_le_bytes(array(bytes, at));
    usize::try_from(value).map_err(|_| bad(format!("{what} is {value}")))
}

/// Checks a whole block: afterwards every cell can be read without a further check.
pub(super) fn parse(bytes: &[u8]) -> RawResult<Layout> {
    if bytes.len() < HEADER_LEN {
        return Err(bad(format!(
            "{} bytes are less than the header's {HEADER_LEN}",
            bytes.len()
        )));
    }
    let length = size(bytes, 4, "its length")?;
    let bytes = bytes.get(..length).ok_or_else(|| {
        bad(format!(
            "it says {length} bytes but {} arrived",
            bytes.len()
        ))
    })?;
    let rows = size(bytes, 8, "the number of rows")?;
    let cols = size(bytes, 12, "the number of columns")?;
    if cols > MAX_COLUMNS || (cols == 0 && rows > 0) {
        return Err(bad(format!("{rows} rows of {cols} columns")));
    }
    let body = HEADER_LEN + 9 * cols;
    if length < body {
        return Err(bad(format!(
            "{length} bytes are less than the {body} that {cols} columns need"
        )));
    }
    let mut at = body;
    let mut columns = Vec::with_capacity(cols);
    for index in 0..cols {
        let column = parse_column(bytes, index, cols, rows, at)
            .map_err(|error| error.context(format!("column {index}")))?;
        at = column.data + column.data_len;
        columns.push(column);
    }
    Ok(Layout {
        rows,
        group_id: u64::from_le_bytes(array(bytes, 20)),
        length,
        columns: columns.into(),
    })
}

/// The type ids that the head of a block says.
pub(super) fn types(bytes: &[u8]) -> Option<impl Iterator<Item = u8>> {
    let columns = bytes.get(12..)?.first_chunk::<4>()?;
    let columns = usize::try_from(u32::from_le_bytes(*columns)).ok()?;
    let entries = bytes
        .get(HEADER_LEN..)?
        .get(..columns.checked_mul(SCHEMA_ENTRY)?)?;
    Some(entries.iter().copied().step_by(SCHEMA_ENTRY))
}

fn parse_column(
    bytes: &[u8],
    index: usize,
    cols: usize,
    rows: usize,
    head: usize,
) -> RawResult<Column> {
    let entry = HEADER_LEN + 5 * index;
    let [id, scale, precision, _, _] = array(bytes, entry);
    let ty = Ty::from_u8_option(id)
        .filter(|ty| *ty != Ty::Null)
        .ok_or_else(|| bad(format!("type id {id} is unknown")))?;
    let data_len = size(bytes, HEADER_LEN + 5 * cols + 4 * index, "its data length")?;
    let head_len = if ty.is_var_type() {
        rows.saturating_mul(4)
    } else {
        rows.div_ceil(8)
    };
    let data = head.saturating_add(head_len);
    let end = data.saturating_add(data_len);
    let Some(values) = bytes.get(data..end) else {
        return Err(bad(format!(
            "its data ends at byte {end} but the block has {}",
            bytes.len()
        )));
    };
    let (precision, scale) = if ty.is_decimal() {
        (precision, scale)
    } else {
        (0, 0)
    };
    if scale > 38 {
        return Err(bad(format!("a decimal scale of {scale} is above 38")));
    }
    if ty.is_var_type() {
        check_offsets(ty, bytes.get(head..data).unwrap_or_default(), values)?;
    } else if Some(data_len) != rows.checked_mul(ty.fixed_length()) {
        return Err(bad(format!(
            "{data_len} bytes of data are not {rows} rows of {ty} with {} bytes each",
            ty.fixed_length()
        )));
    }
    Ok(Column {
        ty,
        precision,
        scale,
        info: u32::from_le_bytes(array(bytes, entry + 1)),
        head,
        data,
        data_len,
        text: OnceLock::new(),
    })
}

/// Every offset must lead to a length prefix and payload inside the data.
fn check_offsets(ty: Ty, offsets: &[u8], values: &[u8]) -> RawResult<()> {
    let prefix = ty.prefix_length();
    for (row, offset) in offsets.chunks_exact(4).enumerate() {
        let offset = i32::from_le_bytes(array(offset, 0));
        if offset == -1 {
            continue;
        }
        let inside = usize::try_from(offset)
            .ok()
            .and_then(|start| values.get(start..))
            .is_some_and(|cell| {
                cell.len() >= prefix && cell.len() - prefix >= payload_len(cell, prefix)
            });
        if !inside {
            return Err(bad(format!(
                "offset {offset} of row {row} leads out of {} bytes of data",
                values.len()
            )));
        }
        if ty == Ty::NChar {
            let start = usize::try_from(offset).unwrap_or_default();
            let len = payload_len(values.get(start..).unwrap_or_default(), prefix);
            if !len.is_multiple_of(4) {
                return Err(bad(format!(
                    "NCHAR of {len} bytes in row {row} is not whole UTF-32 units"
                )));
            }
        }
    }
    Ok(())
}

/// The length that a prefix of 2 or 4 bytes says.
#[inline]
pub(crate) fn payload_len(cell: &[u8], prefix: usize) -> usize {
    if prefix == 4 {
        usize::try_from(u32::from_le_bytes(array(cell, 0))).unwrap_or(usize::MAX)
    } else {
        usize::from(u16::from_le_bytes(array(cell, 0)))
    }
}

//! Rows in their stored forms to raw blocks.

use rusqlite::types::{Value, ValueRef};
use taos_query::RawResult;
use taos_query::block::{BlockWriter, ColumnBuilder, RawBlock};
use taos_query::common::{Precision, Ty};

use super::internal;
use crate::plan::ResultColumn;
use crate::sql::SqlError;

/// Rows of one block.
pub(super) const BLOCK_ROWS: usize = 4096;
/// A block of wide rows is sent when it has this many bytes.
const BLOCK_BYTES: usize = 4 << 20;

/// Collects rows into blocks.
pub(super) struct Encoder {
    writer: BlockWriter,
    precision: Precision,
    rows: usize,
}

impl Encoder {
    pub(super) fn new(columns: &[ResultColumn], precision: Precision) -> Self {
        let builders = columns
            .iter()
            .map(|c| ColumnBuilder::new(c.ty, c.length, c.precision, c.scale))
            .collect();
        Self {
            writer: BlockWriter::new(builders),
            precision,
            rows: 0,
        }
    }

    /// Adds a row; gives a block when one is full.
    pub(super) fn push<'v>(
        &mut self,
        mut cell: impl FnMut(usize) -> Result<ValueRef<'v>, SqlError>,
    ) -> Result<Option<RawBlock>, SqlError> {
        for (index, column) in self.writer.columns_mut().iter_mut().enumerate() {
            push_cell(column, cell(index)?).map_err(|error| {
                SqlError::unsupported(format!("a result beyond the range of its type ({error})"))
            })?;
        }
        self.rows += 1;
        // looking at the bytes costs a walk over the columns
        let full = self.rows >= BLOCK_ROWS
            || (self.rows.is_multiple_of(64) && self.writer.byte_len() >= BLOCK_BYTES);
        if full { self.finish() } else { Ok(None) }
    }

    /// The rows that are left.
    pub(super) fn finish(&mut self) -> Result<Option<RawBlock>, SqlError> {
        if self.rows == 0 {
            return Ok(None);
        }
        self.rows = 0;
        self.writer
            .finish_block(self.precision)
            .map(Some)
            .map_err(internal)
    }
}

/// Adds a value in its stored form to a column.
#[inline]
pub(crate) fn push_cell(column: &mut ColumnBuilder, value: ValueRef<'_>) -> RawResult<()> {
    match (column.ty(), value) {
        (_, ValueRef::Null) => {
            column.push_null();
            Ok(())
        }
        (Ty::Bool, ValueRef::Integer(v)) => column.push_bool(v != 0),
        (Ty::UBigInt, ValueRef::Integer(v)) => column.push_u64(v.cast_unsigned() ^ (1 << 63)),
        #[allow(clippy::cast_precision_loss, reason = "the column is a float")]
        (Ty::Float | Ty::Double, ValueRef::Integer(v)) => column.push_f64(v as f64),
        (_, ValueRef::Integer(v)) => column.push_i64(v),
        (Ty::Float | Ty::Double, ValueRef::Real(v)) => column.push_f64(v),
        #[allow(clippy::cast_possible_truncation, reason = "integral values only")]
        (Ty::TinyInt | Ty::SmallInt | Ty::Int | Ty::BigInt | Ty::Timestamp, ValueRef::Real(v))
            if v.fract() == 0.0 && v.abs() < 9.0e15 =>
        {
            column.push_i64(v as i64)
        }
        (Ty::NChar, ValueRef::Text(v)) => column.push_str(&String::from_utf8_lossy(v)),
        (Ty::Decimal, ValueRef::Blob(v)) => match <[u8; 16]>::try_from(v) {
            Ok(bytes) => column.push_i128(unflip(bytes)),
            Err(_) => column.push_bytes(v),
        },
        (_, ValueRef::Text(v) | ValueRef::Blob(v)) => column.push_bytes(v),
        (_, ValueRef::Real(v)) => column.push_f64(v),
    }
}

/// The integer of a wide decimal's stored form: big-endian, sign bit flipped.
fn unflip(bytes: [u8; 16]) -> i128 {
    (u128::from_be_bytes(bytes) ^ (1 << 127)).cast_signed()
}

/// Blocks of rows that are all there.
pub(crate) fn blocks_of(
    columns: &[ResultColumn],
    precision: Precision,
    rows: &[Vec<Value>],
) -> Result<Vec<RawBlock>, SqlError> {
    let mut encoder = Encoder::new(columns, precision);
    let mut blocks = Vec::new();
    for row in rows {
        let block = encoder.push(|i| Ok(row.get(i).map_or(ValueRef::Null, ValueRef::from)))?;
        blocks.extend(block);
    }
    blocks.extend(encoder.finish()?);
    Ok(blocks)
}

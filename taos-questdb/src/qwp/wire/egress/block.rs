//! Columns written where they stay: into the bytes of a raw block (raw-block §1 to §4).

use taos_query::block::RawBlock;
use taos_query::common::{Precision, Ty};

use super::limit;
use crate::error::{Error, Result, error};

/// Bytes before the schema.
const HEADER_LEN: usize = 28;
/// Flag of a block that describes its columns.
const SCHEMA_PRESENT: u32 = 0x8000_0000;
/// Offset of a NULL.
pub(super) const NULL: i32 = -1;

/// A block of which columns are appended one after the other.
#[derive(Debug)]
pub(super) struct BlockOut {
    bytes: Vec<u8>,
    rows: usize,
    columns: usize,
    /// Columns begun so far.
    begun: usize,
}

#[cold]
pub(super) fn too_big() -> Error {
    error!(
        LimitExceeded,
        "one batch of the result is longer than {} bytes; ask for fewer rows at a time with \
         `max_batch_rows`",
        limit::BLOCK
    )
}

impl BlockOut {
    /// The head of a block. `expected` is a guess at the bytes of its cells.
    pub(super) fn new(rows: usize, columns: usize, expected: usize) -> Self {
        let head = HEADER_LEN + 9 * columns;
        let mut bytes = Vec::with_capacity(head + expected + 1);
        bytes.extend_from_slice(&1_i32.to_le_bytes());
        bytes.extend_from_slice(&[0; 4]);
        bytes.extend_from_slice(&small(rows));
        bytes.extend_from_slice(&small(columns));
        bytes.extend_from_slice(&SCHEMA_PRESENT.to_le_bytes());
        bytes.resize(head, 0);
        Self {
            bytes,
            rows,
            columns,
            begun: 0,
        }
    }

    pub(super) const fn rows(&self) -> usize {
        self.rows
    }

    fn put(&mut self, at: usize, bytes: &[u8]) {
        if let Some(place) = self.bytes.get_mut(at..at + bytes.len()) {
            place.copy_from_slice(bytes);
        }
    }

    /// The entry of the next column in the schema.
    fn describe(&mut self, ty: Ty, info: [u8; 4]) {
        let at = HEADER_LEN + 5 * self.begun;
        self.put(at, &[ty.as_u8()]);
        self.put(at + 1, &info);
        self.begun += 1;
    }

    fn set_data_len(&mut self, len: usize) {
        let at = HEADER_LEN + 5 * self.columns + 4 * (self.begun.saturating_sub(1));
        self.put(at, &small(len));
    }

    fn check(&self, more: usize) -> Result<()> {
        if self.bytes.len().saturating_add(more) > limit::BLOCK {
            return Err(too_big());
        }
        Ok(())
    }

    /// A column of `M` bytes a cell: its NULL flags, the most significant bit first, and its cells.
    /// The cells are `values` if there is one for every row, else zeros.
    pub(super) fn fixed<const M: usize>(
        &mut self,
        ty: Ty,
        info: [u8; 4],
        values: Option<&[[u8; M]]>,
    ) -> Result<(&mut [u8], &mut [[u8; M]])> {
        let head = self.rows.div_ceil(8);
        self.check(head.saturating_add(self.rows.saturating_mul(M)))?;
        self.describe(ty, info);
        self.set_data_len(self.rows * M);
        let start = self.bytes.len();
        self.bytes.resize(start + head, 0);
        match values {
            Some(values) if values.len() == self.rows => {
                self.bytes.extend_from_slice(values.as_flattened());
            }
            _ => self.bytes.resize(start + head + self.rows * M, 0),
        }
        let column = self.bytes.get_mut(start..).unwrap_or_default();
        let (flags, cells) = column.split_at_mut(head);
        Ok((flags, cells.as_chunks_mut().0))
    }

    /// A column of cells that differ in length.
    pub(super) fn variable(&mut self, ty: Ty, declared: u32) -> Result<VarColumn<'_>> {
        let start = self.begin_variable(ty, declared, 0)?;
        Ok(VarColumn {
            data: start + self.rows * 4,
            out: self,
            start,
            row: 0,
        })
    }

    /// A column of which all offsets and `data` bytes of cells are written into these zeros.
    pub(super) fn sized(
        &mut self,
        ty: Ty,
        declared: u32,
        data: usize,
    ) -> Result<(&mut [[u8; 4]], &mut [u8])> {
        let start = self.begin_variable(ty, declared, data)?;
        self.set_data_len(data);
        let column = self.bytes.get_mut(start..).unwrap_or_default();
        let (offsets, cells) = column.split_at_mut(self.rows * 4);
        Ok((offsets.as_chunks_mut().0, cells))
    }

    /// Describes a column, and makes zeros of its offsets and of that many bytes of cells.
    fn begin_variable(&mut self, ty: Ty, declared: u32, data: usize) -> Result<usize> {
        let len = (self.rows * 4).saturating_add(data);
        self.check(len)?;
        // The prefix of two bytes belongs to the declared width, except for JSON (raw-block §2).
        let info = match ty {
            Ty::Json => 16_384,
            _ => declared.saturating_add(2),
        };
        self.describe(ty, info.to_le_bytes());
        let start = self.bytes.len();
        self.bytes.resize(start + len, 0);
        Ok(start)
    }

    /// The cells of the last column, of which [`sized`](Self::sized) had none.
    pub(super) fn append_cells(&mut self, cells: &[u8]) -> Result<()> {
        self.check(cells.len())?;
        self.set_data_len(cells.len());
        self.bytes.extend_from_slice(cells);
        Ok(())
    }

    /// The finished block.
    pub(super) fn finish(mut self, precision: Precision) -> Result<RawBlock> {
        self.bytes.push(0);
        let len = small(self.bytes.len());
        self.put(4, &len);
        RawBlock::parse_from_raw_block(self.bytes, precision)
            .map_err(|e| error!(ProtocolError, "the rows do not make a block: {e}"))
    }
}

#[cold]
pub(super) fn too_long(row: usize, len: usize) -> Error {
    error!(
        LimitExceeded,
        "the value in row {row} takes {len} bytes or more; a cell holds {} at most, so select a part \
         of it",
        limit::CELL
    )
}

/// Sizes below [`limit::BLOCK`], which an `i32` holds.
fn small(size: usize) -> [u8; 4] {
    i32::try_from(size).unwrap_or(i32::MAX).to_le_bytes()
}

/// A column that is being written row by row.
#[derive(Debug)]
pub(super) struct VarColumn<'a> {
    out: &'a mut BlockOut,
    /// Where its offsets start.
    start: usize,
    /// Where its data starts.
    data: usize,
    row: usize,
}

impl VarColumn<'_> {
    fn offset(&mut self, offset: i32) {
        let at = self.start + 4 * self.row;
        // Never beyond the place of the last row.
        if self.row < self.out.rows {
            self.out.put(at, &offset.to_le_bytes());
        }
        self.row += 1;
    }

    pub(super) fn null(&mut self) {
        self.offset(NULL);
    }

    fn begin(&self) -> Result<i32> {
        self.out.check(2)?;
        i32::try_from(self.out.bytes.len() - self.data).map_err(|_| too_big())
    }

    /// A cell that `write` appends, which may stop once it is longer than [`limit::CELL`].
    pub(super) fn written(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> Result<()> {
        let offset = self.begin()?;
        let at = self.out.bytes.len();
        self.out.bytes.extend_from_slice(&[0; 2]);
        write(&mut self.out.bytes);
        let len = self.out.bytes.len() - at - 2;
        let Ok(prefix) = u16::try_from(len) else {
            return Err(too_long(self.row, len));
        };
        self.out.put(at, &prefix.to_le_bytes());
        self.offset(offset);
        Ok(())
    }

    pub(super) fn finish(self) {
        let len = self.out.bytes.len() - self.data;
        self.out.set_data_len(len);
    }
}

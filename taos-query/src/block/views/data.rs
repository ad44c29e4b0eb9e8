//! A range of rows of one column.

use std::iter::FusedIterator;
use std::ops::Range;
use std::sync::Arc;

use bytes::BytesMut;

use crate::block::{BlockData, Column};
use crate::common::{BorrowedValue, Precision};

/// Rows `start..start + len` of a column that exists.
#[derive(Clone)]
pub(super) struct ViewData {
    block: Arc<BlockData>,
    col: usize,
    start: usize,
    len: usize,
}

impl ViewData {
    pub(super) fn new(block: &Arc<BlockData>, col: usize) -> Option<Self> {
        block.columns.get(col)?;
        Some(Self {
            block: Arc::clone(block),
            col,
            start: 0,
            len: block.rows,
        })
    }

    #[allow(
        clippy::indexing_slicing,
        reason = "`new` is the only constructor and has checked the column"
    )]
    pub(super) fn column(&self) -> &Column {
        &self.block.columns[self.col]
    }

    pub(super) fn block(&self) -> &BlockData {
        &self.block
    }

    pub(super) fn precision(&self) -> Precision {
        self.block.precision
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// The row of the block, if `row` lies in the view.
    pub(super) fn row(&self, row: usize) -> Option<usize> {
        (row < self.len).then_some(self.start + row)
    }

    pub(super) fn is_null(&self, row: usize) -> bool {
        self.row(row)
            .is_none_or(|row| self.block.is_null(self.column(), row))
    }

    pub(super) fn get(&self, row: usize) -> Option<BorrowedValue<'_>> {
        Some(self.block.value(self.column(), self.row(row)?))
    }

    /// The bytes of a variable value as they stand on the wire; `None` for NULL and fixed types.
    pub(super) fn payload(&self, row: usize) -> Option<&[u8]> {
        let column = self.column();
        let row = self.row(row).filter(|_| column.ty.is_var_type())?;
        self.block.payload(column, row)
    }

    /// The values of a fixed-width column as one run of bytes.
    pub(super) fn fixed_bytes(&self) -> Option<&[u8]> {
        let column = self.column();
        let width = column.ty.fixed_length();
        if width == 0 {
            return None;
        }
        let from = column.data + width * self.start;
        self.block.bytes.get(from..from + width * self.len)
    }

    /// Appends one byte a row, 1 for NULL, and counts the NULLs.
    pub(super) fn append_nulls(&self, out: &mut BytesMut) -> usize {
        let at = out.len();
        out.resize(at + self.len, 0);
        let flags = out.get_mut(at..).unwrap_or_default();
        let mut nulls = 0;
        let column = self.column();
        if column.ty.is_var_type() {
            for (flag, row) in flags.iter_mut().zip(self.start..) {
                let null = self.block.is_null(column, row);
                *flag = u8::from(null);
                nulls += usize::from(null);
            }
            return nulls;
        }
        let (first, end) = (self.start >> 3, (self.start + self.len).div_ceil(8));
        let bitmap = self.block.bytes.get(column.head + first..column.head + end);
        for (byte, bits) in bitmap.unwrap_or_default().iter().enumerate() {
            // Whole bytes without a NULL are the rule.
            if *bits == 0 {
                continue;
            }
            for bit in (0..8).filter(|bit| bits & (0x80 >> bit) != 0) {
                let row = ((first + byte) * 8 + bit).checked_sub(self.start);
                if let Some(flag) = row.and_then(|row| flags.get_mut(row)) {
                    *flag = 1;
                    nulls += 1;
                }
            }
        }
        nulls
    }

    /// The first NULL.
    pub(super) fn first_null(&self) -> Option<usize> {
        let column = self.column();
        if !column.ty.is_var_type() {
            let (first, end) = (self.start >> 3, (self.start + self.len).div_ceil(8));
            let bitmap = self.block.bytes.get(column.head + first..column.head + end);
            if bitmap.is_some_and(|bitmap| bitmap.iter().all(|bits| *bits == 0)) {
                return None;
            }
        }
        (0..self.len).find(|row| self.is_null(*row))
    }

    pub(super) fn slice(&self, range: Range<usize>) -> Option<Self> {
        if range.start > self.len || range.start > range.end {
            return None;
        }
        Some(Self {
            block: Arc::clone(&self.block),
            col: self.col,
            start: self.start + range.start,
            len: range.end.min(self.len) - range.start,
        })
    }
}

/// The values of a column, see [`ColumnView::iter`](super::ColumnView::iter).
#[derive(Clone)]
pub struct ColumnViewIter<'a> {
    data: &'a ViewData,
    rows: Range<usize>,
}

impl<'a> ColumnViewIter<'a> {
    pub(super) fn new(data: &'a ViewData) -> Self {
        Self {
            data,
            rows: 0..data.len(),
        }
    }
}

impl std::fmt::Debug for ColumnViewIter<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ColumnViewIter")
            .field("rows", &self.rows)
            .finish_non_exhaustive()
    }
}

impl<'a> Iterator for ColumnViewIter<'a> {
    type Item = BorrowedValue<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        self.data.get(self.rows.next()?)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.rows.size_hint()
    }
}

impl ExactSizeIterator for ColumnViewIter<'_> {}
impl FusedIterator for ColumnViewIter<'_> {}

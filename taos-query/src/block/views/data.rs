//! A range of rows of one column.

use std::iter::FusedIterator;
use std::ops::Range;
use std::sync::Arc;

use bytes::BytesMut;

use crate::block::parse::payload_len;
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
    #[inline]
    pub(super) fn column(&self) -> &Column {
        &self.block.columns[self.col]
    }

    #[inline]
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
    #[inline]
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

    /// The offsets of a variable column, none for fixed widths.
    fn offsets(&self) -> &[[u8; 4]] {
        let column = self.column();
        if !column.ty.is_var_type() {
            return &[];
        }
        let from = column.head + 4 * self.start;
        let bytes = self.block.bytes.get(from..from + 4 * self.len);
        bytes.unwrap_or_default().as_chunks().0
    }

    /// The values of a variable column.
    pub(super) fn payloads(&self) -> Payloads<'_> {
        let column = self.column();
        let data = column.data..column.data + column.data_len;
        Payloads {
            offsets: self.offsets().iter(),
            data: self.block.bytes.get(data).unwrap_or_default(),
            prefix: column.ty.prefix_length(),
        }
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
            for (flag, [_, _, _, top]) in flags.iter_mut().zip(self.offsets()) {
                // The only offset with this bit is that of NULL.
                *flag = top >> 7;
                nulls += usize::from(*flag);
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

/// The bytes of a variable column's values, see [`ColumnView::payloads`](super::ColumnView::payloads).
#[derive(Debug, Clone)]
pub struct Payloads<'a> {
    offsets: std::slice::Iter<'a, [u8; 4]>,
    data: &'a [u8],
    prefix: usize,
}

impl<'a> Iterator for Payloads<'a> {
    type Item = Option<&'a [u8]>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let offset = i32::from_le_bytes(*self.offsets.next()?);
        let Ok(start) = usize::try_from(offset) else {
            return Some(None);
        };
        let cell = self.data.get(start..).unwrap_or_default();
        let len = payload_len(cell, self.prefix);
        Some(cell.get(self.prefix..self.prefix + len))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.offsets.size_hint()
    }
}

impl ExactSizeIterator for Payloads<'_> {}
impl FusedIterator for Payloads<'_> {}

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

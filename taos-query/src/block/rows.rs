//! Rows of a block.

use std::iter::FusedIterator;
use std::ops::Range;
use std::sync::Arc;

use chrono_tz::Tz;

use super::RawBlock;
use crate::common::{BorrowedValue, Field, Value};

/// The rows of a borrowed block, see [`RawBlock::rows`].
#[derive(Debug, Clone)]
pub struct Rows<'a> {
    block: &'a RawBlock,
    rows: Range<usize>,
}

impl<'a> Rows<'a> {
    pub(super) fn new(block: &'a RawBlock) -> Self {
        Self {
            block,
            rows: 0..block.nrows(),
        }
    }
}

impl<'a> Iterator for Rows<'a> {
    type Item = RowView<'a>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let row = self.rows.next()?;
        Some(RowView {
            source: Source::Borrowed(self.block),
            fields: self.block.fields(),
            row,
            col: 0,
            timezone: self.block.timezone(),
        })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.rows.size_hint()
    }
}

impl ExactSizeIterator for Rows<'_> {}
impl FusedIterator for Rows<'_> {}

/// The rows of an owned block as values, see [`RawBlock::into_rows`].
#[derive(Debug, Clone)]
pub struct IntoRows {
    block: RawBlock,
    rows: Range<usize>,
}

impl IntoRows {
    pub(super) fn new(block: RawBlock) -> Self {
        let rows = 0..block.nrows();
        Self { block, rows }
    }
}

impl Iterator for IntoRows {
    type Item = Vec<Value>;

    fn next(&mut self) -> Option<Self::Item> {
        let row = self.rows.next()?;
        Some(self.block.row_values(row))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.rows.size_hint()
    }
}

impl ExactSizeIterator for IntoRows {}
impl FusedIterator for IntoRows {}

impl RawBlock {
    /// The values of one row, none beyond the last.
    pub fn row_values(&self, row: usize) -> Vec<Value> {
        if row < self.nrows() {
            self.data.owned_row(row, 0)
        } else {
            Vec::new()
        }
    }
}

#[derive(Debug, Clone)]
enum Source<'a> {
    Borrowed(&'a RawBlock),
    /// Rows of a stream hold the block alive on their own.
    Shared(Arc<RawBlock>),
}

/// One row: an iterator of column names and values, and a serde deserializer.
///
/// ```
/// # use taos_query::block::RawBlock;
/// # fn print(block: &RawBlock) {
/// for row in block.rows() {
///     for (name, value) in row {
///         println!("{name}: {value}");
///     }
/// }
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct RowView<'a> {
    source: Source<'a>,
    fields: &'a [Field],
    row: usize,
    col: usize,
    timezone: Option<Tz>,
}

impl<'a> RowView<'a> {
    /// A row that shares the block. Its values own their text and bytes; `fields` gives the names.
    /// Beyond the block's rows it is a row without columns.
    pub fn shared(block: Arc<RawBlock>, fields: &'a [Field], row: usize) -> Self {
        let col = if row < block.nrows() {
            0
        } else {
            block.ncols()
        };
        Self {
            timezone: block.timezone(),
            source: Source::Shared(block),
            fields,
            row,
            col,
        }
    }

    /// The block that the row belongs to.
    pub fn block(&self) -> &RawBlock {
        match &self.source {
            Source::Borrowed(block) => block,
            Source::Shared(block) => block,
        }
    }

    /// The row's number in its block, from 0.
    pub fn row_index(&self) -> usize {
        self.row
    }

    /// Number of the next column.
    pub(crate) fn position(&self) -> usize {
        self.col
    }

    pub(crate) fn timezone(&self) -> Option<Tz> {
        self.timezone
    }

    pub(crate) fn is_named(&self) -> bool {
        self.block().is_named()
    }

    /// Sets the zone in which timestamps of this row become text.
    pub fn set_timezone(&mut self, timezone: impl Into<Option<Tz>>) {
        self.timezone = timezone.into();
    }

    /// The values that are left, owned.
    pub fn into_values(self) -> Vec<Value> {
        self.block().data.owned_row(self.row, self.col)
    }

    /// The values without their names.
    pub fn into_value_iter(self) -> RowValues<'a> {
        RowValues(self)
    }

    #[inline]
    fn take_value(&mut self) -> Option<BorrowedValue<'a>> {
        let col = self.col;
        let value = match &self.source {
            Source::Borrowed(block) => {
                let column = block.data.columns.get(col)?;
                block.data.value(column, self.row)
            }
            Source::Shared(block) => {
                let column = block.data.columns.get(col)?;
                block.data.detached(column, self.row)
            }
        };
        self.col += 1;
        Some(value)
    }
}

impl<'a> Iterator for RowView<'a> {
    type Item = (&'a str, BorrowedValue<'a>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let name = self.fields.get(self.col).map_or("", Field::name);
        Some((name, self.take_value()?))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.block().ncols().saturating_sub(self.col);
        (left, Some(left))
    }
}

impl ExactSizeIterator for RowView<'_> {}
impl FusedIterator for RowView<'_> {}

/// The values of a row without their names, see [`RowView::into_value_iter`].
#[derive(Debug, Clone)]
pub struct RowValues<'a>(RowView<'a>);

impl<'a> Iterator for RowValues<'a> {
    type Item = BorrowedValue<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.take_value()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl ExactSizeIterator for RowValues<'_> {}
impl FusedIterator for RowValues<'_> {}

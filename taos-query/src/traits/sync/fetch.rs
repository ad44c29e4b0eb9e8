use std::future::poll_fn;
use std::iter::FusedIterator;
use std::marker::PhantomData;
use std::sync::Arc;

use chrono_tz::Tz;
use serde::de::DeserializeOwned;
use tokio::runtime;

use crate::block::{RawBlock, RowView};
use crate::common::{Field, Precision, Value};
use crate::de::RowPlan;
use crate::error::RawResult;
use crate::traits::{AsyncFetchable, PollBlock};
use crate::util::block_on;

/// The result of a query, blocking; see [`AsyncFetchable`].
pub trait Fetchable: Sized {
    /// The columns; empty for statements without rows.
    fn fields(&self) -> &[Field];

    /// The unit of the timestamps in this result.
    fn precision(&self) -> Precision;

    /// The number of rows that the statement changed, `i32::MAX` for more.
    fn affected_rows(&self) -> i32;

    /// The number of rows that the statement changed.
    fn affected_rows64(&self) -> i64;

    /// Blocks and rows taken so far.
    fn summary(&self) -> (usize, usize);

    /// The time zone in which timestamps are written as text; `None` is the local one.
    fn timezone(&self) -> Option<Tz>;

    /// The number of columns.
    fn num_of_fields(&self) -> usize {
        self.fields().len()
    }

    /// The result block by block.
    fn blocks(&mut self) -> BlockIter<'_>;

    /// The result as record batches, one a block; see [`RawBlock::to_record_batch`].
    #[cfg(feature = "arrow")]
    fn record_batches(&mut self) -> impl Iterator<Item = RawResult<arrow_array::RecordBatch>> {
        self.blocks()
            .map(|block| block.and_then(|block| block.to_record_batch()))
    }

    /// The result row by row.
    fn rows(&mut self) -> RowIter<'_>;

    /// The result as values of a type that serde can read.
    fn deserialize<V: DeserializeOwned>(&mut self) -> DeserializeIter<'_, V>;

    /// The next block, `None` at the end.
    #[doc(hidden)]
    fn fetch_raw_block(&mut self) -> RawResult<Option<RawBlock>> {
        self.blocks().next().transpose()
    }

    /// All rows as values, in memory at once.
    fn to_rows_vec(&mut self) -> RawResult<Vec<Vec<Value>>> {
        self.rows()
            .map(|row| row.map(RowView::into_values))
            .collect()
    }
}

impl<R: AsyncFetchable> Fetchable for R {
    fn fields(&self) -> &[Field] {
        AsyncFetchable::fields(self)
    }

    fn precision(&self) -> Precision {
        AsyncFetchable::precision(self)
    }

    fn affected_rows(&self) -> i32 {
        AsyncFetchable::affected_rows(self)
    }

    fn affected_rows64(&self) -> i64 {
        AsyncFetchable::affected_rows64(self)
    }

    fn summary(&self) -> (usize, usize) {
        AsyncFetchable::summary(self)
    }

    fn timezone(&self) -> Option<Tz> {
        AsyncFetchable::timezone(self)
    }

    fn blocks(&mut self) -> BlockIter<'_> {
        BlockIter {
            home: self.home(),
            source: self.split().1,
        }
    }

    fn rows(&mut self) -> RowIter<'_> {
        let home = self.home();
        let (fields, source) = self.split();
        RowIter {
            fields,
            blocks: BlockIter { source, home },
            block: None,
            row: 0,
        }
    }

    fn deserialize<V: DeserializeOwned>(&mut self) -> DeserializeIter<'_, V> {
        DeserializeIter {
            blocks: Fetchable::blocks(self),
            block: None,
            row: 0,
            plan: RowPlan::default(),
            value: PhantomData,
        }
    }
}

/// The blocks of a result.
pub struct BlockIter<'a> {
    source: &'a mut dyn PollBlock,
    home: Option<runtime::Id>,
}

impl Iterator for BlockIter<'_> {
    type Item = RawResult<RawBlock>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = poll_fn(|cx| self.source.poll_block(cx));
        block_on(self.home, next)
            .and_then(|block| block)
            .transpose()
    }
}

impl FusedIterator for BlockIter<'_> {}

/// The rows of a result.
pub struct RowIter<'a> {
    fields: &'a [Field],
    blocks: BlockIter<'a>,
    block: Option<Arc<RawBlock>>,
    row: usize,
}

impl<'a> Iterator for RowIter<'a> {
    type Item = RawResult<RowView<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(block) = &self.block
                && self.row < block.nrows()
            {
                let row = RowView::shared(Arc::clone(block), self.fields, self.row);
                self.row += 1;
                return Some(Ok(row));
            }
            match self.blocks.next()? {
                Ok(block) => self.block = Some(Arc::new(block)),
                Err(error) => return Some(Err(error)),
            }
            self.row = 0;
        }
    }
}

/// The rows of a result, read into `V`.
pub struct DeserializeIter<'a, V> {
    blocks: BlockIter<'a>,
    block: Option<RawBlock>,
    row: usize,
    plan: RowPlan,
    value: PhantomData<fn() -> V>,
}

impl<V: DeserializeOwned> Iterator for DeserializeIter<'_, V> {
    type Item = RawResult<V>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(block) = &self.block
                && self.row < block.nrows()
            {
                let row = self.row;
                self.row += 1;
                return Some(block.deserialize_row(row, &mut self.plan));
            }
            self.block = match self.blocks.next()? {
                Ok(block) => Some(block),
                Err(error) => return Some(Err(error)),
            };
            self.row = 0;
        }
    }
}

use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use chrono_tz::Tz;
use futures_util::{Stream, TryStreamExt};
use serde::de::DeserializeOwned;
use tokio::runtime;

use crate::block::{RawBlock, RowView};
use crate::common::{Field, Precision, Value};
use crate::de::RowPlan;
use crate::error::RawResult;

/// The part of a result that brings blocks; a backend implements it.
pub trait PollBlock: Send {
    /// The next block, `None` at the end. After the end or an error it stays at `None`.
    fn poll_block(&mut self, cx: &mut Context<'_>) -> Poll<RawResult<Option<RawBlock>>>;
}

/// The result of a query: what its columns are, and its rows as they come.
///
/// Dropping it early frees it on the server. A backend implements the first five methods.
pub trait AsyncFetchable: Sized + Send + Sync {
    /// The columns; empty for statements without rows.
    fn fields(&self) -> &[Field];

    /// The unit of the timestamps in this result.
    fn precision(&self) -> Precision;

    /// The number of rows that the statement changed.
    fn affected_rows64(&self) -> i64;

    /// Blocks and rows taken so far.
    fn summary(&self) -> (usize, usize);

    /// The columns, and beside them what brings the blocks. The split lets a row lend the names of
    /// its columns for as long as the result is borrowed.
    #[doc(hidden)]
    fn split(&mut self) -> (&[Field], &mut dyn PollBlock);

    /// The time zone in which timestamps are written as text; `None` is the local one.
    fn timezone(&self) -> Option<Tz> {
        None
    }

    /// The runtime that the connection's task lives on, see
    /// [`AsyncQueryable::home`](super::AsyncQueryable::home).
    #[doc(hidden)]
    fn home(&self) -> Option<runtime::Id> {
        None
    }

    /// As [`affected_rows64`](Self::affected_rows64), `i32::MAX` for more.
    fn affected_rows(&self) -> i32 {
        i32::try_from(self.affected_rows64()).unwrap_or(i32::MAX)
    }

    /// The number of columns.
    fn num_of_fields(&self) -> usize {
        self.fields().len()
    }

    /// The names of the columns. The spelling is part of the API.
    fn filed_names(&self) -> Vec<&str> {
        self.fields().iter().map(Field::name).collect()
    }

    /// The next block, for callers that poll themselves.
    #[doc(hidden)]
    fn fetch_raw_block(&mut self, cx: &mut Context<'_>) -> Poll<RawResult<Option<RawBlock>>> {
        self.split().1.poll_block(cx)
    }

    /// The result block by block.
    fn blocks(&mut self) -> AsyncBlocks<'_, Self> {
        AsyncBlocks { result: self }
    }

    /// The result as record batches, one a block; see [`RawBlock::to_record_batch`].
    #[cfg(feature = "arrow")]
    fn record_batches(
        &mut self,
    ) -> impl Stream<Item = RawResult<arrow_array::RecordBatch>> + Send + Unpin {
        use futures_util::StreamExt as _;
        self.blocks()
            .map(|block| block.and_then(|block| block.to_record_batch()))
    }

    /// The result row by row. The rest of a block that was begun goes with the stream when that is
    /// dropped.
    fn rows(&mut self) -> AsyncRows<'_> {
        let (fields, source) = self.split();
        AsyncRows {
            fields,
            source,
            block: None,
            row: 0,
        }
    }

    /// All rows as values, in memory at once.
    fn to_records(&mut self) -> impl Future<Output = RawResult<Vec<Vec<Value>>>> + Send {
        self.rows().map_ok(RowView::into_values).try_collect()
    }

    /// The result as values of a type that serde can read. As with [`rows`](Self::rows), take the
    /// stream to its end.
    fn deserialize<V: DeserializeOwned>(&mut self) -> AsyncDeserialized<'_, V> {
        AsyncDeserialized {
            source: self.split().1,
            block: None,
            row: 0,
            plan: RowPlan::default(),
            value: PhantomData,
        }
    }
}

/// Stream of the blocks of a result.
#[must_use = "streams do nothing unless polled"]
pub struct AsyncBlocks<'a, T> {
    result: &'a mut T,
}

impl<T: AsyncFetchable> Stream for AsyncBlocks<'_, T> {
    type Item = RawResult<RawBlock>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.result.fetch_raw_block(cx).map(Result::transpose)
    }
}

/// Stream of the rows of a result. Rows of a block that has arrived are ready at once.
#[must_use = "streams do nothing unless polled"]
pub struct AsyncRows<'a> {
    fields: &'a [Field],
    source: &'a mut dyn PollBlock,
    block: Option<Arc<RawBlock>>,
    row: usize,
}

impl<'a> Stream for AsyncRows<'a> {
    type Item = RawResult<RowView<'a>>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        loop {
            if let Some(block) = &this.block
                && this.row < block.nrows()
            {
                let row = RowView::shared(Arc::clone(block), this.fields, this.row);
                this.row += 1;
                return Poll::Ready(Some(Ok(row)));
            }
            match ready!(this.source.poll_block(cx)) {
                Ok(Some(block)) => this.block = Some(Arc::new(block)),
                Ok(None) => return Poll::Ready(None),
                Err(error) => return Poll::Ready(Some(Err(error))),
            }
            this.row = 0;
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self
            .block
            .as_ref()
            .map_or(0, |block| block.nrows() - self.row);
        (left, None)
    }
}

/// Stream of the rows of a result, read into `V`. Rows of a block that has arrived are ready at once.
#[must_use = "streams do nothing unless polled"]
pub struct AsyncDeserialized<'a, V> {
    source: &'a mut dyn PollBlock,
    block: Option<RawBlock>,
    row: usize,
    plan: RowPlan,
    value: PhantomData<fn() -> V>,
}

impl<V: DeserializeOwned> Stream for AsyncDeserialized<'_, V> {
    type Item = RawResult<V>;

    #[inline]
    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        loop {
            if let Some(block) = &this.block
                && this.row < block.nrows()
            {
                let row = this.row;
                this.row += 1;
                return Poll::Ready(Some(block.deserialize_row(row, &mut this.plan)));
            }
            this.block = match ready!(this.source.poll_block(cx)) {
                Ok(Some(block)) => Some(block),
                Ok(None) => return Poll::Ready(None),
                Err(error) => return Poll::Ready(Some(Err(error))),
            };
            this.row = 0;
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self
            .block
            .as_ref()
            .map_or(0, |block| block.nrows() - self.row);
        (left, None)
    }
}

//! Rows into the user's types through serde.
//!
//! [`RawBlock::deserialize`] lends text to the rows; [`RawBlock::into_deserialize`] owns the block
//! and gives rows that own their text.

mod cell;
mod row;
mod time;
mod value;

use std::fmt;
use std::iter::FusedIterator;
use std::marker::PhantomData;
use std::ops::Range;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::block::RawBlock;
use crate::{RawError, RawResult};

use row::RowDeserializer;
pub use row::RowPlan;

/// The error of deserialization, the same as every other.
pub type DeError = RawError;

impl RawBlock {
    /// The rows as values of `T`, which may borrow text from the block.
    pub fn deserialize<'de, T: Deserialize<'de>>(&'de self) -> Deserialized<'de, T> {
        Deserialized {
            block: self,
            rows: 0..self.nrows(),
            plan: RowPlan::default(),
            target: PhantomData,
        }
    }

    /// The rows as values of `T`; the iterator holds the block.
    pub fn into_deserialize<T: DeserializeOwned>(self) -> IntoDeserialized<T> {
        IntoDeserialized {
            rows: 0..self.nrows(),
            block: self,
            plan: RowPlan::default(),
            target: PhantomData,
        }
    }

    /// One row as a `T`. `plan` keeps what was found out about `T`'s fields from row to row, so
    /// hand in the same one for all rows of a result.
    ///
    /// # Errors
    /// A cell does not fit its target; the text names column, row and types.
    #[inline]
    pub fn deserialize_row<'de, T: Deserialize<'de>>(
        &'de self,
        row: usize,
        plan: &mut RowPlan,
    ) -> RawResult<T> {
        match T::deserialize(RowDeserializer::new(self, row, plan)) {
            Err(_) if plan.fall_back_to_names() => {
                T::deserialize(RowDeserializer::new(self, row, plan))
            }
            outcome => outcome,
        }
    }
}

/// Rows that may borrow from their block, see [`RawBlock::deserialize`].
pub struct Deserialized<'de, T> {
    block: &'de RawBlock,
    rows: Range<usize>,
    plan: RowPlan,
    target: PhantomData<fn() -> T>,
}

impl<'de, T: Deserialize<'de>> Iterator for Deserialized<'de, T> {
    type Item = RawResult<T>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let row = self.rows.next()?;
        Some(self.block.deserialize_row(row, &mut self.plan))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.rows.size_hint()
    }
}

impl<'de, T: Deserialize<'de>> ExactSizeIterator for Deserialized<'de, T> {}
impl<'de, T: Deserialize<'de>> FusedIterator for Deserialized<'de, T> {}

impl<T> fmt::Debug for Deserialized<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deserialized")
            .field("rows", &self.rows)
            .finish_non_exhaustive()
    }
}

/// Rows of a block that the iterator holds, see [`RawBlock::into_deserialize`].
pub struct IntoDeserialized<T> {
    block: RawBlock,
    rows: Range<usize>,
    plan: RowPlan,
    target: PhantomData<fn() -> T>,
}

impl<T> IntoDeserialized<T> {
    /// Goes on with the rows of the next block of the same result.
    pub fn replace_block(&mut self, block: RawBlock) {
        self.rows = 0..block.nrows();
        self.block = block;
    }
}

impl<T: DeserializeOwned> Iterator for IntoDeserialized<T> {
    type Item = RawResult<T>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let row = self.rows.next()?;
        Some(self.block.deserialize_row(row, &mut self.plan))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.rows.size_hint()
    }
}

impl<T: DeserializeOwned> ExactSizeIterator for IntoDeserialized<T> {}
impl<T: DeserializeOwned> FusedIterator for IntoDeserialized<T> {}

impl<T> fmt::Debug for IntoDeserialized<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IntoDeserialized")
            .field("rows", &self.rows)
            .finish_non_exhaustive()
    }
}

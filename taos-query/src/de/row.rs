//! A row as a serde deserializer.

use serde::de::{Deserializer, Error as _, Visitor};
use serde::forward_to_deserialize_any;

use crate::block::RawBlock;
use crate::{RawError, RawResult};

/// What is known about a target type's fields, kept from row to row.
#[derive(Debug, Default)]
pub struct RowPlan;

pub(super) struct RowDeserializer<'de, 'p> {
    _block: &'de RawBlock,
    _row: usize,
    _plan: &'p mut RowPlan,
}

impl<'de, 'p> RowDeserializer<'de, 'p> {
    pub(super) fn new(block: &'de RawBlock, row: usize, plan: &'p mut RowPlan) -> Self {
        Self {
            _block: block,
            _row: row,
            _plan: plan,
        }
    }
}

impl<'de> Deserializer<'de> for RowDeserializer<'de, '_> {
    type Error = RawError;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> RawResult<V::Value> {
        Err(RawError::custom("not yet"))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier
        ignored_any
    }
}

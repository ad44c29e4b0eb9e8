//! Rows as deserializers.

use std::fmt;
use std::marker::PhantomData;
use std::ops::Range;
use std::sync::Arc;

use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor,
};

use super::cell::Cell;
use super::value::{Key, TypedValue};
use crate::block::{RawBlock, RowView};
use crate::common::{Field, Ty};
use crate::{RawError, RawResult};

/// Which columns a target type's fields take, found out once and kept from row to row.
#[derive(Default)]
pub struct RowPlan {
    resolved: Option<Resolved>,
    /// The target type once refused its fields in their order.
    by_name_only: bool,
}

struct Resolved {
    wanted: &'static [&'static str],
    fields: Arc<[Field]>,
    columns: Vec<usize>,
    /// `columns` has one column for each field, in the order of the fields: no name needs to be
    /// compared again.
    in_order: bool,
}

impl RowPlan {
    /// The columns that `wanted` names, and whether they stand in its order.
    #[inline]
    fn columns(&mut self, block: &RawBlock, wanted: &'static [&'static str]) -> (&[usize], bool) {
        let known = self.resolved.as_ref().is_some_and(|known| {
            std::ptr::eq(known.wanted, wanted) && Arc::ptr_eq(&known.fields, block.fields_shared())
        });
        if !known {
            self.resolved = Some(resolve(block, wanted, self.by_name_only));
        }
        self.resolved
            .as_ref()
            .map_or((&[], false), |known| (&known.columns, known.in_order))
    }

    /// Gives up the order of the fields after an error: the target may know its fields by name
    /// only. False if there is nothing to give up.
    #[cold]
    pub(super) fn fall_back_to_names(&mut self) -> bool {
        let in_order = self.resolved.as_ref().is_some_and(|known| known.in_order);
        if in_order {
            self.by_name_only = true;
            self.resolved = None;
        }
        in_order
    }
}

#[cold]
fn resolve(block: &RawBlock, wanted: &'static [&'static str], by_name_only: bool) -> Resolved {
    // Of two columns with one name the first counts, as for a reader by name.
    let place = |name: &&str| {
        block
            .fields()
            .iter()
            .position(|field| field.name() == *name)
    };
    let fields = Arc::clone(block.fields_shared());
    let in_order: Option<Vec<usize>> = wanted.iter().map(place).collect();
    match in_order {
        Some(columns) if !by_name_only => Resolved {
            wanted,
            fields,
            columns,
            in_order: true,
        },
        _ => {
            let mut columns: Vec<usize> = wanted.iter().filter_map(place).collect();
            columns.sort_unstable();
            Resolved {
                wanted,
                fields,
                columns,
                in_order: false,
            }
        }
    }
}

impl fmt::Debug for RowPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns = self.resolved.as_ref().map(|known| &known.columns);
        f.debug_struct("RowPlan")
            .field("columns", &columns)
            .finish()
    }
}

/// Says where a value stands that could not be converted.
#[cold]
fn locate(error: RawError, fields: &[Field], col: usize, row: usize) -> RawError {
    let (name, ty) = fields
        .get(col)
        .map_or(("", Ty::Null), |f| (f.name(), f.ty()));
    error.context(format!("column `{name}` (#{col}, {ty}) of row {row}"))
}

/// Serde names only the field that is missing, or how many a tuple lacks; which columns there are is
/// what helps.
#[cold]
fn explain_missing(error: RawError, fields: &[Field]) -> RawError {
    let message = error.message();
    if !message.starts_with("missing field") && !message.starts_with("invalid length") {
        return error;
    }
    let names: Vec<&str> = fields.iter().map(Field::name).collect();
    error.context(format!("a row of the columns `{}`", names.join("`, `")))
}

/// One row; the columns of a struct are chosen by the plan.
pub(super) struct RowDeserializer<'de, 'p> {
    block: &'de RawBlock,
    row: usize,
    plan: &'p mut RowPlan,
}

impl<'de, 'p> RowDeserializer<'de, 'p> {
    #[inline]
    pub(super) fn new(block: &'de RawBlock, row: usize, plan: &'p mut RowPlan) -> Self {
        Self { block, row, plan }
    }

    fn seq(&self) -> Cells<'de, Range<usize>> {
        Cells::new(self.block, self.row, 0..self.block.ncols())
    }

    #[inline]
    fn first<T>(&self, read: impl FnOnce(Cell<'de>) -> RawResult<T>) -> RawResult<T> {
        let column = self
            .block
            .data
            .columns
            .first()
            .ok_or_else(|| RawError::custom("the row has no columns"))?;
        read(Cell::new(self.block, column, self.row))
            .map_err(|error| locate(error, self.block.fields(), 0, self.row))
    }
}

/// Columns of a plan, lent so that it can be seen afterwards whether all were taken. (Serde's own
/// access by `&mut` is not inlined, which costs more than reading a number.)
struct Lent<'a, 'p>(&'a mut std::slice::Iter<'p, usize>);

impl Iterator for Lent<'_, '_> {
    type Item = usize;

    #[inline(always)]
    fn next(&mut self) -> Option<usize> {
        self.0.next().copied()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

/// Cells of one row, as a sequence or as a map by name.
struct Cells<'de, I> {
    block: &'de RawBlock,
    row: usize,
    columns: I,
    value: usize,
}

impl<'de, I: Iterator<Item = usize>> Cells<'de, I> {
    #[inline]
    fn new(block: &'de RawBlock, row: usize, columns: I) -> Self {
        Self {
            block,
            row,
            columns,
            value: 0,
        }
    }

    #[inline(always)]
    fn read<T: DeserializeSeed<'de>>(&self, col: usize, seed: T) -> RawResult<T::Value> {
        let Some(column) = self.block.data.columns.get(col) else {
            return Err(RawError::custom("the row has no such column"));
        };
        seed.deserialize(Cell::new(self.block, column, self.row))
            .map_err(|error| locate(error, self.block.fields(), col, self.row))
    }
}

impl<'de, I: Iterator<Item = usize>> SeqAccess<'de> for Cells<'de, I> {
    type Error = RawError;

    #[inline(always)]
    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> RawResult<Option<T::Value>> {
        match self.columns.next() {
            Some(col) => self.read(col, seed).map(Some),
            None => Ok(None),
        }
    }

    /// As the provided one, which is not inlined.
    #[inline(always)]
    fn next_element<T: Deserialize<'de>>(&mut self) -> RawResult<Option<T>> {
        self.next_element_seed(PhantomData)
    }

    fn size_hint(&self) -> Option<usize> {
        self.columns.size_hint().1
    }
}

impl<'de, I: Iterator<Item = usize>> MapAccess<'de> for Cells<'de, I> {
    type Error = RawError;

    #[inline]
    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> RawResult<Option<K::Value>> {
        let Some(col) = self.columns.next() else {
            return Ok(None);
        };
        self.value = col;
        let name = self.block.fields().get(col).map_or("", Field::name);
        seed.deserialize(Key(name)).map(Some)
    }

    #[inline]
    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> RawResult<T::Value> {
        self.read(self.value, seed)
    }

    fn size_hint(&self) -> Option<usize> {
        self.columns.size_hint().1
    }
}

macro_rules! scalars {
    ($($name:ident)*) => {$(
        #[inline]
        fn $name<V: Visitor<'de>>(self, visitor: V) -> RawResult<V::Value> {
            self.first(|cell| cell.$name(visitor))
        }
    )*};
}

impl<'de> Deserializer<'de> for RowDeserializer<'de, '_> {
    type Error = RawError;

    scalars! {
        deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64
        deserialize_i128 deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64
        deserialize_u128 deserialize_f32 deserialize_f64 deserialize_char deserialize_str
        deserialize_string deserialize_bytes deserialize_byte_buf deserialize_identifier
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> RawResult<V::Value> {
        self.deserialize_map(visitor)
    }

    /// NULL in a row of one column is `None`; every other row is there.
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> RawResult<V::Value> {
        if self.block.ncols() == 1 && self.block.is_null(self.row, 0) {
            visitor.visit_none()
        } else {
            visitor.visit_some(self)
        }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> RawResult<V::Value> {
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> RawResult<V::Value> {
        visitor.visit_unit()
    }

    #[inline]
    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> RawResult<V::Value> {
        visitor.visit_newtype_struct(self)
    }

    #[inline]
    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> RawResult<V::Value> {
        visitor.visit_seq(self.seq())
    }

    #[inline]
    fn deserialize_tuple<V: Visitor<'de>>(self, _len: usize, visitor: V) -> RawResult<V::Value> {
        let fields = self.block.fields();
        visitor
            .visit_seq(self.seq())
            .map_err(|error| explain_missing(error, fields))
    }

    #[inline]
    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _len: usize,
        visitor: V,
    ) -> RawResult<V::Value> {
        let fields = self.block.fields();
        visitor
            .visit_seq(self.seq())
            .map_err(|error| explain_missing(error, fields))
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> RawResult<V::Value> {
        if self.block.is_named() {
            visitor.visit_map(self.seq())
        } else {
            visitor.visit_seq(self.seq())
        }
    }

    #[inline]
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> RawResult<V::Value> {
        if !self.block.is_named() {
            return visitor.visit_seq(self.seq());
        }
        let (columns, in_order) = self.plan.columns(self.block, fields);
        let mut columns = columns.iter();
        if !in_order {
            return visitor
                .visit_map(Cells::new(self.block, self.row, columns.copied()))
                .map_err(|error| explain_missing(error, self.block.fields()));
        }
        let value = visitor.visit_seq(Cells::new(self.block, self.row, Lent(&mut columns)))?;
        // Names of one field that stand for each other make more names than fields.
        if columns.len() == 0 {
            Ok(value)
        } else {
            Err(RawError::custom("two columns for one field"))
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> RawResult<V::Value> {
        self.first(|cell| cell.deserialize_enum(name, variants, visitor))
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> RawResult<V::Value> {
        visitor.visit_unit()
    }
}

/// The columns of a row that are left, by the general rules.
struct ViewCells<'de> {
    view: RowView<'de>,
    value: Option<TypedValue<'de>>,
}

impl<'de> ViewCells<'de> {
    fn read<T: DeserializeSeed<'de>>(
        &self,
        value: TypedValue<'de>,
        seed: T,
    ) -> RawResult<T::Value> {
        seed.deserialize(value).map_err(|error| {
            let col = self.view.position().saturating_sub(1);
            locate(
                error,
                self.view.block().fields(),
                col,
                self.view.row_index(),
            )
        })
    }

    fn next(&mut self) -> Option<(&'de str, TypedValue<'de>)> {
        let timezone = self.view.timezone();
        let (name, value) = self.view.next()?;
        Some((name, TypedValue { value, timezone }))
    }
}

impl<'de> SeqAccess<'de> for ViewCells<'de> {
    type Error = RawError;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> RawResult<Option<T::Value>> {
        match self.next() {
            Some((_, value)) => self.read(value, seed).map(Some),
            None => Ok(None),
        }
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.view.len())
    }
}

impl<'de> MapAccess<'de> for ViewCells<'de> {
    type Error = RawError;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> RawResult<Option<K::Value>> {
        let Some((name, value)) = self.next() else {
            return Ok(None);
        };
        self.value = Some(value);
        seed.deserialize(Key(name)).map(Some)
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> RawResult<T::Value> {
        let value = self
            .value
            .take()
            .ok_or_else(|| RawError::custom("a value was asked for before its key"))?;
        self.read(value, seed)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.view.len())
    }
}

impl<'de> RowView<'de> {
    fn first<T>(self, read: impl FnOnce(TypedValue<'de>) -> RawResult<T>) -> RawResult<T> {
        let mut cells = ViewCells {
            view: self,
            value: None,
        };
        let (_, value) = cells
            .next()
            .ok_or_else(|| RawError::custom("the row has no columns"))?;
        read(value).map_err(|error| {
            let col = cells.view.position().saturating_sub(1);
            locate(
                error,
                cells.view.block().fields(),
                col,
                cells.view.row_index(),
            )
        })
    }

    fn cells(self) -> ViewCells<'de> {
        ViewCells {
            view: self,
            value: None,
        }
    }
}

macro_rules! view_scalars {
    ($($name:ident)*) => {$(
        fn $name<V: Visitor<'de>>(self, visitor: V) -> RawResult<V::Value> {
            self.first(|value| value.$name(visitor))
        }
    )*};
}

impl<'de> Deserializer<'de> for RowView<'de> {
    type Error = RawError;

    view_scalars! {
        deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64
        deserialize_i128 deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64
        deserialize_u128 deserialize_f32 deserialize_f64 deserialize_char deserialize_str
        deserialize_string deserialize_bytes deserialize_byte_buf deserialize_identifier
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> RawResult<V::Value> {
        self.deserialize_map(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> RawResult<V::Value> {
        if self.len() == 1 && self.block().is_null(self.row_index(), self.position()) {
            visitor.visit_none()
        } else {
            visitor.visit_some(self)
        }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> RawResult<V::Value> {
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> RawResult<V::Value> {
        visitor.visit_unit()
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> RawResult<V::Value> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> RawResult<V::Value> {
        visitor.visit_seq(self.cells())
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _len: usize, visitor: V) -> RawResult<V::Value> {
        let fields = self.block().fields_shared().clone();
        visitor
            .visit_seq(self.cells())
            .map_err(|error| explain_missing(error, &fields))
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _len: usize,
        visitor: V,
    ) -> RawResult<V::Value> {
        let fields = self.block().fields_shared().clone();
        visitor
            .visit_seq(self.cells())
            .map_err(|error| explain_missing(error, &fields))
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> RawResult<V::Value> {
        if self.is_named() {
            visitor.visit_map(self.cells())
        } else {
            visitor.visit_seq(self.cells())
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> RawResult<V::Value> {
        let fields = self.block().fields_shared().clone();
        self.deserialize_map(visitor)
            .map_err(|error| explain_missing(error, &fields))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> RawResult<V::Value> {
        self.first(|value| value.deserialize_enum(name, variants, visitor))
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> RawResult<V::Value> {
        visitor.visit_unit()
    }
}

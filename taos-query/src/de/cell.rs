//! A cell of a block as a deserializer: the common pairs of column and target read the bytes
//! straight into the visitor, everything else goes by the rules of [`TypedValue`].

use serde::de::{Deserializer, Visitor};

use super::value::{TypedValue, null};
use crate::RawError;
use crate::RawResult;
use crate::block::{Column, RawBlock};
use crate::common::Ty;

/// `PRESENT` cells are known not to be NULL.
#[derive(Clone, Copy)]
pub(super) struct Cell<'de, const PRESENT: bool = false> {
    block: &'de RawBlock,
    column: &'de Column,
    row: usize,
}

impl<'de> Cell<'de> {
    #[inline]
    pub(super) fn new(block: &'de RawBlock, column: &'de Column, row: usize) -> Self {
        Self { block, column, row }
    }
}

impl<'de, const PRESENT: bool> Cell<'de, PRESENT> {
    #[inline]
    fn is_null(&self) -> bool {
        !PRESENT && self.block.data.is_null(self.column, self.row)
    }

    #[inline]
    fn bytes<const N: usize>(&self) -> [u8; N] {
        self.block.data.fixed(self.column, self.row)
    }

    /// The cell by the general rules.
    #[inline(never)]
    fn typed(self) -> TypedValue<'de> {
        TypedValue {
            value: self.block.data.value(self.column, self.row),
            timezone: self.block.timezone(),
        }
    }

    /// Numbers of every width to the visitor; serde's own visitors check the range. The pairs of
    /// equal types never come here.
    #[inline(never)]
    fn number<V: Visitor<'de>>(
        self,
        visitor: V,
        other: impl FnOnce(TypedValue<'de>, V) -> RawResult<V::Value>,
    ) -> RawResult<V::Value> {
        if self.is_null() {
            return Err(null(&visitor));
        }
        match self.column.ty {
            Ty::TinyInt => visitor.visit_i8(i8::from_le_bytes(self.bytes())),
            Ty::SmallInt => visitor.visit_i16(i16::from_le_bytes(self.bytes())),
            Ty::Int => visitor.visit_i32(i32::from_le_bytes(self.bytes())),
            Ty::BigInt | Ty::Timestamp => visitor.visit_i64(i64::from_le_bytes(self.bytes())),
            Ty::UTinyInt => visitor.visit_u8(u8::from_le_bytes(self.bytes())),
            Ty::USmallInt => visitor.visit_u16(u16::from_le_bytes(self.bytes())),
            Ty::UInt => visitor.visit_u32(u32::from_le_bytes(self.bytes())),
            Ty::UBigInt => visitor.visit_u64(u64::from_le_bytes(self.bytes())),
            Ty::Float => visitor.visit_f32(f32::from_le_bytes(self.bytes())),
            Ty::Double => visitor.visit_f64(f64::from_le_bytes(self.bytes())),
            _ => other(self.typed(), visitor),
        }
    }

    /// Text straight to the visitor.
    #[inline]
    fn text<V: Visitor<'de>>(
        self,
        visitor: V,
        other: impl FnOnce(TypedValue<'de>, V) -> RawResult<V::Value>,
    ) -> RawResult<V::Value> {
        match self.block.data.text(self.column, self.row) {
            Some(text) => visitor.visit_borrowed_str(text),
            None => other(self.typed(), visitor),
        }
    }

    /// The payload of a text or binary cell.
    fn payload(self) -> Option<&'de [u8]> {
        if !self.column.ty.is_var_type() || self.column.ty == Ty::NChar {
            return None;
        }
        self.block.data.payload(self.column, self.row)
    }
}

macro_rules! numbers {
    ($($name:ident)*) => {$(
        #[inline]
        fn $name<V: Visitor<'de>>(self, visitor: V) -> RawResult<V::Value> {
            self.number(visitor, |value, visitor| value.$name(visitor))
        }
    )*};
}

/// As [`numbers`], with a column of the very same type read in place.
macro_rules! exact_numbers {
    ($($name:ident $visit:ident $native:ty: $($ty:ident)|+;)*) => {$(
        #[inline]
        fn $name<V: Visitor<'de>>(self, visitor: V) -> RawResult<V::Value> {
            if matches!(self.column.ty, $(Ty::$ty)|+) && !self.is_null() {
                return visitor.$visit(<$native>::from_le_bytes(self.bytes()));
            }
            self.number(visitor, |value, visitor| value.$name(visitor))
        }
    )*};
}

macro_rules! texts {
    ($($name:ident)*) => {$(
        #[inline]
        fn $name<V: Visitor<'de>>(self, visitor: V) -> RawResult<V::Value> {
            self.text(visitor, |value, visitor| value.$name(visitor))
        }
    )*};
}

macro_rules! general {
    ($($name:ident)*) => {$(
        fn $name<V: Visitor<'de>>(self, visitor: V) -> RawResult<V::Value> {
            self.typed().$name(visitor)
        }
    )*};
}

impl<'de, const PRESENT: bool> Deserializer<'de> for Cell<'de, PRESENT> {
    type Error = RawError;

    exact_numbers! {
        deserialize_i8 visit_i8 i8: TinyInt;
        deserialize_i16 visit_i16 i16: SmallInt;
        deserialize_i32 visit_i32 i32: Int;
        deserialize_i64 visit_i64 i64: BigInt | Timestamp;
        deserialize_u8 visit_u8 u8: UTinyInt;
        deserialize_u16 visit_u16 u16: USmallInt;
        deserialize_u32 visit_u32 u32: UInt;
        deserialize_u64 visit_u64 u64: UBigInt;
        deserialize_f32 visit_f32 f32: Float;
        deserialize_f64 visit_f64 f64: Double;
    }

    numbers! { deserialize_i128 deserialize_u128 }

    texts! { deserialize_str deserialize_string deserialize_char deserialize_identifier }

    general! {
        deserialize_any deserialize_unit deserialize_seq deserialize_map deserialize_ignored_any
    }

    #[inline]
    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> RawResult<V::Value> {
        if self.column.ty == Ty::Bool && !self.is_null() {
            return visitor.visit_bool(self.bytes::<1>() != [0]);
        }
        self.typed().deserialize_bool(visitor)
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> RawResult<V::Value> {
        match self.payload() {
            Some(payload) => visitor.visit_borrowed_bytes(payload),
            None => self.typed().deserialize_bytes(visitor),
        }
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> RawResult<V::Value> {
        self.deserialize_bytes(visitor)
    }

    #[inline]
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> RawResult<V::Value> {
        if self.is_null() {
            visitor.visit_none()
        } else {
            visitor.visit_some(Cell::<true> {
                block: self.block,
                column: self.column,
                row: self.row,
            })
        }
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

    fn deserialize_tuple<V: Visitor<'de>>(self, len: usize, visitor: V) -> RawResult<V::Value> {
        self.typed().deserialize_tuple(len, visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        len: usize,
        visitor: V,
    ) -> RawResult<V::Value> {
        self.typed().deserialize_tuple_struct(name, len, visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> RawResult<V::Value> {
        self.typed().deserialize_struct(name, fields, visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> RawResult<V::Value> {
        self.typed().deserialize_enum(name, variants, visitor)
    }
}

//! Columns from values.

use std::sync::Arc;

use super::ColumnView;
use crate::block::encode::encode;
use crate::block::{BlockData, ColumnBuilder};
use crate::common::itypes::{INChar, IVarChar};
use crate::common::{BorrowedValue, Precision, Ty, Value};
use crate::{ErrorKind, RawError, RawResult};

/// The column that a builder holds.
pub(super) fn finish(mut builder: ColumnBuilder, precision: Precision) -> RawResult<ColumnView> {
    ColumnView::of_cells(&mut builder, precision)
}

/// For constructors whose established signature has no room for an error.
fn built(column: RawResult<ColumnView>) -> ColumnView {
    match column {
        Ok(column) => column,
        Err(error) => panic!("the values do not make a column: {error}"),
    }
}

fn collect<V>(
    ty: Ty,
    digits: (u8, u8),
    precision: Precision,
    values: impl IntoIterator<Item = Option<V>>,
    push: impl Fn(&mut ColumnBuilder, V) -> RawResult<()>,
) -> RawResult<ColumnView> {
    let mut builder = ColumnBuilder::new(ty, 0, digits.0, digits.1);
    for value in values {
        match value {
            Some(value) => push(&mut builder, value)?,
            None => builder.push_null(),
        }
    }
    finish(builder, precision)
}

/// As [`collect`] for values whose bytes are those of the cells, which is several times faster.
fn collect_fixed<V, const N: usize>(
    ty: Ty,
    precision: Precision,
    values: Vec<impl Into<Option<V>>>,
    bytes: impl Fn(V) -> [u8; N],
) -> RawResult<ColumnView> {
    let cells = values.into_iter().map(|value| value.into().map(&bytes));
    ColumnView::of_column(BlockData::of_fixed(ty, cells, precision))
}

macro_rules! from_numbers {
    ($($name:ident, $ty:ty, $variant:ident, $bytes:expr, $sql:literal;)*) => {$(
        #[doc = concat!("A column of ", $sql, "; the values may be `Option`s.")]
        pub fn $name(values: Vec<impl Into<Option<$ty>>>) -> Self {
            built(collect_fixed(Ty::$variant, Precision::Millisecond, values, $bytes))
        }
    )*};
}

macro_rules! from_times {
    ($($name:ident, $precision:ident, $unit:literal;)*) => {$(
        #[doc = concat!("A column of TIMESTAMP in ", $unit, " since the epoch.")]
        pub fn $name(values: Vec<impl Into<Option<i64>>>) -> Self {
            built(collect_fixed(
                Ty::Timestamp,
                Precision::$precision,
                values,
                i64::to_le_bytes,
            ))
        }
    )*};
}

macro_rules! from_variable {
    ($($name:ident, $item:ty, $as:ident, $variant:ident, $push:ident, $sql:literal, $limit:literal;)*) => {$(
        #[doc = concat!("A column of ", $sql, "; the values may be `Option`s.")]
        ///
        /// # Panics
        #[doc = concat!("If a value is longer than ", $limit, ", which no server takes.")]
        pub fn $name<
            S: AsRef<$item>,
            T: Into<Option<S>>,
            I: ExactSizeIterator<Item = T>,
            V: IntoIterator<Item = T, IntoIter = I>,
        >(
            values: V,
        ) -> Self {
            built(collect(
                Ty::$variant,
                (0, 0),
                Precision::Millisecond,
                values.into_iter().map(Into::into),
                |builder, value: S| builder.$push(value.as_ref()),
            ))
        }
    )*};
}

impl ColumnView {
    /// The column that a builder holds; the builder keeps its cells.
    pub(crate) fn of_cells(builder: &mut ColumnBuilder, precision: Precision) -> RawResult<Self> {
        builder.fit_width();
        let data = match BlockData::of_cells(builder, precision) {
            Some(data) => data,
            None => BlockData::parse(encode(std::slice::from_ref(builder))?, precision)?,
        };
        Self::of_column(data)
    }

    /// The column that a builder holds; the ticks of timestamps are in `precision`.
    ///
    /// # Errors
    /// The column is longer than a block can be.
    pub fn from_builder(builder: ColumnBuilder, precision: Precision) -> RawResult<Self> {
        finish(builder, precision)
    }

    /// The only column of a block.
    fn of_column(data: BlockData) -> RawResult<Self> {
        Self::of_block(&Arc::new(data), 0)
            .ok_or_else(|| RawError::of(ErrorKind::Decode, "a block without columns"))
    }

    from_numbers! {
        from_bools, bool, Bool, |value| [u8::from(value)], "BOOL";
        from_tiny_ints, i8, TinyInt, i8::to_le_bytes, "TINYINT";
        from_small_ints, i16, SmallInt, i16::to_le_bytes, "SMALLINT";
        from_ints, i32, Int, i32::to_le_bytes, "INT";
        from_big_ints, i64, BigInt, i64::to_le_bytes, "BIGINT";
        from_unsigned_tiny_ints, u8, UTinyInt, u8::to_le_bytes, "TINYINT UNSIGNED";
        from_unsigned_small_ints, u16, USmallInt, u16::to_le_bytes, "SMALLINT UNSIGNED";
        from_unsigned_ints, u32, UInt, u32::to_le_bytes, "INT UNSIGNED";
        from_unsigned_big_ints, u64, UBigInt, u64::to_le_bytes, "BIGINT UNSIGNED";
        from_floats, f32, Float, f32::to_le_bytes, "FLOAT";
        from_doubles, f64, Double, f64::to_le_bytes, "DOUBLE";
    }

    from_times! {
        from_millis_timestamp, Millisecond, "milliseconds";
        from_micros_timestamp, Microsecond, "microseconds";
        from_nanos_timestamp, Nanosecond, "nanoseconds";
    }

    from_variable! {
        from_varchar, str, VarChar, VarChar, push_str, "VARCHAR", "65,535 bytes";
        from_nchar, str, NChar, NChar, push_str, "NCHAR", "16,383 characters";
        from_json, str, Json, Json, push_str, "JSON text", "65,535 bytes";
        from_bytes, [u8], VarBinary, VarBinary, push_bytes, "VARBINARY", "65,535 bytes";
        from_geobytes, [u8], Geometry, Geometry, push_bytes, "GEOMETRY as WKB", "65,535 bytes";
        from_blob_bytes, [u8], Blob, Blob, push_bytes, "BLOB", "2 GiB";
    }

    /// A column of DECIMAL of 128 bits from unscaled integers.
    pub fn from_decimal(values: Vec<impl Into<Option<i128>>>, precision: u8, scale: u8) -> Self {
        built(collect(
            Ty::Decimal,
            (precision, scale),
            Precision::Millisecond,
            values.into_iter().map(Into::into),
            ColumnBuilder::push_i128,
        ))
    }

    /// A column of DECIMAL of 64 bits from unscaled integers.
    pub fn from_decimal64(values: Vec<impl Into<Option<i64>>>, precision: u8, scale: u8) -> Self {
        built(collect(
            Ty::Decimal64,
            (precision, scale),
            Precision::Millisecond,
            values.into_iter().map(Into::into),
            ColumnBuilder::push_i64,
        ))
    }

    /// A column of `n` NULLs; of [`Ty::Null`] it is VARCHAR, as servers do.
    pub fn null(n: usize, ty: Ty) -> Self {
        let ty = if ty.is_null() { Ty::VarChar } else { ty };
        built(collect(
            ty,
            (0, 0),
            Precision::Millisecond,
            (0..n).map(|_| None::<()>),
            |_, ()| Ok(()),
        ))
    }

    /// A column of `ty` from values that fit into it.
    ///
    /// # Errors
    /// A value does not fit.
    pub fn try_from_values<'a>(
        ty: Ty,
        values: impl IntoIterator<Item = &'a BorrowedValue<'a>>,
    ) -> RawResult<Self> {
        let values: Vec<_> = values.into_iter().collect();
        let (mut digits, mut precision) = ((0, 0), Precision::Millisecond);
        for value in &values {
            match value {
                BorrowedValue::Decimal(v) | BorrowedValue::Decimal64(v) => {
                    digits = (digits.0.max(v.precision()), digits.1.max(v.scale()));
                }
                BorrowedValue::Timestamp(v) => precision = precision.max(v.precision()),
                _ => {}
            }
        }
        let mut builder = ColumnBuilder::new(ty, 0, digits.0, digits.1);
        for value in values {
            match value {
                BorrowedValue::Timestamp(v) => {
                    builder.push_i64(v.cast_precision(precision).as_raw_i64())?;
                }
                value => builder.push_value(value)?,
            }
        }
        finish(builder, precision)
    }
}

macro_rules! from_vec {
    ($($ty:ty => $name:ident,)*) => {$(
        impl From<Vec<$ty>> for ColumnView {
            fn from(values: Vec<$ty>) -> Self {
                Self::$name(values)
            }
        }

        impl From<Vec<Option<$ty>>> for ColumnView {
            fn from(values: Vec<Option<$ty>>) -> Self {
                Self::$name(values)
            }
        }
    )*};
}
from_vec! {
    bool => from_bools, i8 => from_tiny_ints, i16 => from_small_ints, i32 => from_ints,
    i64 => from_big_ints, u8 => from_unsigned_tiny_ints, u16 => from_unsigned_small_ints,
    u32 => from_unsigned_ints, u64 => from_unsigned_big_ints, f32 => from_floats,
    f64 => from_doubles,
}

macro_rules! from_texts {
    ($($ty:ty => $name:ident,)*) => {$(
        impl From<Vec<$ty>> for ColumnView {
            fn from(values: Vec<$ty>) -> Self {
                Self::$name::<$ty, _, _, _>(values)
            }
        }

        impl From<Vec<Option<$ty>>> for ColumnView {
            fn from(values: Vec<Option<$ty>>) -> Self {
                Self::$name::<$ty, _, _, _>(values)
            }
        }
    )*};
}
from_texts! { IVarChar => from_varchar, INChar => from_nchar, }

impl From<&BorrowedValue<'_>> for ColumnView {
    /// A column of one row. A value without a type becomes a NULL of VARCHAR.
    fn from(value: &BorrowedValue<'_>) -> Self {
        let ty = value.ty();
        if value.is_null() {
            return Self::null(1, ty);
        }
        built(Self::try_from_values(ty, [value]))
    }
}

impl From<Value> for ColumnView {
    /// A column of one row.
    fn from(value: Value) -> Self {
        Self::from(&value.to_borrowed_value())
    }
}

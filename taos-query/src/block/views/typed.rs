//! Views that know the Rust type of their values.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Range;

use private::{Cell, Read};

use super::data::ViewData;
use crate::block::{BlockData, Column};
use crate::common::{BorrowedValue, Decimal, Precision, Timestamp, Ty};

/// A Rust type that fixed-width columns hold.
pub trait Fixed: Copy + fmt::Debug + PartialEq + Read {}

#[allow(
    unnameable_types,
    unreachable_pub,
    reason = "seals the trait that has it as a bound"
)]
mod private {
    use super::{BlockData, Column};

    /// A cell that is not NULL.
    pub struct Cell<'a> {
        pub(super) block: &'a BlockData,
        pub(super) column: &'a Column,
        pub(super) row: usize,
    }

    impl Cell<'_> {
        #[inline]
        pub(super) fn bytes<const N: usize>(&self) -> [u8; N] {
            self.block.fixed(self.column, self.row)
        }
    }

    pub trait Read: Sized {
        /// Of a column of this type.
        fn read(cell: &Cell<'_>) -> Self;
    }
}

macro_rules! fixed {
    ($($ty:ty: |$cell:ident| $read:expr;)*) => {$(
        impl Fixed for $ty {}
        impl Read for $ty {
            #[inline]
            fn read($cell: &Cell<'_>) -> Self {
                $read
            }
        }
    )*};
}
macro_rules! numbers {
    ($($ty:ty)*) => { fixed! { $($ty: |cell| <$ty>::from_le_bytes(cell.bytes());)* } };
}
numbers! { i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 }
fixed! {
    bool: |cell| cell.bytes() != [0];
    Timestamp: |cell| Timestamp::new(i64::from_le_bytes(cell.bytes()), cell.block.precision);
    Decimal: |cell| cell.block.decimal(cell.column, cell.row);
}

macro_rules! common_methods {
    () => {
        pub(super) fn data(&self) -> &ViewData {
            &self.data
        }

        /// Number of rows.
        pub fn len(&self) -> usize {
            self.data.len()
        }

        /// True if there are no rows.
        pub fn is_empty(&self) -> bool {
            self.data.len() == 0
        }

        /// True if the value is NULL or outside the column.
        pub fn is_null(&self, row: usize) -> bool {
            self.data.is_null(row)
        }

        /// Whether each value is NULL.
        pub fn is_null_iter(&self) -> impl ExactSizeIterator<Item = bool> {
            (0..self.len()).map(|row| self.data.is_null(row))
        }

        /// Whether each value is NULL.
        pub fn to_nulls_vec(&self) -> Vec<bool> {
            self.is_null_iter().collect()
        }

        /// One value in its general form, `None` outside the column.
        pub fn get_value(&self, row: usize) -> Option<BorrowedValue<'_>> {
            self.data.get(row)
        }

        /// Some of the rows, sharing the bytes; `None` if the range starts outside the column.
        #[must_use]
        pub fn slice(&self, range: Range<usize>) -> Option<Self> {
            self.data.slice(range).map(Self::new)
        }

        /// The rows of both columns.
        ///
        /// # Panics
        /// If the types differ and a value of the other does not fit.
        #[must_use]
        pub fn concat(&self, other: &Self) -> Self {
            let (a, b) = (self.data.clone(), other.data.clone());
            let joined = super::ColumnView::of_data(a).concat(&super::ColumnView::of_data(b));
            Self::new(joined.data().clone())
        }
    };
}

/// A column of fixed width whose values are `T`.
#[derive(Clone)]
pub struct FixedView<T> {
    data: ViewData,
    value: PhantomData<fn() -> T>,
}

impl<T: Fixed> FixedView<T> {
    pub(super) fn new(data: ViewData) -> Self {
        Self {
            data,
            value: PhantomData,
        }
    }

    common_methods!();

    /// One value, `None` if it is NULL or outside the column.
    #[inline]
    pub fn get(&self, row: usize) -> Option<T> {
        let (block, column) = (self.data.block(), self.data.column());
        let row = self.data.row(row)?;
        (!block.is_fixed_null(column, row)).then(|| T::read(&Cell { block, column, row }))
    }

    /// The values, `None` for NULL.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Option<T>> {
        (0..self.len()).map(|row| self.get(row))
    }

    /// The values, `None` for NULL.
    pub fn to_vec(&self) -> Vec<Option<T>> {
        self.iter().collect()
    }
}

impl<T: Fixed> fmt::Debug for FixedView<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl FixedView<Timestamp> {
    /// The unit of the timestamps.
    pub fn precision(&self) -> Precision {
        self.data.precision()
    }
}

impl FixedView<Decimal> {
    /// Digits of the column.
    pub fn precision(&self) -> u8 {
        self.data.column().precision
    }

    /// Digits after the point.
    pub fn scale(&self) -> u8 {
        self.data.column().scale
    }

    /// Digits of the column and those after the point.
    pub fn precision_and_scale(&self) -> (u8, u8) {
        (self.precision(), self.scale())
    }
}

/// A column of text: VARCHAR, NCHAR or JSON.
#[derive(Clone)]
pub struct TextView {
    data: ViewData,
}

impl TextView {
    pub(super) const fn new(data: ViewData) -> Self {
        Self { data }
    }

    common_methods!();

    /// One text; `None` if it is NULL, outside the column or not valid text, whose bytes
    /// [`get_bytes`](Self::get_bytes) gives.
    #[inline]
    pub fn get(&self, row: usize) -> Option<Cow<'_, str>> {
        let (block, column) = (self.data.block(), self.data.column());
        let at = self.data.row(row)?;
        if column.ty == Ty::NChar {
            self.data.payload(row)?;
            return block.nchar_text(column, at);
        }
        block.text(column, at).map(Cow::Borrowed)
    }

    /// The bytes of one value as they stand on the wire: UTF-32LE for NCHAR.
    pub fn get_bytes(&self, row: usize) -> Option<&[u8]> {
        self.data.payload(row)
    }

    /// The texts, `None` for NULL.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Option<Cow<'_, str>>> {
        (0..self.len()).map(|row| self.get(row))
    }

    /// The texts, `None` for NULL.
    pub fn to_vec(&self) -> Vec<Option<String>> {
        self.iter().map(|text| text.map(Cow::into_owned)).collect()
    }

    /// The texts as bytes, `None` for NULL.
    pub fn iter_as_bytes(&self) -> impl ExactSizeIterator<Item = Option<&[u8]>> {
        (0..self.len()).map(|row| self.data.payload(row))
    }

    /// The texts as bytes, `None` for NULL.
    pub fn to_bytes_vec(&self) -> Vec<Option<&[u8]>> {
        self.iter_as_bytes().collect()
    }

    /// Bytes of each text on the wire, `None` for NULL.
    pub fn lengths(&self) -> Vec<Option<usize>> {
        self.iter_as_bytes().map(|b| b.map(<[u8]>::len)).collect()
    }

    /// Bytes of the longest text on the wire.
    pub fn max_length(&self) -> usize {
        self.lengths().into_iter().flatten().max().unwrap_or(0)
    }
}

impl fmt::Debug for TextView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// A column of bytes: VARBINARY, GEOMETRY or BLOB.
#[derive(Clone)]
pub struct BytesView {
    data: ViewData,
}

impl BytesView {
    pub(super) const fn new(data: ViewData) -> Self {
        Self { data }
    }

    common_methods!();

    /// The bytes of one value, `None` if it is NULL or outside the column.
    pub fn get(&self, row: usize) -> Option<&[u8]> {
        self.data.payload(row)
    }

    /// The values, `None` for NULL.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Option<&[u8]>> {
        (0..self.len()).map(|row| self.data.payload(row))
    }

    /// The values, `None` for NULL.
    pub fn to_vec(&self) -> Vec<Option<Vec<u8>>> {
        self.iter().map(|b| b.map(<[u8]>::to_vec)).collect()
    }

    /// Bytes of each value, `None` for NULL.
    pub fn lengths(&self) -> Vec<Option<usize>> {
        self.iter().map(|b| b.map(<[u8]>::len)).collect()
    }

    /// Bytes of the longest value.
    pub fn max_length(&self) -> usize {
        self.lengths().into_iter().flatten().max().unwrap_or(0)
    }
}

impl fmt::Debug for BytesView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

macro_rules! names {
    ($($name:ident = $view:ty, $sql:literal;)*) => {$(
        #[doc = concat!("A column of ", $sql, ".")]
        pub type $name = $view;
    )*};
}
names! {
    BoolView = FixedView<bool>, "BOOL";
    TinyIntView = FixedView<i8>, "TINYINT";
    SmallIntView = FixedView<i16>, "SMALLINT";
    IntView = FixedView<i32>, "INT";
    BigIntView = FixedView<i64>, "BIGINT";
    UTinyIntView = FixedView<u8>, "TINYINT UNSIGNED";
    USmallIntView = FixedView<u16>, "SMALLINT UNSIGNED";
    UIntView = FixedView<u32>, "INT UNSIGNED";
    UBigIntView = FixedView<u64>, "BIGINT UNSIGNED";
    FloatView = FixedView<f32>, "FLOAT";
    DoubleView = FixedView<f64>, "DOUBLE";
    TimestampView = FixedView<Timestamp>, "TIMESTAMP";
    DecimalView = FixedView<Decimal>, "DECIMAL of either width";
    VarCharView = TextView, "VARCHAR";
    NCharView = TextView, "NCHAR";
    JsonView = TextView, "JSON";
    VarBinaryView = BytesView, "VARBINARY";
    GeometryView = BytesView, "GEOMETRY";
    BlobView = BytesView, "BLOB";
}

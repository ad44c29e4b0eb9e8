//! Columns as typed views that share the bytes of their block.
//!
//! A view is a range of rows of one column of a checked block; a column made from values is a
//! block of one column. So reading, slicing and encoding are the same for both.

mod build;
mod cast;
mod data;
mod typed;

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};

pub use data::{ColumnViewIter, Payloads};
pub use typed::{
    BigIntView, BlobView, BoolView, BytesView, DecimalView, DoubleView, Fixed, FixedView,
    FloatView, GeometryView, IntView, JsonView, NCharView, SmallIntView, TextView, TimestampView,
    TinyIntView, UBigIntView, UIntView, USmallIntView, UTinyIntView, VarBinaryView, VarCharView,
};

use super::encode::encode;
use super::{BlockData, Column, ColumnBuilder};
use crate::RawResult;
use crate::common::{BorrowedValue, Precision, Ty};
use data::ViewData;

/// Type and schema width of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ColSchema {
    /// The column's type.
    pub ty: Ty,
    /// The type info of the schema entry (raw-block §2).
    pub len: u32,
}

impl ColSchema {
    pub(super) const fn of(column: &Column) -> Self {
        Self {
            ty: column.ty,
            len: column.info,
        }
    }

    /// The schema of a decimal column.
    pub const fn decimal(ty: Ty, precision: u8, scale: u8) -> Self {
        let width = if matches!(ty, Ty::Decimal64) { 8 } else { 16 };
        Self {
            ty,
            len: u32::from_le_bytes([scale, precision, 0, width]),
        }
    }

    /// Digits of a decimal column and how many of them stand after the point; zeros for others.
    pub const fn decimal_digits(&self) -> (u8, u8) {
        if !self.ty.is_decimal() {
            return (0, 0);
        }
        let [scale, precision, _, _] = self.len.to_le_bytes();
        (precision, scale)
    }
}

/// A value that the wanted type cannot hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{value} of row {row} does not fit into {to}, cast from {from}")]
pub struct CastError {
    value: String,
    row: usize,
    from: Ty,
    to: Ty,
}

/// One column: values of one type, each of which may be NULL.
#[derive(Clone)]
#[non_exhaustive]
#[allow(missing_docs, reason = "the names are those of the types")]
pub enum ColumnView {
    Bool(BoolView),
    TinyInt(TinyIntView),
    SmallInt(SmallIntView),
    Int(IntView),
    BigInt(BigIntView),
    Float(FloatView),
    Double(DoubleView),
    VarChar(VarCharView),
    Timestamp(TimestampView),
    NChar(NCharView),
    UTinyInt(UTinyIntView),
    USmallInt(USmallIntView),
    UInt(UIntView),
    UBigInt(UBigIntView),
    Json(JsonView),
    VarBinary(VarBinaryView),
    Decimal(DecimalView),
    Blob(BlobView),
    MediumBlob(BlobView),
    Geometry(GeometryView),
    Decimal64(DecimalView),
}

impl ColumnView {
    /// Column `col` of a block.
    pub(super) fn of_block(data: &Arc<BlockData>, col: usize) -> Option<Self> {
        ViewData::new(data, col).map(Self::of_data)
    }

    fn of_data(data: ViewData) -> Self {
        match data.column().ty {
            Ty::Bool => Self::Bool(FixedView::new(data)),
            Ty::TinyInt => Self::TinyInt(FixedView::new(data)),
            Ty::SmallInt => Self::SmallInt(FixedView::new(data)),
            Ty::Int => Self::Int(FixedView::new(data)),
            Ty::BigInt => Self::BigInt(FixedView::new(data)),
            Ty::Float => Self::Float(FixedView::new(data)),
            Ty::Double => Self::Double(FixedView::new(data)),
            Ty::Timestamp => Self::Timestamp(FixedView::new(data)),
            Ty::UTinyInt => Self::UTinyInt(FixedView::new(data)),
            Ty::USmallInt => Self::USmallInt(FixedView::new(data)),
            Ty::UInt => Self::UInt(FixedView::new(data)),
            Ty::UBigInt => Self::UBigInt(FixedView::new(data)),
            Ty::Decimal => Self::Decimal(FixedView::new(data)),
            Ty::Decimal64 => Self::Decimal64(FixedView::new(data)),
            // A checked block has no column of type NULL.
            Ty::VarChar | Ty::Null => Self::VarChar(TextView::new(data)),
            Ty::NChar => Self::NChar(TextView::new(data)),
            Ty::Json => Self::Json(TextView::new(data)),
            Ty::VarBinary => Self::VarBinary(BytesView::new(data)),
            Ty::Geometry => Self::Geometry(BytesView::new(data)),
            Ty::Blob => Self::Blob(BytesView::new(data)),
            Ty::MediumBlob => Self::MediumBlob(BytesView::new(data)),
        }
    }

    fn data(&self) -> &ViewData {
        match self {
            Self::Bool(v) => v.data(),
            Self::TinyInt(v) => v.data(),
            Self::SmallInt(v) => v.data(),
            Self::Int(v) => v.data(),
            Self::BigInt(v) => v.data(),
            Self::Float(v) => v.data(),
            Self::Double(v) => v.data(),
            Self::Timestamp(v) => v.data(),
            Self::UTinyInt(v) => v.data(),
            Self::USmallInt(v) => v.data(),
            Self::UInt(v) => v.data(),
            Self::UBigInt(v) => v.data(),
            Self::Decimal(v) | Self::Decimal64(v) => v.data(),
            Self::VarChar(v) | Self::NChar(v) | Self::Json(v) => v.data(),
            Self::VarBinary(v) | Self::Geometry(v) | Self::Blob(v) | Self::MediumBlob(v) => {
                v.data()
            }
        }
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.data().len()
    }

    /// True if there are no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The column's type.
    pub fn as_ty(&self) -> Ty {
        self.data().column().ty
    }

    /// Type and schema width.
    pub fn schema(&self) -> ColSchema {
        ColSchema::of(self.data().column())
    }

    /// True if the value is NULL or outside the column.
    pub fn is_null(&self, row: usize) -> bool {
        self.data().is_null(row)
    }

    /// The first row that is NULL, if any is.
    pub fn first_null(&self) -> Option<usize> {
        self.data().first_null()
    }

    /// One value, `None` outside the column.
    pub fn get(&self, row: usize) -> Option<BorrowedValue<'_>> {
        self.data().get(row)
    }

    /// The values, first to last.
    pub fn iter(&self) -> ColumnViewIter<'_> {
        ColumnViewIter::new(self.data())
    }

    /// The values of a fixed-width column as they stand in its block: little-endian, one behind the
    /// other, with a slot for each NULL (raw-block §3). `None` for variable widths.
    pub fn fixed_bytes(&self) -> Option<&[u8]> {
        self.data().fixed_bytes()
    }

    /// The bytes of a variable value as they stand in its block, which is UTF-32LE for NCHAR; `None`
    /// for NULL, outside the column and for fixed widths.
    pub fn payload(&self, row: usize) -> Option<&[u8]> {
        self.data().payload(row)
    }

    /// As [`payload`](Self::payload) for row after row; nothing for fixed widths.
    pub fn payloads(&self) -> Payloads<'_> {
        self.data().payloads()
    }

    /// Appends one byte a row to `out`, 1 for NULL, and returns how many those are.
    pub fn append_nulls(&self, out: &mut BytesMut) -> usize {
        self.data().append_nulls(out)
    }

    /// The unit of the timestamps in a TIMESTAMP column.
    pub fn precision(&self) -> Precision {
        self.data().precision()
    }

    /// Digits of a decimal column and how many of them stand after the point; zeros for others.
    pub fn decimal_digits(&self) -> (u8, u8) {
        let column = self.data().column();
        (column.precision, column.scale)
    }

    /// Some of the rows, sharing the bytes; `None` if the range starts outside the column. An end
    /// beyond the column is cut.
    #[must_use]
    pub fn slice(&self, range: Range<usize>) -> Option<Self> {
        self.data().slice(range).map(Self::of_data)
    }

    /// Bytes of the longest value of a variable column, the width of a fixed one.
    pub fn max_variable_length(&self) -> usize {
        let data = self.data();
        if data.column().ty.is_var_type() {
            let lengths = data.payloads().flatten().map(<[u8]>::len);
            lengths.max().unwrap_or_default()
        } else {
            data.column().ty.fixed_length()
        }
    }

    /// The rows of both; `other` is cast to this column's type.
    ///
    /// # Panics
    /// If a value cannot be cast, see [`try_concat_as`](Self::try_concat_as).
    #[must_use]
    pub fn concat(&self, other: &Self) -> Self {
        self.concat_as(other, self.as_ty())
    }

    /// The rows of both columns of one type.
    ///
    /// # Panics
    /// If the types differ.
    #[must_use]
    pub fn concat_strictly(&self, other: &Self) -> Self {
        assert_eq!(
            self.as_ty(),
            other.as_ty(),
            "columns of different types cannot be joined strictly"
        );
        self.concat(other)
    }

    /// The rows of both columns, cast to `ty`.
    ///
    /// # Panics
    /// If a value cannot be cast, see [`try_concat_as`](Self::try_concat_as).
    #[must_use]
    pub fn concat_as(&self, other: &Self, ty: Ty) -> Self {
        match self.try_concat_as(other, ty) {
            Ok(column) => column,
            Err(error) => panic!("columns cannot be joined: {error}"),
        }
    }

    /// The rows of both columns, cast to `ty`.
    ///
    /// # Errors
    /// A value does not fit into `ty`.
    pub fn try_concat_as(&self, other: &Self, ty: Ty) -> Result<Self, CastError> {
        let (a, b) = (self.cast(ty)?, other.cast(ty)?);
        let b = b.cast_precision(a.data().precision());
        let mut builder = a.builder(ty);
        let result = append(&mut builder, a.data()).and_then(|()| append(&mut builder, b.data()));
        let precision = a.data().precision();
        result
            .and_then(|()| build::finish(builder, precision))
            .map_err(|error| CastError {
                value: error.to_string(),
                row: self.len(),
                from: other.as_ty(),
                to: ty,
            })
    }

    /// The rows of all of these, which are alike in type, unit and digits; `None` of none.
    pub(crate) fn join(views: &[&Self]) -> RawResult<Option<Self>> {
        let Some(first) = views.first() else {
            return Ok(None);
        };
        let mut builder = first.builder(first.as_ty());
        for view in views {
            append(&mut builder, view.data())?;
        }
        build::finish(builder, first.precision()).map(Some)
    }

    /// A builder of `ty` with this column's declared width and digits.
    fn builder(&self, ty: Ty) -> ColumnBuilder {
        let column = self.data().column();
        ColumnBuilder::new(ty, column.declared(), column.precision, column.scale)
    }
}

/// Copies the cells of a view of the same type, bytes as they stand.
fn append(builder: &mut ColumnBuilder, data: &ViewData) -> RawResult<()> {
    let var = builder.ty().is_var_type();
    for row in 0..data.len() {
        match (var, data.payload(row)) {
            (true, Some(payload)) => builder.push_bytes(payload)?,
            (true, None) => builder.push_null(),
            (false, _) => match data.get(row) {
                Some(value) => builder.push_value(&value)?,
                None => builder.push_null(),
            },
        }
    }
    builder.fit_width();
    Ok(())
}

/// The bytes of a block of these columns; timestamps are cast to `precision` if one is given.
pub(super) fn encode_views(views: &[ColumnView], precision: Option<Precision>) -> RawResult<Bytes> {
    let builders = views
        .iter()
        .map(|view| {
            let view = precision.map_or_else(|| view.clone(), |p| view.cast_precision(p));
            let mut builder = view.builder(view.as_ty());
            append(&mut builder, view.data())?;
            Ok(builder)
        })
        .collect::<RawResult<Vec<_>>>()?;
    encode(&builders)
}

/// The bytes of a block of these columns. Columns of different length give no bytes.
pub fn views_to_raw_block(views: &[ColumnView]) -> Vec<u8> {
    match encode_views(views, None) {
        Ok(bytes) => bytes.into(),
        Err(error) => {
            tracing::error!(%error, "columns do not make a block");
            Vec::new()
        }
    }
}

impl fmt::Debug for ColumnView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.as_ty())?;
        f.debug_list().entries(self.iter()).finish()
    }
}

impl PartialEq for ColumnView {
    /// Equal types and values.
    fn eq(&self, other: &Self) -> bool {
        self.as_ty() == other.as_ty() && self.iter().eq(other.iter())
    }
}

impl<'a> IntoIterator for &'a ColumnView {
    type Item = BorrowedValue<'a>;
    type IntoIter = ColumnViewIter<'a>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl std::ops::Add for ColumnView {
    type Output = Self;

    /// As [`concat`](ColumnView::concat).
    fn add(self, other: Self) -> Self {
        self.concat(&other)
    }
}

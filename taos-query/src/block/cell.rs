//! Reading single cells of a checked block.

use std::borrow::Cow;

use super::parse::{array, payload_len};
use super::{BlockData, Column, decode_nchar};
use crate::block::text::ColumnText;
use crate::common::{BorrowedValue, Decimal, Field, Timestamp, Ty, Value};

/// A cell of fixed width, as a variant of `$value`.
macro_rules! fixed_value {
    ($value:ident, $block:ident, $column:ident, $row:ident) => {{
        use $value as V;
        match $column.ty {
            ty if $block.is_null($column, $row) => V::Null(ty),
            Ty::Bool => V::Bool($block.fixed::<1>($column, $row) != [0]),
            Ty::TinyInt => V::TinyInt(i8::from_le_bytes($block.fixed($column, $row))),
            Ty::SmallInt => V::SmallInt(i16::from_le_bytes($block.fixed($column, $row))),
            Ty::Int => V::Int(i32::from_le_bytes($block.fixed($column, $row))),
            Ty::BigInt => V::BigInt(i64::from_le_bytes($block.fixed($column, $row))),
            Ty::UTinyInt => V::UTinyInt(u8::from_le_bytes($block.fixed($column, $row))),
            Ty::USmallInt => V::USmallInt(u16::from_le_bytes($block.fixed($column, $row))),
            Ty::UInt => V::UInt(u32::from_le_bytes($block.fixed($column, $row))),
            Ty::UBigInt => V::UBigInt(u64::from_le_bytes($block.fixed($column, $row))),
            Ty::Float => V::Float(f32::from_le_bytes($block.fixed($column, $row))),
            Ty::Double => V::Double(f64::from_le_bytes($block.fixed($column, $row))),
            Ty::Timestamp => V::Timestamp(Timestamp::new(
                i64::from_le_bytes($block.fixed($column, $row)),
                $block.precision,
            )),
            Ty::Decimal64 => V::Decimal64($block.decimal($column, $row)),
            Ty::Decimal => V::Decimal($block.decimal($column, $row)),
            ty => V::Null(ty),
        }
    }};
}

impl Column {
    /// The declared width in characters or bytes (raw-block §2).
    pub(super) fn declared(&self) -> u32 {
        match self.ty {
            Ty::NChar => self.info.saturating_sub(2) / 4,
            Ty::Json => self.info,
            ty if ty.is_blob() => 0,
            ty if ty.is_var_type() => self.info.saturating_sub(2),
            ty => u32::try_from(ty.fixed_length()).unwrap_or_default(),
        }
    }

    pub(super) fn unnamed_field(&self) -> Field {
        Field::new(String::new(), self.ty, self.declared())
    }
}

impl BlockData {
    /// True if the cell is NULL.
    #[inline]
    pub(crate) fn is_null(&self, column: &Column, row: usize) -> bool {
        if column.ty.is_var_type() {
            self.offset(column, row).is_none()
        } else {
            self.is_fixed_null(column, row)
        }
    }

    /// The same for a column of fixed width.
    #[inline]
    pub(crate) fn is_fixed_null(&self, column: &Column, row: usize) -> bool {
        self.bytes
            .get(column.head + (row >> 3))
            .is_none_or(|byte| byte & (0x80 >> (row & 7)) != 0)
    }

    #[inline]
    fn offset(&self, column: &Column, row: usize) -> Option<usize> {
        let offset = i32::from_le_bytes(array(&self.bytes, column.head + 4 * row));
        usize::try_from(offset).ok()
    }

    /// The bytes of a cell of fixed width.
    #[inline]
    pub(crate) fn fixed<const N: usize>(&self, column: &Column, row: usize) -> [u8; N] {
        array(&self.bytes, column.data + N * row)
    }

    /// The payload of a cell of variable width, `None` for NULL.
    #[inline]
    pub(crate) fn payload(&self, column: &Column, row: usize) -> Option<&[u8]> {
        let start = column.data + self.offset(column, row)?;
        let cell = self.bytes.get(start..)?;
        let prefix = if column.ty.is_blob() { 4 } else { 2 };
        cell.get(prefix..prefix + payload_len(cell, prefix))
    }

    /// The checked texts of a column of text.
    #[inline]
    fn texts<'a>(&'a self, column: &'a Column) -> &'a ColumnText {
        match column.text.get() {
            Some(text) => text,
            None => self.check_texts(column),
        }
    }

    #[cold]
    fn check_texts<'a>(&'a self, column: &'a Column) -> &'a ColumnText {
        let range = |from, to| self.bytes.get(from..to).unwrap_or_default();
        let data = range(column.data, column.data + column.data_len);
        column.text.get_or_init(|| match column.ty {
            Ty::NChar => ColumnText::transcode(range(column.head, column.data), data),
            _ => ColumnText::check(data),
        })
    }

    /// The text of a VARCHAR, NCHAR or JSON cell; `None` for NULL, other types, and bytes that are
    /// not text.
    #[inline]
    pub(crate) fn text<'a>(&'a self, column: &'a Column, row: usize) -> Option<&'a str> {
        match column.ty {
            Ty::VarChar | Ty::Json => {
                let start = self.offset(column, row)?;
                if let ColumnText::Whole(text) = self.texts(column) {
                    let len = payload_len(text.as_bytes().get(start..)?, 2);
                    return text.get(start + 2..start + 2 + len);
                }
                std::str::from_utf8(self.payload(column, row)?).ok()
            }
            Ty::NChar => self.texts(column).get(row),
            _ => None,
        }
    }

    /// The text of an NCHAR cell that is not NULL, or `None` if its bytes are not UTF-32.
    pub(crate) fn nchar_text<'a>(&'a self, column: &'a Column, row: usize) -> Option<Cow<'a, str>> {
        match self.texts(column) {
            ColumnText::PerCell => self
                .payload(column, row)
                .and_then(decode_nchar)
                .map(Cow::Owned),
            text => text.get(row).map(Cow::Borrowed),
        }
    }

    /// A cell of a row below `rows`.
    pub(crate) fn value<'a>(&'a self, column: &'a Column, row: usize) -> BorrowedValue<'a> {
        if column.ty.is_var_type() {
            return self.var_value(column, row);
        }
        fixed_value!(BorrowedValue, self, column, row)
    }

    /// A cell of a row below `rows`, owned, put straight into its place behind `values`.
    #[inline]
    pub(crate) fn push_owned(&self, column: &Column, row: usize, values: &mut Vec<Value>) {
        match column.ty {
            Ty::VarChar => match self.text(column, row) {
                Some(text) => values.push(Value::VarChar(text.to_owned())),
                None => values.push(self.var_value(column, row).into_value()),
            },
            ty if ty.is_var_type() => values.push(self.var_value(column, row).into_value()),
            _ => values.push(fixed_value!(Value, self, column, row)),
        }
    }

    /// The cells of a row below `rows` from column `from` on, owned.
    pub(crate) fn owned_row(&self, row: usize, from: usize) -> Vec<Value> {
        let columns = self.columns.get(from..).unwrap_or_default();
        let mut values = Vec::with_capacity(columns.len());
        for column in columns {
            self.push_owned(column, row, &mut values);
        }
        values
    }

    /// A cell of a row below `rows`, in the general form but with its own text and bytes.
    #[inline]
    pub(crate) fn detached(&self, column: &Column, row: usize) -> BorrowedValue<'static> {
        if column.ty.is_var_type() {
            return self.var_value(column, row).into_static();
        }
        fixed_value!(BorrowedValue, self, column, row)
    }

    /// A decimal cell that is not NULL.
    pub(crate) fn decimal(&self, column: &Column, row: usize) -> Decimal {
        let unscaled = if column.ty == Ty::Decimal {
            i128::from_le_bytes(self.fixed(column, row))
        } else {
            i128::from(i64::from_le_bytes(self.fixed(column, row)))
        };
        Decimal::new(unscaled, column.precision, column.scale)
    }

    fn var_value<'a>(&'a self, column: &'a Column, row: usize) -> BorrowedValue<'a> {
        use BorrowedValue as V;
        let Some(payload) = self.payload(column, row) else {
            return V::Null(column.ty);
        };
        match column.ty {
            Ty::VarChar => match self.text(column, row) {
                Some(text) => V::VarChar(Cow::Borrowed(text)),
                None => V::VarBinary(Cow::Borrowed(payload)),
            },
            Ty::NChar => match self.nchar_text(column, row) {
                Some(text) => V::NChar(text),
                None => V::VarBinary(Cow::Borrowed(payload)),
            },
            Ty::Json => V::Json(Cow::Borrowed(payload)),
            Ty::Blob => V::Blob(Cow::Borrowed(payload)),
            Ty::MediumBlob => V::MediumBlob(Cow::Borrowed(payload)),
            Ty::Geometry => V::Geometry(Cow::Borrowed(payload)),
            _ => V::VarBinary(Cow::Borrowed(payload)),
        }
    }
}

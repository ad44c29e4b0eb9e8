//! Values that were bound, in the stored forms of the columns they go into: column by column, without
//! text in between.

use bytes::Bytes;
use rusqlite::types::Value;
use serde_json::Value as Json;
use taos_query::block::ColumnView;
use taos_query::common::{BorrowedValue, Precision, Ty};

use super::super::values::{
    Reading, fitting_bytes, fitting_text, integer_range, stored_float, stored_integer, too_long,
    unhex,
};
use super::super::{decimal, geometry, json, time};
use super::FieldKind;
use crate::plan::ColumnInfo;
use crate::sql::{SqlError, code};

/// A value of another type than its column.
const MISMATCH: &str = "column type mis-match with buffer type";
const BAD_GEOMETRY: u32 = 0x2803;

/// What bound values are read under.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rules {
    /// The unit of the table's times.
    pub(crate) precision: Precision,
    /// The zone of time texts without an offset.
    pub(crate) zone: Option<chrono_tz::Tz>,
    /// Nanoseconds since 1970.
    pub(crate) now: i64,
    /// Decimals come as text, as engines from 3.4 on take them (taosadapter-ws §9.3).
    pub(crate) decimal_text: bool,
}

impl Rules {
    /// The same for literals.
    const fn reading(&self) -> Reading<'static> {
        Reading {
            sql: "",
            times: &[],
            precision: self.precision,
            now: self.now,
            zone: self.zone,
        }
    }
}

/// The values of one placeholder as they came.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Source<'a> {
    /// Of the second generation.
    Packed(Packed<'a>),
    /// A column of a raw block.
    View(&'a ColumnView),
    /// Of the first generation's text form, and what they are for.
    Json(&'a [Json], FieldKind),
}

/// Values one behind the other, each known by its length (taosadapter-ws §9.3).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Packed<'a> {
    /// The type that the client names; `None` if there is none of that number.
    pub(crate) ty: Option<Ty>,
    /// A byte a row, not 0 for NULL.
    pub(crate) nulls: &'a Bytes,
    /// The length of each value; `None` for fixed widths.
    pub(crate) lengths: Option<&'a [i32]>,
    /// The values.
    pub(crate) data: &'a Bytes,
}

fn mismatch() -> SqlError {
    SqlError::new(code::INVALID_OPERATION, MISMATCH)
}

fn bad_text(column: &ColumnInfo) -> SqlError {
    SqlError::insert_syntax(&column.name, "the bytes of the text are not UTF-8")
}

impl Source<'_> {
    /// How many values there are.
    pub(crate) fn rows(&self) -> usize {
        match self {
            Self::Packed(packed) => packed.nulls.len(),
            Self::View(view) => view.len(),
            Self::Json(values, _) => values.len(),
        }
    }

    /// Bytes of the texts among the values, about.
    pub(crate) fn text_bytes(&self) -> usize {
        match self {
            Self::Packed(packed) => packed.lengths.map_or(0, |_| packed.data.len()),
            Self::View(view) => match view {
                ColumnView::VarChar(v) | ColumnView::NChar(v) | ColumnView::Json(v) => {
                    v.lengths().into_iter().flatten().sum()
                }
                ColumnView::VarBinary(v) | ColumnView::Geometry(v) => {
                    v.lengths().into_iter().flatten().sum()
                }
                _ => 0,
            },
            Self::Json(values, _) => values.iter().map(|v| v.as_str().map_or(0, str::len)).sum(),
        }
    }

    /// Puts the stored forms into `cells`, which are NULL.
    ///
    /// # Errors
    /// 0x0200 for a value of another type, 0x2653 for what is too long, 0x0216 for what is no value of
    /// the type.
    pub(crate) fn store<'c>(
        &self,
        column: &ColumnInfo,
        rules: &Rules,
        cells: impl Iterator<Item = &'c mut Value>,
    ) -> Result<(), SqlError> {
        match self {
            Self::Packed(packed) => packed.store(column, rules, cells),
            Self::View(view) => store_view(view, column, rules, cells),
            Self::Json(values, kind) => {
                for (cell, value) in cells.zip(*values) {
                    *cell = of_json(value, column, *kind, rules)?;
                }
                Ok(())
            }
        }
    }

    /// The stored form of the only value.
    pub(crate) fn one(&self, column: &ColumnInfo, rules: &Rules) -> Result<Value, SqlError> {
        let mut value = Value::Null;
        self.store(column, rules, std::iter::once(&mut value))?;
        Ok(value)
    }
}

impl Packed<'_> {
    fn store<'c>(
        self,
        column: &ColumnInfo,
        rules: &Rules,
        cells: impl Iterator<Item = &'c mut Value>,
    ) -> Result<(), SqlError> {
        if self.ty != Some(column.ty) {
            return Err(mismatch());
        }
        let integer = |value: i64| Ok(Value::Integer(value));
        match column.ty {
            Ty::Bool => self.fixed(cells, |[b]| integer((b != 0).into())),
            Ty::TinyInt => self.fixed(cells, |b| integer(i8::from_le_bytes(b).into())),
            Ty::SmallInt => self.fixed(cells, |b| integer(i16::from_le_bytes(b).into())),
            Ty::Int => self.fixed(cells, |b| integer(i32::from_le_bytes(b).into())),
            Ty::BigInt | Ty::Timestamp => self.fixed(cells, |b| integer(i64::from_le_bytes(b))),
            Ty::UTinyInt => self.fixed(cells, |[b]| integer(b.into())),
            Ty::USmallInt => self.fixed(cells, |b| integer(u16::from_le_bytes(b).into())),
            Ty::UInt => self.fixed(cells, |b| integer(u32::from_le_bytes(b).into())),
            Ty::UBigInt => self.fixed(cells, |b| Ok(whole(u64::from_le_bytes(b), column))),
            Ty::Float => self.fixed(cells, |b| float(f32::from_le_bytes(b).into(), column)),
            Ty::Double => self.fixed(cells, |b| float(f64::from_le_bytes(b), column)),
            Ty::Decimal | Ty::Decimal64 if rules.decimal_text => {
                self.variable(cells, |bytes| decimal_of_text(bytes, column))
            }
            Ty::Decimal64 => self.fixed(cells, |b| digits(i64::from_le_bytes(b).into(), column)),
            Ty::Decimal if self.is_numeric_text() => Err(mismatch()),
            Ty::Decimal => self.fixed(cells, |b| digits(i128::from_le_bytes(b), column)),
            Ty::VarChar | Ty::NChar => self.variable(cells, |bytes| {
                let text = std::str::from_utf8(bytes).map_err(|_| bad_text(column))?;
                fitting_text(text.to_owned(), column)
            }),
            Ty::Json => self.variable(cells, |bytes| {
                let text = std::str::from_utf8(bytes).map_err(|_| bad_text(column))?;
                json_tag(text, column)
            }),
            Ty::VarBinary | Ty::Blob | Ty::MediumBlob => {
                self.variable(cells, |bytes| fitting_bytes(bytes.to_vec(), column))
            }
            Ty::Geometry => self.variable(cells, |bytes| shape(bytes, column)),
            _ => Err(mismatch()),
        }
    }

    /// True for decimals in the form of later releases. The original would store it as garbage; here all
    /// of it but 16 bytes a value is refused for its width or range alone.
    fn is_numeric_text(self) -> bool {
        let text = |byte: &u8| byte.is_ascii_digit() || b"+-.eE ".contains(byte);
        self.lengths.is_some() && !self.data.is_empty() && self.data.iter().all(text)
    }

    fn fixed<'c, const N: usize>(
        self,
        cells: impl Iterator<Item = &'c mut Value>,
        read: impl Fn([u8; N]) -> Result<Value, SqlError>,
    ) -> Result<(), SqlError> {
        if self.data.is_empty() && self.nulls.iter().all(|null| *null != 0) {
            return Ok(());
        }
        let (values, rest) = self.data.as_chunks::<N>();
        if !rest.is_empty() || values.len() != self.nulls.len() {
            return Err(mismatch());
        }
        for ((cell, null), value) in cells.zip(self.nulls).zip(values) {
            if *null == 0 {
                *cell = read(*value)?;
            }
        }
        Ok(())
    }

    fn variable<'c>(
        self,
        cells: impl Iterator<Item = &'c mut Value>,
        read: impl Fn(&[u8]) -> Result<Value, SqlError>,
    ) -> Result<(), SqlError> {
        let mut rest = self.data.as_ref();
        for (row, (cell, null)) in cells.zip(self.nulls).enumerate() {
            // a NULL takes no room
            if *null != 0 {
                continue;
            }
            let length = self.lengths.and_then(|lengths| lengths.get(row));
            let (value, behind) = length
                .and_then(|length| usize::try_from(*length).ok())
                .and_then(|length| rest.split_at_checked(length))
                .ok_or_else(mismatch)?;
            *cell = read(value)?;
            rest = behind;
        }
        Ok(())
    }
}

fn whole(value: impl Into<i128>, column: &ColumnInfo) -> Value {
    stored_integer(value.into(), column.ty)
}

fn float(value: f64, column: &ColumnInfo) -> Result<Value, SqlError> {
    stored_float(value, column.ty).ok_or_else(|| {
        let name = if column.ty == Ty::Float {
            "float"
        } else {
            "double"
        };
        SqlError::insert_syntax(&value.to_string(), &format!("illegal {name} data"))
    })
}

fn digits(unscaled: i128, column: &ColumnInfo) -> Result<Value, SqlError> {
    if unscaled.unsigned_abs() >= 10_u128.pow(u32::from(column.precision)) {
        return Err(decimal::overflow());
    }
    Ok(decimal::stored(unscaled, column))
}

fn decimal_of_text(text: &[u8], column: &ColumnInfo) -> Result<Value, SqlError> {
    let text = std::str::from_utf8(text).map_err(|_| bad_text(column))?;
    match decimal::parse(text.trim(), column.precision, column.scale) {
        Ok(unscaled) => Ok(decimal::stored(unscaled, column)),
        Err(decimal::Bad::Overflow) => Err(decimal::overflow()),
        Err(decimal::Bad::Number) => Err(SqlError::insert_syntax(text, "invalid decimal data")),
    }
}

fn json_tag(text: &str, column: &ColumnInfo) -> Result<Value, SqlError> {
    if u32::try_from(text.len()).is_ok_and(|n| n > column.length) {
        return Err(too_long(&column.name));
    }
    match json::canonical(text) {
        Ok(Some(json)) => Ok(Value::Text(json)),
        Ok(None) => Ok(Value::Null),
        Err(refused) => Err(SqlError::insert_syntax(
            refused.near.as_deref().unwrap_or(text),
            refused.reason,
        )),
    }
}

/// A geometry, which must be one that the server can show again.
fn shape(bytes: &[u8], column: &ColumnInfo) -> Result<Value, SqlError> {
    if geometry::to_text(bytes).is_none() {
        let message = format!("Invalid function para value: column {}", column.name);
        return Err(SqlError::new(BAD_GEOMETRY, message));
    }
    fitting_bytes(bytes.to_vec(), column)
}

fn store_view<'c>(
    view: &ColumnView,
    column: &ColumnInfo,
    rules: &Rules,
    cells: impl Iterator<Item = &'c mut Value>,
) -> Result<(), SqlError> {
    let text = match view {
        ColumnView::VarChar(view) | ColumnView::NChar(view) | ColumnView::Json(view) => Some(view),
        _ => None,
    };
    for (row, cell) in cells.enumerate() {
        if view.is_null(row) {
            continue;
        }
        *cell = match text {
            Some(view) if column.ty == Ty::VarBinary => {
                fitting_bytes(view.get_bytes(row).unwrap_or_default().to_vec(), column)?
            }
            Some(view) => {
                let text = view.get(row).ok_or_else(|| bad_text(column))?;
                match column.ty {
                    Ty::VarChar | Ty::NChar => fitting_text(text.into_owned(), column)?,
                    Ty::Json => json_tag(&text, column)?,
                    _ => return Err(mismatch()),
                }
            }
            None => {
                let value = view.get(row).ok_or_else(mismatch)?;
                of_value(&value, column, rules)?
            }
        };
    }
    Ok(())
}

/// What a block holds goes into a column of its type; times and whole numbers of 64 bits are one on
/// the wire.
fn of_value(
    value: &BorrowedValue<'_>,
    column: &ColumnInfo,
    rules: &Rules,
) -> Result<Value, SqlError> {
    Ok(match (column.ty, value) {
        (_, BorrowedValue::Null(_)) => Value::Null,
        (Ty::Bool, BorrowedValue::Bool(v)) => Value::Integer((*v).into()),
        (Ty::TinyInt, BorrowedValue::TinyInt(v)) => Value::Integer((*v).into()),
        (Ty::SmallInt, BorrowedValue::SmallInt(v)) => Value::Integer((*v).into()),
        (Ty::Int, BorrowedValue::Int(v)) => Value::Integer((*v).into()),
        (Ty::BigInt | Ty::Timestamp, BorrowedValue::BigInt(v)) => Value::Integer(*v),
        (Ty::BigInt, BorrowedValue::Timestamp(v)) => Value::Integer(v.as_raw_i64()),
        (Ty::Timestamp, BorrowedValue::Timestamp(v)) => {
            debug_assert_eq!(
                v.precision(),
                rules.precision,
                "blocks are read in the table's unit"
            );
            Value::Integer(v.as_raw_i64())
        }
        (Ty::UTinyInt, BorrowedValue::UTinyInt(v)) => Value::Integer((*v).into()),
        (Ty::USmallInt, BorrowedValue::USmallInt(v)) => Value::Integer((*v).into()),
        (Ty::UInt, BorrowedValue::UInt(v)) => Value::Integer((*v).into()),
        (Ty::UBigInt, BorrowedValue::UBigInt(v)) => whole(*v, column),
        (Ty::Float, BorrowedValue::Float(v)) => float((*v).into(), column)?,
        (Ty::Double, BorrowedValue::Double(v)) => float(*v, column)?,
        (Ty::Decimal, BorrowedValue::Decimal(v)) | (Ty::Decimal64, BorrowedValue::Decimal64(v)) => {
            if v.scale() != column.scale {
                return Err(mismatch());
            }
            digits(v.unscaled(), column)?
        }
        (Ty::VarBinary, BorrowedValue::VarBinary(v))
        | (Ty::Blob, BorrowedValue::Blob(v))
        | (Ty::MediumBlob, BorrowedValue::MediumBlob(v)) => fitting_bytes(v.to_vec(), column)?,
        (Ty::Geometry, BorrowedValue::Geometry(v) | BorrowedValue::VarBinary(v)) => {
            shape(v, column)?
        }
        _ => return Err(mismatch()),
    })
}

/// A value of the text form (taosadapter-ws §8): times as numbers or RFC 3339 text, bytes in
/// hexadecimal digits.
fn of_json(
    value: &Json,
    column: &ColumnInfo,
    kind: FieldKind,
    rules: &Rules,
) -> Result<Value, SqlError> {
    let what = if kind == FieldKind::Tag {
        "tag"
    } else {
        "column"
    };
    let bad = || {
        let message = format!(
            "stmt parse {what} json:{value} is no {} for {}",
            column.ty.name(),
            column.name
        );
        SqlError::new(crate::store::INTERNAL, message)
    };
    let text = || value.as_str().ok_or_else(bad);
    let bytes = || text().and_then(|hex| unhex(hex).ok_or_else(bad));
    match column.ty {
        _ if value.is_null() => Ok(Value::Null),
        Ty::Bool => value
            .as_bool()
            .map(|v| Value::Integer(v.into()))
            .ok_or_else(bad),
        Ty::Float | Ty::Double => value
            .as_f64()
            .and_then(|v| stored_float(v, column.ty))
            .ok_or_else(bad),
        Ty::VarChar | Ty::NChar => fitting_text(text()?.to_owned(), column),
        Ty::Json => json_tag(text()?, column),
        Ty::VarBinary => fitting_bytes(bytes()?, column),
        Ty::Geometry => shape(&bytes()?, column),
        Ty::Timestamp => match value {
            Json::String(text) => time::from_text(text, rules.reading())?,
            other => other.as_i64(),
        }
        .map(Value::Integer)
        .ok_or_else(bad),
        Ty::UBigInt => value.as_u64().map(|v| whole(v, column)).ok_or_else(bad),
        Ty::TinyInt
        | Ty::SmallInt
        | Ty::Int
        | Ty::BigInt
        | Ty::UTinyInt
        | Ty::USmallInt
        | Ty::UInt => {
            let (_, low, high) = integer_range(column.ty);
            value
                .as_i64()
                .filter(|v| (low..=high).contains(&i128::from(*v)))
                .map(Value::Integer)
                .ok_or_else(bad)
        }
        _ => Err(bad()),
    }
}

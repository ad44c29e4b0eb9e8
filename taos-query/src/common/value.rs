use std::borrow::Cow;
use std::fmt;
use std::str::Utf8Error;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{BorrowedValue, Decimal, Timestamp, Ty};

/// One cell that owns its data.
// The variants stand in the order of the type ids; deserialization relies on it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names are those of the types")]
pub enum Value {
    Null(Ty),
    Bool(bool),
    TinyInt(i8),
    SmallInt(i16),
    Int(i32),
    BigInt(i64),
    Float(f32),
    Double(f64),
    VarChar(String),
    Timestamp(Timestamp),
    NChar(String),
    UTinyInt(u8),
    USmallInt(u16),
    UInt(u32),
    UBigInt(u64),
    Json(serde_json::Value),
    VarBinary(Bytes),
    Decimal(Decimal),
    Blob(Bytes),
    MediumBlob(Bytes),
    Geometry(Bytes),
    Decimal64(Decimal),
}

impl Value {
    /// The type of the cell.
    pub const fn ty(&self) -> Ty {
        match self {
            Self::Null(ty) => *ty,
            Self::Bool(_) => Ty::Bool,
            Self::TinyInt(_) => Ty::TinyInt,
            Self::SmallInt(_) => Ty::SmallInt,
            Self::Int(_) => Ty::Int,
            Self::BigInt(_) => Ty::BigInt,
            Self::Float(_) => Ty::Float,
            Self::Double(_) => Ty::Double,
            Self::VarChar(_) => Ty::VarChar,
            Self::Timestamp(_) => Ty::Timestamp,
            Self::NChar(_) => Ty::NChar,
            Self::UTinyInt(_) => Ty::UTinyInt,
            Self::USmallInt(_) => Ty::USmallInt,
            Self::UInt(_) => Ty::UInt,
            Self::UBigInt(_) => Ty::UBigInt,
            Self::Json(_) => Ty::Json,
            Self::VarBinary(_) => Ty::VarBinary,
            Self::Decimal(_) => Ty::Decimal,
            Self::Decimal64(_) => Ty::Decimal64,
            Self::Blob(_) => Ty::Blob,
            Self::MediumBlob(_) => Ty::MediumBlob,
            Self::Geometry(_) => Ty::Geometry,
        }
    }

    /// True for NULL.
    pub const fn is_null(&self) -> bool {
        matches!(self, Self::Null(_))
    }

    /// The same value without copying text and bytes (JSON is written out).
    pub fn to_borrowed_value(&self) -> BorrowedValue<'_> {
        match self {
            Self::Null(ty) => BorrowedValue::Null(*ty),
            Self::Bool(v) => BorrowedValue::Bool(*v),
            Self::TinyInt(v) => BorrowedValue::TinyInt(*v),
            Self::SmallInt(v) => BorrowedValue::SmallInt(*v),
            Self::Int(v) => BorrowedValue::Int(*v),
            Self::BigInt(v) => BorrowedValue::BigInt(*v),
            Self::Float(v) => BorrowedValue::Float(*v),
            Self::Double(v) => BorrowedValue::Double(*v),
            Self::VarChar(v) => BorrowedValue::VarChar(Cow::Borrowed(v)),
            Self::Timestamp(v) => BorrowedValue::Timestamp(*v),
            Self::NChar(v) => BorrowedValue::NChar(Cow::Borrowed(v)),
            Self::UTinyInt(v) => BorrowedValue::UTinyInt(*v),
            Self::USmallInt(v) => BorrowedValue::USmallInt(*v),
            Self::UInt(v) => BorrowedValue::UInt(*v),
            Self::UBigInt(v) => BorrowedValue::UBigInt(*v),
            Self::Json(v) => BorrowedValue::Json(Cow::Owned(v.to_string().into_bytes())),
            Self::VarBinary(v) => BorrowedValue::VarBinary(Cow::Borrowed(v)),
            Self::Decimal(v) => BorrowedValue::Decimal(*v),
            Self::Decimal64(v) => BorrowedValue::Decimal64(*v),
            Self::Blob(v) => BorrowedValue::Blob(Cow::Borrowed(v)),
            Self::MediumBlob(v) => BorrowedValue::MediumBlob(Cow::Borrowed(v)),
            Self::Geometry(v) => BorrowedValue::Geometry(Cow::Borrowed(v)),
        }
    }

    /// The text of a VARCHAR or NCHAR value, `None` for every other.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::VarChar(v) | Self::NChar(v) => Some(v),
            _ => None,
        }
    }

    /// The text of a VARCHAR or NCHAR value, an empty one for every other.
    pub fn strict_as_str(&self) -> &str {
        self.as_str().unwrap_or_default()
    }

    /// The value as plain text: `""` for NULL, RFC 3339 in the machine's zone for timestamps.
    ///
    /// # Errors
    /// Binary data that is not UTF-8.
    #[allow(
        clippy::inherent_to_string_shadow_display,
        reason = "the established API has this name and result"
    )]
    pub fn to_string(&self) -> Result<String, Utf8Error> {
        self.to_borrowed_value().to_string()
    }

    /// The value as an SQL literal; timestamps as ticks.
    pub fn to_sql_value(&self) -> String {
        self.to_borrowed_value().to_sql_value()
    }

    /// The value as an SQL literal; timestamps as quoted RFC 3339 in UTC.
    pub fn to_sql_value_with_rfc3339(&self) -> String {
        self.to_borrowed_value().to_sql_value_with_rfc3339()
    }

    /// The value as JSON: timestamps as ticks, decimals as text, bytes as hexadecimal text.
    pub fn to_json_value(&self) -> serde_json::Value {
        match self {
            Self::Json(v) => v.clone(),
            other => other.to_borrowed_value().to_json_value(),
        }
    }
}

impl Default for Value {
    fn default() -> Self {
        Self::Null(Ty::Null)
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.to_borrowed_value(), f)
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Json(a), Self::Json(b)) => a == b,
            _ => self.to_borrowed_value() == other.to_borrowed_value(),
        }
    }
}

impl PartialEq<BorrowedValue<'_>> for Value {
    fn eq(&self, other: &BorrowedValue<'_>) -> bool {
        self.to_borrowed_value() == *other
    }
}

impl PartialEq<&BorrowedValue<'_>> for Value {
    fn eq(&self, other: &&BorrowedValue<'_>) -> bool {
        self == *other
    }
}

macro_rules! from_plain {
    ($($ty:ty => $variant:ident,)*) => {$(
        impl From<$ty> for Value {
            fn from(value: $ty) -> Self {
                Self::$variant(value)
            }
        }
    )*};
}
from_plain! {
    bool => Bool, i8 => TinyInt, i16 => SmallInt, i32 => Int, i64 => BigInt,
    u8 => UTinyInt, u16 => USmallInt, u32 => UInt, u64 => UBigInt, f32 => Float, f64 => Double,
    String => VarChar, Timestamp => Timestamp, serde_json::Value => Json, Decimal => Decimal,
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::VarChar(value.to_owned())
    }
}

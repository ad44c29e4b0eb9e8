use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;

use super::value_text::{hex, write_sql};
use super::{Decimal, Timestamp, Ty, Value};

/// One cell that borrows text and bytes where it can.
///
/// A VARCHAR cell whose bytes are not UTF-8 appears as [`BorrowedValue::VarBinary`].
#[derive(Debug, Clone)]
#[allow(missing_docs, reason = "the names are those of the types")]
pub enum BorrowedValue<'b> {
    Null(Ty),
    Bool(bool),
    TinyInt(i8),
    SmallInt(i16),
    Int(i32),
    BigInt(i64),
    Float(f32),
    Double(f64),
    VarChar(Cow<'b, str>),
    Timestamp(Timestamp),
    NChar(Cow<'b, str>),
    UTinyInt(u8),
    USmallInt(u16),
    UInt(u32),
    UBigInt(u64),
    Json(Cow<'b, [u8]>),
    VarBinary(Cow<'b, [u8]>),
    Decimal(Decimal),
    Decimal64(Decimal),
    Blob(Cow<'b, [u8]>),
    MediumBlob(Cow<'b, [u8]>),
    Geometry(Cow<'b, [u8]>),
}

fn owned(bytes: Cow<'_, [u8]>) -> Bytes {
    Bytes::from(bytes.into_owned())
}

/// JSON text as a value; text that is not JSON stays text.
pub(crate) fn json(text: &[u8]) -> serde_json::Value {
    serde_json::from_slice(text)
        .unwrap_or_else(|_| serde_json::Value::String(String::from_utf8_lossy(text).into_owned()))
}

impl<'b> BorrowedValue<'b> {
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

    /// The text of a VARCHAR or NCHAR value, `None` for every other.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::VarChar(v) | Self::NChar(v) => Some(v),
            _ => None,
        }
    }

    /// The same value with its own copy of text and bytes.
    pub fn into_static(self) -> BorrowedValue<'static> {
        match self {
            Self::Null(v) => BorrowedValue::Null(v),
            Self::Bool(v) => BorrowedValue::Bool(v),
            Self::TinyInt(v) => BorrowedValue::TinyInt(v),
            Self::SmallInt(v) => BorrowedValue::SmallInt(v),
            Self::Int(v) => BorrowedValue::Int(v),
            Self::BigInt(v) => BorrowedValue::BigInt(v),
            Self::Float(v) => BorrowedValue::Float(v),
            Self::Double(v) => BorrowedValue::Double(v),
            Self::VarChar(v) => BorrowedValue::VarChar(Cow::Owned(v.into_owned())),
            Self::Timestamp(v) => BorrowedValue::Timestamp(v),
            Self::NChar(v) => BorrowedValue::NChar(Cow::Owned(v.into_owned())),
            Self::UTinyInt(v) => BorrowedValue::UTinyInt(v),
            Self::USmallInt(v) => BorrowedValue::USmallInt(v),
            Self::UInt(v) => BorrowedValue::UInt(v),
            Self::UBigInt(v) => BorrowedValue::UBigInt(v),
            Self::Json(v) => BorrowedValue::Json(Cow::Owned(v.into_owned())),
            Self::VarBinary(v) => BorrowedValue::VarBinary(Cow::Owned(v.into_owned())),
            Self::Decimal(v) => BorrowedValue::Decimal(v),
            Self::Decimal64(v) => BorrowedValue::Decimal64(v),
            Self::Blob(v) => BorrowedValue::Blob(Cow::Owned(v.into_owned())),
            Self::MediumBlob(v) => BorrowedValue::MediumBlob(Cow::Owned(v.into_owned())),
            Self::Geometry(v) => BorrowedValue::Geometry(Cow::Owned(v.into_owned())),
        }
    }

    /// An owned copy.
    pub fn to_value(&self) -> Value {
        self.clone().into_value()
    }

    /// The owned form, without a copy of what is owned already.
    pub fn into_value(self) -> Value {
        match self {
            Self::Null(v) => Value::Null(v),
            Self::Bool(v) => Value::Bool(v),
            Self::TinyInt(v) => Value::TinyInt(v),
            Self::SmallInt(v) => Value::SmallInt(v),
            Self::Int(v) => Value::Int(v),
            Self::BigInt(v) => Value::BigInt(v),
            Self::Float(v) => Value::Float(v),
            Self::Double(v) => Value::Double(v),
            Self::VarChar(v) => Value::VarChar(v.into_owned()),
            Self::Timestamp(v) => Value::Timestamp(v),
            Self::NChar(v) => Value::NChar(v.into_owned()),
            Self::UTinyInt(v) => Value::UTinyInt(v),
            Self::USmallInt(v) => Value::USmallInt(v),
            Self::UInt(v) => Value::UInt(v),
            Self::UBigInt(v) => Value::UBigInt(v),
            Self::Json(v) => Value::Json(json(&v)),
            Self::VarBinary(v) => Value::VarBinary(owned(v)),
            Self::Decimal(v) => Value::Decimal(v),
            Self::Decimal64(v) => Value::Decimal64(v),
            Self::Blob(v) => Value::Blob(owned(v)),
            Self::MediumBlob(v) => Value::MediumBlob(owned(v)),
            Self::Geometry(v) => Value::Geometry(owned(v)),
        }
    }

    /// The value as plain text: `""` for NULL, RFC 3339 in the machine's zone for timestamps.
    ///
    /// # Errors
    /// Binary data that is not UTF-8.
    #[allow(
        clippy::inherent_to_string_shadow_display,
        reason = "the established API has this name and result"
    )]
    pub fn to_string(&self) -> Result<String, std::str::Utf8Error> {
        Ok(match self {
            Self::Null(_) => String::new(),
            Self::VarChar(v) | Self::NChar(v) => v.clone().into_owned(),
            Self::Json(v)
            | Self::VarBinary(v)
            | Self::Geometry(v)
            | Self::Blob(v)
            | Self::MediumBlob(v) => std::str::from_utf8(v)?.to_owned(),
            other => format!("{other}"),
        })
    }

    /// The value as an SQL literal; timestamps as ticks.
    pub fn to_sql_value(&self) -> String {
        write_sql(self, false)
    }

    /// The value as an SQL literal; timestamps as quoted RFC 3339 in UTC.
    pub fn to_sql_value_with_rfc3339(&self) -> String {
        write_sql(self, true)
    }

    /// The value as JSON: timestamps as ticks, decimals as text, bytes as hexadecimal text.
    pub fn to_json_value(&self) -> serde_json::Value {
        use serde_json::Value as Json;
        match self {
            Self::Null(_) => Json::Null,
            Self::Bool(v) => (*v).into(),
            Self::TinyInt(v) => (*v).into(),
            Self::SmallInt(v) => (*v).into(),
            Self::Int(v) => (*v).into(),
            Self::BigInt(v) => (*v).into(),
            Self::Float(v) => (*v).into(),
            Self::Double(v) => (*v).into(),
            Self::VarChar(v) | Self::NChar(v) => v.as_ref().into(),
            Self::Timestamp(v) => v.as_raw_i64().into(),
            Self::UTinyInt(v) => (*v).into(),
            Self::USmallInt(v) => (*v).into(),
            Self::UInt(v) => (*v).into(),
            Self::UBigInt(v) => (*v).into(),
            Self::Json(v) => json(v),
            Self::VarBinary(v) | Self::Geometry(v) | Self::Blob(v) | Self::MediumBlob(v) => {
                hex(v).into()
            }
            Self::Decimal(v) | Self::Decimal64(v) => format!("{v}").into(),
        }
    }
}

impl fmt::Display for BorrowedValue<'_> {
    /// As the server's shell shows it: `NULL`, text as it is, bytes in hexadecimal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null(_) => f.pad("NULL"),
            Self::Bool(v) => fmt::Display::fmt(v, f),
            Self::TinyInt(v) => fmt::Display::fmt(v, f),
            Self::SmallInt(v) => fmt::Display::fmt(v, f),
            Self::Int(v) => fmt::Display::fmt(v, f),
            Self::BigInt(v) => fmt::Display::fmt(v, f),
            Self::Float(v) => fmt::Display::fmt(v, f),
            Self::Double(v) => fmt::Display::fmt(v, f),
            Self::VarChar(v) | Self::NChar(v) => f.pad(v),
            Self::Timestamp(v) => fmt::Display::fmt(v, f),
            Self::UTinyInt(v) => fmt::Display::fmt(v, f),
            Self::USmallInt(v) => fmt::Display::fmt(v, f),
            Self::UInt(v) => fmt::Display::fmt(v, f),
            Self::UBigInt(v) => fmt::Display::fmt(v, f),
            Self::Json(v) => f.pad(&String::from_utf8_lossy(v)),
            Self::VarBinary(v) | Self::Geometry(v) | Self::Blob(v) | Self::MediumBlob(v) => {
                f.pad(&hex(v))
            }
            Self::Decimal(v) | Self::Decimal64(v) => fmt::Display::fmt(v, f),
        }
    }
}

impl PartialEq for BorrowedValue<'_> {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null(a), Self::Null(b)) => a == b,
            (Self::Bool(a), Self::Bool(b)) => a == b,
            (Self::TinyInt(a), Self::TinyInt(b)) => a == b,
            (Self::SmallInt(a), Self::SmallInt(b)) => a == b,
            (Self::Int(a), Self::Int(b)) => a == b,
            (Self::BigInt(a), Self::BigInt(b)) => a == b,
            (Self::Float(a), Self::Float(b)) => a == b,
            (Self::Double(a), Self::Double(b)) => a == b,
            (Self::VarChar(a), Self::VarChar(b)) | (Self::NChar(a), Self::NChar(b)) => a == b,
            (Self::Timestamp(a), Self::Timestamp(b)) => a == b,
            (Self::UTinyInt(a), Self::UTinyInt(b)) => a == b,
            (Self::USmallInt(a), Self::USmallInt(b)) => a == b,
            (Self::UInt(a), Self::UInt(b)) => a == b,
            (Self::UBigInt(a), Self::UBigInt(b)) => a == b,
            (Self::Json(a), Self::Json(b)) => a == b || json(a) == json(b),
            (Self::VarBinary(a), Self::VarBinary(b))
            | (Self::Geometry(a), Self::Geometry(b))
            | (Self::Blob(a), Self::Blob(b))
            | (Self::MediumBlob(a), Self::MediumBlob(b)) => a == b,
            (Self::Decimal(a), Self::Decimal(b)) | (Self::Decimal64(a), Self::Decimal64(b)) => {
                a == b
            }
            _ => false,
        }
    }
}

impl PartialEq<Value> for BorrowedValue<'_> {
    fn eq(&self, other: &Value) -> bool {
        other == self
    }
}

impl PartialEq<&Value> for BorrowedValue<'_> {
    fn eq(&self, other: &&Value) -> bool {
        *other == self
    }
}

impl<'b> From<&'b Value> for BorrowedValue<'b> {
    fn from(value: &'b Value) -> Self {
        value.to_borrowed_value()
    }
}

impl From<BorrowedValue<'_>> for Value {
    fn from(value: BorrowedValue<'_>) -> Self {
        value.into_value()
    }
}

impl serde::Serialize for BorrowedValue<'_> {
    /// The same form as [`Value`].
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_value().serialize(serializer)
    }
}

impl<'de> serde::Deserialize<'de> for BorrowedValue<'_> {
    /// The same form as [`Value`]; the text is copied.
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Value::deserialize(deserializer).map(|value| value.to_borrowed_value().into_static())
    }
}

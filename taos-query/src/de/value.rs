//! Single values as serde deserializers: the rules of every type, once.

use std::borrow::Cow;

use chrono_tz::Tz;
use serde::de::value::{SeqDeserializer, StrDeserializer, U8Deserializer};
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error as _, IntoDeserializer, Unexpected,
    VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;

use super::time::{self, Form};
use crate::common::{BorrowedValue, Decimal, Timestamp, Value};
use crate::{ErrorKind, RawError, RawResult};

/// A value and the zone in which its time becomes text.
pub(super) struct TypedValue<'de> {
    pub(super) value: BorrowedValue<'de>,
    pub(super) timezone: Option<Tz>,
}

/// NULL where something else is wanted.
#[cold]
pub(super) fn null<'de, V: Visitor<'de>>(visitor: &V) -> RawError {
    RawError::invalid_type(Unexpected::Other("NULL"), visitor)
}

/// Hands JSON text over to the JSON parser.
pub(super) fn json<'de, V: Visitor<'de>>(text: &Cow<'de, [u8]>, visitor: V) -> RawResult<V::Value> {
    let result = match text {
        Cow::Borrowed(text) => serde_json::Deserializer::from_slice(text).deserialize_any(visitor),
        // The parser may lend only what outlives it, so owned text goes through a value tree.
        Cow::Owned(text) => serde_json::from_slice::<serde_json::Value>(text)
            .and_then(|value| value.deserialize_any(visitor)),
    };
    result.map_err(|error| RawError::of(ErrorKind::Decode, format!("JSON value: {error}")))
}

fn visit_text<'de, V: Visitor<'de>>(text: Cow<'de, str>, visitor: V) -> RawResult<V::Value> {
    match text {
        Cow::Borrowed(text) => visitor.visit_borrowed_str(text),
        Cow::Owned(text) => visitor.visit_string(text),
    }
}

fn visit_bytes<'de, V: Visitor<'de>>(bytes: Cow<'de, [u8]>, visitor: V) -> RawResult<V::Value> {
    match bytes {
        Cow::Borrowed(bytes) => visitor.visit_borrowed_bytes(bytes),
        Cow::Owned(bytes) => visitor.visit_byte_buf(bytes),
    }
}

fn utf8(bytes: Cow<'_, [u8]>) -> RawResult<Cow<'_, str>> {
    let wrong = || RawError::custom("the bytes are not UTF-8 text");
    match bytes {
        Cow::Borrowed(bytes) => std::str::from_utf8(bytes)
            .map(Cow::Borrowed)
            .map_err(|_| wrong()),
        Cow::Owned(bytes) => String::from_utf8(bytes)
            .map(Cow::Owned)
            .map_err(|_| wrong()),
    }
}

/// An integer of the smallest kind that every visitor of integers understands.
fn visit_integer<'de, V: Visitor<'de>>(value: i128, visitor: V) -> RawResult<V::Value> {
    if let Ok(value) = i64::try_from(value) {
        visitor.visit_i64(value)
    } else if let Ok(value) = u64::try_from(value) {
        visitor.visit_u64(value)
    } else {
        visitor.visit_i128(value)
    }
}

impl<'de> TypedValue<'de> {
    /// Numbers and booleans as they are; `decimal` says what becomes of decimals.
    fn number<V: Visitor<'de>>(
        self,
        visitor: V,
        decimal: impl FnOnce(Decimal, V) -> RawResult<V::Value>,
    ) -> RawResult<V::Value> {
        match self.value {
            BorrowedValue::Null(_) => Err(null(&visitor)),
            BorrowedValue::Timestamp(v) => visitor.visit_i64(v.as_raw_i64()),
            BorrowedValue::Decimal(v) | BorrowedValue::Decimal64(v) => decimal(v, visitor),
            _ => self.deserialize_any(visitor),
        }
    }

    fn integer<V: Visitor<'de>>(self, visitor: V) -> RawResult<V::Value> {
        self.number(visitor, |v, visitor| match v.to_i128() {
            Some(value) => visit_integer(value, visitor),
            None => Err(RawError::invalid_value(
                Unexpected::Other(&format!("decimal {v}")),
                &visitor,
            )),
        })
    }

    fn float<V: Visitor<'de>>(self, visitor: V) -> RawResult<V::Value> {
        self.number(visitor, |v, visitor| visitor.visit_f64(v.to_f64()))
    }
}

macro_rules! integers {
    ($($name:ident)*) => {$(
        fn $name<V: Visitor<'de>>(self, visitor: V) -> RawResult<V::Value> {
            self.integer(visitor)
        }
    )*};
}

impl<'de> Deserializer<'de> for TypedValue<'de> {
    type Error = RawError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> RawResult<V::Value> {
        match self.value {
            BorrowedValue::Null(_) => visitor.visit_unit(),
            BorrowedValue::Bool(v) => visitor.visit_bool(v),
            BorrowedValue::TinyInt(v) => visitor.visit_i8(v),
            BorrowedValue::SmallInt(v) => visitor.visit_i16(v),
            BorrowedValue::Int(v) => visitor.visit_i32(v),
            BorrowedValue::BigInt(v) => visitor.visit_i64(v),
            BorrowedValue::Float(v) => visitor.visit_f32(v),
            BorrowedValue::Double(v) => visitor.visit_f64(v),
            BorrowedValue::VarChar(v) | BorrowedValue::NChar(v) => visit_text(v, visitor),
            BorrowedValue::Timestamp(v) => visitor.visit_i64(v.as_raw_i64()),
            BorrowedValue::UTinyInt(v) => visitor.visit_u8(v),
            BorrowedValue::USmallInt(v) => visitor.visit_u16(v),
            BorrowedValue::UInt(v) => visitor.visit_u32(v),
            BorrowedValue::UBigInt(v) => visitor.visit_u64(v),
            BorrowedValue::Json(v) => json(&v, visitor),
            BorrowedValue::VarBinary(v)
            | BorrowedValue::Blob(v)
            | BorrowedValue::MediumBlob(v)
            | BorrowedValue::Geometry(v) => visit_bytes(v, visitor),
            BorrowedValue::Decimal(v) | BorrowedValue::Decimal64(v) => {
                visitor.visit_string(format!("{v}"))
            }
        }
    }

    integers! {
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> RawResult<V::Value> {
        self.float(visitor)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> RawResult<V::Value> {
        self.float(visitor)
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> RawResult<V::Value> {
        self.number(visitor, |v, visitor| visitor.visit_bool(v.unscaled() != 0))
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> RawResult<V::Value> {
        match self.value {
            BorrowedValue::Null(_) => Err(null(&visitor)),
            BorrowedValue::VarChar(v) | BorrowedValue::NChar(v) => visit_text(v, visitor),
            BorrowedValue::Json(v)
            | BorrowedValue::VarBinary(v)
            | BorrowedValue::Blob(v)
            | BorrowedValue::MediumBlob(v)
            | BorrowedValue::Geometry(v) => visit_text(utf8(v)?, visitor),
            BorrowedValue::Timestamp(v) => {
                let text = time::format(v, self.timezone, Form::of_visitor::<V>());
                visitor.visit_str(text.as_str())
            }
            other => visitor.visit_string(format!("{other}")),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> RawResult<V::Value> {
        self.deserialize_str(visitor)
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> RawResult<V::Value> {
        self.deserialize_str(visitor)
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> RawResult<V::Value> {
        match self.value {
            BorrowedValue::Null(_) => Err(null(&visitor)),
            BorrowedValue::VarChar(Cow::Borrowed(v)) | BorrowedValue::NChar(Cow::Borrowed(v)) => {
                visitor.visit_borrowed_bytes(v.as_bytes())
            }
            BorrowedValue::VarChar(Cow::Owned(v)) | BorrowedValue::NChar(Cow::Owned(v)) => {
                visitor.visit_byte_buf(v.into_bytes())
            }
            BorrowedValue::Json(v) => visit_bytes(v, visitor),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> RawResult<V::Value> {
        self.deserialize_bytes(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> RawResult<V::Value> {
        if self.value.is_null() {
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
        match self.value {
            BorrowedValue::Null(_) => Err(null(&visitor)),
            BorrowedValue::VarChar(v) | BorrowedValue::NChar(v) => {
                visitor.visit_seq(SeqDeserializer::new(v.bytes()))
            }
            BorrowedValue::VarBinary(v)
            | BorrowedValue::Blob(v)
            | BorrowedValue::MediumBlob(v)
            | BorrowedValue::Geometry(v) => {
                visitor.visit_seq(SeqDeserializer::new(v.iter().copied()))
            }
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _len: usize, visitor: V) -> RawResult<V::Value> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _len: usize,
        visitor: V,
    ) -> RawResult<V::Value> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> RawResult<V::Value> {
        if self.value.is_null() {
            return Err(null(&visitor));
        }
        self.deserialize_any(visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> RawResult<V::Value> {
        self.deserialize_map(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> RawResult<V::Value> {
        match self.value {
            _ if is_value(name, variants) => visitor.visit_enum(ValueEnum(self)),
            BorrowedValue::Timestamp(v) if is_timestamp(name, variants) => {
                visitor.visit_enum(TimestampEnum(v))
            }
            BorrowedValue::Null(_) => Err(null(&visitor)),
            BorrowedValue::VarChar(v) | BorrowedValue::NChar(v) => {
                visitor.visit_enum(StrDeserializer::new(&v))
            }
            BorrowedValue::Json(v) => {
                let value: serde_json::Value = serde_json::from_slice(&v)
                    .map_err(|e| RawError::custom(format_args!("JSON value: {e}")))?;
                value
                    .deserialize_enum(name, variants, visitor)
                    .map_err(|e| RawError::custom(format_args!("JSON value: {e}")))
            }
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> RawResult<V::Value> {
        self.deserialize_str(visitor)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> RawResult<V::Value> {
        visitor.visit_unit()
    }
}

/// True for [`Value`], whose variants stand in the order of the type ids.
pub(super) fn is_value(name: &str, variants: &[&str]) -> bool {
    name == "Value" && variants.len() == 22 && variants.first() == Some(&"Null")
}

/// True for [`Timestamp`].
pub(super) fn is_timestamp(name: &str, variants: &[&str]) -> bool {
    name == "Timestamp" && variants == ["Milliseconds", "Microseconds", "Nanoseconds"]
}

struct ValueEnum<'de>(TypedValue<'de>);

impl<'de> EnumAccess<'de> for ValueEnum<'de> {
    type Error = RawError;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> RawResult<(V::Value, Self)> {
        let index = if self.0.value.is_null() {
            0
        } else {
            u32::from(self.0.value.ty().as_u8())
        };
        let variant = seed.deserialize(IntoDeserializer::<RawError>::into_deserializer(index))?;
        Ok((variant, self))
    }
}

impl<'de> VariantAccess<'de> for ValueEnum<'de> {
    type Error = RawError;

    fn unit_variant(self) -> RawResult<()> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> RawResult<T::Value> {
        match self.0.value {
            BorrowedValue::Null(ty) => seed.deserialize(U8Deserializer::new(ty.as_u8())),
            _ => seed.deserialize(self.0),
        }
    }

    fn tuple_variant<V: Visitor<'de>>(self, _len: usize, visitor: V) -> RawResult<V::Value> {
        Err(RawError::invalid_type(Unexpected::NewtypeVariant, &visitor))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> RawResult<V::Value> {
        Err(RawError::invalid_type(Unexpected::NewtypeVariant, &visitor))
    }
}

pub(super) struct TimestampEnum(pub(super) Timestamp);

impl<'de> EnumAccess<'de> for TimestampEnum {
    type Error = RawError;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> RawResult<(V::Value, Self)> {
        let index = u32::from(self.0.precision().as_u8());
        let variant = seed.deserialize(IntoDeserializer::<RawError>::into_deserializer(index))?;
        Ok((variant, self))
    }
}

impl<'de> VariantAccess<'de> for TimestampEnum {
    type Error = RawError;

    fn unit_variant(self) -> RawResult<()> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> RawResult<T::Value> {
        seed.deserialize(IntoDeserializer::<RawError>::into_deserializer(
            self.0.as_raw_i64(),
        ))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _len: usize, visitor: V) -> RawResult<V::Value> {
        Err(RawError::invalid_type(Unexpected::NewtypeVariant, &visitor))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> RawResult<V::Value> {
        Err(RawError::invalid_type(Unexpected::NewtypeVariant, &visitor))
    }
}

/// Sends every request for a type to the rules of [`TypedValue`].
macro_rules! through_typed_value {
    ($self:ident => $typed:expr) => {
        fn deserialize_any<V: Visitor<'de>>($self, visitor: V) -> RawResult<V::Value> {
            $typed.deserialize_any(visitor)
        }
        through_typed_value! { @plain $self => $typed;
            deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64
            deserialize_i128 deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64
            deserialize_u128 deserialize_f32 deserialize_f64 deserialize_char deserialize_str
            deserialize_string deserialize_bytes deserialize_byte_buf deserialize_option
            deserialize_unit deserialize_seq deserialize_map deserialize_identifier
            deserialize_ignored_any
        }
        fn deserialize_unit_struct<V: Visitor<'de>>(
            $self, name: &'static str, visitor: V,
        ) -> RawResult<V::Value> {
            $typed.deserialize_unit_struct(name, visitor)
        }
        fn deserialize_newtype_struct<V: Visitor<'de>>(
            $self, name: &'static str, visitor: V,
        ) -> RawResult<V::Value> {
            $typed.deserialize_newtype_struct(name, visitor)
        }
        fn deserialize_tuple<V: Visitor<'de>>(
            $self, len: usize, visitor: V,
        ) -> RawResult<V::Value> {
            $typed.deserialize_tuple(len, visitor)
        }
        fn deserialize_tuple_struct<V: Visitor<'de>>(
            $self, name: &'static str, len: usize, visitor: V,
        ) -> RawResult<V::Value> {
            $typed.deserialize_tuple_struct(name, len, visitor)
        }
        fn deserialize_struct<V: Visitor<'de>>(
            $self, name: &'static str, fields: &'static [&'static str], visitor: V,
        ) -> RawResult<V::Value> {
            $typed.deserialize_struct(name, fields, visitor)
        }
        fn deserialize_enum<V: Visitor<'de>>(
            $self, name: &'static str, variants: &'static [&'static str], visitor: V,
        ) -> RawResult<V::Value> {
            $typed.deserialize_enum(name, variants, visitor)
        }
    };
    (@plain $self:ident => $typed:expr; $($name:ident)*) => {$(
        fn $name<V: Visitor<'de>>($self, visitor: V) -> RawResult<V::Value> {
            $typed.$name(visitor)
        }
    )*};
}
impl<'de> Deserializer<'de> for BorrowedValue<'de> {
    type Error = RawError;
    through_typed_value!(self => TypedValue { value: self, timezone: None });
}

impl<'de> Deserializer<'de> for &'de Value {
    type Error = RawError;
    through_typed_value!(self => TypedValue { value: self.to_borrowed_value(), timezone: None });
}

impl<'de> Deserializer<'de> for Value {
    type Error = RawError;
    through_typed_value!(
        self => TypedValue { value: into_borrowed(self), timezone: None }
    );
}

/// The same value; text and bytes move.
fn into_borrowed(value: Value) -> BorrowedValue<'static> {
    match value {
        Value::VarChar(text) => BorrowedValue::VarChar(Cow::Owned(text)),
        Value::NChar(text) => BorrowedValue::NChar(Cow::Owned(text)),
        other => other.to_borrowed_value().into_static(),
    }
}

impl<'de> IntoDeserializer<'de, RawError> for BorrowedValue<'de> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> IntoDeserializer<'de, RawError> for Value {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

/// A column's name as a map key.
pub(super) struct Key<'de>(pub(super) &'de str);

impl<'de> Deserializer<'de> for Key<'de> {
    type Error = RawError;

    #[inline]
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> RawResult<V::Value> {
        visitor.visit_borrowed_str(self.0)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier
        ignored_any
    }
}

//! Values of tags as messages about tables tell them (tmq-raw §6.2, §6.3).

use bytes::Bytes;
use serde_json::{Number, Value};
use taos_query::common::Ty;

use crate::meta::{Key, TagValue, Tags};

impl TagValue {
    /// The number of the tag; `None` for a pair of a JSON tag.
    pub(super) const fn number(&self) -> Option<i32> {
        match self.key {
            Key::Number(number) => Some(number),
            Key::Json(_) => None,
        }
    }
}

/// A tag's value in a unit that creates a subtable: a number by way of a double, or a text within quotes.
pub(super) fn json(ty: u8, data: &Bytes) -> Option<Value> {
    match Ty::from_u8_option(ty)? {
        ty @ (Ty::VarChar | Ty::NChar | Ty::VarBinary | Ty::Geometry) => {
            quoted(ty, data).map(Value::String)
        }
        ty => number(double(ty, data)?),
    }
}

/// A tag's new value in a unit that changes a subtable.
pub(super) fn text(ty: u8, data: &Bytes) -> Option<String> {
    match Ty::from_u8_option(ty)? {
        ty @ (Ty::VarChar | Ty::NChar | Ty::VarBinary | Ty::Geometry) => quoted(ty, data),
        Ty::Json => Tags::decode(data).ok().map(|tags| pairs(&tags).to_string()),
        Ty::Float => Some(f32::from_le_bytes(*data.first_chunk()?).to_string()),
        Ty::Double => Some(f64::from_le_bytes(*data.first_chunk()?).to_string()),
        Ty::UBigInt => Some(u64::from_le_bytes(*data.first_chunk()?).to_string()),
        ty => integer(ty, data).map(|value| value.to_string()),
    }
}

/// A JSON tag.
pub(super) fn pairs(tags: &Tags) -> Value {
    let mut object = serde_json::Map::new();
    for value in &tags.values {
        if let Key::Json(key) = &value.key {
            let key = String::from_utf8_lossy(key).into_owned();
            object.insert(key, member(value).unwrap_or(Value::Null));
        }
    }
    Value::Object(object)
}

fn member(value: &TagValue) -> Option<Value> {
    match Ty::from_u8_option(value.ty)? {
        Ty::Bool => Some(Value::Bool(value.data.first().is_some_and(|b| *b != 0))),
        Ty::NChar => wide(&value.data).map(Value::String),
        ty => number(double(ty, &value.data)?),
    }
}

/// Whole numbers have no point.
fn number(value: f64) -> Option<Value> {
    if value.fract() == 0.0 && value.abs() < 1.0e15 {
        #[allow(clippy::cast_possible_truncation, reason = "whole and small")]
        let whole = value as i64;
        return Some(whole.into());
    }
    Number::from_f64(value).map(Value::Number)
}

fn double(ty: Ty, data: &Bytes) -> Option<f64> {
    #[allow(clippy::cast_precision_loss, reason = "numbers travel as doubles")]
    match ty {
        Ty::Float => Some(f32::from_le_bytes(*data.first_chunk()?).into()),
        Ty::Double => Some(f64::from_le_bytes(*data.first_chunk()?)),
        Ty::UBigInt => Some(u64::from_le_bytes(*data.first_chunk()?) as f64),
        _ => integer(ty, data).map(|value| value as f64),
    }
}

fn integer(ty: Ty, data: &Bytes) -> Option<i64> {
    Some(match ty {
        Ty::Bool | Ty::UTinyInt => (*data.first()?).into(),
        Ty::TinyInt => i8::from_le_bytes(*data.first_chunk()?).into(),
        Ty::SmallInt => i16::from_le_bytes(*data.first_chunk()?).into(),
        Ty::USmallInt => u16::from_le_bytes(*data.first_chunk()?).into(),
        Ty::Int => i32::from_le_bytes(*data.first_chunk()?).into(),
        Ty::UInt => u32::from_le_bytes(*data.first_chunk()?).into(),
        Ty::BigInt | Ty::Timestamp => i64::from_le_bytes(*data.first_chunk()?),
        _ => return None,
    })
}

/// Within double quotes; those inside are not escaped.
fn quoted(ty: Ty, data: &Bytes) -> Option<String> {
    let inner = match ty {
        Ty::NChar => wide(data)?,
        Ty::VarChar => String::from_utf8_lossy(data).into_owned(),
        _ => data.iter().fold("\\x".to_owned(), |mut out, byte| {
            for digit in [byte >> 4, byte & 0xf] {
                out.extend(char::from_digit(digit.into(), 16).map(|c| c.to_ascii_uppercase()));
            }
            out
        }),
    };
    Some(format!("\"{inner}\""))
}

/// Text of four bytes a character.
fn wide(data: &[u8]) -> Option<String> {
    let (characters, _) = data.as_chunks::<4>();
    characters
        .iter()
        .map(|four| char::from_u32(u32::from_le_bytes(*four)))
        .collect()
}

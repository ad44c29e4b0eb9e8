//! Literals of INSERT and TAGS to the stored forms of their columns (DIALECT §10).

use std::borrow::Cow;

use rusqlite::types::Value;
use taos_query::common::{Precision, Ty};

use super::{decimal, geometry, json, time};
use crate::plan::ColumnInfo;
use crate::sql::ast::{InsertValue, InsertValueKind, TimeExpr};
use crate::sql::{SqlError, unquote};

const TOO_LONG: u32 = 0x2653;
const BAD_HEX: u32 = 0x266A;

/// What literals are read under.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reading<'a> {
    /// The statement that the literals' spans point into.
    pub(crate) sql: &'a str,
    /// The times that literals refer to.
    pub(crate) times: &'a [TimeExpr],
    pub(crate) precision: Precision,
    /// Nanoseconds since 1970.
    pub(crate) now: i64,
    /// The zone of texts without an offset.
    pub(crate) zone: Option<chrono_tz::Tz>,
}

/// 0x2653.
pub(crate) fn too_long(column: &str) -> SqlError {
    SqlError::new(TOO_LONG, format!("Value too long for column/tag: {column}"))
}

impl<'a> Reading<'a> {
    /// A literal's text, quotes removed.
    pub(crate) fn text(&self, value: &InsertValue) -> Cow<'a, str> {
        let written = value.span.of(self.sql);
        match value.kind {
            InsertValueKind::Text => unquote(written),
            _ => Cow::Borrowed(written),
        }
    }

    fn refuse(&self, value: &InsertValue, reason: &str) -> SqlError {
        match value.kind {
            InsertValueKind::Text => SqlError::insert_syntax(&self.text(value), reason),
            _ => SqlError::insert_syntax(value.span.rest(self.sql), reason),
        }
    }

    /// The stored form of a literal in a column.
    ///
    /// # Errors
    /// 0x0216 for what the type does not take, 0x2653 for what is too long, 0x013D for a decimal
    /// with too many digits.
    pub(crate) fn convert(
        &self,
        value: &InsertValue,
        column: &ColumnInfo,
    ) -> Result<Value, SqlError> {
        match value.kind {
            InsertValueKind::Null => return Ok(Value::Null),
            InsertValueKind::Placeholder => {
                return Err(self.refuse(value, "parameters need a prepared statement"));
            }
            InsertValueKind::Text if is_null_text(&self.text(value), column.ty) => {
                return Ok(Value::Null);
            }
            _ => {}
        }
        match column.ty {
            Ty::Timestamp => self.time(value).map(Value::Integer),
            Ty::Bool => self.boolean(value),
            ty if ty.is_integer() => self.integer(value, ty),
            Ty::Float | Ty::Double => self.float(value, column.ty),
            Ty::Decimal | Ty::Decimal64 => self.decimal(value, column),
            Ty::VarChar | Ty::NChar => self.characters(value, column),
            Ty::VarBinary | Ty::Blob | Ty::MediumBlob => self.binary(value, column),
            Ty::Geometry => self.geometry(value, column),
            Ty::Json => self.json(value, column),
            _ => Err(SqlError::unsupported(column.ty.name())),
        }
    }

    fn time(&self, value: &InsertValue) -> Result<i64, SqlError> {
        let ticks = match value.kind {
            InsertValueKind::Text => time::from_text(&self.text(value), *self)?,
            InsertValueKind::Number => whole(&self.text(value)),
            InsertValueKind::Time(index) => {
                let expr = usize::try_from(index).ok().and_then(|i| self.times.get(i));
                match expr {
                    Some(expr) => time::evaluate(expr, self)?,
                    None => None,
                }
            }
            _ => None,
        };
        ticks.ok_or_else(|| self.refuse(value, "invalid timestamp"))
    }

    fn boolean(&self, value: &InsertValue) -> Result<Value, SqlError> {
        let text = self.text(value);
        let truth = match value.kind {
            InsertValueKind::Bool(b) => Some(b),
            InsertValueKind::Number => float(&text).map(|v| v != 0.0),
            InsertValueKind::Text if text.eq_ignore_ascii_case("true") => Some(true),
            InsertValueKind::Text if text.eq_ignore_ascii_case("false") => Some(false),
            InsertValueKind::Text => float(&text).map(|v| v != 0.0),
            _ => None,
        };
        truth
            .map(|b| Value::Integer(b.into()))
            .ok_or_else(|| self.refuse(value, "invalid bool data"))
    }

    fn integer(&self, value: &InsertValue, ty: Ty) -> Result<Value, SqlError> {
        let (name, low, high) = integer_range(ty);
        let number = match value.kind {
            InsertValueKind::Number | InsertValueKind::Text => integral(&self.text(value)),
            _ => None,
        };
        let invalid = || self.refuse(value, &format!("invalid {name} data"));
        let number = number.ok_or_else(invalid)?;
        if (low..=high).contains(&number) {
            return Ok(stored_integer(number, ty));
        }
        if matches!(ty, Ty::BigInt | Ty::UBigInt) || (low == 0 && number < 0) {
            return Err(invalid());
        }
        Err(self.refuse(value, &format!("{name} data overflow")))
    }

    fn float(&self, value: &InsertValue, ty: Ty) -> Result<Value, SqlError> {
        let name = if ty == Ty::Float { "float" } else { "double" };
        let number = match value.kind {
            InsertValueKind::Number | InsertValueKind::Text => float(&self.text(value)),
            _ => None,
        };
        number
            .and_then(|v| stored_float(v, ty))
            .ok_or_else(|| self.refuse(value, &format!("illegal {name} data")))
    }

    fn decimal(&self, value: &InsertValue, column: &ColumnInfo) -> Result<Value, SqlError> {
        let text = match value.kind {
            InsertValueKind::Number | InsertValueKind::Text => self.text(value),
            _ => return Err(self.refuse(value, "invalid decimal data")),
        };
        match decimal::parse(&text, column.precision, column.scale) {
            Ok(unscaled) => Ok(decimal::stored(unscaled, column)),
            Err(decimal::Bad::Overflow) => Err(decimal::overflow()),
            Err(decimal::Bad::Number) => Err(self.refuse(value, "invalid decimal data")),
        }
    }

    fn characters(&self, value: &InsertValue, column: &ColumnInfo) -> Result<Value, SqlError> {
        if matches!(value.kind, InsertValueKind::Time(_)) {
            return Err(self.refuse(value, "invalid text data"));
        }
        let text = self.text(value);
        let text = match value.kind {
            InsertValueKind::Bool(_) => text.to_ascii_lowercase(),
            _ => text.into_owned(),
        };
        fitting_text(text, column)
    }

    fn binary(&self, value: &InsertValue, column: &ColumnInfo) -> Result<Value, SqlError> {
        let text = match value.kind {
            InsertValueKind::Text => self.text(value),
            _ => return Err(bad_binary()),
        };
        let bytes = match text.strip_prefix("\\x") {
            Some(hex) => unhex(hex).ok_or_else(bad_binary)?,
            None => text.into_owned().into_bytes(),
        };
        fitting_bytes(bytes, column)
    }

    fn geometry(&self, value: &InsertValue, column: &ColumnInfo) -> Result<Value, SqlError> {
        let bytes = match value.kind {
            InsertValueKind::Text => geometry::to_bytes(&self.text(value)),
            _ => Err(geometry::Refused::Bad),
        };
        let bytes = bytes.map_err(|refused| match refused {
            geometry::Refused::Bad => self.refuse(value, "Invalid function para value"),
            geometry::Refused::NotDone => {
                SqlError::unsupported("empty geometries and those of more than two dimensions")
            }
        })?;
        fitting_bytes(bytes, column)
    }

    fn json(&self, value: &InsertValue, column: &ColumnInfo) -> Result<Value, SqlError> {
        if value.kind != InsertValueKind::Text {
            return Err(self.refuse(value, "json text should be quoted"));
        }
        let text = self.text(value);
        let longest = usize::try_from(column.length).unwrap_or_default();
        if text.len() > longest {
            return Err(SqlError::insert_syntax(
                &text,
                "json string too long than 4095",
            ));
        }
        match json::canonical(&text) {
            Ok(Some(json)) => Ok(Value::Text(json)),
            Ok(None) => Ok(Value::Null),
            Err(refused) => Err(SqlError::insert_syntax(
                refused.near.as_deref().unwrap_or(&text),
                refused.reason,
            )),
        }
    }
}

/// True for the text `null` where it is no text that is wanted.
fn is_null_text(text: &str, ty: Ty) -> bool {
    let keeps = matches!(
        ty,
        Ty::VarChar | Ty::NChar | Ty::VarBinary | Ty::Json | Ty::Blob | Ty::MediumBlob
    );
    !keeps && text.eq_ignore_ascii_case("null")
}

fn bad_binary() -> SqlError {
    SqlError::new(BAD_HEX, "Invalid varbinary value")
}

/// A whole number of decimal digits with its sign.
fn whole(text: &str) -> Option<i64> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits.trim_start()),
        None => (false, text.trim_start_matches('+').trim_start()),
    };
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number: i128 = digits.parse().ok()?;
    i64::try_from(if negative { -number } else { number }).ok()
}

/// A text in a VARCHAR (counted in bytes) or NCHAR (counted in characters).
pub(crate) fn fitting_text(text: String, column: &ColumnInfo) -> Result<Value, SqlError> {
    let length = match column.ty {
        // a text of few bytes has few characters
        Ty::NChar if u32::try_from(text.len()).is_ok_and(|n| n <= column.length) => 0,
        Ty::NChar => text.chars().count(),
        _ => text.len(),
    };
    if u32::try_from(length).is_ok_and(|n| n <= column.length) {
        Ok(Value::Text(text))
    } else {
        Err(too_long(&column.name))
    }
}

/// Bytes in a VARBINARY, GEOMETRY or BLOB.
pub(crate) fn fitting_bytes(bytes: Vec<u8>, column: &ColumnInfo) -> Result<Value, SqlError> {
    if u32::try_from(bytes.len()).is_ok_and(|n| n <= column.length) {
        Ok(Value::Blob(bytes))
    } else {
        Err(too_long(&column.name))
    }
}

/// Name in errors and range of an integer type.
pub(crate) const fn integer_range(ty: Ty) -> (&'static str, i128, i128) {
    match ty {
        Ty::TinyInt => ("tinyint", i8::MIN as i128, i8::MAX as i128),
        Ty::SmallInt => ("smallint", i16::MIN as i128, i16::MAX as i128),
        Ty::Int => ("int", i32::MIN as i128, i32::MAX as i128),
        Ty::UTinyInt => ("unsigned tinyint", 0, u8::MAX as i128),
        Ty::USmallInt => ("unsigned smallint", 0, u16::MAX as i128),
        Ty::UInt => ("unsigned int", 0, u32::MAX as i128),
        Ty::UBigInt => ("unsigned bigint", 0, u64::MAX as i128),
        _ => ("bigint", i64::MIN as i128, i64::MAX as i128),
    }
}

/// The stored form of an integer that is in its type's range.
pub(crate) fn stored_integer(number: i128, ty: Ty) -> Value {
    if ty == Ty::UBigInt {
        return u64::try_from(number).map_or(Value::Null, |v| {
            Value::Integer((v ^ (1 << 63)).cast_signed())
        });
    }
    i64::try_from(number).map_or(Value::Null, Value::Integer)
}

/// The stored form of a float; `None` if it is not finite in its type.
pub(crate) fn stored_float(number: f64, ty: Ty) -> Option<Value> {
    if ty == Ty::Double {
        return number.is_finite().then_some(Value::Real(number));
    }
    #[allow(
        clippy::cast_possible_truncation,
        reason = "a FLOAT keeps what 32 bits hold"
    )]
    let narrow = number as f32;
    narrow.is_finite().then(|| Value::Real(narrow.into()))
}

/// A number's text as a whole number, rounded half away from zero.
pub(crate) fn integral(text: &str) -> Option<i128> {
    let (negative, body) = match text.as_bytes().first()? {
        b'-' => (true, text.get(1..)?.trim_start()),
        b'+' => (false, text.get(1..)?.trim_start()),
        _ => (false, text),
    };
    let first = body.as_bytes().first()?;
    let radix = |digits: &str, radix| u64::from_str_radix(digits, radix).ok().map(i128::from);
    let lower = body.get(..2).map(str::to_ascii_lowercase);
    let value = match lower.as_deref() {
        Some("0x") => radix(body.get(2..)?, 16)?,
        Some("0b") => radix(body.get(2..)?, 2)?,
        _ if body.len() <= 38 && body.bytes().all(|b| b.is_ascii_digit()) => body.parse().ok()?,
        _ if first.is_ascii_digit() || *first == b'.' => {
            let number: f64 = body.parse().ok()?;
            if number > 1e20 {
                return None;
            }
            #[allow(clippy::cast_possible_truncation, reason = "checked above")]
            let whole = number.round() as i128;
            whole
        }
        _ => return None,
    };
    Some(if negative { -value } else { value })
}

/// A number's text as a double.
pub(crate) fn float(text: &str) -> Option<f64> {
    let compact: Cow<'_, str> = if text.contains(' ') {
        let (sign, rest) = text.split_at_checked(1)?;
        if !matches!(sign, "-" | "+") {
            return None;
        }
        Cow::Owned(format!("{sign}{}", rest.trim_start()))
    } else {
        Cow::Borrowed(text)
    };
    let digits = compact.trim_start_matches(['-', '+']);
    let first = digits.as_bytes().first()?;
    if !(first.is_ascii_digit() || *first == b'.') {
        return None;
    }
    #[allow(clippy::cast_precision_loss, reason = "a double takes what it can")]
    compact
        .parse()
        .ok()
        .or_else(|| integral(&compact).map(|n| n as f64))
}

pub(crate) fn unhex(hex: &str) -> Option<Vec<u8>> {
    let bytes = hex.as_bytes();
    if !bytes.len().is_multiple_of(2) {
        return None;
    }
    let digit = |b: u8| {
        char::from(b)
            .to_digit(16)
            .and_then(|d| u8::try_from(d).ok())
    };
    bytes
        .chunks_exact(2)
        .map(|pair| match pair {
            [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_rounded_half_away_from_zero_and_may_be_hexadecimal() {
        for (text, value) in [
            ("1.4", 1),
            ("1.6", 2),
            ("-2.5", -3),
            ("2.5", 3),
            ("+5", 5),
            ("1e3", 1000),
            ("0x1F", 31),
            ("0b101", 5),
            ("-128", -128),
        ] {
            assert_eq!(integral(text), Some(value), "{text}");
        }
        for text in ["", " 8 ", "abc", "nan", "inf", "0x", "1e30", "--1"] {
            assert!(integral(text).is_none(), "{text}");
        }
        assert_eq!(float("-0.5e1"), Some(-5.0));
        assert_eq!(float("inf"), None);
    }

    #[test]
    fn hexadecimal_bytes_need_both_digits() {
        assert_eq!(unhex("00fF"), Some(vec![0, 255]));
        assert_eq!(unhex("0"), None);
        assert_eq!(unhex("0g"), None);
    }
}

//! Values of points: a type by their form, and the stored form.

use std::borrow::Cow;

use rusqlite::types::Value;
use taos_query::common::Ty;

use super::bad::{BAD_HEX, INVALID_VALUE, OUT_OF_RANGE, TOO_LONG, near};
use crate::exec::geometry;
use crate::exec::values::{integer_range, stored_float, stored_integer, unhex};
use crate::sql::SqlError;

/// Longest VARCHAR, VARBINARY and GEOMETRY in bytes.
pub(super) const LONGEST: usize = 65_517;
/// Longest NCHAR, which is measured in bytes here.
pub(super) const LONGEST_NCHAR: usize = 16_379;

/// A value with its type.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Cell {
    pub(crate) ty: Ty,
    /// In the form of storage.
    pub(crate) value: Value,
    /// Bytes of a text or of binary data, which decide the width of the column; else 0.
    pub(crate) length: usize,
}

impl Cell {
    fn new(ty: Ty, value: Value) -> Self {
        let length = match &value {
            Value::Text(text) => text.len(),
            Value::Blob(bytes) => bytes.len(),
            _ => 0,
        };
        Self { ty, value, length }
    }

    pub(super) fn boolean(value: bool) -> Self {
        Self::new(Ty::Bool, Value::Integer(value.into()))
    }

    /// What stands for the value in the name of a subtable.
    pub(super) fn bytes(&self) -> Cow<'_, [u8]> {
        match (&self.value, self.ty) {
            (Value::Text(text), _) => Cow::Borrowed(text.as_bytes()),
            (Value::Blob(bytes), _) => Cow::Borrowed(bytes),
            #[allow(clippy::cast_possible_truncation, reason = "stored from 32 bits")]
            (Value::Real(number), Ty::Float) => Cow::Owned((*number as f32).to_le_bytes().into()),
            (Value::Real(number), _) => Cow::Owned(number.to_le_bytes().into()),
            (Value::Integer(number), ty) => {
                let width = ty.fixed_length();
                let mut bytes = number.to_le_bytes().to_vec();
                bytes.truncate(width);
                Cow::Owned(bytes)
            }
            (Value::Null, _) => Cow::Borrowed(&[]),
        }
    }
}

/// A tag of the languages in which all tags are texts.
pub(super) fn text_tag(text: String) -> Cell {
    Cell::new(Ty::NChar, Value::Text(text))
}

/// A text or binary value of a type.
///
/// # Errors
/// 0x2642 if it is longer than any column.
pub(super) fn sized(ty: Ty, value: Value) -> Result<Cell, SqlError> {
    let cell = Cell::new(ty, value);
    let longest = if ty == Ty::NChar {
        LONGEST_NCHAR
    } else {
        LONGEST
    };
    if cell.length > longest {
        return Err(SqlError::new(
            TOO_LONG,
            "Invalid column length for var length type",
        ));
    }
    Ok(cell)
}

/// The text between quotes, escapes of quotes and backslashes removed.
fn inner(text: &str, prefix: usize) -> Option<Cow<'_, str>> {
    let text = text.get(prefix..)?.strip_prefix('"')?.strip_suffix('"')?;
    Some(unescape(text, b"\"\\"))
}

/// A text without the backslashes before the bytes of `escapable`, which are ASCII.
pub(super) fn unescape<'a>(text: &'a str, escapable: &[u8]) -> Cow<'a, str> {
    if !text.contains('\\') {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        out.push_str(before);
        match after.as_bytes().first() {
            Some(next) if escapable.contains(next) => {
                out.push(char::from(*next));
                rest = after.get(1..).unwrap_or_default();
            }
            _ => {
                out.push('\\');
                rest = after;
            }
        }
    }
    out.push_str(rest);
    Cow::Owned(out)
}

fn invalid(text: &str) -> SqlError {
    near(INVALID_VALUE, "SML invalid value", text)
}

/// A value of a line or of telnet, by its form: `"…"`, `L"…"`, `B"…"`, `G"…"`, `t`, `false`, `1.5f32`.
///
/// # Errors
/// 0x0203 for what has none of the forms or does not fit its type, 0x2642 for what is too long.
pub(super) fn read(text: &str) -> Result<Cell, SqlError> {
    let bad = || invalid(text);
    match text.as_bytes().first() {
        Some(b'"') => {
            let text = inner(text, 0).ok_or_else(bad)?;
            sized(Ty::VarChar, Value::Text(text.into_owned()))
        }
        Some(b'l' | b'L') => {
            let text = inner(text, 1).ok_or_else(bad)?;
            sized(Ty::NChar, Value::Text(text.into_owned()))
        }
        Some(b'b' | b'B') => binary(inner(text, 1).ok_or_else(bad)?.as_ref()),
        Some(b'g' | b'G') => {
            let shape = inner(text, 1).and_then(|shape| geometry::to_bytes(&shape).ok());
            sized(Ty::Geometry, Value::Blob(shape.ok_or_else(bad)?))
        }
        Some(b't' | b'T') if text.len() == 1 || text.eq_ignore_ascii_case("true") => {
            Ok(Cell::boolean(true))
        }
        Some(b'f' | b'F') if text.len() == 1 || text.eq_ignore_ascii_case("false") => {
            Ok(Cell::boolean(false))
        }
        _ => number(text),
    }
}

/// Binary data: hexadecimal behind `\x`, else the text itself.
fn binary(text: &str) -> Result<Cell, SqlError> {
    let hex = text
        .strip_prefix("\\x")
        .or_else(|| text.strip_prefix("\\X"));
    let bytes = match hex {
        Some(hex) => unhex(hex).ok_or_else(|| SqlError::new(BAD_HEX, "Invalid varbinary value"))?,
        None => text.as_bytes().to_vec(),
    };
    sized(Ty::VarBinary, Value::Blob(bytes))
}

/// Bytes that make up a number at the beginning of a text, and how many of them are a sign and whole
/// digits.
fn numeric_prefix(text: &[u8]) -> (usize, usize) {
    let digits = |from: usize| {
        let rest = text.get(from..).unwrap_or_default();
        rest.iter().take_while(|b| b.is_ascii_digit()).count()
    };
    let sign = usize::from(matches!(text.first(), Some(b'+' | b'-')));
    let whole = digits(sign);
    let mut end = sign + whole;
    let mut any = whole;
    if text.get(end) == Some(&b'.') {
        let fraction = digits(end + 1);
        any += fraction;
        if any > 0 {
            end += 1 + fraction;
        }
    }
    if any == 0 {
        return (0, 0);
    }
    if matches!(text.get(end), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(text.get(end + 1), Some(b'+' | b'-')));
        let power = digits(end + 1 + sign);
        if power > 0 {
            end += 1 + sign + power;
        }
    }
    (end, sign + whole)
}

/// A number and the type that its suffix says, DOUBLE without one.
fn number(text: &str) -> Result<Cell, SqlError> {
    let (end, whole) = numeric_prefix(text.as_bytes());
    let (digits, suffix) = text.split_at_checked(end).unwrap_or_default();
    if digits.is_empty() {
        return Err(invalid(text));
    }
    let ty = match suffix.as_bytes() {
        [] | [b'f' | b'F', b'6', b'4'] => Ty::Double,
        [b'f' | b'F', b'3', b'2'] => Ty::Float,
        [b'i' | b'I'] | [b'i' | b'I', b'6', b'4'] => Ty::BigInt,
        [b'i' | b'I', b'3', b'2'] => Ty::Int,
        [b'i' | b'I', b'1', b'6'] => Ty::SmallInt,
        [b'i' | b'I', b'8'] => Ty::TinyInt,
        [b'u' | b'U'] | [b'u' | b'U', b'6', b'4'] => Ty::UBigInt,
        [b'u' | b'U', b'3', b'2'] => Ty::UInt,
        [b'u' | b'U', b'1', b'6'] => Ty::USmallInt,
        [b'u' | b'U', b'8'] => Ty::UTinyInt,
        _ => return Err(invalid(text)),
    };
    match ty {
        Ty::Double | Ty::Float => digits.parse().ok().and_then(|number| float(number, ty)),
        // a fraction is cut off; a number of whole digits is read without a detour by a double
        _ => digits.get(..whole).and_then(|digits| integer(digits, ty)),
    }
    .ok_or_else(|| {
        let (name, low, high) = integer_range(ty);
        match ty {
            Ty::Double | Ty::Float => near(INVALID_VALUE, "SML number out of range", text),
            _ => near(
                INVALID_VALUE,
                &format!("{name} out of range[{low},{high}]"),
                text,
            ),
        }
    })
}

fn float(number: f64, ty: Ty) -> Option<Cell> {
    Some(Cell::new(ty, stored_float(number, ty)?))
}

fn integer(digits: &str, ty: Ty) -> Option<Cell> {
    let number: i128 = match digits {
        // of a number such as .5
        "" | "+" | "-" => 0,
        digits => digits.parse().ok()?,
    };
    let (_, low, high) = integer_range(ty);
    (low..=high)
        .contains(&number)
        .then(|| Cell::new(ty, stored_integer(number, ty)))
}

/// A number of JSON without a type.
pub(super) fn double(number: f64) -> Result<Cell, SqlError> {
    float(number, Ty::Double).ok_or_else(|| SqlError::new(OUT_OF_RANGE, "Value out of range"))
}

/// A number of JSON in a type that is named; `None` if there is no such type.
pub(super) fn typed(number: &serde_json::Number, name: &str) -> Option<Result<Cell, SqlError>> {
    let ty = match name.to_ascii_lowercase().as_str() {
        "i8" | "tinyint" => Ty::TinyInt,
        "i16" | "smallint" => Ty::SmallInt,
        "i32" | "int" => Ty::Int,
        "i64" | "bigint" => Ty::BigInt,
        "f32" | "float" => Ty::Float,
        "f64" | "double" => Ty::Double,
        _ => return None,
    };
    let out_of_range = || SqlError::new(OUT_OF_RANGE, "Value out of range");
    let double = number.as_f64().unwrap_or(f64::INFINITY);
    if matches!(ty, Ty::Float | Ty::Double) {
        return Some(float(double, ty).ok_or_else(out_of_range));
    }
    #[allow(
        clippy::cast_possible_truncation,
        reason = "a fraction is cut off, and what is too large becomes the largest"
    )]
    let whole = number.as_i64().unwrap_or(double as i64);
    let (_, low, high) = integer_range(ty);
    let fits = (low..=high).contains(&i128::from(whole));
    Some(if fits {
        Ok(Cell::new(ty, Value::Integer(whole)))
    } else {
        Err(out_of_range())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        match read(text) {
            Ok(cell) => format!("{} {:?}", cell.ty.name(), cell.value),
            Err(error) => format!("{:#x}", error.code),
        }
    }

    #[test]
    fn the_form_of_a_value_says_its_type() {
        for (text, expected) in [
            ("1", "DOUBLE Real(1.0)"),
            ("-1.5e3", "DOUBLE Real(-1500.0)"),
            (".5", "DOUBLE Real(0.5)"),
            ("1f64", "DOUBLE Real(1.0)"),
            ("0.5F32", "FLOAT Real(0.5)"),
            ("7i", "BIGINT Integer(7)"),
            (
                "-9223372036854775808i64",
                "BIGINT Integer(-9223372036854775808)",
            ),
            ("3.9i32", "INT Integer(3)"),
            ("-32768i16", "SMALLINT Integer(-32768)"),
            ("127i8", "TINYINT Integer(127)"),
            ("0u64", "BIGINT UNSIGNED Integer(-9223372036854775808)"),
            ("4294967295u32", "INT UNSIGNED Integer(4294967295)"),
            ("65535u16", "SMALLINT UNSIGNED Integer(65535)"),
            ("255u8", "TINYINT UNSIGNED Integer(255)"),
            ("t", "BOOL Integer(1)"),
            ("TRUE", "BOOL Integer(1)"),
            ("f", "BOOL Integer(0)"),
            ("False", "BOOL Integer(0)"),
            ("\"\"", "VARCHAR Text(\"\")"),
            ("\"a\\\"b\\\\c\\d\"", "VARCHAR Text(\"a\\\"b\\\\c\\\\d\")"),
            ("L\"\u{6807}\"", "NCHAR Text(\"\u{6807}\")"),
            ("B\"\\x0aFF\"", "VARBINARY Blob([10, 255])"),
            ("b\"ab\"", "VARBINARY Blob([97, 98])"),
        ] {
            assert_eq!(shown(text), expected, "{text}");
        }
        assert!(shown("G\"POINT(1 2)\"").starts_with("GEOMETRY Blob("));
    }

    #[test]
    fn what_has_no_form_or_does_not_fit_is_refused() {
        for text in [
            "",
            "\"",
            "L\"",
            "L",
            "tr",
            "truee",
            "fals",
            "nan",
            "inf",
            "1x",
            "1i7",
            "1i128",
            "--1",
            "1e400",
            "1e39f32",
            "128i8",
            "-1u8",
            "18446744073709551616u64",
            "\"a\"b",
            "G\"POINT\"",
            "i8",
            "+",
            "9223372036854775808i64",
        ] {
            assert_eq!(shown(text), "0x203", "{text}");
        }
        assert_eq!(shown("B\"\\x0\""), "0x266a");
        assert_eq!(shown(&format!("\"{}\"", "a".repeat(LONGEST + 1))), "0x2642");
        assert_eq!(
            shown(&format!("L\"{}\"", "a".repeat(LONGEST_NCHAR + 1))),
            "0x2642"
        );
    }
}

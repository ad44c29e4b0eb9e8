//! Decimals of INSERT, exactly.

use rusqlite::types::Value;
use taos_query::common::Ty;

use crate::plan::ColumnInfo;
use crate::sql::SqlError;

/// A decimal beyond its digits.
const OVERFLOW: u32 = 0x013D;

/// What a number's text is not.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Bad {
    Number,
    Overflow,
}

/// The unscaled integer of a number's text, rounded half away from zero.
pub(crate) fn parse(text: &str, precision: u8, scale: u8) -> Result<i128, Bad> {
    let (negative, body) = match text.as_bytes().first() {
        Some(b'-') => (true, text.get(1..)),
        Some(b'+') => (false, text.get(1..)),
        _ => (false, Some(text)),
    };
    let body = body.unwrap_or_default().trim_start();
    let (mantissa, exponent) = match body.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().map_err(|_| Bad::Number)?),
        None => (body, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = || whole.bytes().chain(fraction.bytes());
    if whole.len() + fraction.len() == 0 || !digits().all(|b| b.is_ascii_digit()) {
        return Err(Bad::Number);
    }
    // how many of the digits stand before the last one that is kept
    let kept = i64::try_from(whole.len()).map_err(|_| Bad::Overflow)?
        + i64::from(exponent)
        + i64::from(scale);
    let mut value: i128 = 0;
    for (index, digit) in (0_i64..).zip(digits()) {
        if index < kept {
            value = push(value, digit - b'0')?;
        } else {
            if index == kept && digit >= b'5' {
                value += 1;
            }
            break;
        }
    }
    let given = i64::try_from(digits().count()).map_err(|_| Bad::Overflow)?;
    if value != 0 {
        for _ in given..kept {
            value = push(value, 0)?;
        }
    }
    if value >= 10_i128.pow(u32::from(precision)) {
        return Err(Bad::Overflow);
    }
    Ok(if negative { -value } else { value })
}

fn push(value: i128, digit: u8) -> Result<i128, Bad> {
    value
        .checked_mul(10)
        .and_then(|v| v.checked_add(digit.into()))
        .ok_or(Bad::Overflow)
}

/// The stored form of an unscaled integer.
pub(crate) fn stored(unscaled: i128, column: &ColumnInfo) -> Value {
    if column.ty == Ty::Decimal64 {
        // 18 digits fit
        return i64::try_from(unscaled).map_or(Value::Null, Value::Integer);
    }
    let bits = unscaled.cast_unsigned() ^ (1 << 127);
    Value::Blob(bits.to_be_bytes().to_vec())
}

/// The unscaled integer of a stored form.
pub(crate) fn unscaled(value: &Value) -> Option<i128> {
    match value {
        Value::Integer(v) => Some((*v).into()),
        Value::Blob(v) => {
            let bytes = <[u8; 16]>::try_from(v.as_slice()).ok()?;
            Some((u128::from_be_bytes(bytes) ^ (1 << 127)).cast_signed())
        }
        _ => None,
    }
}

/// An unscaled integer with its point.
pub(crate) fn text(unscaled: i128, scale: u8) -> String {
    let digits = unscaled.unsigned_abs().to_string();
    let scale = usize::from(scale);
    let digits = format!("{digits:0>width$}", width = scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    let sign = if unscaled < 0 { "-" } else { "" };
    if scale == 0 {
        format!("{sign}{whole}")
    } else {
        format!("{sign}{whole}.{fraction}")
    }
}

/// 0x013D.
pub(crate) fn overflow() -> SqlError {
    SqlError::new(OVERFLOW, "Decimal value overflow")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_rounded_half_away_from_zero() {
        for (given, expected) in [
            ("1.005", 101),
            ("1.004", 100),
            ("-1.005", -101),
            ("7", 700),
            ("1e2", 10_000),
            (".5", 50),
            ("5.", 500),
            ("0.004999", 0),
            ("123e-3", 12),
            ("0e999999999", 0),
        ] {
            assert_eq!(parse(given, 6, 2), Ok(expected), "{given}");
        }
    }

    #[test]
    fn what_does_not_fit_is_told_apart_from_what_is_no_number() {
        assert_eq!(parse("10000", 6, 2), Err(Bad::Overflow));
        assert_eq!(parse("9999.995", 6, 2), Err(Bad::Overflow));
        assert_eq!(parse("1e999999999", 6, 2), Err(Bad::Overflow));
        assert_eq!(parse("abc", 6, 2), Err(Bad::Number));
        assert_eq!(parse("", 6, 2), Err(Bad::Number));
        assert_eq!(
            parse("-1234567890123456789012345678.0123456789", 38, 10),
            Ok(-12_345_678_901_234_567_890_123_456_780_123_456_789)
        );
    }

    #[test]
    fn text_keeps_all_scale_digits() {
        assert_eq!(text(-5, 2), "-0.05");
        assert_eq!(text(1234, 2), "12.34");
        assert_eq!(text(7, 0), "7");
    }
}

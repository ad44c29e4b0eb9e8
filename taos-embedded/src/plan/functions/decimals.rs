//! Arithmetic and conversions of decimals, on their stored forms.

use rusqlite::Connection;
use rusqlite::types::{Value, ValueRef};

use super::{Args, fallible, finite, strict};
use crate::exec::decimal::{Bad, overflow, parse, text};
use crate::plan::decimal::{from_bytes, to_bytes};
use crate::plan::wide::Wide;
use crate::sql::SqlError;

type Outcome = Result<Option<Value>, SqlError>;

pub(super) fn register(connection: &Connection) -> rusqlite::Result<()> {
    arithmetic(connection)?;
    conversions(connection)?;
    #[allow(
        clippy::cast_precision_loss,
        reason = "a decimal beside a double is computed as one"
    )]
    strict(connection, "td_dec_real", 2, |args| {
        let scale = i32::try_from(args.int(1)?).ok()?;
        finite(unscaled(args.get(0))? as f64 / 10_f64.powi(scale))
    })?;
    strict(connection, "td_dec_scaled", 2, |args| {
        // What does not fit is beyond every decimal on the same side.
        let factor = 10_i128.saturating_pow(args.small(1)?);
        let scaled = unscaled(args.get(0))?.saturating_mul(factor);
        Some(Value::Blob(to_bytes(scaled)))
    })?;
    strict(connection, "td_dec_u64", 1, |args| {
        let value = args.int(0)?.cast_unsigned() ^ (1 << 63);
        Some(Value::Blob(to_bytes(value.into())))
    })?;
    strict(connection, "td_dec_neg", 1, |args| {
        Some(Value::Blob(to_bytes(unscaled(args.get(0))?.checked_neg()?)))
    })
}

impl Args<'_> {
    fn small(&self, index: usize) -> Option<u32> {
        u32::try_from(self.int(index)?).ok()
    }
}

pub(super) fn unscaled(value: ValueRef<'_>) -> Option<i128> {
    match value {
        ValueRef::Integer(value) => Some(i128::from(value)),
        ValueRef::Blob(bytes) => from_bytes(bytes),
        _ => None,
    }
}

/// A sign and digits as a signed integer; more than `precision` digits are refused.
pub(super) fn signed(negative: bool, magnitude: Wide, precision: u32) -> Result<i128, SqlError> {
    let fits = magnitude.narrow().filter(|value| {
        10_u128
            .checked_pow(precision)
            .is_some_and(|limit| *value < limit)
    });
    let value = fits.and_then(|value| i128::try_from(value).ok());
    let value = value.ok_or_else(overflow)?;
    Ok(if negative { -value } else { value })
}

/// An unscaled integer with its scale.
#[derive(Clone, Copy)]
pub(super) struct Number {
    pub(super) unscaled: i128,
    pub(super) scale: u32,
}

impl Number {
    fn magnitude(self) -> Wide {
        Wide::new(self.unscaled.unsigned_abs())
    }

    /// The magnitude in a scale not smaller than its own.
    fn at(self, scale: u32) -> Result<Wide, SqlError> {
        let digits = scale.saturating_sub(self.scale);
        self.magnitude().shifted(digits).ok_or_else(overflow)
    }
}

fn add(a: Number, b: Number, scale: u32, precision: u32) -> Result<i128, SqlError> {
    let common = a.scale.max(b.scale);
    let (x, y) = (a.at(common)?, b.at(common)?);
    let (negative, magnitude) = if (a.unscaled < 0) == (b.unscaled < 0) {
        (a.unscaled < 0, x.plus(y))
    } else if x >= y {
        (a.unscaled < 0, x.minus(y))
    } else {
        (b.unscaled < 0, y.minus(x))
    };
    let rounded = magnitude.rounded(common.saturating_sub(scale));
    signed(negative, rounded, precision)
}

fn subtract(a: Number, b: Number, scale: u32, precision: u32) -> Result<i128, SqlError> {
    let unscaled = b.unscaled.checked_neg().ok_or_else(overflow)?;
    add(a, Number { unscaled, ..b }, scale, precision)
}

fn multiply(a: Number, b: Number, scale: u32, precision: u32) -> Result<i128, SqlError> {
    let product = Wide::product(a.unscaled.unsigned_abs(), b.unscaled.unsigned_abs());
    let rounded = product.rounded((a.scale + b.scale).saturating_sub(scale));
    signed((a.unscaled < 0) != (b.unscaled < 0), rounded, precision)
}

/// A quotient rounded half away from zero.
pub(super) fn divide(a: Number, b: Number, scale: u32, precision: u32) -> Result<i128, SqlError> {
    if b.unscaled == 0 {
        return Err(by_zero());
    }
    let digits = (scale + b.scale).saturating_sub(a.scale);
    let dividend = a.magnitude().shifted(digits).ok_or_else(overflow)?;
    let divisor = b.magnitude();
    let (mut quotient, rest) = dividend.divided(divisor);
    if rest >= divisor.minus(rest) {
        quotient = quotient.plus(Wide::new(1));
    }
    signed((a.unscaled < 0) != (b.unscaled < 0), quotient, precision)
}

fn remainder(a: Number, b: Number, scale: u32, precision: u32) -> Result<i128, SqlError> {
    if b.unscaled == 0 {
        return Err(by_zero());
    }
    let common = a.scale.max(b.scale);
    let rest = a.at(common)?.divided(b.at(common)?).1;
    let rounded = rest.rounded(common.saturating_sub(scale));
    signed(a.unscaled < 0, rounded, precision)
}

fn by_zero() -> SqlError {
    SqlError::new(0x013E, "Division by zero error")
}

fn arithmetic(connection: &Connection) -> rusqlite::Result<()> {
    type Operation = fn(Number, Number, u32, u32) -> Result<i128, SqlError>;
    let operations: [(&str, Operation); 5] = [
        ("td_dec_add", add),
        ("td_dec_sub", subtract),
        ("td_dec_mul", multiply),
        ("td_dec_div", divide),
        ("td_dec_rem", remainder),
    ];
    for (name, operation) in operations {
        fallible(connection, name, 6, move |args| {
            let operands = || {
                let number = |at| {
                    Some(Number {
                        unscaled: unscaled(args.get(at))?,
                        scale: args.small(at + 1)?,
                    })
                };
                Some((number(0)?, number(2)?, args.small(4)?, args.small(5)?))
            };
            let Some((a, b, scale, precision)) = operands() else {
                return Ok(None);
            };
            let value = operation(a, b, scale, precision)?;
            Ok(Some(Value::Blob(to_bytes(value))))
        })?;
    }
    Ok(())
}

/// The stored form of a result of up to 18 digits or more.
fn stored(value: i128, narrow: bool) -> Option<Value> {
    if narrow {
        i64::try_from(value).ok().map(Value::Integer)
    } else {
        Some(Value::Blob(to_bytes(value)))
    }
}

/// The wanted scale, precision and whether it is stored narrow.
fn wanted(args: &Args<'_>, from: usize) -> Option<(u32, u32, bool)> {
    Some((
        args.small(from)?,
        args.small(from + 1)?,
        args.int(from + 2)? == 1,
    ))
}

fn conversions(connection: &Connection) -> rusqlite::Result<()> {
    fallible(connection, "td_dec_cast", 5, |args| {
        let (Some(value), Some(own), Some((scale, precision, narrow))) =
            (unscaled(args.get(0)), args.small(1), wanted(args, 2))
        else {
            return Ok(None);
        };
        let number = Number {
            unscaled: value,
            scale: own,
        };
        let magnitude = number.at(scale.max(own))?;
        let magnitude = magnitude.rounded(own.saturating_sub(scale));
        Ok(stored(signed(value < 0, magnitude, precision)?, narrow))
    })?;
    fallible(connection, "td_dec_of_real", 4, |args| {
        let (Some(value), Some((scale, precision, narrow))) = (args.real(0), wanted(args, 1))
        else {
            return Ok(None);
        };
        Ok(stored(of_real(value, scale, precision)?, narrow))
    })?;
    fallible(connection, "td_dec_of_text", 4, of_text)?;
    strict(connection, "td_dec_round", 2, |args| {
        let value = unscaled(args.get(0))?;
        let rounded = Wide::new(value.unsigned_abs()).rounded(args.small(1)?);
        Some(Value::Integer(low_word(rounded.narrow()?, value < 0)))
    })?;
    strict(connection, "td_dec_text", 2, |args| {
        let scale = u8::try_from(args.int(1)?).ok()?;
        Some(Value::Text(match unscaled(args.get(0))? {
            0 => "0".to_owned(),
            value => text(value, scale),
        }))
    })
}

/// The lower 64 bits: a cast to an integer wraps around.
#[allow(clippy::cast_possible_truncation, reason = "the upper bits are to go")]
const fn low_word(magnitude: u128, negative: bool) -> i64 {
    let low = magnitude as u64;
    let low = if negative { low.wrapping_neg() } else { low };
    low.cast_signed()
}

fn of_real(value: f64, scale: u32, precision: u32) -> Result<i128, SqlError> {
    let scaled = (value * 10_f64.powi(i32::try_from(scale).unwrap_or(0))).round();
    if scaled.abs() >= 1e38 {
        return Err(overflow());
    }
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the range is checked"
    )]
    let magnitude = scaled.abs() as u128;
    signed(scaled < 0.0, Wide::new(magnitude), precision)
}

fn of_text(args: &Args<'_>) -> Outcome {
    let (Some(value), Some((scale, precision, narrow))) = (args.text(0), wanted(args, 1)) else {
        return Ok(None);
    };
    let digits = |number: u32| u8::try_from(number).unwrap_or(0);
    match parse(value.trim(), digits(precision), digits(scale)) {
        Ok(value) => Ok(stored(value, narrow)),
        Err(Bad::Overflow) => Err(overflow()),
        Err(Bad::Number) => Err(SqlError::unsupported(
            "a text that is no number as a decimal",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn number(unscaled: i128, scale: u32) -> Number {
        Number { unscaled, scale }
    }

    #[test]
    fn results_are_rounded_half_away_from_zero() {
        let third = divide(number(-10, 0), number(3, 0), 20, 38).unwrap();
        assert_eq!(third, -333_333_333_333_333_333_333);
        assert_eq!(divide(number(2, 0), number(3, 0), 2, 38), Ok(67));
        assert_eq!(divide(number(-5, 1), number(10, 1), 0, 38), Ok(-1));
        assert_eq!(multiply(number(-25, 1), number(1, 1), 1, 38), Ok(-3));
        assert_eq!(add(number(5, 2), number(-10, 2), 1, 38), Ok(-1));
        assert_eq!(subtract(number(1, 0), number(5, 2), 2, 38), Ok(95));
        assert_eq!(remainder(number(-1234, 2), number(5, 0), 2, 38), Ok(-234));
    }

    #[test]
    fn too_many_digits_and_zero_divisors_are_refused() {
        let most = 10_i128.pow(38) - 1;
        let code = |result: Result<i128, SqlError>| result.unwrap_err().code;
        assert_eq!(code(add(number(most, 0), number(1, 0), 0, 38)), 317);
        assert_eq!(code(multiply(number(most, 0), number(2, 0), 0, 38)), 317);
        assert_eq!(code(divide(number(1, 0), number(0, 3), 6, 38)), 318);
        assert_eq!(code(remainder(number(1, 0), number(0, 3), 3, 38)), 318);
        assert_eq!(
            multiply(number(most, 38), number(most, 38), 38, 38),
            Ok(most - 1)
        );
    }

    #[test]
    fn doubles_are_rounded_at_the_wanted_digit() {
        assert_eq!(of_real(-2.5, 0, 10), Ok(-3));
        assert_eq!(of_real(1.239, 2, 10), Ok(124));
        assert_eq!(of_real(1e9, 2, 10).unwrap_err().code, 317);
        assert_eq!(low_word(u128::from(u64::MAX) + 5, false), 4);
        assert_eq!(low_word(3, true), -3);
    }
}

use rusqlite::Connection;
use rusqlite::types::{Value, ValueRef};

use super::{Args, cut, fallible, finite, number, single, strict};
use crate::sql::SqlError;

pub(super) fn register(connection: &Connection) -> rusqlite::Result<()> {
    doubles(connection)?;
    keeping(connection)?;
    unsigned(connection)?;
    strict(connection, "td_f32", 1, |args| {
        finite(f64::from(single(args.real(0)?)))
    })?;
    fallible(connection, "td_whole", 1, |args| {
        args.real(0).map_or(Ok(None), whole)
    })?;
    strict(connection, "td_wrap", 2, |args| {
        let bits = u32::try_from(64 - args.int(1)?).ok()?;
        Some(Value::Integer(
            args.int(0)?.checked_shl(bits)?.checked_shr(bits)?,
        ))
    })?;
    strict(connection, "td_wrap_unsigned", 2, |args| {
        let bits = u32::try_from(64 - args.int(1)?).ok()?;
        let value = args.int(0)?.cast_unsigned();
        let value = value.checked_shl(bits)?.checked_shr(bits)?;
        Some(if bits == 0 {
            stored(value)
        } else {
            Value::Integer(value.cast_signed())
        })
    })
}

/// A double cut to 64 bits, read as signed or unsigned; what C does beyond is not defined.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the range is checked"
)]
fn whole(value: f64) -> Result<Option<Value>, SqlError> {
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    if (-LIMIT..LIMIT).contains(&value) {
        return Ok(Some(Value::Integer(value as i64)));
    }
    if (LIMIT..2.0 * LIMIT).contains(&value) {
        return Ok(Some(Value::Integer((value as u64).cast_signed())));
    }
    Err(SqlError::unsupported(format!(
        "a cast of {value:e} to an integer"
    )))
}

/// The stored form of a BIGINT UNSIGNED.
const fn stored(value: u64) -> Value {
    Value::Integer((value ^ (1 << 63)).cast_signed())
}

const fn unstored(value: i64) -> u64 {
    value.cast_unsigned() ^ (1 << 63)
}

fn doubles(connection: &Connection) -> rusqlite::Result<()> {
    type Function = fn(f64) -> f64;
    let functions: [(&str, Function); 12] = [
        ("td_sqrt", f64::sqrt),
        ("td_exp", f64::exp),
        ("td_ln", f64::ln),
        ("td_log", f64::ln),
        ("td_sin", f64::sin),
        ("td_cos", f64::cos),
        ("td_tan", f64::tan),
        ("td_asin", f64::asin),
        ("td_acos", f64::acos),
        ("td_atan", f64::atan),
        ("td_degrees", f64::to_degrees),
        ("td_radians", f64::to_radians),
    ];
    for (name, function) in functions {
        strict(connection, name, 1, move |args| {
            finite(function(args.real(0)?))
        })?;
    }
    strict(connection, "td_log", 2, |args| {
        finite(args.real(0)?.ln() / args.real(1)?.ln())
    })?;
    strict(connection, "td_pow", 2, |args| {
        finite(args.real(0)?.powf(args.real(1)?))
    })?;
    strict(connection, "td_mod", 2, |args| {
        finite(args.real(0)? % args.real(1)?)
    })
}

/// Functions that keep integers integers.
fn keeping(connection: &Connection) -> rusqlite::Result<()> {
    type Function = fn(f64) -> f64;
    let functions: [(&str, Function); 4] = [
        ("td_ceil", f64::ceil),
        ("td_floor", f64::floor),
        ("td_round", f64::round),
        ("td_trunc", f64::trunc),
    ];
    for (name, function) in functions {
        strict(connection, name, 1, move |args| match args.get(0) {
            ValueRef::Integer(value) => Some(Value::Integer(value)),
            value => finite(function(number(value)?)),
        })?;
        if matches!(name, "td_round" | "td_trunc") {
            strict(connection, name, 2, move |args| digits(args, function))?;
        }
    }
    strict(connection, "td_abs", 1, |args| match args.get(0) {
        ValueRef::Integer(value) => Some(Value::Integer(value.wrapping_abs())),
        value => finite(number(value)?.abs()),
    })?;
    strict(connection, "td_sign", 1, |args| match args.get(0) {
        ValueRef::Integer(value) => Some(Value::Integer(value.signum())),
        value => {
            let value = number(value)?;
            finite(if value == 0.0 { 0.0 } else { value.signum() })
        }
    })
}

/// `round(x, digits)` and `trunc(x, digits)`; digits may be negative.
fn digits(args: &Args<'_>, function: fn(f64) -> f64) -> Option<Value> {
    let places = i32::try_from(args.int(1)?.clamp(-400, 400)).ok()?;
    let value = number(args.get(0))?;
    // Dividing by a power of ten loses less than multiplying by its inverse.
    let result = if places >= 0 {
        let factor = 10_f64.powi(places);
        let scaled = value * factor;
        if scaled.is_finite() {
            function(scaled) / factor
        } else {
            value
        }
    } else {
        let factor = 10_f64.powi(-places);
        function(value / factor) * factor
    };
    match args.get(0) {
        ValueRef::Integer(value) if places >= 0 => Some(Value::Integer(value)),
        ValueRef::Integer(_) if result.is_finite() => Some(Value::Integer(cut(result))),
        ValueRef::Integer(_) => Some(Value::Integer(0)),
        _ if result.is_finite() => Some(Value::Real(result)),
        _ => Some(Value::Real(0.0)),
    }
}

fn unsigned(connection: &Connection) -> rusqlite::Result<()> {
    #[allow(
        clippy::cast_precision_loss,
        reason = "the dialect computes integers as doubles"
    )]
    strict(connection, "td_u64_real", 1, |args| {
        Some(Value::Real(unstored(args.int(0)?) as f64))
    })?;
    strict(connection, "td_u64_bits", 1, |args| {
        Some(Value::Integer(unstored(args.int(0)?).cast_signed()))
    })?;
    strict(connection, "td_u64_text", 1, |args| {
        Some(Value::Text(unstored(args.int(0)?).to_string()))
    })?;
    strict(connection, "td_u64_from", 1, |args| {
        Some(stored(args.int(0)?.cast_unsigned()))
    })
}

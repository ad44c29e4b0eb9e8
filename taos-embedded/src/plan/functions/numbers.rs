use rusqlite::Connection;
use rusqlite::functions::FunctionFlags;
use rusqlite::types::{Value, ValueRef};

use super::{Args, cut, fallible, finite, number, single, strict};
use crate::plan::leading::{leading_int, leading_real, leading_unsigned};
use crate::sql::SqlError;

pub(super) fn register(connection: &Connection) -> rusqlite::Result<()> {
    doubles(connection)?;
    keeping(connection)?;
    randoms(connection)?;
    unsigned(connection)?;
    strict(connection, "td_f32", 1, |args| {
        finite(f64::from(single(args.real(0)?)))
    })?;
    fallible(connection, "td_whole", 2, |args| {
        let narrow = args.int(1) == Some(32);
        args.real(0).map_or(Ok(None), |value| whole(value, narrow))
    })?;
    fallible(connection, "td_text_real", 1, |args| {
        let Some(text) = args.text(0) else {
            return Ok(None);
        };
        match leading_real(text) {
            Some(value) => Ok(finite(value)),
            None => Err(SqlError::unsupported(format!("'{text}' as a number"))),
        }
    })?;
    strict(connection, "td_leading_int", 1, |args| {
        Some(Value::Integer(leading_int(args.text(0)?)))
    })?;
    strict(connection, "td_leading_unsigned", 1, |args| {
        Some(Value::Integer(
            leading_unsigned(args.text(0)?).cast_signed(),
        ))
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

/// A double cut to 64 bits, read as signed or unsigned; what C does beyond, or beyond 32 bits on the way to a
/// narrower type, is not defined.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the range is checked"
)]
fn whole(value: f64, narrow: bool) -> Result<Option<Value>, SqlError> {
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    let cut = value.trunc();
    let fits = !narrow || (f64::from(i32::MIN)..=f64::from(i32::MAX)).contains(&cut);
    if fits && (-LIMIT..LIMIT).contains(&value) {
        return Ok(Some(Value::Integer(value as i64)));
    }
    if fits && (LIMIT..2.0 * LIMIT).contains(&value) {
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
        let (value, base) = (args.real(0)?.ln(), args.real(1)?.ln());
        if !base.is_finite() {
            return Some(Value::Null);
        }
        finite(value / base)
    })?;
    strict(connection, "td_pow", 2, |args| {
        finite(args.real(0)?.powf(args.real(1)?))
    })?;
    strict(connection, "td_mod", 2, |args| {
        finite(args.real(0)? % args.real(1)?)
    })?;
    fallible(connection, "td_rem", 2, remainder)
}

/// The operator `%`: a divisor that is nearly zero counts as zero.
fn remainder(args: &Args<'_>) -> Result<Option<Value>, SqlError> {
    const NEARLY_ZERO: f64 = 4.0 * 1.192_092_9e-7;
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    let (Some(a), Some(b)) = (args.real(0), args.real(1)) else {
        return Ok(None);
    };
    if !a.is_finite() || !b.is_finite() || b.abs() <= NEARLY_ZERO {
        return Ok(None);
    }
    let times = (a / b).trunc();
    if times.abs() >= LIMIT {
        return Err(SqlError::unsupported("a remainder of numbers so far apart"));
    }
    Ok(finite(a - times * b))
}

/// The first number of the C library's generator with a seed, as a part of its largest one.
fn first_random(seed: i64) -> f64 {
    const MODULUS: i64 = 2_147_483_647;
    // Of the seed only 32 bits are kept, and 0 counts as 1.
    let low = seed & 0xFFFF_FFFF;
    let seed = if low > MODULUS { low - (1 << 32) } else { low };
    let mut state = vec![if seed == 0 { 1 } else { seed }];
    while state.len() < 31 {
        let last = state.last().copied().unwrap_or(1);
        let next = (16_807 * last) % MODULUS;
        state.push(if next < 0 { next + MODULUS } else { next });
    }
    let at = |state: &Vec<i64>, back: usize| {
        let index = state.len().saturating_sub(back);
        state.get(index).copied().unwrap_or_default()
    };
    for _ in 0..3 {
        state.push(at(&state, 31));
    }
    while state.len() <= 344 {
        state.push((at(&state, 31) + at(&state, 3)) & 0xFFFF_FFFF);
    }
    let value = (at(&state, 1) & 0xFFFF_FFFF) >> 1;
    let part = u32::try_from(value % MODULUS).unwrap_or_default();
    f64::from(part) / 2_147_483_647.0
}

fn randoms(connection: &Connection) -> rusqlite::Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_INNOCUOUS;
    connection.create_scalar_function("td_rand", 0, flags, |_| Ok(rand::random::<f64>()))?;
    // A row without a seed goes on with any number.
    connection.create_scalar_function("td_rand", 1, flags, |context| {
        Ok(match context.get_raw(0) {
            ValueRef::Integer(seed) => first_random(seed),
            _ => rand::random(),
        })
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
            // The sum makes -0 a 0.
            value => finite(function(number(value)?) + 0.0),
        })?;
        if matches!(name, "td_round" | "td_trunc") {
            fallible(connection, name, 2, move |args| digits(args, function))?;
        }
    }
    strict(connection, "td_round_f32", 2, |args| {
        single_digits(args, f32::round)
    })?;
    strict(connection, "td_trunc_f32", 2, |args| {
        single_digits(args, f32::trunc)
    })?;
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
fn digits(args: &Args<'_>, function: fn(f64) -> f64) -> Result<Option<Value>, SqlError> {
    let (Some(value), Some(places)) = (args.real(0), args.real(1)) else {
        return Ok(None);
    };
    let scale = 10_f64.powf(places);
    let scaled = value * scale;
    let result = if places >= 0.0 && scaled.is_infinite() {
        value
    } else {
        function(scaled) / scale
    };
    if !matches!(args.get(0), ValueRef::Integer(_)) {
        return Ok(finite(result));
    }
    if result.abs() < 9_223_372_036_854_775_808.0 {
        return Ok(Some(Value::Integer(cut(result))));
    }
    Err(SqlError::unsupported("an integer rounded beyond 64 bits"))
}

/// The same for FLOAT, which is computed in its own precision.
fn single_digits(args: &Args<'_>, function: fn(f32) -> f32) -> Option<Value> {
    let (value, places) = (single(args.real(0)?), single(args.real(1)?));
    let scale = 10_f32.powf(places);
    let scaled = value * scale;
    let result = if places >= 0.0 && scaled.is_infinite() {
        value
    } else {
        function(scaled) / scale
    };
    finite(f64::from(result))
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

#[cfg(test)]
mod tests {
    use super::first_random;

    #[test]
    fn random_numbers_of_a_seed_are_those_of_the_c_library() {
        for (seed, expected) in [
            (0, 0.840_187_717_154_710),
            (1, 0.840_187_717_154_710),
            (-1, 0.118_708_995_691_831),
            (1245, 0.663_936_012_733_698),
            (12345, 0.178_395_304_446_293),
            (9_999_999_999, 0.321_409_397_442_550),
        ] {
            let value = first_random(seed);
            assert!((value - expected).abs() < 1e-14, "{seed}: {value}");
        }
    }
}

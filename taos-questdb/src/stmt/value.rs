//! One value as a symbol, a column or the time of a row. A refusal is words without the place, which
//! the caller adds.

use std::borrow::Cow;

use chrono::DateTime;
use taos_query::common::{BorrowedValue, Precision, Timestamp};

use super::array::Array;
use super::table::Type;
use crate::error::Result as Outcome;
use crate::ingress::{Buffer, ColumnName, ProtocolVersion, TimestampMicros, TimestampNanos};

const NULL_UUID: &str = "80000000-0000-0000-8000-000000000000";

pub(super) type Refusal = Cow<'static, str>;
pub(super) type Result<T> = std::result::Result<T, Refusal>;

pub(super) fn refuse<T>(why: impl Into<Refusal>) -> Result<T> {
    Err(why.into())
}

pub(super) fn told<T>(outcome: Outcome<T>) -> Result<()> {
    match outcome {
        Ok(_) => Ok(()),
        Err(error) => Err(error.msg().to_owned().into()),
    }
}

/// Writes a symbol; text is all that one can be.
pub(super) fn symbol(
    buffer: &mut Buffer,
    name: ColumnName<'_>,
    value: &BorrowedValue<'_>,
) -> Result<()> {
    match value.as_str() {
        Some(text) => told(buffer.symbol(name, text)),
        None => mismatch(value),
    }
}

/// Writes any other column, the time of the row excepted.
pub(super) fn column(
    buffer: &mut Buffer,
    name: ColumnName<'_>,
    ty: &Type,
    value: &BorrowedValue<'_>,
) -> Result<()> {
    refuse_null(ty, value)?;
    if buffer.qwp().is_some() && super::exact::column(buffer, name, ty, value)? {
        return Ok(());
    }
    match ty {
        Type::Boolean => boolean(buffer, name, value),
        Type::Integer(least, most) => {
            let number = integer(value)?;
            if !(least..=most).contains(&&number) {
                return refuse(format!("{number} is outside {least} to {most}"));
            }
            told(buffer.column_i64(name, number))
        }
        Type::Float | Type::Double => match value {
            BorrowedValue::Float(v) => told(buffer.column_f64(name, f64::from(*v))),
            BorrowedValue::Double(v) => told(buffer.column_f64(name, *v)),
            _ => told(buffer.column_i64(name, integer(value)?)),
        },
        Type::Text | Type::Uuid | Type::Ipv4 => match value.as_str() {
            Some(text) => told(buffer.column_str(name, text)),
            None => mismatch(value),
        },
        Type::Char => match value.as_str() {
            // The server takes text of one byte for a CHAR, and refuses every other.
            Some(text) if text.len() == 1 => told(buffer.column_str(name, text)),
            Some(_) => refuse("lines carry a CHAR only of one ASCII character"),
            None => mismatch(value),
        },
        // Lines have no dates; a whole number is read as milliseconds.
        Type::Date => told(buffer.column_i64(name, ticks(value, Precision::Millisecond)?)),
        Type::Micros => {
            let time = TimestampMicros::new(ticks(value, Precision::Microsecond)?);
            told(buffer.column_ts(name, time))
        }
        Type::Nanos => {
            let time = TimestampNanos::new(ticks(value, Precision::Nanosecond)?);
            told(buffer.column_ts(name, time))
        }
        Type::Decimal(..) => decimal(buffer, name, value),
        Type::Array(rank) => {
            let array = match value {
                BorrowedValue::Json(text) => Array::read(text, *rank)?,
                _ => match value.as_str() {
                    Some(text) => Array::read(text.as_bytes(), *rank)?,
                    None => return mismatch(value),
                },
            };
            told(buffer.column_arr(name, &array))
        }
        Type::Symbol => symbol(buffer, name, value),
        Type::Other => refuse("the line protocol cannot carry this type"),
    }
}

/// Refuses what the server keeps as NULL (questdb §2): whoever binds a value means that value.
fn refuse_null(ty: &Type, value: &BorrowedValue<'_>) -> Result<()> {
    let time = |precision| ticks(value, precision).map(|ticks| ticks == i64::MIN);
    let null = match ty {
        // Smaller integers have no NULL.
        Type::Integer(least, _) if *least <= i64::from(i32::MIN) => integer(value)? == *least,
        Type::Float | Type::Double => match value {
            BorrowedValue::Float(v) => v.is_infinite(),
            BorrowedValue::Double(v) => v.is_infinite(),
            _ => integer(value)? == i64::MIN,
        },
        Type::Date => time(Precision::Millisecond)?,
        Type::Micros => time(Precision::Microsecond)?,
        Type::Nanos => time(Precision::Nanosecond)?,
        Type::Ipv4 => value.as_str().is_some_and(|text| text.trim() == "0.0.0.0"),
        Type::Uuid => value
            .as_str()
            .is_some_and(|text| text.eq_ignore_ascii_case(NULL_UUID)),
        Type::Char => value.as_str() == Some("\0"),
        _ => false,
    };
    if null {
        return refuse("QuestDB keeps this value as NULL; bind NULL if that is meant");
    }
    Ok(())
}

/// Ends the row with its time.
pub(super) fn at(buffer: &mut Buffer, ty: &Type, value: &BorrowedValue<'_>) -> Result<()> {
    refuse_null(ty, value)?;
    match ty {
        Type::Nanos => told(buffer.at(TimestampNanos::new(ticks(value, Precision::Nanosecond)?))),
        _ => told(buffer.at(TimestampMicros::new(ticks(value, Precision::Microsecond)?))),
    }
}

/// Writes a value that the server stores as NULL, for rows that have nothing else. False if the type
/// has none.
pub(super) fn null(buffer: &mut Buffer, name: ColumnName<'_>, ty: &Type) -> Result<bool> {
    match ty {
        // A column keeps the type of its first value there.
        Type::Float if buffer.qwp().is_some() => told(buffer.column_f32(name, f32::NAN))?,
        Type::Double | Type::Float => told(buffer.column_f64(name, f64::NAN))?,
        Type::Integer(i64::MIN, _) => told(buffer.column_i64(name, i64::MIN))?,
        _ => return Ok(false),
    }
    Ok(true)
}

/// True if [`null`] can write a column of this type.
pub(super) const fn has_null(ty: &Type) -> bool {
    matches!(ty, Type::Double | Type::Float | Type::Integer(i64::MIN, _))
}

pub(super) fn mismatch<T>(value: &BorrowedValue<'_>) -> Result<T> {
    refuse(format!("it takes no {}", value.ty().name()))
}

fn boolean(buffer: &mut Buffer, name: ColumnName<'_>, value: &BorrowedValue<'_>) -> Result<()> {
    match value {
        BorrowedValue::Bool(v) => told(buffer.column_bool(name, *v)),
        _ => match integer(value)? {
            0 => told(buffer.column_bool(name, false)),
            1 => told(buffer.column_bool(name, true)),
            other => refuse(format!("{other} is neither 0 nor 1")),
        },
    }
}

pub(super) fn integer(value: &BorrowedValue<'_>) -> Result<i64> {
    Ok(match value {
        BorrowedValue::Bool(v) => i64::from(*v),
        BorrowedValue::TinyInt(v) => i64::from(*v),
        BorrowedValue::SmallInt(v) => i64::from(*v),
        BorrowedValue::Int(v) => i64::from(*v),
        BorrowedValue::BigInt(v) => *v,
        BorrowedValue::UTinyInt(v) => i64::from(*v),
        BorrowedValue::USmallInt(v) => i64::from(*v),
        BorrowedValue::UInt(v) => i64::from(*v),
        BorrowedValue::UBigInt(v) => match i64::try_from(*v) {
            Ok(v) => v,
            Err(_) => return refuse(format!("{v} is outside what 64 bits with a sign hold")),
        },
        _ => return mismatch(value),
    })
}

fn decimal(buffer: &mut Buffer, name: ColumnName<'_>, value: &BorrowedValue<'_>) -> Result<()> {
    let text = match value {
        BorrowedValue::Decimal(v) | BorrowedValue::Decimal64(v) => Cow::Owned(v.to_string()),
        BorrowedValue::Float(v) => return told(buffer.column_f64(name, f64::from(*v))),
        BorrowedValue::Double(v) => return told(buffer.column_f64(name, *v)),
        _ => match value.as_str() {
            Some(text) => Cow::Borrowed(text),
            None => return told(buffer.column_i64(name, integer(value)?)),
        },
    };
    if buffer.ilp().is_none() || buffer.protocol_version() >= ProtocolVersion::V3 {
        return told(buffer.column_dec(name, text.as_ref()));
    }
    // Before there were decimals in lines, servers read them from text.
    told(buffer.column_str(name, text))
}

/// Ticks of a time; whole numbers are ticks already, text is RFC 3339.
pub(super) fn ticks(value: &BorrowedValue<'_>, precision: Precision) -> Result<i64> {
    if let BorrowedValue::Timestamp(time) = value {
        return in_unit(*time, precision);
    }
    let Some(text) = value.as_str() else {
        return integer(value);
    };
    let time = DateTime::parse_from_rfc3339(text)
        .map_err(|_| Cow::from("text for a time must look like 2023-11-14T22:13:20Z"))?;
    let nanos =
        i128::from(time.timestamp()) * 1_000_000_000 + i128::from(time.timestamp_subsec_nanos());
    narrow(
        nanos * i128::from(per_second(precision)),
        1_000_000_000,
        precision,
    )
}

/// The time in another unit, cut off towards the past.
fn in_unit(time: Timestamp, precision: Precision) -> Result<i64> {
    if time.precision() == precision {
        return Ok(time.as_raw_i64());
    }
    let scaled = i128::from(time.as_raw_i64()) * i128::from(per_second(precision));
    narrow(scaled, per_second(time.precision()), precision)
}

fn narrow(scaled: i128, divisor: i64, precision: Precision) -> Result<i64> {
    i64::try_from(scaled.div_euclid(i128::from(divisor)))
        .map_err(|_| format!("the time is outside what 64 bits of {precision} hold").into())
}

const fn per_second(precision: Precision) -> i64 {
    match precision {
        Precision::Millisecond => 1_000,
        Precision::Microsecond => 1_000_000,
        Precision::Nanosecond => 1_000_000_000,
    }
}

//! Times of INSERT: texts, numbers, `now` and `today` with arithmetic (DIALECT §1, §10).

use chrono::{DateTime, Months, NaiveDate, NaiveDateTime, NaiveTime};
use chrono_tz::Tz;
use taos_query::common::Precision;

use super::values::Reading;
use crate::plan;
use crate::sql::SqlError;
use crate::sql::ast::{DurationUnit, TimeBase, TimeExpr, TimeOffset};
use crate::sql::unquote;

/// Nanoseconds of one tick.
pub(crate) const fn tick(precision: Precision) -> i64 {
    1_000_000_000 / precision.ticks_per_second()
}

/// A time text in ticks; fraction digits beyond the precision are cut off.
///
/// # Errors
/// 0x0100 if clocks of the zone show it twice or never.
pub(crate) fn parse(
    text: &str,
    precision: Precision,
    zone: Option<Tz>,
) -> Result<Option<i64>, SqlError> {
    let Some(read) = read(text) else {
        return Ok(None);
    };
    let seconds = match read.east {
        Some(east) => Some(read.clock.and_utc().timestamp() - east),
        None => Some(plan::seconds(read.clock, zone)?),
    };
    Ok(seconds
        .and_then(|seconds| seconds.checked_mul(precision.ticks_per_second()))
        .and_then(|ticks| ticks.checked_add(read.nanoseconds / tick(precision))))
}

/// A time text taken apart.
struct Read {
    clock: NaiveDateTime,
    nanoseconds: i64,
    /// Seconds east of Greenwich, if the text says so.
    east: Option<i64>,
}

fn read(text: &str) -> Option<Read> {
    let bytes = text.as_bytes();
    let digits = |range: std::ops::Range<usize>| -> Option<u32> {
        let part = bytes.get(range)?;
        part.iter()
            .all(u8::is_ascii_digit)
            .then(|| std::str::from_utf8(part).ok()?.parse().ok())?
    };
    let at = |index: usize, expected: u8| bytes.get(index) == Some(&expected);
    let year = i32::try_from(digits(0..4)?).ok()?;
    if !(at(4, b'-') && at(7, b'-')) {
        return None;
    }
    let date = NaiveDate::from_ymd_opt(year, digits(5..7)?, digits(8..10)?)?;
    if bytes.len() == 10 {
        return Some(Read {
            clock: date.and_hms_opt(0, 0, 0)?,
            nanoseconds: 0,
            east: None,
        });
    }
    if !((at(10, b' ') || at(10, b'T')) && at(13, b':') && at(16, b':')) {
        return None;
    }
    let time = date.and_hms_opt(digits(11..13)?, digits(14..16)?, digits(17..19)?)?;
    let (nanoseconds, rest) = fraction(bytes.get(19..)?)?;
    Some(Read {
        clock: time,
        nanoseconds,
        east: zone(rest)?,
    })
}

/// `.123…` in nanoseconds, and what follows.
fn fraction(bytes: &[u8]) -> Option<(i64, &[u8])> {
    let Some((b'.', rest)) = bytes.split_first() else {
        return Some((0, bytes));
    };
    let count = rest.iter().take_while(|b| b.is_ascii_digit()).count();
    if count == 0 {
        return None;
    }
    let mut value = 0;
    for i in 0..9 {
        let digit = rest.get(i).filter(|_| i < count).map_or(0, |b| b - b'0');
        value = value * 10 + i64::from(digit);
    }
    Some((value, rest.get(count..)?))
}

/// Seconds east of Greenwich of `Z`, `+08:00`, `+0800`, `+08` ; the inner
/// `None` for nothing.
fn zone(bytes: &[u8]) -> Option<Option<i64>> {
    let (sign, rest) = match bytes.split_first() {
        None => return Some(None),
        Some((b'Z' | b'z', rest)) => return rest.is_empty().then_some(Some(0)),
        Some((b'+', rest)) => (1, rest),
        Some((b'-', rest)) => (-1, rest),
        Some(_) => return None,
    };
    let number = |bytes: &[u8]| -> Option<i64> {
        bytes
            .iter()
            .all(u8::is_ascii_digit)
            .then(|| std::str::from_utf8(bytes).ok()?.parse().ok())?
    };
    let (hours, minutes) = match rest.len() {
        2 => (number(rest)?, 0),
        4 => (number(rest.get(..2)?)?, number(rest.get(2..)?)?),
        5 if rest.get(2) == Some(&b':') => (number(rest.get(..2)?)?, number(rest.get(3..)?)?),
        _ => return None,
    };
    (hours <= 14 && minutes < 60).then_some(Some(sign * (hours * 3600 + minutes * 60)))
}

/// What a time expression comes to.
///
/// # Errors
/// As [`parse`].
pub(crate) fn evaluate(expr: &TimeExpr, reading: &Reading<'_>) -> Result<Option<i64>, SqlError> {
    let Reading {
        sql,
        precision,
        now,
        zone,
        ..
    } = *reading;
    let base = match expr.base {
        TimeBase::Now => Some(now.div_euclid(tick(precision))),
        TimeBase::Today => midnight(now, precision, zone)?,
        TimeBase::Number(span) => span.of(sql).replace([' ', '+'], "").parse().ok(),
        TimeBase::Text(span) => from_text(&unquote(span.of(sql)), precision, zone)?,
    };
    let mut time = base;
    for offset in &expr.offsets {
        time = match time {
            Some(time) => step(time, *offset, precision, zone)?,
            None => None,
        };
    }
    Ok(time)
}

/// The midnight of the zone before `now`, which is in nanoseconds.
fn midnight(now: i64, precision: Precision, zone: Option<Tz>) -> Result<Option<i64>, SqlError> {
    let Some(moment) = DateTime::from_timestamp(now.div_euclid(1_000_000_000), 0) else {
        return Ok(None);
    };
    let clock = plan::clock(moment.naive_utc(), zone);
    let seconds = plan::seconds(clock.date().and_time(NaiveTime::MIN), zone)?;
    Ok(seconds.checked_mul(precision.ticks_per_second()))
}

/// A time text or a number in quotes.
///
/// # Errors
/// As [`parse`].
pub(crate) fn from_text(
    text: &str,
    precision: Precision,
    zone: Option<Tz>,
) -> Result<Option<i64>, SqlError> {
    Ok(parse(text, precision, zone)?.or_else(|| text.parse().ok()))
}

fn step(
    time: i64,
    offset: TimeOffset,
    precision: Precision,
    zone: Option<Tz>,
) -> Result<Option<i64>, SqlError> {
    let months = match offset.unit {
        None => return Ok(time.checked_add(offset.value)),
        Some(DurationUnit::Month) => Some(offset.value),
        Some(DurationUnit::Year) => offset.value.checked_mul(12),
        Some(unit) => {
            let span = unit.nanoseconds().map(|nanoseconds| {
                i128::from(nanoseconds) * i128::from(offset.value) / i128::from(tick(precision))
            });
            let span = span.and_then(|span| i64::try_from(span).ok());
            return Ok(span.and_then(|span| time.checked_add(span)));
        }
    };
    let per_second = precision.ticks_per_second();
    let Some(moved) = months.and_then(|months| {
        let start = DateTime::from_timestamp(time.div_euclid(per_second), 0)?.naive_utc();
        let clock = plan::clock(start, zone);
        let count = Months::new(u32::try_from(months.unsigned_abs()).ok()?);
        if months < 0 {
            clock.checked_sub_months(count)
        } else {
            clock.checked_add_months(count)
        }
    }) else {
        return Ok(None);
    };
    Ok(plan::seconds(moved, zone)?
        .checked_mul(per_second)
        .and_then(|ticks| ticks.checked_add(time.rem_euclid(per_second))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_read_with_zone_and_cut_fraction() {
        let parse = |text, precision| parse(text, precision, None).unwrap();
        let ms = Precision::Millisecond;
        let day = 1_704_067_200_000;
        assert_eq!(parse("2024-01-01", ms), Some(day));
        assert_eq!(parse("2024-01-01 00:00:01.2509", ms), Some(day + 1250));
        assert_eq!(parse("2024-01-01T08:00:07.000+08:00", ms), Some(day + 7000));
        assert_eq!(parse("2024-01-01T00:00:00Z", ms), Some(day));
        assert_eq!(
            parse("2024-01-01 00:00:00.123456789", Precision::Nanosecond),
            Some(day * 1_000_000 + 123_456_789)
        );
        for bad in [
            "2024-02-30 00:00:00",
            "not a time",
            "2024-01-01 00:00",
            "2024-01-01 25:00:00",
            "2024-01-01 00:00:00.",
        ] {
            assert_eq!(parse(bad, ms), None, "{bad}");
        }
    }

    #[test]
    fn months_follow_the_calendar() {
        let expr = TimeExpr {
            base: TimeBase::Now,
            offsets: vec![TimeOffset {
                value: 1,
                unit: Some(DurationUnit::Month),
            }],
        };
        let ms = Precision::Millisecond;
        let parse = |text, precision| parse(text, precision, None).unwrap();
        let now = parse("2024-01-31 12:00:00.5", Precision::Nanosecond).unwrap();
        let mut reading = Reading {
            sql: "",
            times: &[],
            precision: ms,
            now,
            zone: None,
        };
        assert_eq!(
            evaluate(&expr, &reading),
            Ok(parse("2024-02-29 12:00:00.5", ms))
        );
        // in New York it is still February, and summer a month later
        reading.now = parse("2024-03-01 02:00:00", Precision::Nanosecond).unwrap();
        reading.zone = Some(Tz::America__New_York);
        assert_eq!(
            evaluate(&expr, &reading),
            Ok(parse("2024-03-30 01:00:00", ms))
        );
    }
}

//! Times of INSERT: texts, numbers, `now` and `today` with arithmetic (DIALECT §1, §10).

use chrono::{DateTime, Months, NaiveDate, NaiveDateTime};
use taos_query::common::Precision;

use crate::sql::ast::{DurationUnit, TimeBase, TimeExpr, TimeOffset};
use crate::sql::unquote;

/// Nanoseconds of one tick.
pub(crate) const fn tick(precision: Precision) -> i64 {
    1_000_000_000 / precision.ticks_per_second()
}

/// A time text in ticks; fraction digits beyond the precision are cut off.
pub(crate) fn parse(text: &str, precision: Precision) -> Option<i64> {
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
        return ticks(date.and_hms_opt(0, 0, 0)?, 0, 0, precision);
    }
    if !((at(10, b' ') || at(10, b'T')) && at(13, b':') && at(16, b':')) {
        return None;
    }
    let time = date.and_hms_opt(digits(11..13)?, digits(14..16)?, digits(17..19)?)?;
    let (nanoseconds, rest) = fraction(bytes.get(19..)?)?;
    ticks(time, nanoseconds, zone(rest)?, precision)
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

/// Seconds east of Greenwich of `Z`, `+08:00`, `+0800`, `+08` or nothing.
fn zone(bytes: &[u8]) -> Option<i64> {
    let (sign, rest) = match bytes.split_first() {
        None => return Some(0),
        Some((b'Z' | b'z', rest)) => return rest.is_empty().then_some(0),
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
    (hours <= 14 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
}

fn ticks(time: NaiveDateTime, nanoseconds: i64, east: i64, precision: Precision) -> Option<i64> {
    let seconds = time.and_utc().timestamp().checked_sub(east)?;
    seconds
        .checked_mul(precision.ticks_per_second())?
        .checked_add(nanoseconds / tick(precision))
}

/// What a time expression comes to; `now` is in nanoseconds.
pub(crate) fn evaluate(expr: &TimeExpr, sql: &str, precision: Precision, now: i64) -> Option<i64> {
    const DAY: i64 = 86_400_000_000_000;
    let mut time = match expr.base {
        TimeBase::Now => now.div_euclid(tick(precision)),
        TimeBase::Today => (now.div_euclid(DAY) * DAY) / tick(precision),
        TimeBase::Number(span) => span.of(sql).replace([' ', '+'], "").parse().ok()?,
        TimeBase::Text(span) => from_text(&unquote(span.of(sql)), precision)?,
    };
    for offset in &expr.offsets {
        time = step(time, *offset, precision)?;
    }
    Some(time)
}

/// A time text or a number in quotes.
pub(crate) fn from_text(text: &str, precision: Precision) -> Option<i64> {
    parse(text, precision).or_else(|| text.parse().ok())
}

fn step(time: i64, offset: TimeOffset, precision: Precision) -> Option<i64> {
    let months = match offset.unit {
        None => return time.checked_add(offset.value),
        Some(DurationUnit::Month) => offset.value,
        Some(DurationUnit::Year) => offset.value.checked_mul(12)?,
        Some(unit) => {
            let span = i128::from(unit.nanoseconds()?) * i128::from(offset.value)
                / i128::from(tick(precision));
            return time.checked_add(i64::try_from(span).ok()?);
        }
    };
    let per_second = precision.ticks_per_second();
    let start = DateTime::from_timestamp(time.div_euclid(per_second), 0)?;
    let count = Months::new(u32::try_from(months.unsigned_abs()).ok()?);
    let moved = if months < 0 {
        start.checked_sub_months(count)?
    } else {
        start.checked_add_months(count)?
    };
    moved
        .timestamp()
        .checked_mul(per_second)?
        .checked_add(time.rem_euclid(per_second))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_read_with_zone_and_cut_fraction() {
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
        let now = parse("2024-01-31 12:00:00.5", Precision::Nanosecond).unwrap();
        assert_eq!(
            evaluate(&expr, "", ms, now),
            parse("2024-02-29 12:00:00.5", ms)
        );
    }
}

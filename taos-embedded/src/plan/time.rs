//! Times as text, and calendar arithmetic. Without a zone all is UTC.

use chrono::{DateTime, Datelike, Days, Months, NaiveDate, NaiveDateTime, NaiveTime};
use chrono_tz::Tz;
use taos_query::common::Precision;

use super::zone;
use crate::sql::SqlError;

const NANOS: i64 = 1_000_000_000;

/// Nanoseconds of one tick.
pub(crate) const fn tick(precision: Precision) -> i64 {
    NANOS / precision.ticks_per_second()
}

/// Reads a time as conditions, functions and INSERT may write it (DIALECT §1); extra digits are cut off.
///
/// # Errors
/// 0x0100 if clocks of the zone show it twice or never.
pub(crate) fn parse_time(
    text: &str,
    precision: Precision,
    zone: Option<Tz>,
) -> Result<Option<i64>, SqlError> {
    let Some(read) = read(text) else {
        return Ok(None);
    };
    let seconds = match read.east {
        Some(east) => read.clock.and_utc().timestamp() - east,
        None => zone::seconds(read.clock, zone)?,
    };
    Ok(ticks(
        seconds,
        read.nanoseconds / tick(precision),
        precision,
    ))
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
        east: east(rest)?,
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

/// Seconds east of Greenwich of `Z`, `+08:00`, `+0800`, `+08`; the inner `None` for nothing.
fn east(bytes: &[u8]) -> Option<Option<i64>> {
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

pub(crate) fn ticks(seconds: i64, below: i64, precision: Precision) -> Option<i64> {
    seconds
        .checked_mul(precision.ticks_per_second())?
        .checked_add(below)
}

/// The moment of a tick count and the ticks below its second.
pub(crate) fn moment(at: i64, precision: Precision) -> Option<(NaiveDateTime, i64)> {
    let per_second = precision.ticks_per_second();
    let seconds = at.div_euclid(per_second);
    let moment = DateTime::from_timestamp(seconds, 0)?.naive_utc();
    Some((moment, at.rem_euclid(per_second)))
}

/// The same day and time so many months later; the last of the month if it has no such day.
pub(crate) fn add_months(
    at: i64,
    months: i64,
    precision: Precision,
    zone: Option<Tz>,
) -> Result<Option<i64>, SqlError> {
    let count = u32::try_from(months.unsigned_abs()).ok().map(Months::new);
    let (Some((moment, below)), Some(count)) = (moment(at, precision), count) else {
        return Ok(None);
    };
    let clock = zone::clock(moment, zone).ok_or_else(beyond)?;
    let moved = if months < 0 {
        clock.checked_sub_months(count)
    } else {
        clock.checked_add_months(count)
    };
    let moved = moved.ok_or_else(beyond)?;
    let moved = ticks(zone::seconds(moved, zone)?, below, precision);
    moved.map(Some).ok_or_else(beyond)
}

/// A month that no tick of the database's unit can name.
fn beyond() -> SqlError {
    SqlError::unsupported("a time beyond the range of the database's unit")
}

/// The beginning of the window of so many months that holds a time, counted from 1970.
pub(crate) fn floor_months(
    at: i64,
    months: i64,
    precision: Precision,
    zone: Option<Tz>,
) -> Result<Option<i64>, SqlError> {
    let first = moment(at, precision).and_then(|(moment, _)| {
        let clock = zone::clock(moment, zone)?;
        let index = i64::from(clock.year() - 1970) * 12 + i64::from(clock.month0());
        let start = index.div_euclid(months) * months;
        let year = i32::try_from(1970 + start.div_euclid(12)).ok()?;
        let month = u32::try_from(start.rem_euclid(12) + 1).ok()?;
        NaiveDate::from_ymd_opt(year, month, 1)
    });
    let first = first.ok_or_else(beyond)?.and_time(NaiveTime::MIN);
    let start = ticks(zone::seconds(first, zone)?, 0, precision);
    start.map(Some).ok_or_else(beyond)
}

/// Midnight before a time.
pub(crate) fn midnight(
    at: i64,
    precision: Precision,
    zone: Option<Tz>,
) -> Result<Option<i64>, SqlError> {
    match moment(at, precision) {
        Some((moment, _)) => {
            let midnight = zone::clock(moment, zone).ok_or_else(beyond)?;
            let midnight = midnight.date().and_time(NaiveTime::MIN);
            Ok(ticks(zone::seconds(midnight, zone)?, 0, precision))
        }
        None => Ok(None),
    }
}

/// RFC 3339 without a colon in the zone, as `to_iso8601` writes it.
pub(crate) fn iso8601(at: i64, precision: Precision, zone: Option<&str>) -> Option<String> {
    let offset = match zone {
        Some(zone) => east(zone.as_bytes())?.unwrap_or_default(),
        None => 0,
    };
    let (moment, below) = moment(at, precision)?;
    let moment = moment.checked_add_signed(chrono::TimeDelta::seconds(offset))?;
    let width = match precision {
        Precision::Millisecond => 3,
        Precision::Microsecond => 6,
        Precision::Nanosecond => 9,
    };
    Some(format!(
        "{}.{below:0width$}{}",
        moment.format("%Y-%m-%dT%H:%M:%S"),
        zone.unwrap_or("+0000")
    ))
}

/// Calendar numbers of a time, by the name of the function.
pub(crate) fn calendar(name: &str, at: i64, precision: Precision, zone: Option<Tz>) -> Option<i64> {
    let (moment, _) = moment(at, precision)?;
    let date = zone::clock(moment, zone)?.date();
    Some(match name {
        "weekday" => i64::from(date.weekday().num_days_from_monday()),
        "dayofweek" => i64::from(date.weekday().num_days_from_sunday()) + 1,
        "weekofyear" => i64::from(date.iso_week().week()),
        _ => return None,
    })
}

/// MySQL's `week(t, mode)`.
pub(crate) fn week(at: i64, mode: i64, precision: Precision, zone: Option<Tz>) -> Option<i64> {
    let date = zone::clock(moment(at, precision)?.0, zone)?.date();
    let monday_first = mode & 1 == 1;
    let with_year = mode & 2 == 2;
    let by_weekday = (mode & 4 == 4) == monday_first;
    let weekday = |date: NaiveDate| {
        if monday_first {
            date.weekday().num_days_from_monday()
        } else {
            date.weekday().num_days_from_sunday()
        }
    };
    // The first day of week 1 of a year.
    let first_week = |year: i32| {
        let first = NaiveDate::from_ymd_opt(year, 1, 1)?;
        let day = weekday(first);
        let belongs = if by_weekday { day == 0 } else { day <= 3 };
        if belongs {
            first.checked_sub_days(Days::new(u64::from(day)))
        } else {
            first.checked_add_days(Days::new(u64::from(7 - day)))
        }
    };
    let start = first_week(date.year())?;
    if date < start {
        if !with_year {
            return Some(0);
        }
        let before = first_week(date.year() - 1)?;
        return Some((date - before).num_days() / 7 + 1);
    }
    let next = first_week(date.year() + 1)?;
    if with_year && date >= next {
        return Some(1);
    }
    Some((date - start).num_days() / 7 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_with_fraction_and_zone() {
        let ms = |text: &str| parse_time(text, Precision::Millisecond, None).unwrap();
        let day = 1_704_067_200_000;
        assert_eq!(ms("2024-01-01"), Some(day));
        assert_eq!(ms("2024-01-01 00:00:01.2509"), Some(day + 1250));
        for same in [
            "00:00:00Z",
            "00:00:00z",
            "08:00:00+08:00",
            "08:00:00.0+0800",
            "08:00:00+08",
        ] {
            assert_eq!(ms(&format!("2024-01-01T{same}")), Some(day), "{same}");
            assert_eq!(ms(&format!("2024-01-01 {same}")), Some(day), "{same}");
        }
        assert_eq!(
            parse_time("2024-01-01 00:00:00.123456789", Precision::Nanosecond, None),
            Ok(Some(day * 1_000_000 + 123_456_789))
        );
        for bad in [
            "2024-02-30",
            "2024-01-01 00:00",
            "2024-01-01 25:00:00",
            "2024-01-01 00:00:00.",
            "2024-01-01t00:00:00",
            "2024-01-01 00:00:00+0:800",
            "2024-01-01 00:00:00+08:0:0",
            "2024-01-01 00:00:00+",
            "yesterday",
            "2024-01-0é",
        ] {
            assert_eq!(ms(bad), None, "{bad}");
        }
    }

    #[test]
    fn months_follow_the_calendar() {
        let ms = |text| parse_time(text, Precision::Millisecond, None).unwrap();
        let at = ms("2024-01-31 10:00:00").unwrap();
        let later = ms("2024-02-29 10:00:00");
        assert_eq!(add_months(at, 1, Precision::Millisecond, None), Ok(later));
        let first = ms("2024-01-01");
        assert_eq!(floor_months(at, 1, Precision::Millisecond, None), Ok(first));
    }
}

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

/// Reads a time as a condition may write it (DIALECT §1); extra digits are cut off.
///
/// # Errors
/// 0x0100 if clocks of the zone show it twice or never.
pub(crate) fn parse_time(
    text: &str,
    precision: Precision,
    zone: Option<Tz>,
) -> Result<Option<i64>, SqlError> {
    let Some((clock, nanos, offset)) = read(text) else {
        return Ok(None);
    };
    let seconds = match offset {
        Some(offset) => clock.and_utc().timestamp() - offset,
        None => zone::seconds(clock, zone)?,
    };
    Ok(ticks(seconds, nanos / tick(precision), precision))
}

/// What clocks show, nanoseconds below their second, and seconds east of Greenwich if they are given.
fn read(text: &str) -> Option<(NaiveDateTime, i64, Option<i64>)> {
    let (date, rest) = (text.get(..10)?, text.get(10..)?);
    let bytes = date.as_bytes();
    if bytes.get(4) != Some(&b'-') || bytes.get(7) != Some(&b'-') {
        return None;
    }
    let date = NaiveDate::from_ymd_opt(
        digits(date.get(..4)?)?,
        u32::try_from(digits(date.get(5..7)?)?).ok()?,
        u32::try_from(digits(date.get(8..)?)?).ok()?,
    )?;
    let Some(separator) = rest.chars().next() else {
        return Some((date.and_time(NaiveTime::MIN), 0, None));
    };
    if separator != ' ' && separator != 'T' && separator != 't' {
        return None;
    }
    let clock = rest.get(1..)?;
    let time = clock.get(..8)?;
    let colons = time.as_bytes().get(2) == Some(&b':') && time.as_bytes().get(5) == Some(&b':');
    if !colons {
        return None;
    }
    let time = NaiveTime::from_hms_opt(
        u32::try_from(digits(time.get(..2)?)?).ok()?,
        u32::try_from(digits(time.get(3..5)?)?).ok()?,
        u32::try_from(digits(time.get(6..)?)?).ok()?,
    )?;
    let (nanos, zone) = fraction(clock.get(8..)?)?;
    let offset = if zone.is_empty() {
        None
    } else {
        Some(zone_seconds(zone)?)
    };
    Some((date.and_time(time), nanos, offset))
}

fn digits(text: &str) -> Option<i32> {
    text.bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| text.parse().ok())?
}

/// The nanoseconds behind a point, and what follows them.
fn fraction(text: &str) -> Option<(i64, &str)> {
    let Some(rest) = text.strip_prefix('.') else {
        return Some((0, text));
    };
    let end = rest
        .find(|char: char| !char.is_ascii_digit())
        .unwrap_or(rest.len());
    if end == 0 {
        return None;
    }
    let mut nanos = 0;
    for at in 0..9 {
        let digit = rest.as_bytes().get(at).filter(|_| at < end);
        nanos = nanos * 10 + digit.map_or(0, |&byte| i64::from(byte - b'0'));
    }
    Some((nanos, rest.get(end..)?))
}

fn zone_seconds(zone: &str) -> Option<i64> {
    let sign = match zone.bytes().next() {
        None => return Some(0),
        Some(b'Z' | b'z') if zone.len() == 1 => return Some(0),
        Some(b'+') => 1,
        Some(b'-') => -1,
        Some(_) => return None,
    };
    let rest = zone.get(1..)?.replace(':', "");
    let hours = i64::from(digits(rest.get(..2)?)?);
    let minutes = match rest.get(2..)? {
        "" => 0,
        text if text.len() == 2 => i64::from(digits(text)?),
        _ => return None,
    };
    (hours <= 14 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
}

fn ticks(seconds: i64, below: i64, precision: Precision) -> Option<i64> {
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
    let clock = zone::clock(moment, zone);
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
        let clock = zone::clock(moment, zone);
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
            let midnight = zone::clock(moment, zone).date().and_time(NaiveTime::MIN);
            Ok(ticks(zone::seconds(midnight, zone)?, 0, precision))
        }
        None => Ok(None),
    }
}

/// RFC 3339 without a colon in the zone, as `to_iso8601` writes it.
pub(crate) fn iso8601(at: i64, precision: Precision, zone: Option<&str>) -> Option<String> {
    let offset = match zone {
        Some(zone) => zone_seconds(zone)?,
        None => 0,
    };
    let (moment, below) = moment(at, precision)?;
    let moment = moment + chrono::TimeDelta::seconds(offset);
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
pub(crate) fn calendar(name: &str, at: i64, precision: Precision) -> Option<i64> {
    let (moment, _) = moment(at, precision)?;
    let date = moment.date();
    Some(match name {
        "weekday" => i64::from(date.weekday().num_days_from_monday()),
        "dayofweek" => i64::from(date.weekday().num_days_from_sunday()) + 1,
        "weekofyear" => i64::from(date.iso_week().week()),
        _ => return None,
    })
}

/// MySQL's `week(t, mode)`.
pub(crate) fn week(at: i64, mode: i64, precision: Precision) -> Option<i64> {
    let date = moment(at, precision)?.0.date();
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
        let ms = |text| parse_time(text, Precision::Millisecond, None).unwrap();
        assert_eq!(ms("2024-01-01"), Some(1_704_067_200_000));
        assert_eq!(ms("2024-01-01 00:00:00.1239"), Some(1_704_067_200_123));
        assert_eq!(ms("2024-01-01T08:00:00+08:00"), Some(1_704_067_200_000));
        assert_eq!(ms("2024-02-30"), None);
        assert_eq!(ms("2024-01-01 00:00"), None);
        assert_eq!(ms("yesterday"), None);
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

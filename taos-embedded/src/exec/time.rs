//! Times of INSERT: texts, numbers, `now` and `today` with arithmetic (DIALECT §1, §10).

use chrono::{DateTime, Months, NaiveTime};
use chrono_tz::Tz;
use taos_query::common::Precision;

use super::values::Reading;
use crate::plan::{self, parse_time, tick};
use crate::sql::SqlError;
use crate::sql::ast::{DurationUnit, TimeBase, TimeExpr, TimeOffset};
use crate::sql::unquote;

/// What a time expression comes to.
///
/// # Errors
/// 0x0100 if clocks of the zone show it twice or never.
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
/// 0x0100 if clocks of the zone show it twice or never.
pub(crate) fn from_text(
    text: &str,
    precision: Precision,
    zone: Option<Tz>,
) -> Result<Option<i64>, SqlError> {
    Ok(parse_time(text, precision, zone)?.or_else(|| text.parse().ok()))
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
    fn a_number_in_quotes_is_a_time_of_insert() {
        let ms = Precision::Millisecond;
        assert_eq!(
            from_text("1704067200000", ms, None),
            Ok(Some(1_704_067_200_000))
        );
        assert_eq!(
            from_text("2024-01-01", ms, None),
            Ok(Some(1_704_067_200_000))
        );
        assert_eq!(parse_time("1704067200000", ms, None), Ok(None));
        assert_eq!(from_text("soon", ms, None), Ok(None));
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
        let parse = |text, precision| parse_time(text, precision, None).unwrap();
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

//! Times of INSERT: texts, numbers, `now` and `today` with arithmetic (DIALECT §1, §10).

use chrono::{DateTime, NaiveTime};
use chrono_tz::Tz;
use taos_query::common::Precision;

use super::values::Reading;
use crate::plan::{self, parse_time, tick};
use crate::sql::SqlError;
use crate::sql::ast::{Duration, TimeBase, TimeExpr};
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
        TimeBase::Text(span) => from_text(&unquote(span.of(sql)), *reading)?,
    };
    Ok(match (base, expr.offset) {
        (Some(time), Some(offset)) => step(time, offset, precision),
        (base, _) => base,
    })
}

/// The midnight of the zone before `now`, which is in nanoseconds.
fn midnight(now: i64, precision: Precision, zone: Option<Tz>) -> Result<Option<i64>, SqlError> {
    let Some(moment) = DateTime::from_timestamp(now.div_euclid(1_000_000_000), 0) else {
        return Ok(None);
    };
    let Some(clock) = plan::clock(moment.naive_utc(), zone) else {
        return Ok(None);
    };
    let seconds = plan::seconds(clock.date().and_time(NaiveTime::MIN), zone)?;
    Ok(seconds.checked_mul(precision.ticks_per_second()))
}

/// A time text, a number in quotes, `now` or `today`.
///
/// # Errors
/// 0x0100 if clocks of the zone show it twice or never.
pub(crate) fn from_text(
    text: &str,
    Reading {
        precision,
        now,
        zone,
        ..
    }: Reading<'_>,
) -> Result<Option<i64>, SqlError> {
    if text.eq_ignore_ascii_case("now") {
        return Ok(Some(now.div_euclid(tick(precision))));
    }
    if text.eq_ignore_ascii_case("today") {
        return midnight(now, precision, zone);
    }
    Ok(parse_time(text, precision, zone)?.or_else(|| text.parse().ok()))
}

fn step(time: i64, offset: Duration, precision: Precision) -> Option<i64> {
    let nanoseconds = i128::from(offset.unit.nanoseconds()?) * i128::from(offset.value);
    let span = i64::try_from(nanoseconds / i128::from(tick(precision))).ok()?;
    time.checked_add(span)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_in_quotes_is_a_time_of_insert() {
        let ms = Precision::Millisecond;
        let reading = Reading {
            sql: "",
            times: &[],
            precision: ms,
            now: 1_704_070_800_000_000_000,
            zone: None,
        };
        let read = |text| from_text(text, reading).unwrap();
        assert_eq!(read("1704067200000"), Some(1_704_067_200_000));
        assert_eq!(read("2024-01-01"), Some(1_704_067_200_000));
        assert_eq!(read("NOW"), Some(1_704_070_800_000));
        assert_eq!(read("today"), Some(1_704_067_200_000));
        assert_eq!(parse_time("1704067200000", ms, None), Ok(None));
        assert_eq!(read("soon"), None);
    }
}

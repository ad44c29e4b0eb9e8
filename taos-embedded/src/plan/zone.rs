//! The zone a connection chose for reading times and for calendar functions (taosadapter-ws §5.2).
//!
//! Where a zone changes its offset, the server's answers are not known: it takes the present offset for
//! some functions and the C library's choice for texts that a clock shows twice. Those are refused.

use chrono::{DateTime, NaiveDateTime, Offset, TimeZone};
use chrono_tz::{OffsetName, Tz};
use taos_query::common::Precision;

use crate::sql::SqlError;

/// `None` for zones that are UTC under any name.
pub(crate) fn effective(zone: Option<Tz>) -> Option<Tz> {
    const UTC: &[Tz] = &[
        Tz::UTC,
        Tz::UCT,
        Tz::Zulu,
        Tz::Universal,
        Tz::GMT,
        Tz::Greenwich,
        Tz::Etc__UTC,
        Tz::Etc__UCT,
        Tz::Etc__GMT,
        Tz::Etc__Universal,
        Tz::Etc__Zulu,
    ];
    zone.filter(|zone| !UTC.contains(zone))
}

/// Seconds since 1970 of what a clock of the zone shows.
pub(crate) fn seconds(clock: NaiveDateTime, zone: Option<Tz>) -> Result<i64, SqlError> {
    let Some(zone) = zone else {
        return Ok(clock.and_utc().timestamp());
    };
    let moment = zone.from_local_datetime(&clock).single();
    moment.map(|moment| moment.timestamp()).ok_or_else(|| {
        SqlError::unsupported(format!(
            "{clock} in {zone}, whose clocks show it twice or never"
        ))
    })
}

/// What a clock of the zone shows; `None` at the ends of the calendar.
pub(crate) fn clock(moment: NaiveDateTime, zone: Option<Tz>) -> Option<NaiveDateTime> {
    match zone {
        Some(zone) => moment.checked_add_offset(zone.offset_from_utc_datetime(&moment).fix()),
        None => Some(moment),
    }
}

/// Seconds east of Greenwich at a time; 0 for times that no calendar knows.
fn offset(zone: Tz, seconds: i64) -> i64 {
    DateTime::from_timestamp(seconds, 0).map_or(0, |moment| {
        let offset = zone.offset_from_utc_datetime(&moment.naive_utc());
        offset.fix().local_minus_utc().into()
    })
}

/// Seconds east of Greenwich, if they are now what they were at a tick.
///
/// # Errors
/// 0x0100 if they are not; `what` is named.
pub(crate) fn steady(
    zone: Tz,
    now: i64,
    at: i64,
    precision: Precision,
    what: &str,
) -> Result<i64, SqlError> {
    let present = offset(zone, now.div_euclid(1_000_000_000));
    if offset(zone, at.div_euclid(precision.ticks_per_second())) == present {
        return Ok(present);
    }
    Err(SqlError::unsupported(format!(
        "{what} of a time when {zone} had another offset than now"
    )))
}

/// `±HHMM`.
pub(crate) fn offset_text(seconds: i64) -> String {
    let sign = if seconds < 0 { '-' } else { '+' };
    let minutes = seconds.abs() / 60;
    format!("{sign}{:02}{:02}", minutes / 60, minutes % 60)
}

/// What `timezone()` says: `Asia/Tokyo (JST, +0900)`.
pub(crate) fn described(zone: Tz, now: i64) -> String {
    let seconds = now.div_euclid(1_000_000_000);
    let moment = DateTime::from_timestamp(seconds, 0).unwrap_or_default();
    let name = zone.offset_from_utc_datetime(&moment.naive_utc());
    format!(
        "{zone} ({}, {})",
        name.abbreviation().unwrap_or("UTC"),
        offset_text(offset(zone, seconds))
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::time::parse_time;

    const NOW: i64 = 1_700_000_000_000_000_000;

    #[test]
    fn a_text_without_an_offset_is_the_time_of_the_zones_clocks() {
        let read = |text, zone| parse_time(text, Precision::Millisecond, Some(zone));
        let shanghai = read("2024-01-01 08:00:00", Tz::Asia__Shanghai);
        assert_eq!(shanghai, Ok(Some(1_704_067_200_000)));
        let summer = read("2024-07-01 02:00:00.5", Tz::Europe__Berlin);
        assert_eq!(summer, Ok(Some(1_719_792_000_500)));
        let winter = read("2024-01-01 01:00:00", Tz::Europe__Berlin);
        assert_eq!(winter, Ok(Some(1_704_067_200_000)));
        let fixed = read("2024-01-01T00:00:00Z", Tz::Europe__Berlin);
        assert_eq!(fixed, Ok(Some(1_704_067_200_000)));
        for text in ["2024-03-31 02:30:00", "2024-10-27 02:30:00"] {
            let error = read(text, Tz::Europe__Berlin).unwrap_err();
            assert_eq!(error.code, 0x0100, "{error}");
        }
    }

    #[test]
    fn offsets_that_changed_since_are_refused() {
        let at = |at| {
            steady(
                Tz::Europe__Berlin,
                NOW,
                at,
                Precision::Millisecond,
                "a window",
            )
        };
        assert_eq!(at(1_704_067_200_000), Ok(3600));
        assert_eq!(at(1_719_792_000_000).unwrap_err().code, 0x0100);
    }

    #[test]
    fn a_zone_is_described_as_the_server_does() {
        assert_eq!(described(Tz::Asia__Tokyo, NOW), "Asia/Tokyo (JST, +0900)");
        assert_eq!(described(Tz::UTC, NOW), "UTC (UTC, +0000)");
        assert_eq!(effective(Some(Tz::Etc__UTC)), None);
        assert_eq!(effective(Some(Tz::Asia__Tokyo)), Some(Tz::Asia__Tokyo));
    }
}

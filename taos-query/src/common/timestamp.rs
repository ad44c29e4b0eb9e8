use std::fmt;

use chrono::{DateTime, Local, NaiveDateTime, TimeZone, Utc};
use serde::{Deserialize, Serialize};

use super::Precision;

/// A point in time as ticks since the Unix epoch, in the unit of its database.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Timestamp {
    /// Milliseconds since the epoch.
    Milliseconds(i64),
    /// Microseconds since the epoch.
    Microseconds(i64),
    /// Nanoseconds since the epoch.
    Nanoseconds(i64),
}

impl Timestamp {
    /// `raw` ticks of `precision`.
    pub const fn new(raw: i64, precision: Precision) -> Self {
        match precision {
            Precision::Millisecond => Self::Milliseconds(raw),
            Precision::Microsecond => Self::Microseconds(raw),
            Precision::Nanosecond => Self::Nanoseconds(raw),
        }
    }

    /// The unit of the ticks.
    pub const fn precision(&self) -> Precision {
        match self {
            Self::Milliseconds(_) => Precision::Millisecond,
            Self::Microseconds(_) => Precision::Microsecond,
            Self::Nanoseconds(_) => Precision::Nanosecond,
        }
    }

    /// The ticks.
    pub const fn as_raw_i64(&self) -> i64 {
        match self {
            Self::Milliseconds(raw) | Self::Microseconds(raw) | Self::Nanoseconds(raw) => *raw,
        }
    }

    fn to_utc(self) -> DateTime<Utc> {
        let raw = self.as_raw_i64();
        let time = match self {
            Self::Milliseconds(_) => DateTime::from_timestamp_millis(raw),
            Self::Microseconds(_) => DateTime::from_timestamp_micros(raw),
            Self::Nanoseconds(_) => Some(DateTime::from_timestamp_nanos(raw)),
        };
        let limit = if raw < 0 {
            DateTime::<Utc>::MIN_UTC
        } else {
            DateTime::<Utc>::MAX_UTC
        };
        time.unwrap_or(limit)
    }

    /// The date and time in UTC; times beyond chrono's years are cut to its first or last instant.
    pub fn to_naive_datetime(&self) -> NaiveDateTime {
        self.to_utc().naive_utc()
    }

    /// The date and time in the machine's zone.
    pub fn to_datetime_with_tz(&self) -> DateTime<Local> {
        self.to_datetime_with_custom_tz(&Local)
    }

    /// The date and time in a zone.
    pub fn to_datetime_with_custom_tz<Z: TimeZone>(&self, zone: &Z) -> DateTime<Z> {
        // A wall clock beyond chrono's last year cannot be shown, so the edge keeps a day's room.
        let utc = self.to_naive_datetime().clamp(
            NaiveDateTime::MIN + chrono::Duration::days(1),
            NaiveDateTime::MAX - chrono::Duration::days(1),
        );
        zone.from_utc_datetime(&utc)
    }

    /// The same time in another unit: cut off towards the past, and stopped at the ends of `i64`.
    #[must_use]
    pub fn cast_precision(&self, precision: Precision) -> Self {
        let (from, to) = (
            self.precision().ticks_per_second(),
            precision.ticks_per_second(),
        );
        let raw = self.as_raw_i64();
        let raw = if to >= from {
            raw.saturating_mul(to / from)
        } else {
            raw.div_euclid(from / to)
        };
        Self::new(raw, precision)
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.to_naive_datetime(), f)
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339 in the machine's zone.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_datetime_with_tz().to_rfc3339())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn casts_between_units_floor_and_saturate() {
        let ms = Timestamp::new(-1, Precision::Millisecond);
        assert_eq!(
            ms.cast_precision(Precision::Nanosecond).as_raw_i64(),
            -1_000_000
        );
        let us = Timestamp::Microseconds(-1);
        assert_eq!(us.cast_precision(Precision::Millisecond).as_raw_i64(), -1);
        assert_eq!(
            Timestamp::Milliseconds(i64::MAX)
                .cast_precision(Precision::Nanosecond)
                .as_raw_i64(),
            i64::MAX
        );
    }

    #[test]
    fn times_beyond_the_calendar_do_not_panic() {
        for raw in [i64::MIN, i64::MAX, 0] {
            for precision in [
                Precision::Millisecond,
                Precision::Microsecond,
                Precision::Nanosecond,
            ] {
                let time = Timestamp::new(raw, precision);
                assert!(!time.to_string().is_empty());
                assert!(!format!("{time:?}").is_empty());
            }
        }
        assert_eq!(
            format!("{:?}", Timestamp::Milliseconds(1_700_000_000_123)),
            "2023-11-14T22:13:20.123"
        );
    }
}

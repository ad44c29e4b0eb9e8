//! Times as text into ticks.

use chrono::{DateTime, Local, NaiveDate, NaiveDateTime, NaiveTime, TimeZone, Utc};
use chrono_tz::Tz;

use super::refusal::Refusal;
use crate::common::{Precision, Timestamp};

/// What a column of times needs to know beside the value.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    /// The unit of the database.
    pub(super) precision: Precision,
    /// The zone of texts without an offset; `None` is the machine's.
    pub(super) zone: Option<Tz>,
}

impl Clock {
    /// The ticks of a time given as RFC 3339, or as date and time or a date of this clock's zone.
    pub(super) fn read(&self, text: &str) -> Result<i64, Refusal> {
        let time = DateTime::parse_from_rfc3339(text)
            .ok()
            .map(|time| time.to_utc())
            .or_else(|| self.on_the_wall(text))
            .ok_or_else(|| {
                Refusal::new(format_args!(
                    "`{text}` is not a time such as 2023-11-14T22:13:20Z"
                ))
            })?;
        self.ticks_of(time)
    }

    /// Ticks of another unit in this one, cut off towards the past.
    pub(super) fn cast(&self, time: Timestamp) -> Result<i64, Refusal> {
        let raw = time.cast_precision(self.precision).as_raw_i64();
        if matches!(raw, i64::MIN | i64::MAX) && raw != time.as_raw_i64() {
            return Err(self.outside(format_args!("{time:?}")));
        }
        Ok(raw)
    }

    fn ticks_of(&self, time: DateTime<Utc>) -> Result<i64, Refusal> {
        let per_second = self.precision.ticks_per_second();
        let fraction = i64::from(time.timestamp_subsec_nanos()) / (1_000_000_000 / per_second);
        time.timestamp()
            .checked_mul(per_second)
            .and_then(|ticks| ticks.checked_add(fraction))
            .ok_or_else(|| self.outside(format_args!("{time}")))
    }

    fn outside(&self, time: std::fmt::Arguments<'_>) -> Refusal {
        Refusal::new(format_args!(
            "the time {time} is outside what {} since 1970 can say",
            self.precision
        ))
    }

    fn on_the_wall(&self, text: &str) -> Option<DateTime<Utc>> {
        let naive = text
            .parse::<NaiveDateTime>()
            .or_else(|_| NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f"))
            .or_else(|_| {
                text.parse::<NaiveDate>()
                    .map(|date| date.and_time(NaiveTime::MIN))
            })
            .ok()?;
        // A clock set back shows an hour twice; the first is meant, as servers read it.
        match self.zone {
            Some(zone) => zone
                .from_local_datetime(&naive)
                .earliest()
                .map(|time| time.to_utc()),
            None => Local
                .from_local_datetime(&naive)
                .earliest()
                .map(|time| time.to_utc()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_zones_and_bare_dates_are_read_and_nonsense_is_refused() {
        let clock = Clock {
            precision: Precision::Microsecond,
            zone: Some(Tz::Asia__Tokyo),
        };
        let read = |text: &str| clock.read(text).ok();
        assert_eq!(read("1970-01-01T00:00:01.5Z"), Some(1_500_000));
        assert_eq!(read("1970-01-01T09:00:00+09:00"), Some(0));
        assert_eq!(read("1970-01-01T09:00:00.000001"), Some(1));
        assert_eq!(read("1970-01-01 09:00:00"), Some(0));
        assert_eq!(read("1970-01-02"), Some(15 * 3_600 * 1_000_000));
        assert_eq!(read("1969-12-31T23:59:59.9999999Z"), Some(-1));
        assert_eq!(read("yesterday"), None);
    }

    #[test]
    fn a_time_beyond_the_unit_is_refused_rather_than_cut() {
        let clock = Clock {
            precision: Precision::Nanosecond,
            zone: None,
        };
        assert!(clock.read("2300-01-01T00:00:00Z").is_err());
        assert!(clock.cast(Timestamp::Milliseconds(i64::MAX / 10)).is_err());
        assert_eq!(clock.cast(Timestamp::Milliseconds(-1)).unwrap(), -1_000_000);
    }
}

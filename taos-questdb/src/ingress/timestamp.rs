//! Points in time as the wire carries them: microseconds or nanoseconds since 1970 (questdb §3.4).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use chrono::{DateTime, TimeZone};

use crate::error::{Error, Result, error};

/// Microseconds since 1970-01-01 00:00 UTC.
///
/// ```
/// use taos_questdb::ingress::{TimestampMicros, TimestampNanos};
///
/// let micros = TimestampMicros::from(TimestampNanos::new(1_999));
/// assert_eq!(micros.as_i64(), 1);
/// let day = chrono::DateTime::from_timestamp(86_400, 0).unwrap_or_default();
/// assert_eq!(TimestampMicros::from_datetime(day).as_i64(), 86_400_000_000);
/// ```
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TimestampMicros(i64);

/// Nanoseconds since 1970-01-01 00:00 UTC: the years 1677 to 2262.
///
/// ```
/// use taos_questdb::ingress::{TimestampMicros, TimestampNanos};
///
/// let nanos = TimestampNanos::try_from(TimestampMicros::new(2))?;
/// assert_eq!(nanos.as_i64(), 2_000);
/// assert!(TimestampNanos::try_from(TimestampMicros::new(i64::MAX)).is_err());
/// # taos_questdb::Result::Ok(())
/// ```
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TimestampNanos(i64);

/// A point in time with its unit.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub enum Timestamp {
    /// Microseconds since 1970.
    Micros(TimestampMicros),
    /// Nanoseconds since 1970.
    Nanos(TimestampNanos),
}

impl TimestampMicros {
    /// The time of this machine's clock.
    pub fn now() -> Self {
        Self(saturating(SystemTime::now(), |d| d.as_micros()))
    }

    /// This many microseconds since 1970.
    #[inline]
    pub const fn new(micros: i64) -> Self {
        Self(micros)
    }

    /// A date and time of the chrono crate, cut to microseconds.
    pub fn from_datetime<T: TimeZone>(dt: DateTime<T>) -> Self {
        Self(dt.timestamp_micros())
    }

    /// A time of the operating system, cut to microseconds.
    ///
    /// # Errors
    /// `InvalidTimestamp` when it is too far from 1970 for 64 bits.
    pub fn from_systemtime(time: SystemTime) -> Result<Self> {
        convert(time, |d| d.as_micros()).map(Self)
    }

    /// Microseconds since 1970.
    #[inline]
    pub const fn as_i64(&self) -> i64 {
        self.0
    }
}

impl TimestampNanos {
    /// The time of this machine's clock.
    pub fn now() -> Self {
        Self(saturating(SystemTime::now(), |d| d.as_nanos()))
    }

    /// This many nanoseconds since 1970.
    #[inline]
    pub const fn new(nanos: i64) -> Self {
        Self(nanos)
    }

    /// A date and time of the chrono crate.
    ///
    /// # Errors
    /// `InvalidTimestamp` outside the years 1677 to 2262.
    pub fn from_datetime<T: TimeZone>(dt: DateTime<T>) -> Result<Self> {
        dt.timestamp_nanos_opt()
            .map(Self)
            .ok_or_else(|| error!(InvalidTimestamp, "{dt:?} is out of range for nanoseconds"))
    }

    /// A time of the operating system.
    ///
    /// # Errors
    /// `InvalidTimestamp` outside the years 1677 to 2262.
    pub fn from_systemtime(time: SystemTime) -> Result<Self> {
        convert(time, |d| d.as_nanos()).map(Self)
    }

    /// Nanoseconds since 1970.
    #[inline]
    pub const fn as_i64(&self) -> i64 {
        self.0
    }
}

fn units(time: SystemTime, count: impl Fn(&Duration) -> u128) -> Option<i64> {
    match time.duration_since(UNIX_EPOCH) {
        Ok(after) => i64::try_from(count(&after)).ok(),
        Err(before) => i64::try_from(count(&before.duration())).ok().map(|n| -n),
    }
}

fn convert(time: SystemTime, count: impl Fn(&Duration) -> u128) -> Result<i64> {
    units(time, count).ok_or_else(|| error!(InvalidTimestamp, "{time:?} is out of range"))
}

fn saturating(time: SystemTime, count: impl Fn(&Duration) -> u128) -> i64 {
    units(time, count).unwrap_or(i64::MAX)
}

impl TryFrom<TimestampMicros> for TimestampNanos {
    type Error = Error;

    fn try_from(ts: TimestampMicros) -> Result<Self> {
        ts.0.checked_mul(1000).map(Self).ok_or_else(|| {
            error!(
                InvalidTimestamp,
                "{} microseconds are out of range for nanoseconds", ts.0
            )
        })
    }
}

/// Cuts towards 1970.
impl From<TimestampNanos> for TimestampMicros {
    #[inline]
    fn from(ts: TimestampNanos) -> Self {
        Self(ts.0 / 1000)
    }
}

impl From<TimestampMicros> for Timestamp {
    #[inline]
    fn from(ts: TimestampMicros) -> Self {
        Self::Micros(ts)
    }
}

impl From<TimestampNanos> for Timestamp {
    #[inline]
    fn from(ts: TimestampNanos) -> Self {
        Self::Nanos(ts)
    }
}

impl TryFrom<Timestamp> for TimestampMicros {
    type Error = Error;

    fn try_from(ts: Timestamp) -> Result<Self> {
        Ok(match ts {
            Timestamp::Micros(ts) => ts,
            Timestamp::Nanos(ts) => ts.into(),
        })
    }
}

impl TryFrom<Timestamp> for TimestampNanos {
    type Error = Error;

    fn try_from(ts: Timestamp) -> Result<Self> {
        match ts {
            Timestamp::Micros(ts) => ts.try_into(),
            Timestamp::Nanos(ts) => Ok(ts),
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, NaiveDate};

    use super::*;
    use crate::ErrorCode;

    #[test]
    fn times_of_the_system_lie_on_both_sides_of_1970() {
        let step = Duration::new(2, 3_004);
        for (time, sign) in [(UNIX_EPOCH + step, 1), (UNIX_EPOCH - step, -1)] {
            let nanos = TimestampNanos::from_systemtime(time).unwrap();
            assert_eq!(nanos.as_i64(), sign * 2_000_003_004);
            let micros = TimestampMicros::from_systemtime(time).unwrap();
            assert_eq!(micros.as_i64(), sign * 2_000_003);
        }
        let far = UNIX_EPOCH + Duration::from_secs(1 << 40);
        let error = TimestampNanos::from_systemtime(far).unwrap_err();
        assert_eq!(error.code(), ErrorCode::InvalidTimestamp);
        assert!(TimestampMicros::from_systemtime(far).is_ok());
    }

    #[test]
    fn now_lies_between_two_looks_at_the_clock() {
        let before = TimestampNanos::from_systemtime(SystemTime::now()).unwrap();
        let (nanos, micros) = (TimestampNanos::now(), TimestampMicros::now());
        let after = TimestampNanos::from_systemtime(SystemTime::now()).unwrap();
        assert!(before <= nanos && nanos <= after);
        assert!(TimestampMicros::from(before) <= micros && micros <= after.into());
    }

    #[test]
    fn dates_beyond_nanoseconds_are_refused_by_nanoseconds_only() {
        let far = NaiveDate::from_ymd_opt(2500, 1, 1).unwrap();
        let far = far.and_hms_opt(0, 0, 0).unwrap().and_utc();
        let error = TimestampNanos::from_datetime(far).unwrap_err();
        assert_eq!(error.code(), ErrorCode::InvalidTimestamp);
        assert!(error.msg().contains("2500"), "{error}");
        assert_eq!(
            TimestampMicros::from_datetime(far).as_i64(),
            16_725_225_600_000_000
        );
        let near = DateTime::from_timestamp_nanos(-1);
        assert_eq!(TimestampNanos::from_datetime(near).unwrap().as_i64(), -1);
    }

    #[test]
    fn units_convert_where_they_can() {
        let micros = Timestamp::from(TimestampMicros::new(7));
        assert_eq!(TimestampNanos::try_from(micros).unwrap().as_i64(), 7_000);
        assert_eq!(TimestampMicros::try_from(micros).unwrap().as_i64(), 7);
        let nanos = Timestamp::from(TimestampNanos::new(-7_999));
        assert_eq!(TimestampMicros::try_from(nanos).unwrap().as_i64(), -7);
        assert_eq!(TimestampNanos::try_from(nanos).unwrap().as_i64(), -7_999);
        let far = Timestamp::from(TimestampMicros::new(i64::MIN));
        let error = TimestampNanos::try_from(far).unwrap_err();
        assert_eq!(error.code(), ErrorCode::InvalidTimestamp);
        assert!(error.msg().contains(&i64::MIN.to_string()), "{error}");
    }
}

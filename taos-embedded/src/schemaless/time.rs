//! Times of points, in ticks of the database.

use taos_query::common::Precision;

use super::bad::{INVALID_TIME, near};
use crate::plan::tick;
use crate::sql::SqlError;

/// The unit that a payload's times are said to have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    Hour,
    Minute,
    Second,
    Milli,
    Micro,
    Nano,
}

impl Unit {
    /// The unit by its name on the wire. Others, `us` among them, are none at all, and lines without a
    /// unit have nanoseconds.
    pub(crate) fn of(name: &str) -> Self {
        match name {
            "h" => Self::Hour,
            "m" => Self::Minute,
            "s" => Self::Second,
            "ms" => Self::Milli,
            "u" | "\u{3bc}" => Self::Micro,
            _ => Self::Nano,
        }
    }

    const fn nanoseconds(self) -> i64 {
        match self {
            Self::Hour => 3_600_000_000_000,
            Self::Minute => 60_000_000_000,
            Self::Second => 1_000_000_000,
            Self::Milli => 1_000_000,
            Self::Micro => 1_000,
            Self::Nano => 1,
        }
    }
}

/// What times are made of.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    /// Of the database.
    pub(super) precision: Precision,
    /// Nanoseconds since 1970.
    pub(super) now: i64,
}

fn invalid(text: &str) -> SqlError {
    near(INVALID_TIME, "Invalid timestamp format", text)
}

impl Clock {
    /// The present.
    pub(super) fn now(self) -> i64 {
        self.now.div_euclid(tick(self.precision))
    }

    /// A time of `unit`; `shown` is its text for the error.
    pub(super) fn ticks(self, time: i64, unit: Unit, shown: &str) -> Result<i64, SqlError> {
        let nanoseconds = i128::from(time) * i128::from(unit.nanoseconds());
        match i64::try_from(nanoseconds / i128::from(tick(self.precision))) {
            Ok(ticks) if time > 0 => Ok(ticks),
            _ => Err(invalid(shown)),
        }
    }

    /// A time of a line: nothing and zero are the present.
    pub(super) fn of_line(self, text: &str, unit: Unit) -> Result<i64, SqlError> {
        if matches!(text, "" | "0") {
            return Ok(self.now());
        }
        let time = text.parse().map_err(|_| invalid(text))?;
        self.ticks(time, unit, text)
    }

    /// A time that tells its unit by the number of its digits: ten are seconds, thirteen milliseconds.
    pub(super) fn by_digits(self, text: &str) -> Result<i64, SqlError> {
        let unit = match text.len() {
            10 => Unit::Second,
            13 => Unit::Milli,
            1 if text == "0" => return Ok(self.now()),
            _ => {
                return Err(near(
                    INVALID_TIME,
                    "a timestamp has ten digits for seconds or thirteen for milliseconds",
                    text,
                ));
            }
        };
        let time = text.parse().map_err(|_| invalid(text))?;
        self.ticks(time, unit, text)
    }
}

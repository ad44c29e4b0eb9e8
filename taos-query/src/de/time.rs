//! Timestamps as text, without the allocations of the general formatter.

use chrono::{Datelike, Local, NaiveDateTime, Offset, SecondsFormat, TimeZone, Timelike, Utc};
use chrono_tz::Tz;

use crate::common::Timestamp;

/// Longest text: `2023-11-14T22:13:20.123456789+08:00`.
const MAX_LEN: usize = 35;

/// Text on the stack.
pub(super) struct TimeText {
    bytes: [u8; MAX_LEN],
    len: usize,
    /// Years outside four digits are rare enough for the general formatter.
    long: Option<String>,
}

/// What the target understands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// RFC 3339 with an offset.
    Full,
    /// Date and time of the zone's wall clock.
    DateTime,
    /// The date alone.
    Date,
    /// The time of day alone.
    Time,
}

impl Form {
    /// chrono's types all ask for a string; only their visitors' names tell which they are.
    pub(super) fn of_visitor<V>() -> Self {
        let name = std::any::type_name::<V>();
        if name.ends_with("NaiveDateTimeVisitor") {
            Self::DateTime
        } else if name.ends_with("NaiveDateVisitor") {
            Self::Date
        } else if name.ends_with("NaiveTimeVisitor") {
            Self::Time
        } else {
            Self::Full
        }
    }
}

impl TimeText {
    pub(super) fn as_str(&self) -> &str {
        match &self.long {
            Some(text) => text,
            None => self
                .bytes
                .get(..self.len)
                .and_then(|bytes| std::str::from_utf8(bytes).ok())
                .unwrap_or_default(),
        }
    }

    fn push(&mut self, byte: u8) {
        if let Some(slot) = self.bytes.get_mut(self.len) {
            *slot = byte;
            self.len += 1;
        }
    }

    /// The last `N` decimal digits of `value`.
    fn digits<const N: usize>(&mut self, mut value: u32) {
        if let Some(slots) = self
            .bytes
            .get_mut(self.len..)
            .and_then(|rest| rest.first_chunk_mut::<N>())
        {
            for slot in slots.iter_mut().rev() {
                *slot = b'0' + u8::try_from(value % 10).unwrap_or_default();
                value /= 10;
            }
            self.len += N;
        }
    }

    fn date(&mut self, time: NaiveDateTime) {
        self.digits::<4>(u32::try_from(time.year()).unwrap_or_default());
        self.push(b'-');
        self.digits::<2>(time.month());
        self.push(b'-');
        self.digits::<2>(time.day());
    }

    fn clock(&mut self, time: NaiveDateTime) {
        self.digits::<2>(time.hour());
        self.push(b':');
        self.digits::<2>(time.minute());
        self.push(b':');
        self.digits::<2>(time.second());
        let nanos = time.nanosecond();
        if nanos == 0 {
            return;
        }
        self.push(b'.');
        if nanos.is_multiple_of(1_000_000) {
            self.digits::<3>(nanos / 1_000_000);
        } else if nanos.is_multiple_of(1_000) {
            self.digits::<6>(nanos / 1_000);
        } else {
            self.digits::<9>(nanos);
        }
    }

    fn offset(&mut self, seconds: i32) {
        self.push(if seconds < 0 { b'-' } else { b'+' });
        let minutes = (seconds.unsigned_abs() + 30) / 60;
        self.digits::<2>(minutes / 60);
        self.push(b':');
        self.digits::<2>(minutes % 60);
    }
}

/// Seconds between UTC and the wall clock of a zone, the machine's if none is given.
fn offset_seconds(utc: &NaiveDateTime, zone: Option<Tz>) -> i32 {
    match zone {
        Some(Tz::UTC) => 0,
        Some(zone) => zone.offset_from_utc_datetime(utc).fix().local_minus_utc(),
        None => Local.offset_from_utc_datetime(utc).fix().local_minus_utc(),
    }
}

/// A time as text of the given form in a zone, the machine's if none is given.
pub(super) fn format(time: Timestamp, zone: Option<Tz>, form: Form) -> TimeText {
    let utc = time.to_datetime_with_custom_tz(&Utc).naive_utc();
    let seconds = offset_seconds(&utc, zone);
    let wall = utc + chrono::Duration::seconds(seconds.into());
    let mut text = TimeText {
        bytes: [0; MAX_LEN],
        len: 0,
        long: None,
    };
    if !(0..=9999).contains(&wall.year()) {
        text.long = Some(match form {
            Form::Full => match zone {
                Some(zone) => time
                    .to_datetime_with_custom_tz(&zone)
                    .to_rfc3339_opts(SecondsFormat::AutoSi, false),
                None => time.to_datetime_with_tz().to_rfc3339(),
            },
            Form::DateTime => format!("{wall:?}"),
            Form::Date => format!("{:?}", wall.date()),
            Form::Time => format!("{:?}", wall.time()),
        });
        return text;
    }
    if form != Form::Time {
        text.date(wall);
    }
    if matches!(form, Form::Full | Form::DateTime) {
        text.push(b'T');
    }
    if form != Form::Date {
        text.clock(wall);
    }
    if form == Form::Full {
        text.offset(seconds);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::common::Precision;

    #[test]
    fn text_equals_that_of_the_general_formatter() {
        for raw in [
            0,
            -1,
            1,
            1_700_000_000_123,
            -62_167_219_200_000,
            253_402_300_799_999,
            i64::MAX,
        ] {
            for zone in [Tz::UTC, Tz::Asia__Shanghai, Tz::America__St_Johns] {
                let time = Timestamp::new(raw, Precision::Millisecond);
                assert_eq!(
                    format(time, Some(zone), Form::Full).as_str(),
                    time.to_datetime_with_custom_tz(&zone).to_rfc3339(),
                    "{raw} in {zone}"
                );
            }
        }
        let nanos = Timestamp::Nanoseconds(1_700_000_000_000_000_001);
        assert_eq!(
            format(nanos, Some(Tz::Asia__Tokyo), Form::DateTime).as_str(),
            "2023-11-15T07:13:20.000000001"
        );
        assert_eq!(
            format(nanos, Some(Tz::UTC), Form::Date).as_str(),
            "2023-11-14"
        );
        assert_eq!(
            format(nanos, None, Form::Full).as_str(),
            nanos.to_datetime_with_tz().to_rfc3339()
        );
    }
}

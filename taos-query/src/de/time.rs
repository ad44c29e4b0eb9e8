//! Timestamps as text, without the allocations of the general formatter.

use std::cell::Cell;

use chrono::{DateTime, Local, Offset, SecondsFormat, TimeZone};
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

    fn date(&mut self, (year, month, day): (u32, u32, u32)) {
        self.digits::<4>(year);
        self.push(b'-');
        self.digits::<2>(month);
        self.push(b'-');
        self.digits::<2>(day);
    }

    fn clock(&mut self, second_of_day: u32, nanos: u32) {
        self.digits::<2>(second_of_day / 3_600);
        self.push(b':');
        self.digits::<2>(second_of_day / 60 % 60);
        self.push(b':');
        self.digits::<2>(second_of_day % 60);
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

/// Seconds of a window in which a zone's offset is looked up only at both ends. No zone changes
/// its offset and back within it.
const WINDOW: i64 = 6 * 3_600;

/// Uses of a remembered offset before the machine's zone is asked again; it may be set anew.
const MAX_USES: u16 = 4_096;

/// The offset of one zone in one window.
#[derive(Clone, Copy)]
struct Remembered {
    zone: Option<Tz>,
    window: i64,
    seconds: i32,
    uses: u16,
}

thread_local! {
    static OFFSET: Cell<Option<Remembered>> = const { Cell::new(None) };
}

/// Seconds between UTC and the wall clock of a zone, the machine's if none is given.
fn offset_seconds(utc: i64, zone: Option<Tz>) -> i32 {
    if zone == Some(Tz::UTC) {
        return 0;
    }
    let window = utc.div_euclid(WINDOW);
    if let Some(known) = OFFSET.get()
        && known.window == window
        && known.zone == zone
        && known.uses < MAX_USES
    {
        OFFSET.set(Some(Remembered {
            uses: known.uses + 1,
            ..known
        }));
        return known.seconds;
    }
    let ends = [window * WINDOW, window * WINDOW + WINDOW - 1].map(|end| look_up(end, zone));
    if let [Some(first), Some(last)] = ends
        && first == last
    {
        OFFSET.set(Some(Remembered {
            zone,
            window,
            seconds: first,
            uses: 0,
        }));
        return first;
    }
    look_up(utc, zone).unwrap_or_default()
}

fn look_up(utc: i64, zone: Option<Tz>) -> Option<i32> {
    let utc = DateTime::from_timestamp(utc, 0)?.naive_utc();
    Some(match zone {
        Some(zone) => zone.offset_from_utc_datetime(&utc).fix().local_minus_utc(),
        None => Local.offset_from_utc_datetime(&utc).fix().local_minus_utc(),
    })
}

/// Seconds since the epoch at which years of four digits begin and end.
const FOUR_DIGITS: std::ops::Range<i64> = -62_167_219_200..253_402_300_800;

/// Year, month and day of a day counted from the epoch, for years of four digits.
///
/// Counts from 0000-03-01, so that the leap day is the last of a year; 146,097 days make four
/// centuries.
fn civil(day: i64) -> (u32, u32, u32) {
    let day = u32::try_from(day + 719_468 + 146_097).unwrap_or_default();
    let (era, day) = (day / 146_097, day % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let date = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = (year + 400 * era + u32::from(month <= 2)).saturating_sub(400);
    (year, month, date)
}

/// A time as text of the given form in a zone, the machine's if none is given.
pub(super) fn format(time: Timestamp, zone: Option<Tz>, form: Form) -> TimeText {
    let mut text = TimeText {
        bytes: [0; MAX_LEN],
        len: 0,
        long: None,
    };
    let ticks = time.precision().ticks_per_second();
    let utc = time.as_raw_i64().div_euclid(ticks);
    // A day's room at each end, so that the wall clock has four digits too.
    if !(FOUR_DIGITS.start + 86_400..FOUR_DIGITS.end - 86_400).contains(&utc) {
        text.long = Some(long(time, zone, form));
        return text;
    }
    let fraction = time.as_raw_i64().rem_euclid(ticks) * (1_000_000_000 / ticks);
    let nanos = u32::try_from(fraction).unwrap_or_default();
    let offset = offset_seconds(utc, zone);
    let wall = utc + i64::from(offset);
    if form != Form::Time {
        text.date(civil(wall.div_euclid(86_400)));
    }
    if matches!(form, Form::Full | Form::DateTime) {
        text.push(b'T');
    }
    if form != Form::Date {
        let second = u32::try_from(wall.rem_euclid(86_400)).unwrap_or_default();
        text.clock(second, nanos);
    }
    if form == Form::Full {
        text.offset(offset);
    }
    text
}

/// The general formatter.
#[cold]
fn long(time: Timestamp, zone: Option<Tz>, form: Form) -> String {
    let (full, wall) = match zone {
        Some(zone) => {
            let time = time.to_datetime_with_custom_tz(&zone);
            let full = time.to_rfc3339_opts(SecondsFormat::AutoSi, false);
            (full, time.naive_local())
        }
        None => {
            let time = time.to_datetime_with_tz();
            (time.to_rfc3339(), time.naive_local())
        }
    };
    match form {
        Form::Full => full,
        Form::DateTime => format!("{wall:?}"),
        Form::Date => format!("{:?}", wall.date()),
        Form::Time => format!("{:?}", wall.time()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::common::Precision;

    fn check(time: Timestamp, zone: Tz) {
        let wanted = time.to_datetime_with_custom_tz(&zone);
        assert_eq!(
            format(time, Some(zone), Form::Full).as_str(),
            wanted.to_rfc3339(),
            "{time:?} in {zone}"
        );
        assert_eq!(
            format(time, Some(zone), Form::DateTime).as_str(),
            format!("{:?}", wanted.naive_local()),
            "{time:?} in {zone}"
        );
    }

    #[test]
    fn text_equals_that_of_the_general_formatter() {
        let zones = [
            Tz::UTC,
            Tz::Asia__Shanghai,
            Tz::America__St_Johns,
            Tz::Europe__Dublin,
        ];
        for raw in [
            0,
            -1,
            1,
            1_700_000_000_123,
            -62_167_219_200_000,
            -62_135_596_800_001,
            253_402_300_799_999,
            253_400_000_000_000,
            i64::MAX,
            i64::MIN,
        ] {
            for zone in zones {
                check(Timestamp::new(raw, Precision::Millisecond), zone);
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

    #[test]
    fn every_day_and_change_of_clock_is_right() {
        // Some 19 hours apart, so that all hours and days of four centuries come up.
        for step in 0..190_000_i64 {
            let seconds = -11_000_000_000 + step * 68_111;
            check(Timestamp::Milliseconds(seconds * 1_000), Tz::UTC);
        }
        // Minute by minute over the changes of a zone that changed at 00:01.
        for start in [1_048_986_000, 1_067_126_400] {
            for minute in 0..3_000 {
                let time = Timestamp::Milliseconds((start + minute * 60) * 1_000);
                check(time, Tz::America__St_Johns);
            }
        }
    }
}

//! Times written and read by a format: `to_char` and `to_timestamp` (DIALECT §8).

use chrono::{Datelike, Days, NaiveDate, NaiveDateTime, Timelike};
use chrono_tz::Tz;
use taos_query::common::Precision;

use super::time::{moment, tick, ticks};
use super::zone;
use crate::sql::SqlError;

/// How letters are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Case {
    Upper,
    Title,
    Lower,
}

impl Case {
    fn of(self, word: &str) -> String {
        match self {
            Self::Upper => word.to_ascii_uppercase(),
            Self::Title => word.to_owned(),
            Self::Lower => word.to_ascii_lowercase(),
        }
    }
}

/// What a word of a format stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    /// `am`, `p.m.`.
    Half {
        dots: bool,
        upper: bool,
    },
    DayName(Case),
    DayShort(Case),
    MonthName(Case),
    MonthShort(Case),
    DayOfYear,
    DayOfMonth,
    DayOfWeek,
    Hour24,
    Hour12,
    Minute,
    Second,
    Month,
    Milli,
    Micro,
    Nano,
    ZoneHour,
    /// So many last digits of the year.
    Year(u8),
}

impl Field {
    const fn is_digits(self) -> bool {
        !matches!(
            self,
            Self::Half { .. }
                | Self::DayName(_)
                | Self::DayShort(_)
                | Self::MonthName(_)
                | Self::MonthShort(_)
                | Self::ZoneHour
        )
    }
}

/// Words that begin another one stand behind it.
const FIELDS: &[(&str, Field)] = &[
    ("am", half(false, false)),
    ("pm", half(false, false)),
    ("AM", half(false, true)),
    ("PM", half(false, true)),
    ("a.m.", half(true, false)),
    ("p.m.", half(true, false)),
    ("A.M.", half(true, true)),
    ("P.M.", half(true, true)),
    ("DAY", Field::DayName(Case::Upper)),
    ("Day", Field::DayName(Case::Title)),
    ("day", Field::DayName(Case::Lower)),
    ("DDD", Field::DayOfYear),
    ("ddd", Field::DayOfYear),
    ("DD", Field::DayOfMonth),
    ("dd", Field::DayOfMonth),
    ("DY", Field::DayShort(Case::Upper)),
    ("Dy", Field::DayShort(Case::Title)),
    ("dy", Field::DayShort(Case::Lower)),
    ("D", Field::DayOfWeek),
    ("d", Field::DayOfWeek),
    ("HH24", Field::Hour24),
    ("hh24", Field::Hour24),
    ("HH12", Field::Hour12),
    ("hh12", Field::Hour12),
    ("HH", Field::Hour12),
    ("hh", Field::Hour12),
    ("MI", Field::Minute),
    ("mi", Field::Minute),
    ("MM", Field::Month),
    ("mm", Field::Month),
    ("MONTH", Field::MonthName(Case::Upper)),
    ("Month", Field::MonthName(Case::Title)),
    ("month", Field::MonthName(Case::Lower)),
    ("MON", Field::MonthShort(Case::Upper)),
    ("Mon", Field::MonthShort(Case::Title)),
    ("mon", Field::MonthShort(Case::Lower)),
    ("MS", Field::Milli),
    ("ms", Field::Milli),
    ("US", Field::Micro),
    ("us", Field::Micro),
    ("NS", Field::Nano),
    ("ns", Field::Nano),
    ("SS", Field::Second),
    ("ss", Field::Second),
    ("TZH", Field::ZoneHour),
    ("tzh", Field::ZoneHour),
    ("YYYY", Field::Year(4)),
    ("yyyy", Field::Year(4)),
    ("YYY", Field::Year(3)),
    ("yyy", Field::Year(3)),
    ("YY", Field::Year(2)),
    ("yy", Field::Year(2)),
    ("Y", Field::Year(1)),
    ("y", Field::Year(1)),
];

const fn half(dots: bool, upper: bool) -> Field {
    Field::Half { dots, upper }
}

const DAYS: [&str; 7] = [
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
];

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// A piece of a format.
#[derive(Debug, PartialEq, Eq)]
enum Part {
    Field(Field),
    /// A punctuation mark; reading takes any mark for it, or none.
    Mark(u8),
    /// Other bytes; reading skips as many.
    Plain(Vec<u8>),
}

const fn is_mark(byte: u8) -> bool {
    byte.is_ascii_punctuation()
}

const fn is_blank(byte: u8) -> bool {
    byte.is_ascii_whitespace() || byte == 0x0b
}

fn parts(format: &str) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    let mut rest = format.as_bytes();
    // Whether the last plain part may grow.
    let mut open = false;
    while let Some(&byte) = rest.first() {
        let word = FIELDS
            .iter()
            .find(|(word, _)| rest.starts_with(word.as_bytes()));
        if let Some((word, field)) = word {
            parts.push(Part::Field(*field));
            rest = rest.get(word.len()..).unwrap_or_default();
            open = false;
            continue;
        }
        if byte == b'"' {
            rest = quoted(rest.get(1..).unwrap_or_default(), &mut parts);
            open = false;
            continue;
        }
        let (byte, used) = match (byte, rest.get(1)) {
            (b'\\', Some(&escaped)) => {
                open = false;
                (escaped, 2)
            }
            _ => (byte, 1),
        };
        rest = rest.get(used..).unwrap_or_default();
        match parts.last_mut() {
            Some(Part::Plain(bytes)) if open && !is_mark(byte) => bytes.push(byte),
            _ if is_mark(byte) => {
                parts.push(Part::Mark(byte));
                open = false;
            }
            _ => {
                parts.push(Part::Plain(vec![byte]));
                open = true;
            }
        }
    }
    parts
}

/// Reads up to the closing quote; gives what follows it.
fn quoted<'f>(mut rest: &'f [u8], parts: &mut Vec<Part>) -> &'f [u8] {
    let mut plain = Vec::new();
    while let Some(&byte) = rest.first() {
        let (byte, used) = match (byte, rest.get(1)) {
            (b'"', _) => {
                rest = rest.get(1..).unwrap_or_default();
                break;
            }
            (b'\\', Some(&escaped)) => (escaped, 2),
            _ => (byte, 1),
        };
        plain.push(byte);
        rest = rest.get(used..).unwrap_or_default();
    }
    if !plain.is_empty() {
        parts.push(Part::Plain(plain));
    }
    rest
}

/// A time in a format; `None` for times that no calendar knows.
///
/// # Errors
/// 0x0100 for fractions of seconds before 1970 and for the zone of a connection.
pub(crate) fn write(
    at: i64,
    format: &str,
    precision: Precision,
    zone: Option<Tz>,
) -> Result<Option<String>, SqlError> {
    let shown =
        moment(at, precision).and_then(|(moment, below)| Some((zone::clock(moment, zone)?, below)));
    let Some((clock, below)) = shown else {
        return Ok(None);
    };
    if at < 0 && below != 0 {
        return Err(SqlError::unsupported(
            "to_char of a fraction of a second before 1970",
        ));
    }
    let mut out = Vec::with_capacity(format.len());
    for part in parts(format) {
        match part {
            Part::Field(Field::ZoneHour) if zone.is_some() => {
                return Err(SqlError::unsupported("tzh in a zone of the connection"));
            }
            Part::Field(field) => {
                let text = written(field, clock, below * tick(precision));
                out.extend_from_slice(text.as_bytes());
            }
            Part::Mark(byte) => out.push(byte),
            Part::Plain(bytes) => out.extend_from_slice(&bytes),
        }
    }
    Ok(Some(String::from_utf8_lossy(&out).into_owned()))
}

fn written(field: Field, clock: NaiveDateTime, nanos: i64) -> String {
    let day = || named(&DAYS, clock.weekday().num_days_from_sunday());
    let month = || named(&MONTHS, clock.month0());
    match field {
        Field::Half { dots, upper } => {
            let text = match (clock.hour() >= 12, dots) {
                (false, false) => "am",
                (false, true) => "a.m.",
                (true, false) => "pm",
                (true, true) => "p.m.",
            };
            if upper { Case::Upper } else { Case::Lower }.of(text)
        }
        Field::DayName(case) => format!("{:<9}", case.of(day())),
        Field::DayShort(case) => case.of(day().get(..3).unwrap_or_default()),
        Field::MonthName(case) => format!("{:<9}", case.of(month())),
        Field::MonthShort(case) => case.of(month().get(..3).unwrap_or_default()),
        Field::DayOfYear => format!("{:03}", clock.ordinal()),
        Field::DayOfMonth => format!("{:02}", clock.day()),
        Field::DayOfWeek => (clock.weekday().num_days_from_sunday() + 1).to_string(),
        Field::Hour24 => format!("{:02}", clock.hour()),
        Field::Hour12 => format!("{:02}", (clock.hour() + 11) % 12 + 1),
        Field::Minute => format!("{:02}", clock.minute()),
        Field::Second => format!("{:02}", clock.second()),
        Field::Month => format!("{:02}", clock.month()),
        Field::Milli => format!("{:03}", nanos / 1_000_000),
        Field::Micro => format!("{:06}", nanos / 1_000),
        Field::Nano => format!("{nanos:09}"),
        Field::ZoneHour => "+00".to_owned(),
        Field::Year(4) => format!("{:04}", clock.year()),
        Field::Year(digits) => {
            let width = usize::from(digits);
            format!("{:0width$}", clock.year() % 10_i32.pow(digits.into()))
        }
    }
}

fn named(names: &[&'static str], index: u32) -> &'static str {
    let index = usize::try_from(index).unwrap_or_default();
    names.get(index).copied().unwrap_or_default()
}

/// What reading has found so far.
struct Found {
    year: i64,
    /// From 0.
    month: i64,
    /// Within the month and the year, if given.
    day: Option<i64>,
    ordinal: Option<i64>,
    weekday: i64,
    hour: i64,
    /// Hours count to 12, and whether it is afternoon.
    twelve: bool,
    afternoon: bool,
    minute: i64,
    second: i64,
    nanos: i64,
    zone: Option<i64>,
}

fn mismatch() -> SqlError {
    SqlError::new(0x2806, "Func to_timestamp failed for format mismatch")
}

/// The time a text shows in a format.
///
/// # Errors
/// 0x2806 if the text does not follow the format, 0x2807 for an impossible time, 0x2808 for a day of the year
/// without a day of the month, 0x0100 for times beyond the unit's range.
pub(crate) fn read(
    text: &str,
    format: &str,
    precision: Precision,
    zone: Option<Tz>,
) -> Result<i64, SqlError> {
    let mut found = Found {
        year: 0,
        month: 0,
        day: None,
        ordinal: None,
        weekday: 0,
        hour: 0,
        twelve: false,
        afternoon: false,
        minute: 0,
        second: 0,
        nanos: 0,
        zone: None,
    };
    let parts = parts(format);
    let mut rest = text.as_bytes();
    for (index, part) in parts.iter().enumerate() {
        if rest.is_empty() {
            break;
        }
        rest = without_blanks(rest);
        match part {
            Part::Mark(_) => {
                if rest.first().is_some_and(|&byte| is_mark(byte)) {
                    rest = rest.get(1..).unwrap_or_default();
                }
            }
            Part::Plain(bytes) => {
                for _ in bytes.iter().filter(|&&byte| !is_blank(byte)) {
                    rest = without_blanks(rest).get(1..).unwrap_or_default();
                }
            }
            Part::Field(field) => {
                let more = match parts.get(index + 1) {
                    Some(Part::Field(next)) => next.is_digits(),
                    Some(Part::Plain(bytes)) => bytes.first().is_some_and(u8::is_ascii_digit),
                    _ => false,
                };
                let used = found.take(*field, rest, more).ok_or_else(mismatch)?;
                rest = rest.get(used..).unwrap_or_default();
            }
        }
    }
    found.ticks(precision, zone)
}

fn without_blanks(bytes: &[u8]) -> &[u8] {
    let blanks = bytes.iter().take_while(|&&byte| is_blank(byte)).count();
    bytes.get(blanks..).unwrap_or_default()
}

impl Found {
    /// Takes a field from the front of a text; gives the bytes it needed.
    fn take(&mut self, field: Field, text: &[u8], more: bool) -> Option<usize> {
        let number = |width| number(text, width, more);
        let plain = |slot: &mut i64, width| {
            let (value, used) = number(width)?;
            *slot = value;
            Some(used)
        };
        match field {
            Field::Half { dots, .. } => {
                let (words, width): ([&str; 2], usize) = if dots {
                    (["a.m.", "p.m."], 4)
                } else {
                    (["am", "pm"], 2)
                };
                self.afternoon = position(&words, width, text)? == 1;
                self.twelve = true;
                Some(width)
            }
            Field::DayName(_) => name(&DAYS, None, text, &mut self.weekday),
            Field::DayShort(_) => name(&DAYS, Some(3), text, &mut self.weekday),
            Field::MonthName(_) => name(&MONTHS, None, text, &mut self.month),
            Field::MonthShort(_) => name(&MONTHS, Some(3), text, &mut self.month),
            Field::DayOfYear => {
                let (value, used) = number(3)?;
                self.ordinal = Some(value);
                Some(used)
            }
            Field::DayOfMonth => {
                let (value, used) = number(2)?;
                self.day = Some(value);
                Some(used)
            }
            Field::DayOfWeek => plain(&mut self.weekday, 1),
            Field::Hour24 => {
                self.twelve = false;
                plain(&mut self.hour, 2)
            }
            Field::Hour12 => {
                self.twelve = true;
                let used = plain(&mut self.hour, 2)?;
                (1..=12).contains(&self.hour).then_some(used)
            }
            Field::Minute => plain(&mut self.minute, 2),
            Field::Second => plain(&mut self.second, 2),
            Field::Month => {
                let (value, used) = number(2)?;
                self.month = value - 1;
                Some(used)
            }
            Field::Milli => self.fraction(number(3)?, 3),
            Field::Micro => self.fraction(number(6)?, 6),
            Field::Nano => self.fraction(number(9)?, 9),
            Field::ZoneHour => {
                let (value, used) = integer(text);
                self.zone = Some(value);
                (used > 0 && i32::try_from(value).is_ok()).then_some(used)
            }
            Field::Year(digits) => {
                let used = plain(&mut self.year, usize::from(digits))?;
                if digits < 4 {
                    self.year = near(self.year);
                }
                Some(used)
            }
        }
    }

    /// Digits behind a point: those that are missing count as zeros.
    fn fraction(&mut self, (value, used): (i64, usize), width: u32) -> Option<usize> {
        let digits = u32::try_from(used).ok()?.clamp(1, width);
        let unit = 10_i64.pow(9 - width);
        self.nanos += value * 10_i64.pow(width - digits) * unit;
        Some(used)
    }

    fn ticks(&self, precision: Precision, zone: Option<Tz>) -> Result<i64, SqlError> {
        if self.day.is_none() && self.ordinal.is_some() {
            return Err(SqlError::new(
                0x2808,
                "Func to_timestamp: a day of the year is not supported",
            ));
        }
        let hour = match (self.twelve, self.afternoon, self.hour) {
            (true, true, hour) if hour < 12 => hour + 12,
            (true, false, 12) => 0,
            (_, _, hour) => hour,
        };
        let day = self.day.unwrap_or(1);
        let possible = (0..12).contains(&self.month)
            && (0..=6).contains(&self.weekday)
            && (0..=365).contains(&self.ordinal.unwrap_or(0))
            && (0..=31).contains(&day)
            && (0..24).contains(&hour)
            && (0..60).contains(&self.minute)
            && (0..=60).contains(&self.second)
            && (-12..=12).contains(&self.zone.unwrap_or(0));
        if !possible {
            return Err(SqlError::new(
                0x2807,
                "Func to_timestamp failed for wrong timestamp",
            ));
        }
        if self.zone.is_some() && zone.is_some() {
            return Err(SqlError::unsupported("tzh in a zone of the connection"));
        }
        let seconds = (hour * 60 + self.minute) * 60 + self.second;
        self.clock(day, seconds)
            .map(|clock| zone::seconds(clock, zone))
            .transpose()?
            .and_then(|seconds| {
                let seconds = seconds - self.zone.unwrap_or(0) * 3600;
                ticks(seconds, self.nanos / tick(precision), precision)
            })
            .ok_or_else(|| SqlError::unsupported("a time beyond the range of the database's unit"))
    }

    /// A day beyond the month's last one is one of the next month.
    fn clock(&self, day: i64, seconds: i64) -> Option<NaiveDateTime> {
        let year = i32::try_from(self.year).ok()?;
        let month = u32::try_from(self.month).ok()? + 1;
        let first = NaiveDate::from_ymd_opt(year, month, 1)?;
        let date = match u64::try_from(day) {
            Ok(0) => first.pred_opt()?,
            Ok(day) => first.checked_add_days(Days::new(day - 1))?,
            Err(_) => return None,
        };
        date.and_hms_opt(0, 0, 0)?
            .checked_add_signed(chrono::TimeDelta::try_seconds(seconds)?)
    }
}

/// Which of the words of one width begins a text, in any case.
fn position(words: &[&str], width: usize, text: &[u8]) -> Option<usize> {
    let front = text.get(..width)?;
    words
        .iter()
        .position(|word| word.as_bytes().eq_ignore_ascii_case(front))
}

/// A name, or its first letters, in front of a text; `slot` takes its number.
fn name(names: &[&str], cut: Option<usize>, text: &[u8], slot: &mut i64) -> Option<usize> {
    for (number, name) in (0..).zip(names) {
        let word = name.get(..cut.unwrap_or(name.len()))?;
        if position(&[word], word.len(), text).is_some() {
            *slot = number;
            return Some(word.len());
        }
    }
    None
}

/// The integer in front of a text and the bytes it takes, 0 if there is none.
fn integer(text: &[u8]) -> (i64, usize) {
    let blanks = text.iter().take_while(|&&byte| is_blank(byte)).count();
    let body = text.get(blanks..).unwrap_or_default();
    let sign = usize::from(matches!(body.first(), Some(b'+' | b'-')));
    let digits = body.get(sign..).unwrap_or_default();
    let count = digits.iter().take_while(|b| b.is_ascii_digit()).count();
    if count == 0 {
        return (0, 0);
    }
    let value = digits.iter().take(count).fold(0_i64, |value, byte| {
        value
            .saturating_mul(10)
            .saturating_add(i64::from(byte.saturating_sub(b'0')))
    });
    let value = if body.first() == Some(&b'-') {
        -value
    } else {
        value
    };
    (value, blanks + sign + count)
}

/// A number of a width in front of a text. Where more digits follow in the format it takes exactly its width,
/// else all digits there are; a text that ends too early is taken whole.
fn number(text: &[u8], width: usize, more: bool) -> Option<(i64, usize)> {
    let (value, used) = if text.len() < width {
        if more {
            return None;
        }
        (integer(text).0, text.len())
    } else if more {
        let front = text.get(..width)?;
        let (value, used) = integer(front);
        if used < width {
            return None;
        }
        (value, used)
    } else {
        integer(text)
    };
    (used > 0 && i32::try_from(value).is_ok()).then_some((value, used))
}

/// The year near 2020 that ends in these digits.
const fn near(year: i64) -> i64 {
    match year {
        ..70 | 100..520 => year + 2000,
        70..100 => year + 1900,
        520..1000 => year + 1000,
        _ => year,
    }
}

#[cfg(test)]
mod tests;

//! Single JSON values into the columns of a block (questdb §10.1).

use std::borrow::Cow;

use taos_query::block::ColumnBuilder;
use taos_query::common::Precision;
use taos_query::{ErrorKind, RawError, RawResult};

use crate::types::{Kind, LONGEST_TEXT, per_second, time_out_of_range};

/// What a cell is written with.
#[derive(Clone, Copy)]
pub(super) struct Target<'a> {
    pub(super) name: &'a str,
    pub(super) kind: Kind,
    /// The unit of all times of the result.
    pub(super) precision: Precision,
}

/// Writes one cell.
#[inline]
pub(super) fn push(target: Target<'_>, raw: &[u8], out: &mut ColumnBuilder) -> RawResult<()> {
    let raw = raw.trim_ascii();
    if raw == b"null" {
        out.push_null();
        return Ok(());
    }
    match target.kind {
        Kind::Bool => match raw {
            b"true" => out.push_bool(true),
            b"false" => out.push_bool(false),
            _ => Err(target.unreadable(raw)),
        },
        Kind::Byte | Kind::Short | Kind::Int | Kind::Long => {
            let value = integer(raw).ok_or_else(|| target.unreadable(raw))?;
            out.push_i64(value).map_err(|_| target.unreadable(raw))
        }
        Kind::Float => out.push_f32(float(raw).ok_or_else(|| target.unreadable(raw))?),
        Kind::Double => out.push_f64(float(raw).ok_or_else(|| target.unreadable(raw))?),
        Kind::Date | Kind::Micros | Kind::Nanos => target.time(raw, out),
        Kind::Decimal { scale, .. } => {
            let text = unquoted(raw).unwrap_or(raw);
            let value = decimal(text, scale).ok_or_else(|| target.unreadable(raw))?;
            out.push_i128(value).map_err(|_| target.unreadable(raw))
        }
        Kind::Array => target.array(raw, out),
        Kind::NonEmptyText | Kind::Text | Kind::WideDecimal => target.text(raw, out),
        Kind::Binary => Err(binary(target.name)),
    }
}

/// The error of a column whose content does not come.
#[cold]
pub(super) fn binary(name: &str) -> RawError {
    RawError::of(
        ErrorKind::Unsupported,
        format!(
            "column `{name}` is BINARY, whose content the server does not send over HTTP: leave the \
             column out of the query, or use `questdb+ws`"
        ),
    )
}

impl Target<'_> {
    #[cold]
    fn unreadable(&self, raw: &[u8]) -> RawError {
        let shown: String = String::from_utf8_lossy(raw).chars().take(80).collect();
        self.wrong(format_args!("cannot be read as {:?}: {shown}", self.kind))
    }

    #[cold]
    fn wrong(&self, what: impl std::fmt::Display) -> RawError {
        RawError::of(
            ErrorKind::Protocol,
            format!("column `{}`: a value {what}", self.name),
        )
    }

    /// Cells longer than a block can hold are refused by name instead of being cut.
    fn bytes(&self, bytes: &[u8], out: &mut ColumnBuilder) -> RawResult<()> {
        out.push_bytes(bytes).map_err(|_| {
            let hint = if self.kind == Kind::Array {
                "a slice of the array"
            } else {
                "a part of the text, as with `left(…)`"
            };
            RawError::of(
                ErrorKind::Decode,
                format!(
                    "column `{}`: a value of {} bytes; a cell holds {LONGEST_TEXT} bytes, so ask for \
                     {hint}",
                    self.name,
                    bytes.len()
                ),
            )
        })
    }

    fn text(&self, raw: &[u8], out: &mut ColumnBuilder) -> RawResult<()> {
        let Some(inner) = unquoted(raw) else {
            // Types that are not known here may be anything; their JSON is text as well.
            let text = std::str::from_utf8(raw).map_err(|_| self.unreadable(raw))?;
            return self.bytes(text.as_bytes(), out);
        };
        if inner.is_empty() && self.kind == Kind::NonEmptyText {
            out.push_null();
            return Ok(());
        }
        let text = std::str::from_utf8(inner).map_err(|_| self.wrong("is not UTF-8"))?;
        let text = unescaped(text).ok_or_else(|| self.unreadable(raw))?;
        self.bytes(text.as_bytes(), out)
    }

    /// Arrays stay JSON text.
    fn array(&self, raw: &[u8], out: &mut ColumnBuilder) -> RawResult<()> {
        let plain = raw.first() == Some(&b'[')
            && raw
                .iter()
                .all(|byte| byte.is_ascii_graphic() || byte.is_ascii_whitespace());
        if !plain {
            return Err(self.unreadable(raw));
        }
        self.bytes(raw, out)
    }

    fn time(&self, raw: &[u8], out: &mut ColumnBuilder) -> RawResult<()> {
        let (seconds, nanos) = unquoted(raw)
            .and_then(time)
            .ok_or_else(|| self.unreadable(raw))?;
        let per_second = per_second(self.precision);
        let ticks = i128::from(seconds) * i128::from(per_second)
            + i128::from(nanos) / (1_000_000_000 / i128::from(per_second));
        match i64::try_from(ticks) {
            Ok(ticks) => out.push_i64(ticks),
            Err(_) => Err(time_out_of_range(self.name, self.kind, self.precision)),
        }
    }
}

/// What stands between the quotes; `None` without quotes.
fn unquoted(raw: &[u8]) -> Option<&[u8]> {
    raw.strip_prefix(b"\"")?.strip_suffix(b"\"")
}

/// Digits with a sign; also in quotes.
fn integer(raw: &[u8]) -> Option<i64> {
    let raw = unquoted(raw).unwrap_or(raw);
    let (negative, digits) = match raw {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    if digits.is_empty() {
        return None;
    }
    let mut value: i64 = 0;
    for byte in digits {
        let digit = i64::from(byte.wrapping_sub(b'0'));
        if digit > 9 {
            return None;
        }
        // Down from zero, because there is one more negative number than positive ones.
        value = value.checked_mul(10)?.checked_sub(digit)?;
    }
    if negative {
        Some(value)
    } else {
        value.checked_neg()
    }
}

fn float<F: std::str::FromStr>(raw: &[u8]) -> Option<F> {
    let digits = raw.strip_prefix(b"-").unwrap_or(raw);
    if !digits.first()?.is_ascii_digit() {
        return None;
    }
    std::str::from_utf8(raw).ok()?.parse().ok()
}

/// The unscaled integer of a decimal; digits behind the scale must be zeros.
fn decimal(text: &[u8], scale: u8) -> Option<i128> {
    let (negative, text) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        rest => (false, rest),
    };
    let mut value: i128 = 0;
    let mut left: Option<u8> = None;
    let mut digits = 0_usize;
    for byte in text {
        match (byte, left) {
            (b'.', None) => left = Some(scale),
            (b'0', Some(0)) => {}
            (b'0'..=b'9', _) => {
                if let Some(left) = &mut left {
                    *left = left.checked_sub(1)?;
                }
                digits += 1;
                value = value.checked_mul(10)?.checked_add((byte - b'0').into())?;
            }
            _ => return None,
        }
    }
    if digits == 0 {
        return None;
    }
    let missing = u32::from(left.unwrap_or(scale));
    let value = value.checked_mul(10_i128.checked_pow(missing)?)?;
    Some(if negative { -value } else { value })
}

/// `2024-01-02T03:04:05.678901Z` as seconds since the epoch and nanoseconds of the second. Years have
/// up to nine digits, and before year 0 a sign, which the server puts behind the zeros: `000-1`.
fn time(text: &[u8]) -> Option<(i64, u32)> {
    let t = text.iter().position(|byte| *byte == b'T')?;
    let (date, clock) = text.split_at_checked(t)?;
    let (years, month_and_day) = date.split_at_checked(date.len().checked_sub(6)?)?;
    let [b'-', mo1, mo2, b'-', d1, d2] = month_and_day else {
        return None;
    };
    let [
        b'T',
        h1,
        h2,
        b':',
        mi1,
        mi2,
        b':',
        s1,
        s2,
        fraction @ ..,
        b'Z',
    ] = clock
    else {
        return None;
    };
    let year = year(years)?;
    let two = |high: &u8, low: &u8| digits(&[*high, *low], 2..=2);
    let (month, day) = (two(mo1, mo2)?, two(d1, d2)?);
    let (hour, minute, second) = (two(h1, h2)?, two(mi1, mi2)?, two(s1, s2)?);
    let in_range = (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && hour < 24
        && minute < 60
        && second < 60;
    if !in_range {
        return None;
    }
    let nanos = match fraction {
        [] => 0,
        [b'.', fraction @ ..] => {
            let value = u32::try_from(digits(fraction, 1..=9)?).ok()?;
            let zeros = u32::try_from(9 - fraction.len()).ok()?;
            value * 10_u32.pow(zeros)
        }
        _ => return None,
    };
    let days = days_since_epoch(year, month, day);
    Some((days * 86_400 + hour * 3_600 + minute * 60 + second, nanos))
}

fn year(text: &[u8]) -> Option<i64> {
    let sign = text.iter().position(|byte| *byte == b'-');
    match sign.and_then(|at| text.split_at_checked(at)) {
        None => digits(text, 4..=9),
        Some((zeros, [_, year @ ..])) if zeros.iter().all(|byte| *byte == b'0') => {
            digits(year, 1..=9).map(|year| -year)
        }
        Some(_) => None,
    }
}

fn digits(text: &[u8], len: std::ops::RangeInclusive<usize>) -> Option<i64> {
    if !len.contains(&text.len()) {
        return None;
    }
    let mut value: i64 = 0;
    for byte in text {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value * 10 + i64::from(digit);
    }
    Some(value)
}

/// Days from 1970-01-01 in the Gregorian calendar, extended to all years. Years begin in March, so
/// that the leap day is the last of one.
const fn days_since_epoch(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// A JSON string without its escapes; `None` for an escape that does not exist. Half a surrogate
/// pair, which a STRING column can hold, becomes the replacement character.
pub(super) fn unescaped(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains('\\') {
        return Some(Cow::Borrowed(text));
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        let (plain, escape) = rest.split_at_checked(at)?;
        out.push_str(plain);
        let mut chars = escape.chars();
        chars.next();
        let c = match chars.next()? {
            'n' => '\n',
            't' => '\t',
            'r' => '\r',
            'b' => '\u{8}',
            'f' => '\u{c}',
            c @ ('"' | '\\' | '/') => c,
            'u' => {
                let (c, behind) = unicode(chars.as_str())?;
                out.push(c);
                rest = behind;
                continue;
            }
            _ => return None,
        };
        out.push(c);
        rest = chars.as_str();
    }
    out.push_str(rest);
    Some(Cow::Owned(out))
}

/// The character of the digits behind `\u`, of two such escapes if it takes them, and the rest.
fn unicode(text: &str) -> Option<(char, &str)> {
    let unit = |text: &'_ str| -> Option<u32> {
        let digits = text
            .get(..4)
            .filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()))?;
        u32::from_str_radix(digits, 16).ok()
    };
    let first = unit(text)?;
    let rest = text.get(4..)?;
    if let Some(c) = char::from_u32(first) {
        return Some((c, rest));
    }
    let pair = rest
        .strip_prefix("\\u")
        .and_then(|next| Some((unit(next)?, next.get(4..)?)))
        .filter(|(second, _)| first < 0xdc00 && (0xdc00..0xe000).contains(second));
    match pair {
        Some((second, behind)) => {
            let c = 0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00);
            Some((char::from_u32(c)?, behind))
        }
        None => Some((char::REPLACEMENT_CHARACTER, rest)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_to_the_nanosecond() {
        let at = |text: &str| time(text.as_bytes());
        assert_eq!(at("1970-01-01T00:00:00.000Z"), Some((0, 0)));
        assert_eq!(
            at("2024-01-02T03:04:05.678901234Z"),
            Some((1_704_164_645, 678_901_234))
        );
        assert_eq!(at("1969-12-31T23:59:59.999999Z"), Some((-1, 999_999_000)));
        assert_eq!(at("2000-02-29T00:00:00Z"), Some((951_782_400, 0)));
        assert_eq!(
            at("294247-01-10T04:00:54.775807Z"),
            Some((9_223_372_036_854, 775_807_000))
        );
        for year in ["-0001", "000-1"] {
            let text = format!("{year}-12-31T00:00:00.000Z");
            assert_eq!(at(&text), Some((-62_167_305_600, 0)), "{year}");
        }
        for bad in [
            "",
            "2024",
            "2024-13-01T00:00:00Z",
            "2024-01-01 00:00:00Z",
            "2024-01-01T24:00:00Z",
            "2024-01-01T00:00:00.Z",
            "2024-01-01T00:00:00.0000000000Z",
            "20240000000-01-01T00:00:00Z",
        ] {
            assert_eq!(at(bad), None, "{bad}");
        }
    }

    #[test]
    fn every_day_of_eight_centuries_follows_the_one_before() {
        let lengths = |year: i64| {
            let leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
            let february = if leap { 29 } else { 28 };
            [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
        };
        let mut expected = days_since_epoch(1600, 1, 1);
        for year in 1600..2400 {
            for (month, days) in (1..).zip(lengths(year)) {
                for day in 1..=days {
                    assert_eq!(days_since_epoch(year, month, day), expected);
                    expected += 1;
                }
            }
        }
        assert_eq!(days_since_epoch(1970, 1, 1), 0);
    }

    #[test]
    fn decimals_take_their_scale_from_the_column() {
        assert_eq!(decimal(b"12.345", 3), Some(12_345));
        assert_eq!(decimal(b"-0.5", 3), Some(-500));
        assert_eq!(decimal(b"7", 2), Some(700));
        assert_eq!(decimal(b"1.2300", 2), Some(123));
        for bad in [&b"1.234"[..], b"", b".", b"-", b"1.2.3", b"1e5"] {
            assert_eq!(decimal(bad, 2), None);
        }
    }

    #[test]
    fn integers_reach_both_ends_and_not_beyond() {
        assert_eq!(integer(b"-9223372036854775808"), Some(i64::MIN));
        assert_eq!(integer(b"\"9223372036854775807\""), Some(i64::MAX));
        for bad in [&b"9223372036854775808"[..], b"", b"-", b"1.0", b"+1"] {
            assert_eq!(integer(bad), None);
        }
    }

    #[test]
    fn escapes_become_characters() {
        let text = r#"a\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00\ud83dx\udc00"#;
        assert_eq!(
            unescaped(text).as_deref(),
            Some("a\"\\/\u{8}\u{c}\n\r\té😀\u{fffd}x\u{fffd}")
        );
        for bad in [r"\x", r"\u12", r"\u+123", "\\", r"\u12é4"] {
            assert_eq!(unescaped(bad), None, "{bad}");
        }
    }
}

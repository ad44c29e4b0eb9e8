use base64::Engine as _;
use md5::{Digest, Md5};
use regex::Regex;
use rusqlite::Connection;
use rusqlite::functions::FunctionFlags;
use rusqlite::types::{Value, ValueRef};

use super::{Args, fallible, single, strict};
use crate::sql::SqlError;

fn text(value: impl Into<String>) -> Option<Value> {
    Some(Value::Text(value.into()))
}

fn count(value: usize) -> Option<Value> {
    i64::try_from(value).ok().map(Value::Integer)
}

pub(super) fn register(connection: &Connection) -> rusqlite::Result<()> {
    matching(connection)?;
    measuring(connection)?;
    changing(connection)?;
    writing(connection)?;
    hashing(connection)
}

fn matching(connection: &Connection) -> rusqlite::Result<()> {
    strict(connection, "td_like", 2, |args| {
        let found = like(args.text(0)?, args.text(1)?);
        Some(Value::Integer(i64::from(found)))
    })?;
    let flags = FunctionFlags::SQLITE_UTF8
        | FunctionFlags::SQLITE_DETERMINISTIC
        | FunctionFlags::SQLITE_INNOCUOUS;
    connection.create_scalar_function("td_match", 2, flags, |context| -> rusqlite::Result<Value> {
        let (Ok(value), Ok(_)) = (context.get_raw(0).as_str(), context.get_raw(1).as_str()) else {
            return Ok(Value::Null);
        };
        let pattern = context.get_or_create_aux(
            1,
            |pattern| -> Result<Regex, Box<dyn std::error::Error + Send + Sync + 'static>> {
                Regex::new(pattern.as_str()?)
                    .map_err(|_| SqlError::new(0x2681, "Invalid regular expression pattern").into())
            },
        )?;
        Ok(Value::Integer(i64::from(pattern.is_match(value))))
    })
}

/// LIKE: `%`, `_`, `\%`, `\_`; ASCII letters match in either case.
fn like(value: &str, pattern: &str) -> bool {
    let value: Vec<char> = value.chars().map(|c| c.to_ascii_lowercase()).collect();
    let mut parts = Vec::new();
    let mut chars = pattern.chars();
    while let Some(char) = chars.next() {
        parts.push(match char {
            '%' => Part::Any,
            '_' => Part::One,
            '\\' => Part::Exactly(chars.next().unwrap_or('\\').to_ascii_lowercase()),
            other => Part::Exactly(other.to_ascii_lowercase()),
        });
    }
    let (mut at, mut part) = (0, 0);
    let mut retry = None;
    while let Some(&char) = value.get(at) {
        match parts.get(part) {
            Some(Part::Any) => {
                retry = Some((part + 1, at));
                part += 1;
            }
            Some(Part::One) => {
                at += 1;
                part += 1;
            }
            Some(Part::Exactly(wanted)) if *wanted == char => {
                at += 1;
                part += 1;
            }
            _ => match retry {
                Some((behind, from)) => {
                    part = behind;
                    at = from + 1;
                    retry = Some((behind, at));
                }
                None => return false,
            },
        }
    }
    parts
        .get(part..)
        .unwrap_or_default()
        .iter()
        .all(|part| matches!(part, Part::Any))
}

enum Part {
    Any,
    One,
    Exactly(char),
}

fn measuring(connection: &Connection) -> rusqlite::Result<()> {
    strict(connection, "td_char_length", 1, |args| {
        count(args.text(0)?.chars().count())
    })?;
    strict(connection, "td_ascii", 1, |args| {
        let first = args.text(0)?.bytes().next().unwrap_or(0);
        Some(Value::Integer(i64::from(first)))
    })?;
    strict(connection, "td_position", 2, |args| {
        let (part, whole) = (args.text(0)?, args.text(1)?);
        match whole.find(part) {
            Some(at) => count(whole.get(..at)?.chars().count() + 1),
            None => Some(Value::Integer(0)),
        }
    })
}

fn changing(connection: &Connection) -> rusqlite::Result<()> {
    strict(connection, "td_lower", 1, |args| {
        text(args.text(0)?.to_ascii_lowercase())
    })?;
    strict(connection, "td_upper", 1, |args| {
        text(args.text(0)?.to_ascii_uppercase())
    })?;
    for (name, left, right) in [
        ("td_ltrim", true, false),
        ("td_rtrim", false, true),
        ("td_trim", true, true),
    ] {
        fallible(connection, name, 1, move |args| {
            blanks_off(args, left, right)
        })?;
        strict(connection, name, 2, move |args| trim(args, left, right))?;
    }
    fallible(connection, "td_replace", 3, |args| {
        let (Some(value), Some(from), Some(to)) = (args.text(0), args.text(1), args.text(2)) else {
            return Ok(None);
        };
        if from.is_empty() {
            return Ok(text(value));
        }
        let count = value.matches(from).count();
        let kept = value.len() - count * from.len();
        fits(kept.saturating_add(count.saturating_mul(to.len())))?;
        Ok(text(value.replace(from, to)))
    })?;
    // The third argument: bytes a text of the type may have, of which the original makes room for all copies.
    fallible(connection, "td_repeat", 3, |args| {
        let (Some(value), Some(times), Some(room)) = (args.text(0), args.int(1), args.int(2))
        else {
            return Ok(None);
        };
        let times = usize::try_from(times.max(0)).unwrap_or(usize::MAX);
        let room = usize::try_from(room).unwrap_or(usize::MAX);
        fits(value.len().max(room).saturating_mul(times))?;
        Ok(text(value.repeat(times)))
    })?;
    strict(connection, "td_substring", -1, substring)?;
    strict(connection, "td_substring_index", 3, substring_index)?;
    fallible(connection, "td_concat", -1, |args| {
        fits(args.bytes())?;
        Ok(joined(args, 0, ""))
    })?;
    fallible(connection, "td_concat_ws", -1, |args| {
        let between = args.text(0).unwrap_or_default();
        fits(
            args.bytes()
                .saturating_add(between.len().saturating_mul(args.len())),
        )?;
        Ok(joined(args, 1, between))
    })?;
    fallible(connection, "td_to_base64", 1, |args| {
        let Some(bytes) = bytes(args.get(0)) else {
            return Ok(None);
        };
        fits(bytes.len().div_ceil(3).saturating_mul(4))?;
        Ok(text(
            base64::engine::general_purpose::STANDARD.encode(bytes),
        ))
    })?;
    fallible(connection, "td_cut", 2, |args| {
        let (Some(value), Some(limit)) = (args.text(0), args.int(1)) else {
            return Ok(None);
        };
        let limit = usize::try_from(limit).unwrap_or_default();
        let limit = if limit == 0 { value.len() } else { limit };
        match value.get(..limit.min(value.len())) {
            Some(front) => Ok(text(front)),
            None => Err(SqlError::unsupported("a text cut inside of a character")),
        }
    })
}

/// Refuses texts that no column can hold, before they are made: what the original does with them is not
/// known, and nested calls could ask for all the memory there is.
fn fits(bytes: usize) -> Result<(), SqlError> {
    if bytes <= 65_517 {
        return Ok(());
    }
    Err(SqlError::unsupported(
        "a text longer than the longest column, 65517 bytes",
    ))
}

/// Blanks of all kinds taken off.
fn blanks_off(args: &Args<'_>, left: bool, right: bool) -> Result<Option<Value>, SqlError> {
    const BLANKS: [char; 6] = [' ', '\t', '\n', '\u{b}', '\u{c}', '\r'];
    let Some(mut value) = args.text(0) else {
        return Ok(None);
    };
    if left {
        value = value.trim_start_matches(BLANKS);
    }
    if right {
        value = value.trim_end_matches(BLANKS);
    }
    let wide = |char: Option<char>| char.is_some_and(char::is_whitespace);
    if (left && wide(value.chars().next())) || (right && wide(value.chars().next_back())) {
        return Err(SqlError::unsupported("trim of blanks beyond ASCII"));
    }
    Ok(text(value))
}

/// One text taken off another as often as it stands there; from the left the last copy of nothing but copies
/// stays, unless it is taken off from the right too.
fn trim(args: &Args<'_>, left: bool, right: bool) -> Option<Value> {
    let (value, off) = (args.text(0)?, args.text(1)?);
    if off.is_empty() {
        return text(value);
    }
    let mut start = 0;
    while left && start + off.len() < value.len() && value.get(start..)?.starts_with(off) {
        start += off.len();
    }
    let mut end = value.len();
    while right && value.get(..end)?.ends_with(off) {
        end -= off.len();
    }
    text(value.get(start..end).unwrap_or_default())
}

/// `substring(s, from[, count])`: from 1, negative from the end, 0 gives nothing.
fn substring(args: &Args<'_>) -> Option<Value> {
    let value = args.text(0)?;
    let total = i64::try_from(value.chars().count()).ok()?;
    let from = match args.int(1)? {
        0 => return text(""),
        from if from > 0 => from - 1,
        from => (total + from).max(0),
    };
    let length = if args.len() > 2 { args.int(2)? } else { total };
    if length <= 0 {
        return text("");
    }
    let cut: String = value
        .chars()
        .skip(usize::try_from(from).ok()?)
        .take(usize::try_from(length).ok()?)
        .collect();
    text(cut)
}

fn substring_index(args: &Args<'_>) -> Option<Value> {
    let (value, delimiter, wanted) = (args.text(0)?, args.text(1)?, args.int(2)?);
    if delimiter.is_empty() || wanted == 0 {
        return text("");
    }
    let wanted_at = usize::try_from(wanted.unsigned_abs()).ok()? - 1;
    text(if wanted > 0 {
        let found = value.match_indices(delimiter).nth(wanted_at);
        found.map_or(Some(value), |(at, _)| value.get(..at))?
    } else {
        let found = value.rmatch_indices(delimiter).nth(wanted_at);
        found.map_or(Some(value), |(at, _)| value.get(at + delimiter.len()..))?
    })
}

fn joined(args: &Args<'_>, from: usize, separator: &str) -> Option<Value> {
    let mut parts = Vec::with_capacity(args.len());
    for index in from..args.len() {
        parts.push(args.text(index)?);
    }
    text(parts.join(separator))
}

fn writing(connection: &Connection) -> rusqlite::Result<()> {
    strict(connection, "td_f64_text", 1, |args| {
        text(general(args.real(0)?, 15))
    })?;
    strict(connection, "td_f32_text", 1, |args| {
        text(general(f64::from(single(args.real(0)?)), 6))
    })?;
    strict(connection, "td_fixed_text", 1, |args| {
        text(format!("{:.6}", args.real(0)?))
    })?;
    let flags = FunctionFlags::SQLITE_UTF8
        | FunctionFlags::SQLITE_DETERMINISTIC
        | FunctionFlags::SQLITE_INNOCUOUS;
    // NULL is left out here.
    connection.create_scalar_function("td_char", -1, flags, |context| {
        let args = Args { context };
        let numbers = (0..args.len()).filter_map(|index| args.int(index));
        let bytes: Vec<u8> = numbers.flat_map(character).collect();
        match String::from_utf8(bytes) {
            Ok(value) if !value.contains('\0') => Ok(Value::Text(value)),
            _ => Err(rusqlite::Error::UserFunctionError(
                SqlError::unsupported("char() of what is no text").into(),
            )),
        }
    })
}

/// The bytes of a number, of its lowest 32 bits, without zeros in front.
fn character(number: i64) -> Vec<u8> {
    let bytes = number.to_be_bytes();
    let low = bytes.get(4..).unwrap_or_default();
    let zeros = low.iter().take(3).take_while(|&&byte| byte == 0).count();
    low.get(zeros..).unwrap_or_default().to_vec()
}

fn hashing(connection: &Connection) -> rusqlite::Result<()> {
    strict(connection, "td_md5", 1, |args| {
        let digest = Md5::digest(bytes(args.get(0))?);
        text(
            digest
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect::<String>(),
        )
    })?;
    strict(connection, "td_crc32", 1, |args| {
        let sum = crc32fast::hash(bytes(args.get(0))?);
        Some(Value::Integer(i64::from(sum)))
    })?;
    // NCHAR is kept in four bytes a character.
    strict(connection, "td_wide", 1, |args| {
        let chars = args.text(0)?.chars();
        Some(Value::Blob(
            chars
                .flat_map(|char| u32::from(char).to_le_bytes())
                .collect(),
        ))
    })
}

fn bytes(value: ValueRef<'_>) -> Option<&[u8]> {
    match value {
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => Some(bytes),
        _ => None,
    }
}

/// C's `%g` with so many digits.
pub(crate) fn general(value: f64, digits: usize) -> String {
    let scientific = format!("{value:.*e}", digits - 1);
    let Some((mantissa, exponent)) = scientific.split_once('e') else {
        return scientific;
    };
    let exponent: i32 = exponent.parse().unwrap_or_default();
    let most = i32::try_from(digits).unwrap_or(i32::MAX);
    let short = |text: &str| {
        if text.contains('.') {
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        } else {
            text.to_owned()
        }
    };
    if (-4..most).contains(&exponent) {
        let places = usize::try_from(most - 1 - exponent).unwrap_or_default();
        return short(&format!("{value:.places$}"));
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{}e{sign}{:02}", short(mantissa), exponent.abs())
}

#[cfg(test)]
mod tests {
    use super::{character, general, like};

    #[test]
    fn like_knows_wildcards_and_escapes() {
        assert!(like("Hello", "h%"));
        assert!(like("hello", "_____"));
        assert!(like("100%", r"100\%"));
        assert!(!like("1000", r"100\%"));
        assert!(like("a%b", "%\\%%"));
        assert!(like("", "%"));
        assert!(!like("", "_"));
        assert!(like("😀 x", "_ x"));
    }

    #[test]
    fn numbers_are_written_as_c_does() {
        for (value, expected) in [
            (0.1 + 0.2, "0.3"),
            (1234.567 + 0.1, "1234.667"),
            (1e15, "1e+15"),
            (123_456_789_012_345.0, "123456789012345"),
            (1e-5, "1e-05"),
            (-1.7e308, "-1.7e+308"),
            (100.0, "100"),
            (0.0, "0"),
        ] {
            assert_eq!(general(value, 15), expected);
        }
        assert_eq!(general(f64::from(12345.678_f32), 6), "12345.7");
        assert_eq!(general(1_234_567.0, 6), "1.23457e+06");
    }

    #[test]
    fn a_character_has_no_zeros_in_front() {
        assert_eq!(character(77), [77]);
        assert_eq!(character(0xE4BDA0), [0xE4, 0xBD, 0xA0]);
        assert_eq!(character(0), [0]);
    }
}

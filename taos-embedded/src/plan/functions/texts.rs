use base64::Engine as _;
use regex::Regex;
use rusqlite::Connection;
use rusqlite::functions::FunctionFlags;
use rusqlite::types::Value;

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
    writing(connection)
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
    })?;
    fallible(connection, "td_leading_int", 1, |args| {
        let Some(text) = args.text(0).map(str::trim_start) else {
            return Ok(None);
        };
        let sign = usize::from(text.starts_with(['-', '+']));
        let digits = text.bytes().skip(sign);
        let digits = digits.take_while(u8::is_ascii_digit).count();
        if digits == 0 {
            return Ok(Some(Value::Integer(0)));
        }
        let number = text.get(..sign + digits).unwrap_or_default();
        // Beyond 63 bits the text is read as unsigned.
        let bits = number
            .parse()
            .or_else(|_| number.parse().map(u64::cast_signed));
        let bits = bits.map(|bits| Some(Value::Integer(bits)));
        bits.map_err(|_| SqlError::unsupported(format!("a cast of '{number}' to an integer")))
    })
}

fn changing(connection: &Connection) -> rusqlite::Result<()> {
    strict(connection, "td_lower", 1, |args| {
        text(args.text(0)?.to_ascii_lowercase())
    })?;
    strict(connection, "td_upper", 1, |args| {
        text(args.text(0)?.to_ascii_uppercase())
    })?;
    strict(connection, "td_ltrim", -1, |args| trim(args, true, false))?;
    strict(connection, "td_rtrim", -1, |args| trim(args, false, true))?;
    strict(connection, "td_trim", -1, |args| trim(args, true, true))?;
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
    fallible(connection, "td_repeat", 2, |args| {
        let (Some(value), Some(times)) = (args.text(0), args.int(1)) else {
            return Ok(None);
        };
        let times = usize::try_from(times.max(0)).unwrap_or(usize::MAX);
        fits(value.len().saturating_mul(times))?;
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
    strict(connection, "td_to_base64", 1, |args| {
        text(base64::engine::general_purpose::STANDARD.encode(args.text(0)?))
    })?;
    strict(connection, "td_cut", 2, |args| {
        let limit = usize::try_from(args.int(1)?).ok()?;
        let value = args.text(0)?;
        let limit = if limit == 0 { value.len() } else { limit };
        text(crate::sql::clip(value, limit))
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

fn trim(args: &Args<'_>, left: bool, right: bool) -> Option<Value> {
    let mut value = args.text(0)?;
    let off = if args.len() > 1 { args.text(1)? } else { " " };
    if !off.is_empty() {
        while left && value.starts_with(off) {
            value = value.get(off.len()..)?;
        }
        while right && value.ends_with(off) {
            value = value.get(..value.len() - off.len())?;
        }
    }
    text(value)
}

/// `substring(s, from[, count])`: from 1, negative from the end, 0 gives nothing.
fn substring(args: &Args<'_>) -> Option<Value> {
    let value = args.text(0)?;
    let total = i64::try_from(value.chars().count()).ok()?;
    let from = match args.int(1)? {
        0 => return text(""),
        from if from > 0 => from - 1,
        from => total + from,
    };
    let length = if args.len() > 2 { args.int(2)? } else { total };
    if from < 0 || length <= 0 {
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
    let parts: Vec<&str> = value.split(delimiter).collect();
    let keep = usize::try_from(wanted.unsigned_abs())
        .ok()?
        .min(parts.len());
    let kept = if wanted > 0 {
        parts.get(..keep)?
    } else {
        parts.get(parts.len() - keep..)?
    };
    text(kept.join(delimiter))
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
        let value = args.real(0)?;
        text(general(&format!("{value:e}"), value.to_string(), 15))
    })?;
    strict(connection, "td_f32_text", 1, |args| {
        let value = single(args.real(0)?);
        text(general(&format!("{value:e}"), value.to_string(), 15))
    })
}

/// C's `%g` over the shortest digits: an exponent only below -4 and from `most` on.
fn general(scientific: &str, plain: String, most: i32) -> String {
    let Some((digits, exponent)) = scientific.split_once('e') else {
        return plain;
    };
    let exponent: i32 = exponent.parse().unwrap_or_default();
    if (-4..most).contains(&exponent) {
        return plain;
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.abs())
}

#[cfg(test)]
mod tests {
    use super::like;

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
}

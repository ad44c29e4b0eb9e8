//! Values of JSON tags.

use std::cmp::Ordering;

use rusqlite::Connection;
use rusqlite::types::{Value, ValueRef};
use serde_json::Value as Json;

use super::{Args, fallible, number, strict};
use crate::plan::json::whole_tag;
use crate::sql::SqlError;

fn parsed(args: &Args<'_>) -> Option<Json> {
    serde_json::from_str(args.text(0)?).ok()
}

/// One value of a tag.
#[derive(Debug, Clone, PartialEq)]
enum Part {
    Bool(bool),
    Number(f64),
    Text(String),
}

/// The value in a text of JSON; the whole tag is refused.
fn part(text: &str) -> Result<Option<Part>, SqlError> {
    Ok(match serde_json::from_str(text) {
        Ok(Json::Bool(value)) => Some(Part::Bool(value)),
        Ok(Json::Number(value)) => value.as_f64().map(Part::Number),
        Ok(Json::String(value)) => Some(Part::Text(value)),
        Ok(Json::Object(_)) => return Err(whole_tag()),
        _ => None,
    })
}

/// The value that stands beside a part in a comparison.
fn beside(value: ValueRef<'_>, kind: &str) -> Result<Option<Part>, SqlError> {
    Ok(match (kind, value) {
        ("json", value) => part(value.as_str().unwrap_or_default())?,
        ("bool", ValueRef::Integer(value)) => Some(Part::Bool(value != 0)),
        ("number", value) => number(value).map(Part::Number),
        (_, value) => value.as_str().ok().map(|text| Part::Text(text.to_owned())),
    })
}

/// Whether a comparison holds. Texts and numbers are never equal nor in an order.
fn holds(a: &Part, op: &str, b: &Part) -> Result<bool, SqlError> {
    let equality = op == "=" || op == "<>";
    let unsure = |what: &str| Err(SqlError::unsupported(format!("comparison of JSON: {what}")));
    let order = match (a, b) {
        (Part::Number(a), Part::Number(b)) => a.partial_cmp(b),
        (Part::Bool(a), Part::Bool(b)) if equality => Some(a.cmp(b)),
        (Part::Text(a), Part::Text(b)) => {
            let below = op.starts_with('<');
            if !equality && (b.is_empty() || (a.is_empty() && below)) {
                return unsure("the order of an empty text");
            }
            Some(a.cmp(b))
        }
        (Part::Bool(_), _) | (_, Part::Bool(_)) => {
            return unsure("bools in an order or beside other kinds");
        }
        _ if op == "<>" => return unsure("a text that is not a number, or the other way round"),
        _ => None,
    };
    Ok(order.is_some_and(|order| match op {
        "=" => order == Ordering::Equal,
        "<>" => order != Ordering::Equal,
        "<" => order == Ordering::Less,
        "<=" => order != Ordering::Greater,
        ">" => order == Ordering::Greater,
        _ => order != Ordering::Less,
    }))
}

/// Bytes in the order of values: bools, numbers, texts by the bytes of their wide characters.
fn order_key(part: &Part) -> Vec<u8> {
    let mut key = Vec::new();
    match part {
        Part::Bool(value) => key.extend([1, u8::from(*value)]),
        Part::Number(value) => {
            // adding zero makes -0 and 0 one value
            let bits = (value + 0.0).to_bits();
            let flip = if bits >> 63 == 1 { u64::MAX } else { 1 << 63 };
            key.push(2);
            key.extend((bits ^ flip).to_be_bytes());
        }
        Part::Text(text) => {
            key.push(3);
            let wide = text.chars().flat_map(|c| u32::from(c).to_le_bytes());
            key.extend(wide);
        }
    }
    key
}

pub(super) fn register(connection: &Connection) -> rusqlite::Result<()> {
    strict(connection, "td_json_get", 2, |args| {
        let value = match parsed(args)?.get(args.text(1)?)? {
            Json::Null => return None,
            // Numbers are doubles.
            Json::Number(number) => Json::from(number.as_f64()?),
            other => other.clone(),
        };
        Some(Value::Text(value.to_string()))
    })?;
    strict(connection, "td_json_has", 2, |args| {
        let found = parsed(args)?.get(args.text(1)?).is_some();
        Some(Value::Integer(i64::from(found)))
    })?;
    fallible(connection, "td_json_is", 4, |args| {
        let (Some(a), Some(op), Some(kind)) = (args.text(0), args.text(1), args.text(3)) else {
            return Ok(None);
        };
        let (Some(a), Some(b)) = (part(a)?, beside(args.get(2), kind)?) else {
            return Ok(None);
        };
        Ok(Some(Value::Integer(i64::from(holds(&a, op, &b)?))))
    })?;
    fallible(connection, "td_json_text", 1, |args| {
        Ok(match part(args.text(0).unwrap_or_default())? {
            Some(Part::Text(text)) => Some(Value::Text(text)),
            _ => None,
        })
    })?;
    fallible(connection, "td_json_plain", 1, |args| {
        let part = part(args.text(0).unwrap_or_default())?;
        Ok(part.map(|part| match part {
            Part::Bool(value) => Value::Integer(i64::from(value)),
            Part::Number(value) => Value::Real(value),
            Part::Text(text) => Value::Text(text),
        }))
    })?;
    fallible(connection, "td_json_order", 1, |args| {
        let part = part(args.text(0).unwrap_or_default());
        let part = part.map_err(|_| SqlError::unsupported("the order of whole JSON tags"))?;
        Ok(part.map(|part| Value::Blob(order_key(&part))))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Part {
        part(text).unwrap().unwrap()
    }

    #[test]
    fn kinds_do_not_mix() {
        let (number, text) = (read("5.0"), read("\"5\""));
        assert_eq!(holds(&number, "=", &text), Ok(false));
        assert_eq!(holds(&number, "<", &text), Ok(false));
        assert_eq!(holds(&number, ">=", &read("5")), Ok(true));
        assert_eq!(holds(&text, "<>", &read("\"6\"")), Ok(true));
        assert_eq!(holds(&read("true"), "=", &read("true")), Ok(true));
    }

    #[test]
    fn what_is_not_known_is_not_answered() {
        let code = |a: &str, op: &str, b: &str| holds(&read(a), op, &read(b)).unwrap_err().code;
        assert_eq!(code("5", "<>", "\"5\""), 0x0100);
        assert_eq!(code("true", "=", "1"), 0x0100);
        assert_eq!(code("\"\"", "<", "\"a\""), 0x0100);
        assert_eq!(part("{\"a\":1}").unwrap_err().code, 1837);
    }

    #[test]
    fn bools_come_before_numbers_and_numbers_before_texts() {
        let mut values = ["\"b\"", "10", "\"a\"", "true", "-1.5", "5", "false", "\"\""];
        values.sort_by_key(|text| order_key(&read(text)));
        let sorted = ["false", "true", "-1.5", "5", "10", "\"\"", "\"a\"", "\"b\""];
        assert_eq!(values, sorted);
    }
}

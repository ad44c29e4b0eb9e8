use rusqlite::Connection;
use rusqlite::types::Value;
use serde_json::Value as Json;

use super::{Args, strict};

fn parsed(args: &Args<'_>) -> Option<Json> {
    serde_json::from_str(args.text(0)?).ok()
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
    strict(connection, "td_json_text", 1, |args| match parsed(args)? {
        Json::String(text) => Some(Value::Text(text)),
        _ => None,
    })?;
    strict(connection, "td_json_number", 1, |args| {
        parsed(args)?.as_f64().map(Value::Real)
    })?;
    strict(connection, "td_json_bool", 1, |args| {
        parsed(args)?
            .as_bool()
            .map(|value| Value::Integer(i64::from(value)))
    })
}

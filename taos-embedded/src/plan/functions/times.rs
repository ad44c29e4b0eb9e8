use rusqlite::Connection;
use rusqlite::types::Value;
use taos_query::common::Precision;

use super::{Args, strict};
use crate::plan::time;

fn precision(args: &Args<'_>, index: usize) -> Option<Precision> {
    Precision::from_u8_option(u8::try_from(args.int(index)?).ok()?)
}

fn int(value: Option<i64>) -> Option<Value> {
    value.map(Value::Integer)
}

pub(super) fn register(connection: &Connection) -> rusqlite::Result<()> {
    strict(connection, "td_add_months", 3, |args| {
        int(time::add_months(
            args.int(0)?,
            args.int(1)?,
            precision(args, 2)?,
        ))
    })?;
    strict(connection, "td_floor_months", 3, |args| {
        int(time::floor_months(
            args.int(0)?,
            args.int(1)?.max(1),
            precision(args, 2)?,
        ))
    })?;
    strict(connection, "td_floor", 3, |args| {
        let (at, width, offset) = (args.int(0)?, args.int(1)?.max(1), args.int(2)?);
        int(at
            .checked_sub(offset)
            .map(|moved| at - moved.rem_euclid(width)))
    })?;
    strict(connection, "td_parse_time", 2, |args| {
        int(time::parse_time(args.text(0)?, precision(args, 1)?))
    })?;
    for name in ["weekday", "dayofweek", "weekofyear"] {
        strict(connection, &format!("td_{name}"), 2, move |args| {
            int(time::calendar(name, args.int(0)?, precision(args, 1)?))
        })?;
    }
    strict(connection, "td_week", 3, |args| {
        int(time::week(args.int(0)?, args.int(1)?, precision(args, 2)?))
    })?;
    strict(connection, "td_to_iso8601", 2, |args| {
        time::iso8601(args.int(0)?, precision(args, 1)?, None).map(Value::Text)
    })?;
    strict(connection, "td_to_iso8601", 3, |args| {
        time::iso8601(args.int(0)?, precision(args, 1)?, Some(args.text(2)?)).map(Value::Text)
    })
}

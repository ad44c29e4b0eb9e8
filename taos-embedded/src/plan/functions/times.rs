use chrono_tz::Tz;
use rusqlite::Connection;
use rusqlite::types::Value;
use taos_query::common::Precision;

use super::{Args, fallible, strict};
use crate::plan::{time, time_format, zone};
use crate::sql::SqlError;

fn precision(args: &Args<'_>, index: usize) -> Option<Precision> {
    Precision::from_u8_option(u8::try_from(args.int(index)?).ok()?)
}

fn int(value: Option<i64>) -> Option<Value> {
    value.map(Value::Integer)
}

fn zone(args: &Args<'_>, index: usize) -> Option<Tz> {
    args.text(index)?.parse().ok()
}

/// The window of whole days, which begin at the zone's midnight, that holds a time: time, width, unit,
/// zone, now.
fn floor_in_zone(args: &Args<'_>) -> Result<Option<Value>, SqlError> {
    let (Some(at), Some(width), Some(unit), Some(zone), Some(now)) = (
        args.int(0),
        args.int(1),
        precision(args, 2),
        zone(args, 3),
        args.int(4),
    ) else {
        return Ok(None);
    };
    let width = width.max(1);
    let check = |at| zone::steady(zone, now, at, unit, "windows of days");
    let east = check(at)? * unit.ticks_per_second();
    let Some(moved) = at.checked_add(east) else {
        return Ok(None);
    };
    let Some(start) = at.checked_sub(moved.rem_euclid(width)) else {
        return Ok(None);
    };
    check(start)?;
    check(start.saturating_add(width - 1))?;
    Ok(int(Some(start)))
}

pub(super) fn register(connection: &Connection) -> rusqlite::Result<()> {
    // the last argument, the zone, may be missing
    for count in [3, 4] {
        fallible(connection, "td_add_months", count, |args| {
            let (Some(at), Some(months), Some(unit)) =
                (args.int(0), args.int(1), precision(args, 2))
            else {
                return Ok(None);
            };
            time::add_months(at, months, unit, zone(args, 3)).map(int)
        })?;
    }
    for count in [2, 3] {
        fallible(connection, "td_parse_time", count, |args| {
            let (Some(text), Some(unit)) = (args.text(0), precision(args, 1)) else {
                return Ok(None);
            };
            time::parse_time(text, unit, zone(args, 2)).map(int)
        })?;
    }
    fallible(connection, "td_floor_zone", 5, floor_in_zone)?;
    fallible(connection, "td_to_iso8601_zone", 4, |args| {
        let (Some(at), Some(unit), Some(zone), Some(now)) =
            (args.int(0), precision(args, 1), zone(args, 2), args.int(3))
        else {
            return Ok(None);
        };
        let east = zone::steady(zone, now, at, unit, "to_iso8601")?;
        Ok(time::iso8601(at, unit, Some(&zone::offset_text(east))).map(Value::Text))
    })?;
    strict(connection, "td_window_start", 3, |args| {
        let (at, width, offset) = (args.int(0)?, args.int(1)?.max(1), args.int(2)?);
        int(at
            .checked_sub(offset)
            .and_then(|moved| at.checked_sub(moved.rem_euclid(width))))
    })?;
    strict(connection, "td_toward_zero", 3, |args| {
        let (at, width, east) = (args.int(0)?, args.int(1)?.max(1), args.int(2)?);
        int(at.checked_sub(at.checked_add(east)? % width))
    })?;
    calendar(connection)?;
    for count in [2, 3] {
        fallible(connection, "td_to_iso8601", count, |args| {
            let (Some(at), Some(unit)) = (args.int(0), precision(args, 1)) else {
                return Ok(None);
            };
            if at < 0 && at % unit.ticks_per_second() != 0 {
                return Err(SqlError::unsupported(
                    "to_iso8601 of a fraction of a second before 1970",
                ));
            }
            Ok(time::iso8601(at, unit, args.text(2)).map(Value::Text))
        })?;
    }
    Ok(())
}

/// Functions over what a clock shows; the last argument, the zone, may be missing.
fn calendar(connection: &Connection) -> rusqlite::Result<()> {
    for name in ["weekday", "dayofweek", "weekofyear"] {
        for count in [2, 3] {
            strict(connection, &format!("td_{name}"), count, move |args| {
                let (at, unit) = (args.int(0)?, precision(args, 1)?);
                int(time::calendar(name, at, unit, zone(args, 2)))
            })?;
        }
    }
    for count in [3, 4] {
        strict(connection, "td_week", count, |args| {
            let (at, mode, unit) = (args.int(0)?, args.int(1)?, precision(args, 2)?);
            int(time::week(at, mode, unit, zone(args, 3)))
        })?;
        fallible(connection, "td_to_char", count, |args| {
            let (Some(at), Some(format), Some(unit)) =
                (args.int(0), args.text(1), precision(args, 2))
            else {
                return Ok(None);
            };
            let text = time_format::write(at, format, unit, zone(args, 3))?;
            Ok(text.map(Value::Text))
        })?;
        fallible(connection, "td_to_timestamp", count, |args| {
            let (Some(text), Some(format), Some(unit)) =
                (args.text(0), args.text(1), precision(args, 2))
            else {
                return Ok(None);
            };
            let at = time_format::read(text, format, unit, zone(args, 3))?;
            Ok(Some(Value::Integer(at)))
        })?;
    }
    Ok(())
}

//! `first`, `last` and `last_row` of tables with a composite key: of several rows of one time only the one
//! with the least or the greatest key counts, and where that has no value, none of that time does.

use std::cmp::Ordering;

use rusqlite::Connection;
use rusqlite::functions::{Aggregate, Context};
use rusqlite::types::{Value, ValueRef};

use super::aggregates::{flags, less};
use super::owned;

pub(super) fn register(connection: &Connection) -> rusqlite::Result<()> {
    for (name, end) in [("td_first_keyed", End::First), ("td_last_keyed", End::Last)] {
        connection.create_aggregate_function(name, 5, flags(), end)?;
    }
    Ok(())
}

/// The arguments are value, time, key, what may not be NULL, and subtable; rows come in the order of
/// subtable, time and key.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    First,
    Last,
}

struct Row {
    value: Value,
    time: Value,
    key: Value,
    table: Value,
    counts: bool,
}

/// The row of the present subtable and time that may count, and the best of those before.
#[derive(Default)]
struct Picked {
    present: Option<Row>,
    best: Option<Row>,
}

fn compare(a: &Value, b: &Value) -> Ordering {
    let (a, b) = (ValueRef::from(a), ValueRef::from(b));
    match (less(a, b), less(b, a)) {
        (true, _) => Ordering::Less,
        (_, true) => Ordering::Greater,
        _ => Ordering::Equal,
    }
}

impl End {
    fn settle(self, picked: &mut Picked) {
        let Some(row) = picked.present.take().filter(|row| row.counts) else {
            return;
        };
        let is_better = picked.best.as_ref().is_none_or(|best| {
            let order = compare(&row.time, &best.time).then(compare(&row.key, &best.key));
            order
                == match self {
                    Self::First => Ordering::Less,
                    Self::Last => Ordering::Greater,
                }
        });
        if is_better {
            picked.best = Some(row);
        }
    }
}

impl Aggregate<Picked, Value> for End {
    fn init(&self, _: &mut Context<'_>) -> rusqlite::Result<Picked> {
        Ok(Picked::default())
    }

    fn step(&self, context: &mut Context<'_>, picked: &mut Picked) -> rusqlite::Result<()> {
        let argument = |n| owned(context.get_raw(n));
        let (time, table) = (argument(1), argument(4));
        let present = picked.present.as_ref();
        let same = present.is_some_and(|row| row.time == time && row.table == table);
        if same && *self == Self::First {
            return Ok(());
        }
        if !same {
            self.settle(picked);
        }
        picked.present = Some(Row {
            value: argument(0),
            time,
            key: argument(2),
            table,
            counts: context.get_raw(3) != ValueRef::Null,
        });
        Ok(())
    }

    fn finalize(&self, _: &mut Context<'_>, picked: Option<Picked>) -> rusqlite::Result<Value> {
        let mut picked = picked.unwrap_or_default();
        self.settle(&mut picked);
        Ok(picked.best.map_or(Value::Null, |row| row.value))
    }
}

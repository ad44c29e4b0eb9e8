//! `td_interp(spec, first, last, time, value, …)`: the points of INTERP as a JSON array, each `[time, state, time of the
//! value's row, value, …]`. Rows come in the order of time. State: 0 a row was there, 1 filled, 2 the statement's own value.

use std::fmt::Write as _;

use rusqlite::Connection;
use rusqlite::functions::{Aggregate, Context, FunctionFlags};
use rusqlite::types::{Value, ValueRef};

use super::memory::Held;
use super::{cut, number, owned, single};
use crate::sql::SqlError;

/// More points in one series are refused: each is kept in memory.
const MOST_POINTS: usize = 1_000_000;

pub(super) fn register(connection: &Connection) -> rusqlite::Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8
        | FunctionFlags::SQLITE_DETERMINISTIC
        | FunctionFlags::SQLITE_INNOCUOUS;
    connection.create_aggregate_function("td_interp", -1, flags, Interp)
}

/// How a point without a row is filled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Mode {
    /// By the statement: NULL or a value.
    #[default]
    Own,
    Prev,
    Next,
    Near,
    Linear,
}

/// What is the same for all rows, written `mode;ignore;step;around;kinds`.
#[derive(Debug, Default)]
struct Spec {
    mode: Mode,
    /// Rows in which one value is NULL do not count.
    ignore_null: bool,
    step: i64,
    /// How far away a row may be.
    around: Option<i64>,
    /// One letter a value: integer, unsigned of 64 bits, float, double, bool.
    kinds: String,
}

impl Spec {
    fn read(text: &str) -> Option<Self> {
        let mut parts = text.split(';');
        let mode = match parts.next()? {
            "prev" => Mode::Prev,
            "next" => Mode::Next,
            "near" => Mode::Near,
            "linear" => Mode::Linear,
            _ => Mode::Own,
        };
        Some(Self {
            mode,
            ignore_null: parts.next()? == "1",
            step: parts.next()?.parse().ok().filter(|&step| step > 0)?,
            around: parts.next()?.parse().ok(),
            kinds: parts.next()?.to_owned(),
        })
    }
}

struct Seen {
    time: i64,
    values: Vec<Value>,
}

#[derive(Default)]
struct Points {
    spec: Spec,
    /// The next point, and the last one.
    next: i64,
    last: i64,
    done: bool,
    begun: bool,
    seen: Option<i64>,
    before: Option<Seen>,
    count: usize,
    held: Held,
    json: String,
}

struct Interp;

impl Aggregate<Points, Option<String>> for Interp {
    fn init(&self, _: &mut Context<'_>) -> rusqlite::Result<Points> {
        Ok(Points::default())
    }

    fn step(&self, context: &mut Context<'_>, points: &mut Points) -> rusqlite::Result<()> {
        if !points.begun {
            points.begin(context)?;
        }
        let ValueRef::Integer(time) = context.get_raw(3) else {
            return Ok(());
        };
        if points.done || points.seen.replace(time) == Some(time) {
            return Ok(());
        }
        let values: Vec<Value> = (4..context.len())
            .map(|index| owned(context.get_raw(index)))
            .collect();
        if points.spec.ignore_null && values.contains(&Value::Null) {
            return Ok(());
        }
        points.row(Seen { time, values })
    }

    fn finalize(
        &self,
        _: &mut Context<'_>,
        points: Option<Points>,
    ) -> rusqlite::Result<Option<String>> {
        let Some(mut points) = points else {
            return Ok(None);
        };
        points.pass_empty(None);
        while !points.done {
            points.fill(None)?;
        }
        points.json.push(']');
        Ok(Some(points.json))
    }
}

impl Points {
    fn begin(&mut self, context: &Context<'_>) -> rusqlite::Result<()> {
        self.begun = true;
        self.json.push('[');
        let spec = context.get_raw(0).as_str().ok().and_then(Spec::read);
        let (Some(spec), ValueRef::Integer(first), ValueRef::Integer(last)) =
            (spec, context.get_raw(1), context.get_raw(2))
        else {
            self.done = true;
            return Ok(());
        };
        self.spec = spec;
        self.next = first;
        self.last = last;
        self.done = first > last;
        Ok(())
    }

    fn advance(&mut self) {
        match self.next.checked_add(self.spec.step) {
            Some(next) if next <= self.last => self.next = next,
            _ => self.done = true,
        }
    }

    /// Passes over the points that stay empty for lack of a row on one side, at once: they may be more than
    /// there is time for, and nothing can stop a function of SQLite.
    fn pass_empty(&mut self, after: Option<&Seen>) {
        if self.done || self.spec.around.is_some() {
            return;
        }
        let empty = match self.spec.mode {
            Mode::Own => false,
            Mode::Prev => self.before.is_none(),
            Mode::Next => after.is_none(),
            Mode::Linear => self.before.is_none() || after.is_none(),
            Mode::Near => self.before.is_none() && after.is_none(),
        };
        match after {
            _ if !empty => {}
            None => self.done = true,
            Some(row) if row.time > self.next => {
                let step = i128::from(self.spec.step);
                let distance = i128::from(row.time) - i128::from(self.next);
                let steps = (distance + step - 1) / step;
                match i64::try_from(i128::from(self.next) + steps * step) {
                    Ok(next) if next <= self.last => self.next = next,
                    _ => self.done = true,
                }
            }
            Some(_) => {}
        }
    }

    fn row(&mut self, row: Seen) -> rusqlite::Result<()> {
        self.pass_empty(Some(&row));
        while !self.done && self.next < row.time {
            self.fill(Some(&row))?;
        }
        if !self.done && self.next == row.time {
            self.point(0, Some(row.time), &row.values)?;
            self.advance();
        }
        self.before = Some(row);
        Ok(())
    }

    /// The next point, at which there is no row.
    fn fill(&mut self, after: Option<&Seen>) -> rusqlite::Result<()> {
        let at = self.next;
        let near = |seen: &&Seen| {
            self.spec
                .around
                .is_none_or(|around| at.abs_diff(seen.time) <= around.unsigned_abs())
        };
        let before = self.before.as_ref().filter(near);
        let after = after.filter(near);
        let chosen = match self.spec.mode {
            Mode::Own => {
                self.own()?;
                self.advance();
                return Ok(());
            }
            Mode::Linear => match (before, after) {
                (Some(before), Some(after)) => Some((None, self.line(before, after))),
                _ => None,
            },
            Mode::Prev => before.map(|row| (Some(row.time), row.values.clone())),
            Mode::Next => after.map(|row| (Some(row.time), row.values.clone())),
            Mode::Near => match (before, after) {
                (Some(before), Some(after)) => {
                    let later = at.abs_diff(after.time) < at.abs_diff(before.time);
                    let row = if later { after } else { before };
                    Some((Some(row.time), row.values.clone()))
                }
                (one, other) => one
                    .or(other)
                    .map(|row| (Some(row.time), row.values.clone())),
            },
        };
        match chosen {
            Some((time, values)) => self.point(1, time, &values)?,
            None if self.spec.around.is_some() => self.own()?,
            None => {}
        }
        self.advance();
        Ok(())
    }

    fn line(&self, before: &Seen, after: &Seen) -> Vec<Value> {
        let whole = f64_of(after.time) - f64_of(before.time);
        let part = f64_of(self.next) - f64_of(before.time);
        let pairs = before.values.iter().zip(&after.values);
        pairs
            .zip(self.spec.kinds.chars())
            .map(|((a, b), kind)| between(a, b, kind, part, whole))
            .collect()
    }

    /// A point whose values the statement names.
    fn own(&mut self) -> rusqlite::Result<()> {
        let values = vec![Value::Null; self.spec.kinds.len()];
        self.point(2, None, &values)
    }

    fn point(&mut self, state: u8, time: Option<i64>, values: &[Value]) -> rusqlite::Result<()> {
        self.count += 1;
        if self.count > MOST_POINTS {
            let error = SqlError::unsupported(format!(
                "interp of more than {MOST_POINTS} points in one series"
            ));
            return Err(rusqlite::Error::UserFunctionError(error.into()));
        }
        if self.count > 1 {
            self.json.push(',');
        }
        // what the text of one point takes, about
        self.held.take(32 + 24 * values.len(), "interp")?;
        let time = time.map_or_else(|| "null".to_owned(), |time| time.to_string());
        // writing to a String cannot fail
        let _ = write!(self.json, "[{},{state},{time}", self.next);
        for value in values {
            let _ = match value {
                Value::Integer(value) => write!(self.json, ",{value}"),
                Value::Real(value) if value.is_finite() => write!(self.json, ",{value:?}"),
                _ => write!(self.json, ",null"),
            };
        }
        self.json.push(']');
        Ok(())
    }
}

fn f64_of(value: i64) -> f64 {
    number(ValueRef::Integer(value)).unwrap_or_default()
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "values between two of the type, which the dialect computes as doubles and cuts"
)]
fn between(a: &Value, b: &Value, kind: char, part: f64, whole: f64) -> Value {
    let real = |value: &Value| match value {
        Value::Integer(stored) if kind == 'u' => Some((stored.cast_unsigned() ^ (1 << 63)) as f64),
        Value::Integer(value) => Some(f64_of(*value)),
        Value::Real(value) => Some(*value),
        _ => None,
    };
    let (Some(a), Some(b)) = (real(a), real(b)) else {
        return Value::Null;
    };
    let value = a + (b - a) * part / whole;
    match kind {
        'b' => Value::Integer(i64::from(a >= 1.0 && b >= 1.0)),
        'd' => Value::Real(value),
        'f' => Value::Real(f64::from(single(value))),
        'u' => Value::Integer((value as u64 ^ (1 << 63)).cast_signed()),
        _ => Value::Integer(cut(value)),
    }
}

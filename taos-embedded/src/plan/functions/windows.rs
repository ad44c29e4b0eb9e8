//! What decides about a row by the rows before it: windows over rows, and values carried into filled windows. All run
//! over frames from the first row to the current one, so nothing ever leaves a frame.

use rusqlite::Connection;
use rusqlite::functions::{Aggregate, Context, FunctionFlags, WindowAggregate};
use rusqlite::types::{Value, ValueRef};
use taos_query::common::Precision;

use super::{Args, cut, fallible, number, owned, single};
use crate::plan::time;
use crate::sql::SqlError;

/// What is kept from row to row.
#[derive(Default)]
struct State {
    /// The window that was begun last.
    number: i64,
    /// The value that the next row is compared with.
    last: Option<Value>,
    /// Between the first and the last row of a window.
    inside: bool,
    /// The answer for the current row.
    answer: Option<Value>,
}

type Step = fn(&Context<'_>, &mut State) -> rusqlite::Result<Option<Value>>;

struct Running(Step);

impl Aggregate<State, Option<Value>> for Running {
    fn init(&self, _: &mut Context<'_>) -> rusqlite::Result<State> {
        Ok(State::default())
    }

    fn step(&self, context: &mut Context<'_>, state: &mut State) -> rusqlite::Result<()> {
        state.answer = (self.0)(context, state)?;
        Ok(())
    }

    fn finalize(
        &self,
        _: &mut Context<'_>,
        state: Option<State>,
    ) -> rusqlite::Result<Option<Value>> {
        Ok(state.and_then(|state| state.answer))
    }
}

impl WindowAggregate<State, Option<Value>> for Running {
    fn value(&self, state: Option<&mut State>) -> rusqlite::Result<Option<Value>> {
        Ok(state.and_then(|state| state.answer.clone()))
    }

    fn inverse(&self, _: &mut Context<'_>, _: &mut State) -> rusqlite::Result<()> {
        Ok(())
    }
}

fn refused(error: SqlError) -> rusqlite::Error {
    rusqlite::Error::UserFunctionError(error.into())
}

fn is_true(value: ValueRef<'_>) -> bool {
    number(value).is_some_and(|value| value != 0.0)
}

/// Time, gap: the number of the session.
fn session(context: &Context<'_>, state: &mut State) -> rusqlite::Result<Option<Value>> {
    let (at, gap): (i64, i64) = (context.get(0)?, context.get(1)?);
    let near = match state.last {
        Some(Value::Integer(before)) => at.saturating_sub(before) <= gap,
        _ => false,
    };
    if !near {
        state.number += 1;
    }
    state.last = Some(Value::Integer(at));
    Ok(Some(Value::Integer(state.number)))
}

/// State: the number of the run of equal states; NULL belongs to none and ends none.
fn same_state(context: &Context<'_>, state: &mut State) -> rusqlite::Result<Option<Value>> {
    let value = context.get_raw(0);
    if value == ValueRef::Null {
        return Ok(None);
    }
    if state.last.as_ref().map(ValueRef::from) != Some(value) {
        state.number += 1;
        state.last = Some(owned(value));
    }
    Ok(Some(Value::Integer(state.number)))
}

/// Start, end: the number of the window from a start to the first end, which may be the same row.
fn event(context: &Context<'_>, state: &mut State) -> rusqlite::Result<Option<Value>> {
    if !state.inside {
        if !is_true(context.get_raw(0)) {
            return Ok(None);
        }
        state.inside = true;
        state.number += 1;
    }
    state.inside = !is_true(context.get_raw(1));
    Ok(Some(Value::Integer(state.number)))
}

/// The last value that was not NULL.
fn known(context: &Context<'_>, state: &mut State) -> rusqlite::Result<Option<Value>> {
    let value = context.get_raw(0);
    if value == ValueRef::Null {
        return Ok(state.answer.clone());
    }
    Ok(Some(owned(value)))
}

/// Whether there is a row, its value: the value of the last row that is there.
fn latest(context: &Context<'_>, state: &mut State) -> rusqlite::Result<Option<Value>> {
    if is_true(context.get_raw(0)) {
        return Ok(Some(owned(context.get_raw(1))));
    }
    Ok(state.answer.clone())
}

/// As [`latest`] backwards in time, where a row that is NULL takes the value of the one behind it too.
fn next(context: &Context<'_>, state: &mut State) -> rusqlite::Result<Option<Value>> {
    let value = context.get_raw(1);
    let here = is_true(context.get_raw(0));
    if here && value != ValueRef::Null {
        state.last = Some(owned(value));
        return Ok(state.last.clone());
    }
    if state.last == Some(Value::Null) {
        return Err(refused(SqlError::unsupported(
            "fill(next) before a window whose value is NULL",
        )));
    }
    let behind = state.last.clone();
    if here {
        state.last = Some(Value::Null);
    }
    Ok(behind)
}

/// A point of `fill(linear)`: whether there is a row, its value, its time, time and value before, time and value
/// behind, and 0 for integers, 1 for FLOAT, 2 for DOUBLE.
fn linear(args: &Args<'_>) -> Result<Option<Value>, SqlError> {
    let null = |index| args.get(index) == ValueRef::Null;
    let beside = || SqlError::unsupported("fill(linear) beside a window whose value is NULL");
    if args.int(0) == Some(1) {
        return if null(1) {
            Err(beside())
        } else {
            Ok(Some(owned(args.get(1))))
        };
    }
    if null(3) || null(5) {
        return Ok(None);
    }
    if null(4) || null(6) {
        return Err(beside());
    }
    let real = |index| args.real(index);
    let (Some(at), Some(t1), Some(v1), Some(t2), Some(v2)) =
        (real(2), real(3), real(4), real(5), real(6))
    else {
        return Ok(None);
    };
    let value = v1 + (v2 - v1) * (at - t1) / (t2 - t1);
    Ok(Some(match args.int(7) {
        Some(0) => Value::Integer(cut(value)),
        Some(1) => Value::Real(f64::from(single(value))),
        _ => Value::Real(value),
    }))
}

/// The window of months that holds a time: time, months, offset, unit, zone.
fn window_of_months(args: &Args<'_>) -> Result<Option<Value>, SqlError> {
    let unit = args
        .int(3)
        .and_then(|unit| Precision::from_u8_option(u8::try_from(unit).ok()?));
    let (Some(at), Some(months), Some(offset), Some(unit)) =
        (args.int(0), args.int(1), args.int(2), unit)
    else {
        return Ok(None);
    };
    let zone = args.text(4).and_then(|zone| zone.parse().ok());
    let moved = |start: i64| start.saturating_add(offset);
    let Some(start) = time::floor_months(at, months.max(1), unit, zone)? else {
        return Ok(None);
    };
    if moved(start) <= at {
        return Ok(Some(Value::Integer(moved(start))));
    }
    let before = time::add_months(start, -months, unit, zone)?;
    Ok(before.map(|start| Value::Integer(moved(start))))
}

/// A doubt and its name: refuses where the doubt is true.
fn unsure(args: &Args<'_>) -> Result<Option<Value>, SqlError> {
    match (args.int(0), args.text(1)) {
        (Some(0), _) => Ok(Some(Value::Integer(1))),
        (_, name) => Err(SqlError::unsupported(name.unwrap_or("windows in doubt"))),
    }
}

pub(super) fn register(connection: &Connection) -> rusqlite::Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8
        | FunctionFlags::SQLITE_DETERMINISTIC
        | FunctionFlags::SQLITE_INNOCUOUS;
    let running: [(&str, i32, Step); 6] = [
        ("td_session", 2, session),
        ("td_state", 1, same_state),
        ("td_event", 2, event),
        ("td_known", 1, known),
        ("td_latest", 2, latest),
        ("td_next", 2, next),
    ];
    for (name, args, step) in running {
        connection.create_window_function(name, args, flags, Running(step))?;
    }
    connection.create_scalar_function("td_fill_linear", 8, flags, |context| {
        linear(&Args { context }).map_err(refused)
    })?;
    fallible(connection, "td_unsure", 2, unsure)?;
    for count in [4, 5] {
        fallible(connection, "td_window_months", count, window_of_months)?;
    }
    Ok(())
}

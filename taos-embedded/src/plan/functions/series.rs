//! Functions over series as window functions: each is asked once a row, in the order of time.
//!
//! They answer NULL for a row that the result leaves out, an empty text for a row whose value is NULL, else the value.

use std::collections::VecDeque;
use std::panic::{RefUnwindSafe, UnwindSafe};

use rusqlite::Connection;
use rusqlite::functions::{Aggregate, Context, FunctionFlags, WindowAggregate};
use rusqlite::types::{Value, ValueRef};

use super::number;
use crate::sql::SqlError;

pub(super) fn register(connection: &Connection) -> rusqlite::Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8
        | FunctionFlags::SQLITE_DETERMINISTIC
        | FunctionFlags::SQLITE_INNOCUOUS;
    connection.create_window_function("td_diff", 4, flags, Rows(Diff))?;
    connection.create_window_function("td_derivative", 4, flags, Rows(Derivative))?;
    connection.create_window_function("td_csum", 3, flags, Rows(RunningSum))?;
    connection.create_window_function("td_mavg", 3, flags, Rows(MovingAverage))?;
    connection.create_window_function("td_statecount", 4, flags, Rows(StateCount))?;
    connection.create_window_function("td_stateduration", 5, flags, Rows(StateDuration))?;
    connection.create_aggregate_function("td_irate", 3, flags, Irate { keyed: false })?;
    connection.create_aggregate_function("td_irate_keyed", 3, flags, Irate { keyed: true })?;
    connection.create_scalar_function("td_uneven", 0, FunctionFlags::SQLITE_UTF8, |_| {
        refused::<Value>(SqlError::unsupported(
            "several functions over series that leave out different rows",
        ))
    })
}

/// The answer for one row.
enum Beside {
    LeftOut,
    Null,
    Int(i64),
    Real(f64),
}

impl Beside {
    fn encoded(self) -> Value {
        match self {
            Self::LeftOut => Value::Null,
            Self::Int(value) => Value::Integer(value),
            Self::Real(value) if value.is_finite() => Value::Real(value),
            Self::Null | Self::Real(_) => Value::Text(String::new()),
        }
    }
}

fn refused<T>(error: SqlError) -> rusqlite::Result<T> {
    Err(rusqlite::Error::UserFunctionError(error.into()))
}

/// Two rows of one time are no series.
pub(super) fn duplicate() -> rusqlite::Error {
    let error = SqlError::new(0x2805, "Duplicate timestamps not allowed in function");
    rusqlite::Error::UserFunctionError(error.into())
}

/// A function that looks at rows one by one.
trait RowByRow: Send + 'static {
    type State: Default + Send + UnwindSafe + RefUnwindSafe;

    fn row(&self, row: &Row<'_>, state: &mut Self::State) -> rusqlite::Result<Beside>;
}

/// The arguments: a value, its time, and constants.
struct Row<'c> {
    context: &'c Context<'c>,
    time: i64,
}

impl Row<'_> {
    fn value(&self) -> ValueRef<'_> {
        self.context.get_raw(0)
    }

    fn real(&self) -> Option<f64> {
        number(self.value())
    }

    fn int(&self, index: usize) -> i64 {
        match self.context.get_raw(index) {
            ValueRef::Integer(value) => value,
            _ => 0,
        }
    }

    /// The value as it is counted: integers, stored unsigned ones of 64 bits, doubles.
    fn number(&self, unsigned_at: usize) -> Option<Number> {
        match self.value() {
            ValueRef::Integer(stored) if self.int(unsigned_at) != 0 => {
                Some(Number::Unsigned(stored.cast_unsigned() ^ (1 << 63)))
            }
            ValueRef::Integer(value) => Some(Number::Int(value)),
            ValueRef::Real(value) => Some(Number::Real(value)),
            _ => None,
        }
    }

    /// Refuses a second row of one time.
    fn next_time(&self, last: &mut Option<i64>) -> rusqlite::Result<()> {
        if last.replace(self.time) == Some(self.time) {
            return Err(duplicate());
        }
        Ok(())
    }
}

#[derive(Clone, Copy)]
enum Number {
    Int(i64),
    Unsigned(u64),
    Real(f64),
}

/// Turns a function of rows into one of SQLite's window functions over the frame that begins with the partition.
struct Rows<F>(F);

struct Running<S> {
    state: S,
    answer: Value,
}

impl<F: RowByRow> Aggregate<Running<F::State>, Value> for Rows<F> {
    fn init(&self, _: &mut Context<'_>) -> rusqlite::Result<Running<F::State>> {
        Ok(Running {
            state: F::State::default(),
            answer: Value::Null,
        })
    }

    fn step(
        &self,
        context: &mut Context<'_>,
        running: &mut Running<F::State>,
    ) -> rusqlite::Result<()> {
        let ValueRef::Integer(time) = context.get_raw(1) else {
            return refused(SqlError::unsupported("a series of rows without a time"));
        };
        let row = Row { context, time };
        running.answer = self.0.row(&row, &mut running.state)?.encoded();
        Ok(())
    }

    fn finalize(
        &self,
        _: &mut Context<'_>,
        running: Option<Running<F::State>>,
    ) -> rusqlite::Result<Value> {
        Ok(running.map_or(Value::Null, |running| running.answer))
    }
}

impl<F: RowByRow> WindowAggregate<Running<F::State>, Value> for Rows<F> {
    fn value(&self, running: Option<&mut Running<F::State>>) -> rusqlite::Result<Value> {
        Ok(running.map_or(Value::Null, |running| running.answer.clone()))
    }

    fn inverse(&self, _: &mut Context<'_>, _: &mut Running<F::State>) -> rusqlite::Result<()> {
        refused(SqlError::unsupported("a series that loses rows"))
    }
}

/// `td_diff(value, time, mode, is BIGINT UNSIGNED)`
struct Diff;

#[derive(Default)]
struct Differed {
    begun: bool,
    before: Option<Number>,
    /// The last row's time, and whether it had a value.
    last: Option<(i64, bool)>,
}

impl RowByRow for Diff {
    type State = Differed;

    fn row(&self, row: &Row<'_>, state: &mut Differed) -> rusqlite::Result<Beside> {
        let value = row.number(3);
        let here = (row.time, value.is_some());
        match state.last.replace(here) {
            Some((time, true)) if time == row.time && value.is_some() => return Err(duplicate()),
            Some((time, _)) if time == row.time => {
                return refused(SqlError::unsupported("diff of NULL where a time is double"));
            }
            _ => {}
        }
        let before = state.before;
        state.before = value.or(before);
        if !std::mem::replace(&mut state.begun, true) {
            return Ok(Beside::LeftOut);
        }
        let difference = match (before, value) {
            (Some(before), Some(value)) => difference(before, value),
            _ => None,
        };
        let mode = row.int(2);
        let kept = difference.filter(|(_, negative)| !(*negative && mode & 1 == 1));
        Ok(match kept {
            Some((difference, _)) => difference,
            None if mode & 2 == 2 => Beside::LeftOut,
            None => Beside::Null,
        })
    }
}

/// The difference and whether it is negative, which an overflow does not change.
fn difference(before: Number, value: Number) -> Option<(Beside, bool)> {
    match (before, value) {
        (Number::Int(before), Number::Int(value)) => {
            Some((Beside::Int(value.wrapping_sub(before)), value < before))
        }
        (Number::Unsigned(before), Number::Unsigned(value)) => Some((
            Beside::Int(value.wrapping_sub(before).cast_signed()),
            value < before,
        )),
        (Number::Real(before), Number::Real(value)) => {
            let difference = value - before;
            Some((Beside::Real(difference), difference < 0.0))
        }
        _ => None,
    }
}

/// `td_derivative(value, time, ticks of the unit, negative ones are left out)`
struct Derivative;

impl RowByRow for Derivative {
    type State = Option<(f64, i64)>;

    fn row(&self, row: &Row<'_>, state: &mut Self::State) -> rusqlite::Result<Beside> {
        let Some(value) = row.real() else {
            return Ok(Beside::LeftOut);
        };
        let Some((before, then)) = state.replace((value, row.time)) else {
            return Ok(Beside::LeftOut);
        };
        if then == row.time {
            return Err(duplicate());
        }
        let rate = (value - before) * double(row.int(2)) / double(row.time.wrapping_sub(then));
        if rate < 0.0 && row.int(3) != 0 {
            return Ok(Beside::LeftOut);
        }
        Ok(Beside::Real(rate))
    }
}

#[allow(clippy::cast_precision_loss, reason = "rates are doubles")]
const fn double(value: i64) -> f64 {
    value as f64
}

/// `td_csum(value, time, is BIGINT UNSIGNED)`
struct RunningSum;

#[derive(Default)]
struct Summed {
    sum: Option<Number>,
    last: Option<i64>,
}

impl RowByRow for RunningSum {
    type State = Summed;

    fn row(&self, row: &Row<'_>, state: &mut Summed) -> rusqlite::Result<Beside> {
        row.next_time(&mut state.last)?;
        let Some(value) = row.number(2) else {
            return Ok(Beside::LeftOut);
        };
        let sum = match (state.sum, value) {
            (Some(Number::Int(sum)), Number::Int(value)) => Number::Int(sum.wrapping_add(value)),
            (Some(Number::Unsigned(sum)), Number::Unsigned(value)) => {
                Number::Unsigned(sum.wrapping_add(value))
            }
            (Some(Number::Real(sum)), Number::Real(value)) => Number::Real(sum + value),
            _ => value,
        };
        state.sum = Some(sum);
        Ok(match sum {
            Number::Int(sum) => Beside::Int(sum),
            Number::Unsigned(sum) => Beside::Int((sum ^ (1 << 63)).cast_signed()),
            Number::Real(sum) => Beside::Real(sum),
        })
    }
}

/// `td_mavg(value, time, how many)`
struct MovingAverage;

#[derive(Default)]
struct Moved {
    values: VecDeque<f64>,
    sum: f64,
    last: Option<i64>,
}

impl RowByRow for MovingAverage {
    type State = Moved;

    fn row(&self, row: &Row<'_>, state: &mut Moved) -> rusqlite::Result<Beside> {
        row.next_time(&mut state.last)?;
        let Some(value) = row.real() else {
            return Ok(Beside::LeftOut);
        };
        // the planner allows 1 to 1,000
        let wanted = usize::try_from(row.int(2)).unwrap_or(1);
        // the new value comes in before the oldest goes: the order decides how the sum is rounded
        state.sum += value;
        if state.values.len() >= wanted {
            state.sum -= state.values.pop_front().unwrap_or_default();
        }
        state.values.push_back(value);
        if state.values.len() < wanted {
            return Ok(Beside::LeftOut);
        }
        Ok(Beside::Real(state.sum / double(row.int(2))))
    }
}

/// Whether a value fulfils the condition of the arguments 2 and 3; `None` for NULL.
fn holds(row: &Row<'_>) -> Option<bool> {
    let value = row.real()?;
    let wanted = number(row.context.get_raw(3))?;
    let order = value.partial_cmp(&wanted)?;
    Some(match row.context.get_raw(2).as_str().unwrap_or_default() {
        "lt" => order.is_lt(),
        "gt" => order.is_gt(),
        "le" => order.is_le(),
        "ge" => order.is_ge(),
        "ne" => order.is_ne(),
        _ => order.is_eq(),
    })
}

/// `td_statecount(value, time, operator, operand)`
struct StateCount;

#[derive(Default)]
struct Counted {
    count: i64,
    last: Option<i64>,
}

impl RowByRow for StateCount {
    type State = Counted;

    fn row(&self, row: &Row<'_>, state: &mut Counted) -> rusqlite::Result<Beside> {
        row.next_time(&mut state.last)?;
        Ok(match holds(row) {
            Some(true) => {
                state.count += 1;
                Beside::Int(state.count)
            }
            Some(false) => {
                state.count = 0;
                Beside::Int(-1)
            }
            None => Beside::Null,
        })
    }
}

/// `td_stateduration(value, time, operator, operand, ticks of the unit)`
struct StateDuration;

#[derive(Default)]
struct Lasted {
    since: Option<i64>,
    last: Option<i64>,
}

impl RowByRow for StateDuration {
    type State = Lasted;

    fn row(&self, row: &Row<'_>, state: &mut Lasted) -> rusqlite::Result<Beside> {
        row.next_time(&mut state.last)?;
        Ok(match holds(row) {
            Some(true) => {
                let since = *state.since.get_or_insert(row.time);
                Beside::Int(row.time.wrapping_sub(since) / row.int(4).max(1))
            }
            Some(false) => {
                state.since = None;
                Beside::Int(-1)
            }
            None => Beside::Null,
        })
    }
}

/// `td_irate(value, time, ticks of a second)`: the growth between the last two values, which come in the order of time.
struct Irate {
    /// Rows of one time differ in a composite key: the first counts.
    keyed: bool,
}

#[derive(Default)]
struct LastTwo {
    before: Option<(f64, i64)>,
    last: Option<(f64, i64)>,
    second: i64,
}

impl Aggregate<LastTwo, Option<f64>> for Irate {
    fn init(&self, _: &mut Context<'_>) -> rusqlite::Result<LastTwo> {
        Ok(LastTwo::default())
    }

    fn step(&self, context: &mut Context<'_>, state: &mut LastTwo) -> rusqlite::Result<()> {
        let (Some(value), ValueRef::Integer(time)) =
            (number(context.get_raw(0)), context.get_raw(1))
        else {
            return Ok(());
        };
        if let ValueRef::Integer(second) = context.get_raw(2) {
            state.second = second;
        }
        if state.last.is_some_and(|(_, last)| last == time) {
            return if self.keyed { Ok(()) } else { Err(duplicate()) };
        }
        state.before = state.last.replace((value, time));
        Ok(())
    }

    fn finalize(
        &self,
        _: &mut Context<'_>,
        state: Option<LastTwo>,
    ) -> rusqlite::Result<Option<f64>> {
        Ok(state.and_then(|state| {
            let (value, time) = state.last?;
            let Some((before, then)) = state.before else {
                return Some(0.0);
            };
            // after a fall the value counts from zero
            let growth = if value >= before {
                value - before
            } else {
                value
            };
            let seconds = double(time.wrapping_sub(then)) / double(state.second.max(1));
            Some(growth / seconds)
        }))
    }
}

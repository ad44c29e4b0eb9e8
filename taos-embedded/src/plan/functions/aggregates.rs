use std::collections::HashMap;

use rusqlite::Connection;
use rusqlite::functions::{Aggregate, Context, FunctionFlags};
use rusqlite::types::{Value, ValueRef};

use super::decimals::{Number, divide, unscaled};
use super::memory::{Held, length};
use super::{number, owned, single};
use crate::exec::decimal::overflow;
use crate::plan::decimal::to_bytes;
use crate::sql::SqlError;

pub(super) fn flags() -> FunctionFlags {
    FunctionFlags::SQLITE_UTF8
        | FunctionFlags::SQLITE_DETERMINISTIC
        | FunctionFlags::SQLITE_INNOCUOUS
}

pub(super) fn register(connection: &Connection) -> rusqlite::Result<()> {
    let picks = [
        ("td_first", 2, Pick::new(Key::Least, 1, Some(0))),
        ("td_last", 2, Pick::new(Key::Greatest, 1, Some(0))),
        ("td_last_row", 2, Pick::new(Key::Greatest, 1, None)),
        ("td_pick_first", 3, Pick::new(Key::Least, 1, Some(2))),
        ("td_pick_last", 3, Pick::new(Key::Greatest, 1, Some(2))),
        ("td_pick_last_row", 2, Pick::new(Key::Greatest, 1, None)),
        ("td_pick_max", 2, Pick::new(Key::Greatest, 1, Some(1))),
        ("td_pick_min", 2, Pick::new(Key::Least, 1, Some(1))),
    ];
    for (name, args, pick) in picks {
        connection.create_aggregate_function(name, args, flags(), pick)?;
    }
    for (name, root, single) in [
        ("td_stddev", true, false),
        ("td_stddev_f32", true, true),
        ("td_var", false, false),
        ("td_var_f32", false, true),
    ] {
        let variance = Variance { root, single };
        connection.create_aggregate_function(name, 1, flags(), variance)?;
    }
    connection.create_aggregate_function("td_mode", 1, flags(), Mode { key: 0 })?;
    connection.create_aggregate_function("td_pick_mode", 2, flags(), Mode { key: 1 })?;
    connection.create_aggregate_function("td_percentile", 2, flags(), Percentile)?;
    connection.create_aggregate_function("td_twa", 2, flags(), Twa { keyed: false })?;
    connection.create_aggregate_function("td_twa_keyed", 2, flags(), Twa { keyed: true })?;
    connection.create_aggregate_function("td_leastsquares", 3, flags(), LeastSquares)?;
    connection.create_aggregate_function("td_sum", 1, flags(), SignedSum)?;
    connection.create_aggregate_function("td_u64_sum", 1, flags(), UnsignedSum)?;
    super::sums::register(connection)?;
    super::approximate::register(connection)?;
    connection.create_aggregate_function("td_dec_sum", 1, flags(), DecimalSum)?;
    connection.create_aggregate_function("td_dec_avg", 3, flags(), DecimalMean)
}

#[derive(Clone, Copy)]
enum Key {
    Least,
    Greatest,
}

/// Takes its first argument from the row whose key is least or greatest.
#[derive(Clone, Copy)]
struct Pick {
    key: Key,
    key_at: usize,
    /// The argument that may not be NULL.
    wanted: Option<usize>,
}

impl Pick {
    const fn new(key: Key, key_at: usize, wanted: Option<usize>) -> Self {
        Self {
            key,
            key_at,
            wanted,
        }
    }
}

/// The value picked so far and its key.
type Picked = Option<(Value, Value)>;

impl Aggregate<Picked, Value> for Pick {
    fn init(&self, _: &mut Context<'_>) -> rusqlite::Result<Picked> {
        Ok(None)
    }

    fn step(&self, context: &mut Context<'_>, picked: &mut Picked) -> rusqlite::Result<()> {
        if let Some(wanted) = self.wanted
            && context.get_raw(wanted) == ValueRef::Null
        {
            return Ok(());
        }
        let key = context.get_raw(self.key_at);
        if key == ValueRef::Null {
            return Ok(());
        }
        let better = match picked {
            None => true,
            Some((_, best)) => match self.key {
                Key::Least => less(key, ValueRef::from(&*best)),
                Key::Greatest => less(ValueRef::from(&*best), key),
            },
        };
        if better {
            *picked = Some((owned(context.get_raw(0)), owned(key)));
        }
        Ok(())
    }

    fn finalize(&self, _: &mut Context<'_>, picked: Option<Picked>) -> rusqlite::Result<Value> {
        Ok(picked.flatten().map_or(Value::Null, |(value, _)| value))
    }
}

pub(super) fn less(a: ValueRef<'_>, b: ValueRef<'_>) -> bool {
    match (a, b) {
        (ValueRef::Integer(a), ValueRef::Integer(b)) => a < b,
        (ValueRef::Text(a), ValueRef::Text(b)) | (ValueRef::Blob(a), ValueRef::Blob(b)) => a < b,
        (a, b) => match (number(a), number(b)) {
            (Some(a), Some(b)) => a < b,
            _ => false,
        },
    }
}

/// Population variance, or its root, from the sums that the dialect keeps: what large values lose, it loses too.
struct Variance {
    root: bool,
    /// The values are FLOAT: the dialect squares them in that width.
    single: bool,
}

#[derive(Default)]
struct Moments {
    count: f64,
    sum: f64,
    squares: f64,
    /// Integers are summed as such.
    whole_sum: i64,
    whole_squares: i64,
}

impl Aggregate<Moments, Option<f64>> for Variance {
    fn init(&self, _: &mut Context<'_>) -> rusqlite::Result<Moments> {
        Ok(Moments::default())
    }

    fn step(&self, context: &mut Context<'_>, moments: &mut Moments) -> rusqlite::Result<()> {
        match context.get_raw(0) {
            ValueRef::Integer(value) => {
                moments.count += 1.0;
                moments.whole_sum = moments.whole_sum.wrapping_add(value);
                let square = value.wrapping_mul(value);
                moments.whole_squares = moments.whole_squares.wrapping_add(square);
            }
            ValueRef::Real(value) => {
                moments.count += 1.0;
                moments.sum += value;
                moments.squares += if self.single {
                    let value = single(value);
                    f64::from(value * value)
                } else {
                    value * value
                };
            }
            _ => {}
        }
        Ok(())
    }

    #[allow(
        clippy::cast_precision_loss,
        reason = "the dialect divides integers as doubles"
    )]
    fn finalize(
        &self,
        _: &mut Context<'_>,
        moments: Option<Moments>,
    ) -> rusqlite::Result<Option<f64>> {
        let moments = moments.filter(|moments| moments.count > 0.0);
        Ok(moments.map(|moments| {
            let mean = (moments.sum + moments.whole_sum as f64) / moments.count;
            let squares = moments.squares + moments.whole_squares as f64;
            let variance = (squares / moments.count - mean * mean).abs();
            if self.root { variance.sqrt() } else { variance }
        }))
    }
}

/// The most frequent key; the one seen first among equals. Gives the first argument of its last row.
struct Mode {
    key: usize,
}

/// A value that can be looked up: type and bytes.
type Lookup = (u8, Vec<u8>);

/// What an entry of the table of counts takes, about.
const ENTRY: usize = 128;

#[derive(Default)]
struct Counts {
    held: Held,
    seen: HashMap<Lookup, (u64, u64, Value)>,
}

fn lookup(value: ValueRef<'_>) -> Lookup {
    match value {
        ValueRef::Null => (0, Vec::new()),
        ValueRef::Integer(value) => (1, value.to_le_bytes().to_vec()),
        ValueRef::Real(value) => (2, value.to_le_bytes().to_vec()),
        ValueRef::Text(value) => (3, value.to_vec()),
        ValueRef::Blob(value) => (4, value.to_vec()),
    }
}

impl Aggregate<Counts, Value> for Mode {
    fn init(&self, _: &mut Context<'_>) -> rusqlite::Result<Counts> {
        Ok(Counts::default())
    }

    fn step(&self, context: &mut Context<'_>, counts: &mut Counts) -> rusqlite::Result<()> {
        let key = context.get_raw(self.key);
        if key != ValueRef::Null {
            let order = u64::try_from(counts.seen.len()).unwrap_or(u64::MAX);
            let key = lookup(key);
            if !counts.seen.contains_key(&key) {
                counts.held.take(key.1.len() + ENTRY, "mode")?;
            }
            let entry = counts
                .seen
                .entry(key)
                .or_insert_with(|| (0, order, Value::Null));
            entry.0 += 1;
            let value = context.get_raw(0);
            let kept = ValueRef::from(&entry.2);
            if kept != value {
                counts.held.replace(length(kept), length(value), "mode")?;
                entry.2 = owned(value);
            }
        }
        Ok(())
    }

    fn finalize(&self, _: &mut Context<'_>, counts: Option<Counts>) -> rusqlite::Result<Value> {
        let best = counts.unwrap_or_default().seen.into_values().max_by(
            |(count, order, _), (other, other_order, _)| {
                count.cmp(other).then(other_order.cmp(order))
            },
        );
        Ok(best.map_or(Value::Null, |(_, _, value)| value))
    }
}

/// Linear between neighbours; several points give a text.
struct Percentile;

#[derive(Default)]
struct Points {
    values: Vec<f64>,
    points: String,
    held: Held,
}

impl Points {
    fn push(&mut self, value: f64) -> rusqlite::Result<()> {
        if self.values.len() == self.values.capacity() {
            let more = self.values.capacity().max(64);
            self.held.take(more * size_of::<f64>(), "percentile")?;
            self.values.reserve_exact(more);
        }
        self.values.push(value);
        Ok(())
    }
}

impl Aggregate<Points, Value> for Percentile {
    fn init(&self, _: &mut Context<'_>) -> rusqlite::Result<Points> {
        Ok(Points::default())
    }

    fn step(&self, context: &mut Context<'_>, state: &mut Points) -> rusqlite::Result<()> {
        if state.points.is_empty() {
            context.get_raw(1).as_str()?.clone_into(&mut state.points);
        }
        match number(context.get_raw(0)) {
            Some(value) => state.push(value),
            None => Ok(()),
        }
    }

    fn finalize(&self, _: &mut Context<'_>, state: Option<Points>) -> rusqlite::Result<Value> {
        let Some(mut state) = state.filter(|state| !state.values.is_empty()) else {
            return Ok(Value::Null);
        };
        state.values.sort_unstable_by(f64::total_cmp);
        let results: Vec<f64> = state
            .points
            .split(',')
            .filter_map(|point| point.parse().ok())
            .map(|point| at_percent(&state.values, point))
            .collect();
        Ok(match results.as_slice() {
            [one] => Value::Real(*one),
            many => {
                let texts: Vec<String> = many.iter().map(|value| format!("{value:.6}")).collect();
                Value::Text(format!("[{}]", texts.join(", ")))
            }
        })
    }
}

#[allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the place lies between 0 and the number of values"
)]
fn at_percent(values: &[f64], point: f64) -> f64 {
    let place = point / 100.0 * (values.len() - 1) as f64;
    let below = place.floor();
    let index = below as usize;
    let low = values.get(index).copied().unwrap_or_default();
    let high = values.get(index + 1).copied().unwrap_or(low);
    low + (high - low) * (place - below)
}

/// Time-weighted average of rows that come in the order of time.
struct Twa {
    /// Rows of one time differ in a composite key: the first counts.
    keyed: bool,
}

#[derive(Default)]
struct Area {
    time: Option<i64>,
    first: Option<(f64, f64)>,
    last: Option<(f64, f64)>,
    area: f64,
}

impl Aggregate<Area, Option<f64>> for Twa {
    fn init(&self, _: &mut Context<'_>) -> rusqlite::Result<Area> {
        Ok(Area::default())
    }

    fn step(&self, context: &mut Context<'_>, state: &mut Area) -> rusqlite::Result<()> {
        let (Some(value), ValueRef::Integer(time)) =
            (number(context.get_raw(0)), context.get_raw(1))
        else {
            return Ok(());
        };
        if state.time.replace(time) == Some(time) {
            return if self.keyed {
                Ok(())
            } else {
                Err(super::series::duplicate())
            };
        }
        #[allow(clippy::cast_precision_loss, reason = "an average weighs in doubles")]
        let time = time as f64;
        if let Some((before, then)) = state.last {
            state.area += (value + before) / 2.0 * (time - then);
        }
        state.first.get_or_insert((value, time));
        state.last = Some((value, time));
        Ok(())
    }

    fn finalize(&self, _: &mut Context<'_>, state: Option<Area>) -> rusqlite::Result<Option<f64>> {
        Ok(state.and_then(|state| {
            let (first, last) = (state.first?, state.last?);
            let width = last.1 - first.1;
            Some(if width > 0.0 {
                state.area / width
            } else {
                first.0
            })
        }))
    }
}

/// A line through values at `start`, `start + step`, ….
struct LeastSquares;

#[derive(Default)]
struct Sums {
    count: f64,
    at: f64,
    x: f64,
    y: f64,
    xx: f64,
    xy: f64,
}

impl Aggregate<Sums, Option<String>> for LeastSquares {
    fn init(&self, _: &mut Context<'_>) -> rusqlite::Result<Sums> {
        Ok(Sums::default())
    }

    fn step(&self, context: &mut Context<'_>, sums: &mut Sums) -> rusqlite::Result<()> {
        let (Some(value), Some(start), Some(step)) = (
            number(context.get_raw(0)),
            number(context.get_raw(1)),
            number(context.get_raw(2)),
        ) else {
            return Ok(());
        };
        sums.at = if sums.count == 0.0 {
            start
        } else {
            sums.at + step
        };
        sums.count += 1.0;
        sums.x += sums.at;
        sums.y += value;
        sums.xx += sums.at * sums.at;
        sums.xy += sums.at * value;
        Ok(())
    }

    fn finalize(
        &self,
        _: &mut Context<'_>,
        sums: Option<Sums>,
    ) -> rusqlite::Result<Option<String>> {
        Ok(sums.filter(|sums| sums.count > 0.0).map(|sums| {
            let slope =
                (sums.count * sums.xy - sums.x * sums.y) / (sums.count * sums.xx - sums.x * sums.x);
            let intercept = (sums.y - slope * sums.x) / sums.count;
            format!("{{slop:{slope:.6}, intercept:{intercept:.6}}}")
        }))
    }
}

/// The sum of 64 bit integers, which wraps around as the server's does.
struct SignedSum;

impl Aggregate<Option<i64>, Option<i64>> for SignedSum {
    fn init(&self, _: &mut Context<'_>) -> rusqlite::Result<Option<i64>> {
        Ok(None)
    }

    fn step(&self, context: &mut Context<'_>, sum: &mut Option<i64>) -> rusqlite::Result<()> {
        if let ValueRef::Integer(value) = context.get_raw(0) {
            *sum = Some(sum.unwrap_or(0).wrapping_add(value));
        }
        Ok(())
    }

    fn finalize(
        &self,
        _: &mut Context<'_>,
        sum: Option<Option<i64>>,
    ) -> rusqlite::Result<Option<i64>> {
        Ok(sum.flatten())
    }
}

struct UnsignedSum;

impl Aggregate<Option<u64>, Option<i64>> for UnsignedSum {
    fn init(&self, _: &mut Context<'_>) -> rusqlite::Result<Option<u64>> {
        Ok(None)
    }

    fn step(&self, context: &mut Context<'_>, sum: &mut Option<u64>) -> rusqlite::Result<()> {
        if let ValueRef::Integer(stored) = context.get_raw(0) {
            let value = stored.cast_unsigned() ^ (1 << 63);
            *sum = Some(sum.unwrap_or(0).wrapping_add(value));
        }
        Ok(())
    }

    fn finalize(
        &self,
        _: &mut Context<'_>,
        sum: Option<Option<u64>>,
    ) -> rusqlite::Result<Option<i64>> {
        Ok(sum.flatten().map(|sum| (sum ^ (1 << 63)).cast_signed()))
    }
}

/// The first number of 39 digits.
const DECIMAL_LIMIT: u128 = 10_u128.pow(38);

struct DecimalSum;

/// The sum of decimals and their number; `None` before the first.
type Total = Option<(i128, i128)>;

fn add_decimal(value: ValueRef<'_>, total: &mut Total) -> Result<(), SqlError> {
    let Some(value) = unscaled(value) else {
        return Ok(());
    };
    let (sum, count) = total.unwrap_or_default();
    let sum = sum.checked_add(value);
    let sum = sum.filter(|sum| sum.unsigned_abs() < DECIMAL_LIMIT);
    *total = Some((sum.ok_or_else(overflow)?, count + 1));
    Ok(())
}

fn refused(error: SqlError) -> rusqlite::Error {
    rusqlite::Error::UserFunctionError(error.into())
}

impl Aggregate<Total, Value> for DecimalSum {
    fn init(&self, _: &mut Context<'_>) -> rusqlite::Result<Total> {
        Ok(None)
    }

    fn step(&self, context: &mut Context<'_>, total: &mut Total) -> rusqlite::Result<()> {
        add_decimal(context.get_raw(0), total).map_err(refused)
    }

    fn finalize(&self, _: &mut Context<'_>, total: Option<Total>) -> rusqlite::Result<Value> {
        Ok(total
            .flatten()
            .map_or(Value::Null, |(sum, _)| Value::Blob(to_bytes(sum))))
    }
}

/// The mean of decimals: value, their scale, the wanted one.
struct DecimalMean;

impl Aggregate<(Total, u32, u32), Value> for DecimalMean {
    fn init(&self, _: &mut Context<'_>) -> rusqlite::Result<(Total, u32, u32)> {
        Ok((None, 0, 0))
    }

    fn step(
        &self,
        context: &mut Context<'_>,
        (total, own, wanted): &mut (Total, u32, u32),
    ) -> rusqlite::Result<()> {
        *own = context.get(1)?;
        *wanted = context.get(2)?;
        add_decimal(context.get_raw(0), total).map_err(refused)
    }

    fn finalize(
        &self,
        _: &mut Context<'_>,
        state: Option<(Total, u32, u32)>,
    ) -> rusqlite::Result<Value> {
        let Some((Some((sum, count)), own, wanted)) = state else {
            return Ok(Value::Null);
        };
        let number = |unscaled, scale| Number { unscaled, scale };
        let mean = divide(number(sum, own), number(count, 0), wanted, 38);
        mean.map(|mean| Value::Blob(to_bytes(mean)))
            .map_err(refused)
    }
}

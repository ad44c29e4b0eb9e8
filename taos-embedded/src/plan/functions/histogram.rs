//! `td_histogram(value, edges, normalised)`: the bins of HISTOGRAM as a JSON array of texts; and the values that `top` and
//! its like choose.

use rusqlite::Connection;
use rusqlite::functions::{Aggregate, Context, FunctionFlags};
use rusqlite::types::{Value, ValueRef};

use super::memory::{Held, length};
use super::{number, owned};

pub(super) fn register(connection: &Connection) -> rusqlite::Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8
        | FunctionFlags::SQLITE_DETERMINISTIC
        | FunctionFlags::SQLITE_INNOCUOUS;
    connection.create_aggregate_function("td_histogram", 3, flags, Histogram)?;
    connection.create_aggregate_function("td_top", 3, flags, Chosen::Greatest)?;
    connection.create_aggregate_function("td_bottom", 3, flags, Chosen::Least)?;
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_INNOCUOUS;
    connection.create_aggregate_function("td_sample", 3, flags, Chosen::Any)
}

/// `td_top(value, count, time)` and its like: the chosen values of a group as a JSON array, by time; one NULL if there are only NULLs.
#[derive(Clone, Copy)]
enum Chosen {
    Greatest,
    Least,
    Any,
}

#[derive(Default)]
struct Kept {
    rows: Vec<(i64, Value)>,
    seen: u64,
    held: Held,
}

/// What a kept row takes beside its text.
const ROW: usize = 64;

impl Chosen {
    const fn name(self) -> &'static str {
        match self {
            Self::Greatest => "top",
            Self::Least => "bottom",
            Self::Any => "sample",
        }
    }

    /// Whether one value goes before another.
    fn before(self, a: &Value, b: &Value) -> bool {
        let (a, b) = match self {
            Self::Greatest => (b, a),
            _ => (a, b),
        };
        match (a, b) {
            (Value::Integer(a), Value::Integer(b)) => a < b,
            (Value::Real(a), Value::Real(b)) => a < b,
            _ => false,
        }
    }
}

impl Aggregate<Kept, Option<String>> for Chosen {
    fn init(&self, _: &mut Context<'_>) -> rusqlite::Result<Kept> {
        Ok(Kept::default())
    }

    fn step(&self, context: &mut Context<'_>, kept: &mut Kept) -> rusqlite::Result<()> {
        let raw = context.get_raw(0);
        let (ValueRef::Integer(count), false) = (context.get_raw(1), raw == ValueRef::Null) else {
            return Ok(());
        };
        // the planner allows 1 to 1,000
        let count = usize::try_from(count).unwrap_or(1);
        let time = match context.get_raw(2) {
            ValueRef::Integer(time) => time,
            _ => 0,
        };
        kept.seen += 1;
        if kept.rows.len() < count {
            kept.held.take(length(raw) + ROW, self.name())?;
            kept.rows.push((time, owned(raw)));
            return Ok(());
        }
        let replaced = match self {
            Self::Any => {
                let at = rand::random_range(0..kept.seen);
                usize::try_from(at).ok().filter(|&at| at < count)
            }
            _ => {
                let value = owned(raw);
                let worst = (0..kept.rows.len()).reduce(|worst, at| {
                    let behind = |a: usize, b: usize| match (kept.rows.get(a), kept.rows.get(b)) {
                        (Some(a), Some(b)) => self.before(&b.1, &a.1),
                        _ => false,
                    };
                    if behind(at, worst) { at } else { worst }
                });
                worst.filter(|&worst| {
                    kept.rows
                        .get(worst)
                        .is_some_and(|row| self.before(&value, &row.1))
                })
            }
        };
        if let Some(row) = replaced.and_then(|at| kept.rows.get_mut(at)) {
            let old = length(ValueRef::from(&row.1));
            kept.held.replace(old, length(raw), self.name())?;
            *row = (time, owned(raw));
        }
        Ok(())
    }

    fn finalize(
        &self,
        _: &mut Context<'_>,
        kept: Option<Kept>,
    ) -> rusqlite::Result<Option<String>> {
        let Some(mut kept) = kept else {
            return Ok(None);
        };
        kept.rows.sort_by_key(|(time, _)| *time);
        let mut values: Vec<serde_json::Value> = kept
            .rows
            .into_iter()
            .map(|(_, value)| match value {
                Value::Integer(value) => value.into(),
                Value::Real(value) => value.into(),
                Value::Text(text) => text.into(),
                _ => serde_json::Value::Null,
            })
            .collect();
        if values.is_empty() {
            values.push(serde_json::Value::Null);
        }
        Ok(Some(serde_json::Value::Array(values).to_string()))
    }
}

struct Histogram;

#[derive(Default)]
struct Bins {
    /// Lower bound, upper bound, values above the one up to the other.
    bins: Vec<(f64, f64, u64)>,
    total: u64,
    normalised: bool,
    falling: bool,
}

impl Bins {
    /// The bin of a value. They lie beside each other in one direction.
    fn of(&mut self, value: f64) -> Option<&mut (f64, f64, u64)> {
        let at = if self.falling {
            self.bins.partition_point(|bin| bin.0 >= value)
        } else {
            self.bins.partition_point(|bin| bin.1 < value)
        };
        let bin = self.bins.get_mut(at)?;
        (value > bin.0 && value <= bin.1).then_some(bin)
    }
}

impl Aggregate<Bins, Option<String>> for Histogram {
    fn init(&self, _: &mut Context<'_>) -> rusqlite::Result<Bins> {
        Ok(Bins::default())
    }

    fn step(&self, context: &mut Context<'_>, bins: &mut Bins) -> rusqlite::Result<()> {
        if bins.bins.is_empty() {
            let edges: Vec<f64> = context
                .get_raw(1)
                .as_str()?
                .split(',')
                .filter_map(|edge| edge.parse().ok())
                .collect();
            bins.falling = edges.first() > edges.last();
            bins.bins = edges
                .windows(2)
                .filter_map(|pair| Some((*pair.first()?, *pair.get(1)?)))
                .map(|(a, b)| (a.min(b), a.max(b), 0))
                .collect();
            bins.normalised = context.get_raw(2) == ValueRef::Integer(1);
        }
        let Some(value) = number(context.get_raw(0)) else {
            return Ok(());
        };
        if let Some(bin) = bins.of(value) {
            bin.2 += 1;
            bins.total += 1;
        }
        Ok(())
    }

    fn finalize(
        &self,
        _: &mut Context<'_>,
        bins: Option<Bins>,
    ) -> rusqlite::Result<Option<String>> {
        let Some(bins) = bins else {
            return Ok(None);
        };
        #[allow(clippy::cast_precision_loss, reason = "a share of the whole")]
        let share = |count: u64| match bins.total {
            0 => 0.0,
            total => count as f64 / total as f64,
        };
        let texts = bins.bins.iter().map(|&(low, high, count)| {
            let count = if bins.normalised {
                format!("{:.6}", share(count))
            } else {
                count.to_string()
            };
            format!(
                "{{\"lower_bin\":{}, \"upper_bin\":{}, \"count\":{count}}}",
                short(low),
                short(high)
            )
        });
        let texts: Vec<serde_json::Value> = texts.map(Into::into).collect();
        Ok(Some(serde_json::Value::Array(texts).to_string()))
    }
}

/// A number with six significant digits, as C's `%g` writes it.
fn short(value: f64) -> String {
    if value.is_infinite() {
        return if value < 0.0 { "-inf" } else { "inf" }.to_owned();
    }
    if value == 0.0 {
        return "0".to_owned();
    }
    let scientific = format!("{value:.5e}");
    let Some((digits, exponent)) = scientific.split_once('e') else {
        return scientific;
    };
    let exponent: i32 = exponent.parse().unwrap_or_default();
    let trimmed = |text: &str| {
        if text.contains('.') {
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        } else {
            text.to_owned()
        }
    };
    if (-4..6).contains(&exponent) {
        let decimals = usize::try_from(5 - exponent).unwrap_or_default();
        return trimmed(&format!("{value:.decimals$}"));
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{}e{sign}{:02}", trimmed(digits), exponent.abs())
}

#[cfg(test)]
mod tests {
    use super::short;

    #[test]
    fn bounds_have_six_significant_digits() {
        for (value, text) in [
            (0.0, "0"),
            (10.0, "10"),
            (0.5, "0.5"),
            (1.0 / 3.0, "0.333333"),
            (123_456.0, "123456"),
            (1_234_567.0, "1.23457e+06"),
            (1e10, "1e+10"),
            (0.0001, "0.0001"),
            (0.000_012_5, "1.25e-05"),
            (-2.25, "-2.25"),
            (999_999.9, "1e+06"),
            (f64::INFINITY, "inf"),
            (f64::NEG_INFINITY, "-inf"),
        ] {
            assert_eq!(short(value), text, "{value}");
        }
    }
}

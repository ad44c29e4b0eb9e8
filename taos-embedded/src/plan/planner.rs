//! What one statement collects while it is planned.

use std::cell::{Cell, OnceCell};

use rusqlite::Connection;
use rusqlite::types::Value;
use taos_query::common::Precision;

use super::range::TimeRange;
use super::types::Typed;
use super::zone::effective;
use super::{Context, ResultColumn};
use crate::sql::{SqlError, code};

/// Parameters that SQLite takes.
const MOST_PARAMS: usize = 32_766;

/// Beyond so many parameters equal values are no longer looked for.
const SHARED_PARAMS: usize = 64;

/// Some forms name an operand twice, so nesting can double the SQL with each level: a statement
/// that grows beyond this is refused before it eats the memory.
const MAX_SPENT: usize = 64 << 20;

pub(crate) struct Planner<'a> {
    pub(crate) sql: &'a str,
    pub(crate) context: &'a Context<'a>,
    pub(crate) params: Vec<Value>,
    /// The time ranges of the SELECTs that are being planned.
    pub(crate) ranges: Vec<TimeRange>,
    /// Computes constants; opened for the first.
    pub(super) constants: OnceCell<Connection>,
    /// Constants computed so far.
    pub(super) computed: Cell<usize>,
    scopes: usize,
    /// Bytes of SQL written so far, those of thrown away parts too.
    spent: usize,
}

/// A planned query: SQL with the columns `q0`, `q1`, ….
#[derive(Debug)]
pub(crate) struct Planned {
    pub(crate) sql: String,
    pub(crate) columns: Vec<ResultColumn>,
    pub(crate) precision: Precision,
    /// Which column is the time of a row, if one is.
    pub(crate) time: Option<usize>,
}

/// The window's own columns.
#[derive(Debug)]
pub(crate) struct WindowSql {
    pub(crate) start: String,
    pub(crate) end: String,
    pub(crate) duration: String,
    /// What tells windows apart.
    pub(crate) group: String,
    /// What a window must fulfil.
    pub(crate) having: Option<String>,
    /// The state of STATE_WINDOW, the same for all rows of a window.
    pub(crate) state: Option<String>,
    /// The state was asked for outside of aggregates.
    pub(crate) state_used: Cell<bool>,
    /// INTERVAL, whose windows have bounds of their own and not those of their rows.
    pub(crate) sliced: bool,
}

/// How rows are put together for aggregates.
#[derive(Debug, Default)]
pub(crate) struct Grouping {
    pub(crate) keys: Vec<Typed>,
    /// `tbname` is a key, so tags are constant within a group.
    pub(crate) by_table: bool,
    /// GROUP BY or PARTITION BY was written.
    pub(crate) written: bool,
    /// GROUP BY was written.
    pub(crate) by_group: bool,
    pub(crate) window: Option<WindowSql>,
    /// Takes a column (`{}`) from the row that the one selecting function chose.
    pub(crate) companion: Option<String>,
    /// Groups without rows are there, as rows of NULL.
    pub(crate) empty_groups: bool,
}

impl Grouping {
    /// The error for a column that is not the same in all rows of a group.
    pub(crate) fn refusal(&self) -> SqlError {
        if self.window.is_some() {
            return SqlError::new(0x2667, "Invalid usage of expr in a window query");
        }
        if self.by_group {
            return SqlError::new(code::NOT_GROUPED, "Not a GROUP BY expression");
        }
        SqlError::new(code::NOT_SINGLE_GROUP, "Not a single-group group function")
    }
}

impl<'a> Planner<'a> {
    pub(crate) const fn new(sql: &'a str, context: &'a Context<'a>) -> Self {
        Self {
            sql,
            context,
            params: Vec::new(),
            ranges: Vec::new(),
            constants: OnceCell::new(),
            computed: Cell::new(0),
            scopes: 0,
            spent: 0,
        }
    }

    /// A parameter with this value. Equal values share one, so that equal expressions have equal SQL.
    pub(crate) fn param(&mut self, value: Value) -> String {
        if self.params.len() <= SHARED_PARAMS
            && let Some(at) = self.params.iter().position(|known| same(known, &value))
        {
            return format!("?{}", at + 1);
        }
        self.params.push(value);
        format!("?{}", self.params.len())
    }

    /// The last argument of functions that read the zone's clocks; nothing for UTC.
    pub(crate) fn zone_arg(&self) -> String {
        let zone = effective(self.context.zone);
        zone.map_or_else(String::new, |zone| format!(", '{zone}'"))
    }

    /// The beginning of the days that hold a time; `None` for UTC.
    pub(crate) fn day_start(&self, time: &str, width: i64, precision: Precision) -> Option<String> {
        let unit = precision.as_u8();
        self.day_zone()
            .map(|zone| format!("td_floor_zone({time}, {width}, {unit}{zone})"))
    }

    /// The last arguments of functions that begin days at the zone's midnight; `None` for UTC.
    pub(crate) fn day_zone(&self) -> Option<String> {
        effective(self.context.zone).map(|zone| format!(", '{zone}', {}", self.context.now))
    }

    /// Counts the SQL of one expression.
    pub(crate) fn spend(&mut self, typed: &Typed) -> Result<(), SqlError> {
        self.spent += typed.sql.len() + typed.filter.as_ref().map_or(0, String::len);
        if self.spent > MAX_SPENT {
            return Err(SqlError::unsupported("a statement as complex as this"));
        }
        Ok(())
    }

    pub(crate) const fn next_number(&mut self) -> usize {
        self.scopes += 1;
        self.scopes
    }
}

/// Whether two values are one to the last bit: zeros of both signs are not.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Real(a), Value::Real(b)) => a.to_bits() == b.to_bits(),
        (a, b) => a == b,
    }
}

/// Leaves out the parameters that the SQL does not mention and numbers the others anew: SQLite
/// wants exactly those that are there.
///
/// # Errors
/// 0x0100 for more of them than SQLite takes.
pub(crate) fn compact(sql: &str, params: &[Value]) -> Result<(String, Vec<Value>), SqlError> {
    let mut numbers = vec![0; params.len()];
    let mut kept = Vec::new();
    let mut out = String::with_capacity(sql.len());
    let mut quoted = false;
    let mut rest = sql;
    while let Some(at) = rest.find(['?', '\'']) {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        let tail = from.get(1..).unwrap_or_default();
        if from.starts_with('\'') || quoted {
            quoted ^= from.starts_with('\'');
            out.push_str(from.get(..1).unwrap_or_default());
            rest = tail;
            continue;
        }
        let digits = tail.bytes().take_while(u8::is_ascii_digit).count();
        let (number, behind) = tail.split_at(digits);
        let index = number.parse::<usize>().unwrap_or(1).saturating_sub(1);
        if let (Some(new), Some(value)) = (numbers.get_mut(index), params.get(index)) {
            if *new == 0 {
                if kept.len() >= MOST_PARAMS {
                    return Err(SqlError::unsupported(format!(
                        "a statement with more than {MOST_PARAMS} different constants"
                    )));
                }
                kept.push(value.clone());
                *new = kept.len();
            }
            out.push_str(&format!("?{new}"));
        }
        rest = behind;
    }
    out.push_str(rest);
    Ok((out, kept))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_without_a_place_are_left_out() {
        let params = [1, 2, 3].map(Value::Integer);
        let (sql, kept) = compact("SELECT ?3, '?1 ''?2', ?1, ?3", &params).unwrap();
        assert_eq!(sql, "SELECT ?1, '?1 ''?2', ?2, ?1");
        assert_eq!(kept, [Value::Integer(3), Value::Integer(1)]);
    }

    #[test]
    fn zeros_of_both_signs_are_two_constants() {
        let zero = |value| Value::Real(value);
        assert!(same(&zero(0.0), &zero(0.0)));
        assert!(!same(&zero(0.0), &zero(-0.0)));
        assert!(same(&Value::Integer(1), &Value::Integer(1)));
    }
}

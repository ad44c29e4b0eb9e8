//! The time range of WHERE, which FILL, `_qstart`, `_qend` and an automatic offset need as numbers.

use rusqlite::Connection;

use super::aggregate::any;
use super::clauses::flatten;
use super::compare::time_side;
use super::expr::Place;
use super::functions::register_functions;
use super::planner::{Planner, compact};
use super::scope::{Scope, is_query_range};
use super::types::{ColType, Typed};
use crate::sql::SqlError;
use crate::sql::ast::{BinaryOp, Expr, ExprKind, Fill, FillMode, Query, Select, Window};
use taos_query::common::Ty;

/// Ticks from `low` to `high`, both included; empty if `low` is above `high`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TimeRange {
    pub(crate) low: i64,
    pub(crate) high: i64,
}

impl TimeRange {
    /// No bound.
    pub(crate) const ALL: Self = Self {
        low: i64::MIN,
        high: i64::MAX,
    };

    const NONE: Self = Self {
        low: i64::MAX,
        high: i64::MIN,
    };

    pub(crate) const fn is_empty(self) -> bool {
        self.low > self.high
    }

    fn and(self, other: Self) -> Self {
        let both = Self {
            low: self.low.max(other.low),
            high: self.high.min(other.high),
        };
        if both.is_empty() { Self::NONE } else { both }
    }

    fn or(self, other: Self) -> Self {
        Self {
            low: self.low.min(other.low),
            high: self.high.max(other.high),
        }
    }
}

/// Constants of one statement that are computed while it is planned, where no limit of time holds.
const MOST_COMPUTED: usize = 10_000;

/// Whether a SELECT needs to know its time range.
pub(super) fn asks(select: &Select, query: &Query) -> bool {
    let pseudo = |expr: &Expr| any(expr, &is_query_range);
    let auto = matches!(&select.window, Some(Window::Interval { auto: true, .. }));
    let fills = |fill: &Fill| fill.mode != FillMode::None && select.window.is_some();
    auto || select.fill.as_ref().is_some_and(fills)
        || select.items.iter().any(|item| pseudo(&item.expr))
        || select.having.iter().any(pseudo)
        || query.order_by.iter().any(|item| pseudo(&item.expr))
}

/// A place to compute constants.
fn constants() -> rusqlite::Result<Connection> {
    let connection = Connection::open_in_memory()?;
    register_functions(&connection)?;
    Ok(connection)
}

fn unclear() -> SqlError {
    SqlError::unsupported("the time range of a condition of this form")
}

impl Planner<'_> {
    /// The range that the conditions on nothing but the time column leave.
    pub(super) fn time_range(
        &mut self,
        filter: Option<&Expr>,
        scope: &Scope,
    ) -> Result<TimeRange, SqlError> {
        let mut parts = Vec::new();
        if let Some(filter) = filter {
            flatten(filter, &mut parts);
        }
        let mut range = TimeRange::ALL;
        for part in parts {
            if only_time(part, scope) {
                range = range.and(self.bounds(part, scope)?);
            }
        }
        Ok(range)
    }

    fn bounds(&mut self, part: &Expr, scope: &Scope) -> Result<TimeRange, SqlError> {
        let open = TimeRange::ALL;
        match &part.kind {
            ExprKind::Binary(BinaryOp::And, left, right) => {
                Ok(self.bounds(left, scope)?.and(self.bounds(right, scope)?))
            }
            ExprKind::Binary(BinaryOp::Or, left, right) => {
                Ok(self.bounds(left, scope)?.or(self.bounds(right, scope)?))
            }
            ExprKind::Binary(op, left, right) => {
                let (op, value) = if is_time(left, scope) {
                    (*op, right)
                } else if is_time(right, scope) {
                    (mirrored(*op), left)
                } else {
                    return Err(unclear());
                };
                let Some(at) = self.moment(value, scope)? else {
                    return Ok(TimeRange::NONE);
                };
                let (low, high) = match op {
                    BinaryOp::Equal => (at, at),
                    BinaryOp::NotEqual => (open.low, open.high),
                    BinaryOp::Less => (open.low, at.saturating_sub(1)),
                    BinaryOp::LessEqual => (open.low, at),
                    BinaryOp::Greater => (at.saturating_add(1), open.high),
                    BinaryOp::GreaterEqual => (at, open.high),
                    _ => return Err(unclear()),
                };
                Ok(TimeRange { low, high })
            }
            ExprKind::Between {
                value,
                low,
                high,
                negated: false,
            } if is_time(value, scope) => {
                let low = self.moment(low, scope)?;
                let high = self.moment(high, scope)?;
                Ok(match (low, high) {
                    (Some(low), Some(high)) => open.and(TimeRange { low, high }),
                    _ => TimeRange::NONE,
                })
            }
            ExprKind::In {
                value,
                list,
                negated: false,
            } if is_time(value, scope) => {
                let mut range = TimeRange::NONE;
                for item in list {
                    if let Some(at) = self.moment(item, scope)? {
                        range = range.or(TimeRange { low: at, high: at });
                    }
                }
                Ok(range)
            }
            _ => Err(unclear()),
        }
    }

    /// A constant as a tick.
    fn moment(&mut self, expr: &Expr, scope: &Scope) -> Result<Option<i64>, SqlError> {
        let typed = self.expr(expr, Place::rows(scope))?;
        if typed.uses != 0 {
            return Err(unclear());
        }
        if typed.is_null() {
            return Ok(None);
        }
        let sql = time_side(self, &typed, scope.precision)?;
        self.evaluate(&sql)
    }

    /// The value of SQL without columns.
    pub(super) fn evaluate(&self, sql: &str) -> Result<Option<i64>, SqlError> {
        if let Ok(value) = sql.parse() {
            return Ok(Some(value));
        }
        let before = self.computed.replace(self.computed.get() + 1);
        if before >= MOST_COMPUTED {
            return Err(SqlError::unsupported(format!(
                "a statement with more than {MOST_COMPUTED} computed times"
            )));
        }
        let (sql, params) = compact(&format!("SELECT {sql}"), &self.params)?;
        if self.constants.get().is_none() {
            // it cannot be there already
            let _ = self.constants.set(constants().map_err(|_| unclear())?);
        }
        let connection = self.constants.get().ok_or_else(unclear)?;
        let params = rusqlite::params_from_iter(&params);
        let value = connection.query_row(&sql, params, |row| row.get(0));
        value.map_err(|error| match error {
            rusqlite::Error::UserFunctionError(error) => match error.downcast::<SqlError>() {
                Ok(error) => *error,
                Err(_) => unclear(),
            },
            _ => unclear(),
        })
    }

    /// `_qstart`, `_qend`, `_qduration`.
    pub(super) fn query_range_column(&self, name: &str) -> Result<Typed, SqlError> {
        let Some(range) = self.ranges.last() else {
            return Err(SqlError::new(0x264F, "Illegal pseudo column"));
        };
        let bound = |at: i64| match at {
            i64::MIN | i64::MAX => "NULL".to_owned(),
            at => at.to_string(),
        };
        let (sql, ty) = match name {
            "_qstart" => (bound(range.low), Ty::Timestamp),
            "_qend" => (bound(range.high), Ty::Timestamp),
            _ => {
                let open = range.low == i64::MIN || range.high == i64::MAX || range.is_empty();
                let ticks = range.high.checked_sub(range.low);
                let ticks = ticks.and_then(|ticks| ticks.checked_add(1));
                let ticks = ticks.filter(|_| !open);
                (
                    ticks.map_or_else(|| "NULL".to_owned(), |ticks| ticks.to_string()),
                    Ty::BigInt,
                )
            }
        };
        Ok(Typed::new(sql, ColType::fixed(ty), 0))
    }
}

/// Whether an expression is the time of a row.
pub(super) fn is_time(expr: &Expr, scope: &Scope) -> bool {
    let ExprKind::Column { table, name } = &expr.kind else {
        return false;
    };
    match scope.find(table.as_ref(), &name.name) {
        Ok(Some(column)) => Some(&column.sql) == scope.time.as_ref(),
        _ => scope.time.is_some() && matches!(name.name.as_str(), "_rowts" | "_c0"),
    }
}

/// Whether the time is the only column that an expression mentions, and it does mention it.
fn only_time(expr: &Expr, scope: &Scope) -> bool {
    let other = any(expr, &|part| match &part.kind {
        ExprKind::Column { .. } => !is_time(part, scope),
        ExprKind::Subquery(_) | ExprKind::Exists(_) | ExprKind::InQuery { .. } => true,
        _ => false,
    });
    !other && any(expr, &|part| is_time(part, scope))
}

pub(super) const fn mirrored(op: BinaryOp) -> BinaryOp {
    match op {
        BinaryOp::Less => BinaryOp::Greater,
        BinaryOp::LessEqual => BinaryOp::GreaterEqual,
        BinaryOp::Greater => BinaryOp::Less,
        BinaryOp::GreaterEqual => BinaryOp::LessEqual,
        op => op,
    }
}

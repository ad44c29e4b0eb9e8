//! DELETE: one contiguous range of time, and tags of a super table (DIALECT §10).

use super::clauses::flatten;
use super::expr::{Place, condition};
use super::planner::{Planner, compact};
use super::scope::{Scope, is_tbname};
use super::types::{Typed, USES_TAGS};
use super::{Context, DeleteFilter, TableInfo, TableKind, aggregate};
use crate::sql::SqlError;
use crate::sql::ast::{BinaryOp, Delete, Expr, ExprKind};

fn not_a_range() -> SqlError {
    SqlError::new(
        0x2655,
        "The DELETE statement must only have a definite time window range",
    )
}

/// Plans the condition of a DELETE on `table`.
///
/// # Errors
/// 0x2655 unless the condition is one contiguous range of time (and tags of a super table).
pub(crate) fn plan_delete(
    delete: &Delete,
    table: &TableInfo,
    sql: &str,
    context: &Context<'_>,
) -> Result<DeleteFilter, SqlError> {
    let mut range = DeleteFilter {
        low: i64::MIN,
        high: i64::MAX,
        tables: None,
    };
    let Some(filter) = &delete.filter else {
        return Ok(range);
    };
    if aggregate::any(filter, &is_tbname) {
        return Err(SqlError::new(0x264C, "Invalid tbname pseudo column"));
    }
    let mut planner = Planner::new(sql, context);
    let number = planner.next_number();
    let scope = Scope::of_table(table.clone(), None, number);
    let mut parts = Vec::new();
    flatten(filter, &mut parts);
    let mut tags = Vec::new();
    for part in parts {
        if narrow(&mut planner, part, &scope, &mut range)? {
            continue;
        }
        let typed = planner.expr(part, Place::rows(&scope))?;
        if typed.uses != USES_TAGS || table.kind != TableKind::Super {
            return Err(not_a_range());
        }
        tags.push(condition(&typed)?);
    }
    if !tags.is_empty() {
        let sql = format!(
            "SELECT g{number}.tbl FROM t{} g{number} WHERE {}",
            table.storage_id(),
            tags.join(" AND ")
        );
        range.tables = Some(compact(&sql, &planner.params)?);
    }
    Ok(range)
}

/// Narrows the range by a condition on the time column; false if it is none.
fn narrow(
    planner: &mut Planner<'_>,
    part: &Expr,
    scope: &Scope,
    range: &mut DeleteFilter,
) -> Result<bool, SqlError> {
    let time = Some(scope.time.clone().unwrap_or_default());
    let place = Place::rows(scope);
    match &part.kind {
        ExprKind::Binary(op, left, right) => {
            let flipped = Some(planner.expr(right, place)?.sql) == time;
            if !flipped && Some(planner.expr(left, place)?.sql) != time {
                return Ok(false);
            }
            let (column, bound) = if flipped {
                (right, left)
            } else {
                (left, right)
            };
            let at = bound_of(planner, column, bound, scope)?;
            let op = if flipped { mirrored(*op) } else { *op };
            match op {
                BinaryOp::Equal => limit(range, at, at),
                BinaryOp::Less => limit(range, i64::MIN, at.saturating_sub(1)),
                BinaryOp::LessEqual => limit(range, i64::MIN, at),
                BinaryOp::Greater => limit(range, at.saturating_add(1), i64::MAX),
                BinaryOp::GreaterEqual => limit(range, at, i64::MAX),
                _ => return Err(not_a_range()),
            }
            Ok(true)
        }
        ExprKind::Between {
            value,
            low,
            high,
            negated: false,
        } if Some(planner.expr(value, place)?.sql) == time => {
            let low = bound_of(planner, value, low, scope)?;
            let high = bound_of(planner, value, high, scope)?;
            limit(range, low, high);
            Ok(true)
        }
        _ => Ok(false),
    }
}

fn limit(range: &mut DeleteFilter, low: i64, high: i64) {
    range.low = range.low.max(low);
    range.high = range.high.min(high);
}

const fn mirrored(op: BinaryOp) -> BinaryOp {
    match op {
        BinaryOp::Less => BinaryOp::Greater,
        BinaryOp::LessEqual => BinaryOp::GreaterEqual,
        BinaryOp::Greater => BinaryOp::Less,
        BinaryOp::GreaterEqual => BinaryOp::LessEqual,
        other => other,
    }
}

/// The tick a constant beside the time column means.
fn bound_of(
    planner: &mut Planner<'_>,
    column: &Expr,
    bound: &Expr,
    scope: &Scope,
) -> Result<i64, SqlError> {
    let place = Place::rows(scope);
    let column = planner.expr(column, place)?;
    let bound = planner.expr(bound, place)?;
    if bound.uses != 0 {
        return Err(not_a_range());
    }
    let typed: Typed = super::compare::compare(planner, "=", &column, &bound, scope.precision)?;
    let constant = typed
        .condition()
        .trim_start_matches(&format!("({} = ", column.sql))
        .to_owned();
    let constant = constant.strip_suffix(')').unwrap_or(&constant);
    let value = planner.evaluate(constant).map_err(|_| not_a_range())?;
    value.ok_or_else(not_a_range)
}

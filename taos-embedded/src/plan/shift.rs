//! Times moved by durations (DIALECT §3).

use taos_query::common::Ty;

use super::expr::{Place, bits};
use super::planner::Planner;
use super::time::tick;
use super::types::{ColType, Literal, Typed};
use crate::sql::ast::{BinaryOp, Duration};
use crate::sql::{SqlError, code};

/// A time plus or minus a duration or an integer.
pub(crate) fn time_arithmetic(
    planner: &Planner<'_>,
    op: BinaryOp,
    left: &Typed,
    right: &Typed,
    place: Place<'_>,
) -> Result<Typed, SqlError> {
    let sign = match op {
        BinaryOp::Add => 1,
        BinaryOp::Subtract => -1,
        _ => return Err(SqlError::invalid_operation()),
    };
    let uses = left.uses | right.uses;
    if left.ty.ty == Ty::Timestamp && right.ty.ty == Ty::Timestamp {
        return Err(SqlError::invalid_operation());
    }
    // Addition may have the time on the right.
    let swap = sign == 1 && (right.ty.ty == Ty::Timestamp || is_duration(left));
    let (time, step) = if swap { (right, left) } else { (left, right) };
    let fits = time.ty.ty == Ty::Timestamp || (time.ty.is_integer() && !is_duration(time));
    if !fits {
        return Err(SqlError::unsupported("a duration added to this type"));
    }
    let sql = match &step.literal {
        Some(Literal::Duration(duration)) => shifted(planner, &time.sql, *duration, sign, place)?,
        _ if step.ty.is_integer() || step.ty.ty == Ty::Bool => {
            let word = if sign == 1 { '+' } else { '-' };
            format!("({} {word} {})", time.sql, bits(step)?)
        }
        _ => return Err(SqlError::unsupported("a time with this type added")),
    };
    Ok(Typed::new(sql, ColType::fixed(Ty::Timestamp), uses))
}

const fn is_duration(typed: &Typed) -> bool {
    matches!(typed.literal, Some(Literal::Duration(_)))
}

fn shifted(
    planner: &Planner<'_>,
    time: &str,
    by: Duration,
    sign: i64,
    place: Place<'_>,
) -> Result<String, SqlError> {
    let precision = place.scope.precision;
    if let Some(months) = by.months() {
        return Ok(format!(
            "td_add_months({time}, {}, {}{})",
            months * sign,
            precision.as_u8(),
            planner.zone_arg()
        ));
    }
    let nanos = by.unit.nanoseconds().unwrap_or(1);
    if nanos < tick(precision) && by.value % (tick(precision) / nanos) != 0 {
        return Err(SqlError::unsupported(
            "a duration finer than the database's unit",
        ));
    }
    let ticks = by
        .ticks(precision)
        .ok_or_else(|| SqlError::new(code::ARGUMENT_VALUE, "Invalid duration"))?;
    Ok(format!("({time} + ({}))", ticks * sign))
}

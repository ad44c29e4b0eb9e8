//! Times moved by durations (DIALECT §3).

use taos_query::common::Ty;

use super::expr::{Place, bits, real};
use super::planner::Planner;
use super::time::tick;
use super::types::{ColType, Literal, Typed};
use crate::sql::ast::{BinaryOp, Duration};
use crate::sql::{SqlError, code};

/// A time and another value; numbers alone do not come here.
pub(crate) fn time_arithmetic(
    planner: &Planner<'_>,
    op: BinaryOp,
    left: &Typed,
    right: &Typed,
    place: Place<'_>,
) -> Result<Typed, SqlError> {
    let uses = left.uses | right.uses;
    let time_left = left.ty.ty == Ty::Timestamp;
    let (time, step) = if time_left {
        (left, right)
    } else {
        (right, left)
    };
    if step.is_null() {
        return Err(SqlError::unsupported("a time beside NULL"));
    }
    if step.ty.is_float() {
        return Err(SqlError::unsupported("a time beside a float"));
    }
    let refused = step.ty.ty == Ty::Timestamp || step.ty.is_text();
    if refused || step.ty.ty == Ty::VarBinary {
        return Err(SqlError::invalid_operation());
    }
    let sign = match op {
        BinaryOp::Add => 1,
        BinaryOp::Subtract => -1,
        _ => 0,
    };
    let moves = step.ty.is_integer() && step.ty.ty != Ty::UBigInt || step.ty.ty == Ty::Bool;
    if sign == 0 || !moves {
        if !moves && step.ty.ty != Ty::UBigInt {
            return Err(SqlError::unsupported("a time beside this type"));
        }
        let sql = numbers(op, &real(left)?, &real(right)?);
        return Ok(Typed::new(sql, ColType::fixed(Ty::Double), uses));
    }
    let mut sql = match &step.literal {
        Some(Literal::Duration(duration)) => shifted(planner, &time.sql, *duration, sign, place)?,
        _ => {
            let word = if sign == 1 { '+' } else { '-' };
            format!("({} {word} {})", time.sql, bits(step)?)
        }
    };
    if sign == -1 && !time_left {
        sql = format!("(- {sql})");
    }
    Ok(Typed::new(sql, ColType::fixed(Ty::Timestamp), uses))
}

/// Two doubles and an operator.
pub(crate) fn numbers(op: BinaryOp, a: &str, b: &str) -> String {
    match op {
        BinaryOp::Add => format!("({a} + {b})"),
        BinaryOp::Subtract => format!("({a} - {b})"),
        BinaryOp::Multiply => format!("({a} * {b})"),
        BinaryOp::Divide => format!("({a} / {b})"),
        _ => format!("td_rem({a}, {b})"),
    }
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

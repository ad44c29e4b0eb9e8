//! JSON tags (DIALECT §12): `->` gives the JSON text of one value, and comparisons look at one kind
//! of value only, so `'5'` is not 5.

use taos_query::common::Ty;

use super::expr::real;
use super::planner::Planner;
use super::types::{ColType, Literal, Typed, USES_TAGS};
use crate::sql::SqlError;
use crate::sql::ast::{Expr, ExprKind};

/// Bytes a JSON value may have.
const LENGTH: u32 = 4095;

/// `->` stands between the name of a column and a text, nothing else.
pub(crate) fn check_arrow(sql: &str, left: &Expr, right: &Expr) -> Result<(), SqlError> {
    let column = matches!(left.kind, ExprKind::Column { .. });
    if column && matches!(right.kind, ExprKind::Text(_)) {
        return Ok(());
    }
    Err(SqlError::syntax(right.span.rest(sql)))
}

fn key(planner: &mut Planner<'_>, left: &Typed, right: &Typed) -> Result<String, SqlError> {
    if left.ty.ty != Ty::Json {
        return Err(SqlError::invalid_operation());
    }
    if is_part(left) || left.uses & USES_TAGS == 0 {
        return Err(SqlError::unsupported(
            "keys of JSON that is not a tag itself",
        ));
    }
    match &right.literal {
        Some(Literal::Text(text)) => Ok(planner.text(text).sql),
        _ => Err(SqlError::invalid_operation()),
    }
}

/// Whether a JSON value came out of `->`.
pub(crate) fn is_part(typed: &Typed) -> bool {
    typed.sql.starts_with("td_json_get(")
}

/// `j -> 'key'`.
pub(crate) fn arrow(
    planner: &mut Planner<'_>,
    left: &Typed,
    right: &Typed,
) -> Result<Typed, SqlError> {
    let key = key(planner, left, right)?;
    let sql = format!("td_json_get({}, {key})", left.sql);
    Ok(Typed::new(sql, ColType::sized(Ty::Json, LENGTH), left.uses))
}

/// `j CONTAINS 'key'`, which sees null values too.
pub(crate) fn contains(
    planner: &mut Planner<'_>,
    left: &Typed,
    right: &Typed,
) -> Result<Typed, SqlError> {
    let key = key(planner, left, right)?;
    let raw = format!("td_json_has({}, {key})", left.sql);
    Ok(Typed::comparison(raw, left.uses))
}

/// The whole tag can only be selected and tested for NULL.
pub(crate) fn whole_tag() -> SqlError {
    SqlError::new(0x072D, "Json not support in this place")
}

/// A comparison with a value of JSON on one side at least.
pub(crate) fn compare(op: &str, left: &Typed, right: &Typed) -> Result<Typed, SqlError> {
    if left.ty.ty != Ty::Json {
        let turned = match op {
            "<" => ">",
            ">" => "<",
            "<=" => ">=",
            ">=" => "<=",
            same => same,
        };
        return compare(turned, right, left);
    }
    let (other, kind) = match right.ty.ty {
        Ty::Json => (right.sql.clone(), "json"),
        Ty::Bool => (right.sql.clone(), "bool"),
        Ty::VarChar | Ty::NChar => (right.sql.clone(), "text"),
        _ if right.ty.is_number() => (real(right)?, "number"),
        ty => {
            return Err(SqlError::unsupported(format!(
                "comparison of JSON with {ty}"
            )));
        }
    };
    let raw = format!("td_json_is({}, '{op}', {other}, '{kind}')", left.sql);
    Ok(Typed::comparison(raw, left.uses | right.uses))
}

/// A whole tag is no key of groups.
pub(crate) fn check_key(key: &Typed) -> Result<(), SqlError> {
    if key.ty.ty == Ty::Json && key.uses & USES_TAGS != 0 && !is_part(key) {
        return Err(SqlError::new(
            0x072E,
            "Json not support in group/partition by",
        ));
    }
    Ok(())
}

/// BETWEEN two texts in the wrong order is not what it looks like on the server.
pub(crate) fn turned(value: &Typed, low: &Typed, high: &Typed) -> bool {
    match (&low.literal, &high.literal) {
        (Some(Literal::Text(low)), Some(Literal::Text(high))) => {
            value.ty.ty == Ty::Json && low > high
        }
        _ => false,
    }
}

/// What orders JSON values: bools, then numbers, then texts.
pub(crate) fn order_key(typed: &Typed) -> Option<String> {
    (typed.ty.ty == Ty::Json).then(|| format!("td_json_order({})", typed.sql))
}

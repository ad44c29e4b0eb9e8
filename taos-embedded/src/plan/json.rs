//! JSON tags (DIALECT §12): `->` gives the JSON text of one value, and comparisons look at one kind
//! of value only, so `'5'` is not 5.

use taos_query::common::Ty;

use super::planner::Planner;
use super::types::{ColType, Literal, Typed};
use crate::sql::SqlError;

/// Bytes a JSON value may have.
const LENGTH: u32 = 4095;

fn key(planner: &mut Planner<'_>, left: &Typed, right: &Typed) -> Result<String, SqlError> {
    if left.ty.ty != Ty::Json || is_part(left) {
        return Err(SqlError::invalid_operation());
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

/// A part of a tag beside a constant of one kind.
pub(crate) fn sides(left: &Typed, right: &Typed) -> Result<(String, String), SqlError> {
    if right.ty.ty == Ty::Json && left.ty.ty != Ty::Json {
        let (right, left) = sides(right, left)?;
        return Ok((left, right));
    }
    if !is_part(left) {
        return Err(whole_tag());
    }
    let kind = match &right.literal {
        Some(Literal::Text(_)) => "text",
        Some(Literal::Integer(_) | Literal::Float(_)) if right.ty.ty != Ty::UBigInt => "number",
        Some(Literal::Bool(_)) => "bool",
        _ => return Err(SqlError::unsupported("comparison of JSON with this value")),
    };
    Ok((format!("td_json_{kind}({})", left.sql), right.sql.clone()))
}

/// What orders JSON values: numbers and bools by value, then texts.
pub(crate) fn order_keys(typed: &Typed) -> Option<[String; 3]> {
    (typed.ty.ty == Ty::Json)
        .then(|| ["bool", "number", "text"].map(|kind| format!("td_json_{kind}({})", typed.sql)))
}

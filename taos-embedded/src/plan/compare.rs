//! Comparisons: which form both sides take (DIALECT §3).

use rusqlite::types::Value;
use taos_query::common::{Precision, Ty};

use super::expr::{bad_time, flipped, real};
use super::leading::leading_int;
use super::planner::Planner;
use super::time::parse_time;
use super::types::{ColType, Literal, Typed};
use crate::sql::SqlError;
use crate::sql::ast::BinaryOp;

pub(crate) fn compare(
    planner: &mut Planner<'_>,
    op: &str,
    left: &Typed,
    right: &Typed,
    precision: Precision,
) -> Result<Typed, SqlError> {
    let uses = left.uses | right.uses;
    if left.is_null() || right.is_null() {
        return Ok(Typed::comparison("NULL".into(), uses));
    }
    if left.ty.ty == Ty::Json || right.ty.ty == Ty::Json {
        return super::json::compare(op, left, right);
    }
    let (a, b) = sides(planner, left, right, precision, op == "=" || op == "<>")?;
    Ok(Typed::comparison(format!("({a} {op} {b})"), uses))
}

pub(crate) fn between(
    planner: &mut Planner<'_>,
    precision: Precision,
    value: &Typed,
    low: &Typed,
    high: &Typed,
    negated: bool,
) -> Result<Typed, SqlError> {
    if super::json::turned(value, low, high) {
        return Err(SqlError::unsupported(
            "JSON between texts in the wrong order",
        ));
    }
    let (first, second, word) = if negated {
        ("<", ">", "OR")
    } else {
        (">=", "<=", "AND")
    };
    let low = compare(planner, first, value, low, precision)?;
    let high = compare(planner, second, value, high, precision)?;
    let mut typed = Typed::new(
        format!("({} {word} {})", low.sql, high.sql),
        ColType::fixed(Ty::Bool),
        low.uses | high.uses,
    );
    typed.filter = Some(format!("({} {word} {})", low.condition(), high.condition()));
    Ok(typed)
}

pub(crate) fn in_list(
    planner: &mut Planner<'_>,
    precision: Precision,
    value: &Typed,
    list: &[Typed],
    negated: bool,
) -> Result<Typed, SqlError> {
    refuse_unsure(value, list, negated)?;
    let mut uses = value.uses;
    // Items that ask the same form of the value share one IN.
    let mut groups: Vec<(String, Vec<String>)> = Vec::new();
    if value.ty.ty == Ty::Geometry {
        return Err(SqlError::unsupported("a geometry in a list"));
    }
    let inexact = super::decimal::inexact(value, list);
    for item in list.iter().filter(|item| !item.is_null()) {
        uses |= item.uses;
        let (a, b) = if inexact {
            (real(value)?, real(item)?)
        } else {
            sides(planner, value, item, precision, true)?
        };
        match groups.iter_mut().find(|(form, _)| *form == a) {
            Some((_, items)) => items.push(b),
            None => groups.push((a, vec![b])),
        }
    }
    let word = if negated { "NOT IN" } else { "IN" };
    let joint = if negated { " AND " } else { " OR " };
    let parts: Vec<String> = groups
        .into_iter()
        .map(|(form, items)| format!("{form} {word} ({})", items.join(", ")))
        .collect();
    if parts.is_empty() {
        return Ok(Typed::comparison("NULL".into(), uses));
    }
    Ok(Typed::comparison(format!("({})", parts.join(joint)), uses))
}

/// Refuses lists of which it is not known how the original takes them: it turns the items into the value's type.
fn refuse_unsure(value: &Typed, list: &[Typed], negated: bool) -> Result<(), SqlError> {
    if negated && list.iter().any(Typed::is_null) {
        return Err(SqlError::unsupported("NOT IN with NULL in the list"));
    }
    let unsure = |item: &Typed| match &item.literal {
        Some(Literal::Null) => false,
        Some(Literal::Text(text)) if value.ty.is_integer() => text.parse::<i128>().is_err(),
        Some(Literal::Float(number)) if value.ty.is_integer() => number.fract() != 0.0,
        _ => value.ty.is_text() != item.ty.is_text() && value.ty.is_text(),
    };
    if list.iter().any(unsure) {
        return Err(SqlError::unsupported("IN with an item of another kind"));
    }
    Ok(())
}

/// LIKE and MATCH.
pub(crate) fn pattern(op: BinaryOp, left: &Typed, right: &Typed) -> Result<Typed, SqlError> {
    let uses = left.uses | right.uses;
    let written = matches!(right.literal, Some(Literal::Text(_) | Literal::Null));
    if left.is_null() || !written {
        return Err(SqlError::invalid_operation());
    }
    if matches!(left.ty.ty, Ty::VarBinary | Ty::Geometry) {
        return Err(SqlError::unsupported(format!("patterns of {}", left.ty.ty)));
    }
    let fits = |typed: &Typed| typed.ty.is_text() || typed.ty.ty == Ty::Json;
    if !fits(left) {
        return Err(SqlError::invalid_operation());
    }
    if right.is_null() {
        return Ok(Typed::comparison("NULL".into(), uses));
    }
    let like = matches!(op, BinaryOp::Like | BinaryOp::NotLike);
    if let (false, Some(Literal::Text(text))) = (like, &right.literal)
        && regex::Regex::new(text).is_err()
    {
        return Err(SqlError::new(0x2681, "Invalid regular expression pattern"));
    }
    let function = if like { "td_like" } else { "td_match" };
    let value = if left.ty.ty == Ty::Json {
        format!("td_json_text({})", left.sql)
    } else {
        left.sql.clone()
    };
    let mut raw = format!("{function}({value}, {})", right.sql);
    if matches!(op, BinaryOp::NotLike | BinaryOp::NotMatch) {
        raw = format!("(NOT {raw})");
    }
    Ok(Typed::comparison(raw, uses))
}

/// Both sides in forms that SQLite compares as the dialect does.
fn sides(
    planner: &mut Planner<'_>,
    left: &Typed,
    right: &Typed,
    precision: Precision,
    equality: bool,
) -> Result<(String, String), SqlError> {
    if left.ty.ty == Ty::Timestamp || right.ty.ty == Ty::Timestamp {
        return Ok((
            time_side(planner, left, precision)?,
            time_side(planner, right, precision)?,
        ));
    }
    if left.ty.ty == Ty::Json || right.ty.ty == Ty::Json {
        return Err(SqlError::unsupported("JSON in a list"));
    }
    if left.ty.is_decimal() || right.ty.is_decimal() {
        return super::decimal::sides(left, right);
    }
    let binary = |ty: Ty| matches!(ty, Ty::VarBinary | Ty::Geometry | Ty::Blob | Ty::MediumBlob);
    if binary(left.ty.ty) || binary(right.ty.ty) {
        let same = left.ty.ty == right.ty.ty && left.ty.ty == Ty::VarBinary;
        let bytes = |a: &Typed, b: &Typed| {
            a.ty.ty == Ty::VarBinary && matches!(b.literal, Some(Literal::Text(_)))
        };
        if same || bytes(left, right) || bytes(right, left) {
            return Ok((blob_side(planner, left)?, blob_side(planner, right)?));
        }
        if left.ty.ty == Ty::Geometry || right.ty.ty == Ty::Geometry {
            return super::geometry::sides(left, right, equality);
        }
        return Err(SqlError::unsupported("comparison of binary values"));
    }
    if left.ty.is_text() && right.ty.is_text() {
        return Ok((left.sql.clone(), right.sql.clone()));
    }
    if left.ty.is_text() {
        let (right, left) = beside_text(right, left)?;
        return Ok((left, right));
    }
    if right.ty.is_text() {
        return beside_text(left, right);
    }
    if left.ty.ty == Ty::UBigInt || right.ty.ty == Ty::UBigInt {
        return unsigned_sides(left, right);
    }
    if left.ty.ty == Ty::Float && right.uses == 0 {
        return Ok((left.sql.clone(), single(right)?));
    }
    if right.ty.ty == Ty::Float && left.uses == 0 {
        return Ok((single(left)?, right.sql.clone()));
    }
    Ok((left.sql.clone(), right.sql.clone()))
}

/// A side of a comparison with a time.
pub(super) fn time_side(
    planner: &Planner<'_>,
    side: &Typed,
    precision: Precision,
) -> Result<String, SqlError> {
    match side.ty.ty {
        Ty::Float if side.literal.is_none() => {
            return Err(SqlError::unsupported("comparison of a time with FLOAT"));
        }
        Ty::UBigInt => return real(side),
        Ty::Bool | Ty::Timestamp => return Ok(side.sql.clone()),
        _ if side.ty.is_number() => return Ok(side.sql.clone()),
        _ => {}
    }
    match &side.literal {
        Some(Literal::Text(text)) => parse_time(text, precision, planner.context.zone)?
            .map(|at| at.to_string())
            .ok_or_else(|| bad_time(text)),
        _ => Err(SqlError::unsupported("comparison of a time with this type")),
    }
}

/// The bytes of a text, or of `\x` and hex digits.
fn blob_side(planner: &mut Planner<'_>, side: &Typed) -> Result<String, SqlError> {
    let Some(Literal::Text(text)) = &side.literal else {
        return Ok(side.sql.clone());
    };
    let bytes = match text.strip_prefix("\\x") {
        Some(hex) => {
            super::functions::unhex(hex).ok_or_else(|| SqlError::new(0x266A, "Invalid hex text"))?
        }
        None => text.clone().into_bytes(),
    };
    Ok(planner.param(Value::Blob(bytes)))
}

fn unsigned_sides(left: &Typed, right: &Typed) -> Result<(String, String), SqlError> {
    if left.ty.ty == Ty::UBigInt && right.ty.ty == Ty::UBigInt {
        return Ok((left.sql.clone(), right.sql.clone()));
    }
    let stored = |typed: &Typed| match &typed.literal {
        Some(Literal::Integer(value)) => u64::try_from(*value).ok().map(flipped),
        _ => None,
    };
    if left.ty.ty == Ty::UBigInt
        && let Some(sql) = stored(right)
    {
        return Ok((left.sql.clone(), sql));
    }
    if right.ty.ty == Ty::UBigInt
        && let Some(sql) = stored(left)
    {
        return Ok((sql, right.sql.clone()));
    }
    Ok((real(left)?, real(right)?))
}

/// A constant rounded to FLOAT.
fn single(side: &Typed) -> Result<String, SqlError> {
    Ok(format!("td_f32({})", real(side)?))
}

/// A number or bool and a text, which is read as that kind of number.
fn beside_text(number: &Typed, text: &Typed) -> Result<(String, String), SqlError> {
    let literal = match &text.literal {
        Some(Literal::Text(text)) => Some(text.as_str()),
        _ => None,
    };
    let own = number.sql.clone();
    let whole = || match literal {
        Some(literal) => leading_int(literal).to_string(),
        None => format!("td_leading_int({})", text.sql),
    };
    Ok(match number.ty.ty {
        Ty::Float => (own, single(text)?),
        Ty::Double => (own, real(text)?),
        _ if number.ty.is_unsigned() => match literal.map(str::parse::<u64>) {
            Some(Ok(value)) if number.ty.ty == Ty::UBigInt => (own, flipped(value)),
            Some(Ok(value)) => (own, value.to_string()),
            Some(Err(_)) => {
                return Err(SqlError::unsupported(
                    "comparison of an unsigned number with such a text",
                ));
            }
            None => (real(number)?, real(text)?),
        },
        _ => (own, whole()),
    })
}

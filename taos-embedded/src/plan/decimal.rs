//! Decimals: unscaled integers up to 18 digits, ordered bytes above (DIALECT §12).

use rusqlite::types::Value;
use taos_query::common::Ty;

use super::planner::Planner;
use super::types::{Literal, Typed};
use crate::sql::SqlError;
use crate::sql::ast::BinaryOp;

/// The stored form of a decimal above 18 digits.
pub(crate) fn to_bytes(unscaled: i128) -> Vec<u8> {
    let flipped = unscaled.cast_unsigned() ^ (1 << 127);
    flipped.to_be_bytes().to_vec()
}

/// The unscaled integer of a stored form.
pub(crate) fn from_bytes(bytes: &[u8]) -> Option<i128> {
    let bytes: [u8; 16] = bytes.try_into().ok()?;
    Some((u128::from_be_bytes(bytes) ^ (1 << 127)).cast_signed())
}

pub(crate) fn negate(typed: &Typed) -> Result<Typed, SqlError> {
    if typed.ty.ty == Ty::Decimal64 {
        return Ok(Typed::new(
            format!("(- {})", typed.sql),
            typed.ty,
            typed.uses,
        ));
    }
    Ok(Typed::new(
        format!("td_dec_neg({})", typed.sql),
        typed.ty,
        typed.uses,
    ))
}

pub(crate) fn arithmetic(
    planner: &mut Planner<'_>,
    op: BinaryOp,
    left: &Typed,
    right: &Typed,
) -> Result<Typed, SqlError> {
    let _ = (planner, op, left, right);
    Err(SqlError::unsupported("decimal arithmetic"))
}

/// Both sides of a comparison in one scale, or as doubles beside floats and texts.
pub(crate) fn sides(
    planner: &mut Planner<'_>,
    left: &Typed,
    right: &Typed,
) -> Result<(String, String), SqlError> {
    if left.ty.is_decimal() && right.ty.is_decimal() && left.ty.scale == right.ty.scale {
        if left.ty.ty == right.ty.ty {
            return Ok((left.sql.clone(), right.sql.clone()));
        }
        return Err(SqlError::unsupported(
            "comparison of decimals of different width",
        ));
    }
    if left.ty.is_decimal()
        && let Some(sql) = literal(planner, left, right)
    {
        return Ok((left.sql.clone(), sql));
    }
    if right.ty.is_decimal()
        && let Some(sql) = literal(planner, right, left)
    {
        return Ok((sql, right.sql.clone()));
    }
    Err(SqlError::unsupported(
        "comparison of a decimal with this type",
    ))
}

/// A whole literal in the stored form of `decimal`.
fn literal(planner: &mut Planner<'_>, decimal: &Typed, other: &Typed) -> Option<String> {
    let Some(Literal::Integer(value)) = other.literal else {
        return None;
    };
    let unscaled = value.checked_mul(10_i128.checked_pow(u32::from(decimal.ty.scale))?)?;
    if decimal.ty.ty == Ty::Decimal64 {
        return i64::try_from(unscaled).ok().map(|value| value.to_string());
    }
    Some(planner.param(Value::Blob(to_bytes(unscaled))))
}

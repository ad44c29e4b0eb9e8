//! Decimals: unscaled integers up to 18 digits, ordered bytes above (DIALECT §12).

use taos_query::common::Ty;

use super::expr::real;
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
pub(crate) fn sides(left: &Typed, right: &Typed) -> Result<(String, String), SqlError> {
    if left.ty == right.ty {
        return Ok((left.sql.clone(), right.sql.clone()));
    }
    let (Some(a), Some(b)) = (exact(left), exact(right)) else {
        return Ok((real(left)?, real(right)?));
    };
    let scale = a.1.max(b.1);
    let scaled = |(sql, own): (String, u32)| format!("td_dec_scaled({sql}, {})", scale - own);
    Ok((scaled(a), scaled(b)))
}

/// A value that is exact in decimal, with the digits behind its point.
fn exact(typed: &Typed) -> Option<(String, u32)> {
    if typed.ty.is_decimal() {
        return Some((typed.sql.clone(), u32::from(typed.ty.scale)));
    }
    match typed.literal {
        Some(Literal::Float(value)) => {
            // The shortest form that reads back is what was written, up to 15 digits.
            let text = value.to_string();
            let (whole, part) = text.split_once('.').unwrap_or((&text, ""));
            let unscaled: i64 = format!("{whole}{part}").parse().ok()?;
            Some((unscaled.to_string(), u32::try_from(part.len()).ok()?))
        }
        _ if typed.ty.is_integer() && typed.ty.ty != Ty::UBigInt => Some((typed.sql.clone(), 0)),
        _ => None,
    }
}

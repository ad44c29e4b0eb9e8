//! Decimals: unscaled integers up to 18 digits, ordered bytes above (DIALECT §12).

use taos_query::common::Ty;

use super::expr::real;
use super::types::{ColType, Typed};
use crate::sql::SqlError;
use crate::sql::ast::{BinaryOp, DataType};

/// Most digits of a decimal.
const MOST: u32 = 38;
/// Digits behind the point that a quotient has at least, and that too long a result keeps.
const KEPT: u32 = 6;

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

pub(crate) fn negate(typed: &Typed) -> Typed {
    let sql = if typed.ty.ty == Ty::Decimal64 {
        format!("(- {})", typed.sql)
    } else {
        format!("td_dec_neg({})", typed.sql)
    };
    Typed::new(sql, typed.ty, typed.uses)
}

/// A value that is exact in decimal, with the digits it may have.
struct Exact {
    sql: String,
    precision: u32,
    scale: u32,
}

fn exact(typed: &Typed) -> Option<Exact> {
    let (sql, precision, scale) = match typed.ty.ty {
        Ty::Decimal | Ty::Decimal64 => (
            typed.sql.clone(),
            typed.ty.precision.into(),
            typed.ty.scale.into(),
        ),
        Ty::Bool => (typed.sql.clone(), 1, 0),
        Ty::TinyInt | Ty::UTinyInt => (typed.sql.clone(), 3, 0),
        Ty::SmallInt | Ty::USmallInt => (typed.sql.clone(), 5, 0),
        Ty::Int | Ty::UInt => (typed.sql.clone(), 10, 0),
        Ty::BigInt => (typed.sql.clone(), 19, 0),
        Ty::UBigInt => (format!("td_dec_u64({})", typed.sql), 20, 0),
        _ => return None,
    };
    Some(Exact {
        sql,
        precision,
        scale,
    })
}

/// A type of 128 bits.
fn wide(precision: u32, scale: u32) -> ColType {
    let digits = |number: u32| u8::try_from(number).unwrap_or(38);
    ColType {
        precision: digits(precision),
        scale: digits(scale),
        ..ColType::sized(Ty::Decimal, 16)
    }
}

/// The type of an operation: beyond 38 digits those behind the point are given up first, down to six.
fn result(op: BinaryOp, left: (u32, u32), right: (u32, u32)) -> ColType {
    let ((p1, s1), (p2, s2)) = (left, right);
    let (precision, scale) = match op {
        BinaryOp::Add | BinaryOp::Subtract => {
            let scale = s1.max(s2);
            ((p1 - s1).max(p2 - s2) + scale + 1, scale)
        }
        BinaryOp::Multiply => (p1 + p2 + 1, s1 + s2),
        BinaryOp::Divide => {
            let scale = (s1 + p2 + 1).max(KEPT);
            (p1 - s1 + s2 + scale, scale)
        }
        _ => {
            let scale = s1.max(s2);
            ((p1 - s1).min(p2 - s2) + scale, scale)
        }
    };
    if precision <= MOST {
        return wide(precision, scale);
    }
    let shrunk = scale.saturating_sub(precision - MOST);
    wide(MOST, shrunk.max(scale.min(KEPT)))
}

pub(crate) fn arithmetic(op: BinaryOp, left: &Typed, right: &Typed) -> Result<Typed, SqlError> {
    let uses = left.uses | right.uses;
    if left.is_null() || right.is_null() {
        return Ok(Typed::new("NULL".into(), ColType::fixed(Ty::Double), uses));
    }
    let name = match op {
        BinaryOp::Add => "add",
        BinaryOp::Subtract => "sub",
        BinaryOp::Multiply => "mul",
        BinaryOp::Divide => "div",
        _ => "rem",
    };
    let (Some(a), Some(b)) = (exact(left), exact(right)) else {
        let (a, b) = (real(left)?, real(right)?);
        let sql = match op {
            BinaryOp::Add => format!("({a} + {b})"),
            BinaryOp::Subtract => format!("({a} - {b})"),
            BinaryOp::Multiply => format!("({a} * {b})"),
            BinaryOp::Divide => format!("({a} / {b})"),
            _ => format!("td_mod({a}, {b})"),
        };
        return Ok(Typed::new(sql, ColType::fixed(Ty::Double), uses));
    };
    let ty = result(op, (a.precision, a.scale), (b.precision, b.scale));
    let sql = format!(
        "td_dec_{name}({}, {}, {}, {}, {}, {})",
        a.sql, a.scale, b.sql, b.scale, ty.scale, ty.precision
    );
    Ok(Typed::new(sql, ty, uses))
}

/// `sum` has all 38 digits.
pub(crate) fn sum(first: &Typed) -> (String, ColType) {
    let ty = wide(MOST, first.ty.scale.into());
    (format!("td_dec_sum({})", first.sql), ty)
}

/// `avg` is the sum divided by a BIGINT.
pub(crate) fn avg(first: &Typed) -> (String, ColType) {
    let own = first.ty.scale.into();
    let ty = result(BinaryOp::Divide, (MOST, own), (19, 0));
    let sql = format!("td_dec_avg({}, {own}, {})", first.sql, ty.scale);
    (sql, ty)
}

/// Both sides of a comparison in one scale, or as doubles beside floats and texts.
pub(crate) fn sides(left: &Typed, right: &Typed) -> Result<(String, String), SqlError> {
    if left.ty == right.ty {
        return Ok((left.sql.clone(), right.sql.clone()));
    }
    let (Some(a), Some(b)) = (exact(left), exact(right)) else {
        return Ok((real(left)?, real(right)?));
    };
    let scale = a.scale.max(b.scale);
    let scaled = |side: Exact| format!("td_dec_scaled({}, {})", side.sql, scale - side.scale);
    Ok((scaled(a), scaled(b)))
}

/// Whether a list must be compared as doubles: one item that is not exact decides for all.
pub(crate) fn inexact(value: &Typed, list: &[Typed]) -> bool {
    let other = |typed: &Typed| !typed.is_null() && exact(typed).is_none();
    value.ty.is_decimal() && list.iter().any(other)
}

/// The type of CASE with decimals in all branches, as far as it is known: the first branch's digits, within one width.
pub(crate) fn common(first: ColType, other: ColType) -> Result<ColType, SqlError> {
    if first.ty == other.ty {
        return Ok(first);
    }
    Err(SqlError::unsupported(
        "CASE with decimals and branches of another type",
    ))
}

pub(crate) fn cast(value: &Typed, data_type: DataType) -> Result<Typed, SqlError> {
    let digits = |number: u32| u8::try_from(number).ok();
    let (Some(precision), Some(scale)) = (digits(data_type.precision), digits(data_type.scale))
    else {
        return Err(invalid_digits());
    };
    if precision == 0 || u32::from(precision) > MOST || scale > precision {
        return Err(invalid_digits());
    }
    let ty = ColType {
        precision,
        scale,
        ..ColType::fixed(data_type.ty)
    };
    Ok(Typed::new(converted(value, ty)?, ty, value.uses))
}

fn invalid_digits() -> SqlError {
    SqlError::unsupported("a cast to a decimal of these digits")
}

/// A value in the stored form of a decimal, rounded half away from zero.
pub(crate) fn converted(value: &Typed, ty: ColType) -> Result<String, SqlError> {
    if value.is_null() {
        return Ok("NULL".to_owned());
    }
    let narrow = u8::from(ty.ty == Ty::Decimal64);
    let wanted = format!("{}, {}, {narrow}", ty.scale, ty.precision);
    if let Some(own) = exact(value) {
        return Ok(format!("td_dec_cast({}, {}, {wanted})", own.sql, own.scale));
    }
    match value.ty.ty {
        Ty::Timestamp => Ok(format!("td_dec_cast({}, 0, {wanted})", value.sql)),
        Ty::Float | Ty::Double => Ok(format!("td_dec_of_real({}, {wanted})", value.sql)),
        Ty::VarChar | Ty::NChar => Ok(format!("td_dec_of_text({}, {wanted})", value.sql)),
        ty => Err(SqlError::unsupported(format!("{ty} as a decimal"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_of_results_follow_the_operands() {
        use BinaryOp::{Add, Divide, Multiply, Remainder};
        for (op, left, right, digits) in [
            (Add, (10, 2), (10, 0), (13, 2)),
            (Add, (10, 2), (38, 10), (38, 9)),
            (Add, (18, 0), (18, 0), (19, 0)),
            (Add, (38, 2), (19, 0), (38, 2)),
            (Multiply, (10, 2), (10, 0), (21, 2)),
            (Multiply, (5, 3), (38, 10), (38, 7)),
            (Multiply, (38, 6), (19, 0), (38, 6)),
            (Divide, (10, 2), (10, 0), (21, 13)),
            (Divide, (18, 0), (19, 0), (38, 20)),
            (Divide, (38, 2), (19, 0), (38, 6)),
            (Divide, (38, 10), (38, 10), (38, 6)),
            (Remainder, (10, 2), (5, 3), (5, 3)),
        ] {
            let ty = result(op, left, right);
            assert_eq!(
                (ty.precision, ty.scale),
                digits,
                "{op:?} {left:?} {right:?}"
            );
        }
    }
}

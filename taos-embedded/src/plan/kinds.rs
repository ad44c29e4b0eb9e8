//! In which type values of two types meet.

use taos_query::common::Ty;

const fn is_text(ty: Ty) -> bool {
    matches!(ty, Ty::VarChar | Ty::NChar)
}

const fn is_float(ty: Ty) -> bool {
    matches!(ty, Ty::Float | Ty::Double)
}

const fn is_unsigned(ty: Ty) -> bool {
    matches!(ty, Ty::UTinyInt | Ty::USmallInt | Ty::UInt | Ty::UBigInt)
}

/// The integer type that holds both; `None` if one is BIGINT UNSIGNED and the other has a sign.
fn integers(a: Ty, b: Ty) -> Option<Ty> {
    let wider = if a.fixed_length() >= b.fixed_length() {
        a
    } else {
        b
    };
    if is_unsigned(a) == is_unsigned(b) {
        return Some(wider);
    }
    let (signed, unsigned) = if is_unsigned(b) { (a, b) } else { (b, a) };
    if unsigned == Ty::UBigInt {
        return None;
    }
    Some(
        match signed.fixed_length().max(2 * unsigned.fixed_length()) {
            2 => Ty::SmallInt,
            4 => Ty::Int,
            _ => Ty::BigInt,
        },
    )
}

/// The type in which two different types are compared, and which `greatest` gives; `None` if they do not meet.
pub(crate) fn compared(a: Ty, b: Ty) -> Option<Ty> {
    if a == b {
        return Some(a);
    }
    let known = |ty: Ty| {
        is_text(ty) || is_float(ty) || ty.is_integer() || matches!(ty, Ty::Bool | Ty::Timestamp)
    };
    if !known(a) || !known(b) {
        return None;
    }
    let either = |ty: Ty| a == ty || b == ty;
    if is_text(a) || is_text(b) {
        let other = if is_text(a) { b } else { a };
        return Some(match other {
            other if is_text(other) => Ty::VarChar,
            Ty::Timestamp | Ty::Float | Ty::Double => other,
            other if is_unsigned(other) => Ty::Double,
            _ => Ty::BigInt,
        });
    }
    if either(Ty::Double) {
        return Some(Ty::Double);
    }
    if either(Ty::Float) {
        return Some(Ty::Float);
    }
    if either(Ty::Timestamp) {
        return Some(if either(Ty::UBigInt) {
            Ty::Double
        } else {
            Ty::Timestamp
        });
    }
    match (a, b) {
        (Ty::Bool, other) | (other, Ty::Bool) => Some(other),
        _ => Some(integers(a, b).unwrap_or(Ty::Double)),
    }
}

/// The type of a CASE with branches of both types, decimals aside; `None` if there is none.
pub(crate) fn shown(a: Ty, b: Ty) -> Option<Ty> {
    if a == b {
        return Some(a);
    }
    let either = |ty: Ty| a == ty || b == ty;
    if either(Ty::VarBinary) && either(Ty::VarChar) {
        return Some(Ty::VarBinary);
    }
    compared(a, b)?;
    if either(Ty::NChar) {
        return Some(Ty::NChar);
    }
    if either(Ty::VarChar) {
        return Some(Ty::VarChar);
    }
    let other = |ty: Ty| if a == ty { b } else { a };
    if either(Ty::Timestamp) {
        let other = other(Ty::Timestamp);
        let fits = !is_float(other) && other != Ty::UBigInt;
        return Some(if fits { Ty::BigInt } else { Ty::VarChar });
    }
    if either(Ty::Bool) {
        return Some(other(Ty::Bool));
    }
    Some(match (is_float(a), is_float(b)) {
        (true, true) => Ty::Double,
        (false, false) => integers(a, b).unwrap_or(Ty::VarChar),
        _ => Ty::VarChar,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_meet_where_both_fit() {
        assert_eq!(compared(Ty::Int, Ty::UInt), Some(Ty::BigInt));
        assert_eq!(compared(Ty::TinyInt, Ty::UTinyInt), Some(Ty::SmallInt));
        assert_eq!(compared(Ty::BigInt, Ty::UBigInt), Some(Ty::Double));
        assert_eq!(compared(Ty::BigInt, Ty::Float), Some(Ty::Float));
        assert_eq!(compared(Ty::VarChar, Ty::Int), Some(Ty::BigInt));
        assert_eq!(compared(Ty::VarChar, Ty::UInt), Some(Ty::Double));
        assert_eq!(compared(Ty::VarBinary, Ty::Int), None);
        assert_eq!(shown(Ty::Int, Ty::Double), Some(Ty::VarChar));
        assert_eq!(shown(Ty::Float, Ty::Double), Some(Ty::Double));
        assert_eq!(shown(Ty::Timestamp, Ty::Int), Some(Ty::BigInt));
        assert_eq!(shown(Ty::VarChar, Ty::NChar), Some(Ty::NChar));
        assert_eq!(shown(Ty::BigInt, Ty::UBigInt), Some(Ty::VarChar));
        assert_eq!(shown(Ty::Bool, Ty::Double), Some(Ty::Double));
    }
}

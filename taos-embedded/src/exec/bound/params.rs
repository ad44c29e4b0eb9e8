//! Parameters of a query as the literals they stand for.

use taos_query::block::ColumnView;
use taos_query::common::{BorrowedValue, Ty};

use super::cells::{Packed, Source};
use crate::sql::ast::{Expr, ExprKind, Span, UnaryOp};
use crate::sql::{SqlError, code};

fn unfit(ty: Option<Ty>) -> SqlError {
    let name = ty.map_or("an unknown type", Ty::name);
    SqlError::unsupported(format!("query parameter of {name}"))
}

/// A whole number, whose sign is an operator of its own.
fn integer(value: i128) -> ExprKind {
    let digits = ExprKind::Integer(value.unsigned_abs().to_string());
    if value < 0 { minus(digits) } else { digits }
}

fn minus(kind: ExprKind) -> ExprKind {
    let span = Span::default();
    ExprKind::Unary(UnaryOp::Minus, Box::new(Expr { kind, span }))
}

fn float(value: f64) -> Result<ExprKind, SqlError> {
    if !value.is_finite() {
        return Err(SqlError::unsupported(format!("query parameter {value}")));
    }
    let magnitude = ExprKind::Float(value.abs());
    Ok(if value.is_sign_negative() {
        minus(magnitude)
    } else {
        magnitude
    })
}

fn text(bytes: &[u8]) -> Result<ExprKind, SqlError> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(ExprKind::Text(text.to_owned())),
        Err(_) => Err(SqlError::new(
            code::INSERT_SYNTAX,
            "a text parameter is not UTF-8",
        )),
    }
}

impl Source<'_> {
    /// The literal of a query's parameter.
    ///
    /// # Errors
    /// 0x0100 for types that are no literals, 0x0216 for bytes that are no text.
    pub(crate) fn literal(&self) -> Result<ExprKind, SqlError> {
        match self {
            Self::Packed(packed) => packed.literal(),
            Self::View(view) => of_view(view),
            Self::Json(..) => Err(unfit(None)),
        }
    }
}

impl Packed<'_> {
    fn literal(self) -> Result<ExprKind, SqlError> {
        if self.nulls.first().is_none_or(|null| *null != 0) {
            return Ok(ExprKind::Null);
        }
        let ty = self.ty.ok_or_else(|| unfit(None))?;
        match ty {
            Ty::VarChar | Ty::NChar | Ty::Json => return text(self.data),
            _ => {}
        }
        let data = self.data.as_ref();
        let unfit = || unfit(Some(ty));
        Ok(match ty {
            Ty::Bool => ExprKind::Bool(data.first().ok_or_else(unfit)? != &0),
            Ty::TinyInt => integer(i8::from_le_bytes(fixed(data).ok_or_else(unfit)?).into()),
            Ty::SmallInt => integer(i16::from_le_bytes(fixed(data).ok_or_else(unfit)?).into()),
            Ty::Int => integer(i32::from_le_bytes(fixed(data).ok_or_else(unfit)?).into()),
            Ty::BigInt | Ty::Timestamp => {
                integer(i64::from_le_bytes(fixed(data).ok_or_else(unfit)?).into())
            }
            Ty::UTinyInt => integer(u8::from_le_bytes(fixed(data).ok_or_else(unfit)?).into()),
            Ty::USmallInt => integer(u16::from_le_bytes(fixed(data).ok_or_else(unfit)?).into()),
            Ty::UInt => integer(u32::from_le_bytes(fixed(data).ok_or_else(unfit)?).into()),
            Ty::UBigInt => integer(u64::from_le_bytes(fixed(data).ok_or_else(unfit)?).into()),
            Ty::Float => float(f32::from_le_bytes(fixed(data).ok_or_else(unfit)?).into())?,
            Ty::Double => float(f64::from_le_bytes(fixed(data).ok_or_else(unfit)?))?,
            _ => return Err(unfit()),
        })
    }
}

fn fixed<const N: usize>(data: &[u8]) -> Option<[u8; N]> {
    data.try_into().ok()
}

fn of_view(view: &ColumnView) -> Result<ExprKind, SqlError> {
    let Some(value) = view.get(0) else {
        return Ok(ExprKind::Null);
    };
    Ok(match value {
        BorrowedValue::Null(_) => ExprKind::Null,
        BorrowedValue::Bool(v) => ExprKind::Bool(v),
        BorrowedValue::TinyInt(v) => integer(v.into()),
        BorrowedValue::SmallInt(v) => integer(v.into()),
        BorrowedValue::Int(v) => integer(v.into()),
        BorrowedValue::BigInt(v) => integer(v.into()),
        BorrowedValue::UTinyInt(v) => integer(v.into()),
        BorrowedValue::USmallInt(v) => integer(v.into()),
        BorrowedValue::UInt(v) => integer(v.into()),
        BorrowedValue::UBigInt(v) => integer(v.into()),
        BorrowedValue::Float(v) => float(v.into())?,
        BorrowedValue::Double(v) => float(v)?,
        BorrowedValue::VarChar(v) | BorrowedValue::NChar(v) => ExprKind::Text(v.into_owned()),
        BorrowedValue::Json(v) => text(&v)?,
        other => return Err(unfit(Some(other.ty()))),
    })
}

//! Conversions between types (DIALECT §8).

use taos_query::common::{Precision, Ty};

use super::decimal;
use super::expr::real;
use super::planner::Planner;
use super::scalar::type_error;
use super::types::{ColType, Typed};
use crate::sql::SqlError;
use crate::sql::ast::DataType;

/// A value in the stored form of another type, for CASE and UNION.
pub(crate) fn as_type(
    planner: &Planner<'_>,
    value: &Typed,
    ty: ColType,
) -> Result<String, SqlError> {
    if value.is_null() {
        return Ok("NULL".to_owned());
    }
    if value.ty.ty == ty.ty && !ty.is_decimal() {
        return Ok(value.sql.clone());
    }
    if value.ty == ty {
        return Ok(value.sql.clone());
    }
    if ty.is_decimal() {
        return decimal::converted(value, ty);
    }
    let data_type = DataType {
        ty: ty.ty,
        length: Some(ty.length),
        precision: 0,
        scale: 0,
    };
    if ty.ty == Ty::Timestamp && value.ty.is_text() {
        return Err(SqlError::unsupported("a text where a time is wanted"));
    }
    converted(planner, value, data_type, Precision::Millisecond)
}

/// CAST (DIALECT §8).
pub(crate) fn cast(
    planner: &Planner<'_>,
    value: &Typed,
    data_type: DataType,
    precision: Precision,
) -> Result<Typed, SqlError> {
    let ty = match data_type.ty {
        Ty::Decimal | Ty::Decimal64 => return decimal::cast(value, data_type),
        Ty::VarChar => ColType::sized(Ty::VarChar, data_type.length.unwrap_or(65517)),
        Ty::NChar => ColType::sized(Ty::NChar, data_type.length.unwrap_or(16379)),
        ty if ty.fixed_length() > 0 => ColType::fixed(ty),
        _ => return Err(SqlError::unsupported(format!("cast to {}", data_type.ty))),
    };
    let sql = if value.is_null() {
        "NULL".to_owned()
    } else {
        converted(planner, value, data_type, precision)?
    };
    Ok(Typed::new(sql, ty, value.uses))
}

fn converted(
    planner: &Planner<'_>,
    value: &Typed,
    data_type: DataType,
    precision: Precision,
) -> Result<String, SqlError> {
    let binary = matches!(
        value.ty.ty,
        Ty::VarBinary | Ty::Geometry | Ty::Blob | Ty::MediumBlob | Ty::Json
    );
    if binary {
        return Err(type_error("cast"));
    }
    Ok(match data_type.ty {
        Ty::Bool => format!("({} <> 0)", real(value)?),
        Ty::Double => real(value)?,
        Ty::Float => format!("td_f32({})", real(value)?),
        Ty::TinyInt | Ty::SmallInt | Ty::Int | Ty::BigInt => {
            let width = data_type.ty.fixed_length() * 8;
            format!("td_wrap({}, {width})", whole(value)?)
        }
        Ty::UTinyInt | Ty::USmallInt | Ty::UInt | Ty::UBigInt => {
            let width = data_type.ty.fixed_length() * 8;
            format!("td_wrap_unsigned({}, {width})", whole(value)?)
        }
        Ty::Timestamp => {
            if value.ty.is_text() {
                format!(
                    "ifnull(td_parse_time({0}, {1}{2}), CASE WHEN {0} IS NULL THEN NULL ELSE 0 END)",
                    value.sql,
                    precision.as_u8(),
                    planner.zone_arg()
                )
            } else {
                whole(value)?
            }
        }
        Ty::VarChar => {
            let length = data_type.length.unwrap_or(65517);
            format!("td_cut({}, {length})", written(value)?)
        }
        Ty::NChar => {
            let length = data_type.length.unwrap_or(16379);
            format!("substr({}, 1, {length})", written(value)?)
        }
        ty => return Err(SqlError::unsupported(format!("cast to {ty}"))),
    })
}

/// A value as a whole number of 64 bits.
fn whole(value: &Typed) -> Result<String, SqlError> {
    Ok(match value.ty.ty {
        Ty::UBigInt => format!("td_u64_bits({})", value.sql),
        Ty::Decimal | Ty::Decimal64 => {
            format!("td_dec_round({}, {})", value.sql, value.ty.scale)
        }
        _ if value.ty.is_float() => format!("td_whole({})", value.sql),
        _ if value.ty.is_text() => format!("td_leading_int({})", value.sql),
        _ => value.sql.clone(),
    })
}

/// A value written out as text.
fn written(value: &Typed) -> Result<String, SqlError> {
    Ok(match value.ty.ty {
        Ty::VarChar | Ty::NChar => value.sql.clone(),
        Ty::Bool => format!(
            "CASE {} WHEN 1 THEN 'true' WHEN 0 THEN 'false' END",
            value.sql
        ),
        Ty::UBigInt => format!("td_u64_text({})", value.sql),
        Ty::Float => format!("td_f32_text({})", value.sql),
        Ty::Double => format!("td_f64_text({})", value.sql),
        Ty::Decimal | Ty::Decimal64 => {
            format!("td_dec_text({}, {})", value.sql, value.ty.scale)
        }
        _ if value.ty.is_integer() || value.ty.ty == Ty::Timestamp => {
            format!("CAST({} AS TEXT)", value.sql)
        }
        ty => return Err(SqlError::unsupported(format!("{ty} as text"))),
    })
}

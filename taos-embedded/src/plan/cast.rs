//! Conversions between types (DIALECT §8).

use taos_query::common::{Precision, Ty};

use super::decimal;
use super::expr::real;
use super::planner::Planner;
use super::scalar::type_error;
use super::types::{ColType, Typed, USES_DATA};
use super::{ColumnInfo, ResultColumn};
use crate::sql::ast::DataType;
use crate::sql::{SqlError, code};

/// The longest VARCHAR in bytes and the longest NCHAR in characters.
const MAX_BYTES: u32 = 65_517;
const MAX_CHARS: u32 = 16_379;

fn sized(ty: Ty, length: u32, most: u32) -> Result<ColType, SqlError> {
    if (1..=most).contains(&length) {
        return Ok(ColType::sized(ty, length));
    }
    Err(SqlError::new(
        code::FUNCTION,
        format!("CAST function converted length should be in range (0, {most}]"),
    ))
}

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
    if matches!(value.ty.ty, Ty::VarBinary | Ty::Geometry | Ty::Blob) {
        let (own, other) = (value.ty.ty, ty.ty);
        return Err(SqlError::unsupported(format!(
            "{own} where {other} is wanted"
        )));
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

/// A column of a query as INSERT puts it into another type of column; `None` if it goes as it is.
pub(crate) fn into_column(
    planner: &Planner<'_>,
    sql: &str,
    from: &ResultColumn,
    to: &ColumnInfo,
    precision: Precision,
) -> Option<String> {
    let value = Typed::new(sql.to_owned(), ColType::of_result(from), USES_DATA);
    let shorter = value.ty.is_text() && from.length > to.length;
    if from.ty == to.ty && !shorter {
        return None;
    }
    let fits = ColType::of_column(to);
    if fits.is_decimal() {
        return (!value.ty.is_decimal())
            .then(|| decimal::converted(&value, fits).ok())
            .flatten();
    }
    let data_type = DataType {
        ty: to.ty,
        length: Some(to.length),
        precision: 0,
        scale: 0,
    };
    converted(planner, &value, data_type, precision).ok()
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
        Ty::VarChar => sized(
            Ty::VarChar,
            data_type.length.unwrap_or(MAX_BYTES),
            MAX_BYTES,
        )?,
        Ty::NChar => sized(Ty::NChar, data_type.length.unwrap_or(MAX_CHARS), MAX_CHARS)?,
        Ty::VarBinary => match data_type.length {
            Some(length) => sized(Ty::VarBinary, length, MAX_BYTES)?,
            None => return Err(SqlError::unsupported("cast to VARBINARY without a length")),
        },
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
    match value.ty.ty {
        Ty::VarBinary | Ty::Blob | Ty::MediumBlob | Ty::Json => return Err(type_error("cast")),
        Ty::Geometry => return Err(SqlError::unsupported("a cast of GEOMETRY")),
        _ => {}
    }
    let width = data_type.ty.fixed_length() * 8;
    Ok(match data_type.ty {
        Ty::Bool if value.ty.is_text() => {
            format!("(td_wrap(td_leading_int({}), 8) <> 0)", value.sql)
        }
        Ty::Bool => format!("({} <> 0)", real(value)?),
        Ty::Double => real(value)?,
        Ty::Float => format!("td_f32({})", real(value)?),
        Ty::TinyInt | Ty::SmallInt | Ty::Int | Ty::BigInt => {
            format!("td_wrap({}, {width})", whole(value, data_type.ty)?)
        }
        Ty::UTinyInt | Ty::USmallInt | Ty::UInt | Ty::UBigInt => {
            format!("td_wrap_unsigned({}, {width})", whole(value, data_type.ty)?)
        }
        Ty::Timestamp if value.ty.is_text() => format!(
            "ifnull(td_parse_time({0}, {1}{2}), CASE WHEN {0} IS NULL THEN NULL ELSE 0 END)",
            value.sql,
            precision.as_u8(),
            planner.zone_arg()
        ),
        Ty::Timestamp => whole(value, Ty::BigInt)?,
        Ty::VarChar => {
            let length = data_type.length.unwrap_or(MAX_BYTES);
            format!("td_cut({}, {length})", written(value)?)
        }
        Ty::NChar => {
            let length = data_type.length.unwrap_or(MAX_CHARS);
            if value.ty.ty == Ty::VarChar {
                // The original takes so many bytes, not characters.
                format!("td_cut({}, {length})", value.sql)
            } else {
                format!("substr({}, 1, {length})", written(value)?)
            }
        }
        Ty::VarBinary if value.ty.ty == Ty::VarChar => {
            let length = data_type.length.unwrap_or(MAX_BYTES);
            format!("substr(CAST({} AS BLOB), 1, {length})", value.sql)
        }
        Ty::VarBinary => return Err(type_error("cast")),
        ty => return Err(SqlError::unsupported(format!("cast to {ty}"))),
    })
}

/// A value as the 64 bits of which an integer type takes the lowest ones.
fn whole(value: &Typed, ty: Ty) -> Result<String, SqlError> {
    let unsigned = ColType::fixed(ty).is_unsigned();
    Ok(match value.ty.ty {
        Ty::UBigInt => format!("td_u64_bits({})", value.sql),
        Ty::Decimal | Ty::Decimal64 => {
            format!("td_dec_round({}, {})", value.sql, value.ty.scale)
        }
        _ if value.ty.is_float() => {
            // Narrow types go through 32 bits, where the processor leaves off wrapping.
            let narrow = ty.fixed_length() < if unsigned { 4 } else { 8 };
            format!("td_whole({}, {})", value.sql, if narrow { 32 } else { 64 })
        }
        _ if value.ty.is_text() && unsigned => format!("td_leading_unsigned({})", value.sql),
        _ if value.ty.is_text() => format!("td_leading_int({})", value.sql),
        _ => value.sql.clone(),
    })
}

/// A value written out as text.
pub(crate) fn written(value: &Typed) -> Result<String, SqlError> {
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

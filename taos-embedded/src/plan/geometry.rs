//! Functions of geometries (DIALECT §12).

use taos_query::common::Ty;

use super::scalar::{count_error, type_error};
use super::types::{ColType, Literal, Typed};
use crate::exec::geometry::to_bytes;
use crate::sql::SqlError;

/// A call of one of the `st_` functions; `None` if the name is none that is known here.
pub(crate) fn call(name: &str, args: &[Typed]) -> Result<Option<Typed>, SqlError> {
    let wanted = match name {
        "st_geomfromtext" | "st_astext" => 1,
        "st_makepoint"
        | "st_contains"
        | "st_containsproperly"
        | "st_covers"
        | "st_equals"
        | "st_intersects"
        | "st_touches" => 2,
        _ => return Ok(None),
    };
    if args.len() != wanted {
        return Err(count_error(name));
    }
    for arg in args {
        fitting(name, arg)?;
    }
    // The length that the server tells is the one of its first argument.
    let length = args.first().map_or(0, |first| bytes(first.ty));
    let ty = match name {
        "st_geomfromtext" | "st_makepoint" => ColType::sized(Ty::Geometry, length),
        "st_astext" => ColType::sized(Ty::VarChar, length),
        _ => ColType::fixed(Ty::Bool),
    };
    let uses = args.iter().fold(0, |all, arg| all | arg.uses);
    if args.iter().any(Typed::is_null) {
        return Ok(Some(Typed::new("NULL".into(), ty, uses)));
    }
    let parts: Vec<&str> = args.iter().map(|arg| arg.sql.as_str()).collect();
    let sql = format!("td_{name}({})", parts.join(", "));
    Ok(Some(Typed::new(sql, ty, uses)))
}

/// What a type takes, without the two bytes that a value of variable length begins with.
const fn bytes(ty: ColType) -> u32 {
    match ty.ty {
        Ty::NChar | Ty::VarChar | Ty::Geometry => ty.text_bytes(),
        _ => ty.length.saturating_sub(2),
    }
}

fn fitting(name: &str, arg: &Typed) -> Result<(), SqlError> {
    if arg.is_null() {
        return Ok(());
    }
    let fits = match name {
        "st_geomfromtext" => arg.ty.ty == Ty::VarChar,
        "st_makepoint" => arg.ty.is_number(),
        _ => arg.ty.ty == Ty::Geometry,
    };
    let unsure = match name {
        "st_geomfromtext" => matches!(arg.ty.ty, Ty::NChar | Ty::VarBinary),
        "st_makepoint" => arg.ty.is_decimal() || matches!(arg.ty.ty, Ty::Bool | Ty::UBigInt),
        _ => false,
    };
    if unsure {
        return Err(SqlError::unsupported(format!("{name} of {}", arg.ty.ty)));
    }
    if fits { Ok(()) } else { Err(type_error(name)) }
}

/// Both sides of a comparison: only equality is known, and a text beside a shape is read as one.
pub(crate) fn sides(
    left: &Typed,
    right: &Typed,
    equality: bool,
) -> Result<(String, String), SqlError> {
    if !equality {
        return Err(SqlError::new(
            0x0731,
            "Geometry not support in this operator",
        ));
    }
    Ok((side(left)?, side(right)?))
}

fn side(side: &Typed) -> Result<String, SqlError> {
    match &side.literal {
        _ if side.ty.ty == Ty::Geometry => Ok(side.sql.clone()),
        Some(Literal::Text(text)) if to_bytes(text).is_ok() => {
            Ok(format!("td_st_geomfromtext({})", side.sql))
        }
        _ => Err(SqlError::unsupported(
            "comparison of a geometry with this value",
        )),
    }
}

//! Functions of numbers.

use taos_query::common::Ty;

use super::super::cast;
use super::super::expr::{flipped, real};
use super::super::kinds;
use super::super::planner::Planner;
use super::super::types::{ColType, Typed};
use super::{Call, count_error, type_error};
use crate::sql::SqlError;

impl Call<'_> {
    /// Numbers that keep their type.
    pub(super) fn rounding(&self) -> Result<Typed, SqlError> {
        let name = match self.name {
            "ceiling" => "ceil",
            "truncate" => "trunc",
            name => name,
        };
        match name {
            "trunc" => self.count(if self.name == "trunc" { 1 } else { 2 }, 2)?,
            "round" => self.count(1, 2)?,
            _ => self.count(1, 1)?,
        }
        let value = self.arg(0)?;
        let digits = self.args.get(1);
        for arg in self.args {
            if !arg.is_null() && !arg.ty.is_number() {
                return Err(type_error(self.name));
            }
        }
        if value.is_null() {
            return Ok(self.null(if name == "trunc" {
                value.ty
            } else {
                ColType::fixed(Ty::BigInt)
            }));
        }
        let Some(digits) = digits else {
            if name == "trunc" {
                return Err(SqlError::unsupported("trunc with one argument"));
            }
            return Ok(self.typed(whole_number(name, value), value.ty));
        };
        if digits.is_null() {
            return Ok(self.null(value.ty));
        }
        let digits = real(digits)?;
        let sql = match value.ty.ty {
            Ty::UBigInt => {
                return Err(SqlError::unsupported(format!(
                    "{name} of BIGINT UNSIGNED to digits"
                )));
            }
            Ty::Float => format!("td_{name}_f32({}, {digits})", value.sql),
            Ty::Double | Ty::BigInt => format!("td_{name}({}, {digits})", value.sql),
            _ => wrapped(format!("td_{name}({}, {digits})", value.sql), value.ty),
        };
        Ok(self.typed(sql, value.ty))
    }

    pub(super) fn doubles(&self, least: usize, most: usize) -> Result<Typed, SqlError> {
        self.count(least, most)?;
        let mut parts = Vec::new();
        for arg in self.args {
            if !arg.ty.is_number() && !arg.is_null() {
                return Err(type_error(self.name));
            }
            parts.push(real(arg)?);
        }
        let name = self.name.replace("power", "pow");
        Ok(self.typed(
            format!("td_{name}({})", parts.join(", ")),
            ColType::fixed(Ty::Double),
        ))
    }

    pub(super) fn random(&self) -> Result<Typed, SqlError> {
        self.count(0, 1)?;
        let sql = match self.args.first() {
            None => "td_rand()".to_owned(),
            Some(seed) if seed.is_null() => "td_rand()".to_owned(),
            Some(seed) if !seed.ty.is_integer() => return Err(type_error(self.name)),
            Some(seed) if seed.uses == 0 && self.rows => {
                return Err(SqlError::unsupported("rand of one seed over many rows"));
            }
            Some(seed) => format!("td_rand({})", super::super::expr::bits(seed)?),
        };
        Ok(self.typed(sql, ColType::fixed(Ty::Double)))
    }

    pub(super) fn extreme(&self, planner: &Planner<'_>) -> Result<Typed, SqlError> {
        if self.args.len() < 2 {
            return Err(count_error(self.name));
        }
        for arg in self.args {
            let fits = arg.ty.is_number()
                || arg.ty.is_text()
                || matches!(arg.ty.ty, Ty::Bool | Ty::Timestamp);
            if !fits {
                return Err(type_error(self.name));
            }
        }
        if self.args.iter().any(Typed::is_null) {
            return Ok(self.null(ColType::sized(Ty::VarChar, 0)));
        }
        let ty = self.extreme_type()?;
        let parts = self
            .args
            .iter()
            .map(|arg| as_compared(planner, arg, ty))
            .collect::<Result<Vec<_>, _>>()?;
        let function = if self.name == "greatest" {
            "max"
        } else {
            "min"
        };
        Ok(self.typed(format!("{function}({})", parts.join(", ")), ty))
    }

    /// Numbers beside texts count as texts.
    fn extreme_type(&self) -> Result<ColType, SqlError> {
        const NUMBER_WIDTH: u32 = 23;
        let mut ty = self.arg(0)?.ty;
        for arg in self.args.iter().skip(1) {
            let other = arg.ty;
            ty = match (ty.is_text(), other.is_text()) {
                (true, true) if ty.ty == other.ty => {
                    ColType::sized(ty.ty, ty.length.max(other.length))
                }
                (true, true) => {
                    ColType::sized(Ty::VarChar, ty.text_bytes().max(other.text_bytes()))
                }
                (true, false) => ColType::sized(ty.ty, ty.length.max(NUMBER_WIDTH)),
                (false, true) => ColType::sized(other.ty, other.length.max(NUMBER_WIDTH)),
                (false, false) => ColType::fixed(
                    kinds::compared(ty.ty, other.ty).ok_or_else(|| type_error(self.name))?,
                ),
            };
        }
        Ok(ty)
    }
}

/// An argument in the form in which `greatest` compares it: without CAST's way of writing numbers.
fn as_compared(planner: &Planner<'_>, arg: &Typed, ty: ColType) -> Result<String, SqlError> {
    if !ty.is_text() || arg.ty.is_text() {
        return cast::as_type(planner, arg, ty);
    }
    Ok(match arg.ty.ty {
        Ty::Float | Ty::Double => format!("td_fixed_text({})", arg.sql),
        Ty::UBigInt => format!("td_u64_text({})", arg.sql),
        _ => format!("CAST({} AS TEXT)", arg.sql),
    })
}

/// `abs`, `ceil`, `floor`, `round` and `sign` of one value.
fn whole_number(name: &str, value: &Typed) -> String {
    match (name, value.ty.ty) {
        ("sign", Ty::UBigInt) => format!(
            "CASE WHEN {0} IS NULL THEN NULL WHEN {0} = {1} THEN {1} ELSE {2} END",
            value.sql,
            flipped(0),
            flipped(1)
        ),
        (_, Ty::UBigInt) => value.sql.clone(),
        ("abs", ty) if ty.is_integer() && ty != Ty::BigInt => {
            wrapped(format!("td_abs({})", value.sql), value.ty)
        }
        _ => format!("td_{name}({})", value.sql),
    }
}

/// An integer's lowest bits, as its type has.
fn wrapped(sql: String, ty: ColType) -> String {
    let width = ty.ty.fixed_length() * 8;
    let sign = if ty.is_unsigned() { "_unsigned" } else { "" };
    format!("td_wrap{sign}({sql}, {width})")
}

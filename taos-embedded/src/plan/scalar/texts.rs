//! Functions of texts.

use taos_query::common::Ty;

use super::super::cast;
use super::super::expr::bits;
use super::super::types::{ColType, Literal, Typed};
use super::{Call, type_error};
use crate::sql::SqlError;
use crate::sql::ast::FunctionForm;

/// Bytes in front of a text that say its length.
const HEADER: i64 = 2;
/// The most bytes of a text with its header.
const MOST: i64 = 65_519;

/// Bytes a text of a type may have, header and all: the original computes with these.
fn raw(ty: ColType) -> i64 {
    i64::from(ty.text_bytes()) + HEADER
}

/// The type whose raw bytes these are; a length below 0 wraps around, as the original's does.
fn of_raw(ty: Ty, bytes: i64) -> ColType {
    let length = match ty {
        Ty::NChar => (bytes - HEADER) / 4,
        _ => bytes - HEADER,
    };
    let wrapped = length.rem_euclid(1 << 32);
    ColType::sized(ty, u32::try_from(wrapped).unwrap_or(u32::MAX))
}

impl Call<'_> {
    fn text_arg(&self, index: usize) -> Result<&Typed, SqlError> {
        let arg = self.arg(index)?;
        if arg.ty.is_text() {
            Ok(arg)
        } else {
            Err(type_error(self.name))
        }
    }

    pub(super) fn text_numbers(&self) -> Result<Typed, SqlError> {
        let (sql, ty) = match self.name {
            "position" => {
                self.count(2, 2)?;
                let (part, whole) = (self.text_arg(0)?, self.text_arg(1)?);
                (
                    format!("td_position({}, {})", part.sql, whole.sql),
                    Ty::BigInt,
                )
            }
            "ascii" => {
                self.count(1, 1)?;
                (format!("td_ascii({})", self.text_arg(0)?.sql), Ty::UTinyInt)
            }
            name => {
                self.count(1, 1)?;
                let value = self.arg(0)?;
                let sql = match value.ty.ty {
                    Ty::VarChar if name == "length" => {
                        format!("length(CAST({} AS BLOB))", value.sql)
                    }
                    Ty::NChar if name == "length" => format!("(4 * length({}))", value.sql),
                    Ty::VarBinary if name == "length" => format!("length({})", value.sql),
                    Ty::VarChar | Ty::NChar => format!("td_char_length({})", value.sql),
                    _ => return Err(type_error(name)),
                };
                (sql, Ty::BigInt)
            }
        };
        Ok(self.typed(sql, ColType::fixed(ty)))
    }

    /// Sums over the bytes of a value.
    pub(super) fn hash(&self) -> Result<Typed, SqlError> {
        self.count(1, 1)?;
        let value = self.arg(0)?;
        if self.name == "md5" {
            let ty = ColType::sized(Ty::VarChar, 32);
            return match value.ty.ty {
                Ty::VarChar => Ok(self.typed(format!("td_md5({})", value.sql), ty)),
                Ty::NChar | Ty::VarBinary => {
                    Err(SqlError::unsupported(format!("md5 of {}", value.ty.ty)))
                }
                _ => Err(type_error(self.name)),
            };
        }
        let sql = match value.ty.ty {
            Ty::VarBinary => value.sql.clone(),
            Ty::NChar => format!("td_wide({})", value.sql),
            Ty::Bool => format!("CAST({} AS TEXT)", value.sql),
            Ty::Timestamp if self.precision.as_u8() == 0 => {
                format!("td_to_char({}, 'yyyy-mm-dd hh24:mi:ss', 0)", value.sql)
            }
            Ty::Timestamp | Ty::Geometry | Ty::Json | Ty::Blob | Ty::MediumBlob => {
                return Err(SqlError::unsupported(format!("crc32 of {}", value.ty.ty)));
            }
            _ => cast::written(value)?,
        };
        Ok(self.typed(format!("td_crc32({sql})"), ColType::fixed(Ty::UInt)))
    }

    /// Functions from text to text.
    pub(super) fn texts(&self) -> Result<Typed, SqlError> {
        let (least, most) = match self.name {
            "lower" | "upper" | "ltrim" | "rtrim" | "to_base64" => (1, 1),
            "trim" => (1, 2),
            "substring" | "substr" => (2, 3),
            "substring_index" | "replace" => (3, 3),
            "repeat" => (2, 2),
            "concat" => (2, 8),
            "char" => (1, usize::MAX),
            _ => (3, 9),
        };
        self.count(least, most)?;
        let mut parts = Vec::with_capacity(self.args.len());
        for index in 0..self.args.len() {
            parts.push(self.text_part(index)?);
        }
        let ty = self.text_type()?;
        let name = match (self.name, self.form) {
            ("substr", _) => "substring",
            ("trim", FunctionForm::TrimLeading) => "ltrim",
            ("trim", FunctionForm::TrimTrailing) => "rtrim",
            (name, _) => name,
        };
        if name == "repeat" {
            parts.push(raw(self.arg(0)?.ty).to_string());
        }
        Ok(self.typed(format!("td_{name}({})", parts.join(", ")), ty))
    }

    fn text_part(&self, index: usize) -> Result<String, SqlError> {
        let arg = self.arg(index)?;
        let number = match self.name {
            "substring" | "substr" | "repeat" => index > 0,
            "substring_index" => index == 2,
            _ => false,
        };
        if number {
            if !arg.ty.is_integer() && !arg.is_null() {
                return Err(type_error(self.name));
            }
            return bits(arg);
        }
        match self.name {
            "char" if arg.ty.is_number() => Ok(match arg.ty.ty {
                Ty::Float | Ty::Double => format!("td_whole({}, 32)", arg.sql),
                _ => bits(arg)?,
            }),
            "char" if arg.is_null() => Ok("NULL".to_owned()),
            "char" if arg.ty.is_text() => Ok(format!("td_leading_int({})", arg.sql)),
            "lower" | "upper" | "ltrim" | "rtrim" => {
                self.known(index)?;
                Ok(self.text_arg(index)?.sql.clone())
            }
            // The separator must be written out.
            "concat_ws" if index == 0 && arg.literal.is_none() => Err(type_error(self.name)),
            "to_base64" if arg.ty.ty == Ty::NChar => Ok(format!("td_wide({})", arg.sql)),
            _ => Ok(self.text_arg(index)?.sql.clone()),
        }
    }

    fn text_type(&self) -> Result<ColType, SqlError> {
        let first = self.arg(0)?.ty;
        let literal = |index: usize| self.args.get(index).and_then(|arg| arg.literal.as_ref());
        Ok(match self.name {
            "concat" | "concat_ws" => self.joined_type(),
            "char" => {
                let count = i64::try_from(self.args.len()).unwrap_or(i64::MAX);
                of_raw(Ty::VarChar, count.saturating_mul(4) + HEADER)
            }
            "to_base64" => of_raw(Ty::VarChar, 4 * ((raw(first) + 2) / 3)),
            "ltrim" | "rtrim" => match literal(0) {
                Some(Literal::Text(text)) => {
                    let kept = if self.name == "ltrim" {
                        text.trim_start()
                    } else {
                        text.trim_end()
                    };
                    ColType::sized(first.ty, u32::try_from(kept.len()).unwrap_or(u32::MAX))
                }
                _ => first,
            },
            "trim" if first.ty == Ty::NChar => of_raw(Ty::NChar, 4 * raw(first)),
            "replace" => self.replaced_type()?,
            "repeat" => match literal(1) {
                Some(Literal::Null) => first,
                Some(Literal::Integer(times)) => {
                    let times = i64::try_from((*times).clamp(1, 1 << 31)).unwrap_or(1);
                    of_raw(first.ty, raw(first).saturating_mul(times))
                }
                _ => of_raw(first.ty, MOST),
            },
            _ => first,
        })
    }

    fn joined_type(&self) -> ColType {
        if self.args.iter().any(Typed::is_null) {
            return of_raw(Ty::VarChar, 0);
        }
        let wide = self.args.iter().any(|arg| arg.ty.ty == Ty::NChar);
        let room = |arg: &Typed| match arg.ty.ty {
            Ty::VarChar if wide => 4 * raw(arg.ty),
            _ => raw(arg.ty),
        };
        let mut bytes: i64 = self.args.iter().map(room).sum();
        if self.name == "concat_ws" {
            let between = i64::try_from(self.args.len()).unwrap_or(3) - 3;
            bytes += between * self.args.first().map_or(0, room);
        }
        of_raw(if wide { Ty::NChar } else { Ty::VarChar }, bytes)
    }

    fn replaced_type(&self) -> Result<ColType, SqlError> {
        let (whole, from, to) = (self.arg(0)?.ty, self.arg(1)?.ty, self.arg(2)?.ty);
        let mut wanted = raw(to);
        if whole.ty == Ty::NChar && to.ty != whole.ty {
            wanted *= 4;
        }
        let grown = raw(whole) + raw(whole) / raw(from) * (wanted - raw(from));
        Ok(of_raw(whole.ty, grown.max(raw(whole))))
    }
}

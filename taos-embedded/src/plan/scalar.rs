//! Scalar functions and conversions (DIALECT §8).

use taos_query::common::{Precision, Ty};

use super::expr::{Place, bits, real};
use super::planner::Planner;
use super::time::{midnight, tick};
use super::types::{ColType, Literal, Typed};
use super::zone::described;
use crate::sql::ast::{Expr, FunctionForm};
use crate::sql::{SqlError, code};

/// Functions of the dialect that are not computed here.
const NOT_DONE: &[&str] = &[
    "bottom",
    "cols",
    "crc32",
    "csum",
    "derivative",
    "diff",
    "fill_forward",
    "interp",
    "irate",
    "lag",
    "lead",
    "mavg",
    "md5",
    "rand",
    "sample",
    "sha",
    "sha1",
    "sha2",
    "st_area",
    "st_asgeojson",
    "st_astext",
    "st_contains",
    "st_containsproperly",
    "st_covers",
    "st_equals",
    "st_geomfromtext",
    "st_intersects",
    "st_makepoint",
    "st_perimeter",
    "st_touches",
    "statecount",
    "stateduration",
    "std",
    "tail",
    "to_char",
    "to_json",
    "to_timestamp",
    "top",
    "unique",
    "variance",
    "char",
    "date",
    "from_base64",
    "aes_encrypt",
    "aes_decrypt",
    "sm4_encrypt",
    "sm4_decrypt",
    "corr",
    "forecast",
    "first_value",
    "st_x",
    "st_y",
    "st_numpoints",
    "st_numinteriorrings",
    "st_numgeometries",
    "st_isclosed",
    "st_isempty",
    "st_isring",
    "st_issimple",
    "mask_full",
    "mask_partial",
    "mask_none",
    "current_user",
    "user",
];

pub(crate) fn count_error(name: &str) -> SqlError {
    SqlError::new(
        code::ARGUMENT_COUNT,
        format!("Invalid number of parameters : {name}"),
    )
}

pub(crate) fn type_error(name: &str) -> SqlError {
    SqlError::new(
        code::ARGUMENT_TYPE,
        format!("Invalid parameter data type : {name}"),
    )
}

pub(crate) fn value_error(name: &str) -> SqlError {
    SqlError::new(
        code::ARGUMENT_VALUE,
        format!("Invalid parameter value : {name}"),
    )
}

pub(crate) fn call(
    planner: &mut Planner<'_>,
    name: &str,
    args: &[Expr],
    form: FunctionForm,
    place: Place<'_>,
) -> Result<Typed, SqlError> {
    if form == FunctionForm::Distinct {
        return Err(SqlError::unsupported(format!("{name}(distinct)")));
    }
    if NOT_DONE.contains(&name) {
        return Err(SqlError::unsupported(name));
    }
    let args = args
        .iter()
        .map(|arg| planner.expr(arg, place))
        .collect::<Result<Vec<_>, _>>()?;
    let call = Call {
        name,
        args: &args,
        form,
        precision: place.scope.precision,
    };
    call.plan(planner)
}

struct Call<'c> {
    name: &'c str,
    args: &'c [Typed],
    form: FunctionForm,
    precision: Precision,
}

impl Call<'_> {
    fn uses(&self) -> u8 {
        self.args.iter().fold(0, |all, arg| all | arg.uses)
    }

    fn typed(&self, sql: String, ty: ColType) -> Typed {
        Typed::new(sql, ty, self.uses())
    }

    fn count(&self, least: usize, most: usize) -> Result<(), SqlError> {
        if self.args.len() < least || self.args.len() > most {
            return Err(count_error(self.name));
        }
        Ok(())
    }

    fn arg(&self, index: usize) -> Result<&Typed, SqlError> {
        self.args.get(index).ok_or_else(|| count_error(self.name))
    }

    fn plan(&self, planner: &mut Planner<'_>) -> Result<Typed, SqlError> {
        match self.name {
            "now" | "today" | "timezone" | "database" | "server_version" | "client_version"
            | "server_status" | "pi" => self.constant(planner),
            "abs" | "ceil" | "ceiling" | "floor" | "round" | "truncate" | "trunc" | "sign" => {
                self.rounding()
            }
            "sqrt" | "exp" | "ln" | "sin" | "cos" | "tan" | "asin" | "acos" | "atan"
            | "degrees" | "radians" => self.doubles(1, 1),
            "log" => self.doubles(1, 2),
            "pow" | "power" | "mod" => self.doubles(2, 2),
            "length" | "char_length" | "ascii" | "position" => self.text_numbers(),
            "lower" | "upper" | "ltrim" | "rtrim" | "trim" | "substring" | "substr"
            | "substring_index" | "replace" | "repeat" | "concat" | "concat_ws" | "to_base64" => {
                self.texts()
            }
            "timetruncate" => self.truncated(planner),
            "timediff" => self.difference(planner),
            "to_iso8601" => self.iso(planner),
            "to_unixtimestamp" => self.unix(planner),
            "weekday" | "dayofweek" | "weekofyear" | "week" => self.calendar(planner),
            "greatest" | "least" => self.extreme(planner),
            _ => Err(SqlError::new(
                code::UNKNOWN_FUNCTION,
                format!("Func not exists: {}", self.name),
            )),
        }
    }

    fn constant(&self, planner: &mut Planner<'_>) -> Result<Typed, SqlError> {
        self.count(0, 0)?;
        let now = planner.context.now / tick(self.precision);
        let text = |planner: &mut Planner<'_>, text: &str| planner.text(text);
        Ok(match self.name {
            "now" => Typed::new(now.to_string(), ColType::fixed(Ty::Timestamp), 0),
            "today" => Typed::new(
                midnight(now, self.precision, planner.context.zone)?
                    .unwrap_or_default()
                    .to_string(),
                ColType::fixed(Ty::Timestamp),
                0,
            ),
            "timezone" => match planner.context.zone {
                Some(zone) => text(planner, &described(zone, planner.context.now)),
                None => return Err(SqlError::unsupported("timezone() without a chosen zone")),
            },
            "pi" => planner.float(std::f64::consts::PI),
            "server_status" => Typed::new("1".into(), ColType::fixed(Ty::Int), 0),
            "database" => match planner.context.db.clone() {
                Some(db) => text(planner, &db),
                None => Typed::new("NULL".into(), ColType::sized(Ty::VarChar, 0), 0)
                    .with_literal(Literal::Null),
            },
            _ => text(planner, planner.context.version),
        })
    }

    /// Numbers that keep their type.
    fn rounding(&self) -> Result<Typed, SqlError> {
        let most = match self.name {
            "round" => 2,
            "truncate" | "trunc" => 2,
            _ => 1,
        };
        let least = if self.name.starts_with("trunc") { 2 } else { 1 };
        self.count(least, most)?;
        let value = self.arg(0)?;
        if value.is_null() {
            return Ok(self.typed("NULL".into(), ColType::fixed(Ty::BigInt)));
        }
        if !value.ty.is_number() {
            return Err(type_error(self.name));
        }
        if value.ty.ty == Ty::UBigInt && self.name != "abs" {
            return Err(SqlError::unsupported(format!(
                "{} of BIGINT UNSIGNED",
                self.name
            )));
        }
        let name = self
            .name
            .replace("ceiling", "ceil")
            .replace("truncate", "trunc");
        let sql = match self.args.get(1) {
            _ if self.name == "abs" && value.ty.ty == Ty::UBigInt => value.sql.clone(),
            Some(digits) => format!("td_{name}({}, {})", value.sql, real(digits)?),
            None => format!("td_{name}({})", value.sql),
        };
        Ok(self.typed(sql, value.ty))
    }

    fn doubles(&self, least: usize, most: usize) -> Result<Typed, SqlError> {
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

    fn text_arg(&self, index: usize) -> Result<&Typed, SqlError> {
        let arg = self.arg(index)?;
        if arg.ty.is_text() {
            Ok(arg)
        } else {
            Err(type_error(self.name))
        }
    }

    fn text_numbers(&self) -> Result<Typed, SqlError> {
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

    /// Functions from text to text.
    fn texts(&self) -> Result<Typed, SqlError> {
        let (least, most) = match self.name {
            "lower" | "upper" | "ltrim" | "rtrim" | "to_base64" => (1, 1),
            "trim" => (1, 2),
            "substring" | "substr" => (2, 3),
            "substring_index" | "replace" => (3, 3),
            "repeat" => (2, 2),
            "concat" => (2, 8),
            _ => (3, 9),
        };
        self.count(least, most)?;
        let mut ty = self.arg(0)?.ty;
        let joins = self.name.starts_with("concat");
        let mut parts = Vec::new();
        for (index, arg) in self.args.iter().enumerate() {
            let number = match self.name {
                "substring" | "substr" | "repeat" => index > 0,
                "substring_index" => index == 2,
                _ => false,
            };
            if number {
                if !arg.ty.is_integer() && !arg.is_null() {
                    return Err(type_error(self.name));
                }
                parts.push(bits(arg)?);
            } else if arg.ty.is_text() {
                parts.push(arg.sql.clone());
            } else {
                return Err(type_error(self.name));
            }
        }
        if joins {
            ty = self.joined_type();
        }
        let name = match (self.name, self.form) {
            ("substr", _) => "substring",
            ("trim", FunctionForm::TrimLeading) => "ltrim",
            ("trim", FunctionForm::TrimTrailing) => "rtrim",
            (name, _) => name,
        };
        match name {
            "repeat" => {
                ty.length = match self.arg(1)?.literal {
                    Some(Literal::Integer(times)) => ty
                        .length
                        .saturating_mul(u32::try_from(times.max(0)).unwrap_or(u32::MAX)),
                    _ => u32::MAX,
                }
                .min(65517);
            }
            "replace" => ty.length = 65517,
            "to_base64" => {
                ty = ColType::sized(Ty::VarChar, ty.text_bytes().div_ceil(3).saturating_mul(4));
            }
            _ => {}
        }
        Ok(self.typed(format!("td_{name}({})", parts.join(", ")), ty))
    }

    fn joined_type(&self) -> ColType {
        let wide = self.args.iter().any(|arg| arg.ty.ty == Ty::NChar);
        let length = self
            .args
            .iter()
            .map(|arg| arg.ty.length)
            .fold(0, u32::saturating_add);
        ColType::sized(if wide { Ty::NChar } else { Ty::VarChar }, length)
    }

    /// A time in ticks; texts are read, junk is NULL.
    fn time_arg(&self, planner: &Planner<'_>, index: usize) -> Result<String, SqlError> {
        let arg = self.arg(index)?;
        Ok(match arg.ty.ty {
            Ty::Timestamp => arg.sql.clone(),
            _ if arg.ty.is_text() => {
                format!(
                    "td_parse_time({}, {}{})",
                    arg.sql,
                    self.precision.as_u8(),
                    planner.zone_arg()
                )
            }
            _ if arg.ty.is_integer() => bits(arg)?,
            _ => return Err(type_error(self.name)),
        })
    }

    fn unit(&self, index: usize) -> Result<i64, SqlError> {
        match &self.arg(index)?.literal {
            Some(Literal::Duration(duration)) if duration.value == 1 => duration
                .unit
                .nanoseconds()
                .ok_or_else(|| value_error(self.name)),
            _ => Err(value_error(self.name)),
        }
    }

    fn truncated(&self, planner: &Planner<'_>) -> Result<Typed, SqlError> {
        self.count(2, 3)?;
        let time = self.time_arg(planner, 0)?;
        let nanos = self.unit(1)?;
        let unit = (nanos / tick(self.precision)).max(1);
        let local = match self.args.get(2).map(|local| &local.literal) {
            None | Some(Some(Literal::Integer(1))) => true,
            Some(Some(Literal::Integer(0))) => false,
            Some(_) => return Err(value_error(self.name)),
        };
        let days = local && nanos >= 86_400_000_000_000;
        let sql = days.then(|| planner.day_start(&time, unit, self.precision));
        let sql = sql.flatten();
        Ok(self.typed(
            sql.unwrap_or_else(|| format!("td_floor({time}, {unit}, 0)")),
            ColType::fixed(Ty::Timestamp),
        ))
    }

    fn difference(&self, planner: &Planner<'_>) -> Result<Typed, SqlError> {
        self.count(2, 3)?;
        let own = tick(self.precision);
        let unit = if self.args.len() == 3 {
            self.unit(2)?
        } else {
            own
        };
        let (a, b) = (self.time_arg(planner, 0)?, self.time_arg(planner, 1)?);
        let sql = if unit >= own {
            format!("(({a} - {b}) / {})", unit / own)
        } else {
            format!("(({a} - {b}) * {})", own / unit)
        };
        Ok(self.typed(sql, ColType::fixed(Ty::BigInt)))
    }

    fn iso(&self, planner: &Planner<'_>) -> Result<Typed, SqlError> {
        self.count(1, 2)?;
        let value = self.arg(0)?;
        if value.ty.ty != Ty::Timestamp && !value.ty.is_integer() {
            return Err(type_error(self.name));
        }
        let (at, unit) = (&value.sql, self.precision.as_u8());
        let own = planner.zone_arg();
        let zone = match self.args.get(1) {
            None if !own.is_empty() => {
                let now = planner.context.now;
                return Ok(self.typed(
                    format!("td_to_iso8601_zone({at}, {unit}{own}, {now})"),
                    ColType::sized(Ty::VarChar, 62),
                ));
            }
            None => String::new(),
            Some(zone) if matches!(zone.literal, Some(Literal::Text(_))) => {
                format!(", {}", zone.sql)
            }
            Some(_) => return Err(type_error(self.name)),
        };
        Ok(self.typed(
            format!("td_to_iso8601({at}, {unit}{zone})"),
            ColType::sized(Ty::VarChar, 62),
        ))
    }

    fn unix(&self, planner: &Planner<'_>) -> Result<Typed, SqlError> {
        self.count(1, 2)?;
        let value = self.text_arg(0)?;
        let ty = match self.args.get(1).map(|arg| &arg.literal) {
            None | Some(Some(Literal::Integer(0))) => Ty::BigInt,
            Some(Some(Literal::Integer(1))) => Ty::Timestamp,
            Some(_) => return Err(value_error(self.name)),
        };
        Ok(self.typed(
            format!(
                "td_parse_time({}, {}{})",
                value.sql,
                self.precision.as_u8(),
                planner.zone_arg()
            ),
            ColType::fixed(ty),
        ))
    }

    fn calendar(&self, planner: &Planner<'_>) -> Result<Typed, SqlError> {
        planner.only_utc(self.name)?;
        let most = if self.name == "week" { 2 } else { 1 };
        self.count(1, most)?;
        let time = self.time_arg(planner, 0)?;
        let precision = self.precision.as_u8();
        let sql = if self.name == "week" {
            let mode = match self.args.get(1) {
                Some(mode) => {
                    if let Some(Literal::Integer(value)) = mode.literal
                        && !(0..=7).contains(&value)
                    {
                        return Err(value_error(self.name));
                    }
                    bits(mode)?
                }
                None => "0".to_owned(),
            };
            format!("td_week({time}, {mode}, {precision})")
        } else {
            format!("td_{}({time}, {precision})", self.name)
        };
        Ok(self.typed(sql, ColType::fixed(Ty::BigInt)))
    }

    fn extreme(&self, planner: &Planner<'_>) -> Result<Typed, SqlError> {
        if self.args.len() < 2 {
            return Err(count_error(self.name));
        }
        let mut ty = self.arg(0)?.ty;
        for arg in self.args {
            if !arg.ty.is_number() || arg.ty.is_unsigned() != ty.is_unsigned() {
                return Err(SqlError::unsupported(format!(
                    "{} of these types",
                    self.name
                )));
            }
            let wider = arg.ty.ty == Ty::Double
                || (ty.ty != Ty::Double && arg.ty.is_float())
                || (!ty.is_float() && arg.ty.length > ty.length);
            if wider {
                ty = arg.ty;
            }
        }
        let function = if self.name == "greatest" {
            "max"
        } else {
            "min"
        };
        let parts = self
            .args
            .iter()
            .map(|arg| super::cast::as_type(planner, arg, ty))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(self.typed(format!("{function}({})", parts.join(", ")), ty))
    }
}

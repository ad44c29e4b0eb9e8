//! Functions of times.

use taos_query::common::Ty;

use super::super::expr::bits;
use super::super::planner::Planner;
use super::super::time::tick;
use super::super::types::{ColType, Literal, Typed};
use super::{Call, type_error, value_error};
use crate::sql::ast::DurationUnit;
use crate::sql::{SqlError, code};

const DAY: i64 = 86_400_000_000_000;

impl Call<'_> {
    /// A time in ticks; texts are read, junk is NULL.
    fn time_arg(&self, planner: &Planner<'_>, index: usize) -> Result<String, SqlError> {
        let arg = self.arg(index)?;
        Ok(match arg.ty.ty {
            Ty::Timestamp => arg.sql.clone(),
            _ if arg.is_null() => "NULL".to_owned(),
            _ if arg.ty.is_text() => {
                format!(
                    "td_parse_time({}, {}{})",
                    arg.sql,
                    self.precision.as_u8(),
                    planner.zone_arg()
                )
            }
            Ty::BigInt => bits(arg)?,
            // The original leaves what it has in hand in their place.
            _ if arg.ty.is_integer() => {
                return Err(SqlError::unsupported(format!(
                    "{} of {}",
                    self.name, arg.ty.ty
                )));
            }
            _ => return Err(type_error(self.name)),
        })
    }

    /// `1u` to `1w`, in nanoseconds.
    fn unit(&self, index: usize) -> Result<i64, SqlError> {
        let arg = self.arg(index)?;
        let Some(Literal::Duration(duration)) = &arg.literal else {
            if matches!(arg.literal, Some(Literal::Integer(_))) {
                return Err(self.bad_unit());
            }
            return Err(type_error(self.name));
        };
        let nanos = match duration.unit {
            DurationUnit::Month | DurationUnit::Year => None,
            unit => unit.nanoseconds(),
        };
        let nanos = nanos
            .filter(|_| duration.value == 1)
            .ok_or_else(|| self.bad_unit())?;
        if nanos < tick(self.precision) {
            return Err(SqlError::new(
                code::TIME_UNIT_SMALL,
                format!("Time unit is too small : {}", self.name),
            ));
        }
        Ok(nanos)
    }

    fn bad_unit(&self) -> SqlError {
        SqlError::new(
            code::TIME_UNIT,
            format!("Invalid time unit : {}", self.name),
        )
    }

    /// A literal 0 or 1; `None` if the argument is missing.
    fn switch(&self, index: usize) -> Result<Option<bool>, SqlError> {
        match self.args.get(index).map(|arg| (&arg.literal, arg.ty)) {
            None => Ok(None),
            Some((Some(Literal::Integer(0)), _)) => Ok(Some(false)),
            Some((Some(Literal::Integer(1)), _)) => Ok(Some(true)),
            Some((Some(Literal::Integer(_)), _)) => Err(value_error(self.name)),
            Some(_) => Err(type_error(self.name)),
        }
    }

    pub(super) fn truncated(&self, planner: &Planner<'_>) -> Result<Typed, SqlError> {
        self.count(2, 3)?;
        self.known(0)?;
        let time = self.time_arg(planner, 0)?;
        let nanos = self.unit(1)?;
        let unit = (nanos / tick(self.precision)).max(1);
        let local = self.switch(2)?.unwrap_or(true);
        let sql = (local && nanos >= DAY)
            .then(|| planner.day_start(&time, unit, self.precision))
            .flatten();
        Ok(self.typed(
            sql.unwrap_or_else(|| format!("td_toward_zero({time}, {unit}, 0)")),
            ColType::fixed(Ty::Timestamp),
        ))
    }

    pub(super) fn difference(&self, planner: &Planner<'_>) -> Result<Typed, SqlError> {
        self.count(2, 3)?;
        let own = tick(self.precision);
        let unit = if self.args.len() == 3 {
            self.unit(2)?
        } else {
            own
        };
        let (a, b) = (self.time_arg(planner, 0)?, self.time_arg(planner, 1)?);
        let sql = format!("(({a} - {b}) / {})", (unit / own).max(1));
        Ok(self.typed(sql, ColType::fixed(Ty::BigInt)))
    }

    pub(super) fn iso(&self, planner: &Planner<'_>) -> Result<Typed, SqlError> {
        self.count(1, 2)?;
        let value = self.arg(0)?;
        if value.ty.ty != Ty::Timestamp && !value.ty.is_integer() {
            return Err(type_error(self.name));
        }
        let at = if value.ty.ty == Ty::UBigInt {
            bits(value)?
        } else {
            value.sql.clone()
        };
        let unit = self.precision.as_u8();
        let own = planner.zone_arg();
        let zone = match self.args.get(1).map(|zone| (zone, &zone.literal)) {
            None if !own.is_empty() => {
                let now = planner.context.now;
                return Ok(self.typed(
                    format!("td_to_iso8601_zone({at}, {unit}{own}, {now})"),
                    ColType::sized(Ty::VarChar, 62),
                ));
            }
            None => String::new(),
            Some((zone, Some(Literal::Text(text)))) => {
                if !is_iso_zone(text) {
                    return Err(SqlError::new(code::FUNCTION, "Invalid timzone format"));
                }
                format!(", {}", zone.sql)
            }
            Some(_) => return Err(type_error(self.name)),
        };
        Ok(self.typed(
            format!("td_to_iso8601({at}, {unit}{zone})"),
            ColType::sized(Ty::VarChar, 62),
        ))
    }

    pub(super) fn unix(&self, planner: &Planner<'_>) -> Result<Typed, SqlError> {
        self.count(1, 2)?;
        let value = self.known(0)?;
        if !value.ty.is_text() {
            return Err(type_error(self.name));
        }
        let ty = match self.switch(1)? {
            Some(true) => Ty::Timestamp,
            _ => Ty::BigInt,
        };
        Ok(self.typed(self.time_arg(planner, 0)?, ColType::fixed(ty)))
    }

    /// `to_char` and `to_timestamp`.
    pub(super) fn formatted(&self, planner: &Planner<'_>) -> Result<Typed, SqlError> {
        self.count(2, 2)?;
        let (value, format) = (self.known(0)?, self.known(1)?);
        let writes = self.name == "to_char";
        let fits = if writes {
            value.ty.ty == Ty::Timestamp
        } else {
            value.ty.is_text()
        };
        if value.ty.ty == Ty::NChar || format.ty.ty == Ty::NChar {
            return Err(SqlError::unsupported(format!("{} of NCHAR", self.name)));
        }
        if !fits || !format.ty.is_text() {
            return Err(type_error(self.name));
        }
        let sql = format!(
            "td_{}({}, {}, {}{})",
            self.name,
            value.sql,
            format.sql,
            self.precision.as_u8(),
            planner.zone_arg()
        );
        Ok(self.typed(
            sql,
            if writes {
                ColType::sized(Ty::VarChar, 4094)
            } else {
                ColType::fixed(Ty::Timestamp)
            },
        ))
    }

    pub(super) fn calendar(&self, planner: &Planner<'_>) -> Result<Typed, SqlError> {
        let most = if self.name == "week" { 2 } else { 1 };
        self.count(1, most)?;
        let time = self.time_arg(planner, 0)?;
        let (precision, zone) = (self.precision.as_u8(), planner.zone_arg());
        let sql = if self.name == "week" {
            format!("td_week({time}, {}, {precision}{zone})", self.week_mode()?)
        } else {
            format!("td_{}({time}, {precision}{zone})", self.name)
        };
        Ok(self.typed(sql, ColType::fixed(Ty::BigInt)))
    }

    fn week_mode(&self) -> Result<String, SqlError> {
        let Some(mode) = self.args.get(1) else {
            return Ok("0".to_owned());
        };
        match mode.literal {
            Some(Literal::Integer(value)) if !(0..=7).contains(&value) => {
                Err(value_error(self.name))
            }
            Some(Literal::Null) => Err(SqlError::unsupported("week with a mode of NULL")),
            _ if mode.ty.is_integer() => bits(mode),
            _ => Err(type_error(self.name)),
        }
    }
}

/// `Z`, `±HH`, `±HHMM` or `±HH:MM` up to 12 hours; half hours only east, at 3 and 5.
fn is_iso_zone(text: &str) -> bool {
    if text.eq_ignore_ascii_case("z") {
        return true;
    }
    let Some(rest) = text.strip_prefix(['+', '-']) else {
        return false;
    };
    let (hours, minutes) = match (rest.len(), rest.get(2..3)) {
        (2, _) => (rest.get(..2), Some("00")),
        (4, _) => (rest.get(..2), rest.get(2..)),
        (5, Some(":")) => (rest.get(..2), rest.get(3..)),
        _ => return false,
    };
    let number = |text: Option<&str>| -> Option<u8> {
        let digits = text.filter(|text| text.bytes().all(|b| b.is_ascii_digit()))?;
        digits.parse().ok()
    };
    match (number(hours), number(minutes)) {
        (Some(hours), Some(0)) => hours <= 12,
        (Some(3 | 5), Some(30)) => text.starts_with('+'),
        _ => false,
    }
}

//! Scalar functions and conversions (DIALECT §8).

use taos_query::common::{Precision, Ty};

use super::expr::Place;
use super::planner::Planner;
use super::time::{midnight, tick};
use super::types::{ColType, Literal, Typed};
use super::zone::described;
use crate::sql::ast::{Expr, FunctionForm};
use crate::sql::{SqlError, code};

mod numbers;
mod texts;
mod times;

/// Functions of the dialect that are not computed here.
const NOT_DONE: &[&str] = &[
    "bottom",
    "cols",
    "csum",
    "derivative",
    "diff",
    "fill_forward",
    "interp",
    "irate",
    "lag",
    "lead",
    "mavg",
    "sample",
    "sha",
    "sha1",
    "sha2",
    "st_area",
    "st_asgeojson",
    "st_perimeter",
    "statecount",
    "stateduration",
    "std",
    "tail",
    "to_json",
    "top",
    "unique",
    "variance",
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
        return Err(SqlError::syntax("distinct"));
    }
    if NOT_DONE.contains(&name) {
        return Err(SqlError::unsupported(name));
    }
    let args = args
        .iter()
        .map(|arg| planner.expr(arg, place))
        .collect::<Result<Vec<_>, _>>()?;
    if let Some(typed) = super::geometry::call(name, &args)? {
        return Ok(typed);
    }
    let call = Call {
        name,
        args: &args,
        form,
        precision: place.scope.precision,
        rows: place.scope.table.is_some() || place.scope.from.is_some(),
    };
    call.plan(planner)
}

struct Call<'c> {
    name: &'c str,
    args: &'c [Typed],
    form: FunctionForm,
    precision: Precision,
    /// There are rows to run over, not just one.
    rows: bool,
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

    /// An argument of a function that does not take the word NULL.
    fn known(&self, index: usize) -> Result<&Typed, SqlError> {
        let arg = self.arg(index)?;
        if arg.is_null() {
            return Err(type_error(self.name));
        }
        Ok(arg)
    }

    fn null(&self, ty: ColType) -> Typed {
        self.typed("NULL".into(), ty)
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
            "rand" => self.random(),
            "greatest" | "least" => self.extreme(planner),
            "length" | "char_length" | "ascii" | "position" => self.text_numbers(),
            "md5" | "crc32" => self.hash(),
            "lower" | "upper" | "ltrim" | "rtrim" | "trim" | "substring" | "substr"
            | "substring_index" | "replace" | "repeat" | "concat" | "concat_ws" | "to_base64"
            | "char" => self.texts(),
            "timetruncate" => self.truncated(planner),
            "timediff" => self.difference(planner),
            "to_iso8601" => self.iso(planner),
            "to_unixtimestamp" => self.unix(planner),
            "to_char" | "to_timestamp" => self.formatted(planner),
            "weekday" | "dayofweek" | "weekofyear" | "week" => self.calendar(planner),
            _ => Err(SqlError::new(
                code::UNKNOWN_FUNCTION,
                format!("Func not exists: {}", self.name),
            )),
        }
    }

    fn constant(&self, planner: &mut Planner<'_>) -> Result<Typed, SqlError> {
        self.count(0, 0)?;
        let now = planner.context.now.div_euclid(tick(self.precision));
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
            "timezone" => {
                let zone = planner.context.zone.unwrap_or(chrono_tz::UTC);
                text(planner, &described(zone, planner.context.now))
            }
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
}

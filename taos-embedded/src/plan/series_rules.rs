//! What may stand beside what, and the arguments of the functions over series (DIALECT §7).

use taos_query::common::{Precision, Ty};

use super::aggregate::{calls, unit_nanos};
use super::expr::{Place, real};
use super::planner::Planner;
use super::scalar::{count_error, type_error, value_error};
use super::scope::Scope;
use super::series::{Call, Value, names_table};
use super::time::tick;
use super::types::{ColType, Literal, Typed};
use crate::sql::SqlError;
use crate::sql::ast::{Expr, ExprKind, QueryBody, Select, TableRef};

/// How a function makes rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    /// One row a group.
    Aggregate,
    /// Several rows a group: `top`.
    Multi,
    /// A row for (nearly) each row: `diff`.
    Indefinite,
    /// Rows of its own.
    Interp,
}

/// How many rows come of n.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Returned {
    Unknown,
    All,
    AllButOne,
}

/// The class of a function that is no plain aggregate.
pub(super) fn class(name: &str) -> Option<Class> {
    Some(match name {
        "top" | "bottom" | "sample" | "histogram" => Class::Multi,
        "diff" | "derivative" | "csum" | "mavg" | "statecount" | "stateduration" | "unique"
        | "tail" => Class::Indefinite,
        "interp" => Class::Interp,
        _ => return None,
    })
}

/// Functions over series beside each other, beside aggregates, in windows.
pub(super) fn mixed() -> SqlError {
    SqlError::new(
        0x264F,
        "Functions over series stand in the SELECT list only, and not beside aggregates, windows or other series",
    )
}

pub(super) fn nested_error() -> SqlError {
    SqlError::new(0x2627, "Aggregate functions do not support nesting")
}

/// Functions that need their rows in the order of time.
const ON_TIME_LINES: &[&str] = &[
    "diff",
    "derivative",
    "csum",
    "mavg",
    "statecount",
    "stateduration",
    "interp",
    "twa",
    "elapsed",
];

/// Refuses functions over series on a subquery whose rows are ordered by something else than their time.
pub(super) fn refuse_without_time_line(select: &Select, scope: &Scope) -> Result<(), SqlError> {
    let needed = select
        .items
        .iter()
        .any(|item| calls(&item.expr, ON_TIME_LINES));
    let (Some(TableRef::Subquery { query, .. }), true, true) =
        (&select.from, needed, select.partition_by.is_empty())
    else {
        return Ok(());
    };
    let (QueryBody::Select(inner), Some(first)) = (&query.body, query.order_by.first()) else {
        return Ok(());
    };
    let time = scope
        .columns
        .iter()
        .find(|column| Some(&column.sql) == scope.time.as_ref());
    let (Some(time), ExprKind::Column { name, .. }) = (time, &first.expr.kind) else {
        return Ok(());
    };
    // the time may have got an alias
    let source = inner.items.iter().find(|item| {
        let alias = item.alias.as_ref();
        alias.is_some_and(|alias| alias.name == time.name)
    });
    let is_source = source.is_some_and(|item| match &item.expr.kind {
        ExprKind::Column { name: source, .. } => source.name == name.name,
        _ => false,
    });
    if name.name == time.name || is_source || name.name.starts_with('_') {
        if first.descending {
            return Err(SqlError::unsupported(
                "functions over series on rows from the last to the first",
            ));
        }
        return Ok(());
    }
    Err(mixed())
}

/// What was called so far in one SELECT list.
pub(super) struct Rules {
    grouped: bool,
    aggregate: bool,
    multi: bool,
    by_row: bool,
    indefinite: Option<Returned>,
    interp: Option<Returned>,
    pub(super) histogram: bool,
}

impl Rules {
    pub(super) const fn new(grouped: bool) -> Self {
        Self {
            grouped,
            aggregate: false,
            multi: false,
            by_row: false,
            indefinite: None,
            interp: None,
            histogram: false,
        }
    }

    /// Whether one more call may stand beside those before.
    pub(super) fn add(
        &mut self,
        class: Class,
        name: &str,
        args: &[Expr],
        nested: bool,
    ) -> Result<(), SqlError> {
        let rows = returned(name, args);
        match class {
            Class::Aggregate | Class::Multi => {
                if nested {
                    return Err(nested_error());
                }
                let several = class == Class::Multi && self.aggregate;
                if self.indefinite.is_some() || self.multi || several || self.interp.is_some() {
                    return Err(mixed());
                }
                self.aggregate |= class == Class::Aggregate;
                self.multi |= class == Class::Multi;
                self.histogram |= name == "histogram";
            }
            Class::Indefinite => {
                if self.aggregate || self.multi || self.interp.is_some() {
                    return Err(mixed());
                }
                let other_rows = self
                    .indefinite
                    .is_some_and(|known| known == Returned::Unknown || known != rows);
                let by_row = name == "diff";
                if other_rows && !(self.by_row && by_row) {
                    return Err(mixed());
                }
                if self.by_row != by_row && self.indefinite.is_some() {
                    return Err(SqlError::unsupported(
                        "diff beside other functions over series",
                    ));
                }
                self.alone(nested)?;
                self.indefinite = Some(rows);
                self.by_row |= by_row;
            }
            Class::Interp => {
                let other_rows = self
                    .interp
                    .is_some_and(|known| known == Returned::Unknown || known != rows);
                if self.aggregate || self.multi || self.indefinite.is_some() || other_rows {
                    return Err(mixed());
                }
                self.alone(nested)?;
                self.interp = Some(rows);
            }
        }
        Ok(())
    }

    fn alone(&self, nested: bool) -> Result<(), SqlError> {
        if self.grouped {
            return Err(mixed());
        }
        if nested {
            return Err(nested_error());
        }
        Ok(())
    }
}

fn returned(name: &str, args: &[Expr]) -> Returned {
    let number = |at: usize| match args.get(at).map(|arg| &arg.kind) {
        Some(ExprKind::Integer(text)) => text.parse::<i64>().ok(),
        _ => None,
    };
    match name {
        "csum" => Returned::All,
        "interp" if number(1) != Some(1) => Returned::All,
        "diff" if number(1).is_none_or(|mode| mode < 2) => Returned::AllButOne,
        "derivative" if number(2) != Some(1) => Returned::AllButOne,
        _ => Returned::Unknown,
    }
}

fn range_error(name: &str) -> SqlError {
    SqlError::new(0x2811, format!("Invalid parameter range : {name}"))
}

/// An integer literal among the arguments.
fn whole(name: &str, arg: &Typed) -> Result<i128, SqlError> {
    match &arg.literal {
        Some(Literal::Integer(value)) => Ok(*value),
        Some(_) => Err(type_error(name)),
        None if arg.uses != 0 => Err(type_error(name)),
        None => Err(SqlError::unsupported(format!(
            "{name} with a computed argument"
        ))),
    }
}

/// An integer literal within bounds.
fn within(name: &str, arg: &Typed, least: i64, most: i64) -> Result<i64, SqlError> {
    let value = whole(name, arg)?;
    i64::try_from(value)
        .ok()
        .filter(|value| (least..=most).contains(value))
        .ok_or_else(|| range_error(name))
}

/// An integer literal that is one of the first few.
fn choice(name: &str, arg: &Typed, most: i64) -> Result<i64, SqlError> {
    let value = whole(name, arg)?;
    i64::try_from(value)
        .ok()
        .filter(|value| (0..=most).contains(value))
        .ok_or_else(|| value_error(name))
}

/// The first argument must be a number.
pub(super) fn must_be_number(name: &str, value: &Typed) -> Result<(), SqlError> {
    if value.is_null() {
        return Err(SqlError::unsupported(format!("{name}(NULL)")));
    }
    if value.ty.is_number() {
        return Ok(());
    }
    Err(type_error(name))
}

impl Planner<'_> {
    /// Plans one call; `keys` are the partitions.
    pub(super) fn series_call(
        &mut self,
        name: &str,
        call: &Expr,
        args: &[Expr],
        scope: &Scope,
        keys: &[String],
    ) -> Result<Call, SqlError> {
        let counts = match name {
            "top" | "bottom" | "sample" | "mavg" => 2..=2,
            "tail" => 2..=3,
            "unique" | "csum" => 1..=1,
            "diff" => 1..=2,
            "derivative" | "statecount" => 3..=3,
            _ => 3..=4,
        };
        if !counts.contains(&args.len()) {
            return Err(count_error(name));
        }
        let typed = args
            .iter()
            .map(|arg| self.expr(arg, Place::rows(scope)))
            .collect::<Result<Vec<_>, _>>()?;
        let Some((value, rest)) = typed.split_first() else {
            return Err(count_error(name));
        };
        if args.iter().any(names_table) {
            return Err(SqlError::unsupported(format!("{name} of tbname")));
        }
        let series = Series {
            name,
            value,
            rest,
            partition: partition(keys),
            time: scope.time.as_deref(),
            key: scope.key.as_deref(),
        };
        let (extra, kind, ty, keeps) = match name {
            "top" | "bottom" | "sample" | "unique" | "tail" => series.chosen()?,
            _ => self.running(&series, scope)?,
        };
        if value.uses == 0 {
            return Err(SqlError::unsupported(format!("{name} of a constant")));
        }
        Ok(Call {
            name: name.to_owned(),
            expr: call.clone(),
            extra,
            value: kind,
            ty,
            keeps,
        })
    }

    /// Functions that give a value beside a row.
    fn running(&mut self, series: &Series<'_>, scope: &Scope) -> Result<Planned, SqlError> {
        let name = series.name;
        let value = series.value;
        let bigint = ColType::fixed(Ty::BigInt);
        let double = ColType::fixed(Ty::Double);
        let precision = scope.precision;
        let wide = i32::from(value.ty.ty == Ty::UBigInt);
        let (call, ty) = match name {
            "diff" => {
                let counted = matches!(value.ty.ty, Ty::Bool | Ty::Timestamp);
                if !counted {
                    must_be_number(name, value)?;
                }
                let mode = series
                    .rest
                    .first()
                    .map_or(Ok(0), |mode| choice(name, mode, 3))?;
                let ty = if value.ty.is_float() { double } else { bigint };
                let time = series.time()?;
                (
                    format!("td_diff({}, {time}, {mode}, {wide})", value.sql),
                    ty,
                )
            }
            "derivative" => (derivative(series, precision)?, double),
            "csum" => running_sum(series)?,
            "mavg" => {
                must_be_number(name, value)?;
                let count = match series.rest {
                    [count] => within(name, count, 1, 1000)?,
                    _ => return Err(count_error(name)),
                };
                let (real, time) = (real(value)?, series.time()?);
                (format!("td_mavg({real}, {time}, {count})"), double)
            }
            _ => (self.state(series, scope)?, bigint),
        };
        let sql = format!(
            "{call} OVER ({}ORDER BY {} ROWS UNBOUNDED PRECEDING)",
            series.partition,
            series.order()?
        );
        Ok((vec![sql], Value::Answer, ty, "{0} IS NOT NULL".to_owned()))
    }

    /// `statecount` and `stateduration`.
    fn state(&mut self, series: &Series<'_>, scope: &Scope) -> Result<String, SqlError> {
        let name = series.name;
        must_be_number(name, series.value)?;
        let (Some(operator), Some(operand)) = (series.rest.first(), series.rest.get(1)) else {
            return Err(count_error(name));
        };
        let Some(Literal::Text(operator)) = &operator.literal else {
            return Err(type_error(name));
        };
        let operator = operator.to_ascii_lowercase();
        if !matches!(operator.as_str(), "lt" | "gt" | "le" | "ge" | "ne" | "eq") {
            return Err(value_error(name));
        }
        let operand = match &operand.literal {
            Some(Literal::Integer(value)) if i64::try_from(*value).is_err() => {
                return Err(type_error(name));
            }
            Some(Literal::Integer(_) | Literal::Float(_)) => real(operand)?,
            Some(_) => return Err(type_error(name)),
            None if operand.uses != 0 => return Err(type_error(name)),
            None => {
                return Err(SqlError::unsupported(format!(
                    "{name} with a computed operand"
                )));
            }
        };
        let (value, time) = (real(series.value)?, series.time()?);
        if name == "statecount" {
            return Ok(format!(
                "td_statecount({value}, {time}, '{operator}', {operand})"
            ));
        }
        let unit = unit_nanos(name, series.rest.get(2), scope.precision)?;
        let ticks = unit / tick(scope.precision);
        Ok(format!(
            "td_stateduration({value}, {time}, '{operator}', {operand}, {ticks})"
        ))
    }
}

fn derivative(series: &Series<'_>, precision: Precision) -> Result<String, SqlError> {
    let name = series.name;
    must_be_number(name, series.value)?;
    let [unit, ignore] = series.rest else {
        return Err(count_error(name));
    };
    let ticks = match &unit.literal {
        Some(Literal::Duration(duration)) => duration
            .ticks(precision)
            .ok_or_else(|| SqlError::unsupported("derivative over months"))?,
        _ => i64::try_from(whole(name, unit)?).map_err(|_| range_error(name))?,
    };
    if ticks < 1 {
        return Err(range_error(name));
    }
    let ignore = choice(name, ignore, 1)?;
    let (real, time) = (real(series.value)?, series.time()?);
    Ok(format!("td_derivative({real}, {time}, {ticks}, {ignore})"))
}

/// `csum`, whose type depends on its argument's.
fn running_sum(series: &Series<'_>) -> Result<(String, ColType), SqlError> {
    let value = series.value;
    must_be_number(series.name, value)?;
    let time = series.time()?;
    if value.ty.is_unsigned() {
        let sql = match value.ty.ty {
            Ty::UBigInt => value.sql.clone(),
            _ => format!("td_u64_from({})", value.sql),
        };
        let ty = ColType::fixed(Ty::UBigInt);
        return Ok((format!("td_csum({sql}, {time}, 1)"), ty));
    }
    let ty = if value.ty.is_float() {
        Ty::Double
    } else {
        Ty::BigInt
    };
    let sql = format!("td_csum({}, {time}, 0)", value.sql);
    Ok((sql, ColType::fixed(ty)))
}

/// Extras, where the value is, its type, which rows stay.
type Planned = (Vec<String>, Value, ColType, String);

fn partition(keys: &[String]) -> String {
    if keys.is_empty() {
        return String::new();
    }
    format!("PARTITION BY {} ", keys.join(", "))
}

/// A call with typed arguments.
struct Series<'s> {
    name: &'s str,
    value: &'s Typed,
    rest: &'s [Typed],
    partition: String,
    time: Option<&'s str>,
    key: Option<&'s str>,
}

impl Series<'_> {
    fn time(&self) -> Result<&str, SqlError> {
        self.time.ok_or_else(|| {
            SqlError::unsupported(format!("{} on rows without a time column", self.name))
        })
    }

    /// By time, then by the composite key.
    fn order(&self) -> Result<String, SqlError> {
        let time = self.time()?;
        Ok(match self.key {
            Some(key) => format!("{time}, {key}"),
            None => time.to_owned(),
        })
    }

    /// Functions that choose rows.
    fn chosen(&self) -> Result<Planned, SqlError> {
        let name = self.name;
        let sql = &self.value.sql;
        if matches!(self.value.ty.ty, Ty::Json) {
            return Err(SqlError::unsupported(format!("{name} of JSON")));
        }
        let ranked = |partition: &str, order: &str| {
            format!("row_number() OVER ({partition}ORDER BY {order})")
        };
        let later = self
            .time
            .map_or_else(String::new, |time| format!(", {time}"));
        let (extra, keeps) = match name {
            "top" | "bottom" => {
                must_be_number(name, self.value)?;
                let count = self.count(100)?;
                let down = if name == "top" { " DESC" } else { "" };
                let order = format!("{sql} IS NULL, {sql}{down}{later}");
                (
                    vec![sql.clone(), ranked(&self.partition, &order)],
                    // only NULLs give one NULL
                    format!("{{1}} <= {count} AND ({{0}} IS NOT NULL OR {{1}} = 1)"),
                )
            }
            "sample" => {
                let count = self.count(1000)?;
                let order = format!(
                    "{sql} IS NULL, CASE WHEN {sql} IS NULL THEN 0 ELSE random() END{later}"
                );
                (
                    vec![sql.clone(), ranked(&self.partition, &order)],
                    format!("{{1}} <= {count} AND ({{0}} IS NOT NULL OR {{1}} = 1)"),
                )
            }
            "tail" => {
                let (Some(count), skipped) = (self.rest.first(), self.rest.get(1)) else {
                    return Err(count_error(name));
                };
                let count = within(name, count, 1, 100)?;
                let skipped = skipped.map_or(Ok(0), |skipped| within(name, skipped, 0, 100))?;
                let time = self.time()?;
                let key = self
                    .key
                    .map_or_else(String::new, |key| format!(", {key} DESC"));
                (
                    vec![
                        sql.clone(),
                        ranked(&self.partition, &format!("{time} DESC{key}")),
                    ],
                    format!("{{1}} > {skipped} AND {{1}} <= {}", skipped + count),
                )
            }
            _ => {
                let order = self.order()?;
                let partition = if self.partition.is_empty() {
                    format!("PARTITION BY {sql} ")
                } else {
                    format!("{}, {sql} ", self.partition.trim_end())
                };
                (
                    vec![sql.clone(), ranked(&partition, &order)],
                    "{1} = 1".to_owned(),
                )
            }
        };
        Ok((extra, Value::Plain, self.value.ty, keeps))
    }

    fn count(&self, most: i64) -> Result<i64, SqlError> {
        match self.rest {
            [count] => within(self.name, count, 1, most),
            _ => Err(count_error(self.name)),
        }
    }
}

//! Aggregates (DIALECT §5).

use taos_query::common::{Precision, Ty};

use super::expr::{Place, real};
use super::histogram::AGGREGATE;
use super::planner::{Grouping, Planner, WindowSql};
use super::scalar::{count_error, type_error, value_error};
use super::scope::Scope;
use super::time::tick;
use super::types::{ColType, Literal, Typed};
use crate::sql::ast::{Expr, ExprKind, FunctionForm};
use crate::sql::{SqlError, code};

/// Functions that take values from one row they choose.
pub(crate) const SELECTING: &[&str] = &["max", "min", "first", "last", "last_row", "mode"];

pub(crate) fn is_aggregate(name: &str) -> bool {
    matches!(
        name,
        "count"
            | "sum"
            | "avg"
            | "min"
            | "max"
            | "first"
            | "last"
            | "last_row"
            | "spread"
            | "stddev"
            | "stddev_pop"
            | "var_pop"
            | "mode"
            | "hyperloglog"
            | "elapsed"
            | "percentile"
            | "apercentile"
            | "leastsquares"
            | "twa"
            | "irate"
            | "histogram"
    ) || name.starts_with(AGGREGATE)
}

/// Whether any part of an expression satisfies a test.
pub(crate) fn any(expr: &Expr, test: &dyn Fn(&Expr) -> bool) -> bool {
    if test(expr) {
        return true;
    }
    let all = |list: &[Expr]| list.iter().any(|part| any(part, test));
    match &expr.kind {
        ExprKind::Unary(_, inner) | ExprKind::Cast(inner, _) => any(inner, test),
        ExprKind::IsNull { value, .. } | ExprKind::InQuery { value, .. } => any(value, test),
        ExprKind::Binary(_, left, right) => any(left, test) || any(right, test),
        ExprKind::Between {
            value, low, high, ..
        } => any(value, test) || any(low, test) || any(high, test),
        ExprKind::In { value, list, .. } => any(value, test) || all(list),
        ExprKind::Function { args, .. } => all(args),
        ExprKind::Case {
            operand,
            branches,
            otherwise,
        } => {
            operand.as_ref().is_some_and(|part| any(part, test))
                || otherwise.as_ref().is_some_and(|part| any(part, test))
                || branches
                    .iter()
                    .any(|(when, then)| any(when, test) || any(then, test))
        }
        _ => false,
    }
}

pub(crate) fn contains(expr: &Expr) -> bool {
    any(
        expr,
        &|part| matches!(&part.kind, ExprKind::Function { name, .. } if is_aggregate(name)),
    )
}

/// Whether one of these functions is called.
pub(crate) fn calls(expr: &Expr, names: &[&str]) -> bool {
    any(
        expr,
        &|part| matches!(&part.kind, ExprKind::Function { name, .. } if names.contains(&name.as_str())),
    )
}

impl Planner<'_> {
    pub(crate) fn aggregate_call(
        &mut self,
        name: &str,
        args: &[Expr],
        form: FunctionForm,
        place: Place<'_>,
    ) -> Result<Typed, SqlError> {
        let Some(grouping) = place.grouping else {
            return Err(SqlError::new(
                code::AGGREGATE_NOT_ALLOWED,
                "There mustn't be aggregation",
            ));
        };
        if form == FunctionForm::Distinct {
            return Err(SqlError::syntax("distinct"));
        }
        if args.iter().any(contains) {
            return Err(SqlError::new(
                0x2627,
                "Aggregate functions do not support nesting",
            ));
        }
        if args.is_empty() {
            return Err(count_error(name));
        }
        if let Some(name) = name.strip_prefix(AGGREGATE) {
            return self.chosen_call(name, args, place);
        }
        if name == "histogram" {
            return self.histogram_call(args, place);
        }
        if name == "count" {
            return self.count(args, grouping, place);
        }
        let rows = Place::rows(place.scope);
        let mut typed = args
            .iter()
            .map(|arg| self.expr(arg, rows))
            .collect::<Result<Vec<_>, _>>()?;
        if let (Some(first), true) = (typed.first_mut(), grouping.empty_groups) {
            only_of_rows(first, place);
        }
        let Some(first) = typed.first() else {
            return Err(count_error(name));
        };
        let rest = typed.get(1..).unwrap_or_default();
        if !argument_counts(name).contains(&typed.len()) {
            return Err(count_error(name));
        }
        if first.is_null() && !takes_null(name) {
            return Err(type_error(name));
        }
        let column = matches!(
            args.first().map(|arg| &arg.kind),
            Some(ExprKind::Column { .. })
        );
        if name == "elapsed" && !column {
            return Err(type_error(name));
        }
        let (sql, ty) = self.aggregate_sql(name, first, rest, place)?;
        Ok(Typed::new(sql, ty, first.uses | super::types::USES_DATA))
    }

    fn count(
        &mut self,
        args: &[Expr],
        grouping: &Grouping,
        place: Place<'_>,
    ) -> Result<Typed, SqlError> {
        let [arg] = args else {
            return Err(count_error("count"));
        };
        let all = match (&place.scope.time, grouping.empty_groups) {
            (Some(time), true) => format!("count({time})"),
            _ => "count(*)".to_owned(),
        };
        let sql = if let ExprKind::Wildcard(qualifier) = &arg.kind {
            place.scope.qualify(qualifier.as_ref())?;
            let side = qualifier
                .as_ref()
                .and_then(|name| place.scope.side(name).ok());
            let time = side.and_then(|side| side.time.as_ref());
            time.map_or(all, |time| format!("count({time})"))
        } else {
            let typed = self.expr(arg, Place::rows(place.scope))?;
            match typed.literal {
                Some(Literal::Null) => "0*count(*)".to_owned(),
                Some(_) => all,
                None if typed.uses & super::types::USES_DATA == 0 && grouping.empty_groups => {
                    let time = place.scope.time.as_deref().unwrap_or("1");
                    format!("count(CASE WHEN {time} IS NOT NULL THEN {} END)", typed.sql)
                }
                None => format!("count({})", typed.sql),
            }
        };
        Ok(Typed::new(
            sql,
            ColType::fixed(Ty::BigInt),
            super::types::USES_DATA,
        ))
    }

    fn aggregate_sql(
        &self,
        name: &str,
        first: &Typed,
        rest: &[Typed],
        place: Place<'_>,
    ) -> Result<(String, ColType), SqlError> {
        let double = ColType::fixed(Ty::Double);
        let sql = &first.sql;
        let time = place.scope.time.as_deref();
        Ok(match name {
            "sum" => return sum(first),
            "min" | "max" => {
                let fits = first.ty.is_number() || first.ty.is_text() || first.ty.is_decimal();
                if !fits && first.ty.ty != Ty::VarBinary {
                    return Err(type_error(name));
                }
                let null = ColType::fixed(Ty::BigInt);
                let ty = if first.is_null() { null } else { first.ty };
                (format!("{name}({sql})"), ty)
            }
            "first" | "last" | "last_row" => {
                let time = time.ok_or_else(|| {
                    SqlError::unsupported(format!("{name} on rows without a time column"))
                })?;
                let keyed = by_composite_key(place.scope, name, sql, sql)?;
                let call = keyed.unwrap_or_else(|| format!("td_{name}({sql}, {time})"));
                (call, first.ty)
            }
            "mode" => (format!("td_mode({sql})"), first.ty),
            "hyperloglog" => (format!("count(DISTINCT {sql})"), ColType::fixed(Ty::BigInt)),
            "spread" if first.ty.ty == Ty::Timestamp => {
                (format!("(CAST(max({sql}) - min({sql}) AS REAL))"), double)
            }
            "elapsed" => {
                if first.ty.ty != Ty::Timestamp {
                    return Err(type_error(name));
                }
                if Some(sql.as_str()) != time {
                    return Err(not_primary(name));
                }
                let unit = unit_nanos(name, rest.first(), place.scope.precision)?;
                let window = place.grouping.and_then(|grouping| grouping.window.as_ref());
                let ticks = match window {
                    Some(window) if window.sliced => elapsed_in(window, sql),
                    _ => format!("CAST(max({sql}) - min({sql}) AS REAL)"),
                };
                let own = tick(place.scope.precision);
                let scaled = if unit == own {
                    ticks
                } else if unit > own {
                    format!("({ticks} / {}.0)", unit / own)
                } else {
                    format!("({ticks} * {}.0)", own / unit)
                };
                (scaled, double)
            }
            _ => return self.statistic(name, first, rest, place),
        })
    }

    /// Aggregates over numbers only, all computed as doubles.
    fn statistic(
        &self,
        name: &str,
        first: &Typed,
        rest: &[Typed],
        place: Place<'_>,
    ) -> Result<(String, ColType), SqlError> {
        let double = ColType::fixed(Ty::Double);
        if first.ty.is_decimal() && name != "avg" {
            return Err(type_error(name));
        }
        if first.ty.is_decimal() {
            return Ok(super::decimal::avg(first));
        }
        let null = first.is_null();
        if !first.ty.is_number() && !null {
            return Err(type_error(name));
        }
        let value = real(first)?;
        Ok(match name {
            "avg" => (mean(first, &value), double),
            "spread" => (format!("(max({value}) - min({value}))"), double),
            "stddev" | "stddev_pop" | "var_pop" => {
                let name = name.trim_end_matches("_pop");
                let single = if first.ty.ty == Ty::Float { "_f32" } else { "" };
                let whole = first.ty.is_integer() && first.ty.ty != Ty::UBigInt;
                let value = if whole { &first.sql } else { &value };
                (format!("td_{name}{single}({value})"), double)
            }
            "percentile" => return percentile(&value, rest, place),
            "apercentile" => (apercentile(&value, rest, place)?, double),
            "leastsquares" => {
                let (Some(start), Some(step)) = (rest.first(), rest.get(1)) else {
                    return Err(count_error(name));
                };
                let constant = |typed: &Typed| {
                    matches!(typed.literal, Some(Literal::Integer(_) | Literal::Float(_)))
                };
                if !constant(start) || !constant(step) {
                    return Err(type_error(name));
                }
                let time = ordering(place)?;
                (
                    format!(
                        "td_leastsquares({value}, {}, {} ORDER BY {time})",
                        real(start)?,
                        real(step)?
                    ),
                    ColType::sized(Ty::VarChar, 64),
                )
            }
            _ => {
                let time = ordering(place)?;
                let (keyed, order) = match &place.scope.key {
                    Some(_) if place.scope.is_super() && !grouped_by_table(place) => {
                        return Err(SqlError::unsupported(format!(
                            "{name} of several subtables with composite keys"
                        )));
                    }
                    Some(key) => ("_keyed", format!("{time}, {key}")),
                    None => ("", time.to_owned()),
                };
                let second = match name {
                    "irate" => format!(", {}", place.scope.precision.ticks_per_second()),
                    _ => String::new(),
                };
                let call = format!("td_{name}{keyed}({value}, {time}{second} ORDER BY {order})");
                (call, double)
            }
        })
    }
}

const fn argument_counts(name: &str) -> std::ops::RangeInclusive<usize> {
    match name.as_bytes() {
        b"percentile" => 2..=11,
        b"apercentile" => 2..=3,
        b"leastsquares" => 3..=3,
        b"elapsed" => 1..=2,
        _ => 1..=1,
    }
}

/// Whether a bare NULL may stand where values are wanted.
fn takes_null(name: &str) -> bool {
    let numbers = matches!(
        name,
        "sum" | "avg" | "min" | "max" | "stddev" | "stddev_pop" | "var_pop" | "twa"
    );
    numbers || matches!(name, "mode" | "hyperloglog")
}

/// A group without rows is one row of NULL, which constants and tags must not see.
fn only_of_rows(value: &mut Typed, place: Place<'_>) {
    if value.uses & super::types::USES_DATA == 0
        && !value.is_null()
        && let Some(time) = &place.scope.time
    {
        value.sql = format!("(CASE WHEN {time} IS NOT NULL THEN {} END)", value.sql);
    }
}

/// One point is a number; several are a text that lists them.
fn percentile(
    value: &str,
    rest: &[Typed],
    place: Place<'_>,
) -> Result<(String, ColType), SqlError> {
    let scope = place.scope;
    let one_table = scope.table.is_some() && !scope.is_super();
    if !one_table && !scope.columns.is_empty() {
        return Err(SqlError::new(
            0x265F,
            "Cannot use 'percentile' on a super table or on anything else but one table",
        ));
    }
    let mut points = Vec::new();
    for point in rest {
        points.push(percent("percentile", point)?.to_string());
    }
    let ty = if points.len() > 1 {
        ColType::sized(Ty::VarChar, 0x2000)
    } else {
        ColType::fixed(Ty::Double)
    };
    let sql = format!("td_percentile({value}, '{}')", points.join(","));
    Ok((sql, ty))
}

/// By the histogram of the original or by its t-digest, which depends on the order of the rows.
fn apercentile(value: &str, rest: &[Typed], place: Place<'_>) -> Result<String, SqlError> {
    let name = "apercentile";
    let point = rest.first().ok_or_else(|| count_error(name))?;
    if !matches!(point.literal, Some(Literal::Integer(_))) {
        return Err(type_error(name));
    }
    let point = percent(name, point)?;
    let function = match rest.get(1).map(|method| &method.literal) {
        None => "td_apercentile",
        Some(Some(Literal::Text(text))) => match text.to_ascii_lowercase().as_str() {
            "default" => "td_apercentile",
            "t-digest" if place.scope.is_super() => "td_tdigest_any",
            "t-digest" => "td_tdigest",
            _ => return Err(value_error(name)),
        },
        Some(_) => return Err(type_error(name)),
    };
    let order = match place.scope.time.as_deref() {
        Some(time) if function == "td_tdigest" => format!(" ORDER BY {time}"),
        _ => String::new(),
    };
    Ok(format!("{function}({value}, {point:?}{order})"))
}

fn grouped_by_table(place: Place<'_>) -> bool {
    place.grouping.is_some_and(|grouping| grouping.by_table)
}

fn ordering<'s>(place: Place<'s>) -> Result<&'s str, SqlError> {
    place
        .scope
        .time
        .as_deref()
        .ok_or_else(|| SqlError::unsupported("time order of rows without a time column"))
}

/// The call for `first`, `last` or `last_row` on rows that have a composite key; `wanted` may not be NULL in
/// the row that is chosen.
pub(super) fn by_composite_key(
    scope: &Scope,
    name: &str,
    value: &str,
    wanted: &str,
) -> Result<Option<String>, SqlError> {
    let (Some(time), Some(key)) = (&scope.time, &scope.key) else {
        return Ok(None);
    };
    let table = match (scope.is_super(), &scope.from) {
        (false, _) => "0".to_owned(),
        (true, None) => format!("a{}.tbl", scope.number),
        (true, Some(_)) => {
            return Err(SqlError::unsupported(format!(
                "{name} of chosen rows of several subtables with composite keys"
            )));
        }
    };
    let (end, wanted) = match name {
        "first" => ("first", wanted),
        "last" => ("last", wanted),
        _ => ("last", "1"),
    };
    Ok(Some(format!(
        "td_{end}_keyed({value}, {time}, {key}, {wanted}, {table} ORDER BY {table}, {time}, {key})"
    )))
}

fn sum(first: &Typed) -> Result<(String, ColType), SqlError> {
    let ty = first.ty;
    let sql = &first.sql;
    if ty.is_decimal() {
        return Ok(super::decimal::sum(first));
    }
    Ok(match ty.ty {
        Ty::UBigInt => (format!("td_u64_sum({sql})"), ColType::fixed(Ty::UBigInt)),
        _ if ty.is_unsigned() => (
            format!("td_u64_from(sum({sql}))"),
            ColType::fixed(Ty::UBigInt),
        ),
        // a sum of narrower values cannot leave 64 bits
        Ty::BigInt => (format!("td_sum({sql})"), ColType::fixed(Ty::BigInt)),
        _ if ty.is_integer() || first.is_null() => {
            (format!("sum({sql})"), ColType::fixed(Ty::BigInt))
        }
        _ if ty.is_float() => (format!("td_real_sum({sql})"), ColType::fixed(Ty::Double)),
        _ => return Err(type_error("sum")),
    })
}

/// `avg` of a number: integers are summed as such, as long as 64 bits hold the sum.
fn mean(first: &Typed, value: &str) -> String {
    match first.ty.ty {
        Ty::UBigInt => format!("td_u64_avg({})", first.sql),
        _ if first.ty.is_integer() => format!("td_avg({})", first.sql),
        _ => format!("td_avg({value})"),
    }
}

fn percent(name: &str, point: &Typed) -> Result<f64, SqlError> {
    let value = match point.literal {
        Some(Literal::Integer(value)) => i32::try_from(value).ok().map(f64::from),
        Some(Literal::Float(value)) => Some(value),
        _ => return Err(type_error(name)),
    };
    let Some(value) = value else {
        return Err(range_error(name));
    };
    if (0.0..=100.0).contains(&value) {
        return Ok(value);
    }
    // The server looks at the whole part alone.
    if (0.0..=100.0).contains(&value.trunc()) {
        return Err(SqlError::unsupported(format!("{name} at {value}")));
    }
    Err(range_error(name))
}

fn range_error(name: &str) -> SqlError {
    SqlError::new(0x2811, format!("Invalid parameter range : {name}"))
}

/// How long an interval runs: from its bounds, but the first begins with the first row and the last ends with the last.
fn elapsed_in(window: &WindowSql, time: &str) -> String {
    let (start, end) = (&window.start, &window.end);
    format!(
        "CAST(CASE WHEN max({time}) = {end} - 1 OR row_number() OVER (ORDER BY {start} DESC) = 1 \
         THEN max({time}) ELSE {end} END - CASE WHEN row_number() OVER (ORDER BY {start}) = 1 \
         THEN min({time}) ELSE {start} END AS REAL)"
    )
}

/// `elapsed` knows the time of the rows only.
fn not_primary(name: &str) -> SqlError {
    SqlError::new(
        0x2812,
        format!("Parameter should be primary timestamp : {name}"),
    )
}

/// A unit of time in nanoseconds: one of the fixed ones, not below the database's own, which is the default.
pub(super) fn unit_nanos(
    name: &str,
    unit: Option<&Typed>,
    precision: Precision,
) -> Result<i64, SqlError> {
    let own = tick(precision);
    let Some(unit) = unit else {
        return Ok(own);
    };
    match unit.literal {
        Some(Literal::Duration(duration)) => match duration.unit.nanoseconds() {
            Some(nanos) if duration.value == 1 && nanos >= own => Ok(nanos),
            Some(_) if duration.value == 1 => Err(SqlError::new(
                0x280B,
                format!("Time unit is too small : {name}"),
            )),
            _ => Err(bad_unit(name)),
        },
        Some(Literal::Integer(_)) => Err(bad_unit(name)),
        _ => Err(type_error(name)),
    }
}

fn bad_unit(name: &str) -> SqlError {
    SqlError::new(0x280A, format!("Invalid time unit : {name}"))
}

//! FILL: windows without rows (DIALECT §6).
//!
//! The windows with rows are found first; each partition then meets every window of the time range, and what has no
//! row, or a row of NULL, gets its value from the neighbours or from the statement.

use std::cell::Cell;

use taos_query::common::Ty;

use super::aggregate::{any, contains};
use super::cast;
use super::clauses::{as_key, by_alias, direction, limited, no_groups, position};
use super::expr::Place;
use super::interval::{Interval, Length};
use super::planner::{Grouping, Planner, WindowSql};
use super::range::TimeRange;
use super::select::Output;
use super::types::{ColType, Typed};
use crate::sql::SqlError;
use crate::sql::ast::{Expr, ExprKind, Fill, FillMode, Query, Select};

/// More windows than this are refused (DIALECT §6).
const MOST_WINDOWS: i128 = 10_000_000;

/// A SELECT whose windows are to be filled.
pub(super) struct Filled<'f> {
    pub(super) fill: &'f Fill,
    pub(super) select: &'f Select,
    pub(super) query: &'f Query,
    pub(super) outputs: &'f [Output],
    pub(super) typed: &'f [Typed],
    pub(super) place: Place<'f>,
    pub(super) interval: &'f Interval,
    /// FROM and WHERE.
    pub(super) rows: String,
    pub(super) constants: &'f [String],
}

fn bad_range() -> SqlError {
    SqlError::new(
        0x263B,
        "Start(end) time of query range required or time range too large",
    )
}

impl Planner<'_> {
    /// The time range that is to be filled must be there and not too long for its windows.
    pub(super) fn check_fill(&self, fill: &Fill, interval: &Interval) -> Result<(), SqlError> {
        let range = self.ranges.last().copied().unwrap_or(TimeRange::ALL);
        match fill.mode {
            FillMode::None => return Ok(()),
            FillMode::Near => return Err(SqlError::unsupported("fill(near) of windows")),
            _ if range.is_empty() => return Ok(()),
            _ => {}
        }
        // The server counts a month as 30 and a year as 365 days of milliseconds whatever the unit.
        let width = match interval.width {
            Length::Ticks(width) => i128::from(width),
            Length::Months(months) if months % 12 == 0 => i128::from(months / 12) * 31_536_000_000,
            Length::Months(months) => i128::from(months) * 2_592_000_000,
        };
        let long = i128::from(range.high) - i128::from(range.low);
        if range == TimeRange::ALL || long / width >= MOST_WINDOWS {
            return Err(bad_range());
        }
        if range.low == i64::MIN || range.high == i64::MAX {
            return Err(SqlError::unsupported("fill of an open time range"));
        }
        Ok(())
    }

    pub(super) fn filled(&mut self, parts: &Filled<'_>) -> Result<String, SqlError> {
        if parts.select.having.is_some() {
            return Err(SqlError::unsupported("having with fill"));
        }
        if parts.select.distinct {
            return Err(SqlError::unsupported("distinct with fill"));
        }
        let Some(grouping) = parts.place.grouping else {
            return Err(SqlError::unsupported("fill"));
        };
        let Some(window) = &grouping.window else {
            return Err(SqlError::unsupported("fill"));
        };
        let keys: Vec<String> = grouping.keys.iter().map(|key| as_key(&key.sql)).collect();
        if parts.query.slimit.is_some() && keys.is_empty() {
            return Err(no_groups());
        }
        let n = self.next_number();
        let columns = self.filled_columns(parts, n)?;
        let mut inner = Vec::new();
        for (index, (output, typed)) in parts.outputs.iter().zip(parts.typed).enumerate() {
            if contains(&output.expr) {
                inner.push(format!("{} AS q{index}", typed.sql));
            }
        }
        inner.push(format!("{} AS ws", window.start));
        inner.extend(
            keys.iter()
                .enumerate()
                .map(|(i, key)| format!("{key} AS k{i}")),
        );
        let rank = if keys.is_empty() {
            "1".to_owned()
        } else {
            format!("dense_rank() OVER (ORDER BY {})", keys.join(", "))
        };
        inner.push(format!("{rank} AS gn"));
        let mut groups = keys.clone();
        groups.push(window.group.clone());
        let listed: Vec<String> = columns
            .iter()
            .enumerate()
            .map(|(index, sql)| format!("{sql} AS q{index}"))
            .chain((0..keys.len()).map(|i| format!("p{n}.k{i} AS k{i}")))
            .collect();
        let (grid, count) = self.filled_grid(parts.interval)?;
        let filled = format!(
            "WITH r{n} AS MATERIALIZED (SELECT {inner}{rows} GROUP BY {groups}) \
             SELECT {listed}, w{n}.ws AS ws, p{n}.gn AS gn FROM ({partitions}) p{n} \
             CROSS JOIN ({grid}) w{n} LEFT JOIN r{n} ON r{n}.gn = p{n}.gn AND r{n}.ws = w{n}.ws",
            inner = inner.join(", "),
            rows = parts.rows,
            groups = groups.join(", "),
            listed = listed.join(", "),
            partitions = partitions(parts.fill.mode, keys.len(), n, count),
        );
        self.cut(parts, &filled, &window.start)
    }

    /// Order and limits of the filled windows.
    fn cut(&mut self, parts: &Filled<'_>, filled: &str, start: &str) -> Result<String, SqlError> {
        let query = parts.query;
        let columns = parts.outputs.len();
        let mut order = Vec::new();
        for item in &query.order_by {
            let by = self.ordered_by(&item.expr, parts, start)?;
            order.push(format!("{by}{}", direction(item)));
        }
        let keyed = parts
            .place
            .grouping
            .is_some_and(|grouping| grouping.written);
        let per_group = keyed && order.is_empty() && query.limit.is_some();
        let names: Vec<String> = (0..columns).map(|index| format!("q{index}")).collect();
        let mut sql = format!("SELECT {}", names.join(", "));
        if per_group || query.slimit.is_some() {
            sql.push_str(", gn, row_number() OVER (PARTITION BY gn ORDER BY ws) AS rn");
        }
        sql.push_str(&format!(" FROM ({filled})"));
        if !parts.constants.is_empty() {
            sql.push_str(&format!(" WHERE {}", parts.constants.join(" AND ")));
        }
        if order.is_empty() {
            order = vec!["gn".to_owned(), "ws".to_owned()];
        }
        sql.push_str(&format!(" ORDER BY {}", order.join(", ")));
        Ok(limited(sql, query, columns, per_group))
    }

    fn ordered_by(
        &mut self,
        expr: &Expr,
        parts: &Filled<'_>,
        start: &str,
    ) -> Result<String, SqlError> {
        let outputs = parts.outputs;
        let at = position(expr, outputs.len())?.or_else(|| by_alias(expr, outputs));
        if let Some(at) = at {
            return match parts.typed.get(at) {
                Some(typed) if typed.ty.ty != Ty::Json => Ok(format!("q{at}")),
                _ => Err(SqlError::unsupported("order of JSON with fill")),
            };
        }
        let typed = self.expr(expr, parts.place)?;
        if let Some(at) = parts.typed.iter().position(|known| known.sql == typed.sql) {
            return Ok(format!("q{at}"));
        }
        if typed.sql == start {
            return Ok("ws".to_owned());
        }
        let keys = parts.place.grouping.map(|grouping| &grouping.keys);
        let key = keys.and_then(|keys| keys.iter().position(|key| key.sql == typed.sql));
        key.map(|at| format!("k{at}"))
            .ok_or_else(|| SqlError::unsupported("order of filled windows by this expression"))
    }

    /// All windows of the range as rows `ws`, and how many they are at most.
    fn filled_grid(&self, interval: &Interval) -> Result<(String, i128), SqlError> {
        let range = self.ranges.last().copied().unwrap_or(TimeRange::ALL);
        if range.is_empty() {
            return Ok(("SELECT 0 AS ws WHERE 0".to_owned(), 1));
        }
        let first = match interval.width {
            // The first that has not ended yet.
            Length::Ticks(width) => {
                let before = range
                    .low
                    .saturating_sub(width)
                    .saturating_add(interval.step);
                interval.floor(&before.to_string())
            }
            Length::Months(_) => interval.floor(&range.low.to_string()),
        };
        let last = interval.floor(&range.high.to_string());
        let (Some(first), Some(last)) = (self.evaluate(&first)?, self.evaluate(&last)?) else {
            return Err(bad_range());
        };
        if let Length::Months(months) = interval.width {
            let (grid, count) = interval.months_between(first, last, months);
            return Ok((grid, i128::from(count)));
        }
        let count = (i128::from(last) - i128::from(first)) / i128::from(interval.step) + 1;
        if count > MOST_WINDOWS {
            return Err(SqlError::unsupported("a fill of so many windows"));
        }
        let start = if interval.in_zone() {
            // Asked for each window, because this refuses days of other lengths.
            interval.floor("value")
        } else {
            "value".to_owned()
        };
        let grid = format!(
            "SELECT {start} AS ws FROM generate_series({first}, {last}, {})",
            interval.step
        );
        Ok((grid, count))
    }

    fn filled_columns(&mut self, parts: &Filled<'_>, n: usize) -> Result<Vec<String>, SqlError> {
        let mut columns = Vec::with_capacity(parts.outputs.len());
        let mut values = parts.fill.values.iter();
        let given = matches!(parts.fill.mode, FillMode::Value | FillMode::ValueForced);
        for (index, (output, typed)) in parts.outputs.iter().zip(parts.typed).enumerate() {
            if contains(&output.expr) {
                let value = if given {
                    let value = values.next().ok_or_else(wrong_count)?;
                    Some(self.fill_value(value, typed.ty, parts.place)?)
                } else {
                    None
                };
                columns.push(filled_value(parts.fill.mode, index, typed.ty, value, n)?);
            } else {
                columns.push(self.unfilled(parts, &output.expr, typed, n)?);
            }
        }
        if values.next().is_some() {
            return Err(wrong_count());
        }
        Ok(columns)
    }

    /// A column without aggregates: of the window's own columns and constants, or a key of the partition.
    fn unfilled(
        &mut self,
        parts: &Filled<'_>,
        expr: &Expr,
        typed: &Typed,
        n: usize,
    ) -> Result<String, SqlError> {
        let keys = parts.place.grouping.map(|grouping| &grouping.keys);
        let key = keys.and_then(|keys| keys.iter().position(|key| key.sql == typed.sql));
        if let Some(at) = key {
            return Ok(format!("p{n}.k{at}"));
        }
        if typed.uses != 0 {
            return Err(SqlError::unsupported(
                "an expression over columns or tags beside fill",
            ));
        }
        let duration = any(
            expr,
            &|part| matches!(&part.kind, ExprKind::Column { name, .. } if name.name == "_wduration"),
        );
        if duration && parts.interval.slides() {
            return Err(SqlError::unsupported(
                "_wduration of filled sliding windows",
            ));
        }
        // The expression is computed beside the filled windows, so it sees theirs.
        let start = format!("w{n}.ws");
        let grouping = Grouping {
            window: Some(WindowSql {
                end: parts.interval.end(&start),
                duration: parts.interval.duration(&start),
                group: start.clone(),
                start,
                having: None,
                state: None,
                state_used: Cell::default(),
                sliced: true,
            }),
            ..Grouping::default()
        };
        let place = Place {
            grouping: Some(&grouping),
            ..parts.place
        };
        Ok(self.expr(expr, place)?.sql)
    }

    /// A value of FILL in the type of its column.
    fn fill_value(
        &mut self,
        value: &Expr,
        ty: ColType,
        place: Place<'_>,
    ) -> Result<String, SqlError> {
        let mixed = any(value, &|part| {
            matches!(part.kind, ExprKind::Column { .. } | ExprKind::Wildcard(_))
        });
        if mixed || contains(value) {
            return Err(SqlError::new(0x2605, "Fill value can only accept constant"));
        }
        let typed = self.expr(value, Place::rows(place.scope))?;
        if typed.is_null() {
            return Ok("NULL".to_owned());
        }
        let time = ty.ty == Ty::Timestamp;
        let plain = ty.is_number() || ty.is_decimal() || ty.is_text() || ty.ty == Ty::Bool || time;
        if !plain || time && !typed.ty.is_integer() {
            return Err(SqlError::unsupported("fill(value) of this type"));
        }
        if ty.ty == Ty::VarChar && typed.ty.ty == Ty::VarChar {
            return Ok(format!("td_cut({}, {})", typed.sql, ty.length));
        }
        cast::as_type(self, &typed, ty)
    }
}

/// The partitions that are filled, as rows with their number `gn` and their keys; refused where all their windows,
/// `count` each, are too many.
fn partitions(mode: FillMode, keys: usize, n: usize, count: i128) -> String {
    if keys > 0 {
        let names: Vec<String> = (0..keys).map(|i| format!(", k{i}")).collect();
        let most = MOST_WINDOWS / count.max(1);
        return format!(
            "SELECT gn{} FROM r{n} WHERE td_unsure((SELECT ifnull(max(gn), 0) FROM r{n}) > {most}, \
             'a fill of so many windows in all partitions') GROUP BY gn",
            names.concat()
        );
    }
    if matches!(mode, FillMode::NullForced | FillMode::ValueForced) {
        return "SELECT 1 AS gn".to_owned();
    }
    format!("SELECT 1 AS gn WHERE EXISTS (SELECT 1 FROM r{n})")
}

fn wrong_count() -> SqlError {
    SqlError::new(0x2605, "Filled values number mismatch")
}

/// A column with aggregates.
fn filled_value(
    mode: FillMode,
    index: usize,
    ty: ColType,
    value: Option<String>,
    n: usize,
) -> Result<String, SqlError> {
    let own = format!("r{n}.q{index}");
    let there = format!("r{n}.ws IS NOT NULL");
    let over = |way: &str| {
        format!("OVER (PARTITION BY p{n}.gn ORDER BY w{n}.ws{way} ROWS UNBOUNDED PRECEDING)")
    };
    let (before, behind) = (over(""), over(" DESC"));
    let filled = match mode {
        FillMode::Prev => format!("td_known({own}) {before}"),
        FillMode::Next => format!("td_next({there}, {own}) {behind}"),
        FillMode::Value | FillMode::ValueForced => {
            format!(
                "ifnull({own}, {})",
                value.unwrap_or_else(|| "NULL".to_owned())
            )
        }
        FillMode::Linear if ty.is_number() && ty.ty != Ty::UBigInt => {
            let kind = match ty.ty {
                Ty::Float => 1,
                Ty::Double => 2,
                _ => 0,
            };
            let side = |way: &str, bound: &str| {
                format!("{bound}(r{n}.ws) {way}, td_latest({there}, {own}) {way}")
            };
            format!(
                "td_fill_linear({there}, {own}, w{n}.ws, {}, {}, {kind})",
                side(&before, "max"),
                side(&behind, "min")
            )
        }
        FillMode::Linear if ty.is_text() || ty.ty == Ty::Bool => own.clone(),
        FillMode::Linear => return Err(SqlError::unsupported("fill(linear) of this type")),
        _ => own.clone(),
    };
    if ty.ty == Ty::Timestamp {
        // The server puts the beginning of the window there, whatever the fill.
        return Ok(format!(
            "CASE WHEN {there} AND {own} IS NULL THEN \
             td_unsure(1, 'fill beside a window whose time is NULL') ELSE {filled} END"
        ));
    }
    Ok(filled)
}

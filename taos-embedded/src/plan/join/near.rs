//! Joins of near times: ASOF and WINDOW. The rows of the other source are numbered by time, counting in one pass over both says which
//! numbers belong to a row of the driving source, and these rows are found by their numbers.

use taos_query::common::Ty;

use super::super::planner::Planner;
use super::super::range::mirrored;
use super::super::scope::Scope;
use super::super::types::ColType;
use super::keys::{Equal, TimeRef, column_of, compared_times};
use super::side::Source;
use super::{bad_condition, conjuncts, no_equal_times};
use crate::sql::ast::{BinaryOp, Expr, ExprKind, Join, JoinKind, UnaryOp};
use crate::sql::{SqlError, code};

/// Rows a row may be joined with at most, by JLIMIT.
const MAX_JLIMIT: i64 = 1024;

/// Which rows of the other source are counted for a row of the driving one.
#[derive(Clone, Copy)]
struct Count<'k> {
    /// The driving row's time, as SQL over its columns.
    time: &'k str,
    /// Equal times count.
    equal: bool,
    /// Later rows are counted, not earlier ones.
    later: bool,
    /// The name of the count.
    name: &'k str,
}

/// ON of a join of near times.
struct Condition<'e> {
    /// How the driving time compares with the other one, and both.
    times: Option<(BinaryOp, TimeRef<'e>, TimeRef<'e>)>,
    /// Columns that are to be equal: names and SQL of the driving source and of the other one.
    groups: Vec<(String, String)>,
}

impl Planner<'_> {
    pub(super) fn near_join(
        &mut self,
        link: &Join,
        kind: JoinKind,
        driving: usize,
        sources: &mut [Source],
        scope: &mut Scope,
    ) -> Result<(), SqlError> {
        let limit = match link.jlimit {
            Some(limit) if (0..=MAX_JLIMIT).contains(&limit) => Some(limit),
            Some(_) => {
                return Err(SqlError::new(
                    code::INVALID_OPERATION,
                    format!("JLIMIT value is out of valid range [0, {MAX_JLIMIT}]"),
                ));
            }
            None => None,
        };
        if sources.iter().any(|source| source.inner.from.is_some()) {
            return Err(SqlError::unsupported("asof and window joins of queries"));
        }
        let condition = near_condition(link, driving, sources)?;
        let other = 1 - driving;
        let mut pair = Pair {
            key: String::new(),
            groups: condition.groups,
        };
        let own = sources
            .get(driving)
            .and_then(|source| source.inner.time.clone());
        let mut time = own.ok_or_else(no_equal_times)?;
        let theirs = sources
            .get(other)
            .and_then(|source| source.inner.time.clone());
        pair.key = theirs.ok_or_else(no_equal_times)?;
        let mut op = BinaryOp::GreaterEqual;
        if driving == 1 {
            op = BinaryOp::LessEqual;
        }
        if let Some((written, left, right)) = condition.times {
            op = written;
            time = self.inner_time(left, sources)?;
            pair.key = self.inner_time(right, sources)?;
        }
        let offsets = match (&link.window_offset, kind) {
            (Some((low, high)), JoinKind::LeftWindow) => {
                let low = offset(low, scope)?;
                let high = offset(high, scope)?;
                Some((low.min(high), low.max(high)))
            }
            (None, JoinKind::LeftWindow) => {
                return Err(SqlError::new(
                    code::INVALID_OPERATION,
                    "WINDOW_OFFSET required for WINDOW join",
                ));
            }
            _ => None,
        };
        if offsets.is_some()
            && let Some(source) = sources.get_mut(driving)
        {
            source.number_rows(true);
            scope.row = Some(format!("{}.id", source.alias()));
        }
        for (index, (left, right)) in pair.groups.clone().iter().enumerate() {
            if let Some(source) = sources.get_mut(driving) {
                source.add(&format!("g{index}"), left);
            }
            if let Some(source) = sources.get_mut(other) {
                source.add(&format!("g{index}"), right);
            }
        }
        if let Some(source) = sources.get_mut(driving) {
            source.add("k", &time);
        }
        let later = offsets.is_none() && matches!(op, BinaryOp::Less | BinaryOp::LessEqual);
        if let Some(source) = sources.get_mut(other) {
            let direction = if later { " DESC" } else { "" };
            let partition = pair.partition(pair.groups.iter().map(|(_, right)| right.clone()));
            let rank = format!(
                "row_number() OVER ({partition}ORDER BY {}{direction})",
                pair.key
            );
            source.add("rn", &rank);
        }
        let (Some(left), Some(right)) = (sources.get(driving), sources.get(other)) else {
            return Err(no_equal_times());
        };
        scope.from = Some(pair.from(left, right, op, offsets, limit));
        scope.time.clone_from(&left.time);
        if let Some(side) = scope.sides.get_mut(driving) {
            side.drives = true;
        }
        Ok(())
    }
}

/// The two sources of a join of near times.
struct Pair {
    /// The other source's time, as SQL over its own rows.
    key: String,
    /// Columns that are to be equal, as SQL over the own rows of the driving and the other source.
    groups: Vec<(String, String)>,
}

impl Pair {
    /// PARTITION BY these, if there are any.
    fn partition(&self, by: impl Iterator<Item = String>) -> String {
        if self.groups.is_empty() {
            return String::new();
        }
        let by: Vec<String> = by.collect();
        format!("PARTITION BY {} ", by.join(", "))
    }

    fn from(
        &self,
        left: &Source,
        right: &Source,
        op: BinaryOp,
        offsets: Option<(i64, i64)>,
        limit: Option<i64>,
    ) -> String {
        let count = |time: &'static str, equal, later, name| Count {
            time,
            equal,
            later,
            name,
        };
        let mut rows = left.select("", left.parts());
        let mut names: Vec<String> = left.aliases().iter().map(|&name| name.to_owned()).collect();
        let mut pass = |counted: Count<'_>| {
            rows = self.counted(&rows, &names, right, counted);
            names.push(counted.name.to_owned());
        };
        let (low, high);
        if let Some((from, to)) = offsets {
            let (from, to) = (format!("k + {from}"), format!("k + {to}"));
            pass(Count {
                time: &from,
                ..count("", false, false, "c0")
            });
            pass(Count {
                time: &to,
                ..count("", true, false, "c1")
            });
            low = "c0".to_owned();
            high = limit.map_or_else(|| "c1".to_owned(), |limit| format!("min(c1, c0 + {limit})"));
        } else if op == BinaryOp::Equal {
            pass(count("k", false, false, "c0"));
            pass(count("k", true, false, "c1"));
            low = "c0".to_owned();
            high = format!("min(c1, c0 + {})", limit.unwrap_or(1));
        } else {
            let equal = matches!(op, BinaryOp::GreaterEqual | BinaryOp::LessEqual);
            let later = matches!(op, BinaryOp::Less | BinaryOp::LessEqual);
            pass(count("k", equal, later, "c1"));
            low = format!("max(c1 - {}, 0)", limit.unwrap_or(1));
            high = "c1".to_owned();
        }
        let none = if limit == Some(0) { " WHERE 0" } else { "" };
        let (a, b) = (left.alias(), right.alias());
        let mut on = format!("{b}.rn = v{a}.value");
        for index in 0..self.groups.len() {
            on.push_str(&format!(" AND {b}.g{index} = {a}.g{index}"));
        }
        format!(
            "(SELECT *, {low} + 1 AS lo, {high} AS hi FROM ({rows}){none}) {a} \
             LEFT JOIN generate_series({a}.lo, {a}.hi) v{a} \
             LEFT JOIN ({}) {b} ON {on}",
            right.select(&self.grouped(), right.parts())
        )
    }

    /// Rows of the other source without a group join nobody.
    fn grouped(&self) -> String {
        let parts: Vec<String> = self
            .groups
            .iter()
            .map(|(_, right)| format!("{right} IS NOT NULL"))
            .collect();
        parts.join(" AND ")
    }

    /// `rows` with the number of rows of the other source that are counted for each.
    fn counted(&self, rows: &str, names: &[String], right: &Source, count: Count<'_>) -> String {
        let theirs: Vec<String> = names
            .iter()
            .map(|name| {
                let group = name
                    .strip_prefix('g')
                    .and_then(|at| at.parse::<usize>().ok());
                let group = group.and_then(|at| self.groups.get(at));
                let sql = group.map_or("NULL", |(_, right)| right.as_str());
                format!("{sql} AS {name}")
            })
            .chain([
                format!("{} AS t", self.key),
                format!("{} AS o", if count.equal { 0 } else { 1 }),
                "1 AS r".to_owned(),
            ])
            .collect();
        let names = names.join(", ");
        let own = if count.equal { 1 } else { 0 };
        let direction = if count.later { " DESC" } else { "" };
        let partition = self.partition((0..self.groups.len()).map(|at| format!("g{at}")));
        format!(
            "SELECT {names}, {name} FROM (SELECT {names}, r, count(r) OVER ({partition}ORDER BY t{direction}, o) AS {name} \
             FROM (SELECT {names}, {time} AS t, {own} AS o, NULL AS r FROM ({rows}) \
             UNION ALL {other})) WHERE r IS NULL",
            name = count.name,
            time = count.time,
            other = right.select(&self.grouped(), &theirs)
        )
    }
}

fn near_condition<'e>(
    link: &'e Join,
    driving: usize,
    sources: &[Source],
) -> Result<Condition<'e>, SqlError> {
    let mut found = Condition {
        times: None,
        groups: Vec::new(),
    };
    let asof = link.window_offset.is_none();
    for part in conjuncts(link.on.as_ref()) {
        if let Some((op, Equal { left, right })) = compared_times(part, sources) {
            let (op, left, right) = if left.0 == driving {
                (op, left, right)
            } else {
                (mirrored(op), right, left)
            };
            let orders = matches!(
                op,
                BinaryOp::Equal
                    | BinaryOp::Less
                    | BinaryOp::LessEqual
                    | BinaryOp::Greater
                    | BinaryOp::GreaterEqual
            );
            if !orders {
                return Err(bad_condition());
            }
            if found.times.is_some() || !asof {
                return Err(SqlError::unsupported("such a condition of this join"));
            }
            found.times = Some((op, left, right));
            continue;
        }
        found.groups.push(group(part, driving, sources)?);
    }
    Ok(found)
}

/// An equality of two columns, one of each source.
fn group(part: &Expr, driving: usize, sources: &[Source]) -> Result<(String, String), SqlError> {
    let ExprKind::Binary(BinaryOp::Equal, left, right) = &part.kind else {
        return Err(bad_condition());
    };
    let column = |expr: &Expr| match &expr.kind {
        ExprKind::Column { table, name } => {
            let (index, column) = column_of(table.as_ref(), name, sources)?;
            let source = sources.get(index)?;
            let inner = source
                .inner
                .columns
                .iter()
                .find(|own| own.name == column.name)?;
            Some((index, source.inner.use_column(inner).sql, column.ty))
        }
        _ => None,
    };
    let call = |expr: &Expr| matches!(expr.kind, ExprKind::Function { .. });
    if call(left) || call(right) {
        return Err(SqlError::unsupported("functions in this join's condition"));
    }
    let (Some(left), Some(right)) = (column(left), column(right)) else {
        return Err(bad_condition());
    };
    if left.0 == right.0 {
        return Err(SqlError::unsupported("such a condition of this join"));
    }
    if !comparable(left.2, right.2) {
        return Err(SqlError::unsupported(
            "near joins on columns of different types",
        ));
    }
    let (left, right) = if left.0 == driving {
        (left, right)
    } else {
        (right, left)
    };
    Ok((left.1, right.1))
}

/// Whether equal values have equal stored forms.
fn comparable(left: ColType, right: ColType) -> bool {
    let plain = |ty: ColType| ty.is_integer() && ty.ty != Ty::UBigInt;
    left.ty == right.ty && !left.is_decimal()
        || plain(left) && plain(right)
        || left.is_text() && right.is_text()
}

/// A bound of WINDOW_OFFSET in ticks.
fn offset(expr: &Expr, scope: &Scope) -> Result<i64, SqlError> {
    match &expr.kind {
        ExprKind::Duration(duration) => duration
            .ticks(scope.precision)
            .ok_or_else(|| SqlError::new(0x2673, "Invalid unit of WINDOW_OFFSET")),
        ExprKind::Unary(UnaryOp::Minus, inner) => offset(inner, scope).map(|ticks| -ticks),
        _ => Err(SqlError::syntax("window_offset")),
    }
}

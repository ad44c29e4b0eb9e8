//! Joins on time (DIALECT §9): who joins whom, on what, and the SQL of the joins that look for equal times.

mod keys;
mod near;
mod side;

use taos_query::common::Precision;

use super::aggregate::contains;
use super::clauses::{aggregate_not_allowed, flatten};
use super::derived::Wanted;
use super::expr::{Place, condition};
use super::planner::Planner;
use super::scope::{Scope, Side};
use crate::sql::ast::{BinaryOp, Expr, ExprKind, Join, JoinKind, TableRef};
use crate::sql::{SqlError, code};
use keys::{Equal, equal_times};
use side::Source;

/// The parts of a condition that AND puts together.
fn conjuncts(expr: Option<&Expr>) -> Vec<&Expr> {
    let mut parts = Vec::new();
    if let Some(expr) = expr {
        flatten(expr, &mut parts);
    }
    parts
}

/// No equality of times.
fn no_equal_times() -> SqlError {
    SqlError::new(
        0x2664,
        "Not supported join since 'Join requires valid time series input and primary timestamp \
         equal condition'",
    )
}

/// No condition at all.
fn cross_join() -> SqlError {
    SqlError::new(0x2702, "not support cross join")
}

/// An alternative as the whole condition of an equal join.
fn alternative(link: &Join) -> bool {
    let near = matches!(
        turned(link.kind).0,
        JoinKind::LeftAsof | JoinKind::LeftWindow
    );
    let kind = link.on.as_ref().map(|on| &on.kind);
    !near && matches!(kind, Some(ExprKind::Binary(BinaryOp::Or, ..)))
}

/// A condition that this kind of join cannot use.
fn bad_condition() -> SqlError {
    SqlError::new(0x0733, "Not supported join on condition")
}

/// The sources from left to right, and the join in front of each but the first.
fn chain<'j>(
    join: &'j Join,
    sources: &mut Vec<&'j TableRef>,
    links: &mut Vec<&'j Join>,
) -> Result<(), SqlError> {
    match &join.left {
        TableRef::Join(left) => chain(left, sources, links)?,
        left => sources.push(left),
    }
    match &join.right {
        TableRef::Join(right) => {
            let first = links.len();
            chain(right, sources, links)?;
            links.push(join);
            let inner = |link: &&Join| link.kind == JoinKind::Inner;
            if !links.get(first..).unwrap_or_default().iter().all(inner) {
                return Err(SqlError::unsupported("outer joins in parentheses"));
            }
        }
        right => {
            sources.push(right);
            links.push(join);
        }
    }
    Ok(())
}

/// The kind with the driving source on the left, and whether it stood on the right.
const fn turned(kind: JoinKind) -> (JoinKind, bool) {
    match kind {
        JoinKind::RightOuter => (JoinKind::LeftOuter, true),
        JoinKind::RightSemi => (JoinKind::LeftSemi, true),
        JoinKind::RightAnti => (JoinKind::LeftAnti, true),
        JoinKind::RightAsof => (JoinKind::LeftAsof, true),
        JoinKind::RightWindow => (JoinKind::LeftWindow, true),
        kind => (kind, false),
    }
}

impl Planner<'_> {
    /// Several sources as one. `filter` is the WHERE of the SELECT, in which an inner join may have its condition, and `wanted` what
    /// the SELECT mentions.
    pub(super) fn join(
        &mut self,
        join: &Join,
        mut wanted: Wanted,
        filter: Option<&Expr>,
    ) -> Result<Scope, SqlError> {
        let (mut refs, mut links) = (Vec::new(), Vec::new());
        chain(join, &mut refs, &mut links)?;
        for on in links.iter().filter_map(|link| link.on.as_ref()) {
            if contains(on) {
                return Err(aggregate_not_allowed());
            }
            wanted.add(on);
        }
        let mut sources = Vec::with_capacity(refs.len());
        for table in refs {
            sources.push(self.join_source(table, &wanted)?);
        }
        let mut scope = self.joined_scope(&sources)?;
        let inner = links.iter().all(|link| link.kind == JoinKind::Inner);
        if links.iter().any(|link| unfit_clauses(link)) {
            return Err(SqlError::new(
                code::INVALID_OPERATION,
                "JLIMIT is for ASOF and WINDOW joins, WINDOW_OFFSET for WINDOW joins",
            ));
        }
        if links.iter().any(|link| alternative(link)) {
            return Err(SqlError::unsupported("OR as the condition of a join"));
        }
        if inner {
            self.inner_join(&links, filter, &mut sources, &mut scope)?;
            return Ok(scope);
        }
        let [link] = links.as_slice() else {
            self.outer_chain(&links, &mut sources, &mut scope)?;
            return Ok(scope);
        };
        let (kind, swapped) = turned(link.kind);
        let driving = usize::from(swapped);
        match kind {
            JoinKind::LeftAsof | JoinKind::LeftWindow => {
                self.near_join(link, kind, driving, &mut sources, &mut scope)?;
            }
            _ => self.equal_join(link, kind, driving, &mut sources, &mut scope)?,
        }
        Ok(scope)
    }

    /// The scope of all sources, still without FROM.
    fn joined_scope(&mut self, sources: &[Source]) -> Result<Scope, SqlError> {
        let precision = sources
            .first()
            .map_or_else(Precision::default, |source| source.inner.precision);
        let mut scope = Scope::empty(precision);
        scope.number = self.next_number();
        for source in sources {
            if source.inner.precision != precision {
                return Err(SqlError::unsupported("join of times in different units"));
            }
            let taken = |side: &Side| side.name.as_deref() == Some(source.name.as_str());
            if scope.sides.iter().any(taken) {
                return Err(SqlError::new(
                    0x2663,
                    format!("Not unique table/alias: '{}'", source.name),
                ));
            }
            let start = scope.columns.len();
            scope.columns.extend(source.columns.iter().cloned());
            scope.sides.push(Side {
                name: Some(source.name.clone()),
                columns: start..scope.columns.len(),
                time_at: source
                    .columns
                    .iter()
                    .position(|column| Some(&column.sql) == source.time.as_ref()),
                time: source.time.clone(),
                tbname: source.tbname.clone(),
                is_super: source.inner.is_super(),
                drives: false,
            });
        }
        Ok(scope)
    }

    fn conditions(&mut self, parts: &[&Expr], scope: &Scope) -> Result<Vec<String>, SqlError> {
        let mut conditions = Vec::with_capacity(parts.len());
        for part in parts {
            let typed = self.expr(part, Place::rows(scope))?;
            conditions.push(condition(&typed)?);
        }
        Ok(conditions)
    }

    /// Inner joins, as many as there are: every source must have its time equal to that of another one.
    fn inner_join(
        &mut self,
        links: &[&Join],
        filter: Option<&Expr>,
        sources: &mut [Source],
        scope: &mut Scope,
    ) -> Result<(), SqlError> {
        let mut own: Vec<&Expr> = Vec::new();
        for link in links {
            own.extend(conjuncts(link.on.as_ref()));
        }
        let behind = conjuncts(filter);
        if own.is_empty() && behind.is_empty() {
            return Err(cross_join());
        }
        let mut conditions = self.conditions(&own, scope)?;
        let mut equals: Vec<Equal<'_>> = own
            .iter()
            .chain(&behind)
            .filter_map(|part| equal_times(part, sources))
            .collect();
        let mut from = String::new();
        let mut joined = vec![0];
        let mut steps = Vec::new();
        while joined.len() < sources.len() {
            let next = equals.iter().position(|equal| {
                joined.contains(&equal.left.0) != joined.contains(&equal.right.0)
            });
            let Some(equal) = next.map(|at| equals.remove(at)) else {
                return Err(no_equal_times());
            };
            let equal = if joined.contains(&equal.left.0) {
                equal
            } else {
                equal.turned()
            };
            joined.push(equal.right.0);
            steps.push((equal.right.0, self.key_condition(&equal, sources)?));
        }
        if let Some(first) = sources.first() {
            from.push_str(&first.sql(false));
        }
        for (index, on) in &steps {
            if let Some(source) = sources.get(*index) {
                from.push_str(&format!(" JOIN {} ON {on}", source.sql(source.hold)));
            }
        }
        if !conditions.is_empty() {
            from.push_str(&format!(" AND {}", conditions.join(" AND ")));
            conditions.clear();
        }
        scope.from = Some(from);
        scope.time = sources.first().and_then(|source| source.time.clone());
        same_times(&steps, sources, scope);
        Ok(())
    }

    /// Inner and left outer joins one behind the other.
    fn outer_chain(
        &mut self,
        links: &[&Join],
        sources: &mut [Source],
        scope: &mut Scope,
    ) -> Result<(), SqlError> {
        let mut joins = Vec::new();
        for (at, link) in links.iter().enumerate() {
            let word = match link.kind {
                JoinKind::Inner => "JOIN",
                JoinKind::LeftOuter => "LEFT JOIN",
                _ => return Err(SqlError::unsupported("such joins one behind the other")),
            };
            let parts = conjuncts(link.on.as_ref());
            let index = at + 1;
            let found = parts.iter().find_map(|part| {
                equal_times(part, sources)
                    .map(|equal| {
                        if equal.right.0 == index {
                            equal
                        } else {
                            equal.turned()
                        }
                    })
                    .filter(|equal| equal.right.0 == index && equal.left.0 < index)
            });
            let equal = found.ok_or_else(|| {
                if parts.is_empty() {
                    cross_join()
                } else {
                    no_equal_times()
                }
            })?;
            let mut on = vec![self.key_condition(&equal, sources)?];
            on.extend(self.conditions(&parts, scope)?);
            joins.push((index, word, on.join(" AND ")));
        }
        let mut from = sources.first().map(|s| s.sql(false)).unwrap_or_default();
        for (index, word, on) in joins {
            if let Some(source) = sources.get(index) {
                from.push_str(&format!(" {word} {} ON {on}", source.sql(source.hold)));
            }
        }
        scope.from = Some(from);
        scope.time = sources.first().and_then(|source| source.time.clone());
        Ok(())
    }

    /// One outer, semi or anti join; `driving` is the source whose rows decide.
    fn equal_join(
        &mut self,
        link: &Join,
        kind: JoinKind,
        driving: usize,
        sources: &mut [Source],
        scope: &mut Scope,
    ) -> Result<(), SqlError> {
        let parts = conjuncts(link.on.as_ref());
        if parts.is_empty() {
            return Err(cross_join());
        }
        let equal = parts
            .iter()
            .find_map(|part| equal_times(part, sources))
            .ok_or_else(no_equal_times)?;
        let equal = if equal.left.0 == driving {
            equal
        } else {
            equal.turned()
        };
        let mut on = vec![self.key_condition(&equal, sources)?];
        on.extend(self.conditions(&parts, scope)?);
        let on = on.join(" AND ");
        if kind == JoinKind::LeftSemi
            && let Some(source) = sources.get_mut(driving)
        {
            source.number_rows(false);
        }
        let (Some(left), Some(right)) = (sources.get(driving), sources.get(1 - driving)) else {
            return Err(no_equal_times());
        };
        let ahead = |word: &str| {
            format!(
                "{} {word} {} ON {on}",
                left.sql(false),
                right.sql(right.hold)
            )
        };
        match kind {
            JoinKind::LeftOuter => scope.from = Some(ahead("LEFT JOIN")),
            JoinKind::LeftAnti => {
                let missing = format!(" WHERE {}.m IS NULL", right.alias());
                self.wrap(scope, &ahead("LEFT JOIN"), &missing, None);
            }
            JoinKind::LeftSemi => {
                let first = format!(
                    "row_number() OVER (PARTITION BY {}.id ORDER BY {}) AS n",
                    left.alias(),
                    right.time.as_deref().unwrap_or("1")
                );
                self.wrap(scope, &ahead("JOIN"), "", Some(&first));
            }
            _ => {
                let back = format!("{} LEFT JOIN {} ON {on}", right.sql(false), left.sql(true));
                let alone = format!(" WHERE {}.m IS NULL", left.alias());
                let rest = format!(
                    " UNION ALL SELECT {} FROM {back}{alone}",
                    wrapped_columns(scope).join(", ")
                );
                self.wrap(scope, &ahead("LEFT JOIN"), &rest, None);
                return Ok(());
            }
        }
        scope.time = scope.sides.get(driving).and_then(|side| side.time.clone());
        Ok(())
    }

    /// Gives a join a SELECT of its own. With `first` only the rows are kept that it numbers with 1.
    fn wrap(&mut self, scope: &mut Scope, from: &str, behind: &str, first: Option<&str>) {
        let number = self.next_number();
        let mut parts = wrapped_columns(scope);
        parts.extend(first.map(str::to_owned));
        let inner = format!("SELECT {} FROM {from}{behind}", parts.join(", "));
        scope.from = Some(match first {
            Some(_) => format!("(SELECT * FROM ({inner}) WHERE n = 1) s{number}"),
            None => format!("({inner}) s{number}"),
        });
        for (index, column) in scope.columns.iter_mut().enumerate() {
            if column.sql != side::ABSENT {
                column.sql = format!("s{number}.j{index}");
            }
        }
        for (index, side) in scope.sides.iter_mut().enumerate() {
            side.time = side.time.as_ref().map(|_| format!("s{number}.t{index}"));
            side.tbname = side.tbname.as_ref().map(|_| format!("s{number}.b{index}"));
        }
        realign(scope);
    }
}

/// The time column of a side and its time are one SQL, which is how they are known to be the same.
fn realign(scope: &mut Scope) {
    for side in &mut scope.sides {
        let Some(at) = side.time_at else { continue };
        if let Some(column) = scope.columns.get(side.columns.start + at) {
            side.time = Some(column.sql.clone());
        }
    }
}

/// What a join's own SELECT lists: all columns, then times and names of the sides.
fn wrapped_columns(scope: &Scope) -> Vec<String> {
    let mut parts = Vec::new();
    for (index, column) in scope.columns.iter().enumerate() {
        if column.sql != side::ABSENT {
            parts.push(format!("{} AS j{index}", column.sql));
        }
    }
    for (index, side) in scope.sides.iter().enumerate() {
        parts.extend(side.time.iter().map(|time| format!("{time} AS t{index}")));
        parts.extend(side.tbname.iter().map(|name| format!("{name} AS b{index}")));
    }
    parts
}

/// Inner joins on the times themselves: these are one and the same.
fn same_times(steps: &[(usize, String)], sources: &[Source], scope: &mut Scope) {
    let Some(time) = scope.time.clone() else {
        return;
    };
    for (index, on) in steps {
        let Some(source) = sources.get(*index) else {
            continue;
        };
        let Some(own) = &source.time else { continue };
        if *on != format!("{own} = {time}") {
            continue;
        }
        for column in scope.columns.iter_mut().filter(|column| column.sql == *own) {
            column.sql.clone_from(&time);
        }
        if let Some(side) = scope.sides.get_mut(*index) {
            side.time = Some(time.clone());
        }
    }
}

/// Clauses that only joins of near times have.
fn unfit_clauses(link: &Join) -> bool {
    match turned(link.kind).0 {
        JoinKind::LeftAsof => link.window_offset.is_some(),
        JoinKind::LeftWindow => false,
        _ => link.window_offset.is_some() || link.jlimit.is_some(),
    }
}

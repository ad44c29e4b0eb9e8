//! One source of a join: its rows as a SELECT that the join's SQL names.

use taos_query::common::Ty;

use super::super::derived::Wanted;
use super::super::planner::Planner;
use super::super::scope::{Scope, ScopeColumn};
use crate::sql::SqlError;
use crate::sql::ast::{BinaryOp, Expr, ExprKind, Query, QueryBody, TableRef};

/// The SQL of a column that nothing mentions, so that no row carries it.
pub(super) const ABSENT: &str = "NULL";

/// A source while the join is put together.
pub(super) struct Source {
    /// The name that qualifies its columns; one that nobody can write if it has none.
    pub(super) name: String,
    /// What its own rows are read from.
    pub(super) inner: Scope,
    /// Its columns as the join sees them.
    pub(super) columns: Vec<ScopeColumn>,
    /// The time of its rows as the join sees it.
    pub(super) time: Option<String>,
    /// The name of its subtables as the join sees it.
    pub(super) tbname: Option<String>,
    /// Other columns that count as its time, as the join sees them.
    pub(super) times: Vec<String>,
    /// Its rows are kept with an index of their own, because no key of the storage finds them by the join's condition.
    pub(super) hold: bool,
    number: usize,
    parts: Vec<String>,
}

impl Source {
    pub(super) fn alias(&self) -> String {
        format!("s{}", self.number)
    }

    /// The SELECT with its alias. With `hold` its rows are not looked for in the storage again and again.
    pub(super) fn sql(&self, hold: bool) -> String {
        let limit = if hold { " LIMIT -1" } else { "" };
        format!("({}{limit}) {}", self.select("", &self.parts), self.alias())
    }

    /// A SELECT of these parts of its rows.
    pub(super) fn select(&self, condition: &str, parts: &[String]) -> String {
        let (from, own) = self.inner.source_sql(false, "");
        let mut filters: Vec<&str> = own.iter().map(String::as_str).collect();
        if !condition.is_empty() {
            filters.push(condition);
        }
        let filters = if filters.is_empty() {
            String::new()
        } else {
            format!(" WHERE {}", filters.join(" AND "))
        };
        format!("SELECT {}{from}{filters}", parts.join(", "))
    }

    /// Adds a column of the join's own and says how the join sees it.
    pub(super) fn add(&mut self, name: &str, sql: &str) -> String {
        self.parts.push(format!("{sql} AS {name}"));
        format!("{}.{name}", self.alias())
    }

    /// Numbers the rows as `id`, in the order of time if that is asked for.
    pub(super) fn number_rows(&mut self, by_time: bool) {
        let order = match &self.inner.time {
            Some(time) if by_time => format!("ORDER BY {time}"),
            _ => String::new(),
        };
        self.add("id", &format!("row_number() OVER ({order})"));
    }

    pub(super) fn parts(&self) -> &[String] {
        &self.parts
    }

    /// Names of the columns that its SELECT has.
    pub(super) fn aliases(&self) -> Vec<&str> {
        let name = |part: &'_ String| part.rsplit(' ').next().map(str::len);
        self.parts
            .iter()
            .filter_map(|part| {
                let length = name(part)?;
                part.get(part.len().checked_sub(length)?..)
            })
            .collect()
    }

    /// Whether SQL of the join is a time of this source.
    pub(super) fn is_time(&self, sql: &str) -> bool {
        self.time.as_deref() == Some(sql) || self.times.iter().any(|time| time == sql)
    }
}

impl Planner<'_> {
    pub(super) fn join_source(
        &mut self,
        table: &TableRef,
        wanted: &Wanted,
    ) -> Result<Source, SqlError> {
        let inner = self.source(Some(table))?;
        let number = self.next_number();
        let (mut parts, mut columns) = (Vec::new(), Vec::new());
        let (mut time, mut times) = (None, Vec::new());
        for (index, column) in inner.columns.iter().enumerate() {
            let seen = format!("s{number}.q{index}");
            let is_time = inner.time.as_ref() == Some(&column.sql);
            let like = column.ty.ty == Ty::Timestamp && is_time_like(table, index);
            let carried = wanted.has(&column.name) || is_time;
            if is_time {
                time = Some(seen.clone());
            } else if like {
                times.push(seen.clone());
            }
            if carried {
                parts.push(format!("{} AS q{index}", inner.use_column(column).sql));
            }
            columns.push(ScopeColumn {
                sql: if carried { seen } else { ABSENT.to_owned() },
                ..column.clone()
            });
        }
        let named = wanted.has("tbname").then(|| inner.table_name().ok());
        let tbname = named.flatten().map(|typed| {
            parts.push(format!("{} AS tb", typed.sql));
            format!("s{number}.tb")
        });
        parts.push("1 AS m".to_owned());
        let name = inner
            .name
            .clone()
            .unwrap_or_else(|| format!("\u{0}{number}"));
        if time.is_none() {
            time = times.first().cloned();
        }
        Ok(Source {
            name,
            hold: inner.from.is_some() || inner.is_super(),
            inner,
            columns,
            time,
            tbname,
            times,
            number,
            parts,
        })
    }
}

/// Whether a column of a query joins like a time of the rows: a constant time, a window's bound, or a time that was truncated
/// or moved.
fn is_time_like(table: &TableRef, index: usize) -> bool {
    fn time_like(expr: &Expr) -> bool {
        match &expr.kind {
            ExprKind::Timestamp(_) => true,
            ExprKind::Column { name, .. } => matches!(name.name.as_str(), "_wstart" | "_wend"),
            ExprKind::Function { name, .. } => {
                matches!(name.as_str(), "now" | "today" | "timetruncate")
            }
            ExprKind::Binary(BinaryOp::Add | BinaryOp::Subtract, left, right) => {
                let column = matches!(left.kind, ExprKind::Column { .. });
                matches!(right.kind, ExprKind::Duration(_)) && (column || time_like(left))
            }
            _ => false,
        }
    }
    let TableRef::Subquery { query, .. } = table else {
        return false;
    };
    let Query {
        body: QueryBody::Select(select),
        ..
    } = query.as_ref()
    else {
        return false;
    };
    // A wildcard in front would move the columns.
    let items = select.items.get(..=index).unwrap_or_default();
    let moved = |expr: &Expr| matches!(expr.kind, ExprKind::Wildcard(_));
    !items.iter().any(|item| moved(&item.expr)) && items.last().is_some_and(|i| time_like(&i.expr))
}

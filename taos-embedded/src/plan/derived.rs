//! Rows of a source as a source of its own, for operators that look at more than one row: windows over rows, functions
//! over series, joins.

use std::cell::RefCell;
use std::collections::HashSet;

use super::aggregate::any;
use super::clauses::where_sql;
use super::planner::Planner;
use super::scope::{Scope, ScopeColumn};
use super::select::Filter;
use crate::sql::ast::{Expr, ExprKind, Query, Select, Window};

/// The columns that a statement mentions, so that an operator does not carry thousands that nobody asked for.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    names: HashSet<String>,
    /// A wildcard was written.
    all: bool,
}

impl Wanted {
    /// All columns.
    pub(super) fn all() -> Self {
        Self {
            names: HashSet::new(),
            all: true,
        }
    }

    /// What one SELECT mentions anywhere but in its source.
    pub(super) fn of(select: &Select, query: &Query) -> Self {
        let mut wanted = Self::default();
        let items = select.items.iter().chain(&select.partition_by);
        items.for_each(|item| wanted.add(&item.expr));
        let groups = select.group_by.iter().chain(&select.having);
        groups.for_each(|expr| wanted.add(expr));
        query
            .order_by
            .iter()
            .for_each(|item| wanted.add(&item.expr));
        match &select.window {
            Some(Window::State { state, .. }) => wanted.add(state),
            Some(Window::Event { start, end, .. }) => {
                wanted.add(start);
                wanted.add(end);
            }
            Some(Window::Count { columns, .. }) => columns.iter().for_each(|e| wanted.add(e)),
            _ => {}
        }
        wanted
    }

    /// What one expression mentions.
    pub(super) fn add(&mut self, expr: &Expr) {
        let found = RefCell::new(Vec::new());
        any(expr, &|part| {
            match &part.kind {
                ExprKind::Column { name, .. } => found.borrow_mut().push(Some(name.name.clone())),
                ExprKind::Wildcard(_) => found.borrow_mut().push(None),
                _ => {}
            }
            false
        });
        for name in found.into_inner() {
            match name {
                Some(name) => {
                    self.names.insert(name);
                }
                None => self.all = true,
            }
        }
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.all || self.names.contains(name)
    }
}

impl Planner<'_> {
    /// The rows of `scope` that pass the conditions on tags and rows of `filter` (not the constant ones, which decide about
    /// groups without rows too), with their wanted columns, time, key and subtable's name, and beside them `extra`: SQL over the columns of
    /// `scope`, found in the new source as `s{number}.x0`, `s{number}.x1`, ….
    pub(super) fn derived(
        &mut self,
        scope: &Scope,
        filter: &Filter,
        wanted: &Wanted,
        extra: &[String],
    ) -> Scope {
        let number = self.next_number();
        let mut parts = Vec::new();
        let mut columns = Vec::new();
        for (index, column) in scope.columns.iter().enumerate() {
            let is_time = scope.time.as_ref() == Some(&column.sql);
            if wanted.has(&column.name) && !is_time {
                parts.push(format!("{} AS q{index}", scope.use_column(column).sql));
            }
            // the time stays the time for who reads the result
            let sql = if is_time {
                format!("s{number}.ts")
            } else {
                format!("s{number}.q{index}")
            };
            columns.push(ScopeColumn {
                sql,
                ..column.clone()
            });
        }
        let mut carried = |sql: Option<String>, name: &str| {
            sql.map(|sql| {
                parts.push(format!("{sql} AS {name}"));
                format!("s{number}.{name}")
            })
        };
        let time = carried(scope.time.clone(), "ts");
        let key = carried(scope.key.clone(), "ck");
        let named = wanted.has("tbname").then(|| scope.table_name().ok());
        let tbname = carried(named.flatten().map(|typed| typed.sql), "tb");
        let row = carried(scope.row.clone(), "rw");
        let mut sides = scope.sides.clone();
        for (index, side) in sides.iter_mut().enumerate() {
            side.time = carried(side.time.take(), &format!("ts{index}"));
            let named = side.tbname.take().filter(|_| wanted.has("tbname"));
            side.tbname = carried(named, &format!("tb{index}"));
        }
        for (index, sql) in extra.iter().enumerate() {
            parts.push(format!("{sql} AS x{index}"));
        }
        if parts.is_empty() {
            parts.push("1 AS one".to_owned());
        }
        let (from, own) = scope.source_sql(false, "");
        let filters: Vec<&String> = own.iter().chain(&filter.tags).chain(&filter.rows).collect();
        let rows = where_sql(&filters);
        Scope {
            name: scope.name.clone(),
            columns,
            precision: scope.precision,
            time,
            table: scope.table.clone(),
            tbname,
            key,
            from: Some(format!(
                "(SELECT {}{from}{rows}) s{number}",
                parts.join(", ")
            )),
            number,
            tags_used: std::cell::Cell::new(false),
            sides,
            row,
        }
    }
}
